//! A hold: hands off what runs.
//!
//! **Guarantees.** While `operator.hold.until` lies ahead, no plan stops a task of the session, asks its worker to end, or
//! replaces a generation whose task may still live, on any path: the filter is the last thing that a plan passes. A session
//! that ends while it is held stays as it is until the hold ends, and ends then.
//!
//! **Caveat.** A hold keeps nothing alive and nothing dead: a worker that ended by itself is followed by its next generation,
//! and a session that was waiting for its launch is launched.

use crate::action::{Action, Plan, RowWrite};
use crate::model::{View, status_is_stopped};
use crate::settle;
use schemas::ids::Timestamp;
use schemas::operator::Hold;
use schemas::reason::{Cause, Why};
use schemas::worker::{Intent, Phase, WorkerRow};

/// The hold that is in force now.
#[must_use]
pub fn in_force(view: &View, now: Timestamp) -> Option<&Hold> {
    view.worker.as_ref()?.operator.hold.as_ref().filter(|hold| hold.until > now)
}

/// What is left of a plan under the hold of its session.
#[must_use]
pub fn filter(plan: Plan, view: &View, now: Timestamp) -> Plan {
    let (Some(row), Some(hold)) = (&view.worker, in_force(view, now)) else { return plan };
    let forbidden = plan.actions.iter().any(|action| ends_what_lives(action, view, row));
    let stops = plan.actions.iter().any(|action| matches!(action, Action::StopTask { .. }));
    if !forbidden && !stops {
        return Plan { next_look: not_after(plan.next_look, row, hold), ..plan };
    }
    let why = Some(held(&plan, hold, now));
    if forbidden {
        return Plan { actions: Vec::new(), next_look: not_after(None, row, hold), why };
    }
    let actions = plan.actions.into_iter().filter(|action| !matches!(action, Action::StopTask { .. })).collect();
    Plan { actions, next_look: not_after(plan.next_look, row, hold), why }
}

/// A row that is not final is looked at when its hold ends, at the latest.
fn not_after(next_look: Option<Timestamp>, row: &WorkerRow, hold: &Hold) -> Option<Timestamp> {
    if row.phase.is_final() && next_look.is_none() {
        return None;
    }
    Some(next_look.map_or(hold.until, |at| at.min(hold.until)))
}

fn held(plan: &Plan, hold: &Hold, now: Timestamp) -> Why {
    let minutes = hold.until.since(now) / 60_000;
    let would = plan.why.as_ref().map_or("a task would be stopped", |why| why.text.as_str());
    let cause = plan.why.as_ref().map_or(Cause::SessionActive, |why| why.cause);
    let text = format!("held by {} for {minutes} min more, and untouched until then although: {would}", hold.signed.by);
    Why::new(cause, text, now)
}

/// Whether this action would end, or take the place of, something that may live.
fn ends_what_lives(action: &Action, view: &View, row: &WorkerRow) -> bool {
    match action {
        Action::Write(write) => lives(view, row) && ends_worker(write, row),
        Action::DeleteChannel { .. } => true,
        Action::StopTask { .. }
        | Action::LookAgain { .. }
        | Action::RunTask { .. }
        | Action::Strike { .. }
        | Action::Judge(_) => false,
    }
}

fn ends_worker(write: &RowWrite, row: &WorkerRow) -> bool {
    let told_to_leave = |intent: Option<&Intent>| intent.is_some_and(|intent| intent.desired.is_to_leave());
    let stop_is_new = told_to_leave(write.intent.as_ref()) && !told_to_leave(row.intent.as_ref());
    let phase = write.transition.as_ref().map(|transition| transition.phase);
    let drained =
        phase.is_some_and(|phase| phase == Phase::Draining || phase.is_final()) && row.phase != Phase::Draining;
    write.generation != row.generation || stop_is_new || drained
}

/// Whether a task of the row's generation may live: it was launched (or may have been), and nobody has seen its end.
fn lives(view: &View, row: &WorkerRow) -> bool {
    if settle::ended_task(view, row).is_some() {
        return false;
    }
    match row.phase {
        Phase::Launching
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Live
        | Phase::Paused
        | Phase::Draining => true,
        Phase::Queued => !view.tasks_are_known() || view.tasks_of(row.generation).any(|task| !task.is_stopped()),
        Phase::Stopped | Phase::Failed => {
            row.task.as_ref().is_some_and(|task| !status_is_stopped(&task.last_status))
                || view.tasks_of(row.generation).any(|task| !task.is_stopped())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, SECOND, World, arn};
    use schemas::worker::Desired;

    const HOUR: i64 = 3_600 * SECOND;

    fn stops(plan: &Plan) -> bool {
        plan.actions.iter().any(|action| matches!(action, Action::StopTask { .. }))
    }

    #[test]
    fn a_session_that_ends_while_it_is_held_stays_until_the_hold_ends_and_ends_then() {
        let mut world = World::active().live().held(NOW.plus_ms(HOUR)).with("status", "ended");
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.intent.map(|i| i.desired)), (Phase::Live, Some(Desired::Run)));
        let why = world.plan().why.unwrap();
        assert!(why.text.contains("held by ann") && why.text.contains("status is ended"), "{}", why.text);
        assert_eq!(why.cause, Cause::SessionEnded);
        world = world.later(HOUR);
        world.worker_is_fresh();
        world.settle();
        assert_eq!(world.row().phase, Phase::Draining);
    }

    #[test]
    fn a_held_row_is_looked_at_when_the_hold_ends() {
        let mut world = World::active().live().held(NOW.plus_ms(10 * SECOND)).with("status", "ended");
        world.settle();
        assert_eq!(world.row().next_look_at, Some(NOW.plus_ms(10 * SECOND)));
    }

    #[test]
    fn a_held_worker_without_heartbeats_is_not_replaced_but_one_that_has_ended_is() {
        let silent = World::active().live().held(NOW.plus_ms(HOUR)).later(300 * SECOND);
        assert!(!silent.plan().is_noteworthy(), "{:?}", silent.plan());
        let mut ended = silent.exits(137);
        ended.settle();
        assert_eq!(ended.row().generation.0, 2);
    }

    #[test]
    fn an_older_task_of_a_held_session_is_left_alone_too() {
        let mut world = World::active().live();
        world.row.as_mut().unwrap().generation = schemas::ids::Generation(2);
        world.row.as_mut().unwrap().task = None;
        world.tasks.push(crate::fixtures::running_task(schemas::ids::Generation(2)));
        assert!(stops(&world.plan()), "not held, {} is stopped", arn(1));
        assert!(!stops(&world.held(NOW.plus_ms(HOUR)).plan()));
    }

    #[test]
    fn a_hold_that_has_ended_holds_nothing() {
        let world = World::active().live().held(NOW).with("status", "ended");
        assert!(world.plan().is_noteworthy());
    }
}
