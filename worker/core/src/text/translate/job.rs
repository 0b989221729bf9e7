//! What a request consists of.

use super::carry_on;
use crate::config::Timing;
use crate::input::TranslateFailure;
use crate::text::Shown;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::session::CaptionMode;
use std::collections::VecDeque;

/// For whom something is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// For everybody, as a final.
    Final,
    /// For those who chose this mode, as a partial.
    Partial(CaptionMode),
}

/// Of a segment and language there is one for a purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) segment: u64,
    pub(super) language: Language,
    pub(super) purpose: Purpose,
}

impl Key {
    pub(super) fn is_final(&self) -> bool {
        self.purpose == Purpose::Final
    }
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// What was to be translated.
    pub(crate) shown: Shown,
    /// Into which language.
    pub(crate) language: Language,
    /// For whom.
    pub(crate) purpose: Purpose,
    /// The translation, part by part; `None` when there is none, or none yet: of a final it may still follow.
    pub(crate) parts: Option<Vec<String>>,
}

/// A text on its way, for whoever waits for it. Its answer is remembered whether or not anybody does by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) from: Language,
    pub(super) to: Language,
    pub(super) text: String,
    pub(super) at: MediaInstant,
}

impl Asked {
    /// Whether both ask for the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.text == other.text && self.to == other.to && self.from == other.from
    }
}

/// A text that is being translated, part by part.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) shown: Shown,
    pub(super) parts: VecDeque<String>,
    pub(super) begun_at: MediaInstant,
    pub(super) translated: Vec<String>,
    pub(super) attempts: u32,
    pub(super) stage: Stage,
    pub(super) next: Option<(Shown, Vec<String>)>,
    /// Its original has gone out; the translation may still follow.
    pub(super) told: bool,
}

impl Job {
    pub(super) fn new(shown: Shown, parts: VecDeque<String>, now: MediaInstant) -> Self {
        let stage = Stage::Waiting { until: now };
        Self { shown, parts, begun_at: now, translated: Vec::new(), attempts: 0, stage, next: None, told: false }
    }

    /// Whether this is what it was asked about last.
    pub(super) fn waits_for(&self, asked: &Asked) -> bool {
        matches!(self.stage, Stage::Asked { .. })
            && self.shown.source == asked.from
            && self.parts.front().is_some_and(|part| *part == asked.text)
    }

    /// When it is answered with nothing, a final after so long in all, a partial after one attempt; when a final that was is not
    /// waited for any more.
    pub(super) fn gives_up_at(&self, key: &Key, timing: &Timing) -> MediaInstant {
        match self.stage {
            _ if self.told => self.begun_at.plus_ms(timing.translate_revise_ms),
            _ if key.is_final() => self.begun_at.plus_ms(timing.translate_limit_ms),
            Stage::Asked { at, .. } => at.plus_ms(timing.translate_patience_ms),
            Stage::Waiting { until } => until.plus_ms(timing.translate_patience_ms),
        }
    }

    /// The next part is translated.
    pub(super) fn take(&mut self, translation: String, key: &Key) {
        let Some(part) = self.parts.pop_front() else { return };
        let text = if key.is_final() {
            translation
        } else {
            carry_on(self.translated.last(), &part, translation, &key.language)
        };
        self.translated.push(text);
    }

    /// The end of it.
    pub(super) fn done(&self, key: &Key, parts: Option<Vec<String>>) -> Done {
        Done { shown: self.shown.clone(), language: key.language.clone(), purpose: key.purpose, parts }
    }
}

/// What its first part waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Asked { at: MediaInstant, hedged: bool },
    Waiting { until: MediaInstant },
}

/// Of a language.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) failures: u32,
    pub(super) paused_until: MediaInstant,
}

/// Whether the same may succeed when it is tried again.
pub(super) fn may_help(failure: &TranslateFailure) -> bool {
    match failure {
        TranslateFailure::Throttled | TranslateFailure::Unavailable(_) => true,
        TranslateFailure::UnsupportedPair | TranslateFailure::UnknownTerminology | TranslateFailure::Refused(_) => {
            false
        }
    }
}

/// For the log.
pub(super) fn describe(failure: &TranslateFailure) -> &str {
    match failure {
        TranslateFailure::Throttled => "throttled",
        TranslateFailure::UnsupportedPair => "the pair is not supported",
        TranslateFailure::UnknownTerminology => "the terminology does not exist",
        TranslateFailure::Unavailable(detail) | TranslateFailure::Refused(detail) => detail,
    }
}

/// How many characters these texts have.
pub(super) fn length<'a>(parts: impl Iterator<Item = &'a String>) -> u64 {
    parts.map(|part| part.chars().count() as u64).sum()
}
