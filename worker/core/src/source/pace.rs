//! At most so many in any second, as the service counts.
//!
//! A window and not a bucket that refills (as GCRA, which the `governor` crate implements): a bucket lets twice its size pass within a second.

use crate::time::MediaInstant;
use std::collections::VecDeque;

/// The service counts per second.
const WINDOW_MS: u64 = 1_000;

/// What was done within the last second.
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    times: VecDeque<MediaInstant>,
}

impl Pace {
    /// At most so many in any second; at least 1.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), times: VecDeque::new() }
    }

    /// The first moment that allows another.
    pub(crate) fn ready_at(&self) -> MediaInstant {
        match self.times.front() {
            Some(first) if self.times.len() >= self.most => first.plus_ms(WINDOW_MS),
            Some(_) | None => MediaInstant(0),
        }
    }

    /// Whether another is allowed now; if so, it counts as done.
    pub(crate) fn take(&mut self, now: MediaInstant) -> bool {
        let allowed = now >= self.ready_at();
        if allowed {
            if self.times.len() >= self.most {
                self.times.pop_front();
            }
            self.times.push_back(now);
        }
        allowed
    }
}

/// The most that happened within any one second; `times` are in order.
#[cfg(test)]
pub(crate) fn most_in_a_second(times: &[MediaInstant]) -> usize {
    let within = |first: &MediaInstant| times.iter().filter(|t| **t >= *first && t.since(*first) < WINDOW_MS).count();
    times.iter().map(within).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_second_has_more_than_allowed_and_nobody_waits_in_vain(
            most in 1_usize..6, gaps in proptest::collection::vec(0_u64..900, 1..200),
        ) {
            let (mut pace, mut now, mut done) = (Pace::new(most), MediaInstant(0), Vec::new());
            for gap in gaps {
                now = now.plus_ms(gap);
                let ready_at = pace.ready_at();
                let allowed = pace.take(now);
                prop_assert_eq!(allowed, now >= ready_at, "it says when");
                if allowed {
                    done.push(now);
                }
            }
            prop_assert!(most_in_a_second(&done) <= most);
        }
    }
}
