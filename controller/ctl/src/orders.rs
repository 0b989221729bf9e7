//! Operators' wishes: desired state in the row, never a direct side effect. Pure: what is written, and what it means for a row.
//!
//! Only the section `operator` and the time of the next look are written, on the condition that the row stands and has not
//! ended (or begun again) in the meantime; so nothing that the controller or the worker writes at the same moment is undone.

use crate::text::{age, duration, utc};
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::Timestamp;
use schemas::operator::{Hold, Operator, Order, Signed, Verb};
use schemas::table::workers::{NEXT_LOOK_AT, OPEN, OPEN_VALUE, SESSION_ID};
use schemas::worker::{Desired, Phase, WorkerRow};
use std::collections::HashMap;

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
        Self::Order(Order { verb, signed })
    }

    /// The same wish, signed then; a hold lasts as long as before.
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

    /// The section with this wish alone, as an attribute.
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
            values.insert(":wish".into(), change.value()?);
            ("#operator.#part", "attribute_exists(#operator)")
        }
        Section::Absent => {
            values.insert(":wish".into(), serde_dynamo::to_attribute_value(change.section())?);
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
        expression: format!("SET {target} = :wish{next}"),
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

/// The hold that is in force.
#[must_use]
pub fn held(row: &WorkerRow, now: Timestamp) -> Option<&Hold> {
    row.operator.hold.as_ref().filter(|hold| hold.until > now)
}

/// What has become of the last order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has acted on it yet.
    Pending,
    /// The worker is asked to end because of it.
    UnderWay,
    /// A later decision satisfies it.
    Done,
}

/// What has become of this order, by the controller's own rules: a stop is done by a final phase or a newer run, a
/// replacement by a newer generation. A restart of an ended session waits to be begun again.
#[must_use]
pub fn fate(row: &WorkerRow, order: &Order) -> Fate {
    let ended = row.phase.is_final();
    let asked = row.phase == Phase::Draining || row.intent.as_ref().is_some_and(|i| i.desired == Desired::Stop);
    let run = row.intent.as_ref().map(|intent| intent.wanted_since.unwrap_or(intent.decided_at));
    let done = match order.verb {
        Verb::Stop => ended || run.is_some_and(|since| since > order.signed.at),
        Verb::Restart => decided(row) >= order.signed.at || (ended && order.signed.at <= row.phase_since),
        Verb::Drain => ended || decided(row) >= order.signed.at,
    };
    if done {
        Fate::Done
    } else if asked && !ended {
        Fate::UnderWay
    } else {
        Fate::Pending
    }
}

/// When the generation was decided; a row without an intent has had none.
fn decided(row: &WorkerRow) -> Timestamp {
    row.intent.as_ref().map_or(Timestamp(0), |intent| intent.decided_at)
}

/// When a wish for this row is signed: never before the generation that it is meant for, whatever this clock says.
#[must_use]
pub fn signed_at(row: &WorkerRow, now: Timestamp) -> Timestamp {
    now.max(decided(row).plus_ms(1))
}

/// The last order, while it is not carried out.
#[must_use]
pub fn pending(row: &WorkerRow) -> Option<(&Order, Fate)> {
    let order = row.operator.order.as_ref()?;
    Some((order, fate(row, order))).filter(|(_, fate)| *fate != Fate::Done)
}

/// The verb as it is typed.
#[must_use]
pub fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Drain => "drain",
    }
}

/// Marks for a table: `held 1h59m`, `stop pending 4s`.
#[must_use]
pub fn marks(row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(hold) = held(row, now).filter(|_| !row.phase.is_final()) {
        marks.push(format!("held for {} by {}{}", duration(hold.until.since(now)), hold.signed.by, note(&hold.signed)));
    }
    if let Some((order, fate)) = pending(row) {
        let state = match fate {
            Fate::Pending => "pending",
            Fate::UnderWay => "under way",
            Fate::Done => "done",
        };
        let signed = &order.signed;
        marks.push(format!(
            "{} {state} since {}, by {}{}",
            verb(order.verb),
            age(signed.at, now),
            signed.by,
            note(signed)
        ));
    }
    marks
}

/// ` ("the note")`, or nothing.
#[must_use]
pub fn note(signed: &Signed) -> String {
    if signed.note.is_empty() { String::new() } else { format!(" ({:?})", signed.note) }
}

/// The whole section, one sentence per line, past wishes too.
#[must_use]
pub fn sentences(row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(hold) = &row.operator.hold {
        let signed = &hold.signed;
        let (when, by, note) = (utc(signed.at), &signed.by, note(signed));
        said.push(if hold.until <= signed.at {
            format!("released {when} by {by}{note}")
        } else if hold.until > now {
            format!(
                "held since {when} by {by}{note}, until {} ({} left)",
                utc(hold.until),
                duration(hold.until.since(now))
            )
        } else {
            format!("was held from {when} to {} by {by}{note}", utc(hold.until))
        });
    }
    if let Some(order) = &row.operator.order {
        let signed = &order.signed;
        let state = match fate(row, order) {
            Fate::Pending => "not acted on yet",
            Fate::UnderWay => "under way",
            Fate::Done => "done",
        };
        said.push(format!("{} ordered {} by {}{}: {state}", verb(order.verb), utc(signed.at), signed.by, note(signed)));
    }
    said
}

/// When the wish of a record was signed.
#[must_use]
pub fn signed_when(wish: &Operator) -> Option<Timestamp> {
    let hold = wish.hold.as_ref().map(|hold| hold.signed.at);
    hold.max(wish.order.as_ref().map(|order| order.signed.at))
}

/// The wishes that the row no longer knows, a sentence each: a release takes the place of its hold there, an order that of
/// the one before.
#[must_use]
pub fn past(row: &WorkerRow, wishes: &[Operator]) -> Vec<String> {
    let mut said = Vec::new();
    for wish in wishes {
        if let Some(hold) = wish.hold.as_ref().filter(|hold| row.operator.hold.as_ref() != Some(*hold)) {
            let (when, by, note) = (utc(hold.signed.at), &hold.signed.by, note(&hold.signed));
            said.push(if hold.until <= hold.signed.at {
                format!("released {when} by {by}{note}")
            } else {
                format!("hold ordered {when} by {by}{note}, until {}", utc(hold.until))
            });
        }
        if let Some(order) = wish.order.as_ref().filter(|order| row.operator.order.as_ref() != Some(*order)) {
            let signed = &order.signed;
            said.push(format!("{} ordered {} by {}{}", verb(order.verb), utc(signed.at), signed.by, note(signed)));
        }
    }
    said
}

/// What happens next, for the person who has just given the order.
#[must_use]
pub fn forecast(row: &WorkerRow, change: &Change, now: Timestamp) -> String {
    let looks = "The controller looks at once, within 60 s at the latest,";
    let instead = match pending(row) {
        Some((order, _)) if order.verb == Verb::Stop => {
            format!(" It takes the place of the stop of {}.", order.signed.by)
        }
        Some(_) | None => String::new(),
    };
    let hold = held(row, now);
    match change {
        Change::Hold(new) if new.until <= new.signed.at => match hold {
            Some(_) => format!("{looks} and then it may stop or replace the worker again."),
            None => "It was not held; nothing changes.".to_owned(),
        },
        Change::Hold(new) => format!(
            "Until {} no plan stops or replaces its worker; if the worker ends by itself, the next one follows. The hold ends by itself.",
            utc(new.until)
        ),
        Change::Order(_) if hold.is_some() => format!(
            "It is held{}: the order waits until the hold ends or `sessionctl release {}`.",
            hold.map(|h| format!(" by {} for another {}", h.signed.by, duration(h.until.since(now))))
                .unwrap_or_default(),
            row.session_id
        ),
        Change::Order(order) => match order.verb {
            Verb::Stop => format!(
                "{looks} and asks the worker to end; it flushes the last words, tells the listeners and exits (60 s at most). The run stays ended."
            ),
            Verb::Restart if row.phase.is_final() => {
                format!("{looks} and begins the run again, if the session's own row still wants it.")
            }
            Verb::Restart => {
                format!(
                    "{looks} and lets the worker hand over at once; captions pause for the time of a launch.{instead}"
                )
            }
            Verb::Drain => format!(
                "{looks} and the worker is replaced at a silence of the speaker, or when the drain deadline has passed."
            ),
        },
    }
}

/// Why this row cannot take the wish. A drain never takes the place of a stop or a restart, which ask for more; a restart
/// may take the place of a stop, and is how one is called back.
#[must_use]
pub fn refusal(row: &WorkerRow, change: &Change) -> Option<String> {
    let ended = row.phase.is_final();
    let given = pending(row).map(|(order, _)| order);
    match change {
        Change::Hold(_) => ended.then(|| "there is no worker to hold".to_owned()),
        Change::Order(order) => match order.verb {
            Verb::Stop => ended.then(|| "there is nothing to stop".to_owned()),
            Verb::Restart => None,
            Verb::Drain if ended => Some("there is no worker to replace".to_owned()),
            Verb::Drain => given
                .filter(|given| given.verb != Verb::Drain)
                .map(|given| format!("the {} of {} asks for more than a drain", verb(given.verb), given.signed.by)),
        },
    }
}

/// `blessed-shepherd-123: stop ordered by alice ("note"). What happens next.`
#[must_use]
pub fn receipt(row: &WorkerRow, change: &Change, now: Timestamp) -> String {
    let (what, signed) = match change {
        Change::Hold(hold) if hold.until <= hold.signed.at => ("released".to_owned(), &hold.signed),
        Change::Hold(hold) => (format!("held for {}", duration(hold.until.since(hold.signed.at))), &hold.signed),
        Change::Order(order) => (format!("{} ordered", verb(order.verb)), &order.signed),
    };
    format!("{}: {what} by {}{}. {}", row.session_id, signed.by, note(signed), forecast(row, change, now))
}

/// What a stop would end: `a-b-001 is Live since 7s, 2 listener(s)`.
#[must_use]
pub fn stakes(row: &WorkerRow, now: Timestamp) -> String {
    let listeners: u32 = row.worker.iter().flat_map(|w| w.languages.values()).map(|l| l.listeners).sum();
    let held =
        held(row, now).map_or_else(String::new, |hold| format!(", held by {}{}", hold.signed.by, note(&hold.signed)));
    format!("{} is {:?} since {}, {listeners} listener(s){held}", row.session_id, row.phase, age(row.phase_since, now))
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not done; the words change with each step.
    Waiting(String),
    /// Done.
    Done(String),
    /// It will not be done.
    Otherwise(String),
}

/// Compares the row with the order that somebody waits for.
#[must_use]
pub fn outcome(row: &WorkerRow, order: &Order, now: Timestamp) -> Outcome {
    if let Some(other) =
        row.operator.order.as_ref().filter(|other| *other != order && other.signed.at >= order.signed.at)
    {
        return Outcome::Otherwise(format!("{} of {} took its place", verb(other.verb), other.signed.by));
    }
    let replaced = decided(row) >= order.signed.at;
    let state = format!("generation {} is {:?}: {}", row.generation, row.phase, row.why.text);
    let ended = row.phase.is_final();
    let works = matches!(row.phase, Phase::WaitingForSpeaker | Phase::Live | Phase::Paused);
    match order.verb {
        Verb::Stop if ended => Outcome::Done(state),
        Verb::Restart | Verb::Drain if ended && fate(row, order) == Fate::Done => Outcome::Otherwise(state),
        Verb::Restart | Verb::Drain if replaced && works => Outcome::Done(state),
        Verb::Stop | Verb::Restart | Verb::Drain => match held(row, now) {
            Some(hold) => Outcome::Waiting(format!("{state} (held by {} until {})", hold.signed.by, utc(hold.until))),
            None => Outcome::Waiting(state),
        },
    }
}

#[cfg(test)]
mod tests;
