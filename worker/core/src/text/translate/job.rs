//! What a request consists of.

use super::carry_on;
use crate::input::TranslationId;
use crate::text::Shown;
use crate::time::MediaInstant;
use schemas::ids::Language;
use std::collections::VecDeque;

/// Of a segment and language there is one of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) segment: u64,
    pub(super) language: Language,
    pub(super) is_final: bool,
}

/// A text that is being translated, part by part.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) shown: Shown,
    pub(super) parts: VecDeque<String>,
    pub(super) translated: Vec<String>,
    pub(super) attempts: u32,
    pub(super) stage: Stage,
    pub(super) next: Option<(Shown, Vec<String>)>,
}

impl Job {
    /// The next part is translated.
    pub(super) fn take(&mut self, translation: String, key: &Key) {
        let Some(part) = self.parts.pop_front() else { return };
        let text = if key.is_final {
            translation
        } else {
            carry_on(self.translated.last(), &part, translation, &key.language)
        };
        self.translated.push(text);
    }
}

/// What its first part waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Asked { id: TranslationId, at: MediaInstant },
    Waiting { until: MediaInstant },
}

/// Of a language.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) failures: u32,
    pub(super) paused_until: MediaInstant,
}
