//! What operators order: a stop, a restart, a drain. Desired state in the row. This module only reads orders; the rules
//! carry them out.
//!
//! **Guarantees.** A stop dominates what the session row wants, for the run that it was signed in. A restart or a drain is
//! carried out once: the generation that follows is decided no earlier than the order. No order counts against the restart
//! budget.
//!
//! **Assumption.** The operator's clock may be off. An order signed in the future is taken as signed at its own time by
//! [`decided_at`], so that it is still carried out once; one signed before the generation that it is meant for is void
//! (`sessionctl` signs no earlier than the row's `decidedAt`).

use crate::model::View;
use crate::run_rule::Wish;
use schemas::ids::Timestamp;
use schemas::operator::{Order, Verb};
use schemas::reason::{Cause, Why};
use schemas::worker::{Intent, Phase, WorkerRow};

/// The wish, with an operator's stop above it.
#[must_use]
pub fn over(view: &View, wish: Wish) -> Wish {
    let (Wish::Serve(run), Some(row)) = (&wish, &view.worker) else { return wish };
    match &row.operator.order {
        Some(order) if order.verb == Verb::Stop && run.is_run_of(row.intent.as_ref()) && is_of_this_run(order, row) => {
            Wish::Stop(Why::new(Cause::OperatorStop, signed("the stop", order), order.signed.at))
        }
        Some(_) | None => wish,
    }
}

/// The order of this verb that no generation has answered yet.
#[must_use]
pub fn pending(row: &WorkerRow, verb: Verb) -> Option<&Order> {
    let order = row.operator.order.as_ref().filter(|order| order.verb == verb)?;
    let intent = row.intent.as_ref()?;
    (intent.decided_at < order.signed.at).then_some(order)
}

/// When a generation that is decided now counts as decided: not before the order that it answers, whatever the clocks say.
#[must_use]
pub fn decided_at(row: Option<&WorkerRow>, now: Timestamp) -> Timestamp {
    let order = row.and_then(|row| row.operator.order.as_ref());
    order.filter(|order| order.verb != Verb::Stop).map_or(now, |order| order.signed.at.max(now))
}

/// Since when a run counts as wanted that is begun now: after any stop that was meant for another run.
#[must_use]
pub fn wanted_since(row: Option<&WorkerRow>, now: Timestamp) -> Timestamp {
    let order = row.and_then(|row| row.operator.order.as_ref());
    order.filter(|order| order.verb == Verb::Stop).map_or(now, |order| order.signed.at.plus_ms(1).max(now))
}

/// Whether a restart asks for a run that has ended, or waits for its backoff, to begin again.
#[must_use]
pub fn wants_it_again(row: &WorkerRow) -> bool {
    pending(row, Verb::Restart).is_some_and(|order| order.signed.at > row.phase_since || row.phase == Phase::Queued)
}

/// What an order says, for people.
#[must_use]
pub fn signed(what: &str, order: &Order) -> String {
    let note = if order.signed.note.is_empty() { String::new() } else { format!(": {}", order.signed.note) };
    format!("{} asked for {what}{note}", order.signed.by)
}

fn is_of_this_run(order: &Order, row: &WorkerRow) -> bool {
    let since = |intent: &Intent| intent.wanted_since.unwrap_or(intent.decided_at);
    row.intent.as_ref().is_some_and(|intent| order.signed.at >= since(intent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World, channel};
    use schemas::ids::Generation;
    use schemas::worker::Desired;

    #[test]
    fn a_stop_dominates_the_session_row_and_the_run_stays_ended() {
        let mut world = World::active().live().later(10 * SECOND).ordered(Verb::Stop);
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.why.cause), (Phase::Draining, Cause::OperatorStop));
        assert!(row.why.text.contains("ann asked for the stop: because"), "{}", row.why.text);
        assert_eq!(row.intent.unwrap().desired, Desired::Stop);
        world = world.exits(0);
        world.settle();
        assert_eq!(world.row().phase, Phase::Stopped);
        world = world.later(3_600 * SECOND);
        world.settle();
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Stopped, 1));
    }

    #[test]
    fn a_stop_is_meant_for_its_run_and_not_for_the_next() {
        for clock_off_by in [0, 300 * SECOND] {
            let mut world = World::active().live().later(10 * SECOND).ordered(Verb::Stop);
            let order = world.row.as_mut().unwrap().operator.order.as_mut().unwrap();
            order.signed.at = order.signed.at.plus_ms(clock_off_by);
            world.settle();
            world = world.exits(0);
            world.settle();
            world = world.later(10 * SECOND).with("kvsChannelArn", channel(2));
            world.settle();
            assert_eq!((world.row().phase, world.tasks.len()), (Phase::Launching, 2), "off by {clock_off_by}");
        }
    }

    #[test]
    fn a_restart_begins_one_new_generation_now_and_costs_no_budget() {
        for clock_off_by in [0, 300 * SECOND] {
            let mut world = World::active().live().later(10 * SECOND).ordered(Verb::Restart);
            let order = world.row.as_mut().unwrap().operator.order.as_mut().unwrap();
            order.signed.at = order.signed.at.plus_ms(clock_off_by);
            world.settle();
            assert!(crate::handover::is_under_way(&world.row()), "at once, whoever is speaking");
            world = world.exits(143);
            world.settle();
            let row = world.row();
            assert_eq!((row.generation, row.phase, row.restarts.consecutive), (Generation(2), Phase::Launching, 0));
            assert!(row.why.text.contains("ann asked for the restart"), "{}", row.why.text);
            assert_eq!(world.history[0].why.cause, Cause::Handover);
            assert_eq!(world.history[0].phase, Phase::Stopped, "it was replaced and did not fail");
            world = world.later(20 * SECOND);
            world.worker_says(Phase::Live);
            world.settle();
            assert_eq!(world.tasks.len(), 2, "once");
        }
    }

    #[test]
    fn a_restart_brings_back_a_run_whose_budget_is_spent_and_one_that_was_stopped() {
        for cause in [Cause::RestartBudgetSpent, Cause::OperatorStop, Cause::LaunchRefused] {
            let mut world = World::active().live().exits(1);
            world.row.as_mut().unwrap().phase = Phase::Failed;
            world.row.as_mut().unwrap().why.cause = cause;
            world.row.as_mut().unwrap().next_look_at = None;
            world.settle();
            assert_eq!(world.tasks.len(), 1);
            world = world.later(SECOND).ordered(Verb::Restart);
            world.settle();
            assert_eq!((world.tasks.len(), world.row().phase), (2, Phase::Launching), "{cause:?}");
        }
    }

    #[test]
    fn a_restart_does_not_wait_for_a_backoff() {
        let mut world = World::active().live();
        world.row.as_mut().unwrap().restarts.consecutive = 3;
        world = world.exits(101);
        world.settle();
        assert_eq!(world.row().phase, Phase::Queued);
        world = world.later(1).ordered(Verb::Restart);
        world.settle();
        assert_eq!(world.row().phase, Phase::Launching);
    }
}
