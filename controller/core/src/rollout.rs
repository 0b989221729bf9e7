//! A rollout: workers of an old task definition are replaced, one session of the fleet at a time, at a silence.
//!
//! **Guarantees.** Only when policy says so, only while nobody else hands over, and never on a guess: a row that does not say
//! what it was launched from, or a fleet that nobody has counted, is left as it is.

use crate::model::{Policy, Switch, View};
use schemas::reason::Cause;
use schemas::worker::{Phase, WorkerRow};

/// What to replace this worker for; `None` when it stays.
#[must_use]
pub fn due(view: &View, row: &WorkerRow, policy: &Policy) -> Option<String> {
    if policy.rollout == Switch::Off || view.fleet.handing_over != Some(0) {
        return None;
    }
    let current = policy.task_definition.as_deref()?;
    let old = row.intent.as_ref()?.task_definition.as_deref()?;
    (old != current).then(|| format!("{} takes the place of {}", short(current), short(old)))
}

/// Whether a row of this phase and cause counts as handing over: from the wish to the new worker's joining.
#[must_use]
pub fn counts(phase: Phase, cause: Cause) -> bool {
    match phase {
        Phase::Draining | Phase::Launching | Phase::Queued => cause == Cause::Handover,
        Phase::Joining => true,
        Phase::WaitingForSpeaker | Phase::Live | Phase::Paused | Phase::Stopped | Phase::Failed => false,
    }
}

/// `family:revision` of a task definition's ARN.
fn short(task_definition: &str) -> &str {
    task_definition.rsplit('/').next().unwrap_or(task_definition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World};
    use crate::handover;

    fn old_worker() -> World {
        let mut world = World::active();
        world.policy.task_definition = Some("task-definition/worker:1".into());
        let mut world = world.live().later(30 * SECOND);
        world.worker_is_fresh();
        world.policy.task_definition = Some("task-definition/worker:2".into());
        world.policy.rollout = Switch::On;
        world.handing_over = Some(0);
        world
    }

    #[test]
    fn a_worker_of_an_old_task_definition_is_replaced_by_one_of_the_new() {
        let mut world = old_worker();
        world.settle();
        assert!(handover::is_under_way(&world.row()));
        assert_eq!(world.row().why.text, "worker:2 takes the place of worker:1");
        world = world.exits(143);
        world.settle();
        assert_eq!(world.row().intent.unwrap().task_definition.as_deref(), Some("task-definition/worker:2"));
    }

    #[test]
    fn one_at_a_time_and_only_when_policy_says_so() {
        let stays = |change: fn(&mut World)| {
            let mut world = old_worker();
            change(&mut world);
            world.settle();
            assert_eq!(world.row().phase, Phase::Live);
        };
        stays(|world| world.policy.rollout = Switch::Off);
        stays(|world| world.handing_over = Some(1));
        stays(|world| world.handing_over = None);
        stays(|world| world.policy.task_definition = None);
        stays(|world| world.row.as_mut().unwrap().intent.as_mut().unwrap().task_definition = None);
        stays(|world| {
            let now = world.now;
            world.row.as_mut().unwrap().worker.as_mut().unwrap().progress.speech_at = Some(now);
        });
    }
}
