use super::*;
use crate::fixtures::plans::{launched, stopped_tasks, written};
use crate::fixtures::{SECOND, World, arn, running_task};
use std::collections::BTreeSet;

#[test]
fn a_zone_without_room_is_followed_by_every_other_and_a_repeated_launch_stays_where_it_is() {
    let session = SessionId::try_new("calm-river-123").unwrap();
    for count in 1..=6 {
        let tried = |from: u64| -> BTreeSet<usize> {
            (from..from + count as u64).map(|n| subnet(&session, Generation(n), count)).collect()
        };
        for from in 0..10 {
            assert_eq!(tried(from), (0..count).collect(), "{count} subnets, from generation {from}");
        }
    }
    assert_eq!(subnet(&session, Generation(7), 3), subnet(&session, Generation(7), 3));
    assert_eq!(subnet(&session, Generation(7), 0), 0, "without a subnet there is nothing to choose");
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

/// A first launch that ECS refuses.
fn refused() -> World {
    let mut world = World::active();
    let mut plan = world.plan();
    plan.actions.truncate(1);
    world.apply(&plan);
    let refused = Answer::Refused("AccessDeniedException: ecs:RunTask".into());
    let write = answered(&world.row(), &refused, &world.policy, world.now).unwrap();
    world.row = Some(write.applied(world.row.as_ref(), &world.view().session_id, world.now));
    world
}

#[test]
fn a_launch_that_is_refused_because_its_role_is_seconds_old_is_tried_again_and_served() {
    let mut world = refused();
    assert_eq!(
        (world.row().phase, world.row().why.cause),
        (Phase::Queued, Cause::LaunchRefused),
        "paged, and not final"
    );
    assert_eq!(world.plan().actions, []);
    world = world.later(15 * SECOND);
    world.settle();
    assert_eq!((world.row().phase, world.row().generation), (Phase::Launching, Generation(2)));
}
