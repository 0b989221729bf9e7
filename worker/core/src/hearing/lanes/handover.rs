//! From one lane to the next, make before break.

use super::lane::{Drain, PATIENCE_MS, describe};
use super::{Lane, Lanes};
use crate::hearing::demand::{Begin, Moment};
use crate::hearing::{SAMPLES_PER_MS, TimedResult};
use crate::input::StreamEnd;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::Language;

/// A silence that is a good moment to renew a stream, ms.
const SILENCE_MS: u64 = 700;
/// Where there is none, shorter ones do from here on, ms after it was due: they shrink to nothing until [`LATEST_MS`].
const SHORTER_AFTER_MS: u64 = 300_000;
/// Without any silence a stream is renewed so long after it was due, ms.
const LATEST_MS: u64 = 600_000;
/// A handover that failed is tried again after so long, ms.
const RETRY_MS: u64 = 60_000;
/// One to another language, which the old stream does not understand, after so long, ms.
const RETRY_LANGUAGE_MS: u64 = 2_000;

impl Lanes {
    /// Begins a handover when the stream in use hears another language, or is old.
    pub(super) fn hand_over_when_due(&mut self, language: &Language, at: &Moment, out: &mut Outbox) {
        let Some(index) = self.lanes.iter().position(|lane| lane.drain.is_none()) else { return };
        let is_opening = |lane: &Lane| !lane.stream.opened && lane.stream.language != *language;
        if self.lanes.back().is_some_and(is_opening) {
            // It has heard nothing yet: the next one hears the same audio.
            let wrong = self.lanes.pop_back();
            wrong.into_iter().for_each(|wrong| out.push(Output::DropStream(wrong.stream.id)));
            self.begin = Begin::Watermark;
            return;
        }
        let (changes, due) = (self.lanes[index].stream.language != *language, self.hands_over_at(at));
        let is_due = changes || due.is_some_and(|due| at.now >= due);
        if self.alone().is_none() || !is_due || at.now < self.hand_over_after {
            return;
        }
        let why = if changes { "the speaker's language changed" } else { "the stream is old" };
        self.hand_over(language.clone(), why, at, out);
    }

    /// Opens the lane that takes over here; the one in use waits until it is open.
    fn hand_over(&mut self, language: Language, why: &str, at: &Moment, out: &mut Outbox) {
        let Some(lane) = self.lanes.back_mut() else { return };
        let sent = lane.send_rest(at, out);
        let (cursor, old) = (lane.stream.cursor, lane.stream.id);
        self.sent_samples += sent;
        self.heard_until = self.heard_until.max(cursor);
        out.fact("stream_handover", format!("from stream {}: {why}", old.0));
        self.open(cursor, &language, at, out);
    }

    /// When the stream in use is old, by the silence that there is now; `None` while somebody speaks, or it is not alone.
    pub(super) fn hands_over_at(&self, at: &Moment) -> Option<MediaInstant> {
        let stream = self.alone().map(|lane| &lane.stream).filter(|stream| stream.opened)?;
        let due = stream.since.plus_ms(at.timing.rotate_after_ms);
        // By loudness, which knows a pause at once: a soft speaker is cut in mid-word, and the next lane begins where this one ends.
        let silent_ms = at.audio.levels.silent_for_ms();
        let shorter =
            SHORTER_AFTER_MS + (LATEST_MS - SHORTER_AFTER_MS) * (SILENCE_MS.saturating_sub(silent_ms)) / SILENCE_MS;
        let after_ms = if silent_ms >= SILENCE_MS { 0 } else { shorter };
        Some(due.plus_ms(after_ms).max(self.hand_over_after))
    }

    /// A lane is open: the one before it, if there is any, ends and gives its last words.
    pub(super) fn take_over(&mut self, index: usize, at: &Moment, out: &mut Outbox) {
        let id = self.lanes[index].stream.id;
        let Some(old) = index.checked_sub(1).map(|old| &mut self.lanes[old]).filter(|old| old.drain.is_none()) else {
            return;
        };
        out.push(Output::EndStream(old.stream.id));
        out.fact("stream_renewed", format!("stream {} takes over from stream {}", id.0, old.stream.id.0));
        old.drain = Some(Drain { until: at.now.plus_ms(PATIENCE_MS), begin: Begin::Watermark });
    }

    /// The second lane did not open: the first one goes on.
    pub(super) fn not_taken_over(&mut self, end: &StreamEnd, at: &Moment, out: &mut Outbox) {
        let Some(lane) = self.lanes.pop_back() else { return };
        out.fact("renewal_failed", format!("{}; the old stream goes on", describe(end)));
        let changes = self.lanes.back().is_some_and(|old| old.stream.language != lane.stream.language);
        self.hand_over_after = at.now.plus_ms(if changes { RETRY_LANGUAGE_MS } else { RETRY_MS });
    }

    /// The first lane, which drained, is gone; gives what the second one has said in the meantime. When the last words of the first one may
    /// be missing, they are replayed.
    pub(super) fn drained(&mut self, whole: bool, at: &Moment, out: &mut Outbox) -> Vec<TimedResult> {
        let Some(gone) = self.lanes.pop_front() else { return Vec::new() };
        let Some(drain) = gone.drain else { return Vec::new() };
        if self.lanes.is_empty() {
            (self.not_before, self.begin) =
                (at.now.max(self.not_before), if whole { drain.begin } else { drain.begin.unheard() });
            return Vec::new();
        }
        let (watermark_ms, until_ms) = (self.watermark / SAMPLES_PER_MS, gone.stream.cursor / SAMPLES_PER_MS);
        if !whole && at.audio.levels.speech_dbfs(watermark_ms, until_ms).is_some() {
            for lane in self.lanes.drain(..) {
                out.push(Output::DropStream(lane.stream.id));
            }
            self.lost.push(gone.stream.id);
            out.fact("stream_closed", "the last words before a handover are replayed");
            (self.not_before, self.begin) = (at.now, Begin::Watermark);
            return Vec::new();
        }
        let held = self.lanes.front_mut().map(|lane| std::mem::take(&mut lane.held)).unwrap_or_default();
        if let Some(end) = self.lanes.front_mut().and_then(|lane| lane.over.take()) {
            self.drained(end == StreamEnd::Clean, at, out);
        }
        held
    }
}
