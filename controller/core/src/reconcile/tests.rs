//! The order of the rules; each rule's own tests stand beside it.

mod properties;

use super::*;
use crate::fixtures::plans::launched;
use crate::fixtures::{NOW, SECOND, World, channel};
use schemas::ids::Generation;
use schemas::operator::Verb;

#[test]
fn a_satisfied_session_needs_nothing() {
    let world = World::active().live();
    assert_eq!(world.plan().actions, []);
    assert!(world.plan().next_look.is_some());
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
