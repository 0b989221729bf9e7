//! What of a segment will not change any more is cut into commits: each is an event of its own, is translated once, and stands.
//!
//! *Guarantees*: a commit is never taken back and never cut anew; the commits of a final cover its items exactly once, in their order; none
//! holds a word that may still change. *Assumption*: the settled items of a segment stand at the begin of all its later snapshots (see
//! `segments`).

use super::Snapshot;
use super::phrases::begins_phrase;
use super::written::{ends_clause, ends_sentence, has_its_verb_last, join};
use crate::config::PartialPolicy;
use crate::hearing::Item;
use schemas::ids::Language;
use std::ops::Range;

/// Silence between two words at which a clause may end without a mark, ms.
const PAUSE_MS: u64 = 250;
/// Without a mark a clause has at least so many words: fewer say too little to be translated.
const LEAST_WORDS: usize = 3;
/// Of so many words, or of what lasts so long, a clause without a mark ends before the next phrase.
const SOME: Length = Length { words: 4, ms: 1_600 };
/// Of so many words, or of what lasts so long, it ends wherever it may.
const MANY: Length = Length { words: 7, ms: 2_600 };

/// A piece of a segment that will not change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Of this segment.
    pub(crate) segment: u64,
    /// Its number there, from 0.
    pub(crate) index: usize,
    /// Its items in the segment.
    pub(crate) items: Range<usize>,
    /// Begin of its first word in media time, ms.
    pub(crate) start_ms: u64,
    /// End of its last word in media time, ms.
    pub(crate) end_ms: u64,
    /// As it is written in its language.
    pub(crate) text: String,
    /// The speaker's language.
    pub(crate) source: Language,
    /// What ends with it.
    pub(crate) end: End,
    /// Whether a sentence begins with it, as far as its segment tells.
    pub(crate) begins_sentence: bool,
}

/// What ends with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A sentence, with its mark.
    Sentence,
    /// A clause, with its mark.
    Clause,
    /// Nothing that has a mark.
    Word,
}

impl End {
    fn of(items: &[Item]) -> Self {
        match items.last() {
            Some(last) if ends_sentence(last) => Self::Sentence,
            Some(last) if ends_clause(last) => Self::Clause,
            Some(_) | None => Self::Word,
        }
    }
}

/// Where a segment is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// Nowhere: it is one commit when it is final.
    Finals,
    /// Behind sentences.
    Sentences,
    /// Behind clauses too, and where they have no mark at a pause, before a phrase, or after so many words.
    Clauses,
}

impl Cuts {
    /// The policy says how soon a translation is wanted; a service under strain gets whole sentences.
    pub(crate) fn of(policy: PartialPolicy, strained: bool) -> Self {
        match policy {
            PartialPolicy::Finals => Self::Finals,
            PartialPolicy::Sentences | PartialPolicy::Live => Self::Sentences,
            PartialPolicy::Clauses if strained => Self::Sentences,
            PartialPolicy::Clauses => Self::Clauses,
        }
    }

    /// How many of the first `settled` items are the next commit, of those behind the last one.
    fn next(self, items: &[Item], settled: usize, source: &Language) -> Option<usize> {
        let rest = &items[..settled];
        match self {
            Self::Finals => None,
            Self::Sentences => first(rest, ends_sentence),
            Self::Clauses => {
                let mark = first(rest, ends_sentence).or_else(|| first(rest, ends_clause));
                if mark.is_some() || has_its_verb_last(source) {
                    mark
                } else {
                    Unmarked::of(items, settled, source).end()
                }
            }
        }
    }

    /// How many of the last items of a final are the next commit.
    fn last(self, rest: &[Item]) -> Option<usize> {
        let all = Some(rest.len()).filter(|all| *all > 0);
        match self {
            Self::Finals => all,
            Self::Sentences | Self::Clauses => first(rest, ends_sentence).or(all),
        }
    }
}

/// How many items there are up to the first of this kind.
fn first(items: &[Item], is_it: impl Fn(&Item) -> bool) -> Option<usize> {
    items.iter().position(is_it).map(|at| at + 1)
}

/// Words count where they are written apart.
struct Length {
    words: usize,
    ms: u64,
}

/// Settled words without a mark, and what follows them.
struct Unmarked<'a> {
    items: &'a [Item],
    settled: usize,
    source: &'a Language,
}

impl<'a> Unmarked<'a> {
    fn of(items: &'a [Item], settled: usize, source: &'a Language) -> Self {
        Self { items, settled, source }
    }

    /// How many of them are a clause: up to a pause; when there are some, up to the next phrase; when there are many, up to the longest gap, of
    /// several the last. A mark that is in sight is waited for.
    fn end(&self) -> Option<usize> {
        if self.items[self.settled..].iter().any(ends_clause) {
            return None;
        }
        let pause = || self.ends().filter(|end| self.gap_ms(*end) >= PAUSE_MS).last();
        let phrase = || self.ends().filter(|end| self.is_before_phrase(*end)).last();
        let longest = || self.ends().max_by_key(|end| self.gap_ms(*end));
        pause()
            .or_else(|| if self.has(&SOME) { phrase() } else { None })
            .or_else(|| if self.has(&MANY) { longest() } else { None })
    }

    fn has(&self, length: &Length) -> bool {
        let settled = &self.items[..self.settled];
        let lasts_ms = settled.last().map_or(0, |last| last.end_ms.saturating_sub(settled[0].start_ms));
        lasts_ms >= length.ms || (self.source.is_spaced() && words(settled) >= length.words)
    }

    /// Where it may end.
    fn ends(&self) -> impl Iterator<Item = usize> {
        let mark_follows = |end: usize| self.items.get(end).is_some_and(|next| next.mark);
        (1..=self.settled).filter(move |end| !mark_follows(*end) && words(&self.items[..*end]) >= LEAST_WORDS)
    }

    fn is_before_phrase(&self, end: usize) -> bool {
        let begins = |at: usize| self.items.get(at).is_some_and(|word| begins_phrase(word, self.source));
        begins(end) && !begins(end - 1)
    }

    /// Silence behind so many items, as far as the next word is known.
    fn gap_ms(&self, end: usize) -> u64 {
        let next = self.items.get(end).zip(self.items.get(end - 1));
        next.map_or(0, |(next, before)| next.start_ms.saturating_sub(before.end_ms))
    }
}

fn words(items: &[Item]) -> usize {
    items.iter().filter(|item| !item.mark).count()
}

/// Cuts one segment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Committer {
    commits: usize,
    /// So many items are in them.
    covered: usize,
    in_sentence: bool,
}

impl Committer {
    /// So many items are committed.
    pub(crate) fn covered(&self) -> usize {
        self.covered
    }

    /// What is committed next.
    pub(crate) fn commit(&mut self, shown: &Snapshot, cuts: Cuts) -> Vec<Commit> {
        let mut commits = Vec::new();
        while let Some(count) = self.next(shown, cuts) {
            commits.push(self.take(shown, count));
        }
        commits
    }

    /// The texts that will be committed at their marks when all words have settled, if these do not change.
    pub(crate) fn coming(&self, shown: &Snapshot, cuts: Cuts) -> Vec<String> {
        let rest = shown.items.get(self.covered..).unwrap_or_default();
        let marks = |item: &Item| match cuts {
            Cuts::Finals => false,
            Cuts::Sentences => ends_sentence(item),
            Cuts::Clauses => ends_clause(item),
        };
        let pieces = rest.split_inclusive(marks);
        pieces.filter(|piece| piece.last().is_some_and(marks)).map(join).collect()
    }

    fn next(&self, shown: &Snapshot, cuts: Cuts) -> Option<usize> {
        let rest = shown.items.get(self.covered..)?;
        if shown.is_final {
            return cuts.last(rest);
        }
        cuts.next(rest, shown.settled().checked_sub(self.covered)?, &shown.source)
    }

    fn take(&mut self, shown: &Snapshot, count: usize) -> Commit {
        let range = self.covered..self.covered + count;
        let items = &shown.items[range.clone()];
        let end = End::of(items);
        let commit = Commit {
            segment: shown.segment,
            index: self.commits,
            start_ms: items.first().map_or(0, |item| item.start_ms),
            end_ms: items.iter().map(|item| item.end_ms).max().unwrap_or(0),
            text: join(items),
            source: shown.source.clone(),
            begins_sentence: !self.in_sentence,
            items: range.clone(),
            end,
        };
        (self.commits, self.covered, self.in_sentence) = (self.commits + 1, range.end, end != End::Sentence);
        commit
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
