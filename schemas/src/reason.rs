//! Why a session is in the state that it is in: a typed cause, who is to blame, and whether a retry can help.

use crate::forward;
use crate::ids::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose doing it was. A word of a newer release is read as [`Blame::Us`]: somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum Blame {
    /// The session service or an operator asked for it.
    Operator,
    /// The speaker (left, never came).
    Speaker,
    /// Our own code or configuration.
    Us,
    /// AWS (capacity, throttling, a lost host).
    Aws,
    /// The session row holds something that cannot be served.
    Row,
}

forward::reads!(Blame, Us);

/// Every cause that we know. A cause that is not here, as of a newer release, is read as [`Cause::Unknown`]: loud, and never retried for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum Cause {
    /// The session row wants a worker.
    SessionActive,
    /// `status = ended`.
    SessionEnded,
    /// `isActive = false`.
    SessionInactive,
    /// The session row is gone (deleted, or expired by TTL).
    SessionDeleted,
    /// `expiresAt` has passed.
    SessionExpired,
    /// The id was given to another run: another channel ARN stands in the row.
    SessionReplaced,
    /// `status = paused`.
    SessionPaused,
    /// An operator asked for the stop.
    OperatorStop,
    /// The speaker left and did not come back within the grace.
    SpeakerGone,
    /// The speaker never came.
    SpeakerNeverCame,
    /// The longest time that one session may run has passed.
    MaxDuration,
    /// The row names a language that Transcribe cannot stream.
    UnsupportedLanguage,
    /// A field of the row cannot be read.
    MalformedRow,
    /// ECS has no room, or our quota is used up.
    NoCapacity,
    /// AWS asked us to slow down.
    Throttled,
    /// RunTask was refused: tried again, the later the more often it was.
    LaunchRefused,
    /// The task did not start its worker in time.
    LaunchTimedOut,
    /// ECS could not bring the worker's container up (image, network, role, host).
    TaskFailedToStart,
    /// The worker process ended by itself with an error.
    WorkerCrashed,
    /// The task's host or Spot capacity was taken away.
    TaskInterrupted,
    /// No heartbeat within the time allowed.
    HeartbeatLost,
    /// The worker found that it no longer holds the session.
    LeaseLost,
    /// The task did not end when asked and was stopped.
    DrainTimedOut,
    /// The restart budget is used up: tried again every five minutes.
    RestartBudgetSpent,
    /// The worker hands the session over to its next generation (a drain, a restart, a newer version): listeners are not
    /// told that anything ended.
    Handover,
    /// A stage of the worker does not follow the one before it, and the worker's own remedies did not help.
    StageStuck,
    /// Transcribe gives the account no further stream.
    TranscribeLimit,
    /// The speaker answers, but no audio gets through: UDP is blocked, and no relay helps.
    NoMediaPath,
    /// A cause that this version does not know.
    Unknown,
}

forward::reads!(Cause, Unknown);

impl Cause {
    /// Whose doing it was.
    #[must_use]
    pub fn blame(self) -> Blame {
        match self {
            Self::SessionActive
            | Self::SessionEnded
            | Self::SessionInactive
            | Self::SessionDeleted
            | Self::SessionExpired
            | Self::SessionReplaced
            | Self::SessionPaused
            | Self::OperatorStop
            | Self::Handover => Blame::Operator,
            Self::SpeakerGone | Self::SpeakerNeverCame => Blame::Speaker,
            Self::UnsupportedLanguage | Self::MalformedRow => Blame::Row,
            Self::NoCapacity | Self::Throttled | Self::TaskInterrupted | Self::TranscribeLimit => Blame::Aws,
            Self::MaxDuration
            | Self::LaunchRefused
            | Self::LaunchTimedOut
            | Self::TaskFailedToStart
            | Self::WorkerCrashed
            | Self::HeartbeatLost
            | Self::LeaseLost
            | Self::DrainTimedOut
            | Self::RestartBudgetSpent
            | Self::StageStuck
            | Self::NoMediaPath
            | Self::Unknown => Blame::Us,
        }
    }

    /// Whether another launch may do better.
    #[must_use]
    pub fn retryable(self) -> bool {
        match self {
            Self::NoCapacity
            | Self::Throttled
            | Self::LaunchTimedOut
            | Self::TaskFailedToStart
            | Self::WorkerCrashed
            | Self::TaskInterrupted
            | Self::HeartbeatLost
            | Self::LeaseLost
            | Self::StageStuck => true,
            Self::SessionActive
            | Self::SessionEnded
            | Self::SessionInactive
            | Self::SessionDeleted
            | Self::SessionExpired
            | Self::SessionReplaced
            | Self::SessionPaused
            | Self::OperatorStop
            | Self::SpeakerGone
            | Self::SpeakerNeverCame
            | Self::MaxDuration
            | Self::UnsupportedLanguage
            | Self::MalformedRow
            | Self::LaunchRefused
            | Self::DrainTimedOut
            | Self::RestartBudgetSpent
            | Self::Handover
            | Self::TranscribeLimit
            | Self::NoMediaPath
            | Self::Unknown => false,
        }
    }
}

/// A cause with the sentence that an operator reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The typed cause.
    pub cause: Cause,
    /// Whose doing it was.
    pub blame: Blame,
    /// One plain sentence with the particulars.
    pub text: String,
    /// Since when this is the cause.
    pub at: Timestamp,
}

impl Why {
    /// A cause with its sentence.
    #[must_use]
    pub fn new(cause: Cause, text: impl Into<String>, at: Timestamp) -> Self {
        Self { cause, blame: cause.blame(), text: text.into(), at }
    }
}
