//! How often, and how soon, a worker is replaced.

use crate::model::Policy;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Phase, Restarts, WorkerRow};

/// What follows from one more failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Launch again, not before `restarts.not_before`.
    Again(Restarts),
    /// The budget is spent: parked with this reason, and tried again at `restarts.not_before`.
    Park(Restarts, Why),
}

/// Counts the failure `why` of this generation. A worker that was healthy for long enough begins a new count: the budget
/// is for failures in a row. An interruption of a worker that had spoken is no failure of anything of ours.
///
/// No fault of AWS or of ours is final while the session is wanted: when the budget is spent, the session is parked, somebody is paged,
/// and one launch is tried every [`Policy::park_ms`].
#[must_use]
pub fn after_failure(row: &WorkerRow, why: &Why, policy: &Policy, now: Timestamp) -> Decision {
    let before = if row.was_healthy(policy.healthy_after_ms) { 0 } else { row.restarts.consecutive };
    if why.cause == Cause::TaskInterrupted && row.worker.is_some() {
        return Decision::Again(Restarts { consecutive: before, not_before: Some(now), last: Some(why.clone()) });
    }
    let consecutive = before.saturating_add(1).min(policy.restart_budget.saturating_add(1));
    let restarts = |wait_ms| Restarts { consecutive, not_before: Some(now.plus_ms(wait_ms)), last: Some(why.clone()) };
    if consecutive <= policy.restart_budget && why.cause.retryable() {
        return Decision::Again(restarts(backoff_ms(consecutive, policy)));
    }
    let minutes = policy.park_ms / 60_000;
    let text = if why.cause.retryable() {
        let budget = policy.restart_budget;
        format!("more than {budget} launches in a row failed; tried again every {minutes} min; the last: {}", why.text)
    } else {
        format!("tried again every {minutes} min: {}", why.text)
    };
    Decision::Park(restarts(policy.park_ms), Why::new(Cause::RestartBudgetSpent, text, now))
}

/// Whether a row of this phase and cause waits because of a fault that somebody has to look at: of AWS or of ours, and no shortage.
#[must_use]
pub fn is_parked(phase: Phase, cause: Cause) -> bool {
    phase == Phase::Queued && matches!(cause, Cause::RestartBudgetSpent | Cause::LaunchRefused)
}

/// Wait after the `consecutive`-th launch in a row that was refused, ms: a role or a network that was made just now is known
/// everywhere within a minute; what stays refused is tried as seldom as a parked session.
#[must_use]
pub fn refused_ms(consecutive: u32, policy: &Policy) -> i64 {
    let doubled = policy.capacity_wait_ms.saturating_mul(1_i64 << consecutive.saturating_sub(1).min(32));
    doubled.clamp(0, policy.park_ms)
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

    fn crash() -> Why {
        Why::new(Cause::WorkerCrashed, "exit code 101", NOW)
    }

    #[test]
    fn the_first_failure_is_replaced_at_once_and_the_budget_is_spent_in_the_end() {
        let policy = Policy::default();
        let mut row = World::active().live().row();
        for n in 1..=policy.restart_budget {
            let Decision::Again(restarts) = after_failure(&row, &crash(), &policy, NOW) else {
                panic!("parked at {n}")
            };
            assert_eq!(restarts.consecutive, n);
            assert_eq!(restarts.not_before == Some(NOW), n == 1);
            row.restarts = restarts;
        }
        for _ in 0..3 {
            let Decision::Park(restarts, why) = after_failure(&row, &crash(), &policy, NOW) else {
                panic!("a hot loop")
            };
            assert_eq!(why.cause, Cause::RestartBudgetSpent);
            assert!(why.text.contains("exit code 101") && why.text.contains("every 3 min"), "{}", why.text);
            assert_eq!((restarts.consecutive, restarts.not_before), (6, Some(NOW.plus_ms(policy.park_ms))));
            row.restarts = restarts;
        }
    }

    #[test]
    fn healthy_run_resets_budget() {
        let policy = Policy::default();
        let mut row = World::active().live().row();
        row.restarts.consecutive = policy.restart_budget;
        let worker = row.worker.as_mut().unwrap();
        worker.start_up.process_at = Some(NOW.plus_ms(-policy.healthy_after_ms));
        worker.heartbeat_at = NOW;
        assert!(matches!(after_failure(&row, &crash(), &policy, NOW), Decision::Again(r) if r.consecutive == 1));
    }

    #[test]
    fn an_unknown_cause_is_tried_again_no_sooner_than_a_parked_session() {
        let row = World::active().live().row();
        let why = Why::new(Cause::Unknown, "what is this?", NOW);
        let policy = Policy::default();
        let Decision::Park(restarts, why) = after_failure(&row, &why, &policy, NOW) else { panic!("retried at once") };
        assert_eq!(restarts.not_before, Some(NOW.plus_ms(policy.park_ms)));
        assert!(why.text.contains("what is this?"), "{}", why.text);
    }

    #[test]
    fn a_launch_that_is_refused_is_tried_sooner_than_a_role_is_known_everywhere_and_later_as_seldom_as_a_parked_one() {
        let policy = Policy::default();
        let waits: Vec<i64> = (1..=7).map(|n| refused_ms(n, &policy) / 1_000).collect();
        assert_eq!(waits, [15, 30, 60, 120, 180, 180, 180]);
        assert_eq!(refused_ms(u32::MAX, &policy), policy.park_ms);
    }

    proptest! {
        #[test]
        fn backoff_is_monotone_and_bounded(n in 0_u32..u32::MAX) {
            let policy = Policy::default();
            let (this, next) = (backoff_ms(n, &policy), backoff_ms(n + 1, &policy));
            prop_assert!(0 <= this && this <= next && next <= policy.backoff_most_ms);
        }
    }

    /// A session whose every launch fails, until its budget is spent.
    fn parked() -> World {
        let mut world = World::active();
        for _ in 0..100 {
            world.settle();
            let row = world.row();
            if is_parked(row.phase, row.why.cause) {
                return world;
            }
            world = if row.phase == Phase::Queued { world.later(61 * SECOND) } else { world.exits(101) };
        }
        panic!("never parked: {:?}", world.row());
    }

    #[test]
    fn a_crash_is_relaunched_with_backoff_until_the_budget_is_spent_and_then_every_five_minutes() {
        let mut world = parked();
        let (budget, park_ms) = (world.policy.restart_budget as usize, world.policy.park_ms);
        assert_eq!((world.row().why.cause, world.tasks.len()), (Cause::RestartBudgetSpent, budget + 1));
        for n in 2..14 {
            assert_eq!(world.clone().later(park_ms - 1).plan().actions, [], "and no sooner");
            world = world.later(park_ms);
            world.settle();
            assert_eq!(
                (world.row().phase, world.tasks.len()),
                (Phase::Launching, budget + n),
                "an hour of an incident"
            );
            world = world.exits(101);
            world.settle();
            assert!(is_parked(world.row().phase, world.row().why.cause), "{:?}", world.row().why);
        }
    }

    #[test]
    fn a_parked_session_heals_by_itself_and_begins_a_new_count_when_it_was_healthy() {
        let world = parked();
        let (park_ms, healthy_after_ms) = (world.policy.park_ms, world.policy.healthy_after_ms);
        let mut world = world.later(park_ms);
        world.settle();
        world.worker_says(Phase::Live);
        world = world.later(healthy_after_ms);
        world.worker_is_fresh();
        world.settle();
        world = world.exits(101);
        world.settle();
        assert_eq!((world.row().phase, world.row().restarts.consecutive), (Phase::Launching, 1));
    }

    #[test]
    fn a_parked_session_ends_at_once_when_nobody_wants_it_and_begins_at_once_when_it_resumes_or_an_operator_says_so() {
        let mut ended = parked().with("status", "ended");
        ended.settle();
        assert_eq!((ended.row().phase, ended.row().why.cause), (Phase::Stopped, Cause::SessionEnded));
        let mut resumed = parked().later(SECOND).with("status", "paused");
        let launches = resumed.tasks.len();
        resumed.settle();
        assert_eq!(resumed.tasks.len(), launches, "a pause launches nothing");
        let mut resumed = resumed.later(SECOND).with("status", "active");
        resumed.settle();
        assert_eq!((resumed.row().phase, resumed.row().restarts.consecutive), (Phase::Launching, 0));
        let mut ordered = parked().later(SECOND).ordered(schemas::operator::Verb::Restart);
        ordered.settle();
        assert_eq!(ordered.row().phase, Phase::Launching);
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
