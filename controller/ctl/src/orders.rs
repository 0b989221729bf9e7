//! Operators' orders: desired state in the row, never a direct side effect. Pure: what is written; beside it, what became of it and
//! how that is said.
//!
//! Only the section `operator` and the time of the next look are written, on the condition that the row stands and has not
//! ended (or begun again) in the meantime; so nothing that the controller or the worker writes at the same moment is undone.

use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::Timestamp;
use schemas::operator::{Hold, Operator, Order, Signed, Verb};
use schemas::table::workers::{NEXT_LOOK_AT, OPEN, OPEN_VALUE, SESSION_ID};
use schemas::worker::WorkerRow;
use std::collections::HashMap;

mod fate;
mod words;

pub use fate::{Fate, Outcome, fate, held, outcome, pending, refusal, signed_at, signed_when};
pub use words::{drain_question, marks, past, receipt, sentences, stakes, verb};

/// Attribute of the section.
pub const OPERATOR: &str = "operator";

/// A change of the section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Hold, or release: a hold that ends at once says who released it.
    Hold(Hold),
    /// An order.
    Order(Order),
}

impl Change {
    /// Hands off until then.
    #[must_use]
    pub fn hold(until: Timestamp, signed: Signed) -> Self {
        Self::Hold(Hold { until, signed })
    }

    /// Ends a hold now.
    #[must_use]
    pub fn release(signed: Signed) -> Self {
        Self::Hold(Hold { until: signed.at, signed })
    }

    /// An order.
    #[must_use]
    pub fn order(verb: Verb, signed: Signed) -> Self {
        Self::Order(Order { verb, at_once: None, signed })
    }

    /// The same order, signed then; a hold lasts as long as before.
    #[must_use]
    pub fn signed_at(mut self, at: Timestamp) -> Self {
        match &mut self {
            Self::Hold(hold) => {
                hold.until = hold.until.plus_ms(at.since(hold.signed.at));
                hold.signed.at = at;
            }
            Self::Order(order) => order.signed.at = at,
        }
        self
    }

    fn part(&self) -> &'static str {
        match self {
            Self::Hold(_) => "hold",
            Self::Order(_) => "order",
        }
    }

    fn value(&self) -> serde_dynamo::Result<AttributeValue> {
        match self {
            Self::Hold(hold) => serde_dynamo::to_attribute_value(hold),
            Self::Order(order) => serde_dynamo::to_attribute_value(order),
        }
    }

    fn section(&self) -> Operator {
        match self.clone() {
            Self::Hold(hold) => Operator { hold: Some(hold), order: None },
            Self::Order(order) => Operator { hold: None, order: Some(order) },
        }
    }

    /// The section with this order alone, as an attribute.
    ///
    /// # Errors
    /// When it cannot be written as one, which a test excludes.
    pub fn as_section(&self) -> serde_dynamo::Result<AttributeValue> {
        serde_dynamo::to_attribute_value(self.section())
    }

    /// When it is signed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Hold(hold) => hold.signed.at,
            Self::Order(order) => order.signed.at,
        }
    }
}

/// Whether the row has had an operator's section so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// It has.
    Present,
    /// Not yet: a path into it would be refused.
    Absent,
}

/// One conditional UpdateItem.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// What is set.
    pub expression: String,
    /// On which condition.
    pub condition: String,
    /// Names in both.
    pub names: HashMap<String, String>,
    /// Values in both.
    pub values: HashMap<String, AttributeValue>,
}

/// The update of one row. A hold leaves an order as it is, and an order a hold.
///
/// # Errors
/// When the section cannot be written as an item, which a test excludes.
pub fn update(change: &Change, section: Section, life: Life) -> serde_dynamo::Result<Update> {
    let mut names: HashMap<String, String> =
        [("#operator", OPERATOR), ("#open", OPEN)].map(|(k, v)| (k.into(), v.into())).into();
    let mut values = HashMap::new();
    let (target, exists) = match section {
        Section::Present => {
            names.insert("#part".into(), change.part().into());
            values.insert(":order".into(), change.value()?);
            ("#operator.#part", "attribute_exists(#operator)")
        }
        Section::Absent => {
            values.insert(":order".into(), serde_dynamo::to_attribute_value(change.section())?);
            ("#operator", "attribute_not_exists(#operator)")
        }
    };
    let (next, stands) = match life {
        Life::Open => {
            names.insert("#next".into(), NEXT_LOOK_AT.into());
            values.insert(":now".into(), AttributeValue::N(change.at().0.to_string()));
            values.insert(":open".into(), AttributeValue::S(OPEN_VALUE.into()));
            (", #next = :now", "#open = :open")
        }
        // An ended row has no next look: the sweep of the session service's table finds it.
        Life::Ended => {
            names.insert("#id".into(), SESSION_ID.into());
            ("", "attribute_exists(#id) AND attribute_not_exists(#open)")
        }
    };
    Ok(Update {
        expression: format!("SET {target} = :order{next}"),
        condition: format!("{stands} AND {exists}"),
        names,
        values,
    })
}

/// Whether the row is still looked at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its phase is not final.
    Open,
    /// Its phase is final.
    Ended,
}

impl Life {
    /// Of this row.
    #[must_use]
    pub fn of(row: &WorkerRow) -> Self {
        if row.phase.is_final() { Self::Ended } else { Self::Open }
    }
}

#[cfg(test)]
mod tests;
