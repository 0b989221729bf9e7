//! What a decision consists of.

use crate::handover;
use crate::verdict::Evidence;
use schemas::ids::{ChannelArn, Generation, TaskArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Intent, Phase, Restarts, TaskFacts, WorkerRow};
use serde::{Deserialize, Serialize};

/// What one session needs now. Actions are done in order; the first that fails ends the plan, and the next look tries again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What to do.
    pub actions: Vec<Action>,
    /// When to look again at the latest; `None` when nothing more can happen by itself.
    pub next_look: Option<Timestamp>,
    /// The rule that decided, for people.
    pub why: Option<Why>,
}

impl Plan {
    /// Nothing to do before `next_look`.
    #[must_use]
    pub fn rest(next_look: Option<Timestamp>) -> Self {
        Self { actions: Vec::new(), next_look, why: None }
    }

    /// Write the row, then whatever [`Plan::then`] adds.
    #[must_use]
    pub fn write(write: RowWrite) -> Self {
        let why = write.transition.as_ref().map(|t| t.why.clone());
        let next_look = write.next_look_at;
        Self { actions: vec![Action::Write(Box::new(write))], next_look, why }
    }

    /// The same plan with one more effect at its end.
    #[must_use]
    pub fn then(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    /// Whether the plan calls RunTask, or begins a handover that will: both need leave of the whole fleet.
    #[must_use]
    pub fn needs_leave(&self) -> bool {
        self.launches() || handover::is_begun_by(self)
    }

    /// Whether the plan calls RunTask.
    #[must_use]
    pub fn launches(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::RunTask { .. }))
    }

    /// Whether the plan does more than move the time of the next look.
    #[must_use]
    pub fn is_noteworthy(&self) -> bool {
        self.actions.iter().any(|action| match action {
            Action::Write(_) | Action::RunTask { .. } | Action::StopTask { .. } | Action::DeleteChannel { .. } => true,
            Action::LookAgain { .. } | Action::Strike { .. } | Action::Judge(_) => false,
        })
    }
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Write the row: the intent of everything that follows. Conditional on the revision and the phase that were read (or
    /// on there being no row).
    Write(Box<RowWrite>),
    /// Only move the time of the next look in the row; nothing else changes.
    LookAgain {
        /// The new time.
        at: Timestamp,
    },
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
    /// Mark a task that no row speaks of; a later sweep stops it if it is still so.
    Strike {
        /// The task.
        arn: TaskArn,
    },
    /// Note what this session says of its version, before anything else: the next pass decides with it.
    Judge(Evidence),
    /// Delete the signaling channel of a run that has ended for good.
    DeleteChannel {
        /// The channel.
        arn: ChannelArn,
    },
}

/// A change of phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// The phase from now on.
    pub phase: Phase,
    /// Why.
    pub why: Why,
}

/// The controller's part of the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowWrite {
    /// The launch that the row speaks of from now on.
    pub generation: Generation,
    /// The new phase; `None` leaves phase, `phaseSince` and `why` to whatever the worker has written by then.
    pub transition: Option<Transition>,
    /// The intent; `None` for a row that could never be served.
    pub intent: Option<Intent>,
    /// What ECS said.
    pub task: Option<TaskFacts>,
    /// Launches in a row that failed.
    pub restarts: Restarts,
    /// When to look again; `None` in a final phase.
    pub next_look_at: Option<Timestamp>,
    /// The row of the generation that ends here, to be kept as its history.
    pub archive: Option<Box<WorkerRow>>,
}

impl RowWrite {
    /// Everything as it stands in the row.
    #[must_use]
    pub fn keep(row: &WorkerRow) -> Self {
        Self {
            generation: row.generation,
            transition: None,
            intent: row.intent.clone(),
            task: row.task.clone(),
            restarts: row.restarts.clone(),
            next_look_at: row.next_look_at,
            archive: None,
        }
    }

    /// Whether this write asks the worker to hand over.
    #[must_use]
    pub fn hands_over(&self) -> bool {
        let drains = self.transition.as_ref().is_some_and(|to| to.phase == Phase::Draining);
        drains && self.intent.as_ref().is_some_and(|intent| matches!(intent.desired, Desired::HandOver { .. }))
    }

    /// Whether this write gives up the worker of the row that it replaces. It must not be taken when that worker has written
    /// since: its lease would outlast its successor's first word.
    #[must_use]
    pub fn gives_up(&self, read: &WorkerRow) -> bool {
        let queued = self.transition.as_ref().is_some_and(|transition| transition.phase == Phase::Queued);
        read.worker.is_some() && !read.phase.is_final() && (queued || self.generation != read.generation)
    }

    /// A change of phase; a final phase has no next look.
    #[must_use]
    pub fn to(mut self, phase: Phase, why: Why) -> Self {
        if phase.is_final() {
            self.next_look_at = None;
        }
        self.transition = Some(Transition { phase, why });
        self
    }

    /// The row as it reads after this write at `now`. The worker's section stays, unless the generation changes.
    #[must_use]
    pub fn applied(&self, read: Option<&WorkerRow>, session_id: &schemas::ids::SessionId, now: Timestamp) -> WorkerRow {
        let same_generation = read.filter(|row| row.generation == self.generation);
        let (phase, phase_since, why) = match (&self.transition, read) {
            (Some(t), Some(row)) if t.phase == row.phase && same_generation.is_some() => {
                (t.phase, row.phase_since, t.why.clone())
            }
            (Some(t), _) => (t.phase, now, t.why.clone()),
            (None, Some(row)) => (row.phase, row.phase_since, row.why.clone()),
            (None, None) => {
                let why = Why::new(Cause::Unknown, "a first write without a phase", now);
                (Phase::Failed, now, why)
            }
        };
        WorkerRow {
            session_id: session_id.clone(),
            schema: 1,
            revision: read.map_or(1, |row| row.revision + 1),
            generation: self.generation,
            phase,
            phase_since,
            why,
            next_look_at: self.next_look_at.filter(|_| !phase.is_final()),
            intent: self.intent.clone(),
            task: self.task.clone(),
            restarts: self.restarts.clone(),
            worker: same_generation.and_then(|row| row.worker.clone()),
            operator: read.map(|row| row.operator.clone()).unwrap_or_default(),
            published: read.and_then(|row| row.published.clone()),
            channel_deleted_at: same_generation.and_then(|row| row.channel_deleted_at),
        }
    }
}
