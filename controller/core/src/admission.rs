//! Whose turn it is to launch. Capacity is a state, not an error: who has to wait is `Queued`, with a reason and a next look.
//!
//! **Flow.** The shell keeps one [`Bucket`] at the rate that AWS grants RunTask, and tells each decision what is left of it
//! ([`crate::model::Fleet`]). A launch without leave becomes a `Queued` row; the schedule looks at the rows that are due, the
//! oldest wish first.
//!
//! **Guarantees.** A surge is admitted at the rate, in the order of the wishes, and nobody is lost: every queued row has its
//! next look.
//!
//! **Caveat.** Each process keeps a bucket of its own; what the account's other callers do is seen only by RunTask's own
//! throttle, which queues the session in the same way.

use crate::model::{Fleet, Policy};
use schemas::ids::Timestamp;

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
    if fleet.ahead < fleet.launches_left {
        return Turn::Now;
    }
    let rate = policy.launches_per_second;
    Turn::Later(match fleet.ahead {
        0 => format!("waits for its turn: {rate} tasks a second may be started"),
        n => format!("waits for its turn: {n} sessions have waited longer, and {rate} tasks a second may be started"),
    })
}

/// Leave to call RunTask: refilled at the sustained rate, up to the burst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Thousandths of a launch.
    milli: i64,
    at: Timestamp,
}

impl Bucket {
    /// After a quiet time.
    #[must_use]
    pub fn full(policy: &Policy, now: Timestamp) -> Self {
        Self { milli: i64::from(policy.launch_burst) * 1_000, at: now }
    }

    /// How many launches are left now.
    #[must_use]
    pub fn left(&mut self, policy: &Policy, now: Timestamp) -> u32 {
        let passed = now.since(self.at).max(0);
        let gained = passed.saturating_mul(i64::from(policy.launches_per_second));
        self.milli = self.milli.saturating_add(gained).min(i64::from(policy.launch_burst) * 1_000);
        self.at = self.at.max(now);
        u32::try_from(self.milli / 1_000).unwrap_or(0)
    }

    /// One launch was asked for, whatever came of it.
    pub fn take(&mut self) {
        self.milli = (self.milli - 1_000).max(0);
    }

    /// RunTask was throttled: somebody else uses the rate too, so nothing is left for now.
    pub fn empty(&mut self) {
        self.milli = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::fixtures::{NOW, SECOND, World};
    use proptest::prelude::*;
    use schemas::reason::Cause;
    use schemas::worker::Phase;

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
        let fleet = |launches_left, ahead| Fleet { launches_left, ahead, handing_over: None };
        assert_eq!(turn(&fleet(3, 2), &policy), Turn::Now);
        assert!(
            matches!(turn(&fleet(3, 3), &policy), Turn::Later(why) if why.contains("3 sessions have waited longer"))
        );
    }

    #[test]
    fn a_surge_of_1000_sessions_is_admitted_at_the_rate_and_none_is_lost() {
        let policy = Policy::default();
        let mut bucket = Bucket::full(&policy, NOW);
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
                    bucket.take();
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

    proptest! {
        #[test]
        fn a_bucket_never_gives_more_than_its_burst_and_rate(steps in prop::collection::vec((0..2_000_i64, 0..50_u32), 1..60)) {
            let policy = Policy::default();
            let (mut bucket, mut now, mut taken) = (Bucket::full(&policy, NOW), NOW, 0_i64);
            for (ms, wanted) in steps {
                now = now.plus_ms(ms);
                for _ in 0..wanted.min(bucket.left(&policy, now)) {
                    bucket.take();
                    taken += 1;
                }
            }
            prop_assert!(taken <= 100 + now.since(NOW) * 20 / 1_000);
        }
    }
}
