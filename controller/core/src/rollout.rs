//! A rollout: workers of an old task definition are replaced, one session of the fleet at a time, at a silence.
//!
//! **Guarantees.** Only when policy says so and no operator has paused it, only while nobody else hands over, waits for room, or is being
//! launched again, and never on a guess: a row that does not say what it was launched from, or a fleet that nobody has counted, is left as it
//! is. A version that is not known to be good takes one session alone ([`crate::verdict`]). So a new version that does not start, or a cluster
//! that is full, costs one session its worker and not the fleet. A version that was found bad is left in the same way, one session at a time.
//!
//! **Caveat.** A session whose new worker fails until its budget is spent is parked, and the rollout rests for as long: until it heals, ends, or is
//! stopped by an operator.

use crate::model::{Policy, Switch, View};
use crate::verdict;
use schemas::ids::Timestamp;
use schemas::reason::Cause;
use schemas::worker::{Phase, WorkerRow};

/// What to replace this worker for; `None` when it stays.
#[must_use]
pub fn due(view: &View, row: &WorkerRow, policy: &Policy, now: Timestamp) -> Option<String> {
    if policy.rollout == Switch::Off || view.fleet.handing_over != Some(0) {
        return None;
    }
    let known = view.fleet.versions.as_ref().filter(|known| known.paused.is_none())?;
    let current = verdict::chosen(view, policy)?;
    let old = row.intent.as_ref()?.task_definition.as_deref()?;
    let may = old != current && verdict::lets_change(known, current, &view.session_id, policy, now);
    may.then(|| format!("{} takes the place of {}", verdict::short(current), verdict::short(old)))
}

/// Whether a row of this phase and cause is a reason to wait: its session hands over (from the order to the new worker's
/// joining), waits for its launch, or is launched for another reason than its first wish.
#[must_use]
pub fn counts(phase: Phase, cause: Cause) -> bool {
    match phase {
        // A cause of a newer release may be a handover of its own.
        Phase::Draining => matches!(cause, Cause::Handover | Cause::Unknown),
        Phase::Launching => cause != Cause::SessionActive,
        Phase::Queued | Phase::Joining => true,
        Phase::WaitingForSpeaker | Phase::Live | Phase::Paused | Phase::Stopped | Phase::Failed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World};
    use crate::handover;
    use crate::launch::{Answer, answered};

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
    fn a_rollout_rests_while_a_session_that_it_has_taken_has_no_worker() {
        let mut world = old_worker();
        world.settle();
        let counts = |world: &World| counts(world.row().phase, world.row().why.cause);
        assert!(counts(&world), "the old worker leaves");
        world = world.exits(143);
        let mut plan = world.plan();
        plan.actions.truncate(1);
        world.apply(&plan);
        assert!(counts(&world), "the new one is launched");
        let full = Answer::NoCapacity("RESOURCE:CPU".into());
        let write = answered(&world.row(), &full, &world.policy, world.now).unwrap();
        world.row = Some(write.applied(world.row.as_ref(), &world.view().session_id, world.now));
        assert!(counts(&world), "the cluster is full: {:?}", world.row().why);
        world = world.later(Policy::default().capacity_wait_ms);
        world.settle();
        assert_eq!(world.row().phase, Phase::Launching);
        assert!(counts(&world), "there was room at last: {:?}", world.row().why);
        world = world.exits(1);
        world.settle();
        assert!(counts(&world), "and the new version does not start: {:?}", world.row().why);
        world.worker_says(Phase::Live);
        assert!(!counts(&world));
        let mut first = World::active();
        first.settle();
        assert!(!counts(&first), "sessions that begin keep no rollout from going on");
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
    }
}
