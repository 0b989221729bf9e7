//! Options of Transcribe and Translate, as the environment writes them. `none` stands for nothing: ECS drops empty variables.

use crate::languages;
use schemas::ids::Language;
use std::collections::BTreeMap;
use std::str::FromStr;

/// A setting that cannot be read; the text says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionError(&'static str);

/// A name, or `none`.
///
/// # Errors
/// [`OptionError`] when it cannot be a name of Transcribe or Translate.
pub fn named(text: &str) -> Result<Option<String>, OptionError> {
    match text {
        "none" => Ok(None),
        _ if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) => Ok(Some(text.to_owned())),
        _ => Err(OptionError("give a name of letters, digits, - _ and ., or none")),
    }
}

/// A resource per language of the speaker: Transcribe's vocabularies are made for one language each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PerLanguage(BTreeMap<Language, String>);

impl PerLanguage {
    /// The resource of this language.
    #[must_use]
    pub fn of(&self, language: &Language) -> Option<&str> {
        self.0.get(language).map(String::as_str)
    }
}

impl PerLanguage {
    /// The resources of all of these languages, as a list is written; `None` when one of them has none.
    #[must_use]
    pub fn of_all(&self, languages: &[Language]) -> Option<String> {
        let names: Vec<&str> = languages.iter().map(|language| self.of(language)).collect::<Option<_>>()?;
        (!names.is_empty()).then(|| names.join(","))
    }

    /// The first of these languages that has none, where another of them has one.
    #[must_use]
    pub fn lacks<'l>(&self, languages: &'l [Language]) -> Option<&'l Language> {
        let has_some = languages.iter().any(|language| self.of(language).is_some());
        languages.iter().find(|language| has_some && self.of(language).is_none())
    }
}

impl FromStr for PerLanguage {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        const FORM: OptionError = OptionError("give LANGUAGE=NAME, several with commas, or none");
        if text == "none" {
            return Ok(Self::default());
        }
        let entry = |entry: &str| {
            let (language, name) = entry.split_once('=')?;
            Some((Language::try_new(language).ok()?, named(name).ok()??))
        };
        text.split(',').map(|e| entry(e).ok_or(FORM)).collect::<Result<_, _>>().map(Self)
    }
}

/// Which variant of a language speakers speak, where it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variants(BTreeMap<Language, &'static str>);

impl Variants {
    /// Transcribe's code for a speaker of this language; `None` for a language that it cannot stream.
    #[must_use]
    pub fn spoken(&self, language: &Language) -> Option<&'static str> {
        self.0.get(language).copied().or_else(|| languages::transcribe(language))
    }
}

impl FromStr for Variants {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        const FORM: OptionError =
            OptionError("give LANGUAGE=VARIANT as Transcribe streams it, such as en=en-GB,pt=pt-PT, or none");
        let names: PerLanguage = text.parse().map_err(|_| FORM)?;
        let known =
            |(language, code): (Language, String)| languages::variant(&language, &code).map(|code| (language, code));
        names.0.into_iter().map(|entry| known(entry).ok_or(FORM)).collect::<Result<_, _>>().map(Self)
    }
}

/// What becomes of the words of a vocabulary filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FilterMethod {
    /// They become ***.
    #[default]
    Mask,
    /// They are left out.
    Remove,
    /// They stay, and are marked in the results.
    Tag,
}

/// A vocabulary filter per language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VocabularyFilter {
    /// How it acts.
    pub method: FilterMethod,
    /// Its names.
    pub names: PerLanguage,
}

impl FromStr for VocabularyFilter {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        let (method, names) = match text.split_once(':') {
            Some(("mask", names)) => (FilterMethod::Mask, names),
            Some(("remove", names)) => (FilterMethod::Remove, names),
            Some(("tag", names)) => (FilterMethod::Tag, names),
            Some(_) => return Err(OptionError("begin with mask, remove or tag, such as mask:en=NAME")),
            None => (FilterMethod::Mask, text),
        };
        Ok(Self { method, names: names.parse()? })
    }
}

/// Languages to choose from; empty when the session's own is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LanguageList(Vec<Language>);

impl LanguageList {
    /// The languages.
    #[must_use]
    pub fn languages(&self) -> &[Language] {
        &self.0
    }
}

impl FromStr for LanguageList {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        const FORM: OptionError =
            OptionError("give two to five different languages of the product, such as en,es, or none");
        if text == "none" {
            return Ok(Self::default());
        }
        let language = |code: &str| Language::try_new(code).ok().filter(|l| languages::transcribe(l).is_some());
        let list: Vec<Language> = text.split(',').map(language).collect::<Option<_>>().ok_or(FORM)?;
        let different: std::collections::BTreeSet<_> = list.iter().collect();
        if (2..=5).contains(&list.len()) && different.len() == list.len() { Ok(Self(list)) } else { Err(FORM) }
    }
}

/// How listeners are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Formality {
    /// As Translate likes.
    #[default]
    Unset,
    /// Formally.
    Formal,
    /// Informally.
    Informal,
}

impl FromStr for Formality {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "none" => Ok(Self::Unset),
            "formal" => Ok(Self::Formal),
            "informal" => Ok(Self::Informal),
            _ => Err(OptionError("use one of none, formal, informal")),
        }
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Switch {
    /// Off.
    #[default]
    Off,
    /// On.
    On,
}

impl FromStr for Switch {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            _ => Err(OptionError("use one of off, on")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vocabulary_belongs_to_a_language() {
        let vocabulary: PerLanguage = "en=hymns,es=himnos-2".parse().unwrap();
        let of = |code| vocabulary.of(&Language::try_new(code).unwrap());
        assert_eq!((of("en"), of("es"), of("de")), (Some("hymns"), Some("himnos-2"), None));
        assert_eq!("none".parse(), Ok(PerLanguage::default()));
    }

    #[test]
    fn a_variant_takes_the_place_of_the_usual_one() {
        let variants: Variants = "en=en-gb,pt=pt-PT".parse().unwrap();
        let spoken = |code| variants.spoken(&Language::try_new(code).unwrap());
        assert_eq!((spoken("en"), spoken("pt"), spoken("es")), (Some("en-GB"), Some("pt-PT"), Some("es-US")));
        assert!("en=pt-PT".parse::<Variants>().is_err() && "en-GB".parse::<Variants>().is_err());
        assert_eq!("none".parse(), Ok(Variants::default()));
    }

    #[test]
    fn a_filter_says_how_it_acts() {
        let filter: VocabularyFilter = "remove:en=rude".parse().unwrap();
        assert_eq!(filter.method, FilterMethod::Remove);
        assert_eq!(filter.names.of(&Language::try_new("en").unwrap()), Some("rude"));
    }

    #[test]
    fn a_list_to_identify_from_holds_two_to_five_different_languages() {
        assert_eq!("en,es".parse::<LanguageList>().unwrap().languages().len(), 2);
        for wrong in ["en", "en,en", "en,xx", "en,es,fr,de,it,pt", ""] {
            assert!(wrong.parse::<LanguageList>().is_err(), "{wrong}");
        }
    }
}
