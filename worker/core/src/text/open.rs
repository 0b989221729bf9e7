//! A segment that is not final yet.

use super::results::Key;
use super::written::{ends_clause, ends_sentence};
use crate::config::Timing;
use crate::hearing::Item;
use crate::time::MediaInstant;
use schemas::ids::Language;

/// A segment longer than this is ended at its last stable sentence, ms: finals keep coming in continuous speech.
pub(super) const SENTENCE_AFTER_MS: u64 = 8_000;
/// Without one, a segment longer than this is ended at its last stable mark, ms.
const CLAUSE_AFTER_MS: u64 = 11_000;
/// Without one, a segment longer than this is ended at its last stable word, ms.
const WORD_AFTER_MS: u64 = 14_000;

/// A segment with more text is ended as one that lasts too long is, UTF-8 bytes: with its translation it fits one frame of
/// the WebSocket. Fifteen seconds of speech have 300, of Hindi or Thai 900.
pub(super) const TEXT_BYTES: usize = 3_000;

/// A segment of which more may be heard.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) source: Language,
    /// Where its first word lies or lay, media ms: a revision may leave all words out.
    pub(super) place_ms: u64,
    pub(super) items: Vec<Item>,
    pub(super) stable: usize,
    /// Since when it is known that nothing more will be said of it.
    pub(super) complete_at: Option<MediaInstant>,
    /// So many items were shown as such that will not change: the segment does not end before them.
    pub(super) promised: usize,
    pub(super) begun_at: MediaInstant,
    pub(super) moved_at: MediaInstant,
    pub(super) shown_at: Option<MediaInstant>,
    pub(super) fresh: bool,
    /// Until words reach up to here again, a replay would only take back what is shown, ms.
    pub(super) replayed_to_ms: u64,
}

impl Open {
    /// A segment of which nothing was heard yet.
    pub(super) fn new(number: u64, key: Key, source: Language, place_ms: u64, now: MediaInstant) -> Self {
        Self {
            number,
            key,
            source,
            place_ms,
            items: Vec::new(),
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
    pub(super) fn take(&mut self, new: Vec<(usize, Item)>) -> Option<usize> {
        let mut items = self.items[..self.stable].to_vec();
        let (mut stable, mut last) = (self.stable, None);
        for (place, word) in new {
            // A mark joins the word before it, if that has none.
            if word.mark && items.last().is_none_or(|last| last.mark) {
                continue;
            }
            if word.stable && stable == items.len() {
                (stable, last) = (stable + 1, Some(place));
            }
            items.push(word);
        }
        self.place_ms = items.first().map_or(self.place_ms, Item::middle_ms);
        self.fresh |= items != self.items || stable != self.stable;
        (self.items, self.stable) = (items, stable);
        last
    }

    /// Whether a replay has come as far as what is shown.
    pub(super) fn reaches(&self) -> bool {
        self.items.last().is_some_and(|w| w.end_ms >= self.replayed_to_ms)
    }

    /// When it is final at the latest.
    pub(super) fn hangs_at(&self, timing: &Timing) -> MediaInstant {
        self.moved_at.min(self.begun_at).plus_ms(timing.segment_stale_ms)
    }

    /// How many of its items have no more text than this, written with spaces.
    pub(super) fn within(&self, bytes: usize) -> usize {
        let longer = |so_far: &mut usize, word: &Item| {
            *so_far += word.text.len() + 1;
            Some(*so_far)
        };
        self.items.iter().scan(0, longer).take_while(|so_far| *so_far <= bytes).count()
    }

    /// How many items make a segment of their own; `None` while it is short, or nothing in it is stable.
    pub(super) fn cut(&self, now: MediaInstant) -> Option<usize> {
        let within = self.within(TEXT_BYTES);
        let full = within < self.items.len();
        let settled = &self.items[..self.stable.min(within)];
        let spoken_ms = self.items.last()?.end_ms.saturating_sub(self.items[0].start_ms);
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
