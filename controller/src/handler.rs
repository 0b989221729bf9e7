//! Event → sessions → look → response.
//!
//! **Guarantees.** The records of a stream batch are taken in order; the first that fails is reported by its sequence number
//! and nothing after it is touched, so that Lambda delivers it and the rest again. A record that no retry can help (a key
//! that is no session id, a row of ours that cannot be read) is logged and passed over: it never blocks a shard.

use crate::ports::{Orchestrator, PortError, Sessions, Workers};
use crate::sweep::Swept;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use controller_core::model::Policy;
use controller_core::triggers::{self, Look, Trigger, UnknownEvent};
use lambda_runtime::Diagnostic;
use schemas::ids::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;

/// The controller with its capabilities.
#[derive(Debug)]
pub struct Controller<S, W, O> {
    /// Their table.
    pub sessions: S,
    /// Our table.
    pub workers: W,
    /// ECS.
    pub orchestrator: O,
    /// The numbers of the decisions.
    pub policy: Policy,
    /// The time now.
    pub clock: fn() -> Timestamp,
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To a stream.
    Batch(DynamoDbEventResponse),
    /// To the schedule.
    Swept(Swept),
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

impl<S: Sessions, W: Workers, O: Orchestrator> Controller<S, W, O> {
    /// Handles one event; `deadline_ms` is Lambda's deadline, epoch ms.
    ///
    /// # Errors
    /// [`HandlerError`] when the sender should retry the whole event.
    pub async fn handle(&self, event: &Value, deadline_ms: u64) -> Result<Response, HandlerError> {
        let deadline = Timestamp(i64::try_from(deadline_ms).unwrap_or(i64::MAX)).plus_ms(-DEADLINE_MARGIN_MS);
        match triggers::read(event)? {
            Trigger::Sweep => self.sweep(deadline).await.map(Response::Swept).map_err(HandlerError::Sweep),
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
                    tracing::debug!(why, "not a session of ours");
                    continue;
                }
            };
            if !seen.insert(id) {
                continue; // one look sees the state after all of the batch's records
            }
            let result = if (self.clock)() >= deadline { Err(out_of_time()) } else { self.look(id, &[]).await };
            let Err(source) = result.or_else(pass_over_unreadable) else { continue };
            tracing::warn!(session = %id, error = %source, "a session could not be looked at");
            let Some(sequence) = &look.sequence else {
                return Err(HandlerError::Session { session: id.to_string(), source });
            };
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(sequence.clone());
            response.batch_item_failures.push(failure);
            break;
        }
        Ok(response)
    }
}

/// A row of ours that cannot be read is loud, and is no reason to try the same again.
pub(crate) fn pass_over_unreadable(error: PortError) -> Result<(), PortError> {
    match error {
        PortError::Unreadable { .. } => {
            tracing::error!(%error, "a row is passed over");
            Ok(())
        }
        PortError::Aws { .. } | PortError::Contended(_) => Err(error),
    }
}

fn out_of_time() -> PortError {
    PortError::Aws { operation: "look", detail: "the invocation's time is up; the rest is delivered again".into() }
}
