//! What can happen.

use super::control::{Eyes, Look, Outcome};
use super::mutation::Mutation;
use super::operator::{self, Ordered};
use super::state::{LEASE, Process, STAY, Session, State, Task, Told, Wish};
use super::{TICK, World, worker};
use crate::exit::Exit;
use crate::invariants::Violation;
use controller_core::model::Switch;
use schemas::ids::Timestamp;
use schemas::reason::Cause;

/// One thing that happens. Sessions, controllers and tasks by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The session row changes.
    Edit(u8, Edit),
    /// A controller begins to look: a trigger of any kind, in time, late or repeated.
    Look {
        /// The controller.
        controller: u8,
        /// The session.
        session: u8,
        /// What it sees.
        eyes: Eyes,
    },
    /// A controller does its next read or effect.
    Step(u8, Outcome),
    /// A controller dies between two effects.
    Die(u8),
    /// Something happens to a task.
    Task(u8, u8, Happening),
    /// An operator orders something of a session.
    Order(u8, Ordered),
    /// Time passes.
    Tick,
}

/// A change of a session row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// `status` becomes ended.
    End,
    /// `status` becomes paused.
    Pause,
    /// `status` becomes active again.
    Resume,
    /// Another session with the same id overwrites it.
    Replace,
    /// The row is deleted.
    Delete,
}

/// What happens to a task and its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// ECS begins to show it.
    Listed,
    /// Its process begins.
    Boots,
    /// A heartbeat.
    Beats,
    /// The flush is done.
    Finishes,
    /// The signal of StopTask arrives.
    Terminates,
    /// ECS begins to say that it has ended.
    IsTold,
    /// A process that was started again in place reads its row.
    Reads,
    /// It claims the next generation.
    Claims,
    /// A hung process goes on.
    Wakes,
    /// The table can be reached again.
    Rejoins,
    /// A successor has joined in its place while it could not reach the table, and it sees that.
    IsDisplaced,
    /// The speaker is gone for long.
    SpeakerLeaves,
    /// The signaling channel has been deleted under it.
    ChannelGoes,
    /// Fault: the process ends with an error.
    Crashes,
    /// Fault: it does, and ECS starts it again in place.
    IsRestarted,
    /// Fault: the process does nothing any more.
    Hangs,
    /// Fault: the table cannot be reached.
    IsCutOff,
    /// Fault: it never begins.
    Sticks,
    /// Fault: ECS cannot start it.
    FailsToStart,
}

/// Everything that can happen now.
pub fn enabled(world: &World, state: &State, events: &mut Vec<Event>) {
    events.push(Event::Tick);
    for (n, session) in (0_u8..).zip(&state.sessions) {
        if state.edits > 0 {
            events.extend(edits(session.wish).iter().map(|edit| Event::Edit(n, *edit)));
        }
        if let Some(row) = session.row.as_deref().filter(|_| state.orders > 0) {
            events.extend(operator::orders(row, state.now).map(|order| Event::Order(n, order)));
        }
        for (t, task) in (0_u8..).zip(&session.tasks) {
            let displaced = task.stays(state.now)
                && session.tasks.iter().any(|other| other.lease > task.lease && other.worker == Process::Serving);
            events.extend(displaced.then_some(Event::Task(n, t, Happening::IsDisplaced)));
            let happenings = happenings(state, task, session.run < 2 && world.edits > 0);
            events.extend(happenings.map(|happening| Event::Task(n, t, happening)));
        }
        if let Some(idle) = (0_u8..).zip(&state.controllers).find(|(_, look)| look.is_none()).map(|(c, _)| c) {
            events.push(Event::Look { controller: idle, session: n, eyes: Eyes::Row });
            // The schedule does not overlap itself.
            let sweeps = |look: &Look| matches!(look.eyes, Eyes::Schedule { .. });
            if world.policy.rollout == Switch::On && !state.controllers.iter().flatten().any(sweeps) {
                let eyes = Eyes::Schedule { handing_over: state.handing_over() };
                events.push(Event::Look { controller: idle, session: n, eyes });
            }
            let astray = |task: &Task| task.generation != session.generation() && task.listed && !task.is_over();
            if session.tasks.iter().any(astray) {
                events.push(Event::Look { controller: idle, session: n, eyes: Eyes::Sweep });
            }
        }
    }
    for (c, look) in (0_u8..).zip(&state.controllers) {
        let Some(look) = look else { continue };
        events.push(Event::Step(c, Outcome::Well));
        if look.has_acted() {
            events.push(Event::Die(c));
        }
        if state.faults > 0 && look.is_about_to_decide() {
            events.push(Event::Step(c, Outcome::Blind));
        }
        if state.faults > 0 && look.is_about_to_launch() {
            let outcomes = [Outcome::AnswerLost, Outcome::NothingStarted, Outcome::NoRoom, Outcome::Conflict];
            events.extend(outcomes.map(|outcome| Event::Step(c, outcome)));
        }
    }
}

fn edits(wish: Wish) -> &'static [Edit] {
    match wish {
        Wish::Active => &[Edit::End, Edit::Pause, Edit::Replace, Edit::Delete],
        Wish::Paused => &[Edit::End, Edit::Resume],
        Wish::Ended => &[Edit::Resume, Edit::Replace, Edit::Delete],
        Wish::Deleted => &[Edit::Replace],
    }
}

fn happenings(state: &State, task: &Task, first_run: bool) -> impl Iterator<Item = Happening> {
    let by_itself = match task.worker {
        Process::Booting if task.stopping => [Some(Happening::Terminates), None],
        // A start takes longer than the time between two heartbeats.
        Process::Booting => [(state.now.since(task.since) >= TICK).then_some(Happening::Boots), None],
        Process::Stuck | Process::Flushing if task.stopping => [Some(Happening::Terminates), None],
        Process::Stuck => [None, None],
        Process::Restarted => [Some(Happening::Reads), task.stopping.then_some(Happening::Terminates)],
        Process::Claiming => [Some(Happening::Claims), task.stopping.then_some(Happening::Terminates)],
        Process::Serving => [Some(Happening::Beats), task.stopping.then_some(Happening::Terminates)],
        Process::CutOff => [Some(Happening::Rejoins), task.stopping.then_some(Happening::Terminates)],
        Process::Hung => [Some(Happening::Wakes), task.stopping.then_some(Happening::Terminates)],
        Process::Flushing => [Some(Happening::Finishes), None],
        Process::Exited(_) => [(task.told != Told::Stopped).then_some(Happening::IsTold), None],
    };
    let faults: &[Happening] = match task.worker {
        // ECS starts nothing again that it was asked to stop.
        Process::Serving if !task.stopping => {
            &[Happening::Crashes, Happening::IsRestarted, Happening::Hangs, Happening::IsCutOff]
        }
        Process::Serving => &[Happening::Crashes, Happening::Hangs, Happening::IsCutOff],
        Process::Flushing if !task.stopping => &[Happening::Crashes, Happening::IsRestarted, Happening::Hangs],
        Process::Flushing => &[Happening::Crashes, Happening::Hangs],
        Process::Restarted | Process::Claiming => &[Happening::Crashes],
        Process::Booting => &[Happening::Sticks, Happening::FailsToStart],
        Process::Stuck | Process::CutOff | Process::Hung | Process::Exited(_) => &[],
    };
    let endings: &[Happening] = match task.worker {
        Process::Serving if first_run && state.edits > 0 => &[Happening::SpeakerLeaves, Happening::ChannelGoes],
        Process::Serving
        | Process::Booting
        | Process::Stuck
        | Process::Restarted
        | Process::Claiming
        | Process::CutOff
        | Process::Hung
        | Process::Flushing
        | Process::Exited(_) => &[],
    };
    let faults = if state.faults > 0 { faults } else { &[] };
    let listed = (!task.listed).then_some(Happening::Listed);
    by_itself.into_iter().flatten().chain(listed).chain(faults.iter().chain(endings).copied())
}

/// Makes it happen.
///
/// # Errors
/// [`Violation`] of an invariant of steps.
pub fn apply(world: &World, state: &mut State, event: Event) -> Result<(), Violation> {
    match event {
        Event::Edit(session, edit) => {
            state.edits -= 1;
            let session = &mut state.sessions[usize::from(session)];
            session.version += 1;
            session.run += u8::from(edit == Edit::Replace);
            session.wish = match edit {
                Edit::End => Wish::Ended,
                Edit::Pause => Wish::Paused,
                Edit::Resume | Edit::Replace => Wish::Active,
                Edit::Delete => Wish::Deleted,
            };
        }
        Event::Look { controller, session, eyes } => {
            let look = Look::begin(world, state, usize::from(session), eyes);
            state.controllers[usize::from(controller)] = Some(look);
        }
        Event::Step(controller, outcome) => {
            if outcome != Outcome::Well {
                state.faults -= 1;
            }
            let place = usize::from(controller);
            if let Some(look) = state.controllers[place].take() {
                state.controllers[place] = look.act(world, state, outcome)?;
            }
        }
        Event::Die(controller) => state.controllers[usize::from(controller)] = None,
        Event::Task(session, task, happening) => {
            happen(world, state, usize::from(session), usize::from(task), happening)?;
        }
        Event::Order(session, order) => {
            state.orders -= 1;
            operator::give(state, usize::from(session), order);
        }
        Event::Tick => tick(world, state)?,
    }
    for place in 0..state.controllers.len() {
        if state.controllers[place].as_ref().is_some_and(|look| look.is_lost(world, state)) {
            state.controllers[place] = None;
        }
    }
    Ok(())
}

fn happen(world: &World, state: &mut State, n: usize, t: usize, happening: Happening) -> Result<(), Violation> {
    let now = state.now;
    let session = &mut state.sessions[n];
    match happening {
        Happening::Listed => session.tasks[t].listed = true,
        Happening::Boots => boot(&mut session.tasks[t]),
        Happening::Beats => worker::heartbeat(world.mutation, session, t, now),
        Happening::Finishes => worker::finish(session, t, now)?,
        Happening::Terminates => worker::exit(session, t, terminated(session.tasks[t].worker), now),
        Happening::IsTold => session.tasks[t].told = Told::Stopped,
        Happening::Rejoins if session.tasks[t].stays(now) => {
            // Its next write tells whose the session is.
            session.tasks[t].worker = Process::Serving;
            worker::heartbeat(world.mutation, session, t, now);
        }
        Happening::IsDisplaced => worker::exit(session, t, Exit::LeaseLost, now),
        Happening::Wakes | Happening::Rejoins => {
            let lease_is_over = session.tasks[t].confirmed.is_some_and(|at| now.since(at) >= LEASE);
            if lease_is_over && world.mutation != Mutation::WorkerWithoutLease {
                worker::exit(session, t, Exit::LeaseLost, now);
            } else {
                session.tasks[t].worker = Process::Serving;
            }
        }
        Happening::SpeakerLeaves => {
            state.edits -= 1;
            worker::leave(session, t, Cause::SpeakerGone, now)?;
        }
        Happening::ChannelGoes => {
            state.edits -= 1;
            worker::leave(session, t, Cause::SessionDeleted, now)?;
        }
        Happening::Crashes => worker::exit(session, t, Exit::Crashed, now),
        Happening::IsRestarted => worker::restart(session, t, now),
        Happening::Reads => worker::begin_again(&world.policy, session, n, t, now),
        Happening::Claims => worker::claim(world.mutation, session, t, now)?,
        Happening::Hangs => session.tasks[t].worker = Process::Hung,
        Happening::IsCutOff => session.tasks[t].worker = Process::CutOff,
        Happening::Sticks => session.tasks[t].worker = Process::Stuck,
        Happening::FailsToStart => worker::exit(session, t, Exit::NotStarted, now),
    }
    match happening {
        Happening::Crashes
        | Happening::IsRestarted
        | Happening::Hangs
        | Happening::IsCutOff
        | Happening::Sticks
        | Happening::FailsToStart => state.faults -= 1,
        Happening::Listed
        | Happening::Boots
        | Happening::Beats
        | Happening::Finishes
        | Happening::Terminates
        | Happening::IsTold
        | Happening::Reads
        | Happening::Claims
        | Happening::Wakes
        | Happening::Rejoins
        | Happening::IsDisplaced
        | Happening::SpeakerLeaves
        | Happening::ChannelGoes => {}
    }
    Ok(())
}

fn boot(task: &mut Task) {
    task.worker = Process::Serving;
    task.listed = true;
    task.told = Told::Running;
}

fn terminated(worker: Process) -> Exit {
    match worker {
        Process::Booting | Process::Stuck => Exit::NotStarted,
        Process::Restarted | Process::Claiming | Process::Serving | Process::CutOff => Exit::Interrupted,
        Process::Hung | Process::Flushing => Exit::Killed,
        Process::Exited(exit) => exit,
    }
}

/// Time passes, and with it everything that is only allowed to take so long: a healthy worker heartbeats, ECS shows its tasks
/// and their ends, a signal arrives, an invocation's time is up.
///
/// # Errors
/// [`Violation`] of an invariant of steps.
pub fn tick(world: &World, state: &mut State) -> Result<(), Violation> {
    state.now = state.now.plus_ms(TICK);
    let now = state.now;
    for look in &mut state.controllers {
        if look.as_ref().is_some_and(|look| now.since(look.began) > TICK) {
            *look = None;
        }
    }
    for n in 0..state.sessions.len() {
        for t in 0..state.sessions[n].tasks.len() {
            pass(world, state, n, t)?;
        }
    }
    Ok(())
}

fn pass(world: &World, state: &mut State, n: usize, t: usize) -> Result<(), Violation> {
    let now = state.now;
    let session = &mut state.sessions[n];
    session.tasks[t].listed = true;
    let task = session.tasks[t];
    let waited = now.since(task.since) >= TICK;
    if task.stopping && waited && !task.is_over() {
        worker::exit(session, t, terminated(task.worker), now);
        return Ok(());
    }
    match task.worker {
        Process::Booting if now.since(task.since) >= 2 * TICK => boot(&mut session.tasks[t]),
        Process::Serving => worker::heartbeat(world.mutation, session, t, now),
        // A restart in place takes far less than a lease.
        Process::Restarted | Process::Claiming if waited => again(world, session, n, t, now)?,
        Process::CutOff if task.confirmed.is_none_or(|at| now.since(at) >= STAY) => {
            if !matches!(world.mutation, Mutation::WorkerWithoutLease | Mutation::WorkerStaysForEver) {
                worker::exit(session, t, Exit::LeaseLost, now);
            }
        }
        Process::Flushing if waited => worker::finish(session, t, now)?,
        Process::Exited(_) if waited => session.tasks[t].told = Told::Stopped,
        Process::Booting
        | Process::Stuck
        | Process::Restarted
        | Process::Claiming
        | Process::CutOff
        | Process::Hung
        | Process::Flushing
        | Process::Exited(_) => {}
    }
    Ok(())
}

/// A process that was started again comes to its first word, or to its end.
fn again(world: &World, session: &mut Session, n: usize, t: usize, now: Timestamp) -> Result<(), Violation> {
    for _ in 0..2 {
        match session.tasks[t].worker {
            Process::Restarted => worker::begin_again(&world.policy, session, n, t, now),
            Process::Claiming => worker::claim(world.mutation, session, t, now)?,
            Process::Booting
            | Process::Stuck
            | Process::Serving
            | Process::CutOff
            | Process::Hung
            | Process::Flushing
            | Process::Exited(_) => {}
        }
    }
    Ok(())
}
