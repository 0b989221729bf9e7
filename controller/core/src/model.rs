//! The facts that a decision is made from: plain data.

use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::rollout::Rollout;
use schemas::session::SessionRecord;
use schemas::worker::{HEALTHY_AFTER_MS, RESTART_BUDGET, TaskFacts, WorkerRow};
use serde::{Deserialize, Serialize};

/// One session, read afresh.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The session.
    pub session_id: SessionId,
    /// Their row; `None` when there is none.
    pub session: Option<SessionRecord>,
    /// Our row; `None` when there is none yet.
    pub worker: Option<WorkerRow>,
    /// The tasks that ECS knows for this session.
    pub tasks: Tasks,
    /// What the decision needs to know of all the other sessions.
    #[serde(default)]
    pub fleet: Fleet,
    /// Tasks of this session that an earlier sweep saw astray.
    #[serde(default)]
    pub strikes: Vec<Strike>,
}

/// What one decision needs to know of the whole fleet. The default restrains nothing and begins nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fleet {
    /// How many tasks may be started now without running into the rate of RunTask.
    pub launches_left: u32,
    /// Sessions that wait for their turn and have waited longer than this one.
    pub ahead: u32,
    /// Whether the last launch found no room, so that one session at a time goes to see whether there is some.
    pub no_room: bool,
    /// Sessions whose worker hands over at this moment; `None` when nobody has counted, which is no leave to begin another.
    pub handing_over: Option<u32>,
    /// Sessions that are between two workers at this moment because of a drain, a restart or a rollout, which is the lane of drains; `None` when nobody
    /// has counted, which is no leave to begin another.
    pub draining: Option<u32>,
    /// Whether a worker has said lately that Transcribe gives the account no further stream.
    pub streams_are_full: bool,
    /// What is known of the versions of the worker; `None` when nobody has read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Rollout>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            launches_left: u32::MAX,
            ahead: 0,
            no_room: false,
            handing_over: None,
            draining: None,
            streams_are_full: false,
            versions: None,
        }
    }
}

/// A mark on a task that no row spoke of when a sweep saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Strike {
    /// The task.
    pub arn: TaskArn,
    /// When it was first seen so.
    pub at: Timestamp,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tasks {
    /// ECS answered completely.
    Known(Vec<Task>),
    /// ECS could not be asked, or the answer was incomplete.
    Unknown(String),
}

/// One ECS task of this session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The task.
    pub arn: TaskArn,
    /// What it belongs to, as [`generation_of`] reads it.
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

/// The generation that a task belongs to. What the row says comes first: a worker that was started again within its task has claimed
/// a later one than its launch's (`launched`, from the task's `startedBy`; `None` when that names no launch of this session).
#[must_use]
pub fn generation_of(row: Option<&WorkerRow>, arn: &TaskArn, launched: Option<Generation>) -> Option<Generation> {
    row.filter(|row| row.names(arn)).map(|row| row.generation).or(launched)
}

/// Whether a task in this `lastStatus` has ended for good.
#[must_use]
pub fn status_is_stopped(last_status: &str) -> bool {
    last_status == "STOPPED" || last_status == "DELETED"
}

/// See [`Policy::bake_ms`].
const BAKE_MS: i64 = 300_000;

/// The numbers that decisions depend on. A decision that an older release kept lacks the newer ones: they are as usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// Look again after so long when RunTask was decided but no task is known yet, ms.
    pub confirm_ms: i64,
    /// Longest from RunTask to the worker's first heartbeat, ms.
    pub launch_deadline_ms: i64,
    /// Longest without a heartbeat, ms. The second look 3 s later makes it the 30 s of a worker's lease.
    pub heartbeat_deadline_ms: i64,
    /// Longest from the wish to stop to the task's end, ms, before StopTask.
    pub drain_deadline_ms: i64,
    /// Look again at a healthy session after so long, ms.
    pub idle_look_ms: i64,
    /// Launches and workers in a row that may fail; workers that are started again in place count by [`RESTART_BUDGET`].
    pub restart_budget: u32,
    /// A worker that ran for so long was healthy: its end is the first failure of a new count, ms.
    pub healthy_after_ms: i64,
    /// A session that a fault of AWS or of ours keeps from being served is tried again after so long, ms, when the restart budget is spent.
    pub park_ms: i64,
    /// Wait for room after ECS had none, ms.
    pub capacity_wait_ms: i64,
    /// Wait before the second relaunch in a row, ms; doubles. The first relaunch does not wait.
    pub backoff_first_ms: i64,
    /// Longest wait before a relaunch, ms.
    pub backoff_most_ms: i64,
    /// Longest run of one session from its creation, ms.
    pub max_duration_ms: i64,
    /// RunTask calls per second that AWS sustains (and that the whole account shares).
    pub launches_per_second: u32,
    /// RunTask calls that may come at once after a quiet time.
    pub launch_burst: u32,
    /// Look again after so long at a session that waits for its turn to launch, ms.
    pub admission_wait_ms: i64,
    /// The task definition (ARN with revision) of new launches; `None` when nobody told.
    pub task_definition: Option<String>,
    /// Whether workers of another task definition are replaced.
    pub rollout: Switch,
    /// A worker that has heard its speaker for so long, ms, speaks for its version.
    pub bake_ms: i64,
    /// How long a worker that hands over may wait for a silence of the speaker, ms; with the worker's own end it stays below
    /// the drain deadline.
    pub silence_wait_ms: i64,
    /// A stage may lag behind the one before it for so long, ms, before the worker is replaced; far longer than the worker's
    /// own remedies take.
    pub stuck_ms: i64,
    /// A task that no row speaks of is stopped when an earlier sweep saw it so at least this long ago, ms.
    pub strike_ms: i64,
    /// Whether the signaling channel of a run that has ended for good is deleted.
    pub channel_cleanup: Switch,
    /// The channel of an ended run is kept for so long, ms.
    pub channel_grace_ms: i64,
}

/// Whether a policy is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            confirm_ms: 10_000,
            launch_deadline_ms: 180_000,
            heartbeat_deadline_ms: 27_000,
            drain_deadline_ms: 60_000,
            idle_look_ms: 60_000,
            restart_budget: RESTART_BUDGET,
            healthy_after_ms: HEALTHY_AFTER_MS,
            park_ms: 180_000,
            capacity_wait_ms: 15_000,
            backoff_first_ms: 1_000,
            backoff_most_ms: 60_000,
            max_duration_ms: 24 * 3_600_000,
            launches_per_second: 20,
            launch_burst: 100,
            admission_wait_ms: 2_000,
            task_definition: None,
            rollout: Switch::Off,
            bake_ms: BAKE_MS,
            silence_wait_ms: 30_000,
            stuck_ms: 180_000,
            strike_ms: 50_000,
            channel_cleanup: Switch::Off,
            channel_grace_ms: 600_000,
        }
    }
}
