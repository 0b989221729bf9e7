//! From results to segments.
//!
//! *Guarantees*: a stable word never changes; each segment that was shown gets exactly one final; finals are in the order
//! of media time; a word that a final covers is never heard again, by its time and not by its text ("Amen. Amen." stays
//! two); a partial is shown at most every 200 ms, the newest one; no segment hangs: each is final 15 s after it was first
//! shown at the latest, long ones being cut at the end of a sentence, else of a clause, else of a word. Long is also what would
//! not fit one message beside its translation.
//! *Assumption*: results of one segment share their result id within a stream.

use super::merge::merge;
use super::{Shown, Snapshot, ends_sentence};
use crate::config::Timing;
use crate::hearing::{Heard, Word};
use crate::input::StreamId;
use crate::outbox::earliest;
use crate::time::MediaInstant;
use schemas::ids::Language;
use std::collections::VecDeque;
use std::sync::Arc;

/// A segment longer than this is ended at its last stable sentence, ms: finals keep coming in continuous speech.
const SENTENCE_AFTER_MS: u64 = 8_000;
/// Without one, a segment longer than this is ended at its last stable mark, ms.
const CLAUSE_AFTER_MS: u64 = 11_000;
/// Without one, a segment longer than this is ended at its last stable word, ms.
const WORD_AFTER_MS: u64 = 14_000;

/// A segment with more text is ended as one that lasts too long is, UTF-8 bytes: with its translation it fits one frame of
/// the WebSocket. Fifteen seconds of speech have 300, of Hindi or Thai 900.
pub(super) const TEXT_BYTES: usize = 3_000;

/// The last word of a replay may be heard as ending so much earlier than before, ms.
const REPLAY_SLACK_MS: u64 = 200;
/// A recogniser speaks of a few results at a time; an older one that came again would find its words covered. A stream lives for hours.
const MOST_DONE: usize = 64;

#[derive(Debug)]
struct Open {
    number: u64,
    stream: StreamId,
    result_id: String,
    source: Language,
    words: Vec<Word>,
    stable: usize,
    /// So many items were shown as such that will not change: the segment does not end before them.
    promised: usize,
    begun_at: MediaInstant,
    moved_at: MediaInstant,
    shown_at: Option<MediaInstant>,
    fresh: bool,
    /// Until words reach up to here again, a replay would only take back what is shown, ms.
    replayed_to_ms: u64,
}

impl Open {
    /// Whether a replay has come as far as what is shown.
    fn reaches(&self) -> bool {
        self.words.last().is_some_and(|w| w.end_ms >= self.replayed_to_ms)
    }

    /// When it is final at the latest.
    fn hangs_at(&self, timing: &Timing) -> MediaInstant {
        self.moved_at.min(self.begun_at).plus_ms(timing.segment_stale_ms)
    }

    /// How many of its items have no more text than this, written with spaces.
    fn within(&self, bytes: usize) -> usize {
        let longer = |so_far: &mut usize, word: &Word| {
            *so_far += word.text.len() + 1;
            Some(*so_far)
        };
        self.words.iter().scan(0, longer).take_while(|so_far| *so_far <= bytes).count()
    }

    /// How many items make a segment of their own; `None` while it is short, or nothing in it is stable.
    fn cut(&self, now: MediaInstant) -> Option<usize> {
        let within = self.within(TEXT_BYTES);
        let full = within < self.words.len();
        let settled = &self.words[..self.stable.min(within)];
        let spoken_ms = self.words.last()?.end_ms.saturating_sub(self.words[0].start_ms);
        let length_ms = spoken_ms.max(now.since(self.begun_at));
        let after = |index: usize| index + 1;
        let sentence = || settled.iter().rposition(ends_sentence).map(after);
        let clause = || settled.iter().rposition(|w| w.mark).map(after);
        // The last stable word may still get its mark.
        let marked = settled.last().is_some_and(|w| w.mark);
        let word = || settled.len().checked_sub(usize::from(!marked)).filter(|end| *end > 0);
        let due = |after_ms: u64, end: Option<usize>| {
            end.filter(|end| (full || length_ms >= after_ms) && *end >= self.promised)
        };
        due(SENTENCE_AFTER_MS, sentence()).or(due(CLAUSE_AFTER_MS, clause())).or(due(WORD_AFTER_MS, word()))
    }
}

/// The segments that are not final yet, and what the finals cover.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    open: Vec<Open>,
    /// Results whose final has come lately, of the newest stream.
    done: VecDeque<(StreamId, String)>,
    last_number: u64,
    last_start_ms: u64,
    /// Finals cover the media up to here, ms.
    pub(crate) watermark_ms: u64,
}

impl Segments {
    /// Takes in a result; gives what is to be shown at once.
    pub(crate) fn hear(&mut self, heard: Heard, source: &Language, now: MediaInstant, timing: &Timing) -> Vec<Shown> {
        let key = (heard.stream, heard.result_id.clone());
        if self.done.contains(&key) {
            return Vec::new();
        }
        let mut shown = Vec::new();
        let words = self.uncovered(heard.words);
        let Some(index) = self.find(&key, &words, source, now, &mut shown) else { return shown };
        let segment = &mut self.open[index];
        let (merged, stable) = merge(&segment.words[..segment.stable], words);
        segment.fresh |= merged != segment.words || stable != segment.stable;
        (segment.words, segment.stable) = (merged, stable);
        segment.moved_at = now;
        if heard.is_final {
            self.remember(key);
            self.open[index].stable = self.open[index].words.len();
            let rest = self.split_full(index, now, &mut shown);
            self.finish(rest, &mut shown);
        } else {
            let rest = self.split_full(index, now, &mut shown);
            self.split(rest, now, &mut shown);
            self.show_due(now, timing, &mut shown);
        }
        shown
    }

    /// The final of this result has come.
    fn remember(&mut self, key: (StreamId, String)) {
        self.done.retain(|(stream, _)| *stream == key.0);
        self.done.push_back(key);
        if self.done.len() > MOST_DONE {
            self.done.pop_front();
        }
    }

    /// Shows partials that waited, and ends segments that hang.
    pub(crate) fn advance(&mut self, now: MediaInstant, timing: &Timing) -> Vec<Shown> {
        let mut shown = Vec::new();
        while let Some(index) = self.open.iter().position(|s| now >= s.hangs_at(timing)) {
            // What is unstable in a segment that still moves is the next segment's.
            if now.since(self.open[index].moved_at) >= timing.segment_stale_ms || !self.split(index, now, &mut shown) {
                self.finish(index, &mut shown);
            }
        }
        self.show_due(now, timing, &mut shown);
        shown
    }

    /// Ends everything that is open: nothing more will come.
    pub(crate) fn flush(&mut self) -> Vec<Shown> {
        let mut shown = Vec::new();
        while !self.open.is_empty() {
            self.finish(0, &mut shown);
        }
        shown
    }

    /// When something is due.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<MediaInstant> {
        earliest(self.open.iter().map(|s| {
            let partial = s.shown_at.filter(|_| s.fresh && s.reaches()).map(|at| at.plus_ms(timing.partial_gap_ms));
            earliest([partial, Some(s.hangs_at(timing))])
        }))
    }

    /// The words after the watermark, with their marks.
    fn uncovered(&self, words: Vec<Word>) -> Vec<Word> {
        let after = words.into_iter().filter(|w| w.middle_ms() >= self.watermark_ms);
        after.map(|w| Word { start_ms: w.start_ms.max(self.watermark_ms), ..w }).collect()
    }

    /// The segment that this result speaks of: its own, one that another stream left behind, or a new one.
    fn find(
        &mut self,
        key: &(StreamId, String),
        words: &[Word],
        source: &Language,
        now: MediaInstant,
        shown: &mut Vec<Shown>,
    ) -> Option<usize> {
        let own = |s: &Open| s.stream == key.0 && s.result_id == key.1;
        if let Some(index) = self.open.iter().position(own) {
            return Some(index);
        }
        let first = words.first()?;
        while let Some(index) = self.open.iter().position(|s| s.stream != key.0) {
            let left = &mut self.open[index];
            let overlaps = left.words.last().is_some_and(|last| first.start_ms < last.end_ms);
            if overlaps && left.source == *source {
                (left.stream, left.result_id) = key.clone();
                left.replayed_to_ms = left.words.last().map_or(0, |w| w.end_ms.saturating_sub(REPLAY_SLACK_MS));
                return Some(index);
            }
            self.finish(index, shown);
        }
        self.last_number += 1;
        self.open.push(Open {
            number: self.last_number,
            stream: key.0,
            result_id: key.1.clone(),
            source: source.clone(),
            words: Vec::new(),
            stable: 0,
            promised: 0,
            begun_at: now,
            moved_at: now,
            shown_at: None,
            fresh: true,
            replayed_to_ms: 0,
        });
        Some(self.open.len() - 1)
    }

    /// Makes the segment final, after those that began before it.
    fn finish(&mut self, index: usize, shown: &mut Vec<Shown>) {
        let number = self.open[index].number;
        let (ending, open): (Vec<Open>, Vec<Open>) =
            std::mem::take(&mut self.open).into_iter().partition(|s| s.number <= number);
        self.open = open;
        for segment in ending {
            let end_ms = segment.words.iter().map(|w| w.end_ms).max().unwrap_or(0);
            self.watermark_ms = self.watermark_ms.max(end_ms);
            if !segment.words.is_empty() || segment.shown_at.is_some() {
                let last = snapshot(&segment, segment.words.len(), true);
                self.last_start_ms = self.last_start_ms.max(last.start_ms);
                shown.push(Arc::new(Snapshot { start_ms: self.last_start_ms, ..last }));
            }
        }
    }

    /// Ends a long segment where it may be cut; the rest becomes the next segment of the same result.
    fn split(&mut self, index: usize, now: MediaInstant, shown: &mut Vec<Shown>) -> bool {
        let segment = &self.open[index];
        let Some(end) = segment.cut(now) else { return false };
        let mut rest = segment.words[end..].to_vec();
        let (stable, source) = (segment.stable - end, segment.source.clone());
        let (stream, result_id) = (segment.stream, segment.result_id.clone());
        self.open[index].words.truncate(end);
        self.finish(index, shown);
        let before = rest.len();
        rest = self.uncovered(rest);
        if rest.is_empty() {
            return true;
        }
        self.last_number += 1;
        let (number, stable) = (self.last_number, stable.saturating_sub(before - rest.len()));
        let open = Open {
            number,
            stream,
            result_id,
            source,
            words: rest,
            stable,
            promised: 0,
            begun_at: now,
            moved_at: now,
            shown_at: None,
            fresh: true,
            replayed_to_ms: 0,
        };
        self.open.push(open);
        true
    }

    /// Ends what is too much text for one segment, piece by piece; where the rest is.
    fn split_full(&mut self, index: usize, now: MediaInstant, shown: &mut Vec<Shown>) -> usize {
        let mut rest = index;
        while self.open[rest].within(TEXT_BYTES) < self.open[rest].words.len() && self.split(rest, now, shown) {
            rest = self.open.len() - 1;
        }
        rest
    }

    fn show_due(&mut self, now: MediaInstant, timing: &Timing, shown: &mut Vec<Shown>) {
        for segment in &mut self.open {
            let due = segment.shown_at.is_none_or(|at| now.since(at) >= timing.partial_gap_ms);
            if segment.fresh && due && segment.reaches() {
                segment.fresh = false;
                segment.shown_at = Some(now);
                let partial = snapshot(segment, segment.stable, false);
                segment.promised = segment.promised.max(partial.settled());
                shown.push(Arc::new(partial));
            }
        }
    }
}

fn snapshot(segment: &Open, stable: usize, is_final: bool) -> Snapshot {
    Snapshot {
        segment: segment.number,
        source: segment.source.clone(),
        stable,
        is_final,
        start_ms: segment.words.first().map_or(0, |w| w.start_ms),
        end_ms: segment.words.iter().map(|w| w.end_ms).max().unwrap_or(0),
        words: segment.words.clone(),
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
