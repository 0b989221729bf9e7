//! A restart of a launch whose worker has not spoken yet: it is fenced and its task stopped, then the next one starts.
//!
//! A worker that has spoken hands over instead ([`crate::handover`]): it may be writing to listeners until its lease ends.

use crate::action::Plan;
use crate::launch;
use crate::model::{Policy, View};
use crate::order;
use crate::run_rule::Run;
use schemas::ids::Timestamp;
use schemas::operator::Verb;
use schemas::reason::{Cause, Why};
use schemas::worker::{Phase, Restarts, WorkerRow};

/// The next launch instead of this one, if a restart is ordered.
#[must_use]
pub fn begin_anew(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Option<Plan> {
    let order = order::pending(row, Verb::Restart)?;
    match row.phase {
        Phase::Launching => {}
        Phase::Queued
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Live
        | Phase::Paused
        | Phase::Draining
        | Phase::Stopped
        | Phase::Failed => return None,
    }
    if view.fleet.launches_left == 0 || !view.tasks_are_known() {
        return Some(Plan::rest(Some(now.plus_ms(policy.admission_wait_ms))));
    }
    let why = Why::new(Cause::Handover, order::signed("the restart", order), now);
    let reason = why.text.clone();
    let restarts = Restarts { not_before: None, last: Some(why), ..row.restarts.clone() };
    let plan = launch::begin(view, Some(row), run, restarts, policy, now);
    Some(launch::stopping_the_old(plan, view, row, &reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plans::stopped_tasks;
    use crate::fixtures::{SECOND, World};
    use schemas::ids::Generation;

    #[test]
    fn a_launch_that_somebody_wants_restarted_is_fenced_and_its_task_stopped() {
        let mut world = World::active();
        world.settle();
        world = world.later(10 * SECOND).ordered(Verb::Restart);
        let plan = world.plan();
        assert_eq!(stopped_tasks(&plan).len(), 1);
        world.settle();
        assert_eq!((world.row().generation, world.row().restarts.consecutive), (Generation(2), 0));
    }
}
