//! What is translated, when, and how often it is tried.

mod ahead;
mod budget;
mod cache;
mod flight;
mod job;
mod latency;
mod split;
mod translator;

pub(crate) use job::{Done, OpenText, What};
pub(crate) use translator::Translator;

use crate::config::{PartialPolicy, Timing};
use crate::text::commit::{Commit, End};
use crate::text::written::{SENTENCE_ENDS, append, without_last};
use schemas::ids::Language;
use schemas::session::CaptionMode;

/// What is shown of an unfinished segment, in translation, to those who chose a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partials {
    /// Nothing.
    None,
    /// Its commits: they stand in the final.
    Commits,
    /// The same, and what follows again whenever it has changed.
    Tail,
    /// The whole text again whenever it has changed.
    Live,
}

impl Partials {
    /// The policy says what a session costs at most, the mode what of that a listener wants.
    pub(crate) fn of(policy: PartialPolicy, mode: CaptionMode) -> Self {
        match (policy, mode) {
            (PartialPolicy::Finals, _) => Self::None,
            (PartialPolicy::Sentences, _)
            | (PartialPolicy::Clauses, CaptionMode::Usual | CaptionMode::Stable)
            | (PartialPolicy::Live, CaptionMode::Stable) => Self::Commits,
            (PartialPolicy::Clauses | PartialPolicy::Live, CaptionMode::Fast) => Self::Tail,
            (PartialPolicy::Live, CaptionMode::Usual) => Self::Live,
        }
    }

    /// Whether commits are shown as they come.
    pub(crate) fn shows_commits(self) -> bool {
        match self {
            Self::Commits | Self::Tail => true,
            Self::None | Self::Live => false,
        }
    }

    /// Least span between two translations of what may still change, ms. What is translated once needs none.
    pub(crate) fn gap_ms(self, timing: &Timing) -> u64 {
        match self {
            Self::Live | Self::Tail => timing.translate_gap_ms,
            Self::None | Self::Commits => 0,
        }
    }
}

/// Translated parts as one text.
pub(crate) fn join_parts(parts: &[&str], language: &Language) -> String {
    let mut text = String::new();
    parts.iter().for_each(|part| append(&mut text, part, language));
    text
}

/// A translated partial without its last words: these change most when the next words come (mask-k, Arivazhagan et al.
/// 2020). `None` when nothing is left.
pub(crate) fn mask(text: &str, words: usize, language: &Language) -> Option<String> {
    let kept = without_last(text, words, language);
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// The translation of a commit as it stands between those beside it: translators take every text for a sentence of its own, begin it with a
/// capital letter, and some end it with a stop.
pub(crate) fn fit(commit: &Commit, translation: String, language: &Language) -> String {
    let text = if commit.begins_sentence { translation } else { carry_on(&commit.text, translation, language) };
    match commit.end {
        End::Sentence | End::Clause => text,
        End::Word => match text.strip_suffix(SENTENCE_ENDS) {
            Some(open) if !open.is_empty() && !open.ends_with(SENTENCE_ENDS) => open.to_owned(),
            Some(_) | None => text,
        },
    }
}

/// The translation of a text that goes on with a sentence. German and English write capitals in the middle of a sentence, and the two letters i
/// of Turkish are not each other's.
pub(crate) fn carry_on(said: &str, translation: String, language: &Language) -> String {
    let small = said.chars().next().is_some_and(char::is_lowercase);
    let mut letters = translation.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second))
            if small && !second.is_uppercase() && !matches!(language.as_str(), "de" | "en" | "tr") =>
        {
            first.to_lowercase().chain(translation.chars().skip(1)).collect()
        }
        (Some(_) | None, Some(_) | None) => translation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(text: &str, begins_sentence: bool, end: End) -> Commit {
        let source = Language::try_new("en").unwrap();
        let (text, items) = (text.to_owned(), 0..1);
        Commit { segment: 1, index: 0, items, start_ms: 0, end_ms: 0, text, source, end, begins_sentence }
    }

    #[test]
    fn a_clause_that_goes_on_with_a_sentence_begins_with_a_small_letter() {
        let to = |language: &str, begins: bool, clause: &str, text: &str| {
            let language = Language::try_new(language).unwrap();
            fit(&commit(clause, begins, End::Clause), text.to_owned(), &language)
        };
        assert_eq!(to("es", false, "who was born here,", "Quién nació aquí,"), "quién nació aquí,");
        assert_eq!(to("es", true, "who was born here,", "Quién nació aquí,"), "Quién nació aquí,");
        assert_eq!(to("es", false, "John came,", "Juan vino,"), "Juan vino,");
        assert_eq!(to("es", false, "you know NATO,", "OTAN,"), "OTAN,");
        assert_eq!(to("de", false, "friends,", "Freunde,"), "Freunde,");
    }

    #[test]
    fn a_stop_that_nobody_said_is_taken_from_a_clause_without_a_mark() {
        let to = |end: End, text: &str| {
            let language = Language::try_new("es").unwrap();
            fit(&commit("We go", true, end), text.to_owned(), &language)
        };
        assert_eq!(to(End::Word, "Vamos."), "Vamos");
        assert_eq!(to(End::Word, "Vamos..."), "Vamos...", "three of them are something else");
        assert_eq!(to(End::Sentence, "Vamos."), "Vamos.");
        assert_eq!(to(End::Word, "."), ".");
    }

    #[test]
    fn the_last_words_of_a_partial_are_held_back() {
        let (es, ja) = (Language::try_new("es").unwrap(), Language::try_new("ja").unwrap());
        assert_eq!(mask("uno dos tres cuatro", 3, &es).as_deref(), Some("uno"));
        assert_eq!(mask("uno dos", 3, &es), None);
        assert_eq!(mask("uno dos", 0, &es).as_deref(), Some("uno dos"));
        assert_eq!(mask("こんにちは世界", 2, &ja).as_deref(), Some("こんに"));
        assert_eq!(mask("uno dos, tres ?", 1, &es).as_deref(), Some("uno dos,"), "a mark is no word");
    }

    #[test]
    fn what_is_held_back_ends_where_a_word_or_a_character_that_a_person_sees_begins() {
        let mask = |text: &str, words: usize, language: &str| mask(text, words, &Language::try_new(language).unwrap());
        assert_eq!(mask("我们用Amazon Web Services。", 1, "zh").as_deref(), Some("我们用Amazon Web"));
        assert_eq!(mask("我们用Amazon Web Services。今天", 1, "zh").as_deref(), Some("我们用Amazon Web Services。"));
        assert_eq!(mask("今日はインターネット", 1, "ja").as_deref(), Some("今日は"), "a word in katakana");
        assert_eq!(mask("ฉันอยู่ที่นี่", 1, "th").as_deref(), Some("ฉันอ"), "no vowel or tone loses its letter");
        assert_eq!(mask("น้ำน้ำ", 1, "th"), None);
        assert_eq!(mask("नमस्ते दोस्तों", 1, "hi").as_deref(), Some("नमस्ते"));
    }
}
