//! Tasks that are nobody's: those whose place another has taken, and those that no row speaks of.
//!
//! **Guarantees.** Two strikes: a stray is marked when it is first seen and stopped only when a look at least
//! [`crate::model::Policy::strike_ms`] later, with everything read afresh, finds it astray still. An incomplete answer of ECS
//! is no verdict. A task that is older than its row's generation needs no strike: the row itself says that another has
//! taken its place ([`fenced`]).
//!
//! **Where the mark is kept.** As a record of its own beside the session's row (`stray#<task>`), because a stray may have no
//! row, and a process that swept may be gone. It goes by its TTL.

use crate::action::Action;
use crate::model::{Policy, Task, View};
use schemas::ids::{Generation, Timestamp};

/// The tasks that are astray by what was just read: they run, and belong to a generation that the row has never reached.
pub fn strays(view: &View) -> impl Iterator<Item = &Task> {
    let reached = view.worker.as_ref().map_or(Generation(0), |row| row.generation);
    view.known_tasks().iter().filter(move |task| task.generation > reached && !task.is_stopping())
}

/// Marks strays, and stops those that were marked long enough ago.
#[must_use]
pub fn verdicts(view: &View, policy: &Policy, now: Timestamp) -> Vec<Action> {
    let verdict = |task: &Task| match view.strikes.iter().find(|strike| strike.arn == task.arn) {
        None => Some(Action::Strike { arn: task.arn.clone() }),
        Some(strike) if now.since(strike.at) >= policy.strike_ms => {
            let reason = format!("no row speaks of it, for {} s now", now.since(strike.at) / 1_000);
            Some(Action::StopTask { arn: task.arn.clone(), reason })
        }
        Some(_) => None,
    };
    strays(view).filter_map(verdict).collect()
}

/// Stops every live task of a generation older than `current`. A newer task is left alone: the row was read before it was
/// launched, so it is the row that is old.
#[must_use]
pub fn fenced(view: &View, current: Generation) -> Vec<Action> {
    let older = view.known_tasks().iter().filter(|task| task.generation < current && !task.is_stopping());
    let reason = format!("generation {current} has taken its place");
    older.map(|task| Action::StopTask { arn: task.arn.clone(), reason: reason.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plans::stopped_tasks;
    use crate::fixtures::{SECOND, World, arn, running_task};

    fn stray_without_a_row() -> World {
        let mut world = World::active().deleted();
        world.tasks.push(running_task(Generation(3)));
        world
    }

    #[test]
    fn a_stray_is_marked_first_and_stopped_by_a_later_look() {
        let mut world = stray_without_a_row();
        world.settle();
        assert!(!world.tasks[0].is_stopped());
        world = world.later(10 * SECOND);
        world.settle();
        assert!(!world.tasks[0].is_stopped(), "ten seconds are no second sweep");
        world = world.later(50 * SECOND);
        world.settle();
        assert!(world.tasks[0].is_stopped());
    }

    #[test]
    fn one_missed_page_is_not_an_orphan() {
        let mut world = stray_without_a_row();
        world.settle();
        let world = world.later(600 * SECOND).ecs_silent();
        assert_eq!(world.plan().actions, []);
        let live = World::active().live().later(5 * SECOND);
        let mut unlisted = live.clone();
        unlisted.tasks.clear();
        assert_eq!(unlisted.plan().actions, [], "a live worker that ECS did not list is no dead one");
    }

    #[test]
    fn a_session_that_comes_back_between_two_sweeps_keeps_nothing_of_the_strike() {
        let mut world = stray_without_a_row();
        world.settle();
        let back = World::active();
        world.restore_session_of(&back);
        world = world.later(60 * SECOND);
        world.settle();
        assert_eq!(world.row().generation, Generation(4), "a token is used once");
        assert!(world.tasks[0].is_stopped(), "the older task is fenced by the row");
    }

    #[test]
    fn a_task_ahead_of_its_row_is_left_alone_until_a_second_look_finds_it_so() {
        let mut world = World::active().live();
        world.tasks.push(running_task(Generation(2)));
        world.settle();
        assert!(!world.tasks[1].is_stopped(), "its row may be on its way");
        world = world.later(60 * SECOND);
        world.worker_is_fresh();
        world.settle();
        assert!(world.tasks[1].is_stopped());
        assert!(!world.tasks[0].is_stopped());
    }

    #[test]
    fn an_older_task_is_stopped_and_a_newer_one_is_left_alone() {
        let mut world = World::active().live();
        world.row.as_mut().unwrap().generation = Generation(5);
        world.row.as_mut().unwrap().task = None;
        world.tasks = vec![running_task(Generation(4)), running_task(Generation(5)), running_task(Generation(6))];
        assert_eq!(stopped_tasks(&world.plan()), [arn(4)]);
    }

    #[test]
    fn idle_timeout_in_teardown_still_restarts() {
        // A worker that ends in the middle of being replaced, or whose clean-up fails, is followed all the same.
        let mut world = World::active().live().later(31 * SECOND);
        let mut plan = world.plan();
        plan.actions.retain(|action| !matches!(action, Action::StopTask { .. })); // the stop fails
        world.apply(&plan);
        assert_eq!((world.tasks.len(), world.row().generation), (2, Generation(2)));
        assert_eq!(stopped_tasks(&world.plan()), [arn(1)], "and the next look stops the old task");
    }
}
