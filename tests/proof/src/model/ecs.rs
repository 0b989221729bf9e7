//! ECS as AWS documents it: idempotent tokens, answers that are late, room that ends.

use super::World;
use super::control::{Eyes, Outcome};
use super::mutation::Mutation;
use super::state::{Process, Session, State, Task, Told, arn};
use crate::invariants::{self, Violation};
use controller_core::launch::Answer;
use controller_core::model::{self, Strike};
use schemas::ids::{Generation, TaskArn};
use schemas::worker::WorkerRow;

/// RunTask. The token is the generation: a repeated call names the same task, in whatever state it is.
///
/// # Errors
/// [`Violation`] when no row has announced this launch.
pub fn run_task(
    world: &World,
    state: &mut State,
    session: usize,
    generation: Generation,
    outcome: Outcome,
) -> Result<Answer, Violation> {
    invariants::intent_before_launch(state.sessions[session].announced, generation)?;
    old_worker_leaves_first(world, &state.sessions[session], generation)?;
    let used: usize = state.sessions.iter().map(|s| s.tasks.iter().filter(|task| !task.is_over()).count()).sum();
    let now = state.now;
    let tasks = &mut state.sessions[session].tasks;
    let fresh = world.mutation == Mutation::FreshTokenPerCall;
    let known = tasks.iter().find(|task| task.generation == generation && !fresh).copied();
    let no_room = known.is_none() && used >= world.room;
    let answer = match outcome {
        Outcome::NoRoom => return Ok(Answer::NoCapacity("RESOURCE:CPU".into())),
        Outcome::NothingStarted => return Ok(Answer::Retry("timed out".into())),
        Outcome::Well if no_room => return Ok(Answer::NoCapacity("vCPU quota".into())),
        Outcome::AnswerLost | Outcome::Conflict if no_room => return Ok(Answer::Retry("timed out".into())),
        Outcome::Well | Outcome::Blind => {
            let last_status = status(known.map_or(Told::Provisioning, |task| task.told)).to_owned();
            Answer::Launched { arn: arn(session, generation), last_status }
        }
        Outcome::Conflict => Answer::Existing { arn: arn(session, generation) },
        Outcome::AnswerLost => Answer::Retry("timed out".into()),
    };
    if known.is_none() {
        tasks.push(Task {
            generation,
            lease: generation,
            listed: !world.late_news,
            told: Told::Provisioning,
            stopping: false,
            since: now,
            worker: Process::Booting,
            confirmed: None,
            struck: None,
        });
    }
    Ok(answer)
}

/// In a rollout without orders, a worker that takes over finds no other. (A restart of a launch that has not spoken yet fences
/// it, and waits for nobody.)
fn old_worker_leaves_first(world: &World, session: &Session, generation: Generation) -> Result<(), Violation> {
    let Some(row) = session.row.as_deref().filter(|row| row.generation == generation && world.orders == 0) else {
        return Ok(());
    };
    let older = session.tasks.iter().filter(|task| task.lease < generation && task.runs()).count();
    invariants::old_worker_leaves_first(row, older)
}

/// StopTask.
///
/// # Errors
/// [`Violation`] when the row still wants this task.
pub fn stop_task(
    state: &mut State,
    session: usize,
    stopped: &TaskArn,
    read: Option<&WorkerRow>,
) -> Result<(), Violation> {
    let now = state.now;
    let session_state = &mut state.sessions[session];
    let given_up = session_state.given_up;
    let current = session_state.row.clone();
    for task in session_state.tasks.iter_mut().filter(|task| arn(session, task.generation) == *stopped) {
        if !task.stopping && !task.is_over() {
            invariants::intent_before_stop(given_up, task.lease)?;
            let held = |row: Option<&WorkerRow>| row.is_some_and(|row| invariants::is_held(row, now));
            invariants::held_task_untouched(held(current.as_deref()), held(read), task.generation)?;
            task.stopping = true;
            task.since = now;
        }
    }
    Ok(())
}

/// What a look sees: the row's task by its name, or those of its generation by ListTasks (which leaves out what is stopping);
/// a sweep names all that it has found running.
#[must_use]
pub fn tasks(
    mutation: Mutation,
    state: &Session,
    session: usize,
    row: Option<&WorkerRow>,
    eyes: Eyes,
) -> Vec<model::Task> {
    let recorded = row.and_then(|row| row.task.as_ref());
    let runs = |task: &Task| !task.stopping && task.told != Told::Stopped;
    let named = |task: &Task| match recorded {
        Some(facts) => facts.arn == arn(session, task.generation),
        None => row.is_some_and(|row| row.generation == task.generation) && runs(task),
    };
    let seen = state.tasks.iter().filter(|task| task.listed && (named(task) || (eyes == Eyes::Sweep && runs(task))));
    let says = row.filter(|_| mutation != Mutation::TasksAreTheirLaunches);
    seen.map(|task| describe(task, session, says)).collect()
}

/// The marks that sweeps have left.
#[must_use]
pub fn strikes(state: &Session, session: usize) -> Vec<Strike> {
    let struck = state.tasks.iter().filter_map(|task| Some((task, task.struck?)));
    struck.map(|(task, at)| Strike { arn: arn(session, task.generation), at }).collect()
}

/// Marks a task.
pub fn strike(state: &mut State, session: usize, struck: &TaskArn) {
    let now = state.now;
    for task in state.sessions[session].tasks.iter_mut().filter(|task| arn(session, task.generation) == *struck) {
        task.struck.get_or_insert(now);
    }
}

fn status(told: Told) -> &'static str {
    match told {
        Told::Provisioning => "PROVISIONING",
        Told::Running => "RUNNING",
        Told::Stopped => "STOPPED",
    }
}

fn describe(task: &Task, session: usize, row: Option<&WorkerRow>) -> model::Task {
    let arn = arn(session, task.generation);
    let (stop_code, exit_code) = match task.worker {
        Process::Exited(exit) if task.told == Told::Stopped => {
            let stop_code = if task.stopping { "UserInitiated" } else { exit.stop_code() };
            (Some(stop_code.to_owned()), exit.code())
        }
        Process::Booting
        | Process::Stuck
        | Process::Restarted
        | Process::Claiming
        | Process::Serving
        | Process::CutOff
        | Process::Hung
        | Process::Flushing
        | Process::Exited(_) => (None, None),
    };
    model::Task {
        generation: model::generation_of(row, &arn, Some(task.generation)).unwrap_or(task.generation),
        arn,
        last_status: status(task.told).to_owned(),
        desired_status: if task.stopping || task.told == Told::Stopped { "STOPPED" } else { "RUNNING" }.to_owned(),
        started_at: None,
        stopped_at: None,
        stop_code,
        stopped_reason: None,
        exit_code,
    }
}
