//! Stream time to media time. A stream counts from 0 whatever was sent before; silence that was sent to keep it alive
//! counts in the stream and not in the media, so the map has a new piece wherever the two part.

use crate::hearing::SAMPLES_PER_MS;
use std::collections::VecDeque;

/// A piece begins at most every few seconds, and results speak of the last minute: older pieces are of no use, and a stream lives for hours.
const MOST: usize = 256;

/// Pieces: from this stream sample on, media runs from that media sample.
#[derive(Debug, Default)]
pub(crate) struct Timeline(VecDeque<(u64, u64)>);

impl Timeline {
    /// Audio of this media sample is sent at this stream sample.
    pub(crate) fn sent(&mut self, stream: u64, media: u64) {
        let continues = self.0.back().is_some_and(|(s, m)| media.checked_sub(*m) == stream.checked_sub(*s));
        if !continues {
            self.0.push_back((stream, media));
        }
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// Media milliseconds of a moment of the stream, by the piece in which another one close to it lies; both in ms.
    pub(crate) fn media_ms(&self, moment: u64, by: u64) -> u64 {
        let (moment, by) = (moment * SAMPLES_PER_MS, by * SAMPLES_PER_MS);
        let piece = self.0.iter().rev().find(|(s, _)| *s <= by).or(self.0.front());
        piece.map_or(moment, |(s, m)| (m + moment).saturating_sub(*s)) / SAMPLES_PER_MS
    }
}

/// A moment of a stream, ms.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; 4 h fit")]
pub(crate) fn in_ms(stream_seconds: f64) -> u64 {
    (stream_seconds.max(0.0) * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_ms(timeline: &Timeline, seconds: f64) -> u64 {
        timeline.media_ms(in_ms(seconds), in_ms(seconds))
    }

    #[test]
    fn a_stream_that_begins_late_counts_from_its_first_audio() {
        let mut timeline = Timeline::default();
        timeline.sent(0, 60_000 * 16);
        timeline.sent(1_600, 60_100 * 16);
        assert_eq!(media_ms(&timeline, 2.5), 62_500);
    }

    #[test]
    fn silence_that_only_the_stream_heard_does_not_move_the_words_after_it() {
        let mut timeline = Timeline::default();
        timeline.sent(0, 0);
        timeline.sent(5_000 * 16, 2_000 * 16);
        assert_eq!(media_ms(&timeline, 1.0), 1_000);
        assert_eq!(media_ms(&timeline, 5.25), 2_250);
    }

    #[test]
    fn a_word_that_is_told_too_late_stays_before_the_pause_that_was_left_out() {
        let mut timeline = Timeline::default();
        timeline.sent(0, 0);
        timeline.sent(1_000 * 16, 5_000 * 16);
        assert_eq!((timeline.media_ms(800, 950), timeline.media_ms(1_100, 950)), (800, 1_100));
    }

    #[test]
    fn a_stream_with_thousands_of_pauses_keeps_the_last_ones_only_and_maps_them_right() {
        let mut timeline = Timeline::default();
        // Every five seconds, one of silence that is no media.
        (0..2_880).for_each(|n| timeline.sent(n * 5_000 * 16, n * 4_000 * 16));
        assert_eq!(timeline.0.len(), MOST);
        assert_eq!(media_ms(&timeline, 2_879.0 * 5.0 + 1.5), 2_879 * 4_000 + 1_500);
        assert_eq!(media_ms(&timeline, 2_800.0 * 5.0 + 1.5), 2_800 * 4_000 + 1_500);
    }
}
