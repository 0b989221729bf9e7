//! From results to segments.
//!
//! *Guarantees*: a stable word never changes; each segment that was shown gets exactly one final; finals are in the order
//! of media time; a word that a final covers is never heard again: within a result it is known by its place and its letters, whatever its
//! times are now; where another stream has heard it, by its letters where that one begins with it, and by its time elsewhere ("Amen.
//! Amen." stays two); what a lost stream left open is told again by the next one, each word in the segment in which it was first stable
//! (`seams`); a partial is shown at most every 200 ms, the newest one; no segment hangs: each is final 15 s after it was first shown at
//! the latest, long ones being cut at the end of a sentence, else of a clause, else of a word. Long is also what would not fit one
//! message beside its translation.
//! *Assumption*: what is said of one stretch of speech shares its result id within a stream; an id that comes again after its final, of
//! later audio, is another result.

use super::align::Told;
use super::open::{Open, TEXT_BYTES};
use super::results::{APART_MS, GUESSED_MS, Key, Results};
use super::seams::{Part, Seams};
use super::{Shown, Snapshot};
use crate::config::Timing;
use crate::hearing::{Item, TimedResult};
use crate::input::StreamId;
use crate::outbox::earliest;
use crate::time::MediaInstant;
use schemas::ids::Language;
use std::collections::VecDeque;
use std::sync::Arc;

/// The last word of a replay may be heard as ending so much earlier than before, ms.
const REPLAY_SLACK_MS: u64 = 200;
/// A result of which nothing is known and that ends so long before the last final is one that was forgotten, ms.
const LONG_AGO_MS: u64 = 10_000;
/// Results come of the newest streams only.
const MOST_LOST: usize = 8;
/// It waits so long where the earlier one is told again by another stream, ms.
const REPLAY_ORDER_MS: u64 = 8_000;
/// So many of the last words that finals have brought are known, to find them again in a replay: it begins half a second before their end.
const LAST_WORDS: usize = 8;
/// A result that is complete waits so long for an earlier one that is not, ms: finals come in the order of media time.
const ORDER_MS: u64 = 1_500;

/// The segments that are not final yet, and what the finals cover.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// In the order of media time, which is not always that in which they were told first.
    open: Vec<Open>,
    results: Results,
    seams: Seams,
    last_number: u64,
    finals: u64,
    last_start_ms: u64,
    /// Finals cover the media up to here, ms.
    pub(crate) watermark_ms: u64,
    /// The last words that finals have brought.
    last_words: VecDeque<Item>,
    /// Streams that will say nothing more, of late.
    lost: VecDeque<StreamId>,
}

impl Segments {
    /// Takes in a result; gives what is to be shown at once.
    pub(crate) fn hear(
        &mut self,
        heard: TimedResult,
        source: &Language,
        now: MediaInstant,
        timing: &Timing,
    ) -> Vec<Shown> {
        let mut shown = Vec::new();
        if !self.results.knows_stream(heard.stream) {
            self.seams.find(heard.stream, source, &self.open);
        }
        for part in self.seams.divide(heard) {
            shown.extend(self.hear_part(part, source, now));
        }
        self.put_in_order(now, &mut shown);
        self.show_due(now, timing, &mut shown);
        shown
    }

    fn hear_part(&mut self, part: Part, source: &Language, now: MediaInstant) -> Vec<Shown> {
        let Part { heard, later, says_something } = part;
        let (key, is_final) = (Key::of(&heard), heard.is_final);
        let mut shown = Vec::new();
        if self.results.is_over(&key, &heard.items) {
            return shown;
        }
        if !self.results.knows(&key) {
            self.begin(&key, &heard, &later, source, &mut shown);
        }
        let items = self.results.uncovered(&key, heard.items);
        let new = self.results.new_words(&key, &items);
        let Some(index) = self.segment_of(&key, new.first().map(|(_, word)| word), source, now) else {
            if is_final {
                self.results.complete(&key);
            }
            return shown;
        };
        let segment = &mut self.open[index];
        segment.moved_at = now;
        // A final that says nothing at all takes nothing back.
        let takes_back = says_something || !is_final;
        if let Some(last) = takes_back.then(|| segment.take(new)).flatten() {
            self.results.settle(&key, &items[..=last]);
        }
        if is_final {
            self.end(index, now, &mut shown);
        } else {
            let rest = self.split_full(index, now, &mut shown);
            self.split(rest, now, &mut shown);
        }
        shown
    }

    /// The first words of a result: segments of other streams are over, or go on with it.
    fn begin(&mut self, key: &Key, heard: &TimedResult, later: &[u64], source: &Language, shown: &mut Vec<Shown>) {
        if !self.results.knows_stream(key.stream) {
            self.results.begin_stream(key.stream, heard.shared.clone());
            self.results.raise_floor(key.stream, self.watermark_ms, &self.last_words);
        }
        let Some(first_ms) = self.results.uncovered(key, heard.items.clone()).first().map(|word| word.start_ms) else {
            return;
        };
        if heard.items.last().is_some_and(|last| last.end_ms + LONG_AGO_MS < self.watermark_ms) {
            return;
        }
        let mut told = None;
        while let Some(index) = self.open.iter().position(|s| s.key.stream != key.stream) {
            let left = &mut self.open[index];
            if later.contains(&left.number) {
                // Nobody had told what is said before it.
                break;
            }
            let overlaps = left.items.last().is_some_and(|last| first_ms < heard_to_ms(last, heard));
            if overlaps && left.complete_at.is_some() {
                // It waits for an earlier one, and is told again.
                told = Some(Told::of(&left.items));
                break;
            }
            if overlaps && left.source == *source {
                left.key = key.clone();
                left.replayed_to_ms = left.items.last().map_or(0, |w| w.end_ms.saturating_sub(REPLAY_SLACK_MS));
                let (stable, rest) = left.items.split_at(left.stable);
                told = Some(Told::of(stable).before(rest));
                break;
            }
            self.finish(index, shown);
            self.results.raise_floor(key.stream, self.watermark_ms, &self.last_words);
        }
        self.results.begin(key.clone(), told);
    }

    /// This stream will say nothing more, and another one hears its audio again.
    pub(crate) fn lose(&mut self, stream: StreamId) {
        self.lost.push_back(stream);
        if self.lost.len() > MOST_LOST {
            self.lost.pop_front();
        }
    }

    /// The open segment of this result; a new one when there is something new in it.
    fn segment_of(&mut self, key: &Key, new: Option<&Item>, source: &Language, now: MediaInstant) -> Option<usize> {
        let own = self.open.iter().rposition(|s| s.key == *key);
        let Some(new) = new.filter(|_| own.is_none()) else { return own };
        self.last_number += 1;
        let later = |s: &Open| s.place_ms > new.middle_ms();
        let place = self.open.iter().position(later).unwrap_or(self.open.len());
        self.open.insert(place, Open::new(self.last_number, key.clone(), source.clone(), new.middle_ms(), now));
        Some(place)
    }

    /// The recogniser says nothing more of this segment.
    fn end(&mut self, index: usize, now: MediaInstant, shown: &mut Vec<Shown>) {
        let segment = &mut self.open[index];
        (segment.stable, segment.complete_at) = (segment.items.len(), Some(now));
        self.results.complete(&segment.key);
        let rest = self.split_full(index, now, shown);
        self.open[rest].complete_at = Some(now);
    }

    /// Ends the segments that are complete, unless an earlier one is not.
    fn put_in_order(&mut self, now: MediaInstant, shown: &mut Vec<Shown>) {
        while let Some(index) = (0..self.open.len()).find(|n| self.ends_at(*n).is_some_and(|at| now >= at)) {
            self.finish(index, shown);
        }
    }

    /// When a complete segment ends; `None` while it is not.
    fn ends_at(&self, index: usize) -> Option<MediaInstant> {
        let segment = self.open.get(index)?;
        let at = segment.complete_at?;
        let again = |s: &Open| s.key.stream != segment.key.stream || self.lost.contains(&s.key.stream);
        let wait = |s: &Open| if again(s) { REPLAY_ORDER_MS } else { ORDER_MS };
        let waits = self.open[..index].iter().filter(|s| s.complete_at.is_none()).map(wait).max();
        Some(at.plus_ms(waits.unwrap_or(0)))
    }

    /// Shows partials that waited, and ends segments that hang.
    pub(crate) fn advance(&mut self, now: MediaInstant, timing: &Timing) -> Vec<Shown> {
        let mut shown = Vec::new();
        self.put_in_order(now, &mut shown);
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
        earliest(self.open.iter().enumerate().map(|(n, s)| {
            let partial = s.shown_at.filter(|_| s.fresh && s.reaches()).map(|at| at.plus_ms(timing.partial_gap_ms));
            earliest([partial, Some(s.hangs_at(timing)), self.ends_at(n)])
        }))
    }

    /// Makes the segment final, after those that were spoken before it.
    fn finish(&mut self, index: usize, shown: &mut Vec<Shown>) {
        let rest = self.open.split_off(index + 1);
        for segment in std::mem::replace(&mut self.open, rest) {
            let end_ms = segment.items.iter().map(|w| w.end_ms).max().unwrap_or(0);
            self.watermark_ms = self.watermark_ms.max(end_ms);
            self.last_words.extend(segment.items.iter().filter(|word| !word.mark).cloned());
            self.last_words.drain(..self.last_words.len().saturating_sub(LAST_WORDS));
            if segment.replayed_to_ms > 0 {
                self.results.told_again(&segment.key, self.watermark_ms, &self.last_words);
            }
            if !self.open.iter().any(|other| other.key == segment.key) {
                self.results.told_all(&segment.key);
            }
            if !segment.items.is_empty() || segment.shown_at.is_some() {
                let last = snapshot(&segment, segment.items.len(), true);
                self.last_start_ms = self.last_start_ms.max(last.start_ms);
                self.finals += 1;
                shown.push(Arc::new(Snapshot { start_ms: self.last_start_ms, order: self.finals, ..last }));
            }
        }
    }

    /// Ends a long segment where it may be cut; the rest becomes the next segment of the same result.
    fn split(&mut self, index: usize, now: MediaInstant, shown: &mut Vec<Shown>) -> bool {
        let segment = &mut self.open[index];
        let Some(end) = segment.cut(now) else { return false };
        let (items, stable) = (segment.items.split_off(end), segment.stable - end);
        if !items.is_empty() {
            self.last_number += 1;
            let (key, source) = (segment.key.clone(), segment.source.clone());
            let rest = Open::new(self.last_number, key, source, items[0].middle_ms(), now);
            self.open.insert(index + 1, Open { items, stable, ..rest });
        }
        self.finish(index, shown);
        true
    }

    /// Ends what is too much text for one segment, piece by piece; where the rest is.
    fn split_full(&mut self, index: usize, now: MediaInstant, shown: &mut Vec<Shown>) -> usize {
        let mut rest = index;
        while self.open[rest].within(TEXT_BYTES) < self.open[rest].items.len() && self.split(rest, now, shown) {
            rest = 0;
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

/// A result that begins before this moment tells a segment again that ends with this word: where the stream has heard the word itself, its
/// times may be off in both tellings.
fn heard_to_ms(last: &Item, heard: &TimedResult) -> u64 {
    let hears = heard.shared.as_ref().is_some_and(|shared| shared.contains(&last.middle_ms()));
    last.end_ms
        + match (hears, last.guessed) {
            (false, _) => 0,
            (true, false) => APART_MS,
            (true, true) => GUESSED_MS,
        }
}

fn snapshot(segment: &Open, stable: usize, is_final: bool) -> Snapshot {
    Snapshot {
        segment: segment.number,
        source: segment.source.clone(),
        stable,
        is_final,
        order: 0,
        start_ms: segment.items.first().map_or(0, |w| w.start_ms),
        end_ms: segment.items.iter().map(|w| w.end_ms).max().unwrap_or(0),
        items: segment.items.clone(),
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "replay_tests.rs"]
mod replay_tests;
