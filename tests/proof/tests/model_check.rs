//! The model check: small worlds, explored to their end.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "tests that print their numbers")]

use proof::checker::{Limits, Report, explore};
use proof::invariants::Invariant;
use proof::model::event::Event;
use proof::model::mutation::Mutation;
use proof::model::{Checked, World, fair};
use std::time::Instant;

const LIMITS: Limits = Limits { depth: 80, states: 3_000_000 };

fn check(world: World, limits: Limits) -> Report<Event> {
    let began = Instant::now();
    let name = format!(
        "{} sessions, {} controllers, {} faults, {} edits, {} orders, rollout {:?}, {:?}",
        world.sessions,
        world.controllers,
        world.faults,
        world.edits,
        world.orders,
        world.policy.rollout,
        world.mutation
    );
    let mut checked = Checked::new(world);
    let report = explore(&mut checked, limits);
    let end = if report.complete { "complete" } else { "cut" };
    println!(
        "{name}: {} states, {} transitions, depth {} ({end}), at most {} sweeps to the goal, {:.1} s",
        report.states,
        report.transitions,
        report.depth,
        fair::longest(&checked.memo) / proof::model::TICK,
        began.elapsed().as_secs_f64()
    );
    report
}

fn holds(world: World, limits: Limits) {
    let report = check(world, limits);
    if let Some((violation, trace)) = report.broken {
        panic!("{violation}\n{}", trace.iter().map(|event| format!("  {event:?}\n")).collect::<String>());
    }
}

fn breaks(world: World, invariant: Invariant) {
    let report = check(world, LIMITS);
    let (violation, trace) = report.broken.expect("the broken rule was not noticed");
    println!("{violation}\n{}", trace.iter().map(|event| format!("  {event:?}\n")).collect::<String>());
    assert_eq!(violation.invariant, invariant, "{violation}");
}

fn to(states: usize) -> Limits {
    Limits { states, ..LIMITS }
}

#[test]
fn one_session_without_faults_is_explored_to_its_end() {
    holds(World::of(1, 1, 0, 0), LIMITS);
}

#[test]
fn one_session_that_changes_under_one_controller() {
    holds(World::of(1, 1, 0, 2), to(600_000));
}

#[test]
fn one_session_with_two_faults_under_one_controller() {
    holds(World::of(1, 1, 2, 0), to(600_000));
}

#[test]
fn one_session_with_a_fault_and_a_change_under_two_controllers() {
    holds(World::of(1, 2, 1, 1), to(800_000));
}

#[test]
fn two_sessions_in_a_cluster_with_room_for_two_tasks() {
    let mut world = World::of(2, 1, 1, 0);
    world.room = 2;
    holds(world, to(600_000));
}

#[test]
fn two_sessions_with_a_change_under_two_controllers() {
    holds(World::of(2, 2, 0, 1), to(600_000));
}

#[test]
fn one_session_whose_operators_order_twice() {
    holds(World::of(1, 1, 0, 0).with_orders(2), to(300_000));
}

#[test]
fn one_session_that_changes_while_operators_order() {
    holds(World::of(1, 1, 0, 1).with_orders(1), to(300_000));
}

#[test]
fn one_session_with_a_fault_and_an_order_under_two_controllers() {
    holds(World::of(1, 2, 1, 0).with_orders(1), to(300_000));
}

#[test]
fn two_sessions_of_which_a_rollout_takes_one_at_a_time() {
    holds(World::of(2, 1, 0, 0).rolling_out(), to(300_000));
}

#[test]
fn two_sessions_in_a_rollout_with_a_fault() {
    holds(World::of(2, 1, 1, 0).rolling_out(), to(300_000));
}

#[test]
fn two_sessions_in_a_rollout_while_one_of_them_changes_under_two_controllers() {
    holds(World::of(2, 2, 0, 1).rolling_out(), to(300_000));
}

// ── a checker that cannot fail proves nothing ──

#[test]
fn a_launch_without_its_intent_is_noticed() {
    breaks(World::of(1, 1, 0, 0).with(Mutation::LaunchWithoutIntent), Invariant::IntentBeforeEffect);
}

#[test]
fn a_write_without_its_lock_is_noticed() {
    breaks(World::of(1, 2, 0, 1).with(Mutation::WriteWithoutLock), Invariant::ReasonNeverWorsens);
}

#[test]
fn a_fresh_token_per_call_is_noticed() {
    breaks(World::of(1, 1, 0, 0).with(Mutation::FreshTokenPerCall), Invariant::AtMostOneTaskPerGeneration);
}

#[test]
fn a_worker_whose_writes_are_not_fenced_is_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::WorkerWithoutFence), Invariant::AtMostOneWriter);
}

#[test]
fn a_worker_that_speaks_without_its_lease_is_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::WorkerWithoutLease), Invariant::AtMostOneWriter);
}

#[test]
fn listeners_who_follow_anybody_are_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::ListenersFollowAnybody), Invariant::ListenersFollowTheNewest);
}

#[test]
fn a_worker_that_never_leaves_a_table_that_it_cannot_reach_is_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::WorkerStaysForEver), Invariant::ListenersFollowTheNewest);
}

#[test]
fn a_retry_that_beats_a_stop_is_noticed() {
    breaks(World::of(1, 1, 0, 1).with(Mutation::RetryBeatsStop), Invariant::ReasonNeverWorsens);
}

#[test]
fn orphans_that_are_left_alone_are_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::OrphansAreLeft), Invariant::NoOrphanOutlivesTwoSweeps);
}

#[test]
fn a_schedule_that_reads_no_open_row_is_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::OpenRowsAreForgotten), Invariant::LiveSessionEventuallyServed);
}

#[test]
fn a_drain_without_an_end_is_noticed() {
    breaks(World::of(1, 1, 1, 1).with(Mutation::NoStopAtTheDeadline), Invariant::EndedSessionEventuallyEmpty);
}

#[test]
fn a_session_row_that_is_read_before_ours_is_noticed() {
    breaks(World::of(1, 2, 0, 1).with(Mutation::SessionReadFirst), Invariant::ReasonNeverWorsens);
}

#[test]
fn a_hold_that_decisions_do_not_know_of_is_noticed() {
    let world = World::of(1, 1, 0, 1).with_orders(1).with(Mutation::HoldsAreNotRead);
    breaks(world, Invariant::HeldSessionUntouched);
}

#[test]
fn a_hold_that_is_written_under_a_decision_and_is_no_lock_is_noticed() {
    let world = World::of(1, 1, 0, 1).with_orders(1).with(Mutation::HoldIsNoLock);
    breaks(world, Invariant::HeldSessionUntouched);
}

#[test]
fn a_rollout_that_does_not_count_who_hands_over_is_noticed() {
    let world = World::of(2, 1, 0, 0).rolling_out().with(Mutation::HandoversAreNotCounted);
    breaks(world, Invariant::OneHandoverAtATime);
}

#[test]
fn a_claim_without_its_lock_is_noticed() {
    breaks(World::of(1, 1, 1, 1).with(Mutation::ClaimWithoutLock), Invariant::ReasonNeverWorsens);
}

#[test]
fn a_controller_that_takes_a_restarted_task_for_its_launch_is_noticed() {
    breaks(World::of(1, 1, 1, 0).with(Mutation::TasksAreTheirLaunches), Invariant::IntentBeforeEffect);
}

#[test]
fn a_successor_that_does_not_wait_for_the_old_worker_is_noticed() {
    let world = World::of(1, 1, 0, 0).rolling_out().with(Mutation::NextBeforeTheOldHasLeft);
    breaks(world, Invariant::OldWorkerLeavesFirst);
}
