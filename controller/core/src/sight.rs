//! What a decision has to read. Most need nothing of ECS, whose calls are few: 20 a second for a whole account.
//!
//! **Guarantees.** A worker that is heard needs no ECS read, nor does a session that waits, or whose task is known and young. Whoever has heard
//! something of a task (an event, a tick that misses it among those that run) names it, and then ECS is asked.

use crate::action::{Action, Plan};
use crate::liveness;
use crate::model::{Policy, View, status_is_stopped};
use crate::order;
use schemas::ids::Timestamp;
use schemas::operator::Verb;
use schemas::worker::{Phase, WorkerRow};

/// Whether a decision on this view may be another one when ECS is asked; `blind` is the one without it.
#[must_use]
pub fn needs_ecs(view: &View, blind: &Plan, policy: &Policy, now: Timestamp) -> bool {
    let Some(row) = &view.worker else { return false };
    let runs = row.task.as_ref().is_some_and(|task| !status_is_stopped(&task.last_status));
    match row.phase {
        // One that ends at once must have no task.
        Phase::Queued => runs || (writes(blind) && !blind.launches()),
        Phase::Launching => {
            let late = row.phase_since.plus_ms(policy.launch_deadline_ms) <= now;
            row.task.is_none() || late || order::pending(row, Verb::Restart).is_some()
        }
        Phase::Joining | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused => {
            row.task.is_none() || !liveness::is_heard(row, policy, now)
        }
        Phase::Draining => overdue(row, policy, now) || !spoke_lately(row, policy, now),
        Phase::Stopped | Phase::Failed => runs && (overdue(row, policy, now) || !blind.actions.is_empty()),
    }
}

fn writes(plan: &Plan) -> bool {
    plan.actions.iter().any(|action| matches!(action, Action::Write(_)))
}

fn overdue(row: &WorkerRow, policy: &Policy, now: Timestamp) -> bool {
    row.phase_since.plus_ms(policy.drain_deadline_ms) <= now
}

fn spoke_lately(row: &WorkerRow, policy: &Policy, now: Timestamp) -> bool {
    row.worker.is_some() && liveness::deadline(row, policy) > now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World};
    use crate::model::Tasks;
    use crate::reconcile;

    fn asks(world: &World) -> bool {
        let view = View { tasks: Tasks::Unknown("not asked".into()), ..world.view() };
        needs_ecs(&view, &reconcile(&view, &world.policy, world.now), &world.policy, world.now)
    }

    #[test]
    fn a_worker_that_is_heard_needs_no_ecs_read_and_a_silent_one_does() {
        let mut world = World::active().live().later(26 * SECOND);
        assert!(!asks(&world));
        assert!(!asks(&world.clone().with("status", "ended")), "nor does its end");
        world = world.later(SECOND);
        assert!(asks(&world));
    }

    #[test]
    fn a_session_that_waits_needs_none_and_one_that_ends_while_it_waits_does() {
        let mut world = World::active();
        world.launches_left = 0;
        world.settle();
        assert_eq!(world.row().phase, Phase::Queued);
        assert!(!asks(&world));
        assert!(asks(&world.with("status", "ended")));
    }

    #[test]
    fn a_launch_needs_one_when_its_answer_was_lost_or_it_takes_too_long() {
        let mut world = World::active();
        world.settle();
        assert_eq!((world.row().phase, asks(&world)), (Phase::Launching, false));
        assert!(asks(&world.clone().later(180 * SECOND)));
        world.row.as_mut().unwrap().task = None;
        assert!(asks(&world));
    }
}
