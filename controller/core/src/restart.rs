//! How often, and how soon, a worker is replaced.

use crate::model::Policy;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Restarts, WorkerRow};

/// What follows from one more failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Launch again, not before `restarts.not_before`.
    Again(Restarts),
    /// Not again: this is the reason that the row ends with.
    GiveUp(Why),
}

/// Counts the failure `why` of this generation. A worker that was healthy for long enough begins a new count: the budget
/// is for failures in a row. An interruption of a worker that had spoken is no failure of anything of ours.
#[must_use]
pub fn after_failure(row: &WorkerRow, why: &Why, policy: &Policy, now: Timestamp) -> Verdict {
    if !why.cause.retryable() {
        return Verdict::GiveUp(why.clone());
    }
    let before = if row.was_healthy(policy.healthy_after_ms) { 0 } else { row.restarts.consecutive };
    if why.cause == Cause::TaskInterrupted && row.worker.is_some() {
        return Verdict::Again(Restarts { consecutive: before, not_before: Some(now), last: Some(why.clone()) });
    }
    let consecutive = before.saturating_add(1);
    if consecutive > policy.restart_budget {
        let text = format!("{before} launches in a row failed; the last: {}", why.text);
        return Verdict::GiveUp(Why::new(Cause::RestartBudgetSpent, text, now));
    }
    let not_before = now.plus_ms(backoff_ms(consecutive, policy));
    Verdict::Again(Restarts { consecutive, not_before: Some(not_before), last: Some(why.clone()) })
}

/// Wait before the `consecutive`-th relaunch in a row, ms: none before the first, then doubling up to the longest.
#[must_use]
pub fn backoff_ms(consecutive: u32, policy: &Policy) -> i64 {
    match consecutive {
        0 | 1 => 0,
        n => policy.backoff_first_ms.saturating_mul(1_i64 << (n - 2).min(32)).clamp(0, policy.backoff_most_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plans::stopped_tasks;
    use crate::fixtures::{NOW, SECOND, World, arn};
    use proptest::prelude::*;
    use schemas::ids::Generation;
    use schemas::worker::Phase;

    fn crash() -> Why {
        Why::new(Cause::WorkerCrashed, "exit code 101", NOW)
    }

    #[test]
    fn the_first_failure_is_replaced_at_once_and_the_budget_is_spent_in_the_end() {
        let policy = Policy::default();
        let mut row = World::active().live().row();
        for n in 1..=policy.restart_budget {
            let Verdict::Again(restarts) = after_failure(&row, &crash(), &policy, NOW) else {
                panic!("gave up at {n}")
            };
            assert_eq!(restarts.consecutive, n);
            assert_eq!(restarts.not_before == Some(NOW), n == 1);
            row.restarts = restarts;
        }
        let Verdict::GiveUp(why) = after_failure(&row, &crash(), &policy, NOW) else { panic!("went on for ever") };
        assert_eq!(why.cause, Cause::RestartBudgetSpent);
        assert!(why.text.contains("exit code 101"), "{}", why.text);
    }

    #[test]
    fn healthy_run_resets_budget() {
        let policy = Policy::default();
        let mut row = World::active().live().row();
        row.restarts.consecutive = policy.restart_budget;
        let worker = row.worker.as_mut().unwrap();
        worker.start_up.process_at = Some(NOW.plus_ms(-policy.healthy_after_ms));
        worker.heartbeat_at = NOW;
        assert!(matches!(after_failure(&row, &crash(), &policy, NOW), Verdict::Again(r) if r.consecutive == 1));
    }

    #[test]
    fn an_unknown_cause_is_not_retried() {
        let row = World::active().live().row();
        let why = Why::new(Cause::Unknown, "what is this?", NOW);
        assert_eq!(after_failure(&row, &why, &Policy::default(), NOW), Verdict::GiveUp(why));
    }

    proptest! {
        #[test]
        fn backoff_is_monotone_and_bounded(n in 0_u32..u32::MAX) {
            let policy = Policy::default();
            let (this, next) = (backoff_ms(n, &policy), backoff_ms(n + 1, &policy));
            prop_assert!(0 <= this && this <= next && next <= policy.backoff_most_ms);
        }
    }

    #[test]
    fn a_crash_is_relaunched_with_backoff_until_the_budget_is_spent() {
        let mut world = World::active();
        let budget = world.policy.restart_budget as usize;
        for _ in 0..100 {
            world.settle();
            let phase = world.row().phase;
            if phase == Phase::Failed {
                break;
            }
            world = if phase == Phase::Queued { world.later(61 * SECOND) } else { world.exits(101) };
        }
        let row = world.row();
        assert_eq!((row.phase, row.why.cause), (Phase::Failed, Cause::RestartBudgetSpent));
        assert_eq!(world.tasks.len(), budget + 1);
        assert_eq!(world.history.len(), budget, "every generation but the last is kept");
        assert_eq!(world.clone().later(3_600 * SECOND).plan().actions, [], "and it stays so");
    }

    /// Live for a minute, then crashed and begun again within its task.
    fn restarted() -> World {
        let mut world = World::active().live().later(60 * SECOND);
        world.worker_is_fresh();
        world.settle();
        world.later(2 * SECOND).restarts_in_place()
    }

    #[test]
    fn a_worker_that_was_restarted_within_its_task_is_left_alone_and_so_is_the_task() {
        let mut world = restarted();
        world.settle();
        assert_eq!((world.tasks.len(), world.tasks[0].is_stopping()), (1, false));
        world = world.later(3 * SECOND);
        world.worker_says(Phase::Live);
        world.settle();
        let row = world.row();
        assert_eq!((row.generation, row.phase, row.restarts.consecutive), (Generation(2), Phase::Live, 1));
        assert_eq!((world.tasks.len(), world.tasks[0].is_stopping()), (1, false));
    }

    #[test]
    fn a_restarted_worker_that_does_not_speak_is_replaced_like_any_other_and_its_task_is_stopped() {
        let mut world = restarted();
        world.settle();
        world = world.later(31 * SECOND);
        assert_eq!(stopped_tasks(&world.plan()), [arn(1)]);
        world.settle();
        world = world.later(SECOND);
        world.settle();
        let row = world.row();
        assert_eq!((row.generation, row.phase, row.restarts.consecutive), (Generation(3), Phase::Launching, 2));
    }

    #[test]
    fn a_worker_that_crashes_again_at_once_ends_its_task_and_is_replaced_by_a_launch_that_counts_on() {
        let mut world = restarted();
        world.worker_says(Phase::Live);
        world = world.exits(137).later(2 * SECOND);
        world.settle();
        assert_eq!((world.row().phase, world.row().restarts.consecutive), (Phase::Queued, 2), "with its backoff");
        world = world.later(SECOND);
        world.settle();
        assert_eq!((world.row().generation, world.row().phase), (Generation(3), Phase::Launching));
        assert_eq!(world.tasks.len(), 2);
        assert_eq!(world.row().task.map(|task| task.arn), Some(arn(3)), "no token is used twice");
    }

    #[test]
    fn a_session_whose_worker_was_restarted_within_its_task_ends_as_any_other() {
        let mut world = restarted();
        world.worker_says(Phase::Live);
        world = world.with("status", "ended");
        world.settle();
        assert_eq!((world.row().phase, world.row().generation), (Phase::Draining, Generation(2)));
        world.worker_says(Phase::Stopped);
        world = world.exits(0);
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.next_look_at), (Phase::Stopped, None));
        assert_eq!(
            row.task.and_then(|task| task.exit_code),
            Some(0),
            "the end of the task is seen as that of its worker"
        );
    }

    #[test]
    fn a_controller_that_decides_while_a_worker_claims_finds_another_revision() {
        let before = World::active().live().later(31 * SECOND);
        let decided = before.plan();
        assert!(decided.launches(), "the worker was silent for too long");
        let after = before.clone().restarts_in_place();
        assert!(after.row().revision > before.row().revision, "so the table refuses what was decided");
        assert!(!after.plan().launches(), "and the next look sees a worker that joins: {:?}", after.plan());
    }
}
