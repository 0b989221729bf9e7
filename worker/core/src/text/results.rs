//! What was told of each result, so that its next revision adds what is new and nothing else.

use super::align::{Rest, Told};
use crate::hearing::{Heard, Word};
use crate::input::StreamId;
use std::collections::VecDeque;

/// A recogniser speaks of a few results at a time, and a stream lives for hours: older ones are forgotten.
pub(super) const MOST: usize = 64;
/// Streams that overlap in the audio that they hear: one that speaks, one that drains, and those that were just replaced.
const MOST_FLOORS: usize = 4;
/// A word that two streams have heard ends so far apart at most, ms.
const SAME_WORD_MS: u64 = 400;

/// Names a result: ids begin anew with each stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) stream: StreamId,
    pub(super) id: String,
}

impl Key {
    pub(super) fn of(heard: &Heard) -> Self {
        Self { stream: heard.stream, id: heard.result_id.clone() }
    }
}

/// A result of which something was heard.
#[derive(Debug)]
struct Known {
    key: Key,
    /// What is stable or final of it.
    told: Told,
    /// All of its last revision.
    all: Told,
    /// Its final has come.
    complete: bool,
}

/// What the streams before this one have brought.
#[derive(Debug)]
struct Floor {
    stream: StreamId,
    ms: u64,
    /// The last word, by its letters.
    last: Told,
}

/// The results of late.
#[derive(Debug, Default)]
pub(super) struct Results {
    known: VecDeque<Known>,
    floors: VecDeque<Floor>,
}

impl Results {
    /// Whether anything was heard of it.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.known.iter().any(|known| known.key == *key)
    }

    /// Whether its final has come, and these words are of the same audio. An id that comes again of later audio is a new result.
    pub(super) fn is_over(&mut self, key: &Key, words: &[Word]) -> bool {
        let Some(known) = self.known.iter().position(|known| known.key == *key && known.complete) else { return false };
        let later = words.first().is_some_and(|first| first.middle_ms() >= self.known[known].all.end_ms());
        if later {
            self.known.remove(known);
        }
        !later
    }

    /// Nothing was heard of it so far, save these words by another stream.
    pub(super) fn begin(&mut self, key: Key, told: &[Word]) {
        self.known.push_back(Known { key, told: Told::of(told), all: Told::default(), complete: false });
        if self.known.len() > MOST {
            self.known.pop_front();
        }
    }

    /// The words of a revision that were not told before, and where they stand in it.
    pub(super) fn new_words(&mut self, key: &Key, words: &[Word]) -> Vec<(usize, Word)> {
        let Some(known) = self.get(key) else { return Vec::new() };
        let Rest { from, bytes } = known.told.rest(words);
        known.all = if known.told.is_longer_than(words) { known.told.clone() } else { Told::of(words) };
        let told_ms = known.told.end_ms();
        let new = words.iter().cloned().enumerate().skip(from);
        let part = |(n, word): (usize, Word)| match bytes {
            1.. if n == from => {
                let start_ms = word.start_ms.max(told_ms.min(word.end_ms));
                let text = word.text[bytes..].trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned();
                (n, Word { text, start_ms, ..word })
            }
            _ => (n, word),
        };
        new.map(part).collect()
    }

    /// The first so many words of this revision will not change any more.
    pub(super) fn settle(&mut self, key: &Key, words: &[Word]) {
        if let Some(known) = self.get(key).filter(|known| !known.told.is_longer_than(words)) {
            known.told = Told::of(words);
        }
    }

    /// All that was heard of it is told.
    pub(super) fn told_all(&mut self, key: &Key) {
        if let Some(known) = self.get(key) {
            known.told = known.all.clone();
        }
    }

    /// Its final has come.
    pub(super) fn complete(&mut self, key: &Key) {
        if let Some(known) = self.get(key) {
            (known.told, known.complete) = (known.all.clone(), true);
        }
    }

    /// What other streams have brought ends here, with this word.
    pub(super) fn raise_floor(&mut self, stream: StreamId, ms: u64, last: Option<&Word>) {
        let last = Told::of(last.map(std::slice::from_ref).unwrap_or_default());
        match self.floors.iter_mut().find(|floor| floor.stream == stream) {
            Some(floor) => (floor.ms, floor.last) = (ms, last),
            None => self.floors.push_back(Floor { stream, ms, last }),
        }
        if self.floors.len() > MOST_FLOORS {
            self.floors.pop_front();
        }
    }

    /// Whether anything was heard of this stream.
    pub(super) fn knows_stream(&self, stream: StreamId) -> bool {
        self.floors.iter().any(|floor| floor.stream == stream)
    }

    /// The words that no other stream has brought, with their marks. Between streams there is nothing but time, and the last word
    /// itself where it is recognised.
    pub(super) fn uncovered(&self, stream: StreamId, words: Vec<Word>) -> Vec<Word> {
        let Some(floor) = self.floors.iter().find(|floor| floor.stream == stream && floor.ms > 0) else { return words };
        let ends = |n: &usize| words[*n].end_ms.abs_diff(floor.ms);
        let same = |n: &usize| {
            let word = &words[*n..=*n];
            !word[0].mark && ends(n) <= SAME_WORD_MS && Told::of(word).says_the_same(&floor.last)
        };
        let by_word = (0..words.len()).filter(same).min_by_key(ends).map(|last| last + 1);
        let by_time = || words.iter().take_while(|word| word.middle_ms() < floor.ms).count();
        let from = by_word.unwrap_or_else(by_time);
        let marks = if from > 0 { words[from..].iter().take_while(|word| word.mark).count() } else { 0 };
        let start = |word: Word| Word { start_ms: word.start_ms.max(floor.ms.min(word.end_ms)), ..word };
        words.into_iter().skip(from + marks).map(start).collect()
    }

    fn get(&mut self, key: &Key) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.key == *key)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
