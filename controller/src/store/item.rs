//! Items of DynamoDB ↔ our types.

use aws_sdk_dynamodb::types::AttributeValue;
use controller_core::model::Strike;
use schemas::ids::{TaskArn, Timestamp};
use schemas::table::{sessions, workers};
use schemas::worker::WorkerRow;
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// An item.
pub(super) type Item = HashMap<String, AttributeValue>;

/// A final row and a history row are kept for so long, ms.
const KEEP_MS: i64 = 30 * 24 * 3_600_000;

/// The attributes of a session row that are ours to read, as JSON: scalars, and maps of scalars (`captionOptions`). Sets, binaries
/// and whatever else stands there are left out.
pub(super) fn session_attributes(item: &Item) -> Map<String, Value> {
    let known = sessions::READ.iter().filter_map(|key| Some(((*key).to_owned(), plain(item.get(*key)?)?)));
    known.collect()
}

fn plain(value: &AttributeValue) -> Option<Value> {
    let Ok(map) = value.as_m() else { return scalar(value) };
    Some(Value::Object(map.iter().filter_map(|(key, value)| Some((key.clone(), scalar(value)?))).collect()))
}

fn scalar(value: &AttributeValue) -> Option<Value> {
    if let Ok(text) = value.as_s() {
        return Some(Value::String(text.clone()));
    }
    if let Ok(number) = value.as_n() {
        let parsed = number.parse::<i64>().map(Number::from).ok();
        let parsed = parsed.or_else(|| number.parse::<f64>().ok().and_then(Number::from_f64));
        return Some(parsed.map_or_else(|| Value::String(number.clone()), Value::Number));
    }
    value.as_bool().ok().copied().map(Value::Bool)
}

/// The row of an item.
pub(super) fn row(item: Item) -> Result<WorkerRow, String> {
    serde_dynamo::from_item(item).map_err(|e| e.to_string())
}

/// The item of a row, without attributes that say nothing (an index key must not be NULL).
pub(super) fn of_row(row: &WorkerRow) -> Result<Item, String> {
    let mut item: Item = serde_dynamo::to_item(row).map_err(|e| e.to_string())?;
    item.retain(|_, value| !value.is_null());
    Ok(item)
}

/// The item that a generation leaves behind.
pub(super) fn history(row: &WorkerRow, now: Timestamp) -> Result<Item, String> {
    let mut item = of_row(row)?;
    item.remove(workers::NEXT_LOOK_AT);
    item.insert(workers::RECORD.into(), AttributeValue::S(workers::history(row.generation)));
    item.insert(workers::TTL.into(), ttl(now));
    Ok(item)
}

/// The mark on a stray.
pub(super) fn strike(item: &Item) -> Option<Strike> {
    let arn = item.get(workers::RECORD)?.as_s().ok()?.strip_prefix(workers::STRIKE)?;
    let at = item.get(workers::STRUCK_AT)?.as_n().ok()?.parse().ok()?;
    Some(Strike { arn: TaskArn::try_new(arn).ok()?, at: Timestamp(at) })
}

/// When a row that is written now may be forgotten, epoch seconds.
pub(super) fn ttl(now: Timestamp) -> AttributeValue {
    AttributeValue::N((now.plus_ms(KEEP_MS).0 / 1_000).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::session::{SessionRecord, read_session};

    #[test]
    fn what_a_session_asks_of_its_captions_is_read_with_its_row() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let stream = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/session-a-b-123/1700000000000";
        let nested = AttributeValue::M(HashMap::from([("deep".to_owned(), text("lost"))]));
        let options = [
            ("terminology", text("church")),
            ("chunkMs", AttributeValue::N("50".to_owned())),
            ("brevity", AttributeValue::Bool(true)),
            ("vocabulary", nested),
        ];
        let options = options.map(|(key, value)| (key.to_owned(), value)).into();
        let item = [
            ("sessionId", text("a-b-123")),
            ("status", text("active")),
            ("sourceLanguage", text("en")),
            ("kvsStreamArn", text(stream)),
            ("expiresAt", AttributeValue::N("1900000000".to_owned())),
            ("captionOptions", AttributeValue::M(options)),
            ("speakerId", text("nobody's business")),
        ];
        let item: Item = item.map(|(key, value)| (key.to_owned(), value)).into();
        let read = session_attributes(&item);
        assert!(!read.contains_key("speakerId"));
        let SessionRecord::Session(row) = read_session(&read) else { panic!("{read:?}") };
        let options: Vec<(&str, &str)> = row.options.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        assert_eq!(options, [("brevity", "on"), ("chunkMs", "50"), ("terminology", "church")]);
    }
}
