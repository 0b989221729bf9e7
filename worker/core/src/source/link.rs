//! A connection to a service that is kept open: what signaling and the reader of a KVS stream have in common.

use crate::time::MediaInstant;

/// A connection that does not open within so long is tried anew, ms.
pub(crate) const OPEN_PATIENCE_MS: u64 = 15_000;
/// So many times in a row the service must say that there is nothing to connect to: what is new is not known everywhere at once.
const GONE_STRIKES: u32 = 2;

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

/// Whether what is connected to exists: one "not found" is not believed.
#[derive(Debug, Default)]
pub(crate) struct Existence(u32);

impl Existence {
    /// An attempt said so.
    pub(crate) fn heard(&mut self, gone: bool) {
        self.0 = if gone { self.0.saturating_add(1) } else { 0 };
    }

    /// It does not exist any more.
    pub(crate) fn is_over(&self) -> bool {
        self.0 >= GONE_STRIKES
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
    fn one_not_found_is_not_believed() {
        let mut existence = Existence::default();
        for (gone, over) in [(true, false), (false, false), (true, false), (true, true)] {
            existence.heard(gone);
            assert_eq!(existence.is_over(), over);
        }
    }
}
