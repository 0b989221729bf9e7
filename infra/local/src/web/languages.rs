//! What can be spoken, read and translated on this machine.

use serde_json::{Value, json};

use crate::translate::{self, TranslateConfig};

/// What the page offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Languages {
    /// What can be spoken.
    pub spoken: Vec<String>,
    /// What can be read; those with an engine first, then the spoken ones.
    pub offered: Vec<String>,
    /// Who translates in Amazon Translate's place.
    pub translator: String,
    /// What it translates into.
    pub translated: Vec<String>,
}

impl Languages {
    /// Of a recogniser that understands `spoken`, and the engines that are installed.
    pub fn of(spoken: &str, translate: &TranslateConfig) -> Self {
        let translated = translate.translated_from(spoken);
        let here = translated.iter().cloned().chain([spoken.to_owned()]);
        let rest = translate::codes().map(str::to_owned).filter(|code| code != spoken && !translated.contains(code));
        let offered = here.chain(rest).collect();
        Self { spoken: vec![spoken.to_owned()], offered, translator: translate::ENGINE.to_owned(), translated }
    }

    /// As the page reads it.
    pub(super) fn json(&self) -> Value {
        json!({
            "sourceLanguages": self.spoken,
            "languages": self.offered,
            "translator": { "name": self.translator, "languages": self.translated },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_with_an_engine_come_first_and_each_comes_once() {
        let modes = std::env::temp_dir().join(format!("modes-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&modes).unwrap();
        for mode in ["eng-spa.mode", "spa-fra.mode", "spa-eng.mode"] {
            std::fs::write(modes.join(mode), "").unwrap();
        }
        let languages = Languages::of("en", &TranslateConfig { modes: modes.clone(), ..TranslateConfig::default() });
        std::fs::remove_dir_all(modes).unwrap();
        assert_eq!(languages.translated, ["fr", "es"], "also by way of another language");
        assert_eq!(languages.offered[..3], ["fr", "es", "en"]);
        assert!(languages.offered.iter().any(|code| code == "ar"), "the others are marked when they are read");
        let mut each = languages.offered.clone();
        each.sort();
        each.dedup();
        assert_eq!(each.len(), languages.offered.len());
        assert!(each.iter().all(|code| code.len() == 2), "as listeners choose them");
    }

    #[test]
    fn without_an_engine_nothing_is_said_to_be_translated() {
        let config = TranslateConfig { modes: "/nowhere".into(), ..TranslateConfig::default() };
        let languages = Languages::of("en", &config);
        assert_eq!((languages.translated.len(), languages.offered[0].as_str()), (0, "en"));
    }
}
