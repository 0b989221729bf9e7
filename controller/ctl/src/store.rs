//! The rows of `SessionWorkers-{env}`. A row that this version cannot read is shown as such, never hidden.

use crate::aws::Aws;
use crate::error::{CtlError, refused};
use crate::orders::{self, OPERATOR};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::{SessionId, Timestamp};
use schemas::session::{SessionRecord, read_session};
use schemas::table::{sessions, workers};
use serde_json::{Map, Value};

mod kept;
mod open;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod samples;
pub mod versions;

use kept::GENERATION;
pub use kept::{Item, Kept, Record, read_item};

/// Which rows a list needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that are not final: queries of the index and what they find by the hundred, however many have ended.
    Open,
    /// The current row of every session.
    Current,
    /// The current rows and the kept generations.
    All,
}

/// Rows of every session, by session id; earlier generations after the current row, newest first.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read.
pub async fn rows(aws: &Aws, which: Which) -> Result<Vec<Record>, CtlError> {
    let table = aws.workers_table();
    let failed = |e| refused(&format!("read the table {table}"), &aws.place, &e);
    let mut items: Vec<Item> = match which {
        Which::Open => open::items(aws, &table).await?,
        Which::Current | Which::All => {
            let scan = aws
                .dynamodb
                .scan()
                .table_name(&table)
                .expression_attribute_names("#record", workers::RECORD)
                .expression_attribute_values(":current", AttributeValue::S(workers::CURRENT.into()));
            let scan = if which == Which::All {
                scan.filter_expression("#record = :current OR begins_with(#record, :generation)")
                    .expression_attribute_values(":generation", AttributeValue::S(GENERATION.into()))
            } else {
                scan.filter_expression("#record = :current")
            };
            let mut pages = scan.into_paginator().items().send();
            let mut items = Vec::new();
            while let Some(item) = pages.next().await {
                items.push(item.map_err(failed)?);
            }
            items
        }
    };
    let key = |item: &Item, name: &str| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
    items.sort_by_cached_key(|item| {
        let record = key(item, workers::RECORD);
        (key(item, workers::SESSION_ID), record != workers::CURRENT, std::cmp::Reverse(record))
    });
    Ok(items.into_iter().map(read_item).collect())
}

/// Everything about one session.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read, [`CtlError::NotFound`] when there is none.
pub async fn session(aws: &Aws, session: &SessionId) -> Result<Kept, CtlError> {
    let table = aws.workers_table();
    let mut pages = aws
        .dynamodb
        .query()
        .table_name(&table)
        .consistent_read(true)
        .key_condition_expression("#session = :session")
        .expression_attribute_names("#session", workers::SESSION_ID)
        .expression_attribute_values(":session", AttributeValue::S(session.to_string()))
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.map_err(|e| refused(&format!("read the table {table}"), &aws.place, &e))?);
    }
    Kept::of(items).ok_or_else(|| {
        CtlError::NotFound(format!(
            "no row of session {session} in {table} ({}): never seen, or gone by TTL; `sessionctl list` shows what is there",
            aws.place.region
        ))
    })
}

/// What the session service's own row says; `None` when there is none.
///
/// # Errors
/// [`CtlError::Refused`] when their table cannot be read.
pub async fn theirs(aws: &Aws, session: &SessionId) -> Result<Option<SessionRecord>, CtlError> {
    let table = aws.sessions_table();
    let request = aws.dynamodb.get_item().table_name(&table).consistent_read(true);
    let request = request.key(sessions::SESSION_ID, AttributeValue::S(session.to_string()));
    let answer = request.send().await.map_err(|e| refused(&format!("read the table {table}"), &aws.place, &e))?;
    Ok(answer.item.map(|item| {
        // Only what we know: what else stands there need not be readable.
        let known = item.into_iter().filter(|(name, _)| sessions::READ.contains(&name.as_str()));
        let known: Map<String, Value> =
            known.filter_map(|(name, value)| Some((name, serde_dynamo::from_attribute_value(value).ok()?))).collect();
        read_session(&known)
    }))
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordered {
    /// It stands in the row.
    Written,
    /// The row has ended, is gone, or has got its first operator's section in the meantime.
    Moved,
}

/// Writes an order into the current row.
///
/// # Errors
/// [`CtlError::Refused`] when the table refuses it.
pub async fn order(aws: &Aws, session: &SessionId, update: orders::Update) -> Result<Ordered, CtlError> {
    let table = aws.workers_table();
    let request = aws
        .dynamodb
        .update_item()
        .table_name(&table)
        .key(workers::SESSION_ID, AttributeValue::S(session.to_string()))
        .key(workers::RECORD, AttributeValue::S(workers::CURRENT.into()))
        .update_expression(update.expression)
        .condition_expression(update.condition)
        .set_expression_attribute_names(Some(update.names))
        .set_expression_attribute_values(Some(update.values));
    match request.send().await {
        Ok(_) => Ok(Ordered::Written),
        Err(e) if e.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
            Ok(Ordered::Moved)
        }
        Err(e) => Err(refused(&format!("write to the table {table}"), &aws.place, &e)),
    }
}

/// Leaves the record of an order that stands in the row: the trail of who ordered what, and what wakes the controller now. Without
/// it the order is found by the schedule.
///
/// # Errors
/// [`CtlError::Refused`] when the table refuses it.
pub async fn leave_record(aws: &Aws, session: &SessionId, change: &orders::Change) -> Result<(), CtlError> {
    let table = aws.workers_table();
    let unwritable = |e: serde_dynamo::Error| CtlError::Refused(format!("write the order: {e}"));
    let put = aws
        .dynamodb
        .put_item()
        .table_name(&table)
        .item(workers::SESSION_ID, AttributeValue::S(session.to_string()))
        .item(workers::RECORD, AttributeValue::S(workers::order(change.at())))
        .item(OPERATOR, change.as_section().map_err(unwritable)?)
        .item(workers::TTL, AttributeValue::N((change.at().0 / 1_000 + KEEP_S).to_string()));
    put.send().await.map_err(|e| refused(&format!("write to the table {table}"), &aws.place, &e))?;
    Ok(())
}

/// The record of an order is kept for so long, s.
const KEEP_S: i64 = 30 * 86_400;

/// The current row of one session, if there is one that can be read.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read.
pub async fn current_row(aws: &Aws, session: &SessionId) -> Result<Option<Record>, CtlError> {
    let table = aws.workers_table();
    let answer = aws
        .dynamodb
        .get_item()
        .table_name(&table)
        .consistent_read(true)
        .key(workers::SESSION_ID, AttributeValue::S(session.to_string()))
        .key(workers::RECORD, AttributeValue::S(workers::CURRENT.into()))
        .send()
        .await
        .map_err(|e| refused(&format!("read the table {table}"), &aws.place, &e))?;
    Ok(answer.item.map(read_item))
}

/// Wall time now.
#[must_use]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
