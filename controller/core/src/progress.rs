//! Health by progress: something waits for a stage of the worker that does not take it up.
//!
//! **Guarantees.** Silence is no verdict, nor a stage that nobody needs: no listeners, no other language, a pause. The worker's
//! own remedies come first (it rotates its stream, rebuilds connections, sheds a language); the controller replaces it after a
//! deadline that is far longer, once, and says which stage is stuck. A worker that hangs in the same stage again is left to
//! serve what it can: a replacement has been shown not to help.
//!
//! **Assumption.** The worker says since when something waits ([`schemas::worker::Waiting`]): ages of last events alone cannot
//! tell a stuck stage from a long silence.

use crate::model::Policy;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Phase, Rung, WorkerRow, WorkerStatus};

/// Why this worker should be replaced although its heartbeat is fresh.
#[must_use]
pub fn stuck(row: &WorkerRow, policy: &Policy, now: Timestamp) -> Option<Why> {
    let worker = row.worker.as_ref()?;
    let serves = row.phase == Phase::Live && row.intent.as_ref().is_some_and(|intent| intent.desired == Desired::Run);
    let tried =
        row.restarts.last.as_ref().is_some_and(|why| why.cause == Cause::StageStuck && row.restarts.consecutive > 0);
    if !serves || tried || worker.languages.values().all(|language| language.listeners == 0) {
        return None;
    }
    let (stage, since) = stuck_stage(worker, policy)?;
    let seconds = worker.heartbeat_at.since(since) / 1_000;
    Some(Why::new(Cause::StageStuck, format!("{stage} for {seconds} s, although the worker lives"), now))
}

fn stuck_stage(worker: &WorkerStatus, policy: &Policy) -> Option<(&'static str, Timestamp)> {
    let overdue = |since: Option<Timestamp>| since.filter(|at| worker.heartbeat_at.since(*at) >= policy.stuck_ms);
    let waiting = &worker.progress.waiting;
    let aws_limit = worker.trouble.as_ref().is_some_and(|why| why.cause == Cause::TranscribeLimit);
    let transcribes = worker.rung < Rung::Paused && !aws_limit;
    let translates = worker.rung < Rung::OriginalOnly;
    let transcription = overdue(waiting.speech_since).filter(|_| transcribes);
    let translation = overdue(waiting.transcript_since).filter(|_| translates);
    let delivery = overdue(waiting.caption_since);
    transcription
        .map(|at| ("transcription did not follow the speech", at))
        .or(translation.map(|at| ("translation did not follow the transcript", at)))
        .or(delivery.map(|at| ("no listener got the captions", at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SECOND, World};
    use schemas::ids::{Generation, Language};
    use schemas::worker::{LanguageStatus, Waiting};

    fn heard_by(listeners: u32, waiting: Wait) -> World {
        let mut world = World::active().live().later(200 * SECOND);
        world.worker_is_fresh();
        let since = world.now.plus_ms(-Policy::default().stuck_ms);
        let worker = world.row.as_mut().unwrap().worker.as_mut().unwrap();
        worker.progress.waiting = waiting(since);
        let spanish = LanguageStatus { listeners, ..LanguageStatus::default() };
        worker.languages = [(Language::try_new("es").unwrap(), spanish)].into();
        world
    }
    fn speech(since: Timestamp) -> Waiting {
        Waiting { speech_since: Some(since), ..Waiting::default() }
    }

    type Wait = fn(Timestamp) -> Waiting;

    #[test]
    fn each_stage_that_is_stuck_is_named_and_its_worker_replaced_once() {
        let stages: [(Wait, &str); 3] = [
            (speech, "transcription"),
            (|at| Waiting { transcript_since: Some(at), ..Waiting::default() }, "translation"),
            (|at| Waiting { caption_since: Some(at), ..Waiting::default() }, "no listener"),
        ];
        for (waiting, stage) in stages {
            let mut world = heard_by(1, waiting);
            world.settle();
            assert_eq!(world.row().why.cause, Cause::StageStuck, "it may say its last words");
            world = world.exits(143);
            world.settle();
            let row = world.row();
            assert_eq!(row.generation, Generation(2), "{stage}");
            assert_eq!((world.history[0].why.cause, row.restarts.consecutive), (Cause::StageStuck, 1));
            assert!(world.history[0].why.text.contains(stage), "{}", world.history[0].why.text);
            world.worker_says(Phase::Live);
            let mut again = heard_by(1, waiting);
            again.row.as_mut().unwrap().restarts = world.row().restarts;
            again.settle();
            assert_eq!(again.row().phase, Phase::Live, "once is enough");
        }
    }

    #[test]
    fn nobody_listening_a_pause_and_a_limit_of_aws_are_no_fault_of_the_worker() {
        let stays = |mut world: World, change: fn(&mut WorkerRow)| {
            change(world.row.as_mut().unwrap());
            world.settle();
            assert_eq!(world.row().generation, Generation(1));
        };
        stays(heard_by(0, speech), |_| {});
        stays(heard_by(1, speech), |row| row.phase = Phase::Paused);
        stays(heard_by(1, speech), |row| {
            let why = Why::new(Cause::TranscribeLimit, "25 streams", row.phase_since);
            row.worker.as_mut().unwrap().trouble = Some(why);
        });
        stays(heard_by(1, |at| Waiting { transcript_since: Some(at), ..Waiting::default() }), |row| {
            row.worker.as_mut().unwrap().rung = Rung::OriginalOnly;
        });
        stays(heard_by(1, |at| Waiting { speech_since: Some(at.plus_ms(1)), ..Waiting::default() }), |_| {});
    }

    #[test]
    fn quiet_is_not_dead() {
        let mut world = heard_by(5, |_| Waiting::default());
        world.settle();
        assert_eq!(world.row().generation, Generation(1));
    }
}
