//! What always holds, by name. The model check and the simulation call the same functions.

use controller_core::{handover, restart};
use schemas::follow::Following;
use schemas::ids::{Generation, Timestamp};
use schemas::operator::Verb;
use schemas::reason::{Blame, Cause};
use schemas::worker::{Desired, Phase, WorkerRow};
use std::fmt;

/// The names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// Of a session's workers, at most one can write the row, and at most one holds a lease that is not over.
    AtMostOneWriter,
    /// Of a session's workers that speak, listeners follow one at most, and the one that holds the lease, if there is one. One that
    /// cannot confirm its lease speaks for [`Seen::overstays`]'s limit at most.
    ListenersFollowTheNewest,
    /// A generation starts one task at most.
    AtMostOneTaskPerGeneration,
    /// From every state, without further faults, the schedule alone brings a wanted session to one worker that serves it.
    LiveSessionEventuallyServed,
    /// From every state, without further faults, the schedule alone brings an unwanted session to no task and a final row.
    EndedSessionEventuallyEmpty,
    /// While a hold stands, no write ends or replaces a worker of the session that may live, and nobody who has read the hold stops
    /// a task of it.
    HeldSessionUntouched,
    /// A rollout takes one session at a time: nobody else is between two workers because of it.
    OneHandoverAtATime,
    /// A worker that takes over is started when no older worker of its session runs any more.
    OldWorkerLeavesFirst,
    /// A task of an older generation is asked to stop within two whole sweeps.
    NoOrphanOutlivesTwoSweeps,
    /// The first cause of an ending stands; only a newer word of the session row, or another run, reopens it.
    ReasonNeverWorsens,
    /// A version that cannot run costs one session its worker, every new session one launch at most, and none once it was found bad.
    BadVersionCostsOneSession,
    /// No task is started that the row did not announce before, and none is stopped that the row did not give up before.
    IntentBeforeEffect,
    /// From every state, without further faults, a session that a fault of AWS or of ours kept from being served is served, without a hand.
    FaultsOfOthersHeal,
    /// Where two releases run side by side, the older one reads every row that the newer one has written.
    RowsReadForward,
    /// No session that waits for its turn is passed by one that came later.
    QueueIsFair,
    /// No key of DynamoDB takes more than it gives, and ECS is read with half of what an account may read, storms apart.
    NoQuotaIsExceeded,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::AtMostOneWriter,
        Self::ListenersFollowTheNewest,
        Self::AtMostOneTaskPerGeneration,
        Self::LiveSessionEventuallyServed,
        Self::EndedSessionEventuallyEmpty,
        Self::HeldSessionUntouched,
        Self::OneHandoverAtATime,
        Self::OldWorkerLeavesFirst,
        Self::NoOrphanOutlivesTwoSweeps,
        Self::ReasonNeverWorsens,
        Self::BadVersionCostsOneSession,
        Self::IntentBeforeEffect,
        Self::FaultsOfOthersHeal,
        Self::RowsReadForward,
        Self::QueueIsFair,
        Self::NoQuotaIsExceeded,
    ];
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    /// What was seen against this invariant.
    #[must_use]
    pub fn of(invariant: Invariant, seen: impl Into<String>) -> Self {
        Self { invariant, seen: seen.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.invariant, self.seen)
    }
}

type Holds = Result<(), Violation>;

/// One worker process of a session, as the world (not the controller) sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its launch.
    pub generation: Generation,
    /// Whether a conditional write of it would be taken now.
    pub can_write: bool,
    /// Whether it holds a lease that is not over, so that it may speak to listeners.
    pub may_speak: bool,
    /// Whether it cannot reach the table, and goes on speaking past its lease.
    pub stays: bool,
    /// Whether it does so although it should have left.
    pub overstays: bool,
}

/// What a version that cannot run has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Sessions that had run on another version before.
    pub sessions: usize,
    /// Workers of the session that this is about.
    pub of_this_session: u32,
    /// Whether a launch of it was decided although it had been found bad.
    pub launched_after: bool,
}

/// [`Invariant::BadVersionCostsOneSession`].
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn bad_version_costs_one_session(damage: Damage) -> Holds {
    if damage.sessions <= 1 && damage.of_this_session <= 1 && !damage.launched_after {
        return Ok(());
    }
    Err(Violation::of(Invariant::BadVersionCostsOneSession, format!("{damage:?}")))
}

/// [`Invariant::AtMostOneWriter`].
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn at_most_one_writer(workers: impl Iterator<Item = Seen> + Clone) -> Holds {
    let writers = workers.clone().filter(|w| w.can_write).count();
    let speakers = workers.clone().filter(|w| w.may_speak).count();
    if writers <= 1 && speakers <= 1 {
        return Ok(());
    }
    let seen = format!("{writers} can write, {speakers} may speak: {:?}", workers.collect::<Vec<_>>());
    Err(Violation::of(Invariant::AtMostOneWriter, seen))
}

/// [`Invariant::ListenersFollowTheNewest`]: all that may speak do, and a client that has heard all of them, and those before them
/// (`spoken`), follows whom `takes` says.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn listeners_follow_the_newest(
    workers: impl Iterator<Item = Seen> + Clone,
    spoken: impl Iterator<Item = Generation>,
    takes: impl Fn(&mut Following, Generation) -> bool,
) -> Holds {
    let broken = |seen: String| {
        let workers: Vec<Seen> = workers.clone().collect();
        Err(Violation::of(Invariant::ListenersFollowTheNewest, format!("{seen}: {workers:?}")))
    };
    let speak = workers.clone().filter(|w| w.may_speak || w.stays || w.overstays);
    let mut following = Following::default();
    for generation in spoken.chain(speak.clone().map(|w| w.generation)) {
        following.takes(Some(generation));
    }
    let followed = |worker: &Seen| takes(&mut following.clone(), worker.generation);
    if speak.clone().filter(|w| followed(w)).count() > 1 {
        return broken("listeners take the words of two".to_owned());
    }
    if let Some(ignored) = speak.clone().find(|w| w.may_speak && !followed(w)) {
        return broken(format!("listeners do not follow generation {}, which holds the lease", ignored.generation));
    }
    if let Some(late) = speak.clone().find(|w| w.overstays) {
        return broken(format!("generation {} stays for too long", late.generation));
    }
    Ok(())
}

/// [`Invariant::AtMostOneTaskPerGeneration`], for one session's tasks.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn at_most_one_task_per_generation(generations: impl Iterator<Item = Generation>) -> Holds {
    let mut all: Vec<Generation> = generations.collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let seen = format!("two tasks of generation {}", pair[0]);
            Err(Violation::of(Invariant::AtMostOneTaskPerGeneration, seen))
        }
        None => Ok(()),
    }
}

/// [`Invariant::IntentBeforeEffect`] of a launch: `announced` is the newest generation that was ever written.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn intent_before_launch(announced: Generation, launched: Generation) -> Holds {
    if launched <= announced && launched > Generation(0) {
        return Ok(());
    }
    let seen = format!("generation {launched} was started, the row has announced {announced}");
    Err(Violation::of(Invariant::IntentBeforeEffect, seen))
}

/// [`Invariant::IntentBeforeEffect`] of a stop: `given_up` is the newest generation that a row was ever written to end, to
/// wait without, or to take the place of.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn intent_before_stop(given_up: Generation, stopped: Generation) -> Holds {
    if stopped <= given_up {
        return Ok(());
    }
    let seen = format!("the task of generation {stopped} was stopped, the row has given up {given_up} at most");
    Err(Violation::of(Invariant::IntentBeforeEffect, seen))
}

/// The newest generation that this row gives up.
#[must_use]
pub fn given_up(row: &WorkerRow) -> Generation {
    if row.phase.is_final() || matches!(row.phase, Phase::Draining | Phase::Queued) {
        row.generation
    } else {
        Generation(row.generation.0.saturating_sub(1))
    }
}

/// What a change of the row rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// The version of the session row that the writer had read.
    pub read: u64,
    /// The version of the session row that the ending rests on.
    pub ended_by: u64,
}

/// [`Invariant::ReasonNeverWorsens`], for one write of the row.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn reason_never_worsens(before: &WorkerRow, after: &WorkerRow, basis: Basis) -> Holds {
    let broken = |seen: String| Err(Violation::of(Invariant::ReasonNeverWorsens, seen));
    // A handover is no ending: the session goes on, and a real ending may still overtake it. Nor is what an older release closed for a
    // cause that it did not know: that was one of the newer release's handovers.
    let goes_on = handover::is_under_way(before) || matches!(before.why.cause, Cause::Handover | Cause::Unknown);
    let ending = (before.phase.is_final() || before.phase == Phase::Draining) && !goes_on;
    if !ending {
        return Ok(());
    }
    let change =
        format!("{:?} ({:?}) became {:?} ({:?})", before.phase, before.why.cause, after.phase, after.why.cause);
    if before.generation == after.generation {
        let kept = after.why.cause == before.why.cause && (after.phase.is_final() || after.phase == before.phase);
        return if kept { Ok(()) } else { broken(change) };
    }
    if before.phase == Phase::Draining {
        return broken(format!("{change} before it had ended"));
    }
    if is_same_run(before, after)
        && !is_restarted(before)
        && !is_a_fault_of_others(before)
        && !was_paused(before)
        && (basis.read <= basis.ended_by || !the_session_row_ended_it(before.why.cause))
    {
        return broken(format!("{change}, and the session row said nothing new"));
    }
    Ok(())
}

fn is_same_run(before: &WorkerRow, after: &WorkerRow) -> bool {
    match (&before.intent, &after.intent) {
        (Some(before), Some(after)) => before.channel_arn == after.channel_arn && before.stream_arn == after.stream_arn,
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// Whether an operator has asked for this ended run to begin again, since it ended.
fn is_restarted(row: &WorkerRow) -> bool {
    let order = row.operator.order.as_ref().filter(|order| order.verb == Verb::Restart);
    order.is_some_and(|order| order.signed.at > row.phase_since)
}

/// Whether it was a fault of AWS or of ours that ended this run, or keeps it from being served.
#[must_use]
pub fn is_a_fault_of_others(row: &WorkerRow) -> bool {
    matches!(row.why.blame, Blame::Us | Blame::Aws) && row.why.cause != Cause::MaxDuration
}

/// Whether this ended run was last told a pause, before its end or after it: that the session row wants it to run is a newer word then.
fn was_paused(row: &WorkerRow) -> bool {
    row.intent.as_ref().is_some_and(|intent| intent.desired == Desired::Pause)
}

/// What a session is missing that is wanted and not served: by [`Invariant::FaultsOfOthersHeal`] when a fault keeps it from that.
#[must_use]
pub fn not_served(row: Option<&WorkerRow>, seen: String) -> Violation {
    let faulty = row.is_some_and(|row| {
        is_a_fault_of_others(row) && (row.phase.is_final() || restart::is_parked(row.phase, row.why.cause))
    });
    let invariant = if faulty { Invariant::FaultsOfOthersHeal } else { Invariant::LiveSessionEventuallyServed };
    Violation::of(invariant, seen)
}

/// [`Invariant::QueueIsFair`]: so many wait for longer than the session that is launched, and nobody has looked at them.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn queue_is_fair(passed: usize) -> Holds {
    if passed == 0 {
        return Ok(());
    }
    Err(Violation::of(Invariant::QueueIsFair, format!("{passed} sessions that came earlier still wait")))
}

/// Whether a hold stands in this row now.
#[must_use]
pub fn is_held(row: &WorkerRow, now: Timestamp) -> bool {
    row.operator.hold.as_ref().is_some_and(|hold| hold.until > now)
}

/// [`Invariant::HeldSessionUntouched`], for one write of the row; `lives` says whether, in truth, a task of the generation of
/// `before` lives.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn held_row_untouched(before: &WorkerRow, after: &WorkerRow, lives: bool, now: Timestamp) -> Holds {
    let told = |row: &WorkerRow| row.intent.as_ref().is_some_and(|intent| intent.desired.is_to_leave());
    let ends = |row: &WorkerRow| row.phase.is_final() || row.phase == Phase::Draining;
    let replaced = after.generation != before.generation;
    let ended = (ends(after) && !ends(before)) || (told(after) && !told(before));
    if !is_held(before, now) || !lives || !(replaced || ended) {
        return Ok(());
    }
    let seen = format!(
        "{:?} of generation {} became {:?} ({:?}) of generation {}",
        before.phase, before.generation, after.phase, after.why.cause, after.generation
    );
    Err(Violation::of(Invariant::HeldSessionUntouched, seen))
}

/// [`Invariant::HeldSessionUntouched`], for one StopTask of a task that lives: whether a hold stands, and whether whoever stops it has
/// read one that stands.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn held_task_untouched(stands: bool, was_read: bool, stopped: Generation) -> Holds {
    if !stands || !was_read {
        return Ok(());
    }
    let seen = format!("the task of generation {stopped} was stopped under a hold that was read");
    Err(Violation::of(Invariant::HeldSessionUntouched, seen))
}

/// [`Invariant::OneHandoverAtATime`]: so many sessions are between two workers because of the rollout.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn one_handover_at_a_time(rolled: usize) -> Holds {
    if rolled <= 1 {
        return Ok(());
    }
    let seen = format!("{rolled} sessions are between two workers");
    Err(Violation::of(Invariant::OneHandoverAtATime, seen))
}

/// Whether a session is between two workers because of a handover after this row was written, given whether it was before:
/// from the wish until its next worker has spoken, it ends, or it becomes another run.
#[must_use]
pub fn is_between_workers(was: bool, before: Option<&WorkerRow>, after: &WorkerRow) -> bool {
    let other_run = before.is_some_and(|before| !is_same_run(before, after));
    match after.phase {
        Phase::Draining => after.why.cause == Cause::Handover,
        Phase::Launching | Phase::Queued => was && !other_run,
        Phase::Joining | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused | Phase::Stopped | Phase::Failed => {
            false
        }
    }
}

/// [`Invariant::OldWorkerLeavesFirst`], when the generation of this row is started: `older` processes of the session run.
///
/// # Errors
/// [`Violation`] when it does not hold.
pub fn old_worker_leaves_first(row: &WorkerRow, older: usize) -> Holds {
    if older == 0 || row.phase != Phase::Launching || row.why.cause != Cause::Handover {
        return Ok(());
    }
    let seen = format!("generation {} takes over from {older} that still run", row.generation);
    Err(Violation::of(Invariant::OldWorkerLeavesFirst, seen))
}

/// Whether it was the session row that ended the run; only then can the session row take it back.
#[must_use]
pub fn the_session_row_ended_it(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::SessionActive
            | Cause::SessionEnded
            | Cause::SessionInactive
            | Cause::SessionDeleted
            | Cause::SessionExpired
            | Cause::SessionReplaced
            | Cause::SessionPaused
            | Cause::UnsupportedLanguage
            | Cause::MalformedRow
    )
}
