//! What the table holds of sessions, as it is read.

use crate::orders::{self, OPERATOR, Section};
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::operator::Operator;
use schemas::table::workers;
use schemas::worker::{Step, WorkerRow};
use std::collections::HashMap;

/// How the sort keys of all history rows begin.
pub(super) const GENERATION: &str = "generation#";

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A row of ours.
    Row(Box<WorkerRow>),
    /// Something that this version cannot read.
    Unreadable {
        /// The partition key.
        session: String,
        /// The sort key.
        record: String,
        /// What is wrong.
        problem: String,
    },
}

impl Record {
    /// The row, when it could be read.
    #[must_use]
    pub fn row(&self) -> Option<&WorkerRow> {
        match self {
            Self::Row(row) => Some(row),
            Self::Unreadable { .. } => None,
        }
    }
}

/// An item of the table.
pub type Item = HashMap<String, AttributeValue>;

/// Reads an item.
#[must_use]
pub fn read_item(item: Item) -> Record {
    let key = |name: &str| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
    let (session, record) = (key(workers::SESSION_ID), key(workers::RECORD));
    match serde_dynamo::from_item(item) {
        Ok(row) => Record::Row(Box::new(row)),
        Err(e) => Record::Unreadable { session, record, problem: e.to_string() },
    }
}

/// Everything that the table holds of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The current row.
    pub current: Record,
    /// Whether it has an operator's section.
    pub section: Section,
    /// Its earlier generations, newest first.
    pub earlier: Vec<Record>,
    /// The last noteworthy decision, as JSON.
    pub decision: Option<String>,
    /// The phases that its generations went through, in their order.
    pub steps: Vec<Step>,
    /// What operators ordered, in its order: the row keeps only the last hold and the last order.
    pub orders: Vec<Operator>,
}

impl Kept {
    /// Sorts the items of one session; `None` when none of them is the current row.
    #[must_use]
    pub fn of(items: Vec<Item>) -> Option<Self> {
        let key = |item: &Item| item.get(workers::RECORD).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
        let (mut current, mut decision, mut earlier) = (None, None, Vec::new());
        let (mut steps, mut orders): (Vec<Step>, Vec<Operator>) = (Vec::new(), Vec::new());
        for item in items {
            match key(&item).as_str() {
                workers::CURRENT => current = Some(item),
                workers::DECISION => {
                    decision = item.get(workers::DECISION_JSON).and_then(|v| v.as_s().ok()).cloned();
                }
                other if other.starts_with(GENERATION) => earlier.push(item),
                // Of another version: the timeline is as complete as it can be read.
                other if other.starts_with(workers::STEP) => steps.extend(serde_dynamo::from_item(item).ok()),
                other if other.starts_with(workers::ORDER) => {
                    let section = item.get(OPERATOR).cloned();
                    orders.extend(section.and_then(|section| serde_dynamo::from_attribute_value(section).ok()));
                }
                _ => {} // Marks of stray tasks, and whatever later versions keep.
            }
        }
        // The numbers have leading zeros: sort keys rise with them.
        earlier.sort_by_key(|item| std::cmp::Reverse(key(item)));
        steps.sort_by_key(|step| (step.generation, step.at));
        orders.sort_by_key(orders::signed_when);
        let current = current?;
        let section = match current.get(OPERATOR) {
            Some(AttributeValue::M(_)) => Section::Present,
            Some(_) | None => Section::Absent,
        };
        let earlier = earlier.into_iter().map(read_item).collect();
        Some(Self { current: read_item(current), section, earlier, decision, steps, orders })
    }

    /// The current row, then the earlier ones.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        std::iter::once(&self.current).chain(&self.earlier)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "kept_tests.rs"]
mod tests;
