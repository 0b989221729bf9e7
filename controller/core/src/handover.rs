//! A handover: the worker ends its part at a silence, and the next generation takes the session over.
//!
//! **Flow.** `Draining` with [`Desired::HandOver`], by which the worker knows that the session goes on. With a time to leave by it waits for a
//! silence until then, because it alone hears one in time; a restart and a stuck stage leave it no such time. It flushes its last words, tells its listeners that captions move (not that the session has ended), and
//! exits without a final phase. When its task has ended, the next generation is begun. An old worker leaves before the new one
//! joins, because a channel carries one viewer of ours: two would break each other's audio.
//!
//! **Guarantees.** Never two workers of one session. A stop that comes during the handover wins over the next generation.

use crate::action::{Action, Plan, RowWrite};
use crate::model::{Policy, View};
use crate::order;
use crate::progress;
use crate::rollout;
use schemas::ids::Timestamp;
use schemas::operator::Verb;
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Phase, WorkerRow};

/// Whether this row's worker was asked to hand over: by an order or a rollout, because a stage of it is stuck, or by a newer release in a word
/// that this one does not know. Only a word that is known ends a session.
#[must_use]
pub fn is_under_way(row: &WorkerRow) -> bool {
    row.phase == Phase::Draining && row.intent.as_ref().is_some_and(|intent| intent.desired != Desired::Stop)
}

/// Whether the plan begins a handover.
#[must_use]
pub fn is_begun_by(plan: &Plan) -> bool {
    plan.actions.iter().any(|action| match action {
        Action::Write(write) => write.hands_over(),
        Action::RunTask { .. }
        | Action::LookAgain { .. }
        | Action::StopTask { .. }
        | Action::Strike { .. }
        | Action::Judge(_)
        | Action::DeleteChannel { .. } => false,
    })
}

/// Whether a row of this phase and cause takes a place in the lane of drains: its worker hands over, or the next one is being launched.
#[must_use]
pub fn takes_a_place(phase: Phase, cause: Cause) -> bool {
    match phase {
        Phase::Draining => matches!(cause, Cause::Handover | Cause::StageStuck | Cause::Unknown),
        Phase::Queued | Phase::Launching => matches!(cause, Cause::Handover | Cause::Unknown),
        Phase::Joining | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused | Phase::Stopped | Phase::Failed => {
            false
        }
    }
}

/// The handover that a stuck stage, an order or a rollout asks for, or the look at which it may be time for it.
#[must_use]
pub fn wanted(view: &View, row: &WorkerRow, policy: &Policy, now: Timestamp) -> Option<Plan> {
    match row.phase {
        Phase::Joining | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused => {}
        Phase::Queued | Phase::Launching | Phase::Draining | Phase::Stopped | Phase::Failed => return None,
    }
    if let Some(why) = progress::stuck(row, policy, now) {
        return Some(begin(row, why, None, policy, now));
    }
    let handover = |text| Why::new(Cause::Handover, text, now);
    let at_silence = Some(now.plus_ms(policy.silence_wait_ms));
    if let Some(order) = order::pending(row, Verb::Restart) {
        let leave = view.fleet.launches_left > 0;
        return Some(if leave {
            begin(row, handover(order::signed("the restart", order)), None, policy, now)
        } else {
            Plan::rest(Some(now.plus_ms(policy.admission_wait_ms)))
        });
    }
    if let Some(order) = order::pending(row, Verb::Drain) {
        let at_once = order.at_once.unwrap_or(1).max(1);
        return Some(if view.fleet.draining.is_some_and(|others| others < at_once) {
            begin(row, handover(order::signed("a drain", order)), at_silence, policy, now)
        } else {
            Plan::rest(Some(now.plus_ms(policy.admission_wait_ms)))
        });
    }
    rollout::due(view, row, policy, now).map(|text| begin(row, handover(text), at_silence, policy, now))
}

fn begin(row: &WorkerRow, why: Why, leave_by: Option<Timestamp>, policy: &Policy, now: Timestamp) -> Plan {
    let mut write = RowWrite { next_look_at: Some(now.plus_ms(policy.drain_deadline_ms)), ..RowWrite::keep(row) };
    if let Some(intent) = &mut write.intent {
        intent.desired = Desired::HandOver { leave_by };
    }
    Plan::write(write.to(Phase::Draining, why))
}

/// A stop that comes while the worker hands over: the session ends with it.
#[must_use]
pub fn becomes_an_end(row: &WorkerRow, why: &Why) -> Plan {
    let mut write = RowWrite::keep(row);
    if let Some(intent) = &mut write.intent {
        intent.desired = Desired::Stop;
    }
    Plan::write(write.to(Phase::Draining, why.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World};
    use schemas::ids::Generation;

    fn speaking() -> World {
        let mut world = World::active().live().later(20 * SECOND);
        world.worker_is_fresh();
        let now = world.now;
        world.row.as_mut().unwrap().worker.as_mut().unwrap().progress.speech_at = Some(now);
        world
    }
    fn drain(mut world: World) -> World {
        world = world.ordered(Verb::Drain);
        world.settle();
        world
    }

    #[test]
    fn a_drain_gives_the_worker_time_for_a_silence_and_a_restart_none() {
        let world = drain(speaking());
        let row = world.row();
        assert!(is_under_way(&row), "a controller that waits for a silence sees none between two looks");
        let leave_by = Some(world.now.plus_ms(Policy::default().silence_wait_ms));
        assert_eq!(row.intent.unwrap().desired, Desired::HandOver { leave_by });
        let mut world = speaking().ordered(Verb::Restart);
        world.settle();
        assert_eq!(world.row().intent.unwrap().desired, Desired::HandOver { leave_by: None });
    }

    #[test]
    fn a_drain_waits_for_its_place_in_the_lane_and_at_once_says_how_many_there_are() {
        let begins = |draining: Option<u32>, at_once: Option<u32>| {
            let mut world = speaking().ordered(Verb::Drain);
            world.draining = draining;
            world.row.as_mut().unwrap().operator.order.as_mut().unwrap().at_once = at_once;
            world.settle();
            is_under_way(&world.row())
        };
        assert!(begins(Some(0), None));
        assert!(!begins(Some(1), None), "one at a time");
        assert!(!begins(None, Some(9)), "nobody has counted");
        assert!(begins(Some(2), Some(3)) && !begins(Some(3), Some(3)));
    }

    #[test]
    fn a_place_in_the_lane_of_drains_is_taken_from_the_order_until_the_next_worker_has_come() {
        let takes = |world: &World| takes_a_place(world.row().phase, world.row().why.cause);
        let mut world = drain(speaking());
        assert!(takes(&world));
        world = world.exits(143);
        world.settle();
        assert!(takes(&world), "the next one is launched");
        world.worker_says(Phase::Joining);
        assert!(!takes(&world));
        let mut waits = World::active();
        waits.launches_left = 0;
        waits.settle();
        assert!(!takes(&waits), "who waits for room keeps no drain waiting");
    }

    #[test]
    fn a_worker_that_waits_for_a_silence_has_left_before_its_task_is_stopped() {
        let policy = Policy::default();
        let flush_farewell_and_last_write_ms = 14 * SECOND;
        assert!(policy.silence_wait_ms + flush_farewell_and_last_write_ms < policy.drain_deadline_ms);
    }

    #[test]
    fn the_next_generation_begins_when_the_old_task_has_ended_and_costs_no_budget() {
        let mut world = drain(World::active().live().later(20 * SECOND));
        assert_eq!(world.tasks.len(), 1, "never two");
        world = world.exits(143);
        world.settle();
        let row = world.row();
        assert_eq!((row.generation, row.phase, row.restarts.consecutive), (Generation(2), Phase::Launching, 0));
        assert_eq!(row.intent.unwrap().desired, Desired::Run);
        assert_eq!(world.history[0].why.cause, Cause::Handover);
        world = world.later(20 * SECOND);
        world.worker_says(Phase::Live);
        world.settle();
        assert_eq!(world.tasks.len(), 2, "one order, one handover");
    }

    /// A newer release asked the worker to leave, in words that nobody here knows.
    fn asked_by_a_newer_release() -> World {
        let mut world = drain(World::active().live().later(20 * SECOND));
        let row = world.row.as_mut().unwrap();
        row.why = Why::new(Cause::Unknown, "moved to another zone", row.phase_since);
        row.why.blame = schemas::reason::Blame::Operator;
        row.intent.as_mut().unwrap().desired = Desired::Run;
        world
    }

    #[test]
    fn a_worker_that_leaves_for_a_cause_of_a_newer_release_is_followed_by_its_next_generation() {
        let mut world = asked_by_a_newer_release().exits(143);
        world.settle();
        assert_eq!((world.row().phase, world.row().generation), (Phase::Launching, Generation(2)));
        let mut late = asked_by_a_newer_release().later(Policy::default().drain_deadline_ms);
        late.settle();
        late.settle();
        assert_eq!(
            (late.row().phase, late.row().generation),
            (Phase::Launching, Generation(2)),
            "it did not leave in time"
        );
    }

    #[test]
    fn a_session_that_ends_while_its_worker_leaves_for_a_cause_of_a_newer_release_ends() {
        let mut world = asked_by_a_newer_release().with("status", "ended");
        world.settle();
        assert_eq!((world.row().why.cause, world.row().intent.unwrap().desired), (Cause::SessionEnded, Desired::Stop));
        world = world.exits(143);
        world.settle();
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Stopped, 1));
    }

    #[test]
    fn a_stop_during_a_handover_wins_over_the_next_generation() {
        let mut world = drain(World::active().live().later(20 * SECOND)).with("status", "ended");
        world.settle();
        assert_eq!((world.row().phase, world.row().why.cause), (Phase::Draining, Cause::SessionEnded));
        assert_eq!(world.row().intent.unwrap().desired, Desired::Stop, "the end waits for no silence");
        world = world.exits(143);
        world.settle();
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Stopped, 1));
    }
}
