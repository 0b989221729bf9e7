//! A task that AWS takes away (Spot, maintenance, a failing host), or that somebody stops by hand.
//!
//! **Guarantees.** An interruption of a worker that had spoken is no crash: it costs no budget. A task whose end has been
//! decided (`desiredStatus STOPPED`, up to two minutes before it is STOPPED) is followed by the next generation as soon as its
//! worker has fallen silent: its last words are not cut off, and nobody waits for ECS to tidy up.

use crate::action::Plan;
use crate::launch;
use crate::model::{Policy, View};
use crate::run_rule::Run;
use crate::settle;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::WorkerRow;

/// A worker that is being interrupted writes its row every two seconds until it has said its last words; three writes missed
/// in a row say that it has gone, ms.
const GONE_MS: i64 = 7_000;

/// What follows from a task that is on its way out although the session wants it.
#[must_use]
pub fn early(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Option<Plan> {
    let mut ours = view.tasks_of(row.generation);
    let task = ours.find(|task| task.is_stopping() && !task.is_stopped())?;
    let last = row.worker.as_ref()?.heartbeat_at;
    let gone = last.plus_ms(GONE_MS);
    let facts = task.facts(row.task.as_ref().map_or(row.phase_since, |task| task.launched_at));
    if gone > now {
        let look = Some(gone.min(run.ends_at));
        return Some(settle::recording(row, facts, look).unwrap_or(Plan::rest(look)));
    }
    let reason = facts.stopped_reason.clone().unwrap_or_else(|| "no reason given".into());
    let why = Why::new(Cause::TaskInterrupted, format!("the task is being stopped: {reason}"), now);
    let known = WorkerRow { task: Some(facts), ..row.clone() };
    Some(launch::after_failure(view, &known, run, why, policy, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World};
    use schemas::ids::Generation;
    use schemas::worker::Phase;

    fn interrupted() -> World {
        let mut world = World::active().live();
        let task = world.task();
        task.desired_status = "STOPPED".into();
        task.stop_code = Some("SpotInterruption".into());
        task.stopped_reason = Some("Your Spot Task was interrupted.".into());
        world
    }

    #[test]
    fn an_interruption_is_seen_early_and_the_worker_may_say_its_last_words() {
        let mut world = interrupted();
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.generation), (Phase::Live, Generation(1)));
        assert_eq!(row.task.unwrap().stop_code.as_deref(), Some("SpotInterruption"), "the row tells it");
        assert_eq!(row.next_look_at, Some(world.now.plus_ms(GONE_MS)));
    }

    #[test]
    fn a_worker_that_has_left_is_followed_before_its_task_is_stopped_and_without_cost() {
        let mut world = interrupted().later(GONE_MS);
        world.row.as_mut().unwrap().restarts.consecutive = 4;
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.generation, row.restarts.consecutive), (Phase::Launching, Generation(2), 4));
        assert_eq!(world.history[0].why.cause, Cause::TaskInterrupted);
    }

    #[test]
    fn spot_and_maintenance_are_no_crash_however_often_they_come() {
        let mut world = World::active().live();
        for n in 2..20 {
            world = world.exits(143).later(30 * SECOND);
            world.task().stop_code = Some("SpotInterruption".into());
            world.settle();
            assert_eq!((world.row().generation, world.row().restarts.consecutive), (Generation(n), 0));
            world.worker_says(Phase::Live);
        }
    }

    #[test]
    fn a_launch_that_is_interrupted_before_its_worker_spoke_counts_since_it_may_be_a_loop() {
        let mut world = World::active();
        world.settle();
        world = world.exits(1);
        world.task().stop_code = Some("SpotInterruption".into());
        world.settle();
        assert_eq!(world.row().restarts.consecutive, 1);
    }
}
