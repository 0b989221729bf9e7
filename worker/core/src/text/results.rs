//! What was told of each result, so that its next revision adds what is new and nothing else.

use super::align::{Rest, Told};
use crate::hearing::{Item, TimedResult};
use crate::input::StreamId;
use std::collections::VecDeque;
use std::ops::Range;

/// A recogniser speaks of a few results at a time, and a stream lives for hours: older ones are forgotten.
pub(super) const MOST: usize = 64;
/// Streams that overlap in the audio that they hear: one that speaks, one that drains, and those that were just replaced.
const MOST_FLOORS: usize = 8;
/// A word that two streams have heard lies so far apart at most, ms.
const SAME_PLACE_MS: u64 = 150;
/// Less than what lies between a word and the same one said again, ms.
const SLACK_MS: u64 = 100;
/// The times of one word in two tellings differ by so much at most, ms.
pub(super) const APART_MS: u64 = 300;
/// Words without a time stand where their neighbour does, which may be beyond a pause of so long, ms.
pub(super) const GUESSED_MS: u64 = 10_000;

/// Names a result: ids begin anew with each stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) stream: StreamId,
    pub(super) id: String,
}

impl Key {
    pub(super) fn of(heard: &TimedResult) -> Self {
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
    /// It goes on with a segment that was left behind, which no final covers.
    goes_on: bool,
    /// Its final has come.
    complete: bool,
}

/// What other streams have brought of the audio that this one hears.
#[derive(Debug)]
struct Floor {
    stream: StreamId,
    /// The result that told it again: for its revisions it is no floor.
    again: Option<Key>,
    /// The audio that others have heard, ms.
    shared: Option<Range<u64>>,
    /// Finals cover it up to here, ms; 0 when they cover none.
    ms: u64,
    /// Their last words.
    items: Vec<Item>,
}

impl Floor {
    /// The last words that finals have brought, where this stream hears them whole.
    fn raise(&mut self, covered_ms: u64, last: &VecDeque<Item>) {
        let Some(shared) = &self.shared else { return };
        self.ms = covered_ms.min(shared.end);
        // A word may have been told as ending before it did.
        let heard = |word: &&Item| word.end_ms + SAME_PLACE_MS > shared.start && word.middle_ms() < shared.end;
        self.items = last.iter().filter(heard).cloned().collect();
    }

    /// The words that it does not cover; of a result that goes on with what no final covers, all those that are not said again letter by letter.
    fn above(&self, items: Vec<Item>, goes_on: bool) -> Vec<Item> {
        let Some(first) = items.first() else { return items };
        if let Some(told) = self.said_again(first, &items) {
            let from = told.rest(&items);
            return rest(items, from, self.ms);
        }
        if goes_on {
            return items;
        }
        // Where the first words have no time, nothing is known by it.
        let timeless = first.start_ms == first.end_ms;
        // What begins with the stream begins within a word, and says nothing of when that began.
        let begins = self.shared.as_ref().is_some_and(|shared| first.start_ms < shared.start + SAME_PLACE_MS);
        let again = |word: &&Item| timeless || begins || word.end_ms + SLACK_MS > first.start_ms;
        let told: Vec<Item> = self.items.iter().filter(again).cloned().collect();
        let slack_ms = if timeless { GUESSED_MS } else { SAME_PLACE_MS };
        let later = first.start_ms >= self.ms + slack_ms;
        if told.is_empty() || later {
            let from = items.iter().take_while(|word| word.middle_ms() < self.ms).count();
            return rest(items, Rest { from, bytes: 0 }, self.ms);
        }
        // The first of them may have been heard too little of to be said again.
        let least = told.last().map_or(0, |last| Told::of(std::slice::from_ref(last)).len());
        let told = Told::of(&told).heard_by(&items, least);
        let known = if timeless { told.last_of(&items) } else { None };
        let from = known.map_or_else(|| told.rest(&items), |from| Rest { from, bytes: 0 });
        rest(items, from, self.ms)
    }

    /// Those of its words with which this stream, which has heard them, begins letter by letter. Their times are little matter, so
    /// that what is the same word in one revision is so in each.
    fn said_again(&self, first: &Item, items: &[Item]) -> Option<Told> {
        let again = |from: usize| {
            let (word, is_last) = (&self.items[from], from + 1 == self.items.len());
            let apart_ms = word.start_ms.abs_diff(first.start_ms);
            let guessed = first.guessed || word.guessed;
            let is_near = apart_ms <= if guessed { GUESSED_MS } else { APART_MS };
            let is_within = (word.start_ms..word.end_ms + APART_MS).contains(&first.start_ms);
            let told = Told::of(&self.items[from..]);
            match told.begins(items) {
                true => is_near.then_some((apart_ms, told)),
                // Two words may have been told as one, of which it has heard the second.
                false if is_last || !is_within => None,
                false => Some((apart_ms, told.heard_from_within(Told::of(std::slice::from_ref(word)).len(), items)?)),
            }
        };
        (0..self.items.len()).filter_map(again).min_by_key(|(apart_ms, _)| *apart_ms).map(|(_, told)| told)
    }
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
    pub(super) fn is_over(&mut self, key: &Key, items: &[Item]) -> bool {
        let Some(known) = self.known.iter().position(|known| known.key == *key && known.complete) else { return false };
        let all = &self.known[known].all;
        // Told again, with times of its own.
        let (again, told) = (Told::of(items), all.end_ms());
        let repeats = again.says_the_same(all) && again.end_ms().abs_diff(told) <= 2 * SAME_PLACE_MS;
        let later = !repeats && items.first().is_some_and(|first| first.middle_ms() >= told);
        if later {
            self.known.remove(known);
        }
        !later
    }

    /// Nothing was heard of it so far, save what was left behind by another stream.
    pub(super) fn begin(&mut self, key: Key, left: Option<Told>) {
        let (goes_on, told) = (left.is_some(), left.unwrap_or_default());
        self.known.push_back(Known { key, told, all: Told::default(), goes_on, complete: false });
        if self.known.len() > MOST {
            self.known.pop_front();
        }
    }

    /// The words of a revision that were not told before, and where they stand in it.
    pub(super) fn new_words(&mut self, key: &Key, items: &[Item]) -> Vec<(usize, Item)> {
        let Some(known) = self.get(key) else { return Vec::new() };
        let Rest { from, bytes } = known.told.rest(items);
        known.all = if known.told.is_longer_than(items) { known.told.clone() } else { Told::of(items) };
        let told_ms = known.told.end_ms();
        let new = items.iter().cloned().enumerate().skip(from);
        let part = |(n, word): (usize, Item)| if n == from { (n, cut(word, bytes, told_ms)) } else { (n, word) };
        new.map(part).collect()
    }

    /// The first so many words of this revision will not change any more.
    pub(super) fn settle(&mut self, key: &Key, items: &[Item]) {
        if let Some(known) = self.get(key).filter(|known| !known.told.is_longer_than(items)) {
            known.told = Told::of(items);
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

    /// The first result of this stream: others have heard this much of its audio.
    pub(super) fn begin_stream(&mut self, stream: StreamId, shared: Option<Range<u64>>) {
        self.push_floor(Floor { stream, again: None, shared, ms: 0, items: Vec::new() });
    }

    fn push_floor(&mut self, floor: Floor) {
        self.floors.push_back(floor);
        if self.floors.len() > MOST_FLOORS {
            self.floors.pop_front();
        }
    }

    /// A segment that another stream left behind and this result told again is final, and may go on behind the result's end: the next
    /// result tells the rest.
    pub(super) fn told_again(&mut self, key: &Key, covered_ms: u64, last: &VecDeque<Item>) {
        let end_ms = self.get(key).map_or(0, |known| known.all.end_ms());
        let Some(floor) = self.floors.iter().find(|floor| floor.stream == key.stream && floor.again.is_none()) else {
            return;
        };
        if covered_ms <= end_ms + SAME_PLACE_MS {
            return;
        }
        let (stream, shared) = (floor.stream, floor.shared.clone());
        self.floors.retain(|floor| floor.stream != stream || floor.again.is_none());
        let mut floor = Floor { stream, again: Some(key.clone()), shared, ms: 0, items: Vec::new() };
        floor.raise(covered_ms, last);
        self.push_floor(floor);
    }

    /// Finals of other streams cover the audio up to here, and end with these words.
    pub(super) fn raise_floor(&mut self, stream: StreamId, covered_ms: u64, last: &VecDeque<Item>) {
        if let Some(floor) = self.floors.iter_mut().find(|floor| floor.stream == stream && floor.again.is_none()) {
            floor.raise(covered_ms, last);
        }
    }

    /// Whether anything was heard of this stream.
    pub(super) fn knows_stream(&self, stream: StreamId) -> bool {
        self.floors.iter().any(|floor| floor.stream == stream)
    }

    /// The words that no other stream has brought, with their marks. Between streams times are all that there is, and the last words
    /// themselves where they are recognised.
    pub(super) fn uncovered(&self, key: &Key, items: Vec<Item>) -> Vec<Item> {
        let counts = |floor: &&Floor| floor.stream == key.stream && floor.ms > 0 && floor.again.as_ref() != Some(key);
        let goes_on = self.known.iter().any(|known| known.key == *key && known.goes_on);
        self.floors.iter().filter(counts).fold(items, |items, floor| floor.above(items, goes_on))
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

/// What is new from here on; what was told ends at this moment.
fn rest(items: Vec<Item>, from: Rest, told_ms: u64) -> Vec<Item> {
    let Rest { from, bytes } = from;
    let mut items: Vec<Item> = items.into_iter().skip(from).skip_while(|word| from > 0 && word.mark).collect();
    if let Some(first) = items.first_mut() {
        let start_ms = first.start_ms.max(told_ms.min(first.end_ms));
        *first = Item { start_ms, ..cut(first.clone(), bytes, told_ms) };
    }
    items
}

/// A word without its first bytes, which were told.
fn cut(word: Item, bytes: usize, told_ms: u64) -> Item {
    if bytes == 0 {
        return word;
    }
    let start_ms = word.start_ms.max(told_ms.min(word.end_ms));
    let text = word.text[bytes..].trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned();
    Item { text, start_ms, ..word }
}
