//! The rows that somebody must look at, by the index that the deployed stack has.
//!
//! | `OPEN_INDEX` | is read | for |
//! |---|---|---|
//! | `old` | [`BY_DUE`] | a stack that was deployed before [`BY_SHARD`] existed |
//! | `both` | both; [`BY_SHARD`] alone while the old one cannot be read | the way over: the new index stands, the old one is dropped next |
//! | `new` | [`BY_SHARD`] | the rest |
//!
//! **Guarantees.** While [`BY_DUE`] is read, a listing of all open rows gives those of older releases their shard: one complete tick after the
//! new index stands, it holds every open row. A look writes the shard, too.
//!
//! **Cost.** Twenty queries, which read keys alone (about 100 bytes a row: at 10,000 rows 125 read units), four for the queue. What a decision needs
//! of a row is read from the table, by the hundred: half a read unit for each 4 kB of a row.

use super::WorkersTable;
use super::item::Item;
use super::workers::{current_key, key};
use crate::config::OpenIndex;
use crate::ports::{OpenRow, PortError};
use crate::remedy::{Remedy, aws};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use controller_core::batch;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schemas::ids::{SessionId, Timestamp};
use schemas::table::workers::{
    BY_DUE, BY_SHARD, NEXT_LOOK_AT, OPEN, OPEN_VALUE, PHASE, RECORD, SESSION_ID, SHARD, UNTOLD, open_shard,
    open_shards, queued_shards, untold_shards,
};
use schemas::worker::Phase;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Queries, and calls for a hundred rows, that are under way at the same time.
const AT_ONCE: usize = 8;

/// Marks of untold ends that one tick takes at most: it tries them one after another.
const MARKS: usize = 1_000;

/// Which of the open rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those that wait for their turn.
    Queued,
}

fn open_row(item: &Item) -> Option<OpenRow> {
    let session_id = SessionId::try_new(item.get(SESSION_ID)?.as_s().ok()?).ok()?;
    Some(OpenRow { session_id, next_look_at: Timestamp(item.get(NEXT_LOOK_AT)?.as_n().ok()?.parse().ok()?) })
}

impl WorkersTable {
    /// What the index says of these open rows, the most urgent first.
    pub(super) async fn indexed(&self, which: Which) -> Result<Vec<OpenRow>, PortError> {
        let mut rows = match self.index {
            OpenIndex::Old => self.by_old(which).await?,
            OpenIndex::New => self.by_shards(which).await?,
            OpenIndex::Both => {
                let (new, old) = futures_util::join!(self.by_shards(which), self.by_old(which));
                let mut rows = new?;
                rows.extend(old.unwrap_or_else(|error| {
                    tracing::warn!(%error, "the index {BY_DUE} cannot be read: {BY_SHARD} alone is, as after openIndex: new");
                    Vec::new()
                }));
                rows
            }
        };
        let mut known = HashSet::new();
        rows.retain(|row| known.insert(row.session_id.clone()));
        rows.sort_by(|a, b| (a.next_look_at, &a.session_id).cmp(&(b.next_look_at, &b.session_id)));
        Ok(rows)
    }

    async fn by_shards(&self, which: Which) -> Result<Vec<OpenRow>, PortError> {
        let shards: Vec<String> = match which {
            Which::All => open_shards().collect(),
            Which::Queued => queued_shards().collect(),
        };
        let items = self.of_shards(shards, None).await?;
        Ok(items.iter().filter_map(open_row).collect())
    }

    async fn by_old(&self, which: Which) -> Result<Vec<OpenRow>, PortError> {
        let query = self
            .by(BY_DUE, OPEN, OPEN_VALUE.to_owned(), None)
            .projection_expression("#session, #record, #next, #shard, #phase")
            .expression_attribute_names("#session", SESSION_ID)
            .expression_attribute_names("#record", RECORD)
            .expression_attribute_names("#next", NEXT_LOOK_AT)
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_names("#phase", PHASE);
        let items = all(query, "Query of the open rows").await?;
        if which == Which::All {
            self.give_shards(&items).await;
        }
        let rows = items.iter().filter(|item| which == Which::All || phase(item) == Some(Phase::Queued));
        Ok(rows.filter_map(open_row).collect())
    }

    /// The marks of untold ends that are due, the oldest first.
    pub(super) async fn untold_items(&self, until: Timestamp) -> Result<Vec<Item>, PortError> {
        let old = async || all(self.by(BY_DUE, OPEN, UNTOLD.to_owned(), Some(until)), "Query of the untold ends").await;
        let new = async || {
            let mut due = self.of_shards(untold_shards().collect(), Some(until)).await?;
            due.sort_by_key(|item| open_row(item).map(|mark| mark.next_look_at));
            due.truncate(MARKS);
            self.batches(due.iter().filter_map(key_of).collect()).await
        };
        let mut marks = match self.index {
            OpenIndex::Old => old().await?,
            OpenIndex::New => new().await?,
            OpenIndex::Both => {
                let mut marks = new().await?;
                let known: Vec<_> = marks.iter().map(key_of).collect();
                marks.extend(old().await.unwrap_or_default().into_iter().filter(|mark| !known.contains(&key_of(mark))));
                marks
            }
        };
        marks.sort_by_key(|item| open_row(item).map(|mark| mark.next_look_at));
        Ok(marks)
    }

    async fn of_shards(&self, shards: Vec<String>, until: Option<Timestamp>) -> Result<Vec<Item>, PortError> {
        let queries = shards.into_iter().map(|shard| all(self.by(BY_SHARD, SHARD, shard, until), "Query of a shard"));
        let found: Vec<Vec<Item>> = stream::iter(queries).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn by(&self, index: &str, attribute: &str, value: String, until: Option<Timestamp>) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).index_name(index);
        let query = query
            .expression_attribute_names("#key", attribute)
            .expression_attribute_values(":key", AttributeValue::S(value));
        match until {
            Some(at) => query
                .key_condition_expression("#key = :key AND #next <= :until")
                .expression_attribute_names("#next", NEXT_LOOK_AT)
                .expression_attribute_values(":until", AttributeValue::N(at.0.to_string())),
            None => query.key_condition_expression("#key = :key"),
        }
    }

    /// The items of these keys, in no order, not consistently: by the hundred and several at once.
    pub(super) async fn batches(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, PortError> {
        let mut hundreds = Vec::new();
        while !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(batch::MOST_KEYS));
            hundreds.push(std::mem::replace(&mut keys, rest));
        }
        let calls = hundreds.into_iter().map(|keys| self.batch(keys));
        let found: Vec<Vec<Item>> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// One call, and what DynamoDB leaves of it again.
    async fn batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, PortError> {
        const OPERATION: &str = "BatchGetItem on the workers table";
        let asked = KeysAndAttributes::builder().set_keys(Some(keys)).build().map_err(|error| PortError::Aws {
            operation: OPERATION,
            remedy: Remedy::Repair,
            detail: error.to_string(),
        })?;
        let (mut asked, mut found) = (Some(HashMap::from([(self.table.clone(), asked)])), Vec::new());
        for tries in 0.. {
            let answer = self.client.batch_get_item().set_request_items(asked).send().await.map_err(aws(OPERATION))?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            asked = answer.unprocessed_keys.filter(|left| !left.is_empty());
            let Some(left) = &asked else { return Ok(found) };
            let Some(pause_ms) = batch::pause_ms(tries, RandomState::new().hash_one(tries)) else {
                let rows = left.values().map(|keys| keys.keys().len()).sum();
                return Err(PortError::Aws { operation: OPERATION, remedy: Remedy::Wait, detail: batch::left(rows) });
            };
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        Ok(found)
    }

    /// Rows of older releases get the shard that they lack. Best effort: the next listing finds what is left.
    async fn give_shards(&self, items: &[Item]) {
        let lacking = items.iter().filter_map(|item| {
            let (id, phase) = (open_row(item)?.session_id, phase(item)?);
            let shard = AttributeValue::S(open_shard(&id, phase));
            (item.get(SHARD) != Some(&shard)).then_some((id, phase, shard))
        });
        let give = async |(id, phase, shard): (SessionId, Phase, AttributeValue)| {
            let stands = if phase == Phase::Queued { "#phase = :queued" } else { "#phase <> :queued" };
            let update = self.client.update_item().table_name(&self.table).set_key(Some(current_key(&id)));
            let update = update
                .update_expression("SET #shard = :shard")
                .condition_expression(format!("#open = :open AND {stands}"))
                .expression_attribute_names("#shard", SHARD)
                .expression_attribute_names("#open", OPEN)
                .expression_attribute_names("#phase", PHASE)
                .expression_attribute_values(":shard", shard)
                .expression_attribute_values(":queued", AttributeValue::S(format!("{:?}", Phase::Queued)))
                .expression_attribute_values(":open", AttributeValue::S(OPEN_VALUE.into()));
            match update.send().await {
                Ok(_) => true,
                Err(e) if e.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
                    false
                }
                Err(error) => {
                    let error = aws("UpdateItem of a row's shard")(error);
                    tracing::warn!(session = %id, %error, "a row of an older release has no shard yet; the next complete tick tries again");
                    false
                }
            }
        };
        let lacking: Vec<_> = lacking.collect(); // a stream of borrowed closures is not Send
        let given = stream::iter(lacking).map(give).buffer_unordered(AT_ONCE);
        let given = given.filter(|given| std::future::ready(*given)).count().await;
        if given > 0 {
            tracing::info!(given, "rows of an older release have their shard now");
        }
    }
}

/// All pages of a query.
async fn all(query: QueryFluentBuilder, operation: &'static str) -> Result<Vec<Item>, PortError> {
    let mut pages = query.into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.map_err(aws(operation))?);
    }
    Ok(items)
}

/// Of what the index says of a record, its key.
fn key_of(item: &Item) -> Option<Item> {
    Some(key(item.get(SESSION_ID)?.as_s().ok()?, item.get(RECORD)?.as_s().ok()?))
}

fn phase(item: &Item) -> Option<Phase> {
    serde_dynamo::from_attribute_value(item.get(PHASE)?.clone()).ok()
}
