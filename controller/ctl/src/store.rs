//! The rows of `SessionWorkers-{env}`. A row that this version cannot read is shown as such, never hidden.

use crate::aws::Aws;
use crate::error::{CtlError, refused};
use crate::orders::{self, OPERATOR, Section};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::{SessionId, Timestamp};
use schemas::operator::Operator;
use schemas::session::{SessionRecord, read_session};
use schemas::table::{sessions, workers};
use schemas::worker::{Step, WorkerRow};
use serde_json::{Map, Value};
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
    /// What operators wished, in its order: the row keeps only the last hold and the last order.
    pub wishes: Vec<Operator>,
}

impl Kept {
    /// Sorts the items of one session; `None` when none of them is the current row.
    #[must_use]
    pub fn of(items: Vec<Item>) -> Option<Self> {
        let key = |item: &Item| item.get(workers::RECORD).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
        let (mut current, mut decision, mut earlier) = (None, None, Vec::new());
        let (mut steps, mut wishes): (Vec<Step>, Vec<Operator>) = (Vec::new(), Vec::new());
        for item in items {
            match key(&item).as_str() {
                workers::CURRENT => current = Some(item),
                workers::DECISION => {
                    decision = item.get(workers::DECISION_JSON).and_then(|v| v.as_s().ok()).cloned();
                }
                other if other.starts_with(GENERATION) => earlier.push(item),
                // Of another version: the timeline is as complete as it can be read.
                other if other.starts_with(workers::STEP) => steps.extend(serde_dynamo::from_item(item).ok()),
                other if other.starts_with(workers::WISH) => {
                    let section = item.get(OPERATOR).cloned();
                    wishes.extend(section.and_then(|section| serde_dynamo::from_attribute_value(section).ok()));
                }
                _ => {} // Marks of stray tasks, and whatever later versions keep.
            }
        }
        // The numbers have leading zeros: sort keys rise with them.
        earlier.sort_by_key(|item| std::cmp::Reverse(key(item)));
        steps.sort_by_key(|step| (step.generation, step.at));
        wishes.sort_by_key(orders::signed_when);
        let current = current?;
        let section = match current.get(OPERATOR) {
            Some(AttributeValue::M(_)) => Section::Present,
            Some(_) | None => Section::Absent,
        };
        let earlier = earlier.into_iter().map(read_item).collect();
        Some(Self { current: read_item(current), section, earlier, decision, steps, wishes })
    }

    /// The current row, then the earlier ones.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        std::iter::once(&self.current).chain(&self.earlier)
    }
}

/// How the sort keys of all history rows begin.
const GENERATION: &str = "generation#";

/// Which rows a list needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that are not final: a query of the index, however many have ended.
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
        Which::Open => open_items(aws, &table).await?,
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

async fn open_items(aws: &Aws, table: &str) -> Result<Vec<Item>, CtlError> {
    let mut pages = aws
        .dynamodb
        .query()
        .table_name(table)
        .index_name(workers::BY_DUE)
        .key_condition_expression("#open = :open")
        .expression_attribute_names("#open", workers::OPEN)
        .expression_attribute_values(":open", AttributeValue::S(workers::OPEN_VALUE.into()))
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.map_err(|e| refused(&format!("read the table {table}"), &aws.place, &e))?);
    }
    Ok(items)
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

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wished {
    /// It stands in the row.
    Written,
    /// The row has ended, is gone, or has got its first operator's section in the meantime.
    Moved,
}

/// Writes a wish into the current row.
///
/// # Errors
/// [`CtlError::Refused`] when the table refuses it.
pub async fn wish(aws: &Aws, session: &SessionId, update: orders::Update) -> Result<Wished, CtlError> {
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
        Ok(_) => Ok(Wished::Written),
        Err(e) if e.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
            Ok(Wished::Moved)
        }
        Err(e) => Err(refused(&format!("write to the table {table}"), &aws.place, &e)),
    }
}

/// Leaves the record of a wish that stands in the row: the trail of who wished what, and what wakes the controller now. Without
/// it the wish is found by the schedule.
///
/// # Errors
/// [`CtlError::Refused`] when the table refuses it.
pub async fn leave_record(aws: &Aws, session: &SessionId, change: &orders::Change) -> Result<(), CtlError> {
    let table = aws.workers_table();
    let unwritable = |e: serde_dynamo::Error| CtlError::Refused(format!("write the wish: {e}"));
    let put = aws
        .dynamodb
        .put_item()
        .table_name(&table)
        .item(workers::SESSION_ID, AttributeValue::S(session.to_string()))
        .item(workers::RECORD, AttributeValue::S(workers::wish(change.at())))
        .item(OPERATOR, change.as_section().map_err(unwritable)?)
        .item(workers::TTL, AttributeValue::N((change.at().0 / 1_000 + KEEP_S).to_string()));
    put.send().await.map_err(|e| refused(&format!("write to the table {table}"), &aws.place, &e))?;
    Ok(())
}

/// The record of a wish is kept for so long, s.
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
                leave_by: None,
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
                options: schemas::session::CaptionOptions::new(),
                speaker_connection: None,
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
                notes: Vec::new(),
                voice: None,
                voice_model: None,
                audio_quality: None,
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

    fn item(record: &str) -> super::Item {
        let mut item: super::Item = serde_dynamo::to_item(row("a-b-001")).unwrap();
        item.insert("record".into(), super::AttributeValue::S(record.into()));
        item
    }

    #[test]
    fn the_records_of_a_session_are_told_apart_by_their_keys() {
        let mut decision = item("decision");
        decision.insert("json".into(), super::AttributeValue::S("{}".into()));
        let mut first = item("current");
        first.remove("operator");
        let items = vec![first, decision, item("generation#00000001"), item("generation#00000002"), item("stray#x")];
        let kept = super::Kept::of(items).unwrap();
        assert_eq!(
            (kept.earlier.len(), kept.decision.as_deref(), kept.section),
            (2, Some("{}"), super::Section::Absent)
        );
        assert_eq!(super::Kept::of(vec![item("current")]).unwrap().section, super::Section::Present);
        assert!(super::Kept::of(vec![item("generation#00000001")]).is_none());
    }

    #[test]
    fn the_phases_and_the_wishes_beside_the_row_are_read_in_their_order() {
        use schemas::operator::{Operator, Order, Signed, Verb};
        use schemas::worker::Step;
        let beside = |record: String| {
            let mut item: super::Item = super::Item::new();
            item.insert("sessionId".into(), super::AttributeValue::S("a-b-001".into()));
            item.insert("record".into(), super::AttributeValue::S(record));
            item
        };
        let step = |phase, at| {
            let step = Step {
                generation: Generation(1),
                phase,
                at: Timestamp(T0 + at),
                why: Why::new(Cause::SessionActive, "x", Timestamp(T0 + at)),
            };
            let mut item = beside(schemas::table::workers::step(&step));
            let fields: super::Item = serde_dynamo::to_item(&step).unwrap();
            item.extend(fields);
            item
        };
        let wish = |at| {
            let signed = Signed { by: "alice".into(), at: Timestamp(at), note: String::new() };
            let section = Operator { hold: None, order: Some(Order { verb: Verb::Drain, signed }) };
            let mut item = beside(schemas::table::workers::wish(Timestamp(at)));
            item.insert("operator".into(), serde_dynamo::to_attribute_value(section).unwrap());
            item
        };
        let items = vec![wish(T0 + 9), step(Phase::Live, 5), item("current"), step(Phase::Launching, 0), wish(T0)];
        let kept = super::Kept::of(items).unwrap();
        assert_eq!(kept.steps.iter().map(|s| s.phase).collect::<Vec<_>>(), [Phase::Launching, Phase::Live]);
        let at = |wish: &Operator| wish.order.as_ref().map(|order| order.signed.at.0 - T0);
        assert_eq!(kept.wishes.iter().map(at).collect::<Vec<_>>(), [Some(0), Some(9)]);
    }
}
