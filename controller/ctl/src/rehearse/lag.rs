//! How long after it was played a listener had what was said: of a final its last word, of a segment its first.

use super::record::{ListenerLog, Recording};
use schemas::ids::Timestamp;
use schemas::message::Caption;
use std::collections::BTreeSet;

/// From the last spoken word to the arrival at the listener. Our own clock knows when it was played, as media time counts
/// from the first packet; where that cannot be (never sent, or clocks disagree), the worker's own number stands.
#[must_use]
pub fn lag_ms(arrived: Timestamp, caption: &Caption, media_zero: Option<Timestamp>) -> i64 {
    let own = media_zero.and_then(|zero| {
        let spoken = zero.plus_ms(i64::try_from(caption.end_ms).ok()?);
        Some(arrived.since(spoken)).filter(|lag| *lag >= 0)
    });
    own.unwrap_or_else(|| i64::try_from(caption.lag_ms).unwrap_or(i64::MAX))
}

/// The lags of finals, catch-up left out.
#[must_use]
pub fn finals(log: &ListenerLog, r: &Recording) -> Vec<i64> {
    log.finals().filter(|(_, c)| !c.catch_up).map(|(at, c)| lag_ms(*at, c, r.media_zero(c))).collect()
}

/// Of each segment: from the moment its first word was played to the first text of it in the listener's own language, partial or
/// final. An original that stands for a failed translation is no such text. Left out is what had begun before the listener came.
#[must_use]
pub fn first_words(log: &ListenerLog, r: &Recording) -> Vec<i64> {
    let mut seen = BTreeSet::new();
    let theirs = log.captions.iter().filter(|(_, c)| !c.catch_up && !c.degraded);
    let first = theirs.filter(|(_, c)| seen.insert((c.generation, c.segment_id.as_str())));
    let waited = first.map(|(at, c)| (*at, lag_ms(*at, c, r.media_zero(c)) + length_ms(c)));
    waited.filter(|(at, lag)| log.joined.is_none_or(|joined| at.plus_ms(-lag) >= joined)).map(|(_, lag)| lag).collect()
}

fn length_ms(caption: &Caption) -> i64 {
    i64::try_from(caption.end_ms.saturating_sub(caption.start_ms)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::{caption, recording, said};
    use super::super::record::{Event, ListenerEvent, SpeakerEvent};
    use super::*;

    #[test]
    fn lag_is_measured_by_our_own_clock_and_else_taken_from_the_message() {
        let c = caption("es", 2, 1, true);
        assert_eq!(lag_ms(Timestamp(5_500), &c, Some(Timestamp(2_000))), 1_500);
        assert_eq!(lag_ms(Timestamp(5_500), &c, None), 700);
        assert_eq!(lag_ms(Timestamp(3_000), &c, Some(Timestamp(2_000))), 700);
    }

    /// One who listens in Spanish while the speech begins at 2 s by our clock.
    fn talk() -> Recording {
        let mut r = recording(&["es"]);
        r.take(Timestamp(1_000), Event::Listener { index: 0, what: ListenerEvent::Joined });
        r.take(Timestamp(2_000), Event::Speaker(SpeakerEvent::FirstPacket));
        r
    }

    #[test]
    fn first_words_count_from_the_begin_of_their_segment_to_the_first_text_of_it() {
        let mut r = talk();
        r.take(Timestamp(4_500), said(0, caption("es", 2, 1, false)));
        r.take(Timestamp(4_900), said(0, caption("es", 2, 1, false)));
        r.take(Timestamp(5_200), said(0, caption("es", 2, 1, true)));
        r.take(Timestamp(6_300), said(0, caption("es", 3, 2, true)));
        // The second segment begins at 1 s, the third at 2 s of the audio.
        assert_eq!(first_words(&r.listeners[0], &r), [1_500, 2_300]);
        assert_eq!(finals(&r.listeners[0], &r), [1_200, 1_300]);
    }

    #[test]
    fn an_original_in_place_of_a_translation_is_no_first_text() {
        let mut r = talk();
        let mut original = caption("es", 1, 1, true);
        original.degraded = true;
        r.take(Timestamp(3_500), said(0, original));
        assert!(first_words(&r.listeners[0], &r).is_empty());
    }

    #[test]
    fn what_had_begun_before_a_listener_came_says_nothing_of_first_words() {
        let mut r = talk();
        r.listeners[0].joined = Some(Timestamp(2_900));
        r.take(Timestamp(4_000), said(0, caption("es", 1, 1, true)));
        r.take(Timestamp(4_500), said(0, caption("es", 2, 2, false)));
        assert_eq!(first_words(&r.listeners[0], &r), [1_500]);
    }

    #[test]
    fn without_our_own_clock_the_workers_lag_and_the_segments_length_stand() {
        let mut r = recording(&["es"]);
        r.take(Timestamp(4_500), said(0, caption("es", 2, 1, false)));
        assert_eq!(first_words(&r.listeners[0], &r), [1_700]);
    }

    #[test]
    fn a_worker_that_takes_anothers_place_counts_its_segments_anew() {
        let mut r = talk();
        r.take(Timestamp(3_000), said(0, caption("es", 1, 1, true)));
        let mut of_the_next = caption("es", 1, 1, true);
        of_the_next.generation = schemas::ids::Generation(2);
        r.take(Timestamp(9_000), said(0, of_the_next));
        assert_eq!(first_words(&r.listeners[0], &r).len(), 2);
    }
}
