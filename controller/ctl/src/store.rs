//! The rows of `SessionWorkers-{env}`. A row that this version cannot read is shown as such, never hidden.

use crate::aws::Aws;
use crate::error::{CtlError, refused};
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::{SessionId, Timestamp};
use schemas::table::workers;
use schemas::worker::WorkerRow;
use std::collections::HashMap;

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

type Item = HashMap<String, AttributeValue>;

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

/// The current row of every session, by session id.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read.
pub async fn current_rows(aws: &Aws) -> Result<Vec<Record>, CtlError> {
    let table = aws.workers_table();
    let mut pages = aws
        .dynamodb
        .scan()
        .table_name(&table)
        .filter_expression("#record = :current")
        .expression_attribute_names("#record", workers::RECORD)
        .expression_attribute_values(":current", AttributeValue::S(workers::CURRENT.into()))
        .into_paginator()
        .items()
        .send();
    let mut records = Vec::new();
    while let Some(item) = pages.next().await {
        records.push(read_item(item.map_err(|e| refused(&format!("read the table {table}"), &aws.place, &e))?));
    }
    records.sort_by_key(|r| match r {
        Record::Row(row) => row.session_id.to_string(),
        Record::Unreadable { session, .. } => session.clone(),
    });
    Ok(records)
}

/// Every record of one session: the current one first, then its generations, newest first.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read, [`CtlError::NotFound`] when there is none.
pub async fn records_of(aws: &Aws, session: &SessionId) -> Result<Vec<Record>, CtlError> {
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
    // "current" sorts before "generation#…", and those rise.
    let history = items.split_off(items.len().min(1));
    items.extend(history.into_iter().rev());
    if items.is_empty() {
        return Err(CtlError::NotFound(format!(
            "no row of session {session} in {table} ({}): never seen, or gone by TTL; `sessionctl list` shows what is there",
            aws.place.region
        )));
    }
    Ok(items.into_iter().map(read_item).collect())
}

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod samples {
    use schemas::ids::{ChannelArn, Generation, Language, SessionId, TaskArn, Timestamp};
    use schemas::reason::{Cause, Why};
    use schemas::worker::{
        Desired, Intent, LanguageStatus, Media, Phase, Progress, Restarts, Rung, StartUp, TaskFacts, Usage, WorkerRow,
        WorkerStatus,
    };

    /// The time that samples speak of.
    pub(crate) const T0: i64 = 1_800_000_000_000;

    /// A healthy live session, ten seconds old.
    pub(crate) fn row(session: &str) -> WorkerRow {
        let task =
            TaskArn::try_new("arn:aws:ecs:us-east-1:000000000000:task/session-workers-dev/0123456789abcdef").unwrap();
        WorkerRow {
            session_id: SessionId::try_new(session).unwrap(),
            schema: 1,
            revision: 2,
            generation: Generation(1),
            phase: Phase::Live,
            phase_since: Timestamp(T0 + 3_000),
            why: Why::new(Cause::SessionActive, "audio flows", Timestamp(T0 + 3_000)),
            next_look_at: Some(Timestamp(T0 + 60_000)),
            intent: Some(Intent {
                desired: Desired::Run,
                channel_arn: ChannelArn::try_new(
                    "arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-a-b-001/1234567890123",
                )
                .ok(),
                stream_arn: None,
                source_language: Language::try_new("en").unwrap(),
                expires_at: Timestamp(T0 + 86_400_000),
                decided_at: Timestamp(T0),
                wanted_since: None,
                task_definition: None,
            }),
            task: Some(TaskFacts {
                arn: task.clone(),
                last_status: "RUNNING".into(),
                launched_at: Timestamp(T0 + 200),
                started_at: Some(Timestamp(T0 + 1_000)),
                stopped_at: None,
                stop_code: None,
                stopped_reason: None,
                exit_code: None,
            }),
            restarts: Restarts::default(),
            worker: Some(WorkerStatus {
                version: "0.1.0".into(),
                task_arn: Some(task),
                heartbeat_at: Timestamp(T0 + 9_000),
                start_up: StartUp {
                    process_at: Some(Timestamp(T0 + 1_100)),
                    joined_at: Some(Timestamp(T0 + 1_500)),
                    first_audio_at: Some(Timestamp(T0 + 3_000)),
                    first_caption_at: Some(Timestamp(T0 + 6_000)),
                },
                progress: Progress {
                    rtp_at: Some(Timestamp(T0 + 9_000)),
                    speech_at: Some(Timestamp(T0 + 8_800)),
                    transcript_at: Some(Timestamp(T0 + 8_000)),
                    translation_at: Some(Timestamp(T0 + 7_000)),
                    delivery_at: Some(Timestamp(T0 + 7_200)),
                    waiting: schemas::worker::Waiting::default(),
                },
                media: Media { candidate_type: Some("host".into()), packets: 300, media_ms: 6_000, ..Media::default() },
                languages: [(
                    Language::try_new("es").unwrap(),
                    LanguageStatus {
                        listeners: 2,
                        last_cursor: 3,
                        lag_p50_ms: Some(1_100),
                        lag_p95_ms: Some(1_900),
                        erasure: None,
                    },
                )]
                .into(),
                usage: Usage { transcribed_ms: 6_000, transcribe_streams: 1, posts: 30, ..Usage::default() },
                rung: Rung::Full,
                trouble: None,
                cpu_ms: 400,
                peak_memory_bytes: 20 << 20,
            }),
            operator: schemas::operator::Operator::default(),
            published: None,
            channel_deleted_at: None,
        }
    }

    #[test]
    fn a_row_survives_the_table() {
        let row = row("a-b-001");
        let item: super::Item = serde_dynamo::to_item(&row).unwrap();
        assert_eq!(super::read_item(item), super::Record::Row(Box::new(row)));
    }

    #[test]
    fn attributes_that_only_the_table_needs_do_not_disturb() {
        let mut item: super::Item = serde_dynamo::to_item(row("a-b-001")).unwrap();
        item.insert("record".into(), super::AttributeValue::S("current".into()));
        item.insert("ttl".into(), super::AttributeValue::N("1".into()));
        assert!(super::read_item(item).row().is_some());
    }

    #[test]
    fn a_row_of_another_version_is_named_with_its_problem() {
        let item: super::Item = [
            ("sessionId".to_owned(), super::AttributeValue::S("a-b-001".into())),
            ("record".to_owned(), super::AttributeValue::S("current".into())),
        ]
        .into();
        let super::Record::Unreadable { session, record, problem } = super::read_item(item) else { panic!("read") };
        assert_eq!((session.as_str(), record.as_str()), ("a-b-001", "current"));
        assert!(problem.contains("missing field"), "{problem}");
    }
}
