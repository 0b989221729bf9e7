//! The signaling connection: opened, renewed, and opened again, ever later and never faster than the service allows.

use crate::outbox::Outbox;
use crate::output::Output;
use crate::source::link::{Existence, Link, LinkDue, OPEN_PATIENCE_MS, doubled};
use crate::source::pace::Pace;
use crate::time::MediaInstant;

/// First wait before signaling is opened again, ms; it doubles.
const REOPEN_FIRST_MS: u64 = 1_000;
/// Longest wait before signaling is opened again, ms.
const REOPEN_MOST_MS: u64 = 30_000;
/// Connects in any second: the service takes 3 from all viewers of a channel (KVS WebRTC quotas), and we are not alone.
const CONNECTS: usize = 1;
/// A signaling connection that lived for so long was a good one, ms.
const STEADY_MS: u64 = 60_000;
/// So many short-lived connections in a row look like somebody else with our client id.
const DISPLACED: u32 = 3;

/// The connection to the channel.
#[derive(Debug)]
pub(super) struct Channel {
    link: Link,
    /// Openings in a row that did not live.
    reopened: u32,
    existence: Existence,
    connects: Pace,
}

impl Channel {
    pub(super) fn new() -> Self {
        Self { link: Link::Idle, reopened: 0, existence: Existence::default(), connects: Pace::new(CONNECTS) }
    }

    /// Begins; the second call changes nothing.
    pub(super) fn start(&mut self, now: MediaInstant, out: &mut Outbox) {
        if self.link == Link::Idle {
            self.open(now, out);
        }
    }

    /// Ends it.
    pub(super) fn stop(&mut self, out: &mut Outbox) {
        if self.link != Link::Idle {
            out.push(Output::CloseSignaling);
        }
        self.link = Link::Idle;
    }

    /// Whether messages can be sent.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.link, Link::Open { .. })
    }

    /// Whether it is wanted and asked for, or there.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.link, Link::Opening { .. } | Link::Open { .. })
    }

    /// Whether the channel does not exist any more.
    pub(super) fn is_gone(&self) -> bool {
        self.existence.is_over()
    }

    fn open(&mut self, now: MediaInstant, out: &mut Outbox) {
        if self.connects.take(now) {
            self.link = Link::Opening { since: now };
            out.push(Output::OpenSignaling);
        } else {
            self.link = Link::Down { retry_at: self.connects.ready_at() };
        }
    }

    pub(super) fn on_open(&mut self, now: MediaInstant, out: &mut Outbox) {
        self.link = Link::Open { since: now };
        self.existence.heard(false, now);
        out.fact("signaling_open", "");
    }

    pub(super) fn on_closed(&mut self, detail: &str, gone: bool, now: MediaInstant, out: &mut Outbox) {
        self.existence.heard(gone, now);
        if self.is_up() {
            let wait = self.reopen_later(now, out);
            out.fact("signaling_closed", format!("{detail}; opened again in {wait} ms, the media goes on"));
        }
    }

    /// The service closes the connection within a minute. One that has lived is renewed at once; a service that sends away who has just come
    /// is not asked again at once.
    pub(super) fn on_go_away(&mut self, now: MediaInstant, out: &mut Outbox) {
        if self.is_steady(now) {
            self.reopened = 0;
            self.renew("the service asks for it", now, out);
        } else if self.is_up() {
            out.push(Output::CloseSignaling);
            let wait = self.reopen_later(now, out);
            out.fact("signaling_closed", format!("the service sends us away; opened again in {wait} ms"));
        }
    }

    /// The connection is gone; gives how long it is waited before the next, ms. One that does not live is opened again later and later.
    fn reopen_later(&mut self, now: MediaInstant, out: &mut Outbox) -> u64 {
        if self.is_steady(now) {
            self.reopened = 0;
        } else if self.is_open() && self.reopened + 1 == DISPLACED {
            out.warn(
                "signaling_contested",
                "the channel is closed again and again soon after it was opened: another client may use this session's client id",
            );
        }
        let wait = doubled(REOPEN_FIRST_MS, REOPEN_MOST_MS, self.reopened);
        self.reopened = self.reopened.saturating_add(1);
        self.link = Link::Down { retry_at: now.plus_ms(wait) };
        wait
    }

    fn is_steady(&self, now: MediaInstant) -> bool {
        matches!(self.link, Link::Open { since } if now.since(since) >= STEADY_MS)
    }

    fn renew(&mut self, why: &str, now: MediaInstant, out: &mut Outbox) {
        out.fact("signaling_renewed", why);
        out.push(Output::CloseSignaling);
        self.open(now, out);
    }

    /// Does what is due; `renew_ms` is how old a connection may grow.
    pub(super) fn advance(&mut self, now: MediaInstant, renew_ms: u64, out: &mut Outbox) {
        match self.link.due(now) {
            LinkDue::Open => self.open(now, out),
            LinkDue::TooSlow => self.renew("it did not open in time", now, out),
            LinkDue::Nothing => {
                if matches!(self.link, Link::Open { since } if now.since(since) >= renew_ms) {
                    self.renew("its hour is nearly over", now, out);
                }
            }
        }
    }

    /// When something is due; `None` when it is not wanted.
    pub(super) fn deadline(&self, renew_ms: u64) -> Option<MediaInstant> {
        match self.link {
            Link::Idle => None,
            Link::Down { retry_at } => Some(retry_at),
            Link::Opening { since } => Some(since.plus_ms(OPEN_PATIENCE_MS)),
            Link::Open { since } => Some(since.plus_ms(renew_ms)),
        }
    }
}
