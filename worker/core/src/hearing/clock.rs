//! When a moment of media time was spoken, on the worker's clock.

use crate::time::MediaInstant;

/// How long an observation counts; clocks of speaker and worker may drift apart by some 50 ppm.
const WINDOW_MS: u64 = 30_000;

/// The least delay between a frame's end in media time and its arrival, over the last half minute or minute: the packet
/// that was held up least tells best when its audio was spoken.
#[derive(Debug, Default)]
pub(crate) struct SpokenClock {
    current: Option<i64>,
    previous: Option<i64>,
    since: MediaInstant,
}

impl SpokenClock {
    /// Audio up to `end_ms` of media time has arrived now.
    pub(crate) fn observe(&mut self, end_ms: u64, now: MediaInstant) {
        if now.since(self.since) >= WINDOW_MS {
            self.previous = self.current.take();
            self.since = now;
        }
        let offset = signed(now.0) - signed(end_ms);
        self.current = Some(self.current.map_or(offset, |least| least.min(offset)));
    }

    /// Milliseconds since `media_ms` was spoken; `None` before the first packet.
    pub(crate) fn lag(&self, media_ms: u64, now: MediaInstant) -> Option<u64> {
        let offset = [self.current, self.previous].into_iter().flatten().min()?;
        let lag = signed(now.0) - signed(media_ms) - offset;
        Some(u64::try_from(lag).unwrap_or(0))
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_when_the_words_were_spoken_not_from_when_a_late_packet_came() {
        let mut clock = SpokenClock::default();
        clock.observe(20, MediaInstant(1_020));
        clock.observe(40, MediaInstant(1_240));
        assert_eq!(clock.lag(40, MediaInstant(1_540)), Some(500));
    }

    #[test]
    fn a_drifting_speaker_clock_is_followed() {
        let mut clock = SpokenClock::default();
        for second in 0..7_200_u64 {
            clock.observe(second * 1_000, MediaInstant(second * 1_000 + second / 10));
        }
        let lag = clock.lag(7_199_000, MediaInstant(7_199_719)).unwrap();
        assert!(lag < 10, "{lag}");
    }
}
