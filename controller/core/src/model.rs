//! The facts that a decision is made from: plain data.

use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::SessionRecord;
use schemas::worker::{TaskFacts, WorkerRow};

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

impl View {
    /// The tasks of one generation, when ECS answered.
    pub fn tasks_of(&self, generation: Generation) -> impl Iterator<Item = &Task> {
        self.known_tasks().iter().filter(move |task| task.generation == generation)
    }

    /// Every task that ECS told us of; empty when it could not be asked.
    #[must_use]
    pub fn known_tasks(&self) -> &[Task] {
        match &self.tasks {
            Tasks::Known(tasks) => tasks,
            Tasks::Unknown(_) => &[],
        }
    }

    /// Whether ECS answered completely.
    #[must_use]
    pub fn tasks_are_known(&self) -> bool {
        match &self.tasks {
            Tasks::Known(_) => true,
            Tasks::Unknown(_) => false,
        }
    }

    /// The next launch: later than the row's and than any task that was ever seen, since a token is used once.
    #[must_use]
    pub fn next_generation(&self) -> Generation {
        let row = self.worker.as_ref().map_or(Generation(0), |row| row.generation);
        self.known_tasks().iter().map(|task| task.generation).fold(row, Generation::max).next()
    }
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
        status_is_stopped(&self.last_status)
    }

    /// Whether somebody has already asked ECS to stop it.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopped() || self.desired_status == "STOPPED"
    }

    /// What the row keeps of it.
    #[must_use]
    pub fn facts(&self, launched_at: Timestamp) -> TaskFacts {
        TaskFacts {
            arn: self.arn.clone(),
            last_status: self.last_status.clone(),
            launched_at,
            started_at: self.started_at,
            stopped_at: self.stopped_at,
            stop_code: self.stop_code.clone(),
            stopped_reason: self.stopped_reason.clone(),
            exit_code: self.exit_code,
        }
    }
}

/// Whether a task in this `lastStatus` has ended for good.
#[must_use]
pub fn status_is_stopped(last_status: &str) -> bool {
    last_status == "STOPPED" || last_status == "DELETED"
}

/// The numbers that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Look again after so long when RunTask was decided but no task is known yet, ms.
    pub confirm_ms: i64,
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
    /// A worker that ran for so long was healthy: its end is the first failure of a new count, ms.
    pub healthy_after_ms: i64,
    /// Wait for room after ECS had none, ms.
    pub capacity_wait_ms: i64,
    /// Wait before the second relaunch in a row, ms; doubles. The first relaunch does not wait.
    pub backoff_first_ms: i64,
    /// Longest wait before a relaunch, ms.
    pub backoff_most_ms: i64,
    /// Longest run of one session from its creation, ms.
    pub max_duration_ms: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            confirm_ms: 10_000,
            launch_deadline_ms: 180_000,
            heartbeat_deadline_ms: 30_000,
            drain_deadline_ms: 60_000,
            idle_look_ms: 60_000,
            restart_budget: 5,
            healthy_after_ms: 300_000,
            capacity_wait_ms: 15_000,
            backoff_first_ms: 1_000,
            backoff_most_ms: 60_000,
            max_duration_ms: 24 * 3_600_000,
        }
    }
}
