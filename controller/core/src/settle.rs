//! A task that has ended: what it means for the row.

use crate::action::{Plan, RowWrite};
use crate::handover;
use crate::launch;
use crate::model::{Policy, Task, View, status_is_stopped};
use crate::run_rule::Wish;
use schemas::condition::{Condition, Told};
use schemas::ids::Timestamp;
use schemas::reason::{Blame, Cause, Why};
use schemas::worker::{Desired, EXIT_INTERRUPTED, EXIT_LEASE_LOST, Phase, Restarts, TaskFacts, WorkerRow};

/// The facts of this generation's task once it has ended: from ECS, or from the row when ECS has forgotten it. A task that
/// was STOPPED once is never anything else, whatever a late answer says.
#[must_use]
pub fn ended_task(view: &View, row: &WorkerRow) -> Option<TaskFacts> {
    let recorded = row.task.as_ref().filter(|task| status_is_stopped(&task.last_status));
    let launched_at = row.task.as_ref().map_or(row.phase_since, |task| task.launched_at);
    let is_ours = |task: &&Task| row.task.as_ref().is_none_or(|known| known.arn == task.arn);
    let seen: Vec<&Task> = view.tasks_of(row.generation).filter(is_ours).collect();
    if recorded.is_none() && seen.iter().any(|task| !task.is_stopped()) {
        return None;
    }
    let told = seen.iter().find(|task| task.is_stopped()).map(|task| task.facts(launched_at));
    told.or_else(|| recorded.cloned())
}

/// The newer facts of a task that still runs, when they differ from what the row says. A row that names no task although its worker has spoken takes up the
/// one of its generation: RunTask's answer was lost, and the worker wrote before anybody looked again.
#[must_use]
pub fn newer_facts(view: &View, row: &WorkerRow) -> Option<TaskFacts> {
    let Some(known) = &row.task else {
        let named = row.worker.as_ref().and_then(|worker| worker.task_arn.as_ref());
        let is_ours = |task: &&Task| !task.is_stopped() && named.is_none_or(|arn| *arn == task.arn);
        let launched_at = row.intent.as_ref().map_or(row.phase_since, |intent| intent.decided_at);
        return view.tasks_of(row.generation).find(is_ours).map(|task| task.facts(launched_at));
    };
    let known = Some(known).filter(|task| !status_is_stopped(&task.last_status))?;
    let task = view.tasks_of(row.generation).find(|task| task.arn == known.arn)?;
    let facts = task.facts(known.launched_at);
    (facts != *known).then_some(facts)
}

/// Writes what ECS says of the task, when it is news.
#[must_use]
pub fn recording(row: &WorkerRow, facts: TaskFacts, next_look_at: Option<Timestamp>) -> Option<Plan> {
    let news = row.task.as_ref() != Some(&facts);
    news.then(|| Plan::write(RowWrite { task: Some(facts), next_look_at, ..RowWrite::keep(row) }))
}

/// The task of a row that is not final has ended: as asked, or by a fault that is retried if it may be.
#[must_use]
pub fn ended(view: &View, row: &WorkerRow, facts: TaskFacts, wish: &Wish, policy: &Policy, now: Timestamp) -> Plan {
    let why = cause_of(row, &facts, now);
    let known = WorkerRow { task: Some(facts), ..row.clone() };
    if row.phase == Phase::Draining && !handover::is_under_way(row) {
        return close(&known, row.why.clone());
    }
    match wish {
        Wish::Serve(run) if row.phase == Phase::Draining && run.is_run_of(row.intent.as_ref()) => {
            if row.why.cause == Cause::StageStuck {
                return launch::after_failure(view, &known, run, row.why.clone(), policy, now);
            }
            launch::take_over(view, &known, run, policy, now)
        }
        Wish::Serve(run) if run.is_run_of(row.intent.as_ref()) && is_shortage(&why) => {
            Plan::write(launch::waiting_for_room(&known, run, why, policy, now))
        }
        Wish::Serve(run) if run.is_run_of(row.intent.as_ref()) => {
            launch::after_failure(view, &known, run, why, policy, now)
        }
        Wish::Serve(run) => launch::begin(view, Some(&known), run, Restarts::default(), policy, now),
        Wish::Stop(why) | Wish::Refuse { why, .. } => close(&known, why.clone()),
    }
}

/// Why the task of this row has ended, when nobody wanted that: of a worker that was asked to leave only a crash counts.
#[must_use]
pub fn fault(view: &View, row: &WorkerRow, now: Timestamp) -> Option<Why> {
    let facts = ended_task(view, row)?;
    let asked = row.phase == Phase::Draining;
    (!asked || facts.exit_code.is_some_and(is_a_crash)).then(|| cause_of(row, &facts, now))
}

/// A panic (101), or a signal that a process brings upon itself (128 and SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV).
fn is_a_crash(exit_code: i32) -> bool {
    matches!(exit_code, 101 | 132 | 134 | 135 | 136 | 139)
}

/// The final row: Failed when the session row was at fault, Stopped otherwise. The first cause stands; a run that is wanted
/// by now reopens the row at the next look, which follows at once.
#[must_use]
pub fn close(row: &WorkerRow, why: Why) -> Plan {
    let mut write = RowWrite::keep(row);
    if let Some(intent) = &mut write.intent {
        intent.desired = Desired::Stop;
    }
    Plan::write(write.to(final_phase(&why), why))
}

/// The phase that a run ends in for this reason.
#[must_use]
pub fn final_phase(why: &Why) -> Phase {
    match why.blame {
        Blame::Row => Phase::Failed,
        Blame::Operator | Blame::Speaker | Blame::Us | Blame::Aws => Phase::Stopped,
    }
}

/// ECS's stop codes as of 2026; the list is open.
const KNOWN_STOP_CODES: [&str; 7] = [
    "TaskFailedToStart",
    "EssentialContainerExited",
    "UserInitiated",
    "ServiceSchedulerInitiated",
    "SpotInterruption",
    "TerminationNotice",
    "InfrastructureHealth",
];

/// Why a task ended that nobody had asked to end, from ECS's `stopCode` (an open list) and the container's exit code.
/// A code that nobody knows is told in the text, and retried no longer than the restart budget lasts.
fn cause_of(row: &WorkerRow, facts: &TaskFacts, now: Timestamp) -> Why {
    let reason = facts.stopped_reason.as_deref().unwrap_or("no reason given");
    if let Some(why) = shortage(row, facts, now) {
        return why;
    }
    let (cause, text) = match (facts.stop_code.as_deref(), facts.exit_code) {
        (Some("TaskFailedToStart"), _) => (Cause::TaskFailedToStart, format!("the task did not start: {reason}")),
        (Some("SpotInterruption" | "TerminationNotice" | "InfrastructureHealth" | "ServiceSchedulerInitiated"), _) => {
            (Cause::TaskInterrupted, format!("AWS took the task away: {reason}"))
        }
        (Some("UserInitiated"), _) => (Cause::TaskInterrupted, format!("the task was stopped by hand: {reason}")),
        (_, Some(code)) if code == i32::from(EXIT_INTERRUPTED) => {
            (Cause::TaskInterrupted, format!("the worker was interrupted: {reason}"))
        }
        (_, Some(code)) if code == i32::from(EXIT_LEASE_LOST) => {
            (Cause::LeaseLost, "the worker found that it no longer held the session".to_owned())
        }
        (_, Some(0)) => (Cause::WorkerCrashed, "the worker exited 0 although the session still wants it".to_owned()),
        (_, Some(code)) => (Cause::WorkerCrashed, format!("the worker exited with code {code}: {reason}")),
        (_, None) if row.worker.is_none() => {
            (Cause::TaskFailedToStart, format!("the task ended before its worker spoke: {reason}"))
        }
        (_, None) => (Cause::WorkerCrashed, format!("the task ended: {reason}")),
    };
    match facts.stop_code.as_deref().filter(|code| !KNOWN_STOP_CODES.contains(code)) {
        Some(code) => Why::new(cause, format!("{text} (stop code {code}, which this version does not know)"), now),
        None => Why::new(cause, text, now),
    }
}

/// RunTask said 200, and the task did not get its place after all: there is no room, or AWS asks to slow down. Nothing of ours has failed.
/// Of a worker that has spoken, a text is no verdict.
fn shortage(row: &WorkerRow, facts: &TaskFacts, now: Timestamp) -> Option<Why> {
    let code = facts.stop_code.as_deref().unwrap_or_default();
    let reason = facts.stopped_reason.as_deref().unwrap_or_default();
    if row.worker.is_some() || facts.exit_code.is_some() || !matches!(code, "TaskFailedToStart" | "") {
        return None;
    }
    let cause = match Told::new(code, reason).condition() {
        Condition::NoRoom => Cause::NoCapacity,
        Condition::Throttled => Cause::Throttled,
        Condition::Unavailable | Condition::Denied | Condition::Missing | Condition::Refused | Condition::Unknown => {
            return None;
        }
    };
    Some(Why::new(cause, format!("the task was launched and did not get its place: {reason}"), now))
}

fn is_shortage(why: &Why) -> bool {
    matches!(why.cause, Cause::NoCapacity | Cause::Throttled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, SECOND, World, running_task};
    use schemas::ids::Generation;

    fn cause(stop_code: Option<&str>, exit_code: Option<i32>) -> Cause {
        let row = World::active().live().row();
        let mut facts = running_task(row.generation).facts(NOW);
        facts.stop_code = stop_code.map(str::to_owned);
        facts.exit_code = exit_code;
        cause_of(&row, &facts, NOW).cause
    }

    #[test]
    fn the_stop_code_speaks_before_the_exit_code_and_both_name_a_cause_that_is_retried() {
        for (stop_code, exit_code, expected) in [
            (Some("TaskFailedToStart"), None, Cause::TaskFailedToStart),
            (Some("SpotInterruption"), Some(143), Cause::TaskInterrupted),
            (Some("InfrastructureHealth"), None, Cause::TaskInterrupted),
            (Some("UserInitiated"), Some(137), Cause::TaskInterrupted),
            (Some("EssentialContainerExited"), Some(101), Cause::WorkerCrashed),
            (Some("EssentialContainerExited"), Some(143), Cause::TaskInterrupted),
            (Some("EssentialContainerExited"), Some(3), Cause::LeaseLost),
            (Some("EssentialContainerExited"), Some(0), Cause::WorkerCrashed),
            (Some("SomethingNew"), None, Cause::WorkerCrashed),
            (None, None, Cause::WorkerCrashed),
        ] {
            let cause = cause(stop_code, exit_code);
            assert_eq!(cause, expected, "{stop_code:?} {exit_code:?}");
            assert!(cause.retryable());
        }
    }

    const SHORTAGES: [&str; 3] = [
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "ResourceInitializationError: InsufficientFreeAddressesInSubnet",
        "Timeout waiting for network interface provisioning to complete.",
    ];

    /// The launched task stops after eight seconds, before its worker has begun.
    fn does_not_get_its_place(mut world: World, reason: &str) -> World {
        let now = world.now.plus_ms(8 * SECOND);
        let task = world.task();
        (task.last_status, task.desired_status) = ("STOPPED".into(), "STOPPED".into());
        (task.stop_code, task.stopped_reason) = (Some("TaskFailedToStart".into()), Some(reason.into()));
        (task.started_at, task.stopped_at) = (None, Some(now));
        world.later(8 * SECOND)
    }

    #[test]
    fn a_shortage_that_ecs_tells_after_run_task_said_200_queues_the_session_and_spends_no_budget() {
        for reason in SHORTAGES {
            let mut world = World::active();
            world.settle();
            for _ in 0..13 {
                world = does_not_get_its_place(world, reason);
                world.settle();
                let row = world.row();
                assert_eq!((row.phase, row.why.cause, row.restarts.consecutive), (Phase::Queued, Cause::NoCapacity, 0));
                assert!(row.why.text.contains(reason), "{}", row.why.text);
                assert_eq!(row.next_look_at, Some(world.now.plus_ms(Policy::default().capacity_wait_ms)));
                world = world.later(Policy::default().capacity_wait_ms);
                world.settle();
                assert_eq!(world.row().phase, Phase::Launching, "in the next subnet, for as long as it lasts");
            }
            world.worker_says(Phase::Live);
            world.settle();
            assert_eq!((world.row().phase, world.row().restarts.consecutive), (Phase::Live, 0), "{reason}");
        }
    }

    #[test]
    fn a_throttle_that_ecs_tells_in_the_reason_of_a_stopped_task_is_one_and_a_missing_image_is_none() {
        let told = |reason: &str| {
            let mut world = World::active();
            world.settle();
            world = does_not_get_its_place(world, reason);
            world.settle();
            (world.row().why.cause, world.row().restarts.consecutive)
        };
        assert_eq!(told("CannotPullContainerError: toomanyrequests: Rate exceeded"), (Cause::Throttled, 0));
        assert_eq!(told("CannotPullContainerError: manifest unknown"), (Cause::TaskFailedToStart, 1));
    }

    #[test]
    fn what_a_worker_that_has_spoken_leaves_as_its_reason_is_no_shortage() {
        let mut world = does_not_get_its_place(World::active().live(), SHORTAGES[0]);
        world.settle();
        assert_eq!(world.row().restarts.consecutive, 1);
    }

    #[test]
    fn an_unknown_stop_code_is_named_whatever_the_exit_code_says() {
        let row = World::active().live().row();
        let mut facts = running_task(row.generation).facts(NOW);
        facts.stop_code = Some("SomethingNew".into());
        for exit_code in [None, Some(0), Some(137), Some(143)] {
            facts.exit_code = exit_code;
            let why = cause_of(&row, &facts, NOW);
            assert!(why.text.ends_with("(stop code SomethingNew, which this version does not know)"), "{}", why.text);
        }
    }

    #[test]
    fn an_unknown_stop_code_is_loud_and_no_hot_loop() {
        let mut world = World::active();
        for _ in 0..50 {
            world.settle();
            if world.row().why.cause == Cause::RestartBudgetSpent {
                break;
            }
            world = if world.row().phase == Phase::Queued { world.later(61_000) } else { world.exits(0) };
            world.task().exit_code = None;
            world.task().stop_code = Some("SomethingNew".into());
            world.row.as_mut().unwrap().worker = Some(crate::fixtures::status(NOW, Some(NOW)));
        }
        let row = world.row();
        assert_eq!((row.phase, row.why.cause), (Phase::Queued, Cause::RestartBudgetSpent));
        assert!(row.why.text.contains("SomethingNew, which this version does not know"), "{}", row.why.text);
    }

    #[test]
    fn a_task_is_adopted_although_its_worker_wrote_its_row_before_anybody_else() {
        let mut world = World::active();
        let mut plan = world.plan();
        plan.actions.truncate(1);
        world.apply(&plan);
        world.tasks.push(running_task(Generation(1)));
        world.worker_says(Phase::Joining);
        world.settle();
        assert_eq!(world.row().task.map(|task| task.arn), Some(crate::fixtures::arn(1)));
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Joining, 1), "and the worker goes on");
        world = world.later(31 * SECOND);
        assert_eq!(
            crate::fixtures::plans::stopped_tasks(&world.plan()),
            [crate::fixtures::arn(1)],
            "it is known to be stopped"
        );
    }

    #[test]
    fn a_task_that_was_stopped_once_is_never_taken_for_running_again() {
        let world = World::active().live().exits(101);
        let mut row = world.row();
        row.task = ended_task(&world.view(), &row);
        let stale = World::active().live();
        assert!(ended_task(&stale.view(), &row).is_some());
    }

    #[test]
    fn clean_close_while_live_reconnects() {
        let mut world = World::active().live().exits(0);
        world.settle();
        assert_eq!((world.row().phase, world.row().generation), (Phase::Launching, Generation(2)));
    }

    #[test]
    fn a_task_that_ecs_does_not_show_yet_is_not_lost() {
        let mut world = World::active();
        world.settle();
        world.tasks.clear();
        assert_eq!(world.later(5 * SECOND).plan().actions, []);
    }
}
