//! What is translated, when, and how often it is tried.

mod budget;
mod cache;
mod job;
mod latency;
mod split;
mod translator;

pub(crate) use job::Done;
pub(crate) use translator::Translator;

use crate::config::PartialPolicy;
use crate::text::Snapshot;
use crate::text::written::{text_ends_sentence, without_last};
use schemas::ids::Language;

/// The parts of an unfinished segment that this policy translates, each by itself; none for nothing.
///
/// A clause is translated once, when its words are stable: later partials find it in the cache. When its sentence is complete,
/// that is translated as a whole, once for all partials and the final.
pub(crate) fn partial_parts(policy: PartialPolicy, snapshot: &Snapshot) -> Vec<String> {
    match policy {
        PartialPolicy::Finals => Vec::new(),
        PartialPolicy::Clauses => snapshot.stable_parts(),
        PartialPolicy::Live => vec![snapshot.text()],
    }
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
        assert_eq!(mask("ฉันอยู่ที่นี่", 1, "th").as_deref(), Some("ฉันอยู่"), "no vowel or tone loses its letter");
        assert_eq!(mask("น้ำน้ำ", 1, "th"), None);
        assert_eq!(mask("नमस्ते दोस्तों", 1, "hi").as_deref(), Some("नमस्ते"));
    }
}
