//! The capabilities that the handler asks for, each as narrow as it can be, so that tests put fakes in their place.

use crate::remedy::Remedy;
use controller_core::action::RowWrite;
use controller_core::capacity::Capacity;
use controller_core::launch::Answer;
use controller_core::model::{Policy, Strike, Task, Tasks};
use controller_core::triggers::Wake;
use controller_core::verdict::Evidence;
use schemas::ids::{ChannelArn, SessionId, TaskArn, Timestamp};
use schemas::lifecycle::{LifecycleEvent, Published};
use schemas::rollout::Rollout;
use schemas::session::SessionRecord;
use schemas::worker::WorkerRow;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
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

/// A row that is not final, as the index knows it: its keys, which no heartbeat changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRow {
    /// The session.
    pub session_id: SessionId,
    /// When somebody must look at the latest.
    pub next_look_at: Timestamp,
}

impl OpenRow {
    /// What the index says of a row; `None` for one that is final.
    #[must_use]
    pub fn of(row: &WorkerRow) -> Option<Self> {
        Some(Self { session_id: row.session_id.clone(), next_look_at: row.next_look_at? })
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
    /// The last session that had its turn.
    pub looked: Option<SessionId>,
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
    /// Takes the leave for one launch; false when none is left. When `known` says that there is no room, this launch goes to see: false when
    /// another went meanwhile.
    fn take_launch(
        &self,
        known: &Capacity,
        policy: &Policy,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;
    /// A launch found no room (since then), or there is some again (`None`).
    fn no_room_since(&self, at: Option<Timestamp>) -> impl Future<Output = Result<(), PortError>> + Send;
    /// RunTask was throttled: nothing is left for anybody.
    fn no_launch_is_left(&self, policy: &Policy, now: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Somebody waits for its turn: whoever comes anew goes behind it. Gives when a pass over the queue last began.
    fn somebody_waits(&self, now: Timestamp) -> impl Future<Output = Result<Option<Timestamp>, PortError>> + Send;
    /// Begins a pass over the queue, in which so many wait: false when another has begun since `known` was read.
    fn begin_pass(
        &self,
        known: &Capacity,
        waiting: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;
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
    /// A page of the rows that are not final, in no order that means anything.
    fn open(&self, after: Option<OpenRow>) -> impl Future<Output = Result<Page<OpenRow, OpenRow>, PortError>> + Send;
    /// Those of them that are queued. It is read every few seconds while somebody waits: the index keeps them apart.
    fn queued(&self) -> impl Future<Output = Result<Vec<OpenRow>, PortError>> + Send;
    /// The current rows of these sessions, not consistently: by hundreds, and what the table did not process again until it has. A row that
    /// is not there, or that nobody can read, is left out.
    fn read_many(&self, ids: &[SessionId]) -> impl Future<Output = Result<Vec<WorkerRow>, PortError>> + Send;
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
    /// The names of all tasks of ours that ECS wants to run. An error is no verdict on any.
    fn running(&self) -> impl Future<Output = Result<HashSet<TaskArn>, PortError>> + Send;
    /// What ECS says of these, by hundreds, each with the session and the generation that it was launched for; one that it does not know, or
    /// that is none of ours, is left out.
    fn described(&self, arns: &[TaskArn]) -> impl Future<Output = Result<Vec<(SessionId, Task)>, PortError>> + Send;
}

/// Timers, for what cannot wait for the next tick.
pub trait Timer {
    /// Hands this to the controller then, or within a second after. Best effort: a timer that is lost costs no more than the wait for the
    /// next tick. At most [`MOST_WAKES`] sessions in one.
    fn at(&self, when: Timestamp, wake: &Wake, now: Timestamp) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Sessions that one timer may wake: their names fit into one message of SQS (256 KiB), and their rows are read in ten calls.
pub const MOST_WAKES: usize = 1_000;

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
