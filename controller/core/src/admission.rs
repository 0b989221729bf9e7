//! Whose turn it is to launch. Capacity is a state, not an error: who has to wait is `Queued`, with a reason and a next look.
//!
//! **Flow.** All controllers share one [`crate::capacity::Bucket`] at the rate that AWS grants RunTask: a number in a row of our table, which
//! every launch moves by a conditional write before its intent is written. The decision is told what is left
//! ([`crate::model::Fleet`]). A launch without leave becomes a `Queued` row. The queue is read as a whole, and its first, by the age of
//! their wishes, are admitted in one decision ([`admitted`]): as many as may launch. That is done with every tick, and every few
//! seconds while somebody waits.
//!
//! **Guarantees.** A surge is admitted at the rate, whatever number of controllers run, in the order of the wishes, and nobody
//! is lost: the next tick reads the queue whatever became of a timer. Who comes anew goes behind those that wait, whatever is left of
//! the rate. While there is no room, one session at a time goes to see whether there is some; the others wait. A controller that dies between the leave and its launch wastes one launch of
//! the rate (50 ms), and never takes one twice.
//!
//! **Caveat.** What the account's other callers do is seen only by RunTask's own throttle, which empties the bucket and queues
//! the session in the same way.

use crate::model::{Fleet, Policy};
use schemas::ids::{SessionId, Timestamp};
use schemas::reason::Cause;
use schemas::worker::{Intent, Phase, WorkerRow, WorkerStatus};

/// Whether a session may launch now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// Not yet, for this reason.
    Later(String),
}

/// Whether it is this session's turn.
#[must_use]
pub fn turn(fleet: &Fleet, policy: &Policy) -> Turn {
    if fleet.ahead == 0 && fleet.launches_left > 0 {
        return Turn::Now;
    }
    let rate = policy.launches_per_second;
    Turn::Later(match fleet.ahead {
        _ if fleet.no_room => {
            "waits for room: the last launch found none, and one session at a time goes to see".to_owned()
        }
        0 => format!("waits for its turn: {rate} tasks a second may be started"),
        n => format!("waits for its turn: {n} sessions have waited longer, and {rate} tasks a second may be started"),
    })
}

/// A session that waits for nothing but its turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Since when it is wanted.
    pub since: Timestamp,
    /// The session.
    pub session: SessionId,
}

/// Whether this row waits for its turn: it is queued, and no backoff lies ahead of it.
#[must_use]
pub fn waits(row: &WorkerRow, now: Timestamp) -> Option<Waiting> {
    let ready = row.phase == Phase::Queued && row.restarts.not_before.is_none_or(|at| at <= now);
    let wanted = |intent: &Intent| intent.wanted_since.unwrap_or(intent.decided_at);
    let since = row.intent.as_ref().map_or(row.phase_since, wanted);
    ready.then(|| Waiting { since, session: row.session_id.clone() })
}

/// Splits the queue: those whose turn it is, by the age of their wishes, as many as may launch; and how many wait on.
#[must_use]
pub fn admitted(mut queue: Vec<Waiting>, launches_left: u32) -> (Vec<Waiting>, usize) {
    queue.sort_unstable();
    let first = queue.len().min(usize::try_from(launches_left).unwrap_or(usize::MAX));
    let waiting = queue.len() - first;
    queue.truncate(first);
    (queue, waiting)
}

/// Whether this worker says that Transcribe gives the account no further stream, and is there to say it: what a worker said that has fallen silent since (a
/// hung one that is held, for one) is no news of the account.
#[must_use]
pub fn finds_no_stream(row: &WorkerRow, policy: &Policy, now: Timestamp) -> bool {
    let fresh = |worker: &&WorkerStatus| worker.heartbeat_at.plus_ms(policy.heartbeat_deadline_ms) > now;
    let worker = row.worker.as_ref().filter(|_| !row.phase.is_final()).filter(fresh);
    worker.and_then(|worker| worker.trouble.as_ref()).is_some_and(|why| why.cause == Cause::TranscribeLimit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::capacity::Bucket;
    use crate::fixtures::{NOW, SECOND, World};
    use schemas::reason::Why;

    #[test]
    fn a_session_that_has_to_wait_is_queued_with_a_reason_and_a_next_look_and_its_turn_comes() {
        let mut world = World::active();
        world.launches_left = 0;
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.why.cause, world.tasks.len()), (Phase::Queued, Cause::Throttled, 0));
        assert!(row.why.text.contains("20 tasks a second"), "{}", row.why.text);
        assert_eq!(row.next_look_at, Some(NOW.plus_ms(world.policy.admission_wait_ms)));
        world = world.later(5 * SECOND);
        let plan = world.plan();
        assert!(matches!(plan.actions[..], [Action::LookAgain { .. }]), "waiting on writes one number: {plan:?}");
        world.apply(&plan);
        world.launches_left = 1;
        world.settle();
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Launching, 1));
        assert_eq!(world.row().intent.unwrap().wanted_since, Some(NOW), "its place in the order of the wishes stays");
    }

    #[test]
    fn who_has_waited_longer_goes_first() {
        let policy = Policy::default();
        let fleet = |launches_left, ahead| Fleet { launches_left, ahead, ..Fleet::default() };
        assert_eq!(turn(&fleet(1, 0), &policy), Turn::Now);
        let later = turn(&fleet(100, 3), &policy);
        assert!(
            matches!(&later, Turn::Later(why) if why.contains("3 sessions have waited longer")),
            "whatever is left of the rate: {later:?}"
        );
        let id = |n: i64| SessionId::try_new(format!("a-b-{n}")).unwrap();
        let queue = [5, 1, 4, 2, 3].map(|n| Waiting { since: NOW.plus_ms(n), session: id(n) });
        let (first, waiting) = admitted(queue.to_vec(), 2);
        assert_eq!((first.iter().map(|w| w.session.clone()).collect::<Vec<_>>(), waiting), (vec![id(1), id(2)], 3));
    }

    #[test]
    fn who_waits_for_a_backoff_is_not_yet_in_the_queue() {
        let mut row = World::active().live().row();
        assert_eq!(waits(&row, NOW), None, "it is served");
        row.phase = Phase::Queued;
        row.restarts.not_before = Some(NOW.plus_ms(1));
        assert_eq!(waits(&row, NOW), None);
        assert!(waits(&row, NOW.plus_ms(1)).is_some());
    }

    #[test]
    fn a_surge_of_1000_sessions_is_admitted_at_the_rate_and_none_is_lost() {
        let policy = Policy::default();
        let mut bucket = Bucket::full(NOW);
        let mut worlds: Vec<World> = (0..1_000).map(|_| World::active()).collect();
        let mut admitted_by_second = Vec::new();
        for second in 0..60 {
            let now = NOW.plus_ms(second * SECOND);
            for world in worlds.iter_mut().filter(|world| world.tasks.is_empty()) {
                world.now = now;
                world.launches_left = bucket.left(&policy, now);
                let due = world.row.as_ref().is_none_or(|row| row.next_look_at.is_some_and(|at| at <= now));
                if due || world.launches_left > 0 {
                    world.settle();
                }
                if !world.tasks.is_empty() {
                    bucket = bucket.taken(&policy, now).unwrap();
                }
            }
            let done = worlds.iter().filter(|world| !world.tasks.is_empty()).count();
            admitted_by_second.push(done);
            if done == worlds.len() {
                break;
            }
        }
        assert_eq!(admitted_by_second[..3], [100, 120, 140]);
        assert_eq!(*admitted_by_second.last().unwrap(), 1_000);
        assert_eq!(admitted_by_second.len(), 46, "100 at once, the other 900 in 45 s");
        assert!(worlds.iter().all(|world| world.tasks.len() == 1));
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_with_leave() {
        let mut world = World::active();
        let mut plan = world.plan();
        plan.actions.truncate(1);
        world.apply(&plan);
        world = world.later(10 * SECOND);
        world.launches_left = 0;
        assert!(matches!(world.plan().actions[..], [Action::LookAgain { .. }]), "{:?}", world.plan());
        world.launches_left = 1;
        assert!(matches!(world.plan().actions[..], [Action::LookAgain { .. }, Action::RunTask { .. }]));
    }

    #[test]
    fn what_a_hung_worker_said_of_transcribe_blocks_no_newcomer_and_nor_does_a_throttle() {
        let says = |cause, age_ms| {
            let mut world = World::active().live();
            let worker = world.row.as_mut().unwrap().worker.as_mut().unwrap();
            worker.trouble = Some(Why::new(cause, "Transcribe", NOW));
            finds_no_stream(&world.row(), &world.policy, NOW.plus_ms(age_ms))
        };
        let silent = Policy::default().heartbeat_deadline_ms;
        assert!(says(Cause::TranscribeLimit, silent - 1));
        assert!(!says(Cause::TranscribeLimit, silent), "it hangs, and is held");
        assert!(!says(Cause::Throttled, 0));
    }

    #[test]
    fn while_transcribe_gives_no_stream_a_new_session_waits_and_one_that_was_served_does_not() {
        let mut world = World::active();
        world.streams_are_full = true;
        world.settle();
        let row = world.row();
        assert_eq!((row.phase, row.why.cause, world.tasks.len()), (Phase::Queued, Cause::TranscribeLimit, 0));
        assert_eq!(row.next_look_at, Some(NOW.plus_ms(world.policy.admission_wait_ms)));
        world = world.later(5 * SECOND);
        world.streams_are_full = false;
        world.settle();
        assert_eq!((world.row().phase, world.tasks.len()), (Phase::Launching, 1));

        let mut served = World::active().live().exits(101);
        served.streams_are_full = true;
        served.settle();
        assert_eq!((served.row().phase, served.tasks.len()), (Phase::Launching, 2), "its own stream was given back");
    }
}
