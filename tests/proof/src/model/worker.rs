//! The worker's row protocol, as `worker/src/io/table.rs` writes it: conditional on the generation, never over a final phase or
//! `Queued`, and nothing but `Stopped` over `Draining`.

use super::mutation::Mutation;
use super::state::{Process, Session, arn};
use crate::exit::Exit;
use crate::invariants::{self, Basis, Violation};
use crate::obey;
use controller_core::model::Policy;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Phase, WorkerStatus};
use serde_json::json;
use std::sync::{Arc, LazyLock};
use worker_core::start::{self, Budget, Start};

/// A heartbeat of the nth task: the row learns of it, and it learns of the row.
pub fn heartbeat(mutation: Mutation, session: &mut Session, task: usize, now: Timestamp) {
    let generation = session.tasks[task].lease;
    let unfenced = mutation == Mutation::WorkerWithoutFence;
    let holder = session.row.as_mut().filter(|row| unfenced || obey::holds(row, generation));
    let Some(row) = holder else { return exit(session, task, Exit::LeaseLost, now) };
    let row = Arc::make_mut(row);
    let begun = row.worker.as_ref().and_then(|worker| worker.start_up.process_at);
    row.worker = Some(status(now, begun.or(Some(now))));
    let desired = obey::desired(row);
    if obey::obey(row, now) {
        session.between_workers = false;
    }
    let task = &mut session.tasks[task];
    task.confirmed = Some(now);
    if desired.is_to_leave() && task.worker == Process::Serving {
        task.worker = Process::Flushing;
        task.since = now;
    }
}

/// The last words are out: the row becomes Stopped with the reason that the worker was given, and the process ends.
///
/// # Errors
/// [`Violation`] when that overwrites a reason.
pub fn finish(session: &mut Session, task: usize, now: Timestamp) -> Result<(), Violation> {
    let why = session.row.as_ref().map(|row| row.why.clone());
    let ended_by = session.ended_by;
    if let Some(why) = why {
        end(session, task, why, ended_by, now)?;
    }
    exit(session, task, Exit::Clean, now);
    Ok(())
}

/// The worker ends by itself, for a reason that it alone can see.
///
/// # Errors
/// [`Violation`] when that overwrites a reason.
pub fn leave(session: &mut Session, task: usize, cause: Cause, now: Timestamp) -> Result<(), Violation> {
    let already = session.row.as_ref().filter(|row| row.phase == Phase::Draining).map(|row| row.why.clone());
    // A worker that heartbeats every two seconds knows of the drain by the time it has flushed; the first cause stands.
    let (why, by) = match already {
        Some(why) => (why, session.ended_by),
        None => (Why::new(cause, "the worker says so", now), session.version),
    };
    end(session, task, why, by, now)?;
    exit(session, task, Exit::Clean, now);
    Ok(())
}

fn end(session: &mut Session, task: usize, why: Why, ended_by: u64, now: Timestamp) -> Result<(), Violation> {
    let generation = session.tasks[task].lease;
    let basis = Basis { read: session.version, ended_by: session.ended_by };
    let Some(row) = session.row.as_mut().filter(|row| obey::holds(row, generation)) else {
        return Ok(());
    };
    let before = row.clone();
    let row = Arc::make_mut(row);
    row.phase = Phase::Stopped;
    row.phase_since = now;
    row.next_look_at = None;
    row.why = why;
    let begun = row.worker.as_ref().and_then(|worker| worker.start_up.process_at);
    row.worker = Some(status(now, begun.or(Some(now))));
    session.ended_by = ended_by;
    session.between_workers = false;
    session.given_up = session.given_up.max(generation);
    invariants::reason_never_worsens(&before, session.row.as_deref().unwrap_or(&before), basis)
}

/// The process crashes, and ECS starts it again in the same task.
pub fn restart(session: &mut Session, task: usize, now: Timestamp) {
    let task = &mut session.tasks[task];
    task.worker = Process::Restarted;
    task.confirmed = None;
    task.since = now;
}

/// A process that was started again reads its row; `n` is the number of its session.
pub fn begin_again(policy: &Policy, session: &mut Session, n: usize, task: usize, now: Timestamp) {
    let launched = session.tasks[task].generation;
    let budget = Budget { restarts: policy.restart_budget, healthy_after_ms: policy.healthy_after_ms };
    let process = start::Process { launched, task: Some(arn(n, launched)), budget };
    match start::decide(session.row.as_deref().cloned(), &process, now) {
        Start::Serve(row) => {
            session.tasks[task].lease = row.generation;
            session.tasks[task].worker = Process::Serving;
        }
        Start::Claim(claim) => {
            session.claims.push((task, Arc::new(*claim)));
            session.tasks[task].worker = Process::Claiming;
        }
        Start::Leave { code: 0, .. } => exit(session, task, Exit::Clean, now),
        Start::Leave { .. } => exit(session, task, Exit::LeaseLost, now),
    }
}

/// The conditional write of a claim. One that is refused is followed by another look at the row.
///
/// # Errors
/// [`Violation`] when that overwrites a reason.
pub fn claim(mutation: Mutation, session: &mut Session, task: usize, now: Timestamp) -> Result<(), Violation> {
    let Some(at) = session.claims.iter().position(|(claiming, _)| *claiming == task) else { return Ok(()) };
    let (_, claim) = session.claims.remove(at);
    let unlocked = mutation == Mutation::ClaimWithoutLock;
    let Some(before) = session.row.clone().filter(|row| unlocked || claim.stands(row)) else {
        session.tasks[task].worker = Process::Restarted;
        return Ok(());
    };
    let after = claim.over(&before);
    session.between_workers = invariants::is_between_workers(session.between_workers, Some(&before), &after);
    session.announced = session.announced.max(after.generation);
    session.given_up = session.given_up.max(invariants::given_up(&after));
    let process = &mut session.tasks[task];
    process.lease = after.generation;
    process.worker = Process::Serving;
    process.confirmed = Some(now);
    let basis = Basis { read: session.version, ended_by: session.ended_by };
    invariants::reason_never_worsens(&before, &after, basis)?;
    session.row = Some(Arc::new(after));
    Ok(())
}

/// The process ends.
pub fn exit(session: &mut Session, task: usize, exit: Exit, now: Timestamp) {
    session.claims.retain(|(claiming, _)| *claiming != task);
    let task = &mut session.tasks[task];
    task.worker = Process::Exited(exit);
    task.since = now;
}

fn status(at: Timestamp, process_at: Option<Timestamp>) -> WorkerStatus {
    let mut status = TEMPLATE.clone();
    status.heartbeat_at = at;
    status.start_up.process_at = process_at;
    status
}

/// Written as JSON, so that a worker's section may gain fields.
pub(crate) static TEMPLATE: LazyLock<WorkerStatus> = LazyLock::new(|| {
    serde_json::from_value(json!({
        "version": "0.1.0", "taskArn": null, "heartbeatAt": 0, "startUp": {}, "progress": {}, "languages": {}, "rung": "full",
        "media": {"packets": 0, "lost": 0, "jitterMs": 0.0, "concealedMs": 0, "mediaMs": 0},
        "usage": {"transcribedMs": 0, "transcribeStreams": 0, "translatedCharacters": 0, "translations": 0, "posts": 0,
            "postsFailed": 0},
        "cpuMs": 0, "peakMemoryBytes": 0,
    }))
    .expect("the template is a worker's section")
});
