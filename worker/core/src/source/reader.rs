//! Reading a KVS stream, for sessions that have no signaling channel.
//!
//! *Flow*: the connection is opened at the newest fragment, and after a break where it left off.
//! *Guarantees*: a stream allows five openings a second and three connections at once (KVS limits), so openings wait longer each time until audio
//! comes; a place that the service does not know any more is looked for by its time, and left for the newest fragment when it is not there
//! either, or too long ago to be captioned.
//! *Assumption*: a producer that pauses looks like a connection that hangs, so both are answered by opening anew, ever less often.

use crate::input::{MediaStreamEnd, MediaStreamEvent};
use crate::outbox::Outbox;
use crate::output::{MediaStart, Output};
use crate::source::link::{Existence, Link, LinkDue, OPEN_PATIENCE_MS, doubled};
use crate::time::MediaInstant;

/// First wait before the stream is opened again, ms; it doubles.
const REOPEN_FIRST_MS: u64 = 250;
/// Longest wait before the stream is opened again, ms.
const REOPEN_MOST_MS: u64 = 30_000;
/// Another reader, an old worker for example, holds one of the three connections: it needs time to leave, ms.
const BUSY_MS: u64 = 5_000;
/// Fragments last 20 s at the most (KVS limits): an open connection without any for so long is opened anew, ms; it doubles.
const STALL_FIRST_MS: u64 = 30_000;
/// The longest that an open connection is waited for, ms.
const STALL_MOST_MS: u64 = 300_000;
/// What was said while the connection was away for longer than this is not captioned any more, ms.
const RESUME_WITHIN_MS: u64 = 60_000;

/// The way to a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    state: Link,
    /// Openings in a row that brought no audio.
    fruitless: u32,
    /// Stalls in a row.
    stalls: u32,
    existence: Existence,
    /// Since when there is no connection; `None` before the first.
    away_since: Option<MediaInstant>,
    /// How the place where the last connection left off is found again; `None` when it is of no use.
    place: Option<MediaStart>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: Link::Idle,
            fruitless: 0,
            stalls: 0,
            existence: Existence::default(),
            away_since: None,
            place: None,
        }
    }
}

impl Reader {
    /// Begins; the second call changes nothing.
    pub(crate) fn start(&mut self, now: MediaInstant, out: &mut Outbox) {
        if self.state == Link::Idle {
            self.open(now, out);
        }
    }

    /// Ends the connection.
    pub(crate) fn stop(&mut self, out: &mut Outbox) {
        if self.state != Link::Idle {
            out.push(Output::CloseMedia);
        }
        self.state = Link::Idle;
    }

    /// Audio came.
    pub(crate) fn on_audio(&mut self) {
        (self.fruitless, self.stalls, self.place) = (0, 0, Some(MediaStart::Resume));
    }

    /// Whether the stream does not exist any more.
    pub(crate) fn stream_is_gone(&self) -> bool {
        self.existence.is_over()
    }

    /// Something came from the connection.
    pub(crate) fn on_event(&mut self, event: MediaStreamEvent, now: MediaInstant, out: &mut Outbox) {
        if self.state == Link::Idle {
            return;
        }
        match event {
            MediaStreamEvent::Opened => {
                self.existence.heard(false, now);
                self.state = Link::Open { since: now };
                out.fact("media_stream_open", "");
            }
            MediaStreamEvent::Notice(detail) => out.warn("media_stream", detail),
            MediaStreamEvent::Closed(end) => self.on_end(end, now, out),
        }
    }

    fn on_end(&mut self, end: MediaStreamEnd, now: MediaInstant, out: &mut Outbox) {
        let mut wait = doubled(REOPEN_FIRST_MS, REOPEN_MOST_MS, self.fruitless);
        self.fruitless = self.fruitless.saturating_add(1);
        self.existence.heard(matches!(end, MediaStreamEnd::Gone(_)), now);
        let (somebody_should_look, detail) = match end {
            MediaStreamEnd::Clean => (false, "the service ended it".to_owned()),
            MediaStreamEnd::Fault(detail) => (false, detail),
            MediaStreamEnd::Busy(detail) => {
                wait = wait.max(BUSY_MS);
                (true, detail)
            }
            MediaStreamEnd::PlaceLost(detail) => {
                self.place = self.place.filter(|place| *place == MediaStart::Resume).map(|_| MediaStart::Near);
                (true, detail)
            }
            MediaStreamEnd::Gone(detail) | MediaStreamEnd::Refused(detail) => {
                wait = wait.max(BUSY_MS);
                (true, detail)
            }
        };
        let detail = format!("{detail}; opened again in {wait} ms");
        if somebody_should_look {
            out.warn("media_stream_closed", detail);
        } else {
            out.fact("media_stream_closed", detail);
        }
        self.down(now.plus_ms(wait), now);
    }

    fn down(&mut self, retry_at: MediaInstant, now: MediaInstant) {
        if matches!(self.state, Link::Open { .. }) {
            self.away_since = Some(now);
        }
        self.state = Link::Down { retry_at };
    }

    fn open(&mut self, now: MediaInstant, out: &mut Outbox) {
        let away_ms = self.away_since.map_or(0, |at| now.since(at));
        if self.place.is_some() && away_ms > RESUME_WITHIN_MS {
            out.warn(
                "media_stream_skips",
                format!("{} s were not heard: the stream could not be read", away_ms / 1_000),
            );
            self.place = None;
        }
        self.state = Link::Opening { since: now };
        out.push(Output::OpenMedia(self.place.unwrap_or(MediaStart::Now)));
    }

    /// Does what is due. `heard_at` is the moment of the last audio.
    pub(crate) fn advance(&mut self, now: MediaInstant, heard_at: Option<MediaInstant>, out: &mut Outbox) {
        match self.state.due(now) {
            LinkDue::Nothing => {}
            LinkDue::Open => self.open(now, out),
            LinkDue::TooSlow => {
                out.push(Output::CloseMedia);
                self.on_end(MediaStreamEnd::Fault("it did not open in time".into()), now, out);
            }
        }
        if let Link::Open { since } = self.state
            && now >= self.stall_at(since, heard_at)
        {
            out.fact("media_stream_silent", "no fragment came; it is opened anew");
            out.push(Output::CloseMedia);
            self.stalls = self.stalls.saturating_add(1);
            self.down(now, now);
            self.open(now, out);
        }
    }

    fn stall_at(&self, since: MediaInstant, heard_at: Option<MediaInstant>) -> MediaInstant {
        let patience = doubled(STALL_FIRST_MS, STALL_MOST_MS, self.stalls);
        heard_at.map_or(since, |at| at.max(since)).plus_ms(patience)
    }

    /// When something is due.
    pub(crate) fn deadline(&self, heard_at: Option<MediaInstant>) -> Option<MediaInstant> {
        match self.state {
            Link::Idle => None,
            Link::Down { retry_at } => Some(retry_at),
            Link::Opening { since } => Some(since.plus_ms(OPEN_PATIENCE_MS)),
            Link::Open { since } => Some(self.stall_at(since, heard_at)),
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
