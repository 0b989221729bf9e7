//! A worker that has spoken: alive while its heartbeat is fresh, whatever it hears.
//!
//! **Caveat.** No audio, no speech and no text are no verdict: a quiet worker is not a dead worker. Only something that waits
//! for a stage ([`crate::progress`]) is one, and only after long.

use crate::action::{Plan, RowWrite};
use crate::launch;
use crate::model::{Policy, View};
use crate::run_rule::Run;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Intent, WorkerRow};

/// A worker that runs: rest until its heartbeat would be overdue, or replace it when that has happened.
#[must_use]
pub fn running(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Plan {
    let last = row.worker.as_ref().map_or(row.phase_since, |worker| worker.heartbeat_at);
    let overdue = last.plus_ms(policy.heartbeat_deadline_ms);
    if overdue > now {
        return Plan::rest(Some(overdue.min(now.plus_ms(policy.idle_look_ms)).min(run.ends_at)));
    }
    if !view.tasks_are_known() {
        return Plan::rest(Some(now.plus_ms(policy.confirm_ms)));
    }
    let text = format!("no heartbeat for {} s", now.since(last) / 1_000);
    launch::replace(view, row, run, Why::new(Cause::HeartbeatLost, text, now), policy, now)
}

/// The worker's orders follow the row: another language, another end, paused or resumed.
#[must_use]
pub fn orders(row: &WorkerRow, run: &Run, rest: Option<Timestamp>) -> Option<Plan> {
    let old = row.intent.as_ref()?;
    let new = Intent {
        wanted_since: old.wanted_since,
        task_definition: old.task_definition.clone(),
        ..run.intent(old.decided_at)
    };
    if *old == new {
        return None;
    }
    Some(Plan::write(RowWrite { intent: Some(new), next_look_at: rest, ..RowWrite::keep(row) }))
}
