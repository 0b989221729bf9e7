//! A task that AWS takes away (Spot, maintenance, a failing host), or that somebody stops by hand.
//!
//! **Guarantees.** An interruption of a worker that had spoken is no crash: it costs no budget. A task whose end has been
//! decided (`desiredStatus STOPPED`, up to two minutes before it is STOPPED) is seen at once: the row tells it, and is looked at
//! every few seconds until the worker has left.
//!
//! **Caveat.** The next generation is not begun before the task has ended (or its worker's lease is over): until then the
//! old worker may be saying its last words.

use crate::action::Plan;
use crate::model::{Policy, View};
use crate::settle;
use schemas::ids::Timestamp;
use schemas::worker::WorkerRow;

/// Look again after so long at a task that is on its way out, ms.
const LOOK_MS: i64 = 5_000;

/// A task that is on its way out although the session wants it: what is recorded now, and the time of the next look.
#[must_use]
pub fn early(view: &View, row: &WorkerRow, rest: Option<Timestamp>, policy: &Policy, now: Timestamp) -> Option<Plan> {
    let task = view.tasks_of(row.generation).find(|task| task.is_stopping() && !task.is_stopped())?;
    let facts = task.facts(row.task.as_ref().map_or(row.phase_since, |task| task.launched_at));
    let look = Some(now.plus_ms(LOOK_MS.min(policy.idle_look_ms)));
    let look = rest.min(look).or(look);
    Some(settle::recording(row, facts, look).unwrap_or(Plan::rest(look)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::World;
    use schemas::ids::Generation;
    use schemas::reason::Cause;
    use schemas::worker::Phase;

    const SECOND: i64 = 1_000;

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
        assert_eq!(row.next_look_at, Some(world.now.plus_ms(LOOK_MS)));
        assert_eq!(world.tasks.len(), 1, "never two");
    }

    #[test]
    fn an_interrupted_worker_is_followed_when_its_task_has_ended_and_without_cost() {
        let mut world = interrupted();
        world.settle();
        world.row.as_mut().unwrap().restarts.consecutive = 4;
        world = world.later(9 * SECOND).exits(143);
        world.task().stop_code = Some("SpotInterruption".into());
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
