//! From results to segments.
//!
//! *Guarantees*: a stable word never changes; each segment that was shown gets exactly one final; finals are in the order
//! of media time; a word that a final covers is never heard again: within a result it is known by its place and its letters, whatever its
//! times are now, and by its time only where another stream has heard it ("Amen. Amen." stays two); a partial is shown at most every
//! 200 ms, the newest one; no segment hangs: each is final 15 s after it was first shown at the latest, long ones being cut at the end
//! of a sentence, else of a clause, else of a word. Long is also what would not fit one message beside its translation.
//! *Assumption*: what is said of one stretch of speech shares its result id within a stream; an id that comes again after its final, of
//! later audio, is another result.

use super::align::Told;
use super::results::{Key, Results};
use super::written::{ends_clause, ends_sentence};
use super::{Shown, Snapshot};
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
/// A result of which nothing is known and that ends so long before the last final is one that was forgotten, ms.
const LONG_AGO_MS: u64 = 10_000;
/// Results come of the newest streams only.
const MOST_LOST: usize = 8;
/// A word's time may be off by so much, ms.
const SEAM_MS: u64 = 150;
/// One without a time may stand before a pause of so long, ms.
const NEAR_MS: u64 = 2_000;
/// It waits so long where the earlier one is told again by another stream, ms.
const REPLAY_ORDER_MS: u64 = 8_000;
/// So many of the last words that finals have brought are known, to find them again in a replay: it begins half a second before their end.
const LAST_WORDS: usize = 8;
/// A result that is complete waits so long for an earlier one that is not, ms: finals come in the order of media time.
const ORDER_MS: u64 = 1_500;

/// Where a segment began that a stream left behind.
#[derive(Debug)]
struct Seam {
    /// The stream that tells it again.
    stream: StreamId,
    ms: u64,
    /// Its first word.
    word: Told,
}

impl Seam {
    /// Whether this word belongs behind it: by itself, or by its time, which may be off in both tellings.
    fn is_before(&self, word: &Word) -> bool {
        let is_it = || self.word.says_the_same(&Told::of(std::slice::from_ref(word)));
        let near = word.start_ms.abs_diff(self.ms) <= NEAR_MS;
        word.middle_ms() + SEAM_MS >= self.ms || (near && is_it())
    }
}

#[derive(Debug)]
struct Open {
    number: u64,
    key: Key,
    source: Language,
    /// Where its first word lies or lay, media ms: a revision may leave all words out.
    place_ms: u64,
    words: Vec<Word>,
    stable: usize,
    /// Since when it is known that nothing more will be said of it.
    complete_at: Option<MediaInstant>,
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
    /// A segment of which nothing was heard yet.
    fn new(number: u64, key: Key, source: Language, place_ms: u64, now: MediaInstant) -> Self {
        Self {
            number,
            key,
            source,
            place_ms,
            words: Vec::new(),
            stable: 0,
            complete_at: None,
            promised: 0,
            begun_at: now,
            moved_at: now,
            shown_at: None,
            fresh: true,
            replayed_to_ms: 0,
        }
    }

    /// Its stable words, and after them what is new in a revision of its result; gives where in the revision the last stable word stands.
    fn take(&mut self, new: Vec<(usize, Word)>) -> Option<usize> {
        let mut words = self.words[..self.stable].to_vec();
        let (mut stable, mut last) = (self.stable, None);
        for (place, word) in new {
            // A mark joins the word before it, if that has none.
            if word.mark && words.last().is_none_or(|last| last.mark) {
                continue;
            }
            if word.stable && stable == words.len() {
                (stable, last) = (stable + 1, Some(place));
            }
            words.push(word);
        }
        self.place_ms = words.first().map_or(self.place_ms, Word::middle_ms);
        self.fresh |= words != self.words || stable != self.stable;
        (self.words, self.stable) = (words, stable);
        last
    }

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
        let clause = || settled.iter().rposition(ends_clause).map(after);
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
    /// In the order of media time, which is not always that in which they were told first.
    open: Vec<Open>,
    results: Results,
    /// Where results are divided: there begin segments that a stream left behind, save the first.
    seams: Vec<Seam>,
    last_number: u64,
    finals: u64,
    last_start_ms: u64,
    /// Finals cover the media up to here, ms.
    pub(crate) watermark_ms: u64,
    /// The last words that finals have brought.
    last_words: VecDeque<Word>,
    /// Streams that will say nothing more, of late.
    lost: VecDeque<StreamId>,
}

impl Segments {
    /// Takes in a result; gives what is to be shown at once.
    pub(crate) fn hear(&mut self, heard: Heard, source: &Language, now: MediaInstant, timing: &Timing) -> Vec<Shown> {
        let mut shown = Vec::new();
        self.find_seams(heard.stream, source);
        for part in self.divided(heard) {
            shown.extend(self.hear_part(part, source, now));
        }
        self.put_in_order(now, &mut shown);
        self.show_due(now, timing, &mut shown);
        shown
    }

    /// Several segments that a stream left behind are told again as one result, or as others: each takes what is its own of it.
    fn find_seams(&mut self, stream: StreamId, source: &Language) {
        if self.results.knows_stream(stream) || self.seams.iter().any(|seam| seam.stream == stream) {
            return;
        }
        self.seams.retain(|seam| stream.0.abs_diff(seam.stream.0) <= 1);
        let left =
            self.open.iter().filter(|s| s.key.stream != stream && s.source == *source && !s.words.is_empty()).skip(1);
        self.seams.extend(left.map(|s| Seam { stream, ms: s.words[0].start_ms, word: Told::of(&s.words[..1]) }));
    }

    /// The parts of a result between seams; most have none.
    fn divided(&self, heard: Heard) -> Vec<Heard> {
        let seams: Vec<&Seam> = self.seams.iter().filter(|seam| seam.stream == heard.stream).collect();
        if seams.is_empty() {
            return vec![heard];
        }
        let mut parts: Vec<Heard> = Vec::new();
        for nth in 0..=seams.len() {
            let result_id = format!("{}#{nth}", heard.result_id);
            parts.push(Heard { result_id, words: Vec::new(), ..heard.clone() });
        }
        let mut nth = 0;
        for word in heard.words {
            if !word.mark {
                nth = seams.iter().filter(|seam| seam.is_before(&word)).count().max(nth);
            }
            parts[nth].words.push(word);
        }
        parts.retain(|part| !part.words.is_empty() || self.results.knows(&Key::of(part)));
        parts
    }

    fn hear_part(&mut self, heard: Heard, source: &Language, now: MediaInstant) -> Vec<Shown> {
        let (key, is_final) = (Key::of(&heard), heard.is_final);
        let mut shown = Vec::new();
        if self.results.is_over(&key, &heard.words) {
            return shown;
        }
        if !self.results.knows(&key) {
            self.begin(&key, &heard, source, &mut shown);
        }
        let words = self.results.uncovered(&key, heard.words);
        let new = self.results.new_words(&key, &words);
        let Some(index) = self.segment_of(&key, new.first().map(|(_, word)| word), source, now) else {
            if is_final {
                self.results.complete(&key);
            }
            return shown;
        };
        let segment = &mut self.open[index];
        segment.moved_at = now;
        // A final that says nothing at all takes nothing back.
        let says_something = !words.is_empty() || !is_final;
        if let Some(last) = says_something.then(|| segment.take(new)).flatten() {
            self.results.settle(&key, &words[..=last]);
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
    fn begin(&mut self, key: &Key, heard: &Heard, source: &Language, shown: &mut Vec<Shown>) {
        if !self.results.knows_stream(key.stream) {
            self.results.begin_stream(key.stream, heard.shared.clone());
            self.results.raise_floor(key.stream, self.watermark_ms, &self.last_words);
        }
        let Some(first_ms) = self.results.uncovered(key, heard.words.clone()).first().map(|word| word.start_ms) else {
            return;
        };
        if heard.words.last().is_some_and(|last| last.end_ms + LONG_AGO_MS < self.watermark_ms) {
            return;
        }
        let mut told = Vec::new();
        while let Some(index) = self.open.iter().position(|s| s.key.stream != key.stream) {
            let left = &mut self.open[index];
            let overlaps = left.words.last().is_some_and(|last| first_ms < last.end_ms);
            if overlaps && left.complete_at.is_some() {
                // It waits for an earlier one, and is told again.
                told = left.words.clone();
                break;
            }
            if overlaps && left.source == *source {
                left.key = key.clone();
                left.replayed_to_ms = left.words.last().map_or(0, |w| w.end_ms.saturating_sub(REPLAY_SLACK_MS));
                told = left.words[..left.stable].to_vec();
                break;
            }
            self.finish(index, shown);
            self.results.raise_floor(key.stream, self.watermark_ms, &self.last_words);
        }
        self.results.begin(key.clone(), &told);
    }

    /// This stream will say nothing more, and another one hears its audio again.
    pub(crate) fn lose(&mut self, stream: StreamId) {
        self.lost.push_back(stream);
        if self.lost.len() > MOST_LOST {
            self.lost.pop_front();
        }
    }

    /// The open segment of this result; a new one when there is something new in it.
    fn segment_of(&mut self, key: &Key, new: Option<&Word>, source: &Language, now: MediaInstant) -> Option<usize> {
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
        (segment.stable, segment.complete_at) = (segment.words.len(), Some(now));
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
            let end_ms = segment.words.iter().map(|w| w.end_ms).max().unwrap_or(0);
            self.watermark_ms = self.watermark_ms.max(end_ms);
            self.last_words.extend(segment.words.iter().filter(|word| !word.mark).cloned());
            self.last_words.drain(..self.last_words.len().saturating_sub(LAST_WORDS));
            if segment.replayed_to_ms > 0 {
                self.results.told_again(&segment.key, self.watermark_ms, &self.last_words);
            }
            if !self.open.iter().any(|other| other.key == segment.key) {
                self.results.told_all(&segment.key);
            }
            if !segment.words.is_empty() || segment.shown_at.is_some() {
                let last = snapshot(&segment, segment.words.len(), true);
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
        let (words, stable) = (segment.words.split_off(end), segment.stable - end);
        if !words.is_empty() {
            self.last_number += 1;
            let (key, source) = (segment.key.clone(), segment.source.clone());
            let rest = Open::new(self.last_number, key, source, words[0].middle_ms(), now);
            self.open.insert(index + 1, Open { words, stable, ..rest });
        }
        self.finish(index, shown);
        true
    }

    /// Ends what is too much text for one segment, piece by piece; where the rest is.
    fn split_full(&mut self, index: usize, now: MediaInstant, shown: &mut Vec<Shown>) -> usize {
        let mut rest = index;
        while self.open[rest].within(TEXT_BYTES) < self.open[rest].words.len() && self.split(rest, now, shown) {
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

fn snapshot(segment: &Open, stable: usize, is_final: bool) -> Snapshot {
    Snapshot {
        segment: segment.number,
        source: segment.source.clone(),
        stable,
        is_final,
        order: 0,
        start_ms: segment.words.first().map_or(0, |w| w.start_ms),
        end_ms: segment.words.iter().map(|w| w.end_ms).max().unwrap_or(0),
        words: segment.words.clone(),
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
