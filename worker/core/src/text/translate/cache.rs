//! What was translated lately, so that nothing is paid for twice. The terminology and the settings are the same for the
//! whole session, so text and pair are the key.

use schemas::ids::Language;
use std::collections::{BTreeMap, VecDeque};

/// Texts that are remembered: about half an hour of clauses in five languages.
const MOST: usize = 1_024;

type Key = (Language, Language, String);

/// Translations by text and pair; the oldest is forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    known: BTreeMap<Key, String>,
    order: VecDeque<Key>,
}

impl Cache {
    /// The translation of this text, if it is remembered.
    pub(crate) fn get(&self, from: &Language, to: &Language, text: &str) -> Option<&String> {
        self.known.get(&(from.clone(), to.clone(), text.to_owned()))
    }

    /// Remembers a translation.
    pub(crate) fn put(&mut self, from: &Language, to: &Language, text: String, translation: String) {
        let key = (from.clone(), to.clone(), text);
        if self.known.insert(key.clone(), translation).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded_and_knows_the_pair() {
        let [en, es, ca] = ["en", "es", "ca"].map(|l| Language::try_new(l).unwrap());
        let mut cache = Cache::default();
        for n in 0..=MOST {
            cache.put(&en, &es, format!("text {n}"), format!("texto {n}"));
        }
        assert_eq!(cache.known.len(), MOST);
        assert_eq!(cache.get(&en, &es, "text 0"), None, "the oldest is forgotten");
        assert_eq!(cache.get(&en, &es, "text 7").map(String::as_str), Some("texto 7"));
        assert_eq!(cache.get(&en, &ca, "text 7"), None);
    }
}
