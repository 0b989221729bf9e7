//! What a decision consists of.

use schemas::ids::{Generation, TaskArn, Timestamp};
use schemas::reason::Why;
use schemas::worker::{Intent, Phase, TaskFacts};

/// What one session needs now. Actions are done in order; the first that fails ends the plan, and the next look tries again.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do.
    pub actions: Vec<Action>,
    /// When to look again at the latest; `None` when nothing more can happen by itself.
    pub next_look: Option<Timestamp>,
    /// The rule that decided, for people.
    pub why: Option<Why>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write the row: the intent of everything that follows. Conditional on the revision that was read (or on there being no row).
    Write(Box<RowWrite>),
    /// Start the task of this generation. Every parameter is derived from the row.
    RunTask {
        /// The launch.
        generation: Generation,
    },
    /// Stop this task.
    StopTask {
        /// The task.
        arn: TaskArn,
        /// What ECS shall show as the reason.
        reason: String,
    },
}

/// The controller's part of the row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowWrite {
    /// The launch that the row speaks of from now on.
    pub generation: Generation,
    /// The phase from now on.
    pub phase: Phase,
    /// Why.
    pub why: Why,
    /// The intent; `None` for a row that could never be served.
    pub intent: Option<Intent>,
    /// What ECS said.
    pub task: Option<TaskFacts>,
    /// Launches in a row that failed.
    pub restarts: schemas::worker::Restarts,
    /// When to look again; `None` in a final phase.
    pub next_look_at: Option<Timestamp>,
    /// Keep the row of the generation that ends here as its history.
    pub archive: bool,
}
