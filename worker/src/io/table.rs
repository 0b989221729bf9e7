//! Our row, and the listeners.
//!
//! *Guarantee*: a write of this worker is conditional on its generation and on the row being neither final nor queued, so
//! neither an old worker nor a late write can undo the controller's word.

mod failure;

use super::aws::explain;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use schemas::ids::{ConnectionId, Generation, SessionId, Timestamp};
use schemas::session::{read_listener, read_speaker};
use schemas::table::{connections, workers};
use schemas::worker::{Phase, Step, WorkerRow};
use std::collections::HashMap;
use std::time::Duration;
use worker_core::input::AudienceRows;
use worker_core::output::StatusWrite;
use worker_core::start::Claim;

pub use failure::TableError;
use failure::failed;

/// Longest time of one call, retries included; a heartbeat that takes longer is better written anew.
const PATIENCE: Duration = Duration::from_secs(4);
/// A row that has ended is kept for so long, seconds.
const KEEP_S: i64 = 30 * 86_400;
/// The controller may write between our read and our write; so often we look again.
const LOOKS: usize = 4;

/// What became of a write.
#[derive(Debug)]
pub enum Written {
    /// It stands; this is the row now.
    Row(Box<WorkerRow>),
    /// Another generation owns the session, or the row is final, queued for the next launch, or gone.
    LeaseLost,
}

/// Both tables, for one session.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    workers: String,
    connections: String,
    session: SessionId,
    generation: Generation,
}

impl Table {
    /// The tables by name.
    #[must_use]
    pub fn new(
        sdk: &SdkConfig,
        workers: String,
        connections: String,
        session: SessionId,
        generation: Generation,
    ) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(sdk)
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
            .build();
        Self { client: Client::from_conf(config), workers, connections, session, generation }
    }

    /// Our row, `None` when there is none.
    ///
    /// # Errors
    /// [`TableError`] when it cannot be read.
    pub async fn read(&self) -> Result<Option<WorkerRow>, TableError> {
        let request = self.client.get_item().table_name(&self.workers).consistent_read(true).set_key(Some(self.key()));
        let item = request.send().await.map_err(|e| failed(&e))?.item;
        item.map(parse).transpose()
    }

    /// From now on writes are of this generation.
    pub fn serve_as(&mut self, generation: Generation) {
        self.generation = generation;
    }

    /// Takes the next generation for a worker that was started again within its task, and keeps the row of the one that has ended.
    /// Writes are of that generation after [`Table::serve_as`]. `None` when the row has changed since it was read: nothing was written.
    ///
    /// # Errors
    /// [`TableError`] when nobody knows whether it was written: the row says so.
    pub async fn claim(&self, claim: &Claim) -> Result<Option<WorkerRow>, TableError> {
        match self.claiming(claim)?.send().await {
            Ok(answer) => {
                let row = parse(answer.attributes.unwrap_or_default())?;
                self.claimed(claim, &row).await;
                Ok(Some(row))
            }
            Err(e) if e.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(None),
            Err(e) => Err(failed(&e)),
        }
    }

    /// What follows a claim that stands, for people and the bill: the history, and the step beside the row.
    pub async fn claimed(&self, claim: &Claim, row: &WorkerRow) {
        self.keep(&claim.history()).await;
        if let Some(step) = Step::between(Some(&claim.before), row) {
            self.leave(&step).await;
        }
    }

    fn claiming(&self, claim: &Claim) -> Result<UpdateItemFluentBuilder, TableError> {
        let (before, after) = (&claim.before, &claim.after);
        let number = |n: String| AttributeValue::N(n);
        let value = |v: serde_dynamo::Result<AttributeValue>| v.map_err(|e| TableError::Malformed(e.to_string()));
        let task = before.task.as_ref().map(|task| task.arn.as_str()).unwrap_or_default();
        let next = after.next_look_at.unwrap_or(after.phase_since);
        let (phase, words) = workers::still_reads(before.phase, "phase");
        let request = self
            .client
            .update_item()
            .table_name(&self.workers)
            .set_key(Some(self.key()))
            .return_values(ReturnValue::AllNew)
            .update_expression(CLAIM)
            .condition_expression(format!("{CLAIM_DEMANDS} AND {phase}"))
            .expression_attribute_names("#next", workers::NEXT_LOOK_AT)
            .expression_attribute_values(":readGeneration", number(before.generation.to_string()))
            .expression_attribute_values(":readRevision", number(before.revision.to_string()))
            .expression_attribute_values(":task", AttributeValue::S(task.to_owned()))
            .expression_attribute_values(":generation", number(after.generation.to_string()))
            .expression_attribute_values(":revision", number(after.revision.to_string()))
            .expression_attribute_values(":phase", value(serde_dynamo::to_attribute_value(after.phase))?)
            .expression_attribute_values(":since", number(after.phase_since.0.to_string()))
            .expression_attribute_values(":why", value(serde_dynamo::to_attribute_value(&after.why))?)
            .expression_attribute_values(":next", number(next.0.to_string()))
            .expression_attribute_values(":restarts", value(serde_dynamo::to_attribute_value(&after.restarts))?);
        Ok(naming(request, words))
    }

    /// Keeps the row of a generation that has ended, as the controller does. A row that cannot be kept is only missing in the history.
    async fn keep(&self, row: &WorkerRow) {
        let mut key = self.key();
        key.insert(workers::RECORD.to_owned(), AttributeValue::S(workers::history(row.generation)));
        let mut item: HashMap<String, AttributeValue> = match serde_dynamo::to_item(row) {
            Ok(item) => item,
            Err(error) => return tracing::warn!(%error, "the generation that ended cannot be kept"),
        };
        item.retain(|name, value| !value.is_null() && name != workers::SESSION_ID);
        item.insert(workers::TTL.to_owned(), AttributeValue::N(expires(row.phase_since).to_string()));
        // An update, because that is what our role may do; it makes the record.
        let mut request = self.client.update_item().table_name(&self.workers).set_key(Some(key));
        let mut sets = Vec::with_capacity(item.len());
        for (n, (name, value)) in item.into_iter().enumerate() {
            sets.push(format!("#n{n} = :v{n}"));
            request = request.expression_attribute_names(format!("#n{n}"), name);
            request = request.expression_attribute_values(format!(":v{n}"), value);
        }
        if let Err(error) = request.update_expression(format!("SET {}", sets.join(", "))).send().await {
            tracing::warn!(error = %explain(&error), generation = row.generation.0, "the history misses a generation");
        }
    }

    fn key(&self) -> HashMap<String, AttributeValue> {
        let text = |t: &str| AttributeValue::S(t.to_owned());
        HashMap::from([
            (workers::SESSION_ID.to_owned(), text(self.session.as_str())),
            (workers::RECORD.to_owned(), text(workers::CURRENT)),
        ])
    }

    /// Writes our section, and the phase where it is ours to write. `known` is the row as it was last seen.
    ///
    /// # Errors
    /// [`TableError`] when it cannot be written this time.
    pub async fn write(&self, write: &StatusWrite, known: Option<WorkerRow>) -> Result<Written, TableError> {
        let mut row = known;
        for _ in 0..LOOKS {
            let Some(current) = row.take().or(self.read().await?) else { return Ok(Written::LeaseLost) };
            if is_lost(&current, self.generation) {
                return Ok(Written::LeaseLost);
            }
            let answer = self.update(write, current.phase)?.send().await;
            match answer {
                Ok(answer) => {
                    let row = parse(answer.attributes.unwrap_or_default())?;
                    if let Some(step) = Step::between(Some(&current), &row) {
                        self.leave(&step).await;
                    }
                    return Ok(Written::Row(Box::new(row)));
                }
                Err(e) if e.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                    // The controller wrote in between, or the lease is lost: the row says which.
                }
                Err(e) => return Err(failed(&e)),
            }
        }
        Err(TableError::Busy)
    }

    /// Leaves the record of a phase beside the row. It is for people: a step that cannot be written is only missing there.
    async fn leave(&self, step: &Step) {
        let mut key = self.key();
        key.insert(workers::RECORD.to_owned(), AttributeValue::S(workers::step(step)));
        let Ok(why) = serde_dynamo::to_attribute_value(&step.why) else { return };
        // An update, because that is what our role may do; it makes the record.
        let request = self
            .client
            .update_item()
            .table_name(&self.workers)
            .set_key(Some(key))
            .update_expression("SET generation = :generation, phase = :phase, #at = :at, why = :why, #ttl = :ttl")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#ttl", workers::TTL)
            .expression_attribute_values(":generation", AttributeValue::N(step.generation.to_string()))
            .expression_attribute_values(":phase", AttributeValue::S(format!("{:?}", step.phase)))
            .expression_attribute_values(":at", AttributeValue::N(step.at.0.to_string()))
            .expression_attribute_values(":why", why)
            .expression_attribute_values(":ttl", AttributeValue::N(expires(step.at).to_string()));
        if let Err(error) = request.send().await {
            tracing::debug!(error = %explain(&error), phase = ?step.phase, "the timeline misses a phase");
        }
    }

    fn update(&self, write: &StatusWrite, current: Phase) -> Result<UpdateItemFluentBuilder, TableError> {
        let update = plan(write, current);
        let value = |v: serde_dynamo::Result<AttributeValue>| v.map_err(|e| TableError::Malformed(e.to_string()));
        let (phase, words) = workers::still_reads(current, "phase");
        let request = self
            .client
            .update_item()
            .table_name(&self.workers)
            .set_key(Some(self.key()))
            .return_values(ReturnValue::AllNew)
            .update_expression(update.expression)
            // The phase that was seen must still stand: what may be written depends on it.
            .condition_expression(format!("generation = :generation AND {phase}"))
            .expression_attribute_values(":generation", AttributeValue::N(self.generation.to_string()))
            .expression_attribute_values(":worker", value(serde_dynamo::to_attribute_value(&write.status))?);
        let mut request = naming(request, words);
        if let Some(phase) = update.phase {
            let since = write.status.heartbeat_at;
            request = request
                .expression_attribute_values(":phase", value(serde_dynamo::to_attribute_value(phase))?)
                .expression_attribute_values(":since", value(serde_dynamo::to_attribute_value(since))?);
        }
        if let Some(why) = update.why {
            request = request.expression_attribute_values(":why", value(serde_dynamo::to_attribute_value(why))?);
        }
        if let Some(ttl) = update.ttl {
            request = request
                .expression_attribute_names("#open", workers::OPEN)
                .expression_attribute_names("#shard", workers::SHARD)
                .expression_attribute_names("#ttl", workers::TTL)
                .expression_attribute_values(":ttl", AttributeValue::N(ttl.to_string()));
        }
        Ok(request)
    }

    /// All listeners of the session, and the speaker's connections that stand among them: one query, whatever it finds.
    ///
    /// # Errors
    /// [`TableError`] when a page cannot be read: half a list is no list.
    pub async fn audience(&self) -> Result<AudienceRows, TableError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.connections)
            .index_name(connections::BY_SESSION)
            .key_condition_expression("sessionId = :session")
            .expression_attribute_values(":session", AttributeValue::S(self.session.to_string()))
            .into_paginator()
            .send();
        let mut audience = AudienceRows::default();
        while let Some(page) = pages.next().await {
            for item in page.map_err(|e| failed(&e))?.items.unwrap_or_default() {
                // A row that is not a listener's, or not readable as one, is theirs to mind.
                let row: serde_json::Map<_, _> =
                    serde_dynamo::from_item(item).map_err(|e| TableError::Malformed(e.to_string()))?;
                audience.listeners.extend(read_listener(&row));
                audience.speakers.extend(read_speaker(&row));
            }
        }
        Ok(audience)
    }

    /// Deletes the row of a connection that is gone, unless it was written anew since it was read.
    ///
    /// # Errors
    /// [`TableError`] when it cannot be deleted; a row that is another by now is no error.
    pub async fn forget(&self, connection: &ConnectionId, connected_at: Option<Timestamp>) -> Result<(), TableError> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.connections)
            .key(connections::CONNECTION_ID, AttributeValue::S(connection.as_str().to_owned()));
        let request = match connected_at {
            Some(at) => request
                .condition_expression("connectedAt = :at")
                .expression_attribute_values(":at", AttributeValue::N(at.0.to_string())),
            None => request.condition_expression("attribute_not_exists(connectedAt)"),
        };
        match request.send().await {
            Ok(_) => Ok(()),
            Err(e) if e.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(e) => Err(failed(&e)),
        }
    }
}

/// What a claim writes: the row as [`Claim::after`] has it. `intent`, `task`, `operator` and `published` stay as they are.
const CLAIM: &str = "SET generation = :generation, revision = :revision, phase = :phase, phaseSince = :since, why = :why, \
                     restarts = :restarts, #next = :next REMOVE worker, channelDeletedAt";
/// What the row must still read beside its phase, as [`Claim::stands`] has it.
const CLAIM_DEMANDS: &str = "generation = :readGeneration AND revision = :readRevision AND task.arn = :task";

/// Whether the row is no longer this generation's to write: another one owns the session, it has ended, or the controller has
/// given this generation up (`Queued` waits for the next launch) before its late worker spoke.
fn is_lost(row: &WorkerRow, generation: Generation) -> bool {
    row.generation != generation || row.phase.is_final() || row.phase == Phase::Queued
}

fn parse(item: HashMap<String, AttributeValue>) -> Result<WorkerRow, TableError> {
    serde_dynamo::from_item(item).map_err(|e| TableError::Malformed(e.to_string()))
}

/// One update, decided.
#[derive(Debug, PartialEq)]
struct Update<'a> {
    expression: &'static str,
    phase: Option<Phase>,
    why: Option<&'a schemas::reason::Why>,
    ttl: Option<i64>,
}

/// Which parts of the row this write sets. The phase changes only when it is new, and nothing but `Stopped` follows `Draining`.
fn plan(write: &StatusWrite, current: Phase) -> Update<'_> {
    let ours = write.phase != current && (current != Phase::Draining || write.phase == Phase::Stopped);
    if !ours {
        return Update { expression: "SET worker = :worker", phase: None, why: None, ttl: None };
    }
    let (why, ends) = (write.why.as_ref(), write.phase.is_final());
    Update {
        expression: match (why.is_some(), ends) {
            (true, false) => "SET worker = :worker, phase = :phase, phaseSince = :since, why = :why",
            (false, false) => "SET worker = :worker, phase = :phase, phaseSince = :since",
            (true, true) => {
                "SET worker = :worker, phase = :phase, phaseSince = :since, why = :why, #ttl = :ttl REMOVE #open, #shard, nextLookAt"
            }
            (false, true) => {
                "SET worker = :worker, phase = :phase, phaseSince = :since, #ttl = :ttl REMOVE #open, #shard, nextLookAt"
            }
        },
        phase: Some(write.phase),
        why,
        ttl: ends.then(|| expires(write.status.heartbeat_at)),
    }
}

/// The request with these words as values.
fn naming(request: UpdateItemFluentBuilder, words: Vec<(String, String)>) -> UpdateItemFluentBuilder {
    words
        .into_iter()
        .fold(request, |request, (name, word)| request.expression_attribute_values(name, AttributeValue::S(word)))
}

/// When a row that ended now may be forgotten, epoch seconds.
fn expires(now: Timestamp) -> i64 {
    now.0 / 1_000 + KEEP_S
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::reason::{Cause, Why};
    use schemas::worker::{Media, Progress, Rung, StartUp, Usage, WorkerStatus};
    use worker_core::input::WriteId;

    fn write(phase: Phase) -> StatusWrite {
        let status = WorkerStatus {
            version: "1".into(),
            task_arn: None,
            heartbeat_at: Timestamp(1_700_000_000_000),
            start_up: StartUp::default(),
            progress: Progress::default(),
            media: Media::default(),
            languages: std::collections::BTreeMap::new(),
            usage: Usage::default(),
            rung: Rung::Full,
            trouble: None,
            notes: Vec::new(),
            voice: None,
            voice_model: None,
            audio_quality: None,
            cpu_ms: 0,
            peak_memory_bytes: 0,
        };
        let why = Some(Why::new(Cause::SessionActive, "w", Timestamp(0)));
        StatusWrite { id: WriteId(1), phase, why, status, unwritten_ms: 2_000 }
    }

    #[test]
    fn a_new_phase_is_written_with_its_reason() {
        let joining = write(Phase::Joining);
        let update = plan(&joining, Phase::Launching);
        assert_eq!(update.phase, Some(Phase::Joining));
        assert!(update.why.is_some());
        assert_eq!(update.ttl, None, "the row stays open");
    }

    #[test]
    fn a_phase_that_stands_is_not_written_again() {
        assert_eq!(plan(&write(Phase::Live), Phase::Live).expression, "SET worker = :worker");
    }

    #[test]
    fn a_draining_session_does_not_come_back_to_life() {
        assert_eq!(plan(&write(Phase::Live), Phase::Draining).phase, None);
        assert_eq!(plan(&write(Phase::Stopped), Phase::Draining).phase, Some(Phase::Stopped));
    }

    #[test]
    fn a_late_worker_does_not_write_live_over_queued_of_its_own_generation() {
        let row = |phase: Phase| -> WorkerRow {
            serde_json::from_value(serde_json::json!({
                "sessionId": "a-b-001", "schema": 1, "revision": 2, "generation": 1, "phase": phase, "phaseSince": 0,
                "why": Why::new(Cause::NoCapacity, "no room", Timestamp(0)),
            }))
            .unwrap()
        };
        for (phase, lost) in [
            (Phase::Queued, true),
            (Phase::Stopped, true),
            (Phase::Failed, true),
            (Phase::Launching, false),
            (Phase::Joining, false),
            (Phase::WaitingForSpeaker, false),
            (Phase::Live, false),
            (Phase::Paused, false),
            (Phase::Draining, false),
        ] {
            assert_eq!(is_lost(&row(phase), Generation(1)), lost, "{phase:?}");
            assert!(is_lost(&row(phase), Generation(2)), "{phase:?} of another generation");
        }
    }

    #[test]
    fn what_is_written_of_the_voice_reads_back_the_same() {
        let golden = include_str!("../../../schemas/golden/worker-row.json");
        let row: WorkerRow = serde_json::from_str(golden).unwrap();
        let stored: serde_dynamo::Item = serde_dynamo::to_item(&row).unwrap();
        assert_eq!(serde_dynamo::from_item::<_, WorkerRow>(stored).unwrap(), row);
    }

    #[test]
    fn no_write_of_a_worker_that_runs_touches_the_keys_of_the_index() {
        let running = Phase::ALL.into_iter().filter(|phase| !phase.is_final());
        for (phase, current) in running.flat_map(|phase| Phase::ALL.map(|current| (phase, current))) {
            for why in [None, write(phase).why] {
                let written = StatusWrite { why, ..write(phase) };
                let update = plan(&written, current);
                let keys = ["#shard", "shard", "#next", "nextLookAt", "#open", "open"];
                let mut words = update.expression.split([' ', ',', '=']);
                assert!(words.all(|word| !keys.contains(&word)), "{phase:?} over {current:?}: {}", update.expression);
            }
        }
    }

    #[test]
    fn a_stopped_session_leaves_the_index_and_expires() {
        let stopped = write(Phase::Stopped);
        let update = plan(&stopped, Phase::Draining);
        assert!(update.expression.ends_with("REMOVE #open, #shard, nextLookAt"));
        assert_eq!(update.ttl, Some(1_700_000_000 + 2_592_000));
    }
}
