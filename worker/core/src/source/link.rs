//! A connection to a service that is kept open: what signaling and the reader of a KVS stream have in common.

use crate::time::MediaInstant;

/// A connection that does not open within so long is tried anew, ms.
pub(crate) const OPEN_PATIENCE_MS: u64 = 15_000;
/// So long, ms, and nothing else in between, the service must say that there is nothing to connect to: what was made a moment ago is not known
/// everywhere at once (AWS states no limit), and of a session that was deleted the controller tells us sooner. Well below the lease: listeners can be
/// told the end although the table is away as well.
const GONE_AFTER_MS: u64 = 15_000;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not wanted yet, or not any more.
    Idle,
    /// Ended; opened again then.
    Down { retry_at: MediaInstant },
    /// Asked for.
    Opening { since: MediaInstant },
    /// There.
    Open { since: MediaInstant },
}

/// What is due of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkDue {
    /// Nothing.
    Nothing,
    /// Its wait is over.
    Open,
    /// It did not open in time.
    TooSlow,
}

impl Link {
    /// What is due now; what an open connection needs is its owner's affair.
    pub(crate) fn due(self, now: MediaInstant) -> LinkDue {
        match self {
            Self::Down { retry_at } if now >= retry_at => LinkDue::Open,
            Self::Opening { since } if now.since(since) >= OPEN_PATIENCE_MS => LinkDue::TooSlow,
            Self::Idle | Self::Down { .. } | Self::Opening { .. } | Self::Open { .. } => LinkDue::Nothing,
        }
    }
}

/// The wait after so many failures in a row, ms: the first one doubled each time, up to the longest.
pub(crate) fn doubled(first_ms: u64, most_ms: u64, times: u32) -> u64 {
    (first_ms << times.min(16)).min(most_ms)
}

/// Whether what is connected to exists: "not found" is believed only when it is said again and again for some time.
#[derive(Debug, Default)]
pub(crate) struct Existence {
    /// When it was said first, and last; `None` since something else was heard.
    not_found: Option<(MediaInstant, MediaInstant)>,
}

impl Existence {
    /// An attempt said so.
    pub(crate) fn heard(&mut self, gone: bool, now: MediaInstant) {
        self.not_found = gone.then(|| (self.not_found.map_or(now, |(first, _)| first), now));
    }

    /// It does not exist any more.
    pub(crate) fn is_over(&self) -> bool {
        self.not_found.is_some_and(|(first, last)| last.since(first) >= GONE_AFTER_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_however_often_it_failed() {
        let waits: Vec<u64> = [0, 1, 2, 5, 40, u32::MAX].map(|times| doubled(250, 30_000, times)).to_vec();
        assert_eq!(waits, [250, 500, 1_000, 8_000, 30_000, 30_000]);
    }

    #[test]
    fn a_connection_is_opened_when_its_wait_is_over_and_given_up_when_it_does_not_open() {
        let at = MediaInstant;
        assert_eq!(Link::Down { retry_at: at(5) }.due(at(4)), LinkDue::Nothing);
        assert_eq!(Link::Down { retry_at: at(5) }.due(at(5)), LinkDue::Open);
        assert_eq!(Link::Opening { since: at(0) }.due(at(OPEN_PATIENCE_MS)), LinkDue::TooSlow);
        assert_eq!(Link::Open { since: at(0) }.due(at(1_000_000)), LinkDue::Nothing);
    }

    #[test]
    fn not_found_is_believed_when_nothing_else_is_said_for_a_quarter_of_a_minute() {
        let mut existence = Existence::default();
        let mut over = |gone, at| {
            existence.heard(gone, MediaInstant(at));
            existence.is_over()
        };
        assert!(!over(true, 0) && !over(true, 1_000), "what was made a moment ago is not known everywhere");
        assert!(!over(false, 2_000));
        assert!(!over(true, 40_000) && !over(true, 54_999));
        assert!(over(true, 55_000));
        assert!(!over(false, 55_001), "a place that is there after all");
    }
}
