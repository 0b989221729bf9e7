//! A service that takes audio at exactly 1× real time, however fast it is sent: what comes after a replay is late for as long
//! as nobody leaves something out.

/// When the audio that was sent so far is understood. Live audio is understood as it comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    done_ms: u64,
}

impl Pace {
    /// So much audio was sent, now; when it is understood.
    pub fn take(&mut self, len_ms: u64, now_ms: u64) -> u64 {
        self.done_ms = (self.done_ms + len_ms).max(now_ms);
        self.done_ms
    }

    /// When everything so far is understood, from now on.
    #[must_use]
    pub fn done(&self, now_ms: u64) -> u64 {
        self.done_ms.max(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_audio_is_understood_as_it_comes() {
        let mut pace = Pace::default();
        let done: Vec<u64> = (1..=5).map(|n| pace.take(100, 1_000 + n * 100)).collect();
        assert_eq!(done, [1_100, 1_200, 1_300, 1_400, 1_500]);
    }

    #[test]
    fn a_replay_is_understood_in_the_time_that_it_lasts_and_what_follows_stays_late() {
        let mut pace = Pace::default();
        pace.take(100, 1_000);
        assert_eq!(pace.take(4_000, 1_000), 5_000);
        assert_eq!(pace.take(100, 1_100), 5_100);
        assert_eq!(pace.take(100, 9_000), 9_000, "a pause makes up for it");
        assert_eq!(pace.done(9_500), 9_500);
    }
}
