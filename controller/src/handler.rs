//! Event → sessions → look → response.
//!
//! **Guarantees.** The records of a stream batch are taken in order; the first that fails is reported by its sequence number
//! and nothing after it is touched, so that Lambda delivers it and the rest again.
//!
//! **Poison.** A record that no retry can help (a key that is no session id, a row of ours that nobody can read) is told at
//! ERROR with its sequence number and the reason, and reported as failed, *while the records after it are handled all the
//! same* (a look may be repeated at will). Lambda bisects the batch, spends the record's few retries and sends its metadata
//! (shard and sequence numbers) to the failure destination; the log line with the same sequence number holds the reason.
//! Nothing behind the record waits for it, not even for one delivery.

use crate::memory::Memory;
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Workers};
use crate::tick::Swept;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use controller_core::model::Policy;
use controller_core::triggers::{self, Look, Trigger, UnknownEvent};
use lambda_runtime::Diagnostic;
use schemas::ids::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The controller with its capabilities.
#[derive(Debug)]
pub struct Controller<S, W, O, B, C> {
    /// Their table.
    pub sessions: S,
    /// Our table.
    pub workers: W,
    /// ECS.
    pub orchestrator: O,
    /// Whoever wants to know what happens.
    pub bus: B,
    /// The signaling channels.
    pub channels: C,
    /// What the process remembers.
    pub memory: Memory,
    /// The numbers of the decisions.
    pub policy: Policy,
    /// The time now.
    pub clock: fn() -> Timestamp,
    /// Waits for so long.
    pub pause: fn(Duration) -> Pause,
}

/// A wait that is under way.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To a stream.
    Batch(DynamoDbEventResponse),
    /// To the schedule.
    Swept(Swept),
    /// To the schedule, or to an operator: another sweep is under way.
    #[serde(rename_all = "camelCase")]
    Held {
        /// Whose: the name of its log stream.
        held_by: String,
        /// When its lease ends by itself at the latest.
        until: Timestamp,
    },
}

/// Why an invocation failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Nobody of ours sends such an event.
    #[error(transparent)]
    Event(#[from] UnknownEvent),
    /// A session could not be looked at; the sender retries.
    #[error("session {session}: {source}")]
    Session {
        /// The session.
        session: String,
        /// What failed.
        source: PortError,
    },
    /// The schedule's own reads failed.
    #[error("sweep: {0}")]
    Sweep(#[source] PortError),
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        let error_type = match &error {
            HandlerError::Event(_) => "UnknownEvent",
            HandlerError::Session { .. } => "SessionNotLookedAt",
            HandlerError::Sweep(_) => "SweepFailed",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Time that is left unused before the deadline, ms: for the answer, and for the call that is under way.
pub(crate) const DEADLINE_MARGIN_MS: i64 = 3_000;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels> Controller<S, W, O, B, C> {
    /// Handles one event; `deadline_ms` is Lambda's deadline, epoch ms.
    ///
    /// # Errors
    /// [`HandlerError`] when the sender should retry the whole event.
    pub async fn handle(&self, event: &Value, deadline_ms: u64) -> Result<Response, HandlerError> {
        let deadline = Timestamp(i64::try_from(deadline_ms).unwrap_or(i64::MAX)).plus_ms(-DEADLINE_MARGIN_MS);
        match triggers::read(event)? {
            Trigger::Sweep => self.sweep_alone(deadline).await.map_err(HandlerError::Sweep),
            Trigger::Sessions(looks) => self.look_at_all(&looks, deadline).await.map(Response::Batch),
        }
    }

    async fn look_at_all(&self, looks: &[Look], deadline: Timestamp) -> Result<DynamoDbEventResponse, HandlerError> {
        let mut response = DynamoDbEventResponse::default();
        let mut seen = HashSet::new();
        for look in looks {
            let id = match &look.session {
                Ok(id) => id,
                Err(why) => {
                    self.poison(&mut response, look, why);
                    continue;
                }
            };
            if !seen.insert(id) {
                continue; // one look sees the state after all of the batch's records
            }
            let result = if (self.clock)() >= deadline { Err(PortError::OutOfTime) } else { self.look(id, &[]).await };
            let Err(source) = result else { continue };
            self.memory.count(|metrics| metrics.look_errors += 1);
            if source.is_poison() && look.sequence.is_some() {
                self.poison(&mut response, look, &source.to_string());
                continue;
            }
            crate::look::log_failure(id, &source);
            if !fail(&mut response, look) {
                return Err(HandlerError::Session { session: id.to_string(), source });
            }
            break;
        }
        Ok(response)
    }

    /// A record that no retry can help. An event that names none of our sessions, and has no place in a stream, is nobody's.
    fn poison(&self, response: &mut DynamoDbEventResponse, look: &Look, why: &str) {
        if fail(response, look) {
            self.memory.count(|metrics| metrics.poison_records += 1);
            tracing::error!(
                sequence = look.sequence,
                why,
                "a record that nobody can read goes to the failure destination"
            );
        } else {
            tracing::debug!(why, "not a session of ours");
        }
    }
}

/// Reports a record as failed; false for an event without a place in a stream. Lambda begins again at the lowest.
fn fail(response: &mut DynamoDbEventResponse, look: &Look) -> bool {
    let Some(sequence) = &look.sequence else { return false };
    if response.batch_item_failures.is_empty() {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(sequence.clone());
        response.batch_item_failures.push(failure);
    }
    true
}
