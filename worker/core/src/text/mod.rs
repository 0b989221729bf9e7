//! Words become segments, what has settled of them becomes commits, and both become captions, a track per language, translated where that
//! is wanted.

mod align;
mod commit;
mod commits;
mod offers;
mod open;
mod phrases;
pub(crate) mod pipeline;
pub(crate) mod quality;
mod results;
mod seams;
mod segments;
mod track;
pub(crate) mod translate;
mod written;

pub(crate) use segments::Segments;
pub(crate) use track::{Rendered, Track};
pub(crate) use written::{Stable, begin_of};

use crate::config::EngineConfig;
use crate::hearing::Item;
use commits::Commits;
use schemas::ids::Language;
use std::collections::BTreeMap;
use std::sync::Arc;
use translate::Translator;
use written::join;

/// What was said, and what it is in other languages.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) segments: Segments,
    pub(crate) commits: Commits,
    pub(crate) tracks: BTreeMap<Language, Track>,
    pub(crate) translator: Translator,
}

impl Text {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            segments: Segments::default(),
            commits: Commits::default(),
            tracks: BTreeMap::new(),
            translator: Translator::new(config.translate_characters_per_minute, config.translation_options),
        }
    }
}

/// A segment as it stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Number of the segment in this run, from 1.
    pub(crate) segment: u64,
    /// The speaker's language then.
    pub(crate) source: Language,
    /// Words and marks.
    pub(crate) items: Vec<Item>,
    /// The first so many of `words` will not change.
    pub(crate) stable: usize,
    /// Whether it is the segment's last.
    pub(crate) is_final: bool,
    /// Number of the final in this run, from 1, in the order of media time; 0 while it is none. A segment that is told late has a higher
    /// number than one that was spoken after it.
    pub(crate) order: u64,
    /// Begin in media time, ms.
    pub(crate) start_ms: u64,
    /// End of the last word in media time, ms.
    pub(crate) end_ms: u64,
}

/// Something to show.
pub(crate) type Shown = Arc<Snapshot>;

impl Snapshot {
    /// The text as it is written in its language.
    pub(crate) fn text(&self) -> String {
        join(&self.items)
    }
    /// The part that will not change any more, whole words with their marks.
    pub(crate) fn stable_text(&self) -> String {
        join(&self.items[..self.settled()])
    }
    /// The text without its last word, where that may still change: of all words it is the one that changes most.
    pub(crate) fn text_without_last(&self) -> String {
        let last = self.items.iter().rposition(|item| !item.mark).unwrap_or(0);
        join(&self.items[..last.max(self.settled())])
    }
    /// How much of the text will not change.
    pub(crate) fn stable(&self) -> Stable {
        let text = self.text();
        if self.is_final {
            Stable::whole(&text)
        } else {
            Stable::within(&text, join(&self.items[..self.settled()]).len())
        }
    }
    /// Items of which it is certain that nothing joins them any more: a stable word may still get its mark, so it counts
    /// only once something stable follows.
    fn settled(&self) -> usize {
        if self.is_final {
            return self.items.len();
        }
        match self.items[..self.stable].last() {
            Some(last) if last.mark => self.stable,
            Some(_) => self.stable - 1,
            None => 0,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hearing::Gap;

    /// Words of 300 ms each with 100 ms between them, a mark where the text has one; the first `stable` items stable.
    pub(crate) fn items(text: &str, from_ms: u64, stable: usize) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let mut at = from_ms;
        for token in text.split_whitespace() {
            let bare = token.trim_end_matches([',', '.', '?', '!', '、', '，', '。', '？', '।', '،', '؟', '۔']);
            items.push(Item {
                text: bare.into(),
                mark: false,
                gap: Gap::Unknown,
                start_ms: at,
                end_ms: at + 300,
                guessed: false,
                stable: false,
            });
            if bare.len() < token.len() {
                let mark = token[bare.len()..].to_owned();
                items.push(Item {
                    text: mark,
                    mark: true,
                    gap: Gap::Unknown,
                    start_ms: at,
                    end_ms: at + 300,
                    guessed: false,
                    stable: false,
                });
            }
            at += 400;
        }
        for word in items.iter_mut().take(stable) {
            word.stable = true;
        }
        items
    }

    pub(crate) fn snapshot(text: &str, stable: usize, language: &str) -> Snapshot {
        let source = Language::try_new(language).unwrap();
        Snapshot {
            segment: 1,
            source,
            items: items(text, 0, stable),
            stable,
            is_final: false,
            order: 0,
            start_ms: 0,
            end_ms: 0,
        }
    }

    #[test]
    fn a_word_that_may_still_get_its_comma_is_not_yet_settled() {
        assert_eq!(snapshot("good evening, friends", 2, "en").stable_text(), "good");
        assert_eq!(snapshot("good evening, friends", 3, "en").stable_text(), "good evening,");
        assert_eq!(snapshot("good evening, friends", 4, "en").stable().words, 2);
    }
}
