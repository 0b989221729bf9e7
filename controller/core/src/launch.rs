//! Launches: the intent first, then RunTask, and what RunTask's answer means for the row.
//!
//! **Flow.** [`begin`] writes `Launching` with the next generation and asks for RunTask. The shell records RunTask's answer
//! with [`answered`] (a conditional write like any other). A `Launching` row without a known task repeats RunTask of the same
//! generation: the token is derived from the row, so ECS answers with the same task. A token that is answered with a task
//! that has already stopped is a failed launch, and the next generation follows.
//!
//! **Guarantees.** One generation starts at most one task. A controller that dies between any two steps is repeated exactly.
//!
//! **Caveats.** Every relaunch, also after "no capacity", takes a new generation: whether ECS binds a token to a refused
//! launch is not documented.

use crate::action::{Action, Plan, RowWrite};
use crate::admission::{self, Turn};
use crate::model::{Policy, Task, View, status_is_stopped};
use crate::order;
use crate::restart::{self, Decision};
use crate::run_rule::Run;
use crate::verdict;
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Intent, Phase, Restarts, TaskFacts, WorkerRow};

/// What RunTask came to; the shell classifies each of ECS's answers into one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A new task.
    Launched {
        /// The task.
        arn: TaskArn,
        /// Its `lastStatus`; STOPPED when the token was used before and that task has ended.
        last_status: String,
    },
    /// The token was used before with other parameters: ECS named the task that it belongs to.
    Existing {
        /// That task.
        arn: TaskArn,
    },
    /// ECS has no room, or our quota is used up.
    NoCapacity(String),
    /// Too many calls.
    Throttled(String),
    /// Refused: a retry helps only when somebody, or time (a role that was made just now), changes something.
    Refused(String),
    /// Nobody knows whether a task was started: the same token again.
    Retry(String),
}

/// Launches the next generation for this run: intent, then effect; or queues it, when it is not its turn. `old` is the row that
/// it replaces, with all that is known of how it ended.
#[must_use]
pub fn begin(
    view: &View,
    old: Option<&WorkerRow>,
    run: &Run,
    restarts: Restarts,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let generation = view.next_generation();
    let why = match &restarts.last {
        Some(last) if last.cause == Cause::Handover => {
            Why::new(Cause::Handover, format!("takes the session over: {}", last.text), now)
        }
        Some(last) if restarts.consecutive > 0 => {
            Why::new(last.cause, format!("relaunch {} in a row: {}", restarts.consecutive, last.text), now)
        }
        // Not a first launch either: a rollout rests until this worker has spoken.
        Some(last) => Why::new(last.cause, format!("launched again: {}", last.text), now),
        None => Why::new(Cause::SessionActive, "the session row wants a worker", now),
    };
    let write = RowWrite {
        generation,
        transition: None,
        intent: Some(intent(view, old, run, policy, now)),
        task: None,
        next_look_at: Some(now.plus_ms(policy.confirm_ms).min(run.ends_at)),
        archive: old.and_then(|row| history(row, restarts.last.as_ref(), now)).map(Box::new),
        restarts: Restarts { not_before: None, ..restarts },
    };
    let wait = Some(now.plus_ms(policy.admission_wait_ms).min(run.ends_at));
    let is_queued = old.is_some_and(|row| row.phase == Phase::Queued);
    if view.fleet.streams_are_full && begins_a_run(old, &write.restarts) {
        let text = "waits: Transcribe gives the account no further stream (raise the quota, or end a session)";
        let why = Why::new(Cause::TranscribeLimit, text, now);
        let is_told = is_queued && old.is_some_and(|row| row.why.cause == Cause::TranscribeLimit);
        return if is_told { Plan::rest(wait) } else { queue(write, wait, why) };
    }
    match admission::turn(&view.fleet, policy) {
        Turn::Now => Plan::write(write.to(Phase::Launching, why)).then(Action::RunTask { generation }),
        Turn::Later(_) if is_queued => Plan::rest(wait),
        Turn::Later(text) => queue(write, wait, Why::new(Cause::Throttled, text, now)),
    }
}

fn queue(write: RowWrite, until: Option<Timestamp>, why: Why) -> Plan {
    Plan::write(RowWrite { next_look_at: until, ..write }.to(Phase::Queued, why))
}

/// Whether this session that waits would add to those that are served: what one had before has been given back.
#[must_use]
pub fn adds_a_session(row: &WorkerRow) -> bool {
    begins_a_run(Some(row), &row.restarts)
}

/// Whether a launch adds to those that are served: the worker that a handover or a crash replaces has given its stream back.
fn begins_a_run(old: Option<&WorkerRow>, restarts: &Restarts) -> bool {
    let waits = |row: &WorkerRow| row.phase.is_final() || row.phase == Phase::Queued;
    let replaces = restarts.last.as_ref().is_some_and(|last| last.cause == Cause::Handover) || restarts.consecutive > 0;
    old.is_none_or(waits) && !replaces
}

/// The intent of a launch that is decided now. What a run is wanted since stays the same for all of its generations.
fn intent(view: &View, old: Option<&WorkerRow>, run: &Run, policy: &Policy, now: Timestamp) -> Intent {
    let before = old.filter(|row| !row.phase.is_final()).and_then(|row| row.intent.as_ref());
    let before = before.filter(|intent| run.is_run_of(Some(intent)));
    let wanted_since = before.map(|intent| intent.wanted_since.unwrap_or(intent.decided_at));
    let had = before.and_then(|intent| intent.task_definition.as_deref());
    Intent {
        wanted_since: Some(wanted_since.unwrap_or_else(|| order::wanted_since(old, now))),
        task_definition: verdict::of_launch(view, had, policy, now).map(str::to_owned),
        ..run.intent(order::decided_at(old, now))
    }
}

/// The next generation of a session whose worker has handed it over.
#[must_use]
pub fn take_over(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Plan {
    let restarts = Restarts { not_before: None, last: Some(row.why.clone()), ..row.restarts.clone() };
    begin(view, Some(row), run, restarts, policy, now)
}

/// Which of `count` subnets a launch goes to, from 0: spread over the sessions, and another one with each generation, so that
/// a zone without room is followed by the next. Derived from the launch alone, since a token is good for one set of parameters.
#[must_use]
pub fn subnet(session: &SessionId, generation: Generation, count: usize) -> usize {
    let spread = session.as_str().bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let turn = spread.wrapping_add(generation.0) % u64::try_from(count.max(1)).unwrap_or(1);
    usize::try_from(turn).unwrap_or(0)
}

/// A launch of the intent's generation is under way and no worker has spoken yet.
#[must_use]
pub fn under_way(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Plan {
    let deadline = row.phase_since.plus_ms(policy.launch_deadline_ms);
    if deadline <= now {
        let text = format!("no heartbeat within {} s of the launch", policy.launch_deadline_ms / 1_000);
        return replace(view, row, run, Why::new(Cause::LaunchTimedOut, text, now), policy, now);
    }
    if row.task.is_some() {
        return Plan::rest(Some(watch(deadline, policy, now).min(run.ends_at)));
    }
    match view.tasks_of(row.generation).next() {
        Some(task) => Plan::write(adopt(row, task, watch(deadline, policy, now), now)),
        // Whoever wrote the row may be waiting for RunTask's answer.
        None if row.phase_since.plus_ms(policy.confirm_ms) > now => {
            Plan::rest(Some(row.phase_since.plus_ms(policy.confirm_ms)))
        }
        None if view.fleet.launches_left == 0 => {
            Plan::rest(Some(now.plus_ms(policy.admission_wait_ms).min(deadline).min(run.ends_at)))
        }
        None => Plan::rest(Some(now.plus_ms(policy.confirm_ms).min(deadline).min(run.ends_at)))
            .then(Action::RunTask { generation: row.generation }),
    }
}

/// A generation that failed is replaced, if the budget allows: its task is stopped, then the next one starts.
#[must_use]
pub fn replace(view: &View, row: &WorkerRow, run: &Run, why: Why, policy: &Policy, now: Timestamp) -> Plan {
    let reason = why.text.clone();
    let plan = after_failure(view, row, run, why, policy, now);
    stopping_the_old(plan, view, row, &reason)
}

/// The same plan with the stops of this generation's task, seen or recorded, between its intent and its launch.
#[must_use]
pub fn stopping_the_old(plan: Plan, view: &View, row: &WorkerRow, reason: &str) -> Plan {
    let old = view.tasks_of(row.generation).filter(|task| !task.is_stopping()).map(|task| task.arn.clone());
    let recorded = row.task.iter().filter(|t| !status_is_stopped(&t.last_status)).map(|t| t.arn.clone());
    let unseen = recorded.filter(|arn| view.known_tasks().iter().all(|task| task.arn != *arn));
    let stops = old.chain(unseen).map(|arn| Action::StopTask { arn, reason: reason.to_owned() });
    insert_after_write(plan, stops)
}

/// The row after one more failure: launched again, queued for the backoff, or parked.
#[must_use]
pub fn after_failure(view: &View, row: &WorkerRow, run: &Run, why: Why, policy: &Policy, now: Timestamp) -> Plan {
    match restart::after_failure(row, &why, policy, now) {
        Decision::Park(restarts, reason) => {
            let next_look_at = restarts.not_before.map(|at| at.min(run.ends_at));
            Plan::write(RowWrite { restarts, next_look_at, ..RowWrite::keep(row) }.to(Phase::Queued, reason))
        }
        Decision::Again(restarts) if restarts.not_before.is_none_or(|at| at <= now) => {
            begin(view, Some(row), run, restarts, policy, now)
        }
        Decision::Again(restarts) => {
            let next_look_at = restarts.not_before.map(|at| at.min(run.ends_at));
            let write = RowWrite { restarts, next_look_at, ..RowWrite::keep(row) };
            Plan::write(write.to(Phase::Queued, why))
        }
    }
}

/// A session that waits for room or for its backoff, or is parked. One that is paused and resumes while it is parked begins anew, at once.
#[must_use]
pub fn queued(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Plan {
    if restart::is_parked(row.phase, row.why.cause) {
        if let Some(paused) = pausing(row, run) {
            return Plan::write(paused);
        }
        if is_resumed(row, run) {
            return begin(view, Some(row), run, Restarts::default(), policy, now);
        }
    }
    match row.restarts.not_before {
        Some(at) if at > now && !order::wants_it_again(row) => Plan::rest(Some(at.min(run.ends_at))),
        Some(_) | None => begin(view, Some(row), run, row.restarts.clone(), policy, now),
    }
}

/// The pause of a session that has no worker, for the row: its end is seen by it.
#[must_use]
pub fn pausing(row: &WorkerRow, run: &Run) -> Option<RowWrite> {
    let intent = row.intent.as_ref().filter(|told| run.desired == Desired::Pause && told.desired != Desired::Pause)?;
    Some(RowWrite { intent: Some(Intent { desired: Desired::Pause, ..intent.clone() }), ..RowWrite::keep(row) })
}

/// Whether a session that was paused without a worker wants one again.
#[must_use]
pub fn is_resumed(row: &WorkerRow, run: &Run) -> bool {
    let told = row.intent.as_ref().map(|intent| intent.desired);
    told == Some(Desired::Pause) && run.desired == Desired::Run
}

/// What the row says once RunTask has answered; `None` when there is nothing to record and the same token is tried again.
#[must_use]
pub fn answered(row: &WorkerRow, answer: &Answer, policy: &Policy, now: Timestamp) -> Option<RowWrite> {
    let deadline = row.phase_since.plus_ms(policy.launch_deadline_ms);
    let facts = |arn: &TaskArn, last_status: &str| TaskFacts {
        arn: arn.clone(),
        last_status: last_status.to_owned(),
        launched_at: now,
        started_at: None,
        stopped_at: None,
        stop_code: None,
        stopped_reason: None,
        exit_code: None,
    };
    let launched = |arn, status| RowWrite {
        task: Some(facts(arn, status)),
        next_look_at: Some(watch(deadline, policy, now)),
        ..RowWrite::keep(row)
    };
    let wait = |cause, text: &str| room_in(row, policy.capacity_wait_ms, Why::new(cause, text, now), now);
    match answer {
        Answer::Launched { arn, last_status } => Some(launched(arn, last_status)),
        Answer::Existing { arn } => Some(launched(arn, "PROVISIONING")),
        Answer::NoCapacity(text) => Some(wait(Cause::NoCapacity, text)),
        Answer::Throttled(text) => Some(wait(Cause::Throttled, text)),
        Answer::Refused(text) => {
            let why = Why::new(Cause::LaunchRefused, text, now);
            let consecutive = row.restarts.consecutive.saturating_add(1).min(policy.restart_budget.saturating_add(1));
            let not_before = Some(now.plus_ms(restart::refused_ms(consecutive, policy)));
            let restarts = Restarts { consecutive, not_before, last: Some(why.clone()) };
            Some(RowWrite { restarts, next_look_at: not_before, ..RowWrite::keep(row) }.to(Phase::Queued, why))
        }
        Answer::Retry(_) => None,
    }
}

/// Waits for room: the launch did not get its place. That is no failure of anything, so the budget stays as it is; the next generation goes to
/// the next subnet.
#[must_use]
pub fn waiting_for_room(row: &WorkerRow, run: &Run, why: Why, policy: &Policy, now: Timestamp) -> RowWrite {
    let write = room_in(row, policy.capacity_wait_ms, why, now);
    RowWrite { next_look_at: write.next_look_at.map(|at| at.min(run.ends_at)), ..write }
}

fn room_in(row: &WorkerRow, wait_ms: i64, why: Why, now: Timestamp) -> RowWrite {
    let not_before = Some(now.plus_ms(wait_ms));
    let restarts = Restarts { not_before, last: Some(why.clone()), ..row.restarts.clone() };
    RowWrite { restarts, next_look_at: not_before, ..RowWrite::keep(row) }.to(Phase::Queued, why)
}

/// Takes up a task of this generation that ECS lists and the row does not know: the answer of its RunTask was lost.
fn adopt(row: &WorkerRow, task: &Task, next_look: Timestamp, now: Timestamp) -> RowWrite {
    RowWrite { task: Some(task.facts(now)), next_look_at: Some(next_look), ..RowWrite::keep(row) }
}

/// The next look at a launch: not only at its deadline, since a worker that has begun to speak is watched more closely.
fn watch(deadline: Timestamp, policy: &Policy, now: Timestamp) -> Timestamp {
    deadline.min(now.plus_ms(policy.idle_look_ms))
}

/// What is kept of a generation that had a task, a worker or an end; nothing of one that was only queued.
fn history(row: &WorkerRow, failure: Option<&Why>, now: Timestamp) -> Option<WorkerRow> {
    if row.phase.is_final() {
        return Some(row.clone());
    }
    if row.task.is_none() && row.worker.is_none() {
        return None;
    }
    let why = failure.unwrap_or(&row.why).clone();
    let phase = if why.cause == Cause::Handover { Phase::Stopped } else { Phase::Failed };
    Some(WorkerRow { phase, phase_since: now, why, next_look_at: None, ..row.clone() })
}

fn insert_after_write(mut plan: Plan, stops: impl Iterator<Item = Action>) -> Plan {
    let tail = plan.actions.split_off(plan.actions.len().min(1));
    plan.actions.extend(stops);
    plan.actions.extend(tail);
    plan
}

#[cfg(test)]
mod tests;
