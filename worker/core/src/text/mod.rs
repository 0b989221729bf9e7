//! Words become segments, segments become captions, a track per language, translated where that is wanted.

mod align;
mod offers;
pub(crate) mod pipeline;
pub(crate) mod quality;
mod results;
mod segments;
mod track;
pub(crate) mod translate;

pub(crate) use segments::Segments;
pub(crate) use track::{Rendered, Track};

use crate::config::EngineConfig;
use crate::hearing::Word;
use schemas::ids::Language;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use translate::Translator;

/// What was said, and what it is in other languages.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) segments: Segments,
    /// The last finals, for listeners who come late.
    pub(crate) finals: VecDeque<Shown>,
    pub(crate) tracks: BTreeMap<Language, Track>,
    pub(crate) translator: Translator,
}

impl Text {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            segments: Segments::default(),
            finals: VecDeque::new(),
            tracks: BTreeMap::new(),
            translator: Translator::new(config.translate_characters_per_minute, config.translation_wishes),
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
    pub(crate) words: Vec<Word>,
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
        join(&self.words)
    }
    /// The part that will not change any more, whole words with their marks.
    pub(crate) fn stable_text(&self) -> String {
        join(&self.words[..self.settled()])
    }
    /// What will not change any more, as far as it makes sense by itself: whole sentences, and of the one that is being said
    /// the clauses. Each ends with its mark.
    pub(crate) fn stable_parts(&self) -> Vec<String> {
        parts_of(&self.words[..self.settled()])
    }
    /// The same of all words, also those that may still change.
    pub(crate) fn coming_parts(&self) -> Vec<String> {
        parts_of(&self.words)
    }
    /// What follows the last clause that will not change any more.
    pub(crate) fn open_text(&self) -> String {
        let closed = self.words[..self.settled()].iter().rposition(|w| w.mark).map_or(0, |mark| mark + 1);
        join(&self.words[closed..])
    }
    /// The whole sentences of what will not change any more.
    pub(crate) fn stable_sentences(&self) -> Vec<String> {
        sentences_of(&self.words[..self.settled()])
    }
    /// The same of all words, also those that may still change.
    pub(crate) fn coming_sentences(&self) -> Vec<String> {
        sentences_of(&self.words)
    }
    /// The whole text, sentence by sentence.
    pub(crate) fn sentences(&self) -> Vec<String> {
        self.words.split_inclusive(ends_sentence).map(join).collect()
    }
    /// How many words of the text will not change.
    pub(crate) fn stable_words(&self) -> u32 {
        count(&self.words[..self.settled()])
    }
    /// Items of which it is certain that nothing joins them any more: a stable word may still get its mark, so it counts
    /// only once something stable follows.
    fn settled(&self) -> usize {
        if self.is_final {
            return self.words.len();
        }
        match self.words[..self.stable].last() {
            Some(last) if last.mark => self.stable,
            Some(_) => self.stable - 1,
            None => 0,
        }
    }
}

/// Whole sentences, and of one that is being said the clauses. Each ends with its mark.
fn parts_of(words: &[Word]) -> Vec<String> {
    let mut parts = Vec::new();
    for sentence in words.split_inclusive(ends_sentence) {
        if sentence.last().is_some_and(ends_sentence) {
            parts.push(join(sentence));
        } else {
            let clauses = sentence.split_inclusive(|w| w.mark).filter(|clause| clause.last().is_some_and(|w| w.mark));
            parts.extend(clauses.map(join));
        }
    }
    parts
}

/// Whole sentences alone.
fn sentences_of(words: &[Word]) -> Vec<String> {
    let sentences = words.split_inclusive(ends_sentence);
    sentences.filter(|sentence| sentence.last().is_some_and(ends_sentence)).map(join).collect()
}

/// Whether this is the mark at the end of a sentence.
fn ends_sentence(word: &Word) -> bool {
    word.mark && matches!(word.text.as_str(), "." | "?" | "!" | "。" | "？" | "！" | "।" | "؟")
}

fn count(words: &[Word]) -> u32 {
    u32::try_from(words.iter().filter(|w| !w.mark).count()).unwrap_or(u32::MAX)
}

/// Japanese, Chinese and Thai are written without spaces between words.
pub(crate) fn has_spaces(language: &Language) -> bool {
    !matches!(language.as_str(), "ja" | "zh" | "th")
}

/// The text as it is written. Whether a space stands between two words is decided by the letters that meet there, not by the language: a
/// Japanese sentence holds "machine learning", a Chinese one "Amazon Web Services".
fn join(words: &[Word]) -> String {
    let mut text = String::new();
    for word in words {
        let meet = [text.chars().next_back(), word.text.chars().next()];
        let apart = meet.iter().all(|letter| letter.is_some_and(|letter| !joins_its_neighbours(letter)));
        if apart && !word.mark {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

/// Letters of scripts that put no space between words, and their marks: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
fn joins_its_neighbours(letter: char) -> bool {
    matches!(letter,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{2E80}'..='\u{312F}' | '\u{31A0}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF01}'..='\u{FF60}' | '\u{FF66}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Words of 300 ms each with 100 ms between them, a mark where the text has one; the first `stable` items stable.
    pub(crate) fn words(text: &str, from_ms: u64, stable: usize) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let mut at = from_ms;
        for token in text.split_whitespace() {
            let bare = token.trim_end_matches([',', '.', '?', '!']);
            words.push(Word { text: bare.into(), mark: false, start_ms: at, end_ms: at + 300, stable: false });
            if bare.len() < token.len() {
                let mark = token[bare.len()..].to_owned();
                words.push(Word { text: mark, mark: true, start_ms: at, end_ms: at + 300, stable: false });
            }
            at += 400;
        }
        for word in words.iter_mut().take(stable) {
            word.stable = true;
        }
        words
    }

    fn snapshot(text: &str, stable: usize, language: &str) -> Snapshot {
        let source = Language::try_new(language).unwrap();
        Snapshot {
            segment: 1,
            source,
            words: words(text, 0, stable),
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
        assert_eq!(snapshot("good evening, friends", 4, "en").stable_words(), 2);
    }

    #[test]
    fn clauses_end_at_a_mark_and_make_way_for_their_sentence() {
        assert_eq!(snapshot("good evening, dear friends of", 5, "en").stable_parts(), ["good evening,"]);
        assert_eq!(snapshot("yes. good evening, you", 6, "en").stable_parts(), ["yes.", "good evening,"]);
        assert_eq!(snapshot("good evening, you. and", 6, "en").stable_parts(), ["good evening, you."]);
        assert!(snapshot("good evening dear", 3, "en").stable_parts().is_empty());
        assert_eq!(snapshot("yes. good evening, you", 6, "en").stable_sentences(), ["yes."]);
        assert_eq!(snapshot("yes. good evening, you", 3, "en").coming_parts(), ["yes.", "good evening,"]);
        assert_eq!(snapshot("yes. good evening, you", 3, "en").open_text(), "good evening, you");
        assert_eq!(snapshot("yes. good evening, you", 0, "en").sentences(), ["yes.", "good evening, you"]);
    }

    #[test]
    fn languages_without_spaces_are_written_without_them() {
        assert_eq!(snapshot("你 好.", 0, "zh").text(), "你好.");
        assert_eq!(snapshot("good day.", 0, "en").text(), "good day.");
        assert_eq!(snapshot("วัน นี้", 0, "th").text(), "วันนี้");
    }

    #[test]
    fn words_of_another_script_keep_the_spaces_between_them() {
        assert_eq!(snapshot("machine learning を 使う", 0, "ja").text(), "machine learningを使う");
        assert_eq!(snapshot("我们 用 Amazon Web Services.", 0, "zh").text(), "我们用Amazon Web Services.");
        assert_eq!(snapshot("오늘 우리는 만났다.", 0, "ko").text(), "오늘 우리는 만났다.", "Korean puts spaces");
        assert_eq!(snapshot("नमस्ते दोस्तों.", 0, "hi").text(), "नमस्ते दोस्तों.");
    }
}
