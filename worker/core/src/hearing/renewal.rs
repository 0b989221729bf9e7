//! A stream takes over from another before Transcribe's longest duration.
//!
//! *Flow*: at a silence the new stream is opened while the old one waits; when it is open, the old one ends and gives its
//! last words; what the new one says in the meantime is held back, so that words come in the order of media time.
//! *Guarantees*: the audio before the silence is the old stream's and the audio after it the new one's, each sample once;
//! a new stream that does not open leaves the old one as it was; when the old one does not end as it should, the caller
//! replays what no final covers.

use super::Heard;
use super::stream::Stream;
use crate::input::StreamId;
use crate::time::MediaInstant;

/// A new stream must open, and an old one must end, within so long, ms; audio waits in the meantime.
const PATIENCE_MS: u64 = 3_000;

/// Where a renewal stands.
#[derive(Debug)]
pub(crate) enum Renewal {
    /// There is none.
    None,
    /// The new stream is being opened.
    Coming(Stream),
    /// The old stream gives its last words.
    Going { stream: Stream, until: MediaInstant, held: Vec<Heard> },
}

/// How a renewal came to its end.
#[derive(Debug)]
pub(crate) enum Over {
    /// The old stream goes on.
    Abandoned,
    /// The old stream has heard the media up to this sample; this was held back.
    Went { until_sample: u64, held: Vec<Heard> },
}

impl Renewal {
    pub(crate) fn going(stream: Stream, now: MediaInstant) -> Self {
        Self::Going { stream, until: now.plus_ms(PATIENCE_MS), held: Vec::new() }
    }
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
    pub(crate) fn is_coming(&self) -> bool {
        matches!(self, Self::Coming(_))
    }

    /// The other stream.
    pub(crate) fn stream(&self) -> Option<&Stream> {
        match self {
            Self::None => None,
            Self::Coming(stream) | Self::Going { stream, .. } => Some(stream),
        }
    }

    /// The stream that is to take over.
    pub(crate) fn coming(&mut self) -> Option<&mut Stream> {
        match self {
            Self::Coming(stream) => Some(stream),
            Self::None | Self::Going { .. } => None,
        }
    }

    /// The same, for good.
    pub(crate) fn take_coming(&mut self) -> Option<Stream> {
        match std::mem::replace(self, Self::None) {
            Self::Coming(stream) => Some(stream),
            other @ (Self::None | Self::Going { .. }) => {
                *self = other;
                None
            }
        }
    }

    /// No new stream is wanted any more: the one to be dropped.
    pub(crate) fn abandon(&mut self) -> Option<StreamId> {
        self.take_coming().map(|stream| stream.id)
    }

    /// A result of the stream in use: held back while the one before it still speaks.
    pub(crate) fn hold(&mut self, heard: Heard) -> Option<Heard> {
        match self {
            Self::Going { held, .. } => {
                held.push(heard);
                None
            }
            Self::None | Self::Coming(_) => Some(heard),
        }
    }

    /// The other stream is done.
    pub(crate) fn over(&mut self) -> Over {
        match std::mem::replace(self, Self::None) {
            Self::None | Self::Coming(_) => Over::Abandoned,
            Self::Going { stream, held, .. } => Over::Went { until_sample: stream.cursor, held },
        }
    }

    /// When patience is over.
    pub(crate) fn deadline(&self) -> Option<MediaInstant> {
        match self {
            Self::None => None,
            Self::Coming(stream) => Some(stream.since.plus_ms(PATIENCE_MS)),
            Self::Going { until, .. } => Some(*until),
        }
    }
}
