//! A worker that has spoken: alive while its heartbeat is fresh, whatever it hears.
//!
//! **Caveat.** No audio, no speech and no text are no verdict: a quiet worker is not a dead worker. Only something that waits
//! for a stage ([`crate::progress`]) is one, and only after long.

use crate::action::{Plan, RowWrite};
use crate::launch;
use crate::model::{Policy, View};
use crate::run_rule::Run;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Intent, Phase, WorkerRow};

/// A worker that runs: rest until its heartbeat would be overdue, or replace it when that has happened.
#[must_use]
pub fn running(view: &View, row: &WorkerRow, run: &Run, policy: &Policy, now: Timestamp) -> Plan {
    let last = last_heartbeat(row);
    let overdue = last.plus_ms(policy.heartbeat_deadline_ms);
    if overdue > now {
        return Plan::rest(Some(overdue.min(now.plus_ms(policy.idle_look_ms)).min(run.ends_at)));
    }
    if !view.tasks_are_known() {
        return Plan::rest(Some(now.plus_ms(policy.confirm_ms)));
    }
    let text = format!("no heartbeat for {} s", now.since(last) / 1_000);
    launch::replace(view, row, run, Why::new(Cause::HeartbeatLost, text, now), policy, now)
}

/// Whether a worker runs and has been heard lately: it needs no look of its own and nothing of ECS. Every tick and a timer see whether it still is.
#[must_use]
pub fn is_heard(row: &WorkerRow, policy: &Policy, now: Timestamp) -> bool {
    runs(row.phase) && row.worker.is_some() && deadline(row, policy) > now
}

/// When this worker must have been heard again.
#[must_use]
pub fn deadline(row: &WorkerRow, policy: &Policy) -> Timestamp {
    last_heartbeat(row).plus_ms(policy.heartbeat_deadline_ms)
}

/// Whether the worker of this row should have heartbeat. When the table was away for everybody, all workers look silent until they have
/// written again: whoever acts on it looks twice, some seconds apart.
#[must_use]
pub fn is_silent(row: &WorkerRow, policy: &Policy, now: Timestamp) -> bool {
    runs(row.phase) && deadline(row, policy) <= now
}

fn runs(phase: Phase) -> bool {
    match phase {
        Phase::Joining | Phase::WaitingForSpeaker | Phase::Live | Phase::Paused => true,
        Phase::Queued | Phase::Launching | Phase::Draining | Phase::Stopped | Phase::Failed => false,
    }
}

fn last_heartbeat(row: &WorkerRow) -> Timestamp {
    row.worker.as_ref().map_or(row.phase_since, |worker| worker.heartbeat_at)
}

/// What the worker is told follows the session row: another language, another end, paused or resumed.
#[must_use]
pub fn follow_the_row(row: &WorkerRow, run: &Run, rest: Option<Timestamp>) -> Option<Plan> {
    let old = row.intent.as_ref()?;
    let new = Intent {
        wanted_since: old.wanted_since,
        task_definition: old.task_definition.clone(),
        ..run.intent(old.decided_at)
    };
    if *old == new {
        return None;
    }
    Some(Plan::write(RowWrite { intent: Some(new), next_look_at: rest, ..RowWrite::keep(row) }))
}

#[cfg(test)]
mod tests {
    use crate::action::Action;
    use crate::fixtures::plans::written;
    use crate::fixtures::{SECOND, World, arn};
    use schemas::ids::Generation;
    use schemas::worker::{Desired, Phase};

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
    fn not_knowing_the_tasks_is_no_verdict() {
        let plan = World::active().live().later(300 * SECOND).ecs_silent().plan();
        assert!(!plan.is_noteworthy(), "{plan:?}");
        assert!(plan.next_look.is_some());
    }

    #[test]
    fn a_paused_session_keeps_its_worker_and_tells_it() {
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
    fn a_speaker_who_connects_anew_is_made_known_to_the_worker() {
        let mut world = World::active().live().with("speakerConnectionId", "abc=");
        world.settle();
        assert_eq!(world.row().intent.unwrap().speaker_connection.unwrap().as_str(), "abc=");
        assert_eq!((world.plan().actions, world.tasks.len()), (vec![], 1));
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
}
