//! A row in a final phase: it stays as it is, until the session row speaks of a new run.

use crate::action::{Action, Plan, RowWrite};
use crate::channel;
use crate::launch;
use crate::model::{Policy, View, status_is_stopped};
use crate::order;
use crate::run_rule::{Run, Wish, intent_key};
use schemas::ids::Timestamp;
use schemas::reason::{Blame, Cause, Why};
use schemas::worker::{Desired, Phase, Restarts, WorkerRow};

/// What a session needs whose row is `Stopped` or `Failed`.
#[must_use]
pub fn decide(view: &View, row: &WorkerRow, wish: &Wish, policy: &Policy, now: Timestamp) -> Plan {
    let reopened = match wish {
        Wish::Serve(run) => {
            run.desired == Desired::Run
                && (reopens(row, run, policy, now) || launch::is_resumed(row, run) || order::wants_it_again(row))
        }
        Wish::Refuse { run, why } => refusal_is_new(row, run, why),
        Wish::Stop(_) => false,
    };
    if let Some(plan) = wait_for_the_old_task(view, row, policy, now) {
        return plan;
    }
    match wish {
        Wish::Serve(run) if reopened => launch::begin(view, Some(row), run, Restarts::default(), policy, now),
        Wish::Refuse { why, .. } if reopened => refuse(view, why),
        Wish::Serve(run) if launch::pausing(row, run).is_some() => {
            let paused = launch::pausing(row, run).map(|write| Action::Write(Box::new(write)));
            Plan { actions: paused.into_iter().collect(), next_look: None, why: None }
        }
        Wish::Serve(_) | Wish::Refuse { .. } | Wish::Stop(_) => {
            let cleanup = channel::cleanup(view, row, wish, policy, now);
            Plan { actions: cleanup.into_iter().collect(), next_look: None, why: None }
        }
    }
}

/// A session that cannot be served: one Failed row with one reason, and no launch.
#[must_use]
pub fn refuse(view: &View, why: &Why) -> Plan {
    let old = view.worker.as_ref().filter(|row| row.intent.is_some());
    let write = RowWrite {
        generation: view.next_generation(),
        transition: None,
        intent: None,
        task: None,
        restarts: Restarts::default(),
        next_look_at: None,
        archive: old.cloned().map(Box::new),
    };
    Plan::write(write.to(Phase::Failed, why.clone()))
}

/// Whether the wish is a new run, or the old one wanted again after the session row itself had ended it. A run that the
/// speaker ended stays ended until it is paused and resumed, and so does one whose worker saw its end (its channel is gone) before any change of
/// the session row: the next worker would only see the same. A fault of AWS or of ours ends nothing for longer than a parked session waits:
/// such a row is of an older release, which did not park.
fn reopens(row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> bool {
    if !run.is_run_of(row.intent.as_ref()) || row.why.blame == Blame::Row {
        return true;
    }
    match row.why.cause {
        Cause::SessionEnded
        | Cause::SessionInactive
        | Cause::SessionReplaced
        | Cause::SessionPaused
        | Cause::Handover
        | Cause::StageStuck
        | Cause::SessionActive => true,
        Cause::SessionDeleted | Cause::SessionExpired => says_something_new(row, run),
        Cause::OperatorStop
        | Cause::SpeakerGone
        | Cause::SpeakerNeverCame
        | Cause::MaxDuration
        | Cause::UnsupportedLanguage
        | Cause::MalformedRow
        | Cause::NoMediaPath => false,
        Cause::NoCapacity
        | Cause::Throttled
        | Cause::LaunchRefused
        | Cause::LaunchTimedOut
        | Cause::TaskFailedToStart
        | Cause::WorkerCrashed
        | Cause::TaskInterrupted
        | Cause::HeartbeatLost
        | Cause::LeaseLost
        | Cause::DrainTimedOut
        | Cause::RestartBudgetSpent
        | Cause::TranscribeLimit => row.phase_since.plus_ms(policy.park_ms) <= now,
        // Of a newer release: nobody knows what it was, but the one to blame is told in a word of its own.
        Cause::Unknown => row.why.blame != Blame::Speaker,
    }
}

/// Whether the session row itself had ended the run, or says something else by now than what its worker was told.
fn says_something_new(row: &WorkerRow, run: &Run) -> bool {
    row.intent.as_ref().is_none_or(|told| {
        told.desired == Desired::Stop
            || (told.desired, &told.source_language, told.expires_at)
                != (run.desired, &run.source_language, run.ends_at)
    })
}

/// Whether this refusal is not yet what the row says: another text, or another run than the one that has ended.
fn refusal_is_new(row: &WorkerRow, run: &str, why: &Why) -> bool {
    if row.why.blame == Blame::Row {
        return row.why.text != why.text;
    }
    row.intent.as_ref().is_none_or(|intent| intent_key(intent) != run)
}

/// The task of a final row records its end, and is stopped when it outlives the row by too long. While ECS cannot be asked,
/// nothing is known of it.
fn wait_for_the_old_task(view: &View, row: &WorkerRow, policy: &Policy, now: Timestamp) -> Option<Plan> {
    let grace = row.phase_since.plus_ms(policy.drain_deadline_ms);
    let mut live = view.tasks_of(row.generation).filter(|task| !task.is_stopped()).peekable();
    if live.peek().is_some() {
        let next_look = Some(if grace > now { grace } else { now.plus_ms(policy.idle_look_ms) });
        let overdue = live.filter(|task| grace <= now && !task.is_stopping());
        let reason = "its row is final, and it still runs";
        let actions = overdue.map(|t| Action::StopTask { arn: t.arn.clone(), reason: reason.to_owned() }).collect();
        return Some(Plan { actions, next_look, why: None });
    }
    let known = row.task.as_ref().filter(|task| !status_is_stopped(&task.last_status))?;
    match view.tasks_of(row.generation).find(|task| task.arn == known.arn) {
        Some(task) => Some(Plan::write(RowWrite {
            task: Some(task.facts(known.launched_at)),
            next_look_at: None,
            ..RowWrite::keep(row)
        })),
        None if view.tasks_are_known() || grace <= now => None,
        None => Some(Plan::rest(Some(grace))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plans::stopped_tasks;
    use crate::fixtures::{NOW, SECOND, World, arn, channel};

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
    fn a_run_that_its_worker_ended_is_reopened_by_a_pause_and_a_resume() {
        for cause in [Cause::SpeakerGone, Cause::NoMediaPath] {
            let mut world = World::active().live();
            world.worker_says(Phase::Stopped);
            world.row.as_mut().unwrap().why = Why::new(cause, "no audio", NOW);
            world = world.exits(0);
            world.settle();
            world.set("status", "paused");
            world.settle();
            assert_eq!((world.row().phase, world.row().why.cause, world.tasks.len()), (Phase::Stopped, cause, 1));
            world.set("status", "active");
            world.settle();
            assert_eq!((world.row().phase, world.tasks.len()), (Phase::Launching, 2), "{cause:?}");
        }
    }

    #[test]
    fn a_row_that_an_older_release_gave_up_for_a_fault_is_reopened_after_five_minutes() {
        for cause in [Cause::RestartBudgetSpent, Cause::LaunchRefused, Cause::Unknown] {
            let mut world = World::active().live().exits(1);
            let row = world.row.as_mut().unwrap();
            (row.phase, row.why, row.next_look_at) = (Phase::Failed, Why::new(cause, "given up", NOW), None);
            let mut world = world.later(Policy::default().park_ms);
            world.settle();
            assert_eq!((world.row().phase, world.tasks.len()), (Phase::Launching, 2), "{cause:?}");
        }
    }

    #[test]
    fn a_run_that_an_operator_stopped_is_not_reopened_by_a_pause_and_a_resume() {
        let mut world = World::active().live().later(SECOND).ordered(schemas::operator::Verb::Stop);
        world.settle();
        world = world.exits(0);
        for status in ["paused", "active"] {
            world.set("status", status);
            world.settle();
        }
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Stopped, 1));
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
    fn a_row_whose_worker_ended_clean_but_lingers_is_stopped_after_a_grace() {
        let mut world = World::active().live().with("status", "ended");
        world.settle();
        world.worker_says(Phase::Stopped);
        assert_eq!(world.plan().actions, []);
        assert_eq!(stopped_tasks(&world.later(Policy::default().drain_deadline_ms).plan()), [arn(1)]);
    }
}
