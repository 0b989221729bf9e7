//! Media time out of the producer's clock: it begins at 0 with the first frame and never has a gap or an overlap.
//!
//! Time stamps that go back a long way have two causes. A producer that lost its connection sends fragments again, under new numbers: these frames
//! have the same times *and* the same bytes as before, and are not heard twice. Or its clock begins anew: then the bytes differ, and all is heard.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Samples per millisecond of what is made.
const SAMPLES_PER_MS: i64 = 16;
/// Time stamps are rounded, and the clock of a producer differs from that of its samples: less than this is no gap, ms.
const TOLERANCE_MS: i64 = 60;
/// Time stamps that go back further than this are a repeat or a new clock, not an overlap, ms.
const OVERLAP_MS: i64 = 1_000;
/// Time stamps that go on after more than this are a new clock, not a gap, ms: the worker would have ended.
const GAP_MS: i64 = 3_600_000;
/// Producers keep two minutes to send again (the default of the service's producer SDK), ms.
const REPEATED_MS: i64 = 120_000;

/// What has to happen before a frame is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Play,
    /// So many samples of silence come first: the producer paused.
    Fill(u64),
    /// So many of its samples were played already.
    Trim(u64),
    /// It was played already.
    Skip,
}

/// Where media time is, and how the producer's clock maps to it.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Samples given out so far.
    cursor: u64,
    /// Producer's time of media sample 0, ms.
    zero_ms: Option<i64>,
    /// The frames of this clock that may come again, in order of time: when, and a hash of the bytes.
    played: VecDeque<(i64, u64)>,
    /// The frame before was one that came again.
    repeats: bool,
}

impl Timeline {
    /// Samples given out so far.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// What to do before this frame of this time, of whose predecessors so many samples are still to come.
    pub fn place(&mut self, at_ms: i64, data: &[u8], pending: u64) -> Step {
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        let hash = hasher.finish();
        self.repeats = self.was_played(at_ms, hash);
        if self.repeats {
            return Step::Skip;
        }
        let step = self.step(at_ms, pending);
        if self.played.back().is_none_or(|(newest, _)| *newest < at_ms) {
            self.played.push_back((at_ms, hash));
            let from = at_ms.saturating_sub(REPEATED_MS);
            while self.played.front().is_some_and(|(oldest, _)| *oldest < from) {
                self.played.pop_front();
            }
        }
        step
    }

    fn step(&mut self, at_ms: i64, pending: u64) -> Step {
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

    /// Frames of one block may share a time, so the newest time tells nothing by itself.
    fn was_played(&self, at_ms: i64, hash: u64) -> bool {
        let Ok(n) = self.played.binary_search_by_key(&at_ms, |(at, _)| *at) else { return false };
        let newest = n + 1 == self.played.len();
        (self.repeats || !newest) && self.played.get(n).is_some_and(|(_, played)| *played == hash)
    }

    /// A clock begins that says nothing of how long the pause was.
    fn restart(&mut self, at_ms: i64, pending: u64) {
        let here = i64::try_from((self.cursor + pending) / SAMPLES_PER_MS.unsigned_abs()).unwrap_or(i64::MAX);
        self.zero_ms = Some(at_ms.saturating_sub(here));
        self.played.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_the_producer_is_as_long_in_media_time() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.place(1_700_000_000_000, b"", 0), Step::Play);
        timeline.advance(320);
        assert_eq!(timeline.place(1_700_000_000_020, b"", 0), Step::Play);
        timeline.advance(320);
        assert_eq!(timeline.place(1_700_000_010_040, b"", 0), Step::Fill(160_000));
        assert_eq!(timeline.advance(160_000), 40);
        assert_eq!(timeline.place(1_700_000_010_040, b"", 0), Step::Play);
    }

    #[test]
    fn what_overlaps_is_not_heard_twice_and_rounding_is_no_gap() {
        let mut timeline = Timeline::default();
        timeline.place(0, b"", 0);
        timeline.advance(16_000);
        assert_eq!(timeline.place(1_020, b"", 0), Step::Play);
        assert_eq!(timeline.place(900, b"", 0), Step::Trim(1_600));
        assert_eq!(timeline.place(1_100, b"", 1_600), Step::Play, "what is in the resampler counts");
    }

    #[test]
    fn a_producer_that_begins_anew_at_zero_goes_on_where_media_time_is() {
        let mut timeline = Timeline::default();
        timeline.place(1_700_000_000_000, b"", 0);
        timeline.advance(16_000);
        assert_eq!(timeline.place(0, b"", 0), Step::Play);
        timeline.advance(320);
        assert_eq!(timeline.place(20, b"", 0), Step::Play);
        assert_eq!(timeline.cursor(), 16_320);
    }

    #[test]
    fn what_can_come_again_is_remembered_for_two_minutes_of_a_clock() {
        let mut timeline = Timeline::default();
        for at_ms in (0..600_000).step_by(20) {
            assert_eq!(timeline.place(at_ms, &at_ms.to_le_bytes(), 0), Step::Play);
            timeline.advance(320);
        }
        assert_eq!(timeline.played.len(), 6_001);
        assert_eq!(timeline.place(480_000, &480_000_i64.to_le_bytes(), 0), Step::Skip);
        assert_eq!(timeline.place(480_000, b"other", 0), Step::Play, "a new clock");
        assert_eq!(timeline.played.len(), 1, "and what the old one said is forgotten");
    }
}
