//! What is translated, when, and how often it is tried.

mod ahead;
mod budget;
mod cache;
mod flight;
mod job;
mod latency;
mod split;
mod translator;

pub(crate) use job::{Done, Purpose};
pub(crate) use translator::Translator;

use crate::config::{PartialPolicy, Timing};
use crate::text::Snapshot;
use crate::text::written::{append, text_ends_sentence, without_last};
use schemas::ids::Language;
use schemas::session::CaptionMode;

/// How partials are translated for those who chose a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partials {
    /// Not at all.
    None,
    /// Sentence by sentence, each once: what is shown stands in the final.
    Sentences,
    /// A clause when its words are stable, until its sentence is complete.
    Clauses,
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
            (PartialPolicy::Clauses | PartialPolicy::Live, CaptionMode::Stable) => Self::Sentences,
            (PartialPolicy::Clauses, CaptionMode::Usual) => Self::Clauses,
            (PartialPolicy::Clauses | PartialPolicy::Live, CaptionMode::Fast) => Self::Tail,
            (PartialPolicy::Live, CaptionMode::Usual) => Self::Live,
        }
    }

    /// What of an unfinished segment is translated.
    ///
    /// A clause is translated once, when its words are stable: later partials find it in the cache. When its sentence is complete,
    /// that is translated as a whole, once for all partials and the final.
    pub(crate) fn parts(self, snapshot: &Snapshot) -> Parts {
        let open = |text: String| Some(text).filter(|text| !text.is_empty());
        match self {
            Self::None => Parts::default(),
            Self::Sentences => Parts { closed: snapshot.stable_sentences(), open: None },
            Self::Clauses => Parts { closed: snapshot.stable_parts(), open: None },
            Self::Tail => Parts { closed: snapshot.stable_parts(), open: open(snapshot.open_text()) },
            Self::Live => Parts { closed: Vec::new(), open: open(snapshot.text()) },
        }
    }

    /// The parts that will be translated when their words are stable, if these do not change.
    pub(crate) fn coming(self, snapshot: &Snapshot) -> Vec<String> {
        match self {
            Self::None | Self::Live => Vec::new(),
            Self::Sentences => snapshot.coming_sentences(),
            Self::Clauses | Self::Tail => snapshot.coming_parts(),
        }
    }

    /// What may be shown of the translated parts; the last words of what may still change are held back.
    pub(crate) fn shown(
        self,
        snapshot: &Snapshot,
        parts: &[String],
        words: usize,
        language: &Language,
    ) -> Option<String> {
        let text = || Some(join_parts(parts, language));
        match self {
            Self::None | Self::Sentences | Self::Clauses => text(),
            Self::Live => text().and_then(|text| mask(&text, words, language)),
            Self::Tail if parts.len() <= snapshot.stable_parts().len() => text(),
            Self::Tail => {
                let (open, closed) = parts.split_last()?;
                let kept: Vec<String> = closed.iter().cloned().chain(mask(open, words, language)).collect();
                (!kept.is_empty()).then(|| join_parts(&kept, language))
            }
        }
    }

    /// Least span between two translations of what may still change, ms. What is translated once needs none.
    pub(crate) fn gap_ms(self, timing: &Timing) -> u64 {
        match self {
            Self::Live | Self::Tail => timing.translate_gap_ms,
            Self::None | Self::Sentences | Self::Clauses => 0,
        }
    }
}

/// The parts of an unfinished segment, each translated by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    /// What will not change any more.
    pub(crate) closed: Vec<String>,
    /// What follows and may change.
    pub(crate) open: Option<String>,
}

impl Parts {
    pub(crate) fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_none()
    }
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.closed.into_iter().chain(self.open).collect()
    }
}

/// Translated parts as one text.
pub(crate) fn join_parts(parts: &[String], language: &Language) -> String {
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

/// The translation of a clause that goes on with a sentence: translators begin every text with a capital letter. German and
/// English write capitals in the middle of a sentence, and the two letters i of Turkish are not each other's.
pub(crate) fn carry_on(before: Option<&String>, clause: &str, translation: String, language: &Language) -> String {
    let begins = before.is_none_or(|text| text_ends_sentence(text));
    let small = clause.chars().next().is_some_and(char::is_lowercase);
    let mut letters = translation.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second))
            if !begins && small && !second.is_uppercase() && !matches!(language.as_str(), "de" | "en" | "tr") =>
        {
            first.to_lowercase().chain(translation.chars().skip(1)).collect()
        }
        (Some(_) | None, Some(_) | None) => translation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_that_goes_on_with_a_sentence_begins_with_a_small_letter() {
        let to = |language: &str, before: Option<&str>, clause: &str, text: &str| {
            let language = Language::try_new(language).unwrap();
            carry_on(before.map(str::to_owned).as_ref(), clause, text.to_owned(), &language)
        };
        assert_eq!(to("es", Some("Mi abuela,"), "who was born here,", "Quién nació aquí,"), "quién nació aquí,");
        assert_eq!(to("es", None, "who was born here,", "Quién nació aquí,"), "Quién nació aquí,");
        assert_eq!(to("es", Some("アーメン。"), "who was born here,", "Quién nació aquí,"), "Quién nació aquí,");
        assert_eq!(to("es", Some("Amén."), "who was born here,", "Quién nació aquí,"), "Quién nació aquí,");
        assert_eq!(to("es", Some("Hoy,"), "John came,", "Juan vino,"), "Juan vino,");
        assert_eq!(to("es", Some("Hoy,"), "you know NATO,", "OTAN,"), "OTAN,");
        assert_eq!(to("de", Some("Heute,"), "friends,", "Freunde,"), "Freunde,");
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
