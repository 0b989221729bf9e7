//! The facts that a decision is made from: plain data.

use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::SessionRecord;
use schemas::worker::WorkerRow;

/// One session, read afresh.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The session.
    pub session_id: SessionId,
    /// Their row; `None` when there is none.
    pub session: Option<SessionRecord>,
    /// Our row; `None` when there is none yet.
    pub worker: Option<WorkerRow>,
    /// The tasks that ECS knows for this session.
    pub tasks: Tasks,
}

/// What ECS says. Not knowing is a fact of its own: never a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tasks {
    /// ECS answered completely.
    Known(Vec<Task>),
    /// ECS could not be asked, or the answer was incomplete.
    Unknown(String),
}

/// One ECS task of this session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The task.
    pub arn: TaskArn,
    /// The launch that it belongs to, from its `startedBy`.
    pub generation: Generation,
    /// `lastStatus`.
    pub last_status: String,
    /// `desiredStatus`.
    pub desired_status: String,
    /// When the container started.
    pub started_at: Option<Timestamp>,
    /// When it was STOPPED.
    pub stopped_at: Option<Timestamp>,
    /// `stopCode`.
    pub stop_code: Option<String>,
    /// `stoppedReason`.
    pub stopped_reason: Option<String>,
    /// Exit code of the worker's container.
    pub exit_code: Option<i32>,
}

impl Task {
    /// Whether ECS has let it go.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.last_status == "STOPPED" || self.last_status == "DELETED"
    }
}

/// The numbers that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Longest from RunTask to the worker's first heartbeat, ms.
    pub launch_deadline_ms: i64,
    /// Longest without a heartbeat, ms.
    pub heartbeat_deadline_ms: i64,
    /// Longest from the wish to stop to the task's end, ms, before StopTask.
    pub drain_deadline_ms: i64,
    /// Look again at a healthy session after so long, ms.
    pub idle_look_ms: i64,
    /// Launches in a row that may fail.
    pub restart_budget: u32,
    /// First wait before a relaunch, ms; doubles.
    pub backoff_first_ms: i64,
    /// Longest wait before a relaunch, ms.
    pub backoff_most_ms: i64,
    /// Longest run of one session, ms.
    pub max_duration_ms: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            launch_deadline_ms: 180_000,
            heartbeat_deadline_ms: 30_000,
            drain_deadline_ms: 60_000,
            idle_look_ms: 60_000,
            restart_budget: 5,
            backoff_first_ms: 1_000,
            backoff_most_ms: 60_000,
            max_duration_ms: 24 * 3_600_000,
        }
    }
}
