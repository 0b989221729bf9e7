//! What holds of every plan, whatever the world.

use crate::action::Action;
use crate::fixtures::plans::{launched, stopped_tasks};
use crate::fixtures::{NOW, SECOND, World, any_row, channel, running_task};
use crate::model::{Task, Tasks};
use crate::run_rule::Wish;
use crate::{admission, hold, liveness, run_rule};
use proptest::prelude::*;
use schemas::ids::Generation;
use schemas::operator::Verb;
use schemas::reason::Cause;
use schemas::worker::{Desired, Phase};

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
            let watched = liveness::is_heard(&row, &world.policy, world.now) || admission::waits(&row, world.now).is_some();
            prop_assert!(watched || row.next_look_at <= plan.next_look, "looks too late: {:?}, not {:?}", row, plan.next_look);
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
