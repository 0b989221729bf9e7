//! When the next stream may be opened, by how the last one ended.

use crate::input::StreamEnd;

/// A stream that lived for so long was healthy: the count begins anew.
pub(crate) const HEALTHY_MS: u64 = 30_000;

/// Ends in a row without a healthy stretch between them.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    consecutive: u32,
}

impl Backoff {
    /// The stream was healthy.
    pub(crate) fn reset(&mut self) {
        self.consecutive = 0;
    }

    /// Milliseconds to wait after this end.
    pub(crate) fn after(&mut self, end: &StreamEnd) -> u64 {
        let doubled = |first: u64, most: u64| (first << self.consecutive.min(10)).min(most);
        let wait = match end {
            StreamEnd::Clean | StreamEnd::Idle(_) if self.consecutive == 0 => 0,
            StreamEnd::Clean | StreamEnd::Idle(_) | StreamEnd::Fault(_) => doubled(250, 10_000),
            StreamEnd::LimitExceeded(_) | StreamEnd::Throttled(_) => doubled(2_000, 30_000),
            StreamEnd::Refused(_) => doubled(5_000, 60_000),
        };
        self.consecutive = self.consecutive.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clean_end_is_answered_at_once_and_a_loop_of_them_is_not() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after(&StreamEnd::Clean), 0);
        assert!(backoff.after(&StreamEnd::Clean) > 0);
        backoff.reset();
        assert_eq!(backoff.after(&StreamEnd::Idle("15 s".into())), 0);
    }

    #[test]
    fn backoff_is_monotone_and_bounded() {
        for end in [
            StreamEnd::Fault(String::new()),
            StreamEnd::LimitExceeded(String::new()),
            StreamEnd::Throttled(String::new()),
            StreamEnd::Refused(String::new()),
        ] {
            let mut backoff = Backoff::default();
            let waits: Vec<u64> = (0..40).map(|_| backoff.after(&end)).collect();
            assert!(waits.is_sorted() && waits[39] <= 60_000 && waits[0] > 0, "{waits:?}");
        }
    }
}
