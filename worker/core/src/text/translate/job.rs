//! What a request consists of.

use crate::config::Timing;
use crate::input::TranslateFailure;
use crate::text::Shown;
use crate::text::commit::Commit;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::session::CaptionMode;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Something that stands, for everybody.
    Commit(Arc<Commit>),
    /// Something that may still change, for those who chose a mode.
    Open(OpenText),
}

/// The words of a segment that are not committed, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenText {
    /// Where it is from.
    pub(crate) shown: Shown,
    /// For those who chose this mode.
    pub(crate) mode: CaptionMode,
    /// It is what follows so many commits.
    pub(crate) behind: usize,
    /// The words.
    pub(crate) text: String,
}

impl What {
    pub(super) fn source(&self) -> &Language {
        match self {
            Self::Commit(commit) => &commit.source,
            Self::Open(open) => &open.shown.source,
        }
    }
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Commit(commit) => &commit.text,
            Self::Open(open) => &open.text,
        }
    }
    pub(super) fn key(&self, language: &Language) -> Key {
        let (segment, part) = match self {
            Self::Commit(commit) => (commit.segment, Part::Commit(commit.index)),
            Self::Open(open) => (open.shown.segment, Part::Open(open.mode)),
        };
        Key { segment, language: language.clone(), part }
    }
}

/// A part of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Commit(usize),
    Open(CaptionMode),
}

/// Of a part and language one text is translated at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) segment: u64,
    pub(super) language: Language,
    pub(super) part: Part,
}

impl Key {
    /// Whether it is translated for everybody, and for good.
    pub(super) fn stands(&self) -> bool {
        match self.part {
            Part::Commit(_) => true,
            Part::Open(_) => false,
        }
    }
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// What was to be translated.
    pub(crate) what: What,
    /// Into which language.
    pub(crate) language: Language,
    /// The translation; `None` when there is none, or none yet: of a commit it may still follow.
    pub(crate) text: Option<String>,
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

/// A text that is being translated, in as many calls as it needs.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) what: What,
    pub(super) parts: VecDeque<String>,
    pub(super) begun_at: MediaInstant,
    pub(super) translated: Vec<String>,
    pub(super) attempts: u32,
    pub(super) stage: Stage,
    pub(super) next: Option<OpenText>,
    /// It was answered with nothing; the translation may still follow.
    pub(super) told: bool,
}

impl Job {
    pub(super) fn new(what: What, parts: VecDeque<String>, now: MediaInstant) -> Self {
        let stage = Stage::Waiting { until: now };
        Self { what, parts, begun_at: now, translated: Vec::new(), attempts: 0, stage, next: None, told: false }
    }

    /// Whether this is what it was asked about last.
    pub(super) fn waits_for(&self, asked: &Asked) -> bool {
        matches!(self.stage, Stage::Asked { .. })
            && *self.what.source() == asked.from
            && self.parts.front().is_some_and(|part| *part == asked.text)
    }

    /// When it is answered with nothing, a commit after so long in all, what may change after one attempt; when a commit that was is not
    /// waited for any more.
    pub(super) fn gives_up_at(&self, key: &Key, timing: &Timing) -> MediaInstant {
        match self.stage {
            _ if self.told => self.begun_at.plus_ms(timing.translate_revise_ms),
            _ if key.stands() => self.begun_at.plus_ms(timing.translate_limit_ms),
            Stage::Asked { at, .. } => at.plus_ms(timing.translate_patience_ms),
            Stage::Waiting { until } => until.plus_ms(timing.translate_patience_ms),
        }
    }

    /// The next part is translated.
    pub(super) fn take(&mut self, translation: String) {
        if self.parts.pop_front().is_some() {
            self.translated.push(translation);
        }
    }

    /// The end of it.
    pub(super) fn done(&self, key: &Key, text: Option<String>) -> Done {
        Done { what: self.what.clone(), language: key.language.clone(), text }
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
