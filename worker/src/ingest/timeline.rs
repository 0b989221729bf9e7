//! Media time out of the producer's clock: it begins at 0 with the first frame and never has a gap or an overlap.

/// Samples per millisecond of what is made.
const SAMPLES_PER_MS: i64 = 16;
/// Time stamps are rounded, and the clock of a producer differs from that of its samples: less than this is no gap, ms.
const TOLERANCE_MS: i64 = 60;
/// Time stamps that go back further than this are a new clock, not an overlap, ms.
const OVERLAP_MS: i64 = 1_000;
/// Time stamps that go on after more than this are a new clock, not a gap, ms: the worker would have ended.
const GAP_MS: i64 = 3_600_000;

/// What has to happen before a frame is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Play,
    /// So many samples of silence come first: the producer paused.
    Fill(u64),
    /// So many of its samples were played already.
    Trim(u64),
}

/// Where media time is, and how the producer's clock maps to it.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Samples given out so far.
    cursor: u64,
    /// Producer's time of media sample 0, ms.
    zero_ms: Option<i64>,
}

impl Timeline {
    /// Samples given out so far.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// What to do before a frame of this time, of whose predecessors so many samples are still to come.
    pub fn place(&mut self, at_ms: i64, pending: u64) -> Step {
        let Some(zero_ms) = self.zero_ms else {
            self.restart(at_ms, pending);
            return Step::Play;
        };
        let here = i64::try_from(self.cursor + pending).unwrap_or(i64::MAX);
        let late = at_ms.saturating_sub(zero_ms).saturating_mul(SAMPLES_PER_MS).saturating_sub(here);
        let late_ms = late / SAMPLES_PER_MS;
        if !(-OVERLAP_MS..=GAP_MS).contains(&late_ms) {
            self.restart(at_ms, pending);
            return Step::Play;
        }
        if late_ms > TOLERANCE_MS {
            Step::Fill(late.unsigned_abs())
        } else if late_ms < -TOLERANCE_MS {
            Step::Trim(late.unsigned_abs())
        } else {
            Step::Play
        }
    }

    /// So many samples are given out; where they begin, ms.
    pub fn advance(&mut self, samples: usize) -> u64 {
        let start = self.cursor / SAMPLES_PER_MS.unsigned_abs();
        self.cursor += samples as u64;
        start
    }

    /// A clock begins that says nothing of how long the pause was.
    fn restart(&mut self, at_ms: i64, pending: u64) {
        let here = i64::try_from((self.cursor + pending) / SAMPLES_PER_MS.unsigned_abs()).unwrap_or(i64::MAX);
        self.zero_ms = Some(at_ms.saturating_sub(here));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_the_producer_is_as_long_in_media_time() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.place(1_700_000_000_000, 0), Step::Play);
        timeline.advance(320);
        assert_eq!(timeline.place(1_700_000_000_020, 0), Step::Play);
        timeline.advance(320);
        assert_eq!(timeline.place(1_700_000_010_040, 0), Step::Fill(160_000));
        assert_eq!(timeline.advance(160_000), 40);
        assert_eq!(timeline.place(1_700_000_010_040, 0), Step::Play);
    }

    #[test]
    fn what_overlaps_is_not_heard_twice_and_rounding_is_no_gap() {
        let mut timeline = Timeline::default();
        timeline.place(0, 0);
        timeline.advance(16_000);
        assert_eq!(timeline.place(1_020, 0), Step::Play);
        assert_eq!(timeline.place(900, 0), Step::Trim(1_600));
        assert_eq!(timeline.place(1_100, 1_600), Step::Play, "what is in the resampler counts");
    }

    #[test]
    fn a_producer_that_begins_anew_at_zero_goes_on_where_media_time_is() {
        let mut timeline = Timeline::default();
        timeline.place(1_700_000_000_000, 0);
        timeline.advance(16_000);
        assert_eq!(timeline.place(0, 0), Step::Play);
        timeline.advance(320);
        assert_eq!(timeline.place(20, 0), Step::Play);
        assert_eq!(timeline.cursor(), 16_320);
    }
}
