//! The rows that are not final, by the index that the deployed stack has: its keys, then the rows by the hundred.

use super::Item;
use crate::aws::Aws;
use crate::error::{CtlError, refused};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use controller_core::batch;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schemas::table::workers::{BY_DUE, BY_SHARD, OPEN, OPEN_VALUE, RECORD, SESSION_ID, SHARD, open_shards};
use std::collections::HashMap;
use std::time::Duration;

/// Queries, and calls for a hundred rows, that are under way at the same time.
const AT_ONCE: usize = 8;

/// The current row of every session that is open.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read.
pub(super) async fn items(aws: &Aws, table: &str) -> Result<Vec<Item>, CtlError> {
    let shards = open_shards().map(|shard| by(aws, table, BY_SHARD, (SHARD, shard)));
    let found: Result<Vec<Vec<Item>>, Failed> =
        stream::iter(shards.map(all)).buffer_unordered(AT_ONCE).try_collect().await;
    let failed = |e| refused(&format!("read the table {table}"), &aws.place, &e);
    match found {
        Ok(keys) => rows(aws, table, keys.into_iter().flatten().filter_map(key).collect()).await,
        // A stack of an older release, or one whose config still says `openIndex: old`.
        Err(error) if lacks_index(&error) => {
            all(by(aws, table, BY_DUE, (OPEN, OPEN_VALUE.to_owned()))).await.map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

type Failed = aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::query::QueryError>;

fn by(aws: &Aws, table: &str, index: &str, (name, value): (&str, String)) -> QueryFluentBuilder {
    let query = aws.dynamodb.query().table_name(table).index_name(index).key_condition_expression("#key = :key");
    query.expression_attribute_names("#key", name).expression_attribute_values(":key", AttributeValue::S(value))
}

async fn all(query: QueryFluentBuilder) -> Result<Vec<Item>, Failed> {
    let mut pages = query.into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item?);
    }
    Ok(items)
}

fn lacks_index(error: &Failed) -> bool {
    error.code() == Some("ValidationException") && error.message().is_some_and(|said| said.contains(BY_SHARD))
}

/// Of what the index says of a row, its key.
fn key(mut item: Item) -> Option<Item> {
    Some(HashMap::from([item.remove_entry(SESSION_ID)?, item.remove_entry(RECORD)?]))
}

async fn rows(aws: &Aws, table: &str, mut keys: Vec<Item>) -> Result<Vec<Item>, CtlError> {
    let mut hundreds = Vec::new();
    while !keys.is_empty() {
        let rest = keys.split_off(keys.len().min(batch::MOST_KEYS));
        hundreds.push(std::mem::replace(&mut keys, rest));
    }
    let calls = hundreds.into_iter().map(|keys| hundred(aws, table, keys));
    let found: Vec<Vec<Item>> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
    // A row that has ended since the index was read is no open one.
    Ok(found.into_iter().flatten().filter(|item| item.contains_key(OPEN)).collect())
}

/// The rows of these keys, and what DynamoDB leaves of them again: later, and not for ever.
async fn hundred(aws: &Aws, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, CtlError> {
    let doing = format!("read rows of the table {table}");
    let asked = KeysAndAttributes::builder().set_keys(Some(keys)).build();
    let asked = asked.map_err(|e| CtlError::Refused(format!("{doing}: {e}")))?;
    let (mut asked, mut found) = (Some(HashMap::from([(table.to_owned(), asked)])), Vec::new());
    for tries in 0.. {
        let answer = aws.dynamodb.batch_get_item().set_request_items(asked).send().await;
        let answer = answer.map_err(|e| refused(&doing, &aws.place, &e))?;
        found.extend(answer.responses.unwrap_or_default().into_values().flatten());
        asked = answer.unprocessed_keys.filter(|left| !left.is_empty());
        let Some(left) = &asked else { break };
        let Some(pause_ms) = batch::pause_ms(tries, fastrand::u64(..)) else {
            let rows = left.values().map(|keys| keys.keys().len()).sum();
            return Err(CtlError::Refused(format!("{doing}: {}", batch::left(rows))));
        };
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    Ok(found)
}
