//! A worker that is asked to end: `Draining` with `intent.desired = stop`, then StopTask at the deadline.
//!
//! **Guarantees.** The first cause stands, whatever the session row says later. StopTask is asked for once.
//!
//! **Caveat.** A task that ECS does not list is no ended task before the deadline: its RunTask may have just been answered.

use crate::action::{Action, Plan, RowWrite};
use crate::model::{Policy, View};
use crate::settle::{self, final_phase};
use schemas::ids::{TaskArn, Timestamp};
use schemas::reason::Why;
use schemas::worker::{Desired, Phase, WorkerRow};

/// Asks the worker to end. A session that was still queued has no worker, and is over at once.
#[must_use]
pub fn begin(view: &View, row: &WorkerRow, why: Why, policy: &Policy, now: Timestamp) -> Plan {
    let mut write = RowWrite::keep(row);
    if let Some(intent) = &mut write.intent {
        intent.desired = Desired::Stop;
    }
    if row.phase == Phase::Queued && view.tasks_are_known() && view.tasks_of(row.generation).all(|t| t.is_stopped()) {
        let phase = final_phase(&why);
        return Plan::write(write.to(phase, why));
    }
    write.next_look_at = Some(now.plus_ms(policy.drain_deadline_ms));
    Plan::write(write.to(Phase::Draining, why))
}

/// Waits for the task's end (which [`crate::settle`] handles), and stops the task when it takes too long.
#[must_use]
pub fn waiting(view: &View, row: &WorkerRow, policy: &Policy, now: Timestamp) -> Plan {
    let deadline = row.phase_since.plus_ms(policy.drain_deadline_ms);
    if deadline > now {
        return Plan::rest(Some(deadline));
    }
    let again = Some(now.plus_ms(policy.idle_look_ms));
    if !view.tasks_are_known() {
        return Plan::rest(again);
    }
    let live: Vec<_> = view.tasks_of(row.generation).filter(|task| !task.is_stopped()).collect();
    if live.is_empty() {
        return settle::close(row, row.why.clone());
    }
    let ask = live.iter().filter(|task| !task.is_stopping()).map(|task| stop(&task.arn, row, policy));
    Plan { actions: ask.collect(), next_look: again, why: None }
}

fn stop(arn: &TaskArn, row: &WorkerRow, policy: &Policy) -> Action {
    let seconds = policy.drain_deadline_ms / 1_000;
    let reason = format!("did not end within {seconds} s of being asked to: {}", row.why.text);
    Action::StopTask { arn: arn.clone(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plans::stopped_tasks;
    use crate::fixtures::{SECOND, World, arn};
    use schemas::reason::Cause;

    #[test]
    fn an_ended_session_is_drained_and_then_stopped() {
        let mut world = World::active().live().with("status", "ended");
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.why.cause), (Phase::Draining, Cause::SessionEnded));
        assert_eq!(row.intent.map(|i| i.desired), Some(Desired::Stop));
        world = world.later(3 * SECOND);
        world.worker_says(Phase::Stopped);
        world = world.exits(0);
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.next_look_at), (Phase::Stopped, None));
        assert_eq!(row.task.and_then(|t| t.exit_code), Some(0));
    }

    #[test]
    fn a_worker_that_does_not_end_is_stopped_at_the_drain_deadline_and_only_once() {
        let mut world = World::active().live().with("status", "ended");
        world.settle();
        world = world.later(Policy::default().drain_deadline_ms);
        let plan = world.plan();
        assert_eq!(stopped_tasks(&plan), [arn(1)]);
        world.task().desired_status = "STOPPED".into();
        assert_eq!(stopped_tasks(&world.plan()), []);
    }
}
