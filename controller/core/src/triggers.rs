//! Any event that Lambda hands us → the sessions to look at. A trigger carries no meaning: it is only a reason to look.
//!
//! | event | becomes |
//! |---|---|
//! | DynamoDB stream batch (`Records`) of the session service's table or of ours | one [`Look`] per record, with its sequence number |
//! | EventBridge `ECS Task State Change` | the session of `detail.startedBy`; one that tells of an end names the task, so that ECS is asked for it |
//! | SQS batch: what a timer was set for ([`Wake`]) | [`Trigger::Woken`] |
//! | EventBridge schedule (`Scheduled Event`), or `{"sweep": true}` | [`Trigger::Sweep`] |
//! | operator: `{"sessionIds": ["…"]}` | those sessions |
//!
//! A MODIFY that changes nothing that the run rule reads (counters, `broadcastState`) is no reason to look. Of our own table's
//! stream (its keys have a `record`) an order and a row that ends are; a heartbeat is not, and the mapping's filter drops it
//! before it costs an invocation.

use schemas::ids::{SessionId, TaskArn, Timestamp, parse_started_by};
use schemas::quote::{cut, quoted};
use schemas::table::workers::{CURRENT, ORDER};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A reason to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// These sessions, in this order.
    Sessions(Vec<Look>),
    /// Every session that is due, and every one that was missed.
    Sweep,
    /// Timers that were set: each session once.
    Woken {
        /// These sessions, each with the time up to which timers may follow.
        sessions: Vec<(SessionId, Timestamp)>,
        /// The queue, if it is among them: after the passes that began then (see [`Wake::Queue`]).
        queue: BTreeSet<Option<Timestamp>>,
    },
}

/// What a timer wakes: the body of its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wake {
    /// These sessions. By `until` a tick has looked at them anyway, so that no further timer is set beyond it.
    Sessions {
        /// Who.
        ids: Vec<SessionId>,
        /// Until when timers may follow.
        until: Timestamp,
    },
    /// The sessions that wait for their turn.
    Queue {
        /// When the last pass over the queue had begun. Another that has begun since has a timer of its own.
        after: Option<Timestamp>,
    },
}

/// One entry of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The session; `Err` says why the entry names none of ours.
    pub session: Result<SessionId, String>,
    /// The record's place in its stream, which a failure is reported by.
    pub sequence: Option<String>,
    /// The task whose end it tells of.
    pub task: Option<TaskArn>,
}

/// An event of another form than any that is wired to the controller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no trigger is known for this event ({0}); expected a DynamoDB stream batch, an ECS task state change, a schedule or {{\"sessionIds\": […]}}"
)]
pub struct UnknownEvent(String);

/// The attributes of a session row that the run rule reads, or that a worker which runs is told of.
const READ_BY_THE_RUN_RULE: [&str; 8] = [
    "kvsChannelArn",
    "kvsStreamArn",
    "status",
    "isActive",
    "expiresAt",
    "sourceLanguage",
    "createdAt",
    "speakerConnectionId",
];

/// The phases that a row ends in, as the table spells them.
const FINAL: [&str; 2] = ["Stopped", "Failed"];

/// Reads an event.
///
/// # Errors
/// [`UnknownEvent`] when nothing of ours sends such an event.
pub fn read(event: &Value) -> Result<Trigger, UnknownEvent> {
    if let Some(records) = event.get("Records").and_then(Value::as_array) {
        if records.iter().any(|record| text(record, "/eventSource") == Some("aws:sqs")) {
            return Ok(read_wakes(records));
        }
        let looks = records.iter().filter(|record| concerns_us(record));
        return Ok(Trigger::Sessions(looks.map(read_record).collect()));
    }
    if let Some(ids) = event.get("sessionIds").and_then(Value::as_array) {
        return Ok(Trigger::Sessions(ids.iter().map(read_id).collect()));
    }
    if event.get("sweep") == Some(&Value::Bool(true)) {
        return Ok(Trigger::Sweep);
    }
    match event.get("detail-type").and_then(Value::as_str) {
        Some("Scheduled Event") => Ok(Trigger::Sweep),
        Some("ECS Task State Change") => Ok(Trigger::Sessions(vec![read_task_event(event)])),
        Some(other) => Err(UnknownEvent(format!("detail-type {}", quoted(other)))),
        None => Err(UnknownEvent(cut(&format!("keys {:?}", event.as_object().map(|o| o.keys().collect::<Vec<_>>()))))),
    }
}

fn read_record(record: &Value) -> Look {
    let sequence = text(record, "/dynamodb/SequenceNumber").map(str::to_owned);
    let session = match text(record, "/dynamodb/Keys/sessionId/S") {
        Some(id) => SessionId::try_new(id).map_err(|e| e.to_string()),
        None => Err("the stream record has no key sessionId".to_owned()),
    };
    Look { session, sequence, task: None }
}

fn read_id(id: &Value) -> Look {
    let session = SessionId::try_new(id.as_str().unwrap_or_default()).map_err(|e| e.to_string());
    Look { session, sequence: None, task: None }
}

/// A body that nobody can read wakes nobody: the next tick does.
fn read_wakes(records: &[Value]) -> Trigger {
    let (mut sessions, mut queue) = (BTreeMap::new(), BTreeSet::new());
    let bodies = records.iter().filter_map(|record| text(record, "/body"));
    for wake in bodies.filter_map(|body| serde_json::from_str(body).ok()) {
        match wake {
            Wake::Sessions { ids, until } => sessions.extend(ids.into_iter().map(|id| (id, until))),
            Wake::Queue { after } => drop(queue.insert(after)),
        }
    }
    Trigger::Woken { sessions: sessions.into_iter().collect(), queue }
}

fn read_task_event(event: &Value) -> Look {
    let session = match text(event, "/detail/startedBy") {
        Some(started_by) => parse_started_by(started_by)
            .map(|(session, _)| session)
            .ok_or_else(|| format!("started by {}", quoted(started_by))),
        None => Err("the task event has no startedBy".to_owned()),
    };
    let detail = |name: &str| text(event, &format!("/detail/{name}"));
    let runs = detail("lastStatus") == Some("RUNNING") && detail("desiredStatus") == Some("RUNNING");
    let task = detail("taskArn").filter(|_| !runs).and_then(|arn| TaskArn::try_new(arn).ok());
    Look { session, sequence: None, task }
}

fn concerns_us(record: &Value) -> bool {
    if let Some(key) = text(record, "/dynamodb/Keys/record/S") {
        return concerns_a_row_of_ours(record, key);
    }
    let image = |name: &str| record.pointer("/dynamodb").and_then(|d| d.get(name)).and_then(Value::as_object);
    match (text(record, "/eventName"), image("OldImage"), image("NewImage")) {
        (Some("MODIFY"), Some(old), Some(new)) => READ_BY_THE_RUN_RULE.iter().any(|key| old.get(*key) != new.get(*key)),
        _ => true,
    }
}

/// A record of our own table. What stands in it is the worker's, an operator's or our own doing.
fn concerns_a_row_of_ours(record: &Value, key: &str) -> bool {
    let is_new = text(record, "/eventName") == Some("INSERT");
    if key.starts_with(ORDER) {
        return is_new;
    }
    let phase = |image: &str| text(record, &format!("/dynamodb/{image}/phase/S"));
    key == CURRENT && phase("NewImage").is_some_and(|now| FINAL.contains(&now) && phase("OldImage") != Some(now))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::session::{SessionRecord, read_session};
    use serde_json::json;

    fn record(name: &str, sequence: &str, old: Value, new: Value) -> Value {
        json!({"eventName": name, "dynamodb": {
            "Keys": {"sessionId": {"S": "calm-river-123"}}, "SequenceNumber": sequence, "OldImage": old, "NewImage": new}})
    }
    fn sessions(event: &Value) -> Vec<Look> {
        match read(event) {
            Ok(Trigger::Sessions(looks)) => looks,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stream_batch_names_its_sessions_with_their_sequence_numbers() {
        let active = json!({"status": {"S": "active"}});
        let ended = json!({"status": {"S": "ended"}});
        let event = json!({"Records": [
            record("INSERT", "1", Value::Null, active.clone()),
            record("MODIFY", "2", active, ended.clone()),
            record("REMOVE", "3", ended, Value::Null),
        ]});
        let looks = sessions(&event);
        assert_eq!(looks.iter().filter_map(|l| l.sequence.as_deref()).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert!(looks.iter().all(|l| l.session.as_ref().is_ok_and(|id| id.as_str() == "calm-river-123")));
    }

    #[test]
    fn a_modify_that_only_counts_listeners_is_no_reason_to_look() {
        let old = json!({"status": {"S": "active"}, "listenerCount": {"N": "1"}});
        let new = json!({"status": {"S": "active"}, "listenerCount": {"N": "2"}});
        assert_eq!(sessions(&json!({"Records": [record("MODIFY", "1", old, new)]})), []);
    }

    #[test]
    fn a_speaker_who_connects_anew_is_a_reason_to_look() {
        let image = |connection: &str| json!({"status": {"S": "active"}, "speakerConnectionId": {"S": connection}});
        assert_eq!(sessions(&json!({"Records": [record("MODIFY", "1", image("a="), image("b="))]})).len(), 1);
    }

    #[test]
    fn an_order_and_the_end_of_a_row_are_reasons_to_look_and_a_heartbeat_is_none() {
        let of_ours = |name: &str, key: &str, old: &str, new: &str| {
            let image = |phase: &str| if phase.is_empty() { Value::Null } else { json!({"phase": {"S": phase}}) };
            let mut record = record(name, "1", image(old), image(new));
            record["dynamodb"]["Keys"]["record"] = json!({"S": key});
            sessions(&json!({"Records": [record]})).len()
        };
        assert_eq!(of_ours("INSERT", "wish#001800000000000", "", ""), 1);
        assert_eq!(of_ours("MODIFY", "current", "Live", "Stopped"), 1, "the worker ended by itself");
        assert_eq!(of_ours("MODIFY", "current", "Queued", "Failed"), 1);
        assert_eq!(of_ours("INSERT", "current", "", "Failed"), 1, "refused at first sight");
        for (name, key, old, new) in [
            ("REMOVE", "wish#001800000000000", "", ""),
            ("MODIFY", "current", "Live", "Live"),
            ("MODIFY", "current", "Stopped", "Stopped"),
            ("MODIFY", "current", "Stopped", "Launching"),
            ("REMOVE", "current", "Stopped", ""),
            ("INSERT", "decision", "", ""),
            ("INSERT", "generation#00000001", "", "Failed"),
        ] {
            assert_eq!(of_ours(name, key, old, new), 0, "{name} {key} {old} {new}");
        }
    }

    #[test]
    fn a_record_that_names_no_session_of_ours_keeps_its_place_and_says_why() {
        let mut odd = record("INSERT", "7", Value::Null, json!({}));
        odd["dynamodb"]["Keys"] = json!({"sessionId": {"S": "no spaces allowed"}});
        let looks = sessions(&json!({"Records": [odd]}));
        assert!(looks[0].session.is_err());
        assert_eq!(looks[0].sequence.as_deref(), Some("7"));
    }

    #[test]
    fn a_task_event_finds_its_session_by_started_by() {
        let event = json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {"startedBy": "calm-river-123/4"}});
        assert_eq!(sessions(&event)[0].session.as_ref().unwrap().as_str(), "calm-river-123");
        let foreign = json!({"detail-type": "ECS Task State Change", "detail": {"startedBy": "ecs-svc/1"}});
        assert!(sessions(&foreign)[0].session.is_ok(), "another service's task is looked up and found to be nothing");
        let nobody = json!({"detail-type": "ECS Task State Change", "detail": {}});
        assert!(sessions(&nobody)[0].session.is_err());
    }

    #[test]
    fn the_schedule_and_the_operator_are_triggers_like_any_other() {
        assert_eq!(read(&json!({"source": "aws.events", "detail-type": "Scheduled Event"})), Ok(Trigger::Sweep));
        assert_eq!(read(&json!({"sweep": true})), Ok(Trigger::Sweep));
        assert_eq!(sessions(&json!({"sessionIds": ["a-b-1", ""]})).len(), 2);
        assert!(read(&json!({"hello": 1})).is_err());
        assert!(read(&json!([])).is_err());
    }

    #[test]
    fn a_task_event_names_its_task_unless_it_only_runs() {
        let arn = "arn:aws:ecs:us-east-1:123456789012:task/workers/abc";
        let named = |last: &str, desired: &str| {
            let detail = json!({"startedBy": "a-b-1/1", "taskArn": arn, "lastStatus": last, "desiredStatus": desired});
            let event = json!({"detail-type": "ECS Task State Change", "detail": detail});
            sessions(&event)[0].task.as_ref().map(ToString::to_string)
        };
        assert_eq!(named("RUNNING", "RUNNING"), None);
        assert_eq!(named("RUNNING", "STOPPED").as_deref(), Some(arn), "its end is decided");
        assert_eq!(named("STOPPED", "STOPPED").as_deref(), Some(arn));
    }

    #[test]
    fn a_batch_of_timers_wakes_each_session_once_and_what_nobody_can_read_wakes_nobody() {
        let id = |n: usize| SessionId::try_new(format!("a-b-{n}")).unwrap();
        let until = Timestamp(7);
        let message = |body: String| json!({"eventSource": "aws:sqs", "messageId": "1", "body": body});
        let wake = |wake: &Wake| message(serde_json::to_string(wake).unwrap());
        let one = Wake::Sessions { ids: vec![id(1), id(2)], until };
        let two = Wake::Sessions { ids: vec![id(2), id(3)], until };
        let event = json!({"Records": [wake(&one), wake(&two), message("hello".into())]});
        let sessions = (1..=3).map(|n| (id(n), until)).collect();
        assert_eq!(read(&event), Ok(Trigger::Woken { sessions, queue: BTreeSet::new() }));
        let [first, next] = [None, Some(until)].map(|after| wake(&Wake::Queue { after }));
        let queue = [None, Some(until)].into_iter().collect();
        let passes = read(&json!({"Records": [first, next.clone(), next]}));
        assert_eq!(passes, Ok(Trigger::Woken { sessions: vec![], queue }));
    }

    /// An image as the row that it shows; the kinds of value that rows of the Sessions table have.
    fn row_of(image: &Value) -> serde_json::Map<String, Value> {
        let plain = |value: &Value| match value.as_object().and_then(|typed| typed.iter().next()) {
            Some((kind, text)) if kind == "N" => text.as_str().and_then(|n| n.parse::<i64>().ok()).into(),
            Some((_, inner)) => inner.clone(),
            None => Value::Null,
        };
        image.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), plain(value))).collect()
    }

    #[test]
    fn what_the_mapping_drops_is_no_run_before_and_none_after() {
        let golden = include_str!("../../../infra/test/fixtures/session-records.json");
        let cases: Vec<Value> = serde_json::from_str(golden).unwrap();
        let is_run = |image: &Value| {
            let row = row_of(image);
            !row.is_empty() && !matches!(read_session(&row), SessionRecord::Ignored { .. })
        };
        let (mut dropped, mut runs) = (0, 0);
        for case in &cases {
            let record = &case["record"];
            let images = [&record["dynamodb"]["OldImage"], &record["dynamodb"]["NewImage"]];
            assert_eq!(sessions(&json!({"Records": [record]})).iter().filter(|l| l.session.is_err()).count(), 0);
            if case["wakes"] == false {
                dropped += 1;
                assert!(!images.into_iter().any(is_run), "{}: dropped, and it is a run", case["what"]);
            } else {
                runs += usize::from(images.into_iter().any(is_run));
            }
        }
        assert!(dropped >= 8 && runs >= 12, "{dropped} dropped, {runs} runs");
    }

    proptest! {
        #[test]
        fn any_record_is_read_without_a_panic(name in ".*", key in ".*", n in any::<i64>()) {
            let event = json!({"Records": [{"eventName": name, "dynamodb": {"Keys": {"sessionId": {"S": key}}, "SequenceNumber": n}}, n, null]});
            prop_assert!(read(&event).is_ok());
        }
    }
}
