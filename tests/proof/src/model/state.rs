//! What is remembered between two events, and which states are the same.

use super::control::Look;
use super::mutation::Mutation;
use super::operator;
use super::{TICK, World};
use crate::exit::Exit;
use crate::invariants::{self, Seen, Violation};
use controller_core::model::Switch;
use controller_core::rollout;
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::{SessionRecord, read_session};
use schemas::worker::{Phase, WorkerRow};
use serde_json::json;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};
use worker_core::start::Claim;

/// When the world begins.
pub const EPOCH: Timestamp = Timestamp(1_800_000_000_000);
/// Times that are further away than this are not told apart, ticks. No deadline of the policy is longer.
pub const FAR: i64 = 6;
/// A worker may speak for so long after its last heartbeat that was taken, ms: as long as the heartbeat deadline, as in the
/// real worker.
pub const LEASE: i64 = 2 * TICK;
/// A worker that cannot reach the table goes on for so long after its last heartbeat that was taken, ms: longer than its successor
/// needs to speak, as in the real worker.
pub const STAY: i64 = 5 * TICK;

/// Everything.
#[derive(Debug, Clone)]
pub struct State {
    /// The time.
    pub now: Timestamp,
    /// The sessions.
    pub sessions: Vec<Session>,
    /// What each controller is at; `None` when it is idle.
    pub controllers: Vec<Option<Look>>,
    /// Faults that may still happen.
    pub faults: u8,
    /// Changes of session rows that may still happen.
    pub edits: u8,
    /// Orders of operators that may still be written.
    pub orders: u8,
}

/// One session and all that belongs to it.
#[derive(Debug, Clone)]
pub struct Session {
    /// What their row says.
    pub wish: Wish,
    /// How often their row has changed.
    pub version: u64,
    /// Which channel stands in their row.
    pub run: u8,
    /// Our row.
    pub row: Option<Arc<WorkerRow>>,
    /// Tasks that were ever started.
    pub tasks: Vec<Task>,
    /// What restarted processes have read and are about to write, by the number of their task.
    pub claims: Vec<(usize, Arc<Claim>)>,
    /// The newest generation that was ever written (seen by the invariants only).
    pub announced: Generation,
    /// The newest generation that a row was written to give up (seen by the invariants only).
    pub given_up: Generation,
    /// The version of their row that the ending in our row rests on (seen by the invariants only).
    pub ended_by: u64,
    /// Whether it is between two workers because of a handover (seen by the invariants only).
    pub between_workers: bool,
}

/// What a session row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wish {
    /// `status` active.
    Active,
    /// `status` paused.
    Paused,
    /// `status` ended.
    Ended,
    /// No row.
    Deleted,
}

/// One ECS task with its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Task {
    /// Its launch.
    pub generation: Generation,
    /// The generation that its process serves as: its launch's, or a later one that it claimed when it was started again in place.
    pub lease: Generation,
    /// Whether ListTasks and DescribeTasks show it yet.
    pub listed: bool,
    /// What ECS says of it.
    pub told: Told,
    /// Whether ECS was asked to stop it.
    pub stopping: bool,
    /// Since when it was started, asked to stop, or has exited: ECS is bounded in how long it takes.
    pub since: Timestamp,
    /// The process.
    pub worker: Process,
    /// When its worker last confirmed its lease.
    pub confirmed: Option<Timestamp>,
    /// When a sweep first saw it astray.
    pub struck: Option<Timestamp>,
}

/// `lastStatus`, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Told {
    /// PROVISIONING.
    Provisioning,
    /// RUNNING.
    Running,
    /// STOPPED.
    Stopped,
}

/// What a worker's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// It is on its way.
    Booting,
    /// It is on its way and never arrives.
    Stuck,
    /// It crashed, ECS has started it again in place, and it has not read its row yet.
    Restarted,
    /// It has read its row and is about to claim the next generation.
    Claiming,
    /// It serves and heartbeats.
    Serving,
    /// It serves, and cannot reach the table.
    CutOff,
    /// It does nothing at all.
    Hung,
    /// It was asked to end and flushes the last words.
    Flushing,
    /// It has ended.
    Exited(Exit),
}

impl Session {
    /// Wanted, and nobody has looked yet.
    #[must_use]
    pub fn active() -> Self {
        Self {
            wish: Wish::Active,
            version: 1,
            run: 1,
            row: None,
            tasks: Vec::new(),
            claims: Vec::new(),
            announced: Generation(0),
            given_up: Generation(0),
            ended_by: 0,
            between_workers: false,
        }
    }

    /// The row as the controller reads it.
    #[must_use]
    pub fn record(&self) -> Option<SessionRecord> {
        let status = match self.wish {
            Wish::Deleted => return None,
            Wish::Active => 0,
            Wish::Paused => 1,
            Wish::Ended => 2,
        };
        Some(RECORDS[usize::from(self.run.min(7)) * 3 + status].clone())
    }

    /// The generation of the row.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.row.as_ref().map_or(Generation(0), |row| row.generation)
    }

    /// Whether the wish is a worker that serves this very run.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        matches!(self.wish, Wish::Active | Wish::Paused)
    }

    /// Its workers as the world sees them.
    pub fn workers(&self, mutation: Mutation, now: Timestamp) -> impl Iterator<Item = Seen> + Clone {
        let current = self.row.as_ref().filter(|row| !row.phase.is_final()).map(|row| row.generation);
        self.tasks.iter().filter(|task| task.runs()).map(move |task| Seen {
            generation: task.lease,
            can_write: current == Some(task.lease) || mutation == Mutation::WorkerWithoutFence,
            may_speak: task.speaks(now) || (mutation == Mutation::WorkerWithoutLease && task.is_awake()),
            stays: task.stays(now),
            // One that has never reached the table has never begun to speak.
            overstays: task.worker == Process::CutOff
                && task.confirmed.is_some()
                && task.unconfirmed(now) >= STAY
                && mutation != Mutation::WorkerWithoutLease,
        })
    }
}

impl Task {
    /// The times that its future depends on: `since` while something is awaited, `confirmed` while it may speak.
    fn times_that_matter(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let awaited = match self.worker {
            Process::Booting | Process::Restarted | Process::Claiming | Process::Flushing => true,
            Process::Stuck | Process::Serving | Process::CutOff | Process::Hung => self.stopping,
            Process::Exited(_) => self.told != Told::Stopped,
        };
        (awaited.then_some(self.since), self.confirmed.filter(|_| !self.is_over()))
    }
    /// Whether its process runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.worker, Process::Serving | Process::CutOff | Process::Hung | Process::Flushing)
    }
    /// Whether anything of it is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.worker, Process::Exited(_))
    }
    /// Whether its process does anything.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        matches!(self.worker, Process::Serving | Process::CutOff | Process::Flushing)
    }
    /// Whether its worker may speak to listeners.
    #[must_use]
    pub fn speaks(&self, now: Timestamp) -> bool {
        self.is_awake() && self.unconfirmed(now) < LEASE
    }
    /// Whether its worker speaks past its lease, because it cannot reach the table.
    #[must_use]
    pub fn stays(&self, now: Timestamp) -> bool {
        self.worker == Process::CutOff && (LEASE..STAY).contains(&self.unconfirmed(now))
    }
    /// How long ago its last heartbeat was taken, ms.
    fn unconfirmed(&self, now: Timestamp) -> i64 {
        self.confirmed.map_or(i64::MAX, |at| now.since(at))
    }
}

/// The id of the nth session.
#[must_use]
pub fn session_id(session: usize) -> SessionId {
    SessionId::try_new(format!("calm-river-{session}")).expect("a session id")
}

/// The ARN of the nth task of a session; a task of the same generation twice (which never happens) shares it.
#[must_use]
pub fn arn(session: usize, generation: Generation) -> TaskArn {
    ARNS[session.min(1)][usize::try_from(generation.0).unwrap_or(0).min(31)].clone()
}

static ARNS: LazyLock<[Vec<TaskArn>; 2]> = LazyLock::new(|| {
    [0, 1].map(|session| {
        let arn = |generation| format!("arn:aws:ecs:us-east-1:123456789012:task/workers/{session}{generation:031}");
        (0..32).map(|generation| TaskArn::try_new(arn(generation)).expect("an ARN")).collect()
    })
});

static RECORDS: LazyLock<Vec<SessionRecord>> = LazyLock::new(|| {
    let record = |run: usize, status: &str| {
        let channel = format!("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-calm-river/{run}");
        let row = json!({
            "sessionId": "calm-river-0", "status": status, "sourceLanguage": "en", "kvsChannelArn": channel,
            "expiresAt": EPOCH.0 / 1_000 + 86_400,
        });
        read_session(row.as_object().expect("an object"))
    };
    (0..8).flat_map(|run| ["active", "paused", "ended"].map(|status| record(run, status))).collect()
});

impl State {
    /// The invariants of states.
    ///
    /// # Errors
    /// [`Violation`] of the first that does not hold.
    pub fn check(&self, world: &World) -> Result<(), Violation> {
        for session in &self.sessions {
            let workers = session.workers(world.mutation, self.now);
            invariants::at_most_one_writer(workers.clone())?;
            let spoken = session.tasks.iter().filter(|task| task.confirmed.is_some()).map(|task| task.lease);
            invariants::listeners_follow_the_newest(workers, spoken, |following, generation| {
                following.takes(Some(generation)) || world.mutation == Mutation::ListenersFollowAnybody
            })?;
            invariants::at_most_one_task_per_generation(session.tasks.iter().map(|task| task.generation))?;
            invariants::at_most_one_task_per_generation(session.tasks.iter().map(|task| task.lease))?;
        }
        if world.policy.rollout == Switch::On && world.orders == 0 {
            invariants::one_handover_at_a_time(self.sessions.iter().filter(|s| s.between_workers).count())?;
        }
        Ok(())
    }

    /// The same for states that behave the same: times relative to now, controllers in any order.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.faults, self.edits, self.orders).hash(&mut hasher);
        for session in &self.sessions {
            (session.wish, session.version, session.run, session.ended_by, session.given_up).hash(&mut hasher);
            session.between_workers.hash(&mut hasher);
            hash_row(session.row.as_deref(), self.now, &mut hasher);
            let mut tasks = session.tasks.clone();
            tasks.sort_unstable_by_key(|task| task.generation);
            for task in tasks {
                (task.generation, task.lease, task.listed, task.told, task.stopping, task.worker).hash(&mut hasher);
                let (since, confirmed) = task.times_that_matter();
                // Only who cannot reach the table goes on for longer than a lease.
                let told_apart = if task.worker == Process::CutOff { STAY / TICK } else { LEASE / TICK };
                (self.age(since, 2), self.age(confirmed, told_apart), self.age(task.struck, 1)).hash(&mut hasher);
            }
        }
        for session in &self.sessions {
            for (task, claim) in &session.claims {
                let stands = session.row.as_deref().is_some_and(|row| claim.stands(row));
                (session.tasks[*task].generation, stands, claim.after.generation).hash(&mut hasher);
                claim.after.restarts.consecutive.hash(&mut hasher);
            }
        }
        let mut looks: Vec<u64> = self.controllers.iter().map(|look| self.hash_look(look.as_ref())).collect();
        looks.sort_unstable();
        looks.hash(&mut hasher);
        hasher.finish()
    }

    /// Sessions that a sweep counts as handing over.
    #[must_use]
    pub fn handing_over(&self) -> u32 {
        let open =
            self.sessions.iter().filter_map(|session| session.row.as_deref()).filter(|row| !row.phase.is_final());
        u32::try_from(open.filter(|row| rollout::counts(row.phase, row.why.cause)).count()).unwrap_or(u32::MAX)
    }

    fn age(&self, at: Option<Timestamp>, ticks: i64) -> i64 {
        age(at, self.now, ticks)
    }

    fn hash_look(&self, look: Option<&Look>) -> u64 {
        let Some(look) = look else { return 0 };
        let mut hasher = DefaultHasher::new();
        look.hash_at(self.now, self.sessions[look.session].row.as_deref(), &mut hasher);
        hasher.finish()
    }
}

/// How long ago a time is, ms; what is longer ago than so many ticks, or still to come for longer, is all the same.
#[must_use]
pub fn age(at: Option<Timestamp>, now: Timestamp, ticks: i64) -> i64 {
    at.map_or(i64::MIN, |at| now.since(at).clamp(-FAR * TICK, ticks * TICK))
}

/// Everything of a row that decisions depend on.
pub fn hash_row(row: Option<&WorkerRow>, now: Timestamp, hasher: &mut DefaultHasher) {
    let Some(row) = row else { return 0_u8.hash(hasher) };
    (row.generation, row.phase, row.why.cause).hash(hasher);
    // Since when matters for the phases that have a deadline or a grace of their own, the longest of three ticks; a look that is
    // overdue is overdue.
    let since = match row.phase {
        Phase::Launching | Phase::Joining | Phase::Draining | Phase::Stopped | Phase::Failed => Some(row.phase_since),
        Phase::Queued | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused => None,
    };
    (age(since, now, 3), age(row.next_look_at, now, 0)).hash(hasher);
    if let Some(intent) = &row.intent {
        (intent.desired, intent.channel_arn.as_ref(), intent.task_definition.as_deref()).hash(hasher);
    }
    operator::hash(row, now, hasher);
    if let Some(task) = &row.task {
        (task.last_status.as_str(), task.exit_code, task.stop_code.as_deref(), task.arn.as_str()).hash(hasher);
    }
    let restarts = &row.restarts;
    (restarts.consecutive, age(restarts.not_before, now, 0)).hash(hasher);
    if let Some(worker) = row.worker.as_ref().filter(|_| !row.phase.is_final()) {
        // The heartbeat is fresh or overdue; the worker was healthy for long enough or not.
        (age(Some(worker.heartbeat_at), now, 2), age(worker.start_up.process_at, worker.heartbeat_at, 2)).hash(hasher);
    }
}
