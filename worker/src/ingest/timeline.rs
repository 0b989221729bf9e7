//! Media time out of the producer's clock: it begins at 0 with the first frame and never has a gap or an overlap.
//!
//! Time stamps that go back have two causes. A producer that lost its connection sends fragments again, under new numbers: these frames have the
//! same bytes as before, in the same order, at the same times but for a rounding, and are not heard twice. Or its clock begins anew: then the bytes
//! differ, and all is heard. Bytes that are always the same, digital silence, tell neither: they are heard, so that media time never stops.

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
/// A producer that cuts its fragments anew may round their times otherwise, ms: less than a frame lasts.
const ROUNDED_MS: i64 = 5;
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
    /// The frames of this clock that may come again, in order of time.
    played: VecDeque<Played>,
    /// The place in `played` behind the frame that came again last; `None` when the frame before was a new one.
    again: Option<usize>,
    /// Of the frames that come again now, one had bytes that only it has.
    proven: bool,
}

/// A frame that was played.
#[derive(Debug, Clone, Copy)]
struct Played {
    at_ms: i64,
    /// Of its bytes.
    hash: u64,
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
        let frame = Played { at_ms, hash: hasher.finish() };
        let again = self.find(frame);
        self.again = again.map(|n| n + 1);
        self.proven = again.is_some_and(|n| self.proven || self.tells(n));
        if again.is_some() {
            return if self.proven { Step::Skip } else { Step::Play };
        }
        let step = self.step(at_ms, pending);
        if self.played.back().is_none_or(|newest| newest.at_ms <= at_ms) {
            self.played.push_back(frame);
            let from = at_ms.saturating_sub(REPEATED_MS);
            while self.played.front().is_some_and(|oldest| oldest.at_ms < from) {
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

    /// Where this frame was played. Frames of one block may share a time and their bytes, so it must follow one that came again, or lie before
    /// what was played last.
    fn find(&self, frame: Played) -> Option<usize> {
        let near = |n: usize| {
            self.played.get(n).filter(|played| played.at_ms.abs_diff(frame.at_ms) <= ROUNDED_MS.unsigned_abs())
        };
        let same = |n: &usize| near(*n).is_some_and(|played| played.hash == frame.hash);
        let goes_back = self.played.back().is_some_and(|newest| newest.at_ms > frame.at_ms.saturating_add(ROUNDED_MS));
        let first = self.played.partition_point(|played| played.at_ms < frame.at_ms.saturating_sub(ROUNDED_MS));
        let found = || (first..).take_while(|n| near(*n).is_some()).find(same);
        self.again.filter(same).or_else(|| found().filter(|_| goes_back))
    }

    /// Whether the bytes of this frame are others than those of its neighbours.
    fn tells(&self, n: usize) -> bool {
        let hash = |n: usize| self.played.get(n).map(|played| played.hash);
        hash(n) != hash(n + 1) && n.checked_sub(1).is_none_or(|before| hash(n) != hash(before))
    }

    /// A clock begins that says nothing of how long the pause was.
    fn restart(&mut self, at_ms: i64, pending: u64) {
        let here = i64::try_from((self.cursor + pending) / SAMPLES_PER_MS.unsigned_abs()).unwrap_or(i64::MAX);
        self.zero_ms = Some(at_ms.saturating_sub(here));
        self.played.clear();
        (self.again, self.proven) = (None, false);
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
