//! Event → sessions → look → response.
//!
//! **Guarantees.** The sessions of a stream batch are looked at several at a time; what it says of one session is one look, after all of its
//! records. The first record that fails, by its place in the stream, is reported by its sequence number, so that Lambda delivers it and the rest
//! again (a look may be repeated at will).
//!
//! **Poison.** A record that no retry can help (a key that is no session id, a row of ours that nobody can read) is told at
//! ERROR with its sequence number and the reason, and reported as failed. Lambda bisects the batch, spends the record's few retries and sends its metadata
//! (shard and sequence numbers) to the failure destination; the log line with the same sequence number holds the reason.
//! Nothing behind the record waits for it, not even for one delivery.

use crate::look::{Hints, Knowing};
use crate::memory::Memory;
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Timer, Workers};
use crate::tick::Swept;
use crate::timer::{FOLLOW_MS, Timers};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use controller_core::model::{Policy, Task};
use controller_core::triggers::{self, Look, Trigger, UnknownEvent};
use futures_util::StreamExt as _;
use lambda_runtime::Diagnostic;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The controller with its capabilities.
#[derive(Debug)]
pub struct Controller<S, W, O, B, C, T> {
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
    /// Timers.
    pub timer: T,
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
    /// To a stream, or to timers.
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

/// Sessions of one batch that are looked at at the same time.
const RECORDS_AT_ONCE: usize = 16;
/// More sessions than these in one batch are a crowd: a shard gives its next batch when this one is done, and one of a hundred calls of RunTask
/// takes seconds. So whoever wants a launch queues, and the queue's passes, which overlap, launch at the full rate. As many as a second launches.
const CROWD: usize = 20;

/// Time that is left unused before the deadline, ms: for the answer, and for the call that is under way.
pub(crate) const DEADLINE_MARGIN_MS: i64 = 3_000;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Handles one event; `deadline_ms` is Lambda's deadline, epoch ms.
    ///
    /// # Errors
    /// [`HandlerError`] when the sender should retry the whole event.
    pub async fn handle(&self, event: &Value, deadline_ms: u64) -> Result<Response, HandlerError> {
        let deadline = Timestamp(i64::try_from(deadline_ms).unwrap_or(i64::MAX)).plus_ms(-DEADLINE_MARGIN_MS);
        let trigger = triggers::read(event)?;
        let timers = Timers::default();
        let response = match trigger {
            Trigger::Sweep => self.sweep_alone(deadline, &timers).await.map_err(HandlerError::Sweep),
            Trigger::Sessions(looks) => {
                let ended = crate::ecs::event::ended(event);
                self.look_at_all(&looks, ended.as_ref(), deadline, &timers).await.map(Response::Batch)
            }
            Trigger::Woken { sessions, queue } => {
                self.watch(&sessions, deadline, &timers).await;
                let admitted =
                    if queue.is_empty() { Ok(()) } else { self.admit_the_queue(&queue, deadline, &timers).await };
                if let Err(error) = admitted {
                    tracing::warn!(%error, "the queue could not be looked at; the next tick looks");
                }
                Ok(Response::Batch(DynamoDbEventResponse::default()))
            }
        };
        self.set(timers).await;
        response
    }

    async fn look_at_all(
        &self,
        looks: &[Look],
        ended: Option<&(SessionId, Task)>,
        deadline: Timestamp,
        timers: &Timers,
    ) -> Result<DynamoDbEventResponse, HandlerError> {
        let until = (self.clock)().plus_ms(FOLLOW_MS);
        let sessions = by_session(looks);
        let knowing = if sessions.len() > CROWD { Knowing::ACrowd } else { Knowing::Nothing };
        let look = async |(id, named): (SessionId, Vec<TaskArn>)| {
            if (self.clock)() >= deadline {
                return (id, Some(PortError::OutOfTime));
            }
            let ended = ended.filter(|(session, _)| *session == id).map(|(_, task)| task.clone());
            let looked = self.look_knowing(&id, Hints { named, ended, ..Hints::default() }, knowing).await;
            if let Ok(rest) = &looked {
                timers.note(&id, *rest, (self.clock)(), until);
            }
            (id, looked.err())
        };
        let results = futures_util::stream::iter(sessions).map(look).buffer_unordered(RECORDS_AT_ONCE);
        let failed: HashMap<SessionId, PortError> =
            results.filter_map(async |(id, error)| Some((id, error?))).collect().await;
        for (id, error) in &failed {
            self.memory.count(|metrics| metrics.look_errors += 1);
            crate::look::log_failure(id, error);
        }
        self.report(looks, failed)
    }

    /// Reports what failed, in the order of the records.
    fn report(
        &self,
        looks: &[Look],
        mut failed: HashMap<SessionId, PortError>,
    ) -> Result<DynamoDbEventResponse, HandlerError> {
        let mut response = DynamoDbEventResponse::default();
        for look in looks {
            let id = match &look.session {
                Ok(id) => id,
                Err(why) => {
                    self.poison(&mut response, look, why);
                    continue;
                }
            };
            let Some(source) = failed.remove(id) else { continue };
            if source.is_poison() && look.sequence.is_some() {
                self.poison(&mut response, look, &source.to_string());
            } else if !fail(&mut response, look) {
                return Err(HandlerError::Session { session: id.to_string(), source });
            }
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

/// Each session once, in the order of its first record, with the tasks that its records name.
fn by_session(looks: &[Look]) -> Vec<(SessionId, Vec<TaskArn>)> {
    let mut place = HashMap::new();
    let mut sessions: Vec<(SessionId, Vec<TaskArn>)> = Vec::new();
    for look in looks {
        let Ok(id) = &look.session else { continue };
        let n = *place.entry(id).or_insert(sessions.len());
        if n == sessions.len() {
            sessions.push((id.clone(), Vec::new()));
        }
        if let Some((_, named)) = sessions.get_mut(n) {
            named.extend(look.task.clone());
        }
    }
    sessions
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
