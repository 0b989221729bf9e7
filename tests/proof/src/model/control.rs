//! A controller: the loop of `controller/src/look.rs` and `act.rs`, one read or one effect at a time.

use super::mutation::{self, Mutation};
use super::state::{Session, State, Task, Wish, age, hash_row, session_id};
use super::{World, ecs};
use crate::invariants::{self, Basis, Violation};
use controller_core::action::{Action, RowWrite};
use controller_core::handover;
use controller_core::launch;
use controller_core::model::{Fleet, Tasks, View};
use schemas::ids::Timestamp;
use schemas::rollout::Rollout;
use schemas::session::SessionRecord;
use schemas::worker::{Phase, WorkerRow};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hash;
use std::sync::Arc;

/// One look at one session, under way.
#[derive(Debug, Clone)]
pub struct Look {
    /// Which session.
    pub session: usize,
    /// Who looks.
    pub eyes: Eyes,
    /// When it began.
    pub began: Timestamp,
    stage: Stage,
    row: Option<Arc<WorkerRow>>,
    version: u64,
    record: Option<SessionRecord>,
    wish: (Wish, u8),
}

/// What a look sees of the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Eyes {
    /// Those of the row's generation.
    Row,
    /// Those that a sweep has found running, too.
    Sweep,
    /// Those of the row's generation, in a sweep that has counted the handovers.
    Schedule {
        /// As many hand over.
        handing_over: u32,
    },
}

#[derive(Debug, Clone)]
enum Stage {
    Begun,
    Act { actions: Arc<[Action]>, next: usize },
    Record(Arc<RowWrite>),
}

/// How a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// As it should.
    Well,
    /// ECS cannot be asked for its tasks.
    Blind,
    /// RunTask starts the task, and its answer is lost.
    AnswerLost,
    /// RunTask starts nothing, and its answer is lost.
    NothingStarted,
    /// RunTask answers that there is no room.
    NoRoom,
    /// RunTask answers with the name of the task that has its token.
    Conflict,
}

impl Look {
    /// A look begins with the reading of our row (or, in a broken world, of theirs).
    #[must_use]
    pub fn begin(world: &World, state: &State, session: usize, eyes: Eyes) -> Self {
        let mut look = Self {
            session,
            eyes,
            began: state.now,
            stage: Stage::Begun,
            row: None,
            version: 0,
            record: None,
            wish: (Wish::Deleted, 0),
        };
        if world.mutation == Mutation::SessionReadFirst {
            look.read_session(&state.sessions[session]);
        } else {
            look.row.clone_from(&state.sessions[session].row);
        }
        look
    }

    fn read_session(&mut self, session: &Session) {
        self.record = session.record();
        self.version = session.version;
        self.wish = (session.wish, session.run);
    }

    /// Whether the next step asks ECS for tasks.
    #[must_use]
    pub fn is_about_to_decide(&self) -> bool {
        matches!(self.stage, Stage::Begun)
    }
    /// Whether the next step is RunTask.
    #[must_use]
    pub fn is_about_to_launch(&self) -> bool {
        match &self.stage {
            Stage::Act { actions, next } => matches!(actions.get(*next), Some(Action::RunTask { .. })),
            Stage::Begun | Stage::Record(_) => false,
        }
    }
    /// Whether anything was done already, so that dying now is different from never having looked.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        match &self.stage {
            Stage::Act { next, .. } => *next > 0,
            Stage::Record(_) => true,
            Stage::Begun => false,
        }
    }

    /// Whether its next write would be lost, so that nothing can come of it any more.
    #[must_use]
    pub fn is_lost(&self, world: &World, state: &State) -> bool {
        let write = match &self.stage {
            Stage::Act { actions, next } => match actions.get(*next) {
                Some(Action::Write(write)) => write.as_ref(),
                Some(_) | None => return false,
            },
            Stage::Record(write) => write.as_ref(),
            Stage::Begun => return false,
        };
        !would_be_taken(world, state.sessions[self.session].row.as_deref(), self.row.as_deref(), write)
    }

    /// Reads the rest and decides; `None` when there is nothing to do.
    #[must_use]
    pub fn decide(mut self, world: &World, state: &State, outcome: Outcome) -> Option<Self> {
        let session = &state.sessions[self.session];
        if world.mutation == Mutation::SessionReadFirst {
            self.row.clone_from(&session.row);
        } else {
            self.read_session(session);
        }
        let tasks = match outcome {
            Outcome::Blind => Tasks::Unknown("throttled".into()),
            Outcome::Well | Outcome::AnswerLost | Outcome::NothingStarted | Outcome::NoRoom | Outcome::Conflict => {
                Tasks::Known(ecs::tasks(world.mutation, session, self.session, self.row.as_deref(), self.eyes))
            }
        };
        let view = View {
            session_id: session_id(self.session),
            session: self.record.take(),
            worker: self.row.as_deref().cloned(),
            tasks,
            fleet: self.fleet(world, state),
            strikes: ecs::strikes(session, self.session),
        };
        let plan = mutation::reconcile(world.mutation, &view, &world.policy, state.now);
        if plan.actions.is_empty() {
            return None;
        }
        self.stage = Stage::Act { actions: plan.actions.into(), next: 0 };
        Some(self)
    }

    /// Of drains every look knows how many others there are: fewer of them begin in the real world, where a sweep has to count.
    fn fleet(&self, world: &World, state: &State) -> Fleet {
        let handing_over = match self.eyes {
            Eyes::Row | Eyes::Sweep => None,
            Eyes::Schedule { .. } if world.mutation == Mutation::HandoversAreNotCounted => Some(0),
            Eyes::Schedule { handing_over } => Some(handing_over),
        };
        let others = (0..state.sessions.len()).filter(|n| *n != self.session);
        let rows = others.filter_map(|n| state.sessions[n].row.as_deref());
        let draining = rows.filter(|row| handover::takes_a_place(row.phase, row.why.cause)).count();
        let versions = Some(Rollout { good: world.policy.task_definition.clone(), ..Rollout::default() });
        Fleet { handing_over, draining: u32::try_from(draining).ok(), versions, ..Fleet::default() }
    }

    /// Does the next effect; `None` when nothing is left to do.
    ///
    /// # Errors
    /// [`Violation`] when the effect breaks an invariant of steps.
    pub fn act(mut self, world: &World, state: &mut State, outcome: Outcome) -> Result<Option<Self>, Violation> {
        let (actions, next) = match self.stage.clone() {
            Stage::Begun => return Ok(self.decide(world, state, outcome)),
            Stage::Record(write) => {
                write_row(world, state, &self, &write)?;
                return Ok(None);
            }
            Stage::Act { actions, next } => (actions, next),
        };
        match &actions[next] {
            Action::Write(write) => match write_row(world, state, &self, write)? {
                Some(row) => self.row = Some(row),
                None => return Ok(None),
            },
            Action::LookAgain { at } => look_again(state, &self, *at),
            Action::Strike { arn } => ecs::strike(state, self.session, arn),
            // The model's versions are known to be good: verdicts are proved in the simulation.
            Action::DeleteChannel { .. } | Action::Judge(_) => {}
            Action::StopTask { arn, .. } => ecs::stop_task(state, self.session, arn, self.row.as_deref())?,
            Action::RunTask { generation } => {
                let answer = ecs::run_task(world, state, self.session, *generation, outcome)?;
                let row = self.row.clone().or_else(|| state.sessions[self.session].row.clone());
                let write = row.and_then(|row| launch::answered(&row, &answer, &world.policy, state.now));
                let Some(write) = write else { return Ok(None) };
                self.stage = Stage::Record(Arc::new(write));
                return Ok(Some(self));
            }
        }
        if next + 1 == actions.len() {
            return Ok(None);
        }
        self.stage = Stage::Act { actions, next: next + 1 };
        Ok(Some(self))
    }

    /// Everything that the rest of this look depends on.
    pub fn hash_at(&self, now: Timestamp, current: Option<&WorkerRow>, hasher: &mut DefaultHasher) {
        (self.session, self.eyes, age(Some(self.began), now, 1), self.version, self.wish).hash(hasher);
        hash_row(self.row.as_deref(), now, hasher);
        let behind = (current.map(|row| row.revision), self.row.as_ref().map(|row| row.revision));
        match behind {
            (Some(current), Some(read)) => (1_u8, current.wrapping_sub(read)).hash(hasher),
            (current, read) => (2_u8, current.is_some(), read.is_some()).hash(hasher),
        }
        let hold = |row: &WorkerRow| row.operator.hold.as_ref().map(|hold| hold.until);
        (current.and_then(hold) == self.row.as_deref().and_then(hold)).hash(hasher);
        match &self.stage {
            Stage::Begun => 0_u8.hash(hasher),
            Stage::Act { actions, next } => {
                (1_u8, actions.len() - next).hash(hasher);
                actions[*next..].iter().for_each(|action| hash_action(action, now, hasher));
            }
            Stage::Record(write) => {
                2_u8.hash(hasher);
                hash_write(write, now, hasher);
            }
        }
    }
}

/// Whether the real table would take this write: revision and phase must be the ones that were read, and the heartbeat too
/// when the write gives the worker up.
fn would_be_taken(world: &World, current: Option<&WorkerRow>, read: Option<&WorkerRow>, write: &RowWrite) -> bool {
    let lock = |row: &WorkerRow| {
        let heartbeat = row.worker.as_ref().map(|worker| worker.heartbeat_at).filter(|_| write.gives_up(row));
        let hold = row.operator.hold.as_ref().filter(|_| world.mutation != Mutation::HoldIsNoLock);
        (row.revision, row.phase, heartbeat, hold.map(|hold| hold.until))
    };
    world.mutation == Mutation::WriteWithoutLock || current.map(lock) == read.map(lock)
}

fn write_row(
    world: &World,
    state: &mut State,
    look: &Look,
    write: &RowWrite,
) -> Result<Option<Arc<WorkerRow>>, Violation> {
    let now = state.now;
    let session = &mut state.sessions[look.session];
    if !would_be_taken(world, session.row.as_deref(), look.row.as_deref(), write) {
        return Ok(None);
    }
    let after = write.applied(session.row.as_deref(), &session_id(look.session), now);
    let ends = |row: &WorkerRow| row.phase.is_final() || row.phase == Phase::Draining;
    if let Some(before) = &session.row {
        let basis = Basis { read: look.version, ended_by: session.ended_by };
        invariants::reason_never_worsens(before, &after, basis)?;
        // A row that was told that there is no room knows of no task, even if another call has started one with the same token.
        let waits = before.phase == Phase::Queued && before.task.is_none();
        let lives = |task: &Task| task.lease == before.generation && !task.is_over() && !waits;
        let lives = session.tasks.iter().any(lives);
        invariants::held_row_untouched(before, &after, lives, now)?;
    }
    session.between_workers = invariants::is_between_workers(session.between_workers, session.row.as_deref(), &after);
    if ends(&after) && session.row.as_ref().is_none_or(|row| !ends(row) || row.generation != after.generation) {
        session.ended_by = look.version;
    }
    session.given_up = session.given_up.max(invariants::given_up(&after));
    session.announced = session.announced.max(after.generation);
    let after = Arc::new(after);
    session.row = Some(after.clone());
    Ok(Some(after))
}

fn look_again(state: &mut State, look: &Look, at: Timestamp) {
    if let Some(row) = &mut state.sessions[look.session].row
        && look.row.as_ref().is_some_and(|read| read.revision == row.revision)
        && !row.phase.is_final()
    {
        Arc::make_mut(row).next_look_at = Some(at);
    }
}

fn hash_action(action: &Action, now: Timestamp, hasher: &mut DefaultHasher) {
    match action {
        Action::Write(write) => hash_write(write, now, hasher),
        Action::LookAgain { at } => (2_u8, age(Some(*at), now, 0)).hash(hasher),
        Action::RunTask { generation } => (3_u8, generation).hash(hasher),
        Action::StopTask { arn, .. } => (4_u8, arn.as_str()).hash(hasher),
        Action::Strike { arn } => (5_u8, arn.as_str()).hash(hasher),
        Action::DeleteChannel { arn } => (6_u8, arn.as_str()).hash(hasher),
        Action::Judge(_) => 7_u8.hash(hasher),
    }
}

fn hash_write(write: &RowWrite, now: Timestamp, hasher: &mut DefaultHasher) {
    let transition = write.transition.as_ref().map(|t| (t.phase, t.why.cause));
    let task = write.task.as_ref().map(|task| (task.arn.as_str(), task.last_status.as_str(), task.exit_code));
    let intent = write.intent.as_ref().map(|intent| (intent.desired, intent.channel_arn.as_ref()));
    let restarts = (write.restarts.consecutive, age(write.restarts.not_before, now, 0));
    (1_u8, write.generation, transition, task, intent, restarts, age(write.next_look_at, now, 0)).hash(hasher);
}
