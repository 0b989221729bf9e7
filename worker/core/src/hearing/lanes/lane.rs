//! One lane: a stream, and how far its life has come.

use crate::config::Timing;
use crate::hearing::TimedResult;
use crate::hearing::demand::{Begin, Moment};
use crate::hearing::stream::{self, Stream};
use crate::input::StreamEnd;
use crate::outbox::Outbox;
use crate::time::MediaInstant;

/// Where two lanes are, the new one must open, and the old one must end, within so long, ms: audio and results wait in the meantime.
pub(super) const PATIENCE_MS: u64 = 3_000;

/// A stream gets no audio any more, and gives its last words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    /// Patience ends here.
    pub(super) until: MediaInstant,
    /// Where the next stream begins, if there is none yet.
    pub(super) begin: Begin,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stream: Stream,
    pub(super) drain: Option<Drain>,
    /// What it said while the lane before it drained.
    pub(super) held: Vec<TimedResult>,
    /// How it ended while the lane before it drained.
    pub(super) over: Option<StreamEnd>,
}

impl Lane {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, drain: None, held: Vec::new(), over: None }
    }

    /// Sends what is left; gives the samples sent.
    pub(super) fn send_rest(&mut self, at: &Moment, out: &mut Outbox) -> u64 {
        stream::send_rest(&mut self.stream, at.audio, out)
    }

    /// When patience with it is over, beside another or alone.
    pub(super) fn patience(&self, beside: bool, timing: &Timing) -> Option<MediaInstant> {
        let opening_ms = if beside { PATIENCE_MS } else { timing.stream_patience_ms };
        match self.drain {
            Some(_) if self.over.is_some() => None,
            Some(drain) => Some(drain.until),
            None => (!self.stream.opened).then(|| self.stream.since.plus_ms(opening_ms)),
        }
    }
}

/// What a stream that has given results is refused is something of its own, such as audio that cannot be decoded: nothing that the next
/// one would meet.
pub(super) fn of_this_stream(end: StreamEnd) -> StreamEnd {
    match end {
        StreamEnd::Refused(detail) => StreamEnd::Fault(format!("refused after it had given results: {detail}")),
        StreamEnd::Clean
        | StreamEnd::LimitExceeded(_)
        | StreamEnd::Throttled(_)
        | StreamEnd::Idle(_)
        | StreamEnd::Fault(_) => end,
    }
}

pub(super) fn describe(end: &StreamEnd) -> String {
    match end {
        StreamEnd::Clean => "the service ended the stream without an error".into(),
        StreamEnd::LimitExceeded(detail) => format!("stream limit reached: {detail}"),
        StreamEnd::Throttled(detail) => format!("throttled: {detail}"),
        StreamEnd::Refused(detail) => format!("refused: {detail}"),
        StreamEnd::Idle(detail) => format!("no audio came in time: {detail}"),
        StreamEnd::Fault(detail) => format!("fault: {detail}"),
    }
}
