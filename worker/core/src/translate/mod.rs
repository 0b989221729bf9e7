//! What is translated, when, and how often it is tried.

mod budget;
mod cache;
mod split;
mod translator;

pub(crate) use translator::{Done, Translator};

use crate::captions::{Snapshot, has_spaces};
use crate::config::PartialPolicy;
use schemas::ids::Language;

/// The parts of an unfinished segment that this policy translates, each by itself; none for nothing.
///
/// A clause is translated once, when its words are stable: later partials find it in the cache.
pub(crate) fn partial_parts(policy: PartialPolicy, snapshot: &Snapshot) -> Vec<String> {
    match policy {
        PartialPolicy::Finals => Vec::new(),
        PartialPolicy::Clauses => snapshot.stable_clauses(),
        PartialPolicy::Live => vec![snapshot.text()],
    }
}

/// A translated partial without its last words: these change most when the next words come (mask-k, Arivazhagan et al.
/// 2020). `None` when nothing is left.
pub(crate) fn mask(text: &str, words: usize, language: &Language) -> Option<String> {
    let kept = if has_spaces(language) {
        let all: Vec<&str> = text.split_whitespace().collect();
        all[..all.len().saturating_sub(words)].join(" ")
    } else {
        // About two characters make a word.
        let all: Vec<char> = text.chars().collect();
        all[..all.len().saturating_sub(2 * words)].iter().collect()
    };
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_partial_are_held_back() {
        let (es, ja) = (Language::try_new("es").unwrap(), Language::try_new("ja").unwrap());
        assert_eq!(mask("uno dos tres cuatro", 3, &es).as_deref(), Some("uno"));
        assert_eq!(mask("uno dos", 3, &es), None);
        assert_eq!(mask("uno dos", 0, &es).as_deref(), Some("uno dos"));
        assert_eq!(mask("こんにちは世界", 2, &ja).as_deref(), Some("こんに"));
    }
}
