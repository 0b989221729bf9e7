//! What there is room for: the fleet as one dated value. Plain data that controllers share, and what one decision is told of it.

use crate::model::{Fleet, Policy};
use schemas::ids::Timestamp;
use schemas::rollout::Rollout;

/// What was last counted of the fleet is good for so long, ms: two sweeps.
const IS_KNOWN_MS: i64 = 120_000;

/// That somebody waits is good for longer, ms: ticks may fail in a row, and who queues behind nobody waits for the next tick only.
const QUEUE_IS_KNOWN_MS: i64 = 900_000;

/// What the controllers know together of the launches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capacity {
    /// The leave to call RunTask; `None` when nobody has ever launched, which is a full bucket.
    pub bucket: Option<Bucket>,
    /// How many sessions waited for their turn when a pass over the queue last counted, or that one does, and when that was.
    pub waiting: Option<(u32, Timestamp)>,
    /// When a pass over the queue last began.
    pub pass_at: Option<Timestamp>,
    /// When a worker last said that Transcribe gives no further stream.
    pub streams_full_at: Option<Timestamp>,
    /// When a launch last found no room, or somebody last went to see whether there is some; `None` while there is.
    pub no_room_at: Option<Timestamp>,
    /// What is known of the versions of the worker.
    pub versions: Rollout,
}

impl Capacity {
    /// How many may launch now: as many as the rate leaves. While there is no room, one at a time goes to see whether there is some, and
    /// nobody else.
    #[must_use]
    pub fn launches_left(&self, policy: &Policy, now: Timestamp) -> u32 {
        let left = self.bucket.map_or(policy.launch_burst, |bucket| bucket.left(policy, now));
        match self.no_room_at {
            None => left,
            Some(at) if now.since(at) < policy.capacity_wait_ms => 0,
            Some(_) => left.min(1),
        }
    }

    /// Whether a worker has said lately that Transcribe gives the account no further stream.
    #[must_use]
    pub fn streams_are_full(&self, now: Timestamp) -> bool {
        self.streams_full_at.is_some_and(|at| now.since(at) < IS_KNOWN_MS)
    }

    /// How many wait for their turn, as last counted; nobody, when that was long ago.
    #[must_use]
    pub fn waiting(&self, now: Timestamp) -> u32 {
        self.waiting.filter(|(_, at)| now.since(*at) < QUEUE_IS_KNOWN_MS).map_or(0, |(waiting, _)| waiting)
    }

    /// What a decision that is made now is told of it.
    #[must_use]
    pub fn fleet(self, lanes: Lanes, policy: &Policy, now: Timestamp) -> Fleet {
        Fleet {
            launches_left: self.launches_left(policy, now),
            ahead: self.waiting(now),
            no_room: self.no_room_at.is_some(),
            handing_over: lanes.rollout,
            draining: lanes.drains,
            streams_are_full: self.streams_are_full(now),
            versions: Some(self.versions),
        }
    }
}

/// How many sessions hand over at this moment; not counted: no leave to begin another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lanes {
    /// As a rollout counts them.
    pub rollout: Option<u32>,
    /// As drains count them.
    pub drains: Option<u32>,
}

impl Lanes {
    /// With one more.
    #[must_use]
    pub fn and_one(self) -> Self {
        Self { rollout: self.rollout.map(|n| n + 1), drains: self.drains.map(|n| n + 1) }
    }
}

/// Leave to call RunTask: refilled at the sustained rate, up to the burst. One number says all of it, so that one conditional
/// write can take a launch without having read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it is full (again). Each launch moves it by [`Bucket::step_ms`].
    pub full_at: Timestamp,
}

impl Bucket {
    /// After a quiet time.
    #[must_use]
    pub fn full(now: Timestamp) -> Self {
        Self { full_at: now }
    }

    /// With nothing left for now: RunTask was throttled, so somebody else uses the rate too.
    #[must_use]
    pub fn empty(policy: &Policy, now: Timestamp) -> Self {
        Self { full_at: now.plus_ms(i64::from(policy.launch_burst) * Self::step_ms(policy)) }
    }

    /// The time that one launch takes of the rate, ms.
    #[must_use]
    pub fn step_ms(policy: &Policy) -> i64 {
        (1_000 + i64::from(policy.launches_per_second) - 1) / i64::from(policy.launches_per_second.max(1))
    }

    /// The latest [`Bucket::full_at`] that leaves a launch.
    #[must_use]
    pub fn latest(policy: &Policy, now: Timestamp) -> Timestamp {
        now.plus_ms((i64::from(policy.launch_burst) - 1) * Self::step_ms(policy))
    }

    /// How many launches are left now.
    #[must_use]
    pub fn left(self, policy: &Policy, now: Timestamp) -> u32 {
        let taken_ms = self.full_at.since(now).max(0);
        let burst_ms = i64::from(policy.launch_burst) * Self::step_ms(policy);
        u32::try_from((burst_ms - taken_ms).max(0) / Self::step_ms(policy)).unwrap_or(0)
    }

    /// After one launch more; `None` when none is left.
    #[must_use]
    pub fn taken(self, policy: &Policy, now: Timestamp) -> Option<Self> {
        let full_at = self.full_at.max(now);
        (full_at <= Self::latest(policy, now)).then(|| Self { full_at: full_at.plus_ms(Self::step_ms(policy)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, SECOND};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_gives_what_it_says_and_never_more_than_its_burst_and_rate(steps in prop::collection::vec((0..2_000_i64, 0..50_u32), 1..60)) {
            let policy = Policy::default();
            let (mut bucket, mut now, mut taken) = (Bucket::full(NOW), NOW, 0_i64);
            for (ms, wanted) in steps {
                now = now.plus_ms(ms);
                for _ in 0..wanted {
                    let left = bucket.left(&policy, now);
                    let Some(next) = bucket.taken(&policy, now) else {
                        prop_assert_eq!(left, 0);
                        break;
                    };
                    prop_assert_eq!(next.left(&policy, now), left - 1);
                    (bucket, taken) = (next, taken + 1);
                }
            }
            prop_assert!(taken <= 100 + now.since(NOW) * 20 / 1_000);
        }
    }

    #[test]
    fn while_there_is_no_room_one_launch_in_a_while_goes_to_see() {
        let policy = Policy::default();
        let full = Capacity { no_room_at: Some(NOW), ..Capacity::default() };
        let left = |ms| full.launches_left(&policy, NOW.plus_ms(ms));
        assert_eq!((left(0), left(policy.capacity_wait_ms - 1), left(policy.capacity_wait_ms)), (0, 0, 1));
        assert_eq!(Capacity::default().launches_left(&policy, NOW), policy.launch_burst);
    }

    #[test]
    fn a_throttle_empties_the_bucket_for_everybody() {
        let policy = Policy::default();
        let bucket = Bucket::empty(&policy, NOW);
        assert_eq!((bucket.left(&policy, NOW), bucket.taken(&policy, NOW)), (0, None));
        assert_eq!(bucket.left(&policy, NOW.plus_ms(SECOND)), 20);
    }
}
