//! Whether a stream is wanted, and where it begins.

use super::gate;
use crate::config::{ListenPolicy, Timing};
use crate::cx::Cx;
use crate::hearing::Audio;
use crate::time::MediaInstant;
use schemas::ids::Language;

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: MediaInstant,
    pub(crate) audio: &'a Audio,
    /// The stream is open to try whether a sound is speech.
    pub(crate) tries: bool,
    pub(crate) timing: &'a Timing,
}

/// Whether a stream is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// In this language.
    Stream(Language),
    /// Not now, and for this reason.
    None(Idle),
}

/// Whether and in which language a stream is wanted now.
pub(crate) fn demand(cx: &Cx) -> Demand {
    let quiet = cx.hearing.audio.quiet_for(cx.now);
    match &cx.life.cycle.language {
        _ if !cx.life.cycle.is_serving() => Demand::None(Idle::Ending),
        None => Demand::None(Idle::NotReady),
        Some(_) if cx.life.cycle.is_paused() => Demand::None(Idle::Paused),
        Some(_) if quiet.is_none_or(|ms| ms >= cx.config.timing.idle_close_ms) => Demand::None(Idle::NoAudio),
        Some(_) if is_unheard(cx) => Demand::None(Idle::NobodyListens),
        Some(_) if gate::is_silent(cx) => Demand::None(Idle::Silence),
        Some(language) => Demand::Stream(language.clone()),
    }
}

/// Whether nobody would read the captions. A listener whose network fails comes back within seconds, to a stream that is open.
fn is_unheard(cx: &Cx) -> bool {
    let lingers = cx.hearing.lanes.is_open();
    let patience_ms = if lingers { cx.config.timing.linger_ms } else { 0 };
    let gone = cx.audience.nobody_for(cx.now).is_some_and(|ms| ms >= patience_ms);
    gone && cx.config.listen == ListenPolicy::WhenHeard
}

/// When a stream that is open for nobody ends.
pub(crate) fn unheard_at(cx: &Cx) -> Option<MediaInstant> {
    let lingers = cx.config.listen == ListenPolicy::WhenHeard && cx.hearing.lanes.is_open();
    let gone_ms = cx.audience.nobody_for(cx.now).filter(|_| lingers)?;
    Some(cx.now.plus_ms(cx.config.timing.linger_ms.saturating_sub(gone_ms)))
}

/// Why no stream is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The row was not read yet.
    NotReady,
    /// The session is paused.
    Paused,
    /// Nobody would read the captions.
    NobodyListens,
    /// The speaker's audio has stopped.
    NoAudio,
    /// The speaker is silent for long.
    Silence,
    /// The session ends.
    Ending,
}

impl Idle {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NotReady => "the row was not read yet",
            Self::Paused => "the session is paused",
            Self::NobodyListens => "nobody listens",
            Self::NoAudio => "no audio comes",
            Self::Silence => "the speaker is silent",
            Self::Ending => "the session ends",
        }
    }

    /// What was said while nobody listened is not heard later, save the last moments; nothing else is left out.
    pub(crate) fn begin_after(self, cursor: u64) -> Begin {
        match self {
            Self::NobodyListens => Begin::Preroll,
            Self::NoAudio => Begin::At(cursor),
            Self::Silence => Begin::Onset(cursor),
            Self::NotReady | Self::Paused | Self::Ending => Begin::Watermark,
        }
    }
}

/// Where the next stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At the watermark.
    Watermark,
    /// A little before now, but not before the watermark: what was said while no stream was wanted is not paid for.
    Preroll,
    /// At this media sample: everything before it was heard.
    At(u64),
    /// A little before what the gate opened for, but not before this media sample: everything before it was heard.
    Onset(u64),
}

impl Begin {
    /// The same, when what was sent last was perhaps not heard.
    pub(crate) fn unheard(self) -> Self {
        match self {
            Self::Watermark | Self::At(_) => Self::Watermark,
            Self::Preroll => Self::Preroll,
            Self::Onset(cursor) => Self::Onset(cursor),
        }
    }
}
