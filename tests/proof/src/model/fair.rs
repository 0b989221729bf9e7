//! The continuation without faults: no more triggers, no more changes; the schedule alone. What is hung stays hung, what is cut
//! off stays cut off, and whatever a controller was at is lost.

use super::control::{Eyes, Look, Outcome};
use super::event::tick;
use super::mutation::Mutation;
use super::state::{Process, Session, State, Task, Told, Wish, arn};
use super::{TICK, World};
use crate::invariants::{Invariant, Violation, is_a_fault_of_others, not_served, the_session_row_ended_it};
use controller_core::model::Switch;
use schemas::operator::Verb;
use schemas::worker::{Phase, WorkerRow};
use std::collections::HashMap;

/// Sweeps until every goal is reached, at most. (A launch that never speaks takes its deadline, each retry its backoff.)
pub const ROUNDS: u16 = 24;
/// Plans that one look may carry out, as in the real controller.
const PASSES: usize = 6;

/// States that reach their goals, and in how many rounds.
pub type Memo = HashMap<u64, u16>;

/// [`Invariant::LiveSessionEventuallyServed`] and [`Invariant::EndedSessionEventuallyEmpty`] from this state on.
///
/// # Errors
/// [`Violation`] when a goal is not reached within [`ROUNDS`], or a step on the way is wrong.
pub fn goals_are_reached(world: &World, state: &State, memo: &mut Memo) -> Result<(), Violation> {
    let mut state = quiet(state);
    let mut way = Vec::new();
    let left = loop {
        let fingerprint = state.fingerprint();
        if let Some(rounds) = memo.get(&fingerprint) {
            break *rounds;
        }
        if state.sessions.iter().all(|session| goal(world, session).is_ok()) {
            memo.insert(fingerprint, 0);
            break 0;
        }
        way.push(fingerprint);
        if way.len() > usize::from(ROUNDS) {
            let missed = state.sessions.iter().find_map(|session| goal(world, session).err());
            return missed.map_or(Ok(()), Err);
        }
        round(world, &mut state)?;
        state.check(world)?;
    };
    for (rounds, fingerprint) in (left + 1..).zip(way.into_iter().rev()) {
        memo.insert(fingerprint, rounds);
        if rounds > ROUNDS {
            let seen = format!("it takes {rounds} sweeps");
            return Err(Violation::of(Invariant::LiveSessionEventuallyServed, seen));
        }
    }
    Ok(())
}

/// [`Invariant::NoOrphanOutlivesTwoSweeps`] from this state on.
///
/// # Errors
/// [`Violation`] when a task that was an orphan before two sweeps has not been asked to stop after them.
pub fn orphans_are_stopped(world: &World, state: &State) -> Result<(), Violation> {
    let is_orphan = |session: &Session, n: usize| {
        let task = session.tasks[n];
        task.lease < session.generation() && !task.stopping && !task.is_over()
    };
    let any = |session: &Session| (0..session.tasks.len()).any(|n| is_orphan(session, n));
    if !state.sessions.iter().any(any) {
        return Ok(());
    }
    let mut after = quiet(state);
    round(world, &mut after)?;
    round(world, &mut after)?;
    for (before, after) in state.sessions.iter().zip(&after.sessions) {
        for n in (0..before.tasks.len()).filter(|n| is_orphan(before, *n)) {
            if is_orphan(after, n) {
                let seen = format!("generation {} still runs after two sweeps", after.tasks[n].lease);
                return Err(Violation::of(Invariant::NoOrphanOutlivesTwoSweeps, seen));
            }
        }
    }
    Ok(())
}

/// The state that this one comes to by itself; everybody is served.
///
/// # Panics
/// When it does not come to one.
#[must_use]
pub fn settled(world: &World, mut state: State) -> State {
    for _ in 0..ROUNDS {
        if state.sessions.iter().all(|session| goal(world, session).is_ok()) {
            return state;
        }
        round(world, &mut state).expect("a calm beginning");
    }
    panic!("a calm beginning comes to rest")
}

fn quiet(state: &State) -> State {
    let controllers = vec![None; state.controllers.len()];
    State { controllers, faults: 0, edits: 0, orders: 0, ..state.clone() }
}

/// One tick, in the order of `controller/src/tick.rs`: every open row, what is astray, what was missed.
fn round(world: &World, state: &mut State) -> Result<(), Violation> {
    tick(world, state)?;
    for n in 0..state.sessions.len() {
        let session = &state.sessions[n];
        let open = session.row.as_ref().filter(|row| !row.phase.is_final());
        let is_of =
            |row: &WorkerRow, task: &Task| row.generation == task.generation || row.names(&arn(n, task.generation));
        let runs = |task: &Task| task.listed && !task.stopping && task.told != Told::Stopped;
        let astray = session.tasks.iter().any(|task| runs(task) && !open.is_some_and(|row| is_of(row, task)));
        let missed = open.is_none() && session.is_wanted();
        let is_read = open.is_some() && world.mutation != Mutation::OpenRowsAreForgotten;
        if is_read || missed {
            let handing_over = state.handing_over();
            let counts = world.policy.rollout == Switch::On;
            look(world, state, n, if counts { Eyes::Schedule { handing_over } } else { Eyes::Row })?;
        }
        if astray {
            look(world, state, n, Eyes::Sweep)?;
        }
    }
    Ok(())
}

fn look(world: &World, state: &mut State, session: usize, eyes: Eyes) -> Result<(), Violation> {
    for _ in 0..PASSES {
        let look = Look::begin(world, state, session, eyes).decide(world, state, Outcome::Well);
        let Some(mut look) = look else { return Ok(()) };
        while let Some(next) = look.act(world, state, Outcome::Well)? {
            look = next;
        }
    }
    Ok(())
}

/// What a session comes to when it is left alone.
fn goal(world: &World, session: &Session) -> Result<(), Violation> {
    let left = session.tasks.iter().filter(|task| !task.is_over()).count();
    let seen = || {
        let row = session.row.as_ref();
        let row = row.map(|row| format!("{:?} ({:?}) of generation {}", row.phase, row.why.cause, row.generation));
        let row = row.unwrap_or_else(|| "no row".to_owned());
        format!("{:?}: {row}, {left} tasks left: {:?}", session.wish, session.tasks)
    };
    let at_rest = session.row.as_ref().is_none_or(|row| row.phase.is_final()) && left == 0;
    match session.wish {
        Wish::Ended | Wish::Deleted if at_rest => Ok(()),
        Wish::Ended | Wish::Deleted => Err(Violation::of(Invariant::EndedSessionEventuallyEmpty, seen())),
        Wish::Paused if at_rest => Ok(()),
        Wish::Active | Wish::Paused
            if is_served(world, session, left) || (at_rest && (has_ended_itself(session) || was_stopped(session))) =>
        {
            Ok(())
        }
        Wish::Active | Wish::Paused => Err(not_served(session.row.as_deref(), seen())),
    }
}

fn is_served(world: &World, session: &Session, left: usize) -> bool {
    let Some(row) = &session.row else { return false };
    let phase = match session.wish {
        Wish::Active => Phase::Live,
        Wish::Paused => Phase::Paused,
        Wish::Ended | Wish::Deleted => return false,
    };
    let suffix = format!("/{}", session.run);
    let run = row.intent.as_ref().and_then(|intent| intent.channel_arn.as_ref());
    let serves = |task: &Task| task.lease == row.generation && task.worker == Process::Serving;
    let rolled_out = world.policy.rollout == Switch::Off
        || row.intent.as_ref().is_some_and(|intent| intent.task_definition == world.policy.task_definition);
    row.phase == phase
        && rolled_out
        && left == 1
        && session.tasks.iter().any(serves)
        && run.is_some_and(|channel| channel.as_str().ends_with(&suffix))
}

/// Whether the run has ended for a reason that the session row cannot take back, or has said nothing new about.
fn has_ended_itself(session: &Session) -> bool {
    session
        .row
        .as_ref()
        .filter(|row| !is_a_fault_of_others(row))
        .is_some_and(|row| !the_session_row_ended_it(row.why.cause) || session.ended_by == session.version)
}

/// Whether an operator's stop stands for this very run.
fn was_stopped(session: &Session) -> bool {
    let Some(row) = &session.row else { return false };
    let Some(intent) = &row.intent else { return false };
    let stop = row.operator.order.as_ref().filter(|order| order.verb == Verb::Stop);
    stop.is_some_and(|order| order.signed.at >= intent.wanted_since.unwrap_or(intent.decided_at))
}

/// The longest way to the goals that was seen, in ticks of simulated time.
#[must_use]
pub fn longest(memo: &Memo) -> i64 {
    memo.values().max().map_or(0, |rounds| i64::from(*rounds) * TICK)
}
