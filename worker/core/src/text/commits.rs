//! The commits of the segments that are open and of the last finals, and what each is in the languages that somebody listens to.
//!
//! *Flow*: a snapshot brings commits; each is translated once into a language and stands there; a translated caption is the join of what its
//! commits are in that language, and so is what a late listener gets. *Guarantee*: what is known of a commit in a language is never replaced.

use super::commit::{Commit, Committer, Cuts};
use super::translate::{fit, join_parts};
use super::written::join;
use super::{Shown, Snapshot};
use schemas::ids::Language;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Finals whose commits are known: their translations come within seconds, and late listeners get the last ones.
const KEPT: usize = 32;

/// All that is known of commits.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    segments: BTreeMap<u64, Segment>,
    /// Those of them that are final, in the order of media time.
    finals: VecDeque<u64>,
}

/// One segment.
#[derive(Debug)]
struct Segment {
    committer: Committer,
    commits: Vec<Arc<Commit>>,
    /// As it stood last.
    shown: Shown,
    texts: BTreeMap<Language, Vec<Text>>,
}

/// A commit in a language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Text {
    #[default]
    Unasked,
    Asked,
    /// For now there is none.
    Missing,
    Known(String),
}

/// What a segment's commits are in a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// One after another.
    pub(crate) text: String,
    /// Some of them are as they were spoken, for want of a translation.
    pub(crate) degraded: bool,
}

impl Commits {
    /// A segment has changed: what is committed of it now.
    pub(crate) fn make(&mut self, shown: &Shown, cuts: Cuts) -> Vec<Arc<Commit>> {
        let segment = self.segments.entry(shown.segment).or_insert_with(|| Segment::of(shown));
        segment.shown = shown.clone();
        let new: Vec<Arc<Commit>> = segment.committer.commit(shown, cuts).into_iter().map(Arc::new).collect();
        segment.commits.extend(new.iter().cloned());
        if shown.is_final {
            self.finals.push_back(shown.segment);
            if self.finals.len() > KEPT
                && let Some(oldest) = self.finals.pop_front()
            {
                self.segments.remove(&oldest);
            }
        }
        new
    }

    /// The texts that will be committed when their words have settled, if these do not change.
    pub(crate) fn coming(&self, shown: &Snapshot, cuts: Cuts) -> Vec<String> {
        self.segments.get(&shown.segment).map(|segment| segment.committer.coming(shown, cuts)).unwrap_or_default()
    }

    /// How many commits there are of this segment, and what follows them.
    pub(crate) fn open(&self, shown: &Snapshot) -> (usize, String) {
        let Some(segment) = self.segments.get(&shown.segment) else { return (0, shown.text()) };
        (segment.commits.len(), join(shown.items.get(segment.committer.covered()..).unwrap_or_default()))
    }

    /// The newest finals, the oldest of them first.
    pub(crate) fn last_finals(&self, most: usize) -> Vec<Shown> {
        let last = self.finals.iter().skip(self.finals.len().saturating_sub(most));
        last.filter_map(|segment| Some(self.segments.get(segment)?.shown.clone())).collect()
    }

    /// The commits of this segment that are to be translated now; of a final also those that have failed and are not `at_work`.
    pub(crate) fn ask(
        &mut self,
        segment: u64,
        language: &Language,
        at_work: impl Fn(&Arc<Commit>) -> bool,
    ) -> Vec<Arc<Commit>> {
        let Some(segment) = self.segments.get_mut(&segment) else { return Vec::new() };
        let is_final = segment.shown.is_final;
        let wanted = |(commit, text): (&Arc<Commit>, &mut Text)| {
            let ask = match text {
                Text::Unasked => true,
                Text::Missing => is_final && !at_work(commit),
                Text::Asked | Text::Known(_) => false,
            };
            ask.then(|| {
                *text = Text::Asked;
                commit.clone()
            })
        };
        let texts = segment.texts.entry(language.clone()).or_default();
        texts.resize(segment.commits.len(), Text::Unasked);
        segment.commits.iter().zip(texts).filter_map(wanted).collect()
    }

    /// A commit is translated, or is not for now.
    pub(crate) fn put(&mut self, commit: &Commit, language: &Language, translation: Option<String>) {
        let texts = self.segments.get_mut(&commit.segment).and_then(|segment| segment.texts.get_mut(language));
        let Some(text) = texts.and_then(|texts| texts.get_mut(commit.index)) else { return };
        if !matches!(text, Text::Known(_)) {
            *text = translation.map_or(Text::Missing, |translation| Text::Known(fit(commit, translation, language)));
        }
    }

    /// How many of the first commits are translated, and their text.
    pub(crate) fn known(&self, segment: u64, language: &Language) -> (usize, String) {
        let texts = self.segments.get(&segment).and_then(|segment| segment.texts.get(language));
        let known: Vec<&str> = texts.into_iter().flatten().map_while(Text::known).collect();
        (known.len(), join_parts(&known, language))
    }

    /// The segment as it stood when it had so many commits, and ended with them.
    pub(crate) fn shown(&self, segment: u64, commits: usize) -> Option<Shown> {
        let segment = self.segments.get(&segment)?;
        let commits = segment.commits.get(..commits)?;
        let items = segment.shown.items.get(..commits.last()?.items.end)?.to_vec();
        let (stable, end_ms) = (items.len(), commits.iter().map(|commit| commit.end_ms).max()?);
        Some(Arc::new(Snapshot { items, stable, end_ms, is_final: false, order: 0, ..(*segment.shown).clone() }))
    }

    /// Whether its commits are known still.
    pub(crate) fn knows(&self, segment: u64) -> bool {
        self.segments.contains_key(&segment)
    }

    /// A final in this language; `None` while a translation is waited for.
    pub(crate) fn said(&self, segment: u64, language: &Language) -> Option<Said> {
        let found = self.segments.get(&segment)?;
        let texts = found.texts.get(language)?;
        let answered = texts.len() == found.commits.len() && texts.iter().all(Text::is_answered);
        if answered { self.as_it_is(segment, language) } else { None }
    }

    /// The same without waiting; `None` when the segment is forgotten.
    pub(crate) fn as_it_is(&self, segment: u64, language: &Language) -> Option<Said> {
        let segment = self.segments.get(&segment)?;
        let texts = segment.texts.get(language).map_or(&[][..], Vec::as_slice);
        let known: Vec<Option<&str>> =
            segment.commits.iter().map(|commit| texts.get(commit.index).and_then(Text::known)).collect();
        if known.iter().all(Option::is_none) {
            return Some(Said { text: segment.shown.text(), degraded: true });
        }
        let spoken = segment.commits.iter().map(|commit| commit.text.as_str());
        let pieces: Vec<&str> = known.iter().zip(spoken).map(|(known, spoken)| known.unwrap_or(spoken)).collect();
        Some(Said { text: join_parts(&pieces, language), degraded: known.contains(&None) })
    }
}

impl Segment {
    fn of(shown: &Shown) -> Self {
        let (committer, texts) = (Committer::default(), BTreeMap::new());
        Self { committer, commits: Vec::new(), shown: shown.clone(), texts }
    }
}

impl Text {
    fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Unasked | Self::Asked | Self::Missing => None,
        }
    }
    fn is_answered(&self) -> bool {
        match self {
            Self::Known(_) | Self::Missing => true,
            Self::Unasked | Self::Asked => false,
        }
    }
}

#[cfg(test)]
impl Commits {
    pub(crate) fn nth(&self, segment: u64, index: usize) -> Arc<Commit> {
        self.segments[&segment].commits[index].clone()
    }
}
