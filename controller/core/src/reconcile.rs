//! The one decision.
//!
//! **Flow.** Read the wish ([`run_rule`], and an operator's stop above it), let the rule of the row's phase decide, add the
//! stops and verdicts of [`strays`], take out what a [`hold`] forbids, and see that the row will be looked at again.
//!
//! **Guarantees.** Total and pure. Intent before effect: a plan that launches writes the row first. At most one RunTask. A
//! satisfied view gives an empty plan. Every row that is not final has a next look, and the smallest wins. The first cause
//! of an ending stands; an operator's stop beats the session row, and that beats every retry. A held session is not touched.
//!
//! **Assumptions.** The view was read afresh, the row before the tasks. Writes are conditional on the row that was read.
//!
//! **Caveats.** Not knowing the tasks is never a verdict on one.
//!
//! **Errors.** None: an unreadable world is a fact in the view.

use crate::action::{Action, Plan};
use crate::model::{Policy, View};
use crate::rule::Rule;
use crate::run_rule::{Run, Wish};
use crate::{
    admission, drain, finished, handover, hold, interruption, launch, liveness, order, relaunch, run_rule, settle,
    strays, verdict,
};
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Phase, Restarts, WorkerRow};

/// Decides what one session needs now. Pure: the same view, policy and time give the same plan.
#[must_use]
pub fn reconcile(view: &View, policy: &Policy, now: Timestamp) -> Plan {
    explain(view, policy, now).1
}

/// The same decision, with the rule that made it.
#[must_use]
pub fn explain(view: &View, policy: &Policy, now: Timestamp) -> (Rule, Plan) {
    let wish = order::over(view, run_rule::wish(view, policy, now));
    let Some(row) = &view.worker else { return (Rule::FirstSight, first_sight(view, &wish, policy, now)) };
    let (rule, plan) = if row.phase.is_final() {
        (Rule::Finished, finished::decide(view, row, &wish, policy, now))
    } else {
        open(view, row, &wish, policy, now)
    };
    let wished = with_strays(plan, view, row, policy, now);
    let asked = wished.actions.len();
    let plan = hold::filter(wished, view, now);
    let rule = if plan.actions.len() < asked { Rule::Hold } else { rule };
    if let Some(evidence) = verdict::due(view, &plan, policy, now) {
        return (Rule::Verdict, Plan::rest(plan.next_look).then(Action::Judge(evidence)));
    }
    (rule, if row.phase.is_final() { plan } else { rearm(row, plan, policy, now) })
}

/// A session without a row of ours. One that is paused at first sight is launched when it resumes.
fn first_sight(view: &View, wish: &Wish, policy: &Policy, now: Timestamp) -> Plan {
    match wish {
        Wish::Serve(run) if run.desired == Desired::Run => {
            launch::begin(view, None, run, Restarts::default(), policy, now)
        }
        Wish::Serve(run) => Plan::rest(Some(run.ends_at)),
        Wish::Refuse { why, .. } => finished::refuse(view, why),
        Wish::Stop(_) => Plan { actions: strays::verdicts(view, policy, now), next_look: None, why: None },
    }
}

/// A row that is not final: the task's end comes first, then the session row's stop, then the rule of the phase.
fn open(view: &View, row: &WorkerRow, wish: &Wish, policy: &Policy, now: Timestamp) -> (Rule, Plan) {
    if row.phase != Phase::Queued
        && let Some(facts) = settle::ended_task(view, row)
    {
        return (Rule::TaskEnded, settle::ended(view, row, facts, wish, policy, now));
    }
    if row.phase == Phase::Draining {
        return match wish {
            Wish::Stop(why) | Wish::Refuse { why, .. } if handover::is_under_way(row) => {
                (Rule::HandoverEnds, handover::becomes_an_end(row, why))
            }
            Wish::Stop(_) | Wish::Refuse { .. } | Wish::Serve(_) => {
                (Rule::Draining, drain::waiting(view, row, policy, now))
            }
        };
    }
    match wish {
        Wish::Stop(why) | Wish::Refuse { why, .. } => (Rule::Stop, drain::begin(view, row, why.clone(), policy, now)),
        Wish::Serve(run) if !run.is_run_of(row.intent.as_ref()) => {
            let why = Why::new(Cause::SessionReplaced, "the session id was given to another channel", now);
            (Rule::Replaced, drain::begin(view, row, why, policy, now))
        }
        Wish::Serve(run) => served(view, row, run, policy, now),
    }
}

/// A row that is not final and whose run is wanted.
fn served(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> (Rule, Plan) {
    if let Some(plan) = relaunch::begin_anew(view, row, run, policy, now) {
        return (Rule::Restart, plan);
    }
    let (mut rule, mut plan) = match row.phase {
        Phase::Queued => return (Rule::Queue, launch::queued(view, row, run, policy, now)),
        Phase::Launching => (Rule::Launch, launch::under_way(view, row, run, policy, now)),
        Phase::Joining | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused => {
            (Rule::Liveness, liveness::running(view, row, run, policy, now))
        }
        Phase::Draining | Phase::Stopped | Phase::Failed => (Rule::Draining, Plan::rest(row.next_look_at)),
    };
    if !plan.actions.is_empty() {
        return (rule, plan);
    }
    if let Some(leaving) = interruption::early(view, row, plan.next_look, policy, now) {
        return (Rule::Interruption, leaving);
    }
    if let Some(handover) = handover::wanted(view, row, policy, now) {
        if !handover.actions.is_empty() {
            return (Rule::Handover, handover);
        }
        rule = Rule::Handover;
        plan.next_look = plan.next_look.min(handover.next_look);
    }
    let written = next_look_of(row, plan.next_look, policy, now);
    if let Some(told) = liveness::follow_the_row(row, run, written) {
        return (Rule::Intent, told);
    }
    match settle::newer_facts(view, row).and_then(|facts| settle::recording(row, facts, written)) {
        Some(recorded) => (Rule::Facts, recorded),
        None => (rule, plan),
    }
}

/// The next look as the row says it. Whoever is watched without it (a worker that is heard, by its heartbeat; a session that waits for its turn, by the
/// queue) has one for the end of its run only: else every row would be written with every tick.
fn next_look_of(row: &WorkerRow, at: Option<Timestamp>, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let watched = liveness::is_heard(row, policy, now) || admission::waits(row, now).is_some();
    let held = row.operator.hold.as_ref().map(|hold| hold.until).filter(|until| *until > now);
    let ends_at =
        row.intent.as_ref().map(|intent| held.map_or(intent.expires_at, |until| until.min(intent.expires_at)));
    at.max(ends_at.filter(|_| watched))
}

/// Moves the row's next look when it has passed, is missing, or would come too late.
fn rearm(row: &WorkerRow, mut plan: Plan, policy: &Policy, now: Timestamp) -> Plan {
    let writes = plan.actions.iter().any(|action| matches!(action, Action::Write(_)));
    let next_look = plan.next_look.filter(|_| !writes);
    let Some(at) = next_look.and_then(|at| next_look_of(row, Some(at), policy, now)) else { return plan };
    if row.next_look_at.is_none_or(|old| old <= now || old > at) {
        plan.actions.insert(0, Action::LookAgain { at });
    }
    plan
}

/// Adds the stops and verdicts of [`strays`], after the intent and before a launch.
fn with_strays(mut plan: Plan, view: &View, row: &WorkerRow, policy: &Policy, now: Timestamp) -> Plan {
    let stops = strays::fenced(view, row.generation).into_iter().chain(strays::verdicts(view, policy, now));
    let launch = plan.actions.iter().position(|action| matches!(action, Action::RunTask { .. }));
    let at = launch.unwrap_or(plan.actions.len());
    plan.actions.splice(at..at, stops);
    plan
}

#[cfg(test)]
mod tests;
