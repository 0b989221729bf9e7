//! Where results are divided: a stream that was lost may have left segments behind, and the next one tells them again as one result, or as others,
//! and may tell words before them that nobody had told. Each segment takes what is its own of it.

use super::align::Told;
use super::open::Open;
use super::results::{APART_MS, GUESSED_MS};
use crate::hearing::{Item, TimedResult};
use crate::input::StreamId;
use schemas::ids::Language;

/// The first word's time is off by so much, where it had to be guessed by the next one's, ms.
const FIRST_GUESSED_MS: u64 = 2_000;

/// Where a segment begins that a stream left behind.
#[derive(Debug)]
struct Seam {
    /// The stream that tells it again.
    stream: StreamId,
    /// The number of the segment.
    segment: u64,
    /// Where its first word begins, and whether that was guessed.
    ms: u64,
    guessed: bool,
    /// Its stable words, or else all of them.
    words: Told,
    /// So many letters the first one has.
    first: usize,
    /// Of the results that are being told.
    settled: Vec<Settled>,
}

/// What of a result is stable before a seam.
#[derive(Debug)]
struct Settled {
    result_id: String,
    letters: usize,
    /// The word behind it is stable, too.
    is_all: bool,
}

impl Settled {
    fn of(heard: &TimedResult, place: usize) -> Self {
        let stable = heard.items[..place].iter().take_while(|item| item.stable).count();
        let letters = Told::of(&heard.items[..stable]).len();
        let is_all = stable == place && heard.items.get(place).is_some_and(|item| item.stable);
        Self { result_id: heard.result_id.clone(), letters, is_all }
    }
}

impl Seam {
    fn new(stream: StreamId, left: &Open) -> Self {
        let Item { start_ms: ms, guessed, .. } = left.items[0];
        let known = if left.stable > 0 { &left.items[..left.stable] } else { &left.items[..] };
        let (words, first) = (Told::of(known), Told::of(&left.items[..1]).len());
        Self { stream, segment: left.number, ms, guessed, words, first, settled: Vec::new() }
    }

    /// The first item of this revision that belongs behind it. Decided once: what is stable is not counted to another segment when its time moves.
    fn place(&mut self, heard: &TimedResult) -> usize {
        let known = self.settled.iter().position(|settled| settled.result_id == heard.result_id);
        let settled = known.map(|at| self.settled.swap_remove(at));
        let least = settled.as_ref().map_or(0, |settled| behind(&heard.items, settled.letters));
        let place = match &settled {
            Some(settled) if settled.is_all => least,
            Some(_) | None => self.find(&heard.items, least),
        };
        // The id may come again, of another result.
        if !heard.is_final {
            let now = Settled::of(heard, place);
            self.settled.push(settled.filter(|before| before.is_all || before.letters > now.letters).unwrap_or(now));
        }
        place
    }

    /// By the words themselves, where they are found nearby; else by their times, which may be off in both tellings.
    fn find(&self, items: &[Item], least: usize) -> usize {
        let words = || items.iter().enumerate().skip(least).filter(|(_, item)| !item.mark);
        let apart = |item: &Item| item.start_ms.abs_diff(self.ms);
        let near = words().filter(|(_, item)| apart(item) <= self.most_apart_ms(item));
        let found = near.filter(|(at, _)| self.is_told_by(&items[*at..]));
        let later = || words().find(|(_, item)| item.middle_ms() + APART_MS >= self.ms);
        found.min_by_key(|(_, item)| (!item.stable, apart(item))).or_else(later).map_or(items.len(), |(at, _)| at)
    }

    /// Whether these words say the same. One that may still change may be half of another word, too.
    fn is_told_by(&self, items: &[Item]) -> bool {
        let sure = sure(items);
        self.words.begins(sure) && (sure[0].stable || Told::of(sure).len() >= self.first)
    }

    /// How far from it its first word may be told again.
    fn most_apart_ms(&self, word: &Item) -> u64 {
        match (word.guessed, self.guessed) {
            // A guess is too early rather than too late: beside the word before it.
            (true, _) if word.start_ms < self.ms => GUESSED_MS,
            (true, _) | (false, true) => FIRST_GUESSED_MS,
            (false, false) => APART_MS,
        }
    }
}

/// Of words, those at the begin that are stable; the first one alone where none is.
fn sure(items: &[Item]) -> &[Item] {
    let stable = items.iter().take_while(|item| item.stable).count();
    &items[..stable.max(1).min(items.len())]
}

/// The first word behind so many letters.
fn behind(items: &[Item], letters: usize) -> usize {
    let mut before = 0;
    let is_behind = |item: &Item| {
        let is_behind = !item.mark && before >= letters;
        before += Told::of(std::slice::from_ref(item)).len();
        is_behind
    };
    items.iter().position(is_behind).unwrap_or(items.len())
}

/// A part of a result.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) heard: TimedResult,
    /// It ends before these segments, which were left behind.
    pub(super) later: Vec<u64>,
    /// The result has words, here or in another part.
    pub(super) says_something: bool,
}

/// The begins of segments that were left behind, for the streams that tell them again.
#[derive(Debug, Default)]
pub(super) struct Seams(Vec<Seam>);

impl Seams {
    /// The first result of this stream: what others left behind in this language.
    pub(super) fn find(&mut self, stream: StreamId, source: &Language, open: &[Open]) {
        if self.0.iter().any(|seam| seam.stream == stream) {
            return;
        }
        self.0.retain(|seam| stream.0.abs_diff(seam.stream.0) <= 1);
        let left = open.iter().filter(|s| s.key.stream != stream && s.source == *source && !s.items.is_empty());
        self.0.extend(left.map(|left| Seam::new(stream, left)));
    }

    /// The parts of a result between seams, the empty ones too; most results have no seam.
    pub(super) fn divide(&mut self, heard: TimedResult) -> Vec<Part> {
        let (mut parts, mut from) = (Vec::new(), 0);
        let seams = self.0.iter_mut().filter(|seam| seam.stream == heard.stream);
        let (places, segments): (Vec<usize>, Vec<u64>) = seams.map(|seam| (seam.place(&heard), seam.segment)).unzip();
        let says_something = !heard.items.is_empty();
        for (nth, place) in places.into_iter().enumerate() {
            let (place, later) = (place.max(from), segments[nth..].to_vec());
            parts.push(Part { heard: part(&heard, nth, from..place), later, says_something });
            from = place;
        }
        let last = if parts.is_empty() { heard } else { part(&heard, parts.len(), from..heard.items.len()) };
        parts.push(Part { heard: last, later: Vec::new(), says_something });
        parts
    }
}

/// These items of a result, as a result of their own.
fn part(heard: &TimedResult, nth: usize, items: std::ops::Range<usize>) -> TimedResult {
    TimedResult {
        result_id: format!("{}#{nth}", heard.result_id),
        items: heard.items[items].to_vec(),
        shared: heard.shared.clone(),
        language: heard.language.clone(),
        ..*heard
    }
}
