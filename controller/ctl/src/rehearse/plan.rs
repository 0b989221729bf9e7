//! Who listens, and when they come.

use schemas::ids::Language;
use schemas::session::{CaptionMode, LANGUAGES};
use std::str::FromStr;

/// One listener of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerPlan {
    /// The language that they listen in.
    pub language: Language,
    /// How settled a text must be before they see it.
    pub mode: CaptionMode,
    /// Seconds after the begin of the speech at which they join; `None` for those who are there before it.
    pub late_s: Option<u32>,
}

impl ListenerPlan {
    /// As on the command line: `es`, `es:stable`, `es@12`.
    #[must_use]
    pub fn label(&self) -> String {
        let late = self.late_s.map_or_else(String::new, |seconds| format!("@{seconds}"));
        let mode = self.mode_text().map_or_else(String::new, |mode| format!(":{mode}"));
        format!("{}{mode}{late}", self.language)
    }

    /// What they tell the service of it.
    #[must_use]
    pub fn mode_text(&self) -> Option<&'static str> {
        match self.mode {
            CaptionMode::Usual => None,
            CaptionMode::Stable => Some("stable"),
            CaptionMode::Fast => Some("fast"),
        }
    }
}

impl FromStr for ListenerPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (who, late) = match text.split_once('@') {
            Some((who, seconds)) => (who, Some(seconds)),
            None => (text, None),
        };
        let (language, mode) = match who.split_once(':') {
            None => (who, CaptionMode::Usual),
            Some((language, "stable")) => (language, CaptionMode::Stable),
            Some((language, "fast")) => (language, CaptionMode::Fast),
            Some((_, other)) => {
                return Err(format!("{text:?}: {other:?} is no way to read; use stable or fast, as in es:stable"));
            }
        };
        let language = Language::try_new(language).map_err(|e| e.to_string())?;
        let late_s = late
            .map(|s| s.parse().map_err(|_| format!("{text:?}: expected seconds after the @, as in es@12")))
            .transpose()?;
        Ok(Self { language, mode, late_s })
    }
}

/// Why these listeners cannot hear this speech; `None` when they can.
#[must_use]
pub fn objection(listeners: &[ListenerPlan], source: &Language, speech_ms: u64) -> Option<String> {
    if !LANGUAGES.contains(&source.as_str()) {
        return Some(format!("--source {source}: the product offers {}", LANGUAGES.join(" ")));
    }
    let too_late = |l: &&ListenerPlan| l.late_s.is_some_and(|s| u64::from(s) * 1000 >= speech_ms);
    listeners.iter().find(too_late).map(|l| {
        let seconds = speech_ms / 1000;
        format!("--listeners {}: the speech is over after {seconds} s; let them join earlier", l.label())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> ListenerPlan {
        text.parse().unwrap()
    }

    #[test]
    fn a_listener_is_written_as_it_is_read() {
        for text in ["es", "ca@12", "es:stable", "es:fast@12"] {
            assert_eq!(plan(text).label(), text);
        }
    }

    #[test]
    fn what_is_no_listener_says_what_was_expected() {
        for text in ["", "spanish", "ES", "es@", "es@soon", "es@-1", "es:", "es:slow", "es@12:fast"] {
            assert!(text.parse::<ListenerPlan>().is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_can_join_a_speech_that_is_over() {
        let en = Language::try_new("en").unwrap();
        assert!(objection(&[plan("es"), plan("ca@12")], &en, 12_000).unwrap().contains("ca@12"));
        assert_eq!(objection(&[plan("es"), plan("ca@12")], &en, 12_001), None);
    }
}
