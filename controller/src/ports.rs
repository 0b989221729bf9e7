//! The capabilities that the handler asks for, each as narrow as it can be, so that tests put fakes in their place.

use crate::remedy::Remedy;
use controller_core::action::RowWrite;
use controller_core::capacity::Capacity;
use controller_core::launch::Answer;
use controller_core::model::{Policy, Strike, Task, Tasks};
use controller_core::verdict::Evidence;
use schemas::ids::{ChannelArn, Generation, SessionId, TaskArn, Timestamp};
use schemas::lifecycle::{LifecycleEvent, Published};
use schemas::reason::Cause;
use schemas::rollout::Rollout;
use schemas::session::SessionRecord;
use schemas::worker::{Phase, WorkerRow};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// Why an effect or a read did not happen.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// AWS did not answer as it should.
    #[error("{operation} failed ({remedy}): {detail}")]
    Aws {
        /// The API call.
        operation: &'static str,
        /// What helps.
        remedy: Remedy,
        /// What AWS said.
        detail: String,
    },
    /// The row is there and cannot be read. A retry does not change it.
    #[error("the row of {session} in the workers table cannot be read ({detail}); remove or repair it")]
    Unreadable {
        /// The session.
        session: String,
        /// What is wrong.
        detail: String,
    },
    /// Somebody else wrote the row each time before us.
    #[error("the row was written by somebody else {0} times in a row")]
    Contended(usize),
    /// The invocation's time is up.
    #[error("the invocation's time is up; the rest is delivered again")]
    OutOfTime,
}

impl PortError {
    /// Whether no retry can help.
    #[must_use]
    pub fn is_poison(&self) -> bool {
        match self {
            Self::Unreadable { .. } => true,
            Self::Aws { .. } | Self::Contended(_) | Self::OutOfTime => false,
        }
    }

    /// Whether somebody has to do something: it does not pass by itself.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        match self {
            Self::Aws { remedy, .. } => remedy.needs_somebody(),
            Self::Unreadable { .. } => true,
            Self::Contended(_) | Self::OutOfTime => false,
        }
    }
}

/// One page of a listing.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<C>,
}

/// The session service's table, read only.
pub trait Sessions {
    /// One row, consistently.
    fn read(&self, id: &SessionId) -> impl Future<Output = Result<Option<SessionRecord>, PortError>> + Send;
    /// A page of the whole table, after this key; rows whose key is no session id are left out.
    fn scan(
        &self,
        after: Option<String>,
    ) -> impl Future<Output = Result<Page<(SessionId, SessionRecord), String>, PortError>> + Send;
}

/// A row that is not final, as the index of due rows knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRow {
    /// The session.
    pub session_id: SessionId,
    /// The worker that it speaks of.
    pub generation: Generation,
    /// The task of that worker, where it is known.
    pub task: Option<TaskArn>,
    /// When somebody must look.
    pub next_look_at: Timestamp,
    /// Where it is.
    pub phase: Option<Phase>,
    /// Why.
    pub cause: Option<Cause>,
    /// Since when the run is wanted.
    pub wanted_since: Option<Timestamp>,
}

impl OpenRow {
    /// What the index says of a row; `None` for one that is final.
    #[must_use]
    pub fn of(row: &WorkerRow) -> Option<Self> {
        Some(Self {
            session_id: row.session_id.clone(),
            generation: row.generation,
            task: row.task.as_ref().map(|task| task.arn.clone()),
            next_look_at: row.next_look_at?,
            phase: Some(row.phase),
            cause: Some(row.why.cause),
            wanted_since: row.intent.as_ref().and_then(|intent| intent.wanted_since),
        })
    }
}

/// A note of the controller's own in a row: no decision, and no lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// What the bus was told.
    Published(Published),
    /// The run's channel is gone.
    ChannelDeleted(Timestamp),
}

/// What a conditional write came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Done; this is the row now.
    Row(Box<WorkerRow>),
    /// The row is not the one that was read: read it again.
    Lost,
}

/// Where a sweep that ran out of time stopped; the next one goes on behind it. Nothing of it: begin at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cursor {
    /// The last due row that was looked at: when it was due, and whose it is.
    pub due: Option<(Timestamp, SessionId)>,
    /// The last session of those with tasks that no open row speaks of.
    pub stray: Option<SessionId>,
    /// The key of the last row of the Sessions table that had its turn.
    pub scan: Option<String>,
}

impl Cursor {
    /// Whether a complete sweep is to be gone on with.
    #[must_use]
    pub fn is_within_a_complete_sweep(&self) -> bool {
        self.stray.is_some() || self.scan.is_some()
    }
}

/// The lease of the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// This process has it now.
    Ours,
    /// Another sweep is under way.
    HeldBy {
        /// The process: the name of its log stream.
        held_by: String,
        /// When it ends by itself.
        until: Timestamp,
    },
}

/// What controllers that run at the same time, or one after another, have in common beside the rows.
pub trait Shared {
    /// What is known of the launches.
    fn capacity(&self) -> impl Future<Output = Result<Capacity, PortError>> + Send;
    /// Takes the leave for one launch; false when none is left.
    fn take_launch(&self, policy: &Policy, now: Timestamp) -> impl Future<Output = Result<bool, PortError>> + Send;
    /// RunTask was throttled: nothing is left for anybody.
    fn no_launch_is_left(&self, policy: &Policy, now: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
    /// So many sessions wait for their turn.
    fn queue_is(&self, waiting: u32, now: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
    /// A worker says that Transcribe gives no further stream.
    fn streams_are_full(&self, now: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Notes what a session says of its version; gives what is known of the versions from now on.
    fn judge(
        &self,
        evidence: &Evidence,
        policy: &Policy,
        now: Timestamp,
    ) -> impl Future<Output = Result<Rollout, PortError>> + Send;
    /// Takes the lease of the sweep until then, unless another process has it.
    fn take_sweep(&self, until: Timestamp, now: Timestamp) -> impl Future<Output = Result<Lease, PortError>> + Send;
    /// Gives it back; one that another process has taken since stays with it.
    fn give_sweep_back(&self) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Where the last sweep stopped.
    fn cursor(&self) -> impl Future<Output = Result<Cursor, PortError>> + Send;
    /// A sweep stopped here.
    fn keep_cursor(&self, cursor: &Cursor) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Marks a session whose end nobody has been told; a mark that stands stays as it is.
    fn mark_untold(&self, id: &SessionId, now: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
    /// The marks that are due, the oldest first, with the time of each: at most one page.
    fn untold(&self, until: Timestamp) -> impl Future<Output = Result<Vec<(SessionId, Timestamp)>, PortError>> + Send;
    /// Moves a mark to its next try, or (`None`) takes it away.
    fn try_again_at(&self, id: &SessionId, at: Option<Timestamp>)
    -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Our table.
pub trait Workers: Shared {
    /// The current row, consistently.
    fn read(&self, id: &SessionId) -> impl Future<Output = Result<Option<WorkerRow>, PortError>> + Send;
    /// Writes the controller's part, if the row is still the one that was read.
    fn write(
        &self,
        id: &SessionId,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        now: Timestamp,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;
    /// Moves the next look, if the row is still open and the one that was read.
    fn look_again(&self, read: &WorkerRow, at: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
    /// A page of the rows that are not final, the most urgent first: those due until then, or (`None`) all.
    fn open(
        &self,
        until: Option<Timestamp>,
        after: Option<OpenRow>,
    ) -> impl Future<Output = Result<Page<OpenRow, OpenRow>, PortError>> + Send;
    /// The marks on strays of this session.
    fn strikes(&self, id: &SessionId) -> impl Future<Output = Result<Vec<Strike>, PortError>> + Send;
    /// Marks a stray, unless it is marked already.
    fn strike(
        &self,
        id: &SessionId,
        arn: &TaskArn,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Notes something in the row of this generation.
    fn note(&self, row: &WorkerRow, note: &Note) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Keeps the last noteworthy decision of a session, as JSON.
    fn keep_decision(
        &self,
        id: &SessionId,
        json: String,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// ECS.
pub trait Orchestrator {
    /// The tasks of the row's generation, and those of `hints`. Not knowing is an answer.
    fn tasks(&self, id: &SessionId, row: Option<&WorkerRow>, hints: &[TaskArn]) -> impl Future<Output = Tasks> + Send;
    /// Starts the task that this row's intent asks for.
    fn run_task(&self, row: &WorkerRow) -> impl Future<Output = Answer> + Send;
    /// Stops a task; one that ECS does not know any more is stopped.
    fn stop_task(&self, arn: &TaskArn, reason: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Every task of ours that runs. An error is no verdict on any.
    fn running(&self) -> impl Future<Output = Result<Vec<(SessionId, Task)>, PortError>> + Send;
}

/// Whoever wants to know what happens.
pub trait Bus {
    /// Tells these events. An error says that some may not have been told.
    fn publish(&self, events: &[LifecycleEvent]) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The signaling channels.
pub trait Channels {
    /// Deletes one; one that is gone already is deleted.
    fn delete(&self, arn: &ChannelArn) -> impl Future<Output = Result<(), PortError>> + Send;
}
