//! What one session asks of its captions (`captionOptions` of its row), laid over what its environment says.
//!
//! *Guarantee*: whatever the row holds, the session runs: what cannot be read is left out, and a sentence for the row says
//! so, with what would be right.

use crate::config::environment::{Config, silence, usize_of, within};
use crate::config::settings::{LanguageList, named};
use schemas::ids::Language;
use schemas::session::{CaptionOptions, VARIANT};
use std::fmt::Display;
use std::str::FromStr;

/// The keys that a session may set, for the sentence about one that it may not.
const KEYS: &str = "agc, audioQuality, brevity, chunkMs, emotion, formality, identifyLanguages, listen, maskWords, partials, profanity, silenceCloseS, \
                    terminology, variant, vocabulary, vocabularyFilter";

/// Lays the options over the configuration; gives a sentence for each that is left out.
pub fn lay_over(config: &mut Config, options: &CaptionOptions, source: &Language) -> Vec<String> {
    let refused = |(key, text): (&String, &String)| {
        let why = lay(config, key, text, source).err()?;
        Some(format!("captionOptions.{key}={text:?} is left out: {why}"))
    };
    options.iter().filter_map(refused).collect()
}

fn lay(config: &mut Config, key: &str, text: &str, source: &Language) -> Result<(), String> {
    match key {
        "agc" => set(&mut config.agc, text),
        "audioQuality" => set(&mut config.audio_quality, text),
        "brevity" => set(&mut config.brevity, text),
        "chunkMs" => within(text, 50..=200).map(|ms| config.chunk_ms = ms),
        "emotion" => set(&mut config.emotion, text),
        "formality" => set(&mut config.formality, text),
        "identifyLanguages" => set(&mut config.identify_languages, text),
        "listen" => set(&mut config.listen, text),
        "maskWords" => within(text, 0..=10).map(|words| config.mask_words = usize_of(words)),
        "partials" => set(&mut config.partials, text),
        "profanity" => set(&mut config.profanity, text),
        "silenceCloseS" => silence(text).map(|seconds| config.silence_close_s = seconds),
        "terminology" => named(text).map(|name| config.terminology = name).map_err(told),
        VARIANT => set(&mut config.variants, &of_language(text, source)),
        "vocabulary" => set(&mut config.vocabulary, &of_language(text, source)),
        "vocabularyFilter" => {
            let (method, names) = text.split_once(':').unwrap_or(("mask", text));
            set(&mut config.vocabulary_filter, &format!("{method}:{}", of_language(names, source)))
        }
        _ => Err(format!("use one of {KEYS}")),
    }
}

/// Options that do not go together: what cannot be kept is left out, and a sentence for the row says why.
///
/// A filter is kept whatever it costs: words that nobody should read are not shown for want of it.
pub fn reconcile(config: &mut Config, source: &Language) -> Vec<String> {
    let list = config.identify_languages.languages().to_vec();
    if list.is_empty() {
        return Vec::new();
    }
    if !list.contains(source) {
        config.identify_languages = LanguageList::default();
        return vec![format!(
            "identifyLanguages is left out: the session's own language, {source}, is not in the list"
        )];
    }
    if let Some(language) = config.vocabulary_filter.names.lacks(&list) {
        config.identify_languages = LanguageList::default();
        return vec![format!(
            "identifyLanguages is left out: the vocabulary filter names none for {language}, and a filter is not given up; name one for each language of the list"
        )];
    }
    let lacks = config.vocabulary.lacks(&list);
    let note = |language| {
        format!(
            "vocabulary is left out while the language is identified: it names none for {language}; name one for each language of the list"
        )
    };
    lacks.map(note).into_iter().collect()
}

/// A bare name is meant for the session's language.
fn of_language(text: &str, source: &Language) -> String {
    if text == "none" || text.contains('=') { text.to_owned() } else { format!("{source}={text}") }
}

fn set<T: FromStr<Err: Display>>(place: &mut T, text: &str) -> Result<(), String> {
    *place = text.parse().map_err(told)?;
    Ok(())
}

fn told(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{FilterMethod, Formality, Switch};
    use worker_core::config::{EmotionMode, PartialPolicy};

    fn laid(options: &[(&str, &str)]) -> (Config, Vec<String>) {
        let variables = [
            ("SESSION_ID", "a-b-1"),
            ("GENERATION", "1"),
            ("WORKERS_TABLE", "W"),
            ("CONNECTIONS_TABLE", "C"),
            ("WEBSOCKET_ENDPOINT", "http://127.0.0.1:1/prod"),
            ("TERMINOLOGY", "house"),
        ];
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let mut config = Config::read(variable).unwrap();
        let options = options.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let notes = lay_over(&mut config, &options, &en());
        (config, notes)
    }
    fn en() -> Language {
        Language::try_new("en").unwrap()
    }

    #[test]
    fn a_session_may_ask_everything_that_concerns_its_captions() {
        let (config, notes) = laid(&[
            ("agc", "on"),
            ("audioQuality", "off"),
            ("brevity", "on"),
            ("chunkMs", "50"),
            ("emotion", "emotion"),
            ("formality", "formal"),
            ("identifyLanguages", "en,es"),
            ("maskWords", "5"),
            ("partials", "live"),
            ("profanity", "on"),
            ("silenceCloseS", "off"),
            ("terminology", "church"),
            ("variant", "en-GB"),
            ("vocabulary", "hymns"),
            ("vocabularyFilter", "remove:rude"),
        ]);
        assert_eq!(notes, [""; 0]);
        assert_eq!((config.chunk_ms, config.mask_words, config.silence_close_s), (50, 5, None));
        assert_eq!((config.partials, config.formality), (PartialPolicy::Live, Formality::Formal));
        assert_eq!((config.brevity, config.profanity), (Switch::On, Switch::On));
        assert_eq!((config.emotion, config.agc, config.audio_quality), (EmotionMode::Emotion, Switch::On, Switch::Off));
        assert_eq!(config.terminology.as_deref(), Some("church"));
        assert_eq!((config.vocabulary.of(&en()), config.variants.spoken(&en())), (Some("hymns"), Some("en-GB")));
        let filter = &config.vocabulary_filter;
        assert_eq!((filter.method, filter.names.of(&en())), (FilterMethod::Remove, Some("rude")));
        assert_eq!(config.identify_languages.languages().len(), 2);
    }

    #[test]
    fn options_that_do_not_go_together_are_told_and_a_filter_is_never_given_up() {
        let reconciled = |options: &[(&str, &str)], source: &str| {
            let (mut config, _) = laid(options);
            let notes = reconcile(&mut config, &Language::try_new(source).unwrap());
            (config.identify_languages.languages().len(), notes)
        };
        let (list, filter) = (("identifyLanguages", "en,es"), ("vocabularyFilter", "mask:en=rude,es=grosero"));
        assert_eq!(reconciled(&[list, filter, ("vocabulary", "en=hymns,es=himnos")], "en"), (2, vec![]));
        assert_eq!(reconciled(&[list], "en"), (2, vec![]));
        let (among, notes) = reconciled(&[list, ("vocabularyFilter", "rude")], "en");
        assert!(among == 0 && notes.len() == 1 && notes[0].contains("names none for es"), "{notes:?}");
        let (among, notes) = reconciled(&[list, ("vocabulary", "hymns")], "en");
        assert!(among == 2 && notes.len() == 1 && notes[0].contains("vocabulary is left out"), "{notes:?}");
        let (among, notes) = reconciled(&[list], "fr");
        assert!(among == 0 && notes.len() == 1 && notes[0].contains("fr, is not in the list"), "{notes:?}");
    }

    #[test]
    fn without_options_the_environment_counts_and_none_takes_its_option_away() {
        assert_eq!(laid(&[]).0.terminology.as_deref(), Some("house"));
        assert_eq!(laid(&[("terminology", "none")]).0.terminology, None);
    }

    #[test]
    fn an_option_that_cannot_be_read_is_left_out_with_what_would_be_right() {
        let table = [
            (("chunkMs", "20"), "give a number from 50 to 200"),
            (("partials", "some"), "use one of finals, sentences, clauses, live"),
            (("vocabulary", "two words"), "give LANGUAGE=NAME"),
            (("vocabularyFilter", "hide:rude"), "mask, remove or tag"),
            (("identifyLanguages", "en"), "two to five"),
            (("variant", "en-XX"), "as Transcribe streams it"),
            (("silenceCloseS", "1"), "give a number from 15 to 3600, or off"),
            (("terminology", "a b"), "give a name"),
            (("postsInFlight", "9"), "use one of agc, audioQuality"),
            (("emotion", "joy"), "use one of off, acoustic, emotion"),
        ];
        for ((key, text), expected) in table {
            let (config, notes) = laid(&[(key, text), ("formality", "informal")]);
            assert!(notes.len() == 1 && notes[0].contains(expected) && notes[0].contains(key), "{notes:?}");
            assert_eq!(config.formality, Formality::Informal, "the others are not lost with it");
            let (usual, _) = laid(&[("formality", "informal")]);
            assert_eq!(config, usual, "{key} is as without it");
        }
    }
}
