//! The worker's right to write and to post, and how long it goes on when the table does not answer.
//!
//! | what it sees of its row | what it does |
//! |---|---|
//! | a refused condition, or another generation | not another word, at once |
//! | a failure that is no outage (a missing right, a row that cannot be read) | it leaves when the lease is over |
//! | time-outs, 5xx, throttling, and nothing else | it stays past its lease, for `stay_ms` after the last write that was confirmed |
//!
//! Past its lease the controller may have launched the next generation, which it does when the table is away for this worker alone. So the
//! worker stays only as long as its *witness* stands: the signaling connection that was open when the lease ended. A successor joins with
//! the same client id, and that closes ours. The worker therefore opens no new one past its lease, since that would displace the successor. A KVS
//! stream has any number of readers, so there is no witness.
//!
//! *Guarantees*: past its lease nobody is told that the session ended (the successor may serve it); what is posted carries the generation, and
//! listeners follow the newest. *Caveat*: until the successor has spoken, and until a client that knows no generations is told otherwise by
//! the witness, words may be read twice.

use crate::config::{Source, Timing};
use crate::cx::Cx;
use crate::input::RowFailure;
use crate::outbox::Outbox;
use crate::time::MediaInstant;

/// A table that does not answer for so long is told to operators, ms.
const TOLD_AFTER_MS: u64 = 10_000;
/// An outage that is over is told for so long, ms.
const TOLD_FOR_MS: u64 = 600_000;

/// When it was confirmed last, and what has been seen since.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    confirmed: Option<MediaInstant>,
    /// The last failure since.
    failed: Option<RowFailure>,
    /// Whether one since was no outage.
    refused: bool,
    /// Whether it was said that the worker stays.
    said: bool,
    /// The last outage that was told, and its end.
    over: Option<(u64, MediaInstant)>,
}

/// How the lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The row may be written, and the session is ours.
    Held,
    /// Nobody knows: the table does not answer.
    Unknown,
    /// It is over.
    Over(&'static str),
}

impl Lease {
    /// A write that was issued then stands.
    pub(crate) fn confirm(&mut self, issued_at: MediaInstant, now: MediaInstant, out: &mut Outbox) {
        let before = self.confirmed_at();
        if self.confirmed.is_some_and(|at| at >= issued_at) {
            return;
        }
        let away_ms = now.since(before);
        if self.failed.is_some() && away_ms >= TOLD_AFTER_MS {
            self.over = Some((away_ms, now));
            out.fact("row_written_again", format!("after {} s", away_ms / 1_000));
        }
        let over = self.over;
        *self = Self { confirmed: Some(issued_at), over, ..Self::default() };
    }

    /// A write failed.
    pub(crate) fn failed(&mut self, failure: RowFailure) {
        self.refused |= match failure {
            RowFailure::Outage(_) => false,
            RowFailure::Refused(_) => true,
        };
        self.failed = Some(failure);
    }

    /// How long the row has not been written, ms.
    pub(crate) fn unwritten_ms(&self, now: MediaInstant) -> u64 {
        now.since(self.confirmed_at())
    }

    /// Whether another worker may hold the session by now.
    pub(crate) fn is_past(&self, now: MediaInstant, timing: &Timing) -> bool {
        self.unwritten_ms(now) >= timing.lease_ms
    }

    fn standing(&self, witness: Witness, now: MediaInstant, timing: &Timing) -> Standing {
        if !self.is_past(now, timing) {
            return Standing::Held;
        }
        // A process that was frozen has seen no failure either, and another may have its place.
        if self.confirmed.is_none() || self.failed.is_none() || self.refused {
            return Standing::Over("it could not be confirmed in time");
        }
        if self.unwritten_ms(now) >= timing.stay_ms {
            return Standing::Over("the table has not answered for too long");
        }
        match witness {
            Witness::Stands | Witness::None => Standing::Unknown,
            Witness::Gone => Standing::Over(
                "it could not be confirmed in time, and the signaling connection is closed: another worker may have joined in its place",
            ),
        }
    }

    fn deadline(&self, now: MediaInstant, timing: &Timing) -> MediaInstant {
        let most_ms = if self.is_past(now, timing) { timing.stay_ms } else { timing.lease_ms };
        self.confirmed_at().plus_ms(most_ms)
    }

    /// What operators read of it, as soon as the row can be written again.
    pub(crate) fn note(&self, now: MediaInstant) -> Option<String> {
        let away_ms = self.unwritten_ms(now);
        if let (Some(failure), true) = (&self.failed, away_ms >= TOLD_AFTER_MS) {
            return Some(format!(
                "This row could not be written for {} s; the worker went on meanwhile: {failure}",
                away_ms / 1_000
            ));
        }
        let (away_ms, at) = self.over.filter(|(_, at)| now.since(*at) < TOLD_FOR_MS)?;
        let minutes = now.since(at) / 60_000;
        Some(format!(
            "This row could not be written for {} s, until {minutes} min ago; the worker went on meanwhile.",
            away_ms / 1_000
        ))
    }

    fn confirmed_at(&self) -> MediaInstant {
        self.confirmed.unwrap_or_default()
    }
}

/// What tells that no other worker has joined the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// The signaling connection is open.
    Stands,
    /// It is not.
    Gone,
    /// There can be none.
    None,
}

fn witness(cx: &Cx) -> Witness {
    match cx.config.source {
        Source::Channel if cx.source.join.signaling_is_open() => Witness::Stands,
        Source::Channel => Witness::Gone,
        Source::Stream => Witness::None,
    }
}

/// Why the session is not ours any more, if it is not; says so when the worker begins to stay past its lease.
pub(crate) fn lost(cx: &mut Cx) -> Option<&'static str> {
    let (now, timing) = (cx.now, &cx.config.timing);
    match cx.life.lease.standing(witness(cx), now, timing) {
        Standing::Held => None,
        Standing::Over(how) => Some(how),
        Standing::Unknown => {
            if !std::mem::replace(&mut cx.life.lease.said, true) {
                let left_s = timing.stay_ms.saturating_sub(timing.lease_ms) / 1_000;
                let why = cx.life.lease.failed.as_ref().map_or_else(|| "no answer".to_owned(), ToString::to_string);
                let text = format!("{why}; the worker goes on for up to {left_s} s more");
                cx.out.warn("lease_unconfirmed", text);
            }
            None
        }
    }
}

/// Whether another worker may hold the session by now.
pub(crate) fn is_past(cx: &Cx) -> bool {
    cx.life.lease.is_past(cx.now, &cx.config.timing)
}

/// When it has to be looked at next.
pub(crate) fn due(cx: &Cx) -> MediaInstant {
    cx.life.lease.deadline(cx.now, &cx.config.timing)
}
