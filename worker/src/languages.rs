//! One table of languages: the product's two letters, Transcribe's code, Translate's code. They are not one to one
//! (Transcribe developer guide, supported languages; Translate developer guide, supported languages).

use aws_sdk_transcribestreaming::types::LanguageCode;
use schemas::ids::Language;

/// The product's speaking languages with Transcribe's code. Where Transcribe knows several regions, the one with the most
/// features or speakers is taken.
const SPOKEN: [(&str, &str); 19] = [
    ("en", "en-US"),
    ("es", "es-US"),
    ("fr", "fr-FR"),
    ("de", "de-DE"),
    ("it", "it-IT"),
    ("pt", "pt-BR"),
    ("ru", "ru-RU"),
    ("ja", "ja-JP"),
    ("ko", "ko-KR"),
    ("zh", "zh-CN"),
    ("ar", "ar-SA"),
    ("hi", "hi-IN"),
    ("nl", "nl-NL"),
    ("pl", "pl-PL"),
    ("tr", "tr-TR"),
    ("sv", "sv-SE"),
    ("da", "da-DK"),
    ("no", "no-NO"),
    ("fi", "fi-FI"),
];

/// Two-letter codes that browsers still send, and what Translate calls them.
const ALIASES: [(&str, &str); 6] = [("nb", "no"), ("nn", "no"), ("iw", "he"), ("in", "id"), ("sh", "sr"), ("mo", "ro")];

/// Transcribe's code of a language that speakers choose; `None` for one that it cannot stream.
#[must_use]
pub fn transcribe(language: &Language) -> Option<&'static str> {
    SPOKEN.iter().find(|(code, _)| *code == language.as_str()).map(|(_, transcribe)| *transcribe)
}

/// Transcribe's spelling of a variant of this language (`en-gb` of `en` is `en-GB`); `None` when it streams none such.
#[must_use]
pub fn variant(language: &Language, code: &str) -> Option<&'static str> {
    let of_language = code.split('-').next().is_some_and(|short| short.eq_ignore_ascii_case(language.as_str()));
    let known = || LanguageCode::values().iter().find(|known| known.eq_ignore_ascii_case(code)).copied();
    of_language.then(known).flatten()
}

/// The product's language of a Transcribe code: `zh-TW` and `zh-HK` are both `zh`, `pt-PT` is `pt`.
#[must_use]
pub fn from_transcribe(code: &str) -> Option<Language> {
    Language::try_new(code.split('-').next()?).ok()
}

/// Translate's code of a two-letter language.
#[must_use]
pub fn translate(language: &Language) -> &str {
    ALIASES.iter().find(|(code, _)| *code == language.as_str()).map_or(language.as_str(), |(_, translate)| *translate)
}

/// Translate's code of what was spoken, by Transcribe's code: regions that Translate tells apart keep theirs. `None` where
/// Translate has no counterpart.
#[must_use]
pub fn translate_of_spoken(code: &str) -> Option<&str> {
    match code {
        "zh-TW" | "pt-PT" | "es-MX" | "fr-CA" | "fa-AF" => Some(code),
        // Cantonese is no target or source of Translate; its writing is the traditional one.
        "zh-HK" => Some("zh-TW"),
        _ => {
            let short = code.split('-').next()?;
            let unknown = ["ckb", "kab", "jv", "su", "lg", "eu", "gl", "be", "km", "my", "ne", "or", "zu"];
            (!unknown.contains(&short)).then_some(short)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_of_the_product_can_be_streamed() {
        for code in schemas::session::LANGUAGES {
            let language = Language::try_new(code).unwrap();
            let spoken = transcribe(&language).unwrap_or_else(|| panic!("{code}"));
            assert!(LanguageCode::values().contains(&spoken), "{spoken}");
            assert_eq!(from_transcribe(spoken), Some(language.clone()));
            assert_eq!(translate_of_spoken(spoken), Some(translate(&language)));
        }
        assert_eq!(transcribe(&Language::try_new("xx").unwrap()), None);
    }

    #[test]
    fn the_traps_between_transcribe_and_translate_are_known() {
        let table = [
            ("zh-CN", Some("zh")),
            ("zh-TW", Some("zh-TW")),
            ("zh-HK", Some("zh-TW")),
            ("pt-BR", Some("pt")),
            ("pt-PT", Some("pt-PT")),
            ("es-US", Some("es")),
            ("es-ES", Some("es")),
            ("es-MX", Some("es-MX")),
            ("fr-CA", Some("fr-CA")),
            ("en-WL", Some("en")),
            ("no-NO", Some("no")),
            ("de-CH", Some("de")),
            ("ar-AE", Some("ar")),
            ("tl-PH", Some("tl")),
            ("eu-ES", None),
            ("ckb-IQ", None),
            ("zu-ZA", None),
        ];
        for (spoken, expected) in table {
            assert_eq!(translate_of_spoken(spoken), expected, "{spoken}");
        }
    }

    #[test]
    fn a_variant_is_one_of_its_language() {
        let [en, pt] = ["en", "pt"].map(|code| Language::try_new(code).unwrap());
        assert_eq!(variant(&en, "en-gb"), Some("en-GB"));
        assert_eq!(variant(&pt, "pt-PT").and_then(translate_of_spoken), Some("pt-PT"));
        for (language, code) in [(&en, "pt-PT"), (&en, "en-XX"), (&en, "en"), (&pt, "")] {
            assert_eq!(variant(language, code), None, "{code}");
        }
    }

    #[test]
    fn old_codes_of_browsers_are_understood() {
        for (code, expected) in [("nb", "no"), ("iw", "he"), ("ca", "ca"), ("es", "es")] {
            assert_eq!(translate(&Language::try_new(code).unwrap()), expected);
        }
    }
}
