//! Into which languages something really translates here, for whoever offers languages: those with an engine come first.

use std::collections::BTreeSet;

use schemas::session::LANGUAGES;
use serde::Serialize;

use super::languages::{Mode, NAMES, route};
use super::models::Models;

/// What stands in for Amazon Translate, and for which languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The speaker's language that it is told for.
    pub source: String,
    /// The engines that serve a language, the better one first.
    pub engines: Vec<Served>,
    /// Languages that the product offers and no engine here has: their texts come back marked, `⟦de⟧ …`.
    pub untranslated: Vec<String>,
}

/// An engine and its languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Name and version.
    pub engine: String,
    /// Languages that it translates into.
    pub languages: Vec<String>,
}

impl Offer {
    /// What there is for a speaker of `source`: the user's models, by that name, where they have a way, else Apertium.
    #[must_use]
    pub fn of(source: &str, models: Option<(&str, &Models)>, apertium: (&str, &BTreeSet<Mode>)) -> Self {
        let (by_models, rest): (Vec<_>, Vec<_>) = candidates()
            .filter(|code| *code != source)
            .partition(|code| models.is_some_and(|(_, models)| models.way(source, code).is_some()));
        let (by_apertium, rest): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|code| route(apertium.1, source, code).is_some());
        let own = |languages: Vec<&str>| languages.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let served = [(models.map_or("", |(name, _)| name), by_models), (apertium.0, by_apertium)];
        let served = served.into_iter().filter(|(_, languages)| !languages.is_empty());
        Self {
            source: source.to_owned(),
            engines: served
                .map(|(engine, codes)| Served { engine: engine.to_owned(), languages: own(codes) })
                .collect(),
            untranslated: own(rest.into_iter().filter(|code| LANGUAGES.contains(code)).collect()),
        }
    }

    /// All that can be offered: what is translated, what is spoken, what is only marked.
    #[must_use]
    pub fn languages(&self) -> Vec<String> {
        let served = self.engines.iter().flat_map(|engine| &engine.languages);
        served.chain([&self.source]).chain(&self.untranslated).cloned().collect()
    }

    /// The same in a sentence, for people.
    #[must_use]
    pub fn says(&self) -> String {
        let engines = self.engines.iter().map(|Served { engine, languages }| {
            format!("{engine} stands in for Amazon Translate ({} → {})", self.source, languages.join(" "))
        });
        let mut parts: Vec<String> = engines.collect();
        if parts.is_empty() {
            parts.push("nothing here translates".to_owned());
        }
        let rest = self.untranslated.first().map(|code| format!("other languages come untranslated, marked ⟦{code}⟧"));
        parts.into_iter().chain(rest).collect::<Vec<_>>().join("; ")
    }
}

/// The product's languages, and those that Apertium has beyond; those with a country say nothing new.
fn candidates() -> impl Iterator<Item = &'static str> {
    let more = NAMES.iter().map(|(code, _)| *code).filter(|code| !code.contains('-') && !LANGUAGES.contains(code));
    LANGUAGES.into_iter().chain(more)
}

#[cfg(test)]
mod tests {
    use super::super::languages::mode;
    use super::*;

    fn apertium() -> BTreeSet<Mode> {
        ["eng-spa.mode", "spa-eng.mode", "eng-cat.mode"].into_iter().filter_map(mode).collect()
    }

    #[test]
    fn languages_with_an_engine_come_first_and_the_others_are_told_apart() {
        let offer = Offer::of("en", None, ("Apertium 3.8.3", &apertium()));
        let languages = offer.languages();
        assert_eq!(languages[..4], ["es", "ca", "en", "fr"]);
        assert_eq!(languages.len(), LANGUAGES.len() + 1, "each once, and Catalan");
        assert_eq!(
            offer.says(),
            "Apertium 3.8.3 stands in for Amazon Translate (en → es ca); other languages come untranslated, marked ⟦fr⟧"
        );
    }

    #[test]
    fn without_an_engine_that_is_said() {
        let offer = Offer::of("en", None, ("no Apertium", &BTreeSet::new()));
        assert!(offer.engines.is_empty());
        assert!(offer.says().starts_with("nothing here translates; "), "{}", offer.says());
        assert_eq!(offer.languages()[0], "en");
    }

    #[test]
    fn a_speaker_of_another_language_is_offered_what_leads_from_there() {
        let offer = Offer::of("es", None, ("Apertium", &apertium()));
        assert_eq!(offer.languages()[..3], ["en", "ca", "es"], "Catalan by way of English");
    }
}
