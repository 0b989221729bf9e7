//! Tasks that no row speaks of any more.

use crate::action::Action;
use crate::model::View;
use schemas::ids::Generation;

/// Stops every live task of a generation older than `current`. A newer task is left alone: the row was read before it was
/// launched, so it is the row that is old.
#[must_use]
pub fn stops(view: &View, current: Generation) -> Vec<Action> {
    let older = view.known_tasks().iter().filter(|task| task.generation < current && !task.is_stopping());
    let reason = format!("generation {current} has taken its place");
    older.map(|task| Action::StopTask { arn: task.arn.clone(), reason: reason.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plans::stopped_tasks;
    use crate::fixtures::{SECOND, World, arn, running_task};

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
