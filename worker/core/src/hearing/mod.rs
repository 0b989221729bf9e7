//! The audio, whether it is speech, and the transcription stream that hears it.

mod audio;
mod backoff;
mod clock;
mod demand;
mod level;
mod mute;
mod renewal;
mod ring;
mod session;
mod stream;
mod timeline;

pub(crate) use audio::{Audio, SAMPLES_PER_MS};
pub(crate) use clock::SpokenClock;
pub(crate) use demand::{Demand, Idle, Moment};
pub(crate) use session::Transcriber;

use crate::input::StreamId;
use schemas::ids::Language;

/// A word or a mark, in media time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// As written.
    pub(crate) text: String,
    /// A mark joins the word before it.
    pub(crate) mark: bool,
    /// Begin, ms.
    pub(crate) start_ms: u64,
    /// End, ms.
    pub(crate) end_ms: u64,
    /// The recogniser says that it will not change.
    pub(crate) stable: bool,
}

impl Word {
    /// The middle: on which side of a watermark the word belongs.
    pub(crate) fn middle_ms(&self) -> u64 {
        u64::midpoint(self.start_ms, self.end_ms)
    }
}

/// A result, in media time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Which stream heard it.
    pub(crate) stream: StreamId,
    /// The same through a segment.
    pub(crate) result_id: String,
    /// Whether it is the segment's last.
    pub(crate) is_final: bool,
    /// The language that was found, where the stream identifies it.
    pub(crate) language: Option<Language>,
    /// What was heard.
    pub(crate) words: Vec<Word>,
}
