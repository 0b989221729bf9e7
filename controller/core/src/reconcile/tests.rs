use super::*;
use crate::action::RowWrite;
use crate::fixtures::{NOW, SECOND, World, any_row, arn, channel, running_task};
use crate::launch::{Answer, answered};
use crate::model::{Task, Tasks};
use proptest::prelude::*;
use schemas::ids::{Generation, TaskArn};
use schemas::operator::Verb;

fn stopped_tasks(plan: &Plan) -> Vec<TaskArn> {
    let stop = |action: &Action| match action {
        Action::StopTask { arn, .. } => Some(arn.clone()),
        Action::Write(_)
        | Action::LookAgain { .. }
        | Action::RunTask { .. }
        | Action::Strike { .. }
        | Action::DeleteChannel { .. } => None,
    };
    plan.actions.iter().filter_map(stop).collect()
}
fn launched(plan: &Plan) -> Vec<Generation> {
    let launch = |action: &Action| match action {
        Action::RunTask { generation } => Some(*generation),
        Action::Write(_)
        | Action::LookAgain { .. }
        | Action::StopTask { .. }
        | Action::Strike { .. }
        | Action::DeleteChannel { .. } => None,
    };
    plan.actions.iter().filter_map(launch).collect()
}
fn written(plan: &Plan) -> &RowWrite {
    match plan.actions.first() {
        Some(Action::Write(write)) => write,
        other => panic!("no write first: {other:?}"),
    }
}

#[test]
fn an_active_session_gets_its_intent_before_its_task() {
    let plan = World::active().plan();
    assert!(matches!(plan.actions[..], [Action::Write(_), Action::RunTask { generation: Generation(1) }]));
    let write = written(&plan);
    assert_eq!(write.transition.as_ref().map(|t| t.phase), Some(Phase::Launching));
    assert_eq!(write.intent.as_ref().map(|i| i.desired), Some(Desired::Run));
}

#[test]
fn crash_between_intent_and_launch_launches_once() {
    let mut world = World::active();
    let mut plan = world.plan();
    plan.actions.truncate(1);
    world.apply(&plan);
    let again = world.clone().later(15 * SECOND);
    assert_eq!(launched(&again.plan()), [Generation(1)]);
    world.now = again.now;
    world.settle();
    assert_eq!(world.tasks.len(), 1);
    assert_eq!(world.row().generation, Generation(1));
}

#[test]
fn a_launch_whose_answer_was_lost_adopts_its_task() {
    let mut world = World::active();
    let mut plan = world.plan();
    plan.actions.truncate(1);
    world.apply(&plan);
    world.tasks.push(running_task(Generation(1)));
    let plan = world.plan();
    assert_eq!(launched(&plan), []);
    assert_eq!(written(&plan).task.as_ref().map(|t| t.arn.clone()), Some(arn(1)));
}

#[test]
fn a_token_answered_by_a_stopped_task_leads_to_the_next_generation() {
    let mut world = World::active();
    let mut plan = world.plan();
    plan.actions.truncate(1);
    world.apply(&plan);
    world.run_task(Generation(1));
    world = world.exits(1);
    world.row.as_mut().unwrap().task.as_mut().unwrap().last_status = "STOPPED".into();
    let plan = world.plan();
    assert_eq!(launched(&plan), [Generation(2)]);
    assert!(written(&plan).archive.is_some());
}

#[test]
fn a_satisfied_session_needs_nothing() {
    let world = World::active().live();
    assert_eq!(world.plan().actions, []);
    assert!(world.plan().next_look.is_some());
}

#[test]
fn a_quiet_worker_is_not_a_dead_worker() {
    let mut world = World::active().live();
    for _ in 0..120 {
        world = world.later(30 * SECOND);
        let worker = world.row.as_mut().unwrap().worker.as_mut().unwrap();
        worker.heartbeat_at = world.now;
        worker.progress = schemas::worker::Progress::default();
        let plan = world.plan();
        assert!(!plan.is_noteworthy(), "{plan:?}");
        world.apply(&plan);
    }
}

#[test]
fn a_worker_without_heartbeats_is_fenced_before_it_is_replaced() {
    let world = World::active().live().later(31 * SECOND);
    let plan = world.plan();
    assert!(matches!(
        &plan.actions[..],
        [Action::Write(w), Action::StopTask { arn: old, .. }, Action::RunTask { generation: Generation(2) }]
            if *old == arn(1) && w.generation == Generation(2)
    ));
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

#[test]
fn clean_close_while_live_reconnects() {
    let mut world = World::active().live().exits(0);
    world.settle();
    assert_eq!((world.row().phase, world.row().generation), (Phase::Launching, Generation(2)));
}

#[test]
fn the_longest_duration_ends_a_session_that_nothing_else_ends() {
    let mut world = World::active().live().with("expiresAt", NOW.0 / 1_000 + 30 * 86_400);
    for _ in 0..(26 * 60) {
        world = world.later(60 * SECOND);
        if !world.row().phase.is_final() {
            world.worker_is_fresh();
        }
        world.settle();
        if world.row().phase == Phase::Draining {
            assert_eq!(world.row().why.cause, Cause::MaxDuration);
            assert!(world.now.since(NOW) >= world.policy.max_duration_ms - 120 * SECOND);
            return;
        }
    }
    panic!("it ran for ever");
}

#[test]
fn not_knowing_the_tasks_is_no_verdict() {
    let plan = World::active().live().later(300 * SECOND).ecs_silent().plan();
    assert!(!plan.is_noteworthy(), "{plan:?}");
    assert!(plan.next_look.is_some());
}

#[test]
fn a_launch_that_never_speaks_is_replaced_at_its_deadline() {
    let mut world = World::active();
    world.settle();
    let deadline = world.policy.launch_deadline_ms;
    assert_eq!(launched(&world.clone().later(deadline - 1).plan()), []);
    let plan = world.later(deadline).plan();
    assert_eq!(launched(&plan), [Generation(2)]);
    assert_eq!(stopped_tasks(&plan), [arn(1)]);
}

#[test]
fn an_ended_session_is_drained_and_then_stopped() {
    let mut world = World::active().live().with("status", "ended");
    world.settle();
    let row = world.row();
    assert_eq!((row.phase, row.why.cause), (Phase::Draining, Cause::SessionEnded));
    assert_eq!(row.intent.map(|i| i.desired), Some(Desired::Stop));
    world = world.later(3 * SECOND);
    world.worker_says(Phase::Stopped);
    world = world.exits(0);
    world.settle();
    let row = world.row();
    assert_eq!((row.phase, row.next_look_at), (Phase::Stopped, None));
    assert_eq!(row.task.and_then(|t| t.exit_code), Some(0));
}

#[test]
fn a_worker_that_does_not_end_is_stopped_at_the_drain_deadline_and_only_once() {
    let mut world = World::active().live().with("status", "ended");
    world.settle();
    world = world.later(Policy::default().drain_deadline_ms);
    let plan = world.plan();
    assert_eq!(stopped_tasks(&plan), [arn(1)]);
    world.task().desired_status = "STOPPED".into();
    assert_eq!(stopped_tasks(&world.plan()), []);
}

#[test]
fn first_cause_wins_and_explicit_stop_dominates() {
    let mut world = World::active().live().with("status", "ended");
    world.settle();
    world = world.deleted().exits(137);
    world.settle();
    assert_eq!(world.row().why.cause, Cause::SessionEnded, "the deletion came later");

    let mut crashed = World::active().live().exits(101).with("status", "ended");
    crashed.settle();
    assert_eq!(crashed.row().why.cause, Cause::SessionEnded, "a crash does not bring an ended session back");
    assert_eq!(crashed.tasks.len(), 1);
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

#[test]
fn an_unservable_row_fails_once_without_a_launch_and_a_repaired_row_is_served() {
    let mut world = World::active().with("sourceLanguage", "klingon");
    world.settle();
    let row = world.row();
    assert_eq!((row.phase, row.why.cause, row.intent), (Phase::Failed, Cause::UnsupportedLanguage, None));
    assert!(row.why.text.contains("klingon"), "{}", row.why.text);
    assert_eq!(world.tasks.len(), 0);
    assert_eq!(world.clone().later(SECOND).plan().actions, []);
    world.set("sourceLanguage", "en");
    world.settle();
    assert_eq!(world.row().phase, Phase::Launching);
}

#[test]
fn a_new_channel_is_a_new_run_and_the_old_run_ends_first() {
    let mut world = World::active().live().with("kvsChannelArn", channel(2));
    let plan = world.plan();
    assert_eq!(launched(&plan), []);
    world.apply(&plan);
    assert_eq!((world.row().phase, world.row().why.cause), (Phase::Draining, Cause::SessionReplaced));
    world = world.exits(0);
    world.settle();
    let row = world.row();
    assert_eq!((row.phase, row.generation), (Phase::Launching, Generation(2)));
    assert!(row.intent.unwrap().channel_arn.unwrap().as_str().ends_with("/2"));
}

#[test]
fn a_run_that_the_speaker_left_is_not_started_again_but_a_new_run_is() {
    let mut world = World::active().live();
    world.worker_says(Phase::Stopped);
    world.row.as_mut().unwrap().why = Why::new(Cause::SpeakerGone, "no audio for 120 s", NOW);
    world = world.exits(0);
    world.settle();
    assert_eq!((world.row().phase, world.tasks.len()), (Phase::Stopped, 1));
    world.set("kvsChannelArn", channel(2));
    world.settle();
    assert_eq!(world.tasks.len(), 2);
}

#[test]
fn a_worker_that_saw_its_channel_gone_is_not_started_again_until_the_session_row_says_something_new() {
    let mut world = World::active().live();
    world.worker_says(Phase::Stopped);
    world.row.as_mut().unwrap().why = Why::new(Cause::SessionDeleted, "the signaling channel is gone", NOW);
    world = world.exits(0);
    world.settle();
    assert_eq!((world.row().phase, world.tasks.len()), (Phase::Stopped, 1), "the next one would only see the same");
    world.set("status", "ended");
    world.settle();
    world.set("expiresAt", NOW.0 / 1_000 + 3_600);
    world.set("status", "active");
    world.settle();
    assert_eq!(world.tasks.len(), 2);
}

#[test]
fn a_paused_session_keeps_its_worker_with_other_orders() {
    let mut world = World::active().live().with("status", "paused");
    world.settle();
    let row = world.row();
    assert_eq!((row.phase, row.intent.map(|i| i.desired)), (Phase::Live, Some(Desired::Pause)));
    world.set("status", "active");
    world.settle();
    assert_eq!(world.row().intent.map(|i| i.desired), Some(Desired::Run));
    assert_eq!(world.tasks.len(), 1);
    assert_eq!(World::active().with("status", "paused").plan().actions, [], "nothing is launched for a pause");
}

#[test]
fn a_changed_language_reaches_the_worker_without_a_restart() {
    let mut world = World::active().live().with("sourceLanguage", "de");
    let plan = world.plan();
    assert_eq!(written(&plan).transition, None, "the phase is the worker's");
    world.apply(&plan);
    assert_eq!(world.row().intent.unwrap().source_language.as_str(), "de");
    assert_eq!(world.plan().actions, []);
}

#[test]
fn no_room_is_a_state_and_not_a_failure() {
    let mut world = World::active();
    let mut plan = world.plan();
    plan.actions.truncate(1);
    world.apply(&plan);
    let write = answered(&world.row(), &Answer::NoCapacity("vCPU quota".into()), &world.policy, world.now).unwrap();
    world.row = Some(write.applied(world.row.as_ref(), &world.view().session_id, world.now));
    assert_eq!((world.row().phase, world.row().restarts.consecutive), (Phase::Queued, 0));
    assert_eq!(launched(&world.plan()), []);
    let plan = world.clone().later(world.policy.capacity_wait_ms).plan();
    assert_eq!(launched(&plan), [Generation(2)]);
    assert_eq!(written(&plan).archive, None, "nothing ran, nothing to keep");
}

#[test]
fn a_refused_launch_fails_with_its_reason() {
    let mut world = World::active();
    let mut plan = world.plan();
    plan.actions.truncate(1);
    world.apply(&plan);
    let refused = Answer::Refused("AccessDeniedException: ecs:RunTask".into());
    let write = answered(&world.row(), &refused, &world.policy, world.now).unwrap();
    world.row = Some(write.applied(world.row.as_ref(), &world.view().session_id, world.now));
    assert_eq!((world.row().phase, world.row().why.cause), (Phase::Failed, Cause::LaunchRefused));
    assert_eq!(world.plan().actions, []);
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
fn a_task_that_ecs_does_not_show_yet_is_not_lost() {
    let mut world = World::active();
    world.settle();
    world.tasks.clear();
    assert_eq!(world.later(5 * SECOND).plan().actions, []);
}

#[test]
fn a_row_whose_worker_ended_clean_but_lingers_is_stopped_after_a_grace() {
    let mut world = World::active().live().with("status", "ended");
    world.settle();
    world.worker_says(Phase::Stopped);
    assert_eq!(world.plan().actions, []);
    assert_eq!(stopped_tasks(&world.later(Policy::default().drain_deadline_ms).plan()), [arn(1)]);
}

// ── properties ──

const PHASES: [Phase; 9] = [
    Phase::Queued,
    Phase::Launching,
    Phase::Joining,
    Phase::WaitingForSpeaker,
    Phase::Live,
    Phase::Paused,
    Phase::Draining,
    Phase::Stopped,
    Phase::Failed,
];
const CAUSES: [Cause; 6] = [
    Cause::SessionActive,
    Cause::SessionEnded,
    Cause::SpeakerGone,
    Cause::UnsupportedLanguage,
    Cause::WorkerCrashed,
    Cause::LaunchRefused,
];

fn any_world() -> impl Strategy<Value = World> {
    let session = (0..7_u8, any::<bool>());
    let row = prop::option::of((0..PHASES.len(), 1..4_u64, 0..CAUSES.len(), 0..400_i64, any::<bool>(), 0..8_u32));
    let tasks = prop::collection::btree_map(1..6_u64, (any::<bool>(), 0..3_i32), 0..4);
    let operator = (0..5_u8, -60..60_i64, any::<bool>());
    let world = (session, row, tasks, any::<bool>(), operator, any::<bool>());
    world.prop_map(|((kind, second_run), row, tasks, ecs_answers, operator, surge)| {
        let mut world = World::active();
        match kind {
            0 => world.set("status", "paused"),
            1 => world.set("status", "ended"),
            2 => world.set("sourceLanguage", "xx"),
            3 => world.set("isActive", false),
            4 => world = world.deleted(),
            _ => {}
        }
        if second_run && kind != 4 {
            world.set("kvsChannelArn", channel(2));
        }
        world.row = row.map(|(phase, generation, cause, age, with_task, consecutive)| {
            let since = NOW.plus_ms(-age * SECOND);
            let mut row = any_row(PHASES[phase], generation, CAUSES[cause], since, with_task);
            row.restarts.consecutive = consecutive;
            row
        });
        world.tasks = tasks.into_iter().map(|(generation, (stopped, code))| task(generation, stopped, code)).collect();
        world.ecs_answers = ecs_answers;
        world.launches_left = if surge { 0 } else { u32::MAX };
        if world.row.is_some() { operated(world, operator) } else { world }
    })
}

/// What an operator may have left in the row; a hold is as likely as none of it.
fn operated(mut world: World, (verb, age, held): (u8, i64, bool)) -> World {
    if held {
        world = world.held(NOW.plus_ms(3_600 * SECOND));
    }
    let verb = match verb {
        0 => Verb::Stop,
        1 => Verb::Restart,
        2 => Verb::Drain,
        _ => return world,
    };
    world = world.ordered(verb);
    let order = world.row.as_mut().unwrap().operator.order.as_mut().unwrap();
    order.signed.at = NOW.plus_ms(-age * SECOND);
    world
}

fn task(generation: u64, stopped: bool, code: i32) -> Task {
    let mut task = running_task(Generation(generation));
    if stopped {
        task.last_status = "STOPPED".into();
        task.exit_code = Some(code);
    }
    task
}

/// Plans that any view needs at most until the next one is empty; a look makes up to six.
const K: usize = 4;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_plan_keeps_its_promises(world in any_world()) {
        let view = world.view();
        let plan = world.plan();
        let launches = launched(&plan);
        prop_assert!(launches.len() <= 1, "two launches: {plan:?}");
        if let Some(generation) = launches.first() {
            prop_assert!(matches!(run_rule::wish(&view, &world.policy, world.now), Wish::Serve(_)), "launched unwanted: {plan:?}");
            prop_assert!(matches!(plan.actions.last(), Some(Action::RunTask { .. })), "the launch comes last: {plan:?}");
            let intent = match plan.actions.first() {
                Some(Action::Write(write)) => write.generation,
                _ => view.worker.as_ref().unwrap().generation,
            };
            prop_assert_eq!(intent, *generation, "the launch has its intent");
        }
        let writes = plan.actions.iter().filter(|a| matches!(a, Action::Write(_))).count();
        prop_assert!(writes <= 1 && (writes == 0 || matches!(plan.actions[0], Action::Write(_))));
        if let (Some(row), Tasks::Known(tasks)) = (&view.worker, &view.tasks) {
            for arn in stopped_tasks(&plan) {
                let newer = tasks.iter().any(|t| t.arn == arn && t.generation > row.generation);
                prop_assert!(!newer, "stopped a newer task: {plan:?}");
            }
        }
    }

    #[test]
    fn held_session_untouched(mut world in any_world(), hours in prop::collection::vec(0..2_000_i64, 1..8)) {
        if world.row.is_none() {
            return Ok(());
        }
        world = world.held(NOW.plus_ms(3_600 * SECOND));
        for seconds in hours {
            world = world.later(seconds * SECOND);
            let plan = world.plan();
            let held = hold::in_force(&world.view(), world.now).is_some();
            let generation = world.row().generation;
            let lives = world.tasks.iter().any(|task| task.generation == generation && !task.is_stopped());
            if held {
                prop_assert_eq!(stopped_tasks(&plan), vec![], "{:?}", &plan);
                let drains = plan.actions.iter().any(|action| matches!(action, Action::Write(write)
                    if write.transition.as_ref().is_some_and(|t| t.phase == Phase::Draining)));
                let old = world.row();
                prop_assert!(!drains || old.phase == Phase::Draining || !lives, "{:?}", &plan);
                let ours = world.tasks.iter().any(|task| task.generation == old.generation && !task.is_stopped());
                prop_assert!(launched(&plan).iter().all(|g| *g == old.generation) || !ours || !world.ecs_answers, "{:?}", &plan);
            }
            world.apply(&plan);
        }
    }

    #[test]
    fn a_row_that_is_not_final_is_always_looked_at_again(mut world in any_world()) {
        for _ in 0..4 {
            let plan = world.plan();
            world.apply(&plan);
            let Some(row) = &world.row else { break };
            prop_assert_eq!(row.next_look_at.is_none(), row.phase.is_final(), "{:?} after {:?}", row, plan);
        }
    }

    #[test]
    fn applying_plans_comes_to_rest_in_k_steps_and_repeating_changes_nothing(mut world in any_world()) {
        let steps = world.settle();
        prop_assert!(steps <= K, "{} plans until rest: {:?}", steps, world.row);
        let before = (world.row.clone(), world.tasks.clone());
        let plan = world.plan();
        prop_assert_eq!(&plan.actions, &vec![]);
        world.settle();
        prop_assert_eq!((world.row.clone(), world.tasks.clone()), before);
        if let Some(row) = world.row.filter(|row| !row.phase.is_final()) {
            prop_assert!(row.next_look_at > Some(world.now), "at rest with a look that is due: {:?}", row);
            prop_assert!(row.next_look_at <= plan.next_look, "looks too late: {:?}, not {:?}", row, plan.next_look);
        }
    }

    #[test]
    fn at_rest_a_wanted_session_has_one_task_and_an_unwanted_one_none_in_the_end(mut world in any_world()) {
        world.ecs_answers = true;
        world.row = None;
        world.tasks.clear();
        world.launches_left = 1;
        world.settle();
        let wanted = matches!(run_rule::wish(&world.view(), &world.policy, world.now),
            Wish::Serve(run) if run.desired == Desired::Run);
        prop_assert_eq!(world.tasks.iter().filter(|t| !t.is_stopped()).count(), usize::from(wanted));
    }

    #[test]
    fn an_ended_session_is_empty_after_its_deadlines(mut world in any_world()) {
        world.ecs_answers = true;
        world.tasks.retain(|t| world.row.as_ref().is_some_and(|r| t.generation <= r.generation));
        world.set("sessionId", "calm-river-123");
        world.set("status", "ended");
        if let Some(row) = &mut world.row {
            row.operator.hold = None;
        }
        for _ in 0..6 {
            world.settle();
            world = world.later(61 * SECOND);
        }
        prop_assert!(world.tasks.iter().all(Task::is_stopped), "{:?}", world.tasks);
        prop_assert!(world.row.as_ref().is_none_or(|row| row.phase.is_final()), "{:?}", world.row);
    }
}

#[test]
fn the_rule_that_decided_is_named_and_the_decision_is_the_same() {
    let rule = |world: &World| {
        let (rule, plan) = explain(&world.view(), &world.policy, world.now);
        assert_eq!(plan, world.plan());
        rule
    };
    assert_eq!(rule(&World::active()), Rule::FirstSight);
    assert_eq!(rule(&World::active().live()), Rule::Liveness);
    let ended = World::active().live().with("status", "ended");
    assert_eq!(rule(&ended), Rule::Stop);
    assert_eq!(rule(&ended.held(NOW.plus_ms(3_600 * SECOND))), Rule::Hold);
    assert_eq!(rule(&World::active().live().later(20 * SECOND).ordered(Verb::Drain)), Rule::Handover);
    assert_eq!(rule(&World::active().live().exits(137)), Rule::TaskEnded);
}
