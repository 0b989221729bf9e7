//! Signaling and the negotiation of the peer connection.
//!
//! *Flow*: open signaling → a fresh peer gathers → its whole offer is sent, and sent again until it is answered.
//! *Guarantees*: losing signaling never touches the media; an offer waits at least 3 s for its answer; a peer is replaced
//! when it failed, when RTP stopped, when it did not come up, or before its relay credentials expire.
//! *Assumptions*: nobody tells that the speaker came, went or came back (KVS has no such message), so only RTP counts.

use crate::config::Timing;
use crate::input::{PeerEvent, SignalingEvent};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::time::MediaInstant;

/// First wait before signaling is opened again, ms; it doubles.
const REOPEN_FIRST_MS: u64 = 1_000;
/// Longest wait before signaling is opened again, ms.
const REOPEN_MOST_MS: u64 = 30_000;
/// A signaling channel that does not open within so long is tried anew, ms.
const OPEN_PATIENCE_MS: u64 = 15_000;
/// Gathering asks servers on the way: so long is patient, ms.
const GATHER_PATIENCE_MS: u64 = 30_000;
/// So many times in a row the channel must be said not to exist: a new channel is not known everywhere at once.
const GONE_STRIKES: u32 = 2;
/// Repeats of an offer at the first interval, before the interval grows.
const EAGER_OFFERS: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signaling {
    Idle,
    Down { retry_at: MediaInstant },
    Opening { since: MediaInstant },
    Up { since: MediaInstant },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Peer {
    None,
    Gathering { since: MediaInstant },
    Offering { offer: String, since: MediaInstant, sent: u32, next_at: MediaInstant },
    Answered { since: MediaInstant },
    Connected { since: MediaInstant },
    Failed,
}

/// The way to the speaker.
#[derive(Debug)]
pub(crate) struct Join {
    signaling: Signaling,
    reopened: u32,
    gone: u32,
    peer: Peer,
    early_candidates: Vec<String>,
    /// Peers in a row that carried no audio.
    fruitless: u32,
    rtp_on_peer: bool,
}

impl Join {
    pub(crate) fn new() -> Self {
        Self {
            signaling: Signaling::Idle,
            reopened: 0,
            gone: 0,
            peer: Peer::None,
            early_candidates: Vec::new(),
            fruitless: 0,
            rtp_on_peer: false,
        }
    }

    /// Begins; the second call changes nothing.
    pub(crate) fn start(&mut self, now: MediaInstant, out: &mut Outbox) {
        if self.signaling == Signaling::Idle {
            self.open(now, out);
        }
    }

    /// Ends both connections.
    pub(crate) fn stop(&mut self, out: &mut Outbox) {
        if self.signaling != Signaling::Idle {
            out.push(Output::CloseSignaling);
        }
        if self.peer != Peer::None {
            out.push(Output::ClosePeer);
        }
        (self.signaling, self.peer) = (Signaling::Idle, Peer::None);
    }

    fn open(&mut self, now: MediaInstant, out: &mut Outbox) {
        self.signaling = Signaling::Opening { since: now };
        out.push(Output::OpenSignaling);
    }

    /// Something came from signaling.
    pub(crate) fn on_signaling(&mut self, event: SignalingEvent, now: MediaInstant, out: &mut Outbox) {
        match event {
            SignalingEvent::Connected => {
                self.signaling = Signaling::Up { since: now };
                (self.reopened, self.gone) = (0, 0);
                out.fact("signaling_open", "");
            }
            SignalingEvent::Closed { detail, gone } => {
                self.gone = if gone { self.gone + 1 } else { 0 };
                if self.signaling != Signaling::Idle {
                    let wait = (REOPEN_FIRST_MS << self.reopened.min(8)).min(REOPEN_MOST_MS);
                    self.reopened += 1;
                    self.signaling = Signaling::Down { retry_at: now.plus_ms(wait) };
                    out.fact("signaling_closed", format!("{detail}; opened again in {wait} ms, the media goes on"));
                }
            }
            SignalingEvent::Answer(sdp) => self.on_answer(sdp, now, out),
            SignalingEvent::Candidate(candidate) => match self.peer {
                Peer::Answered { .. } | Peer::Connected { .. } => out.push(Output::AddCandidate(candidate)),
                Peer::Offering { .. } => self.early_candidates.push(candidate),
                Peer::None | Peer::Gathering { .. } | Peer::Failed => {}
            },
            SignalingEvent::GoAway => self.renew_signaling("the service asks for it", now, out),
            SignalingEvent::ReconnectIceServer => {
                out.fact("relay_going_away", "the next peer uses fresh servers");
                if !matches!(self.peer, Peer::Connected { .. }) {
                    self.peer = Peer::None;
                }
            }
            SignalingEvent::Refused(detail) => out.warn("signaling_refused", detail),
        }
    }

    /// Whether the channel does not exist any more.
    pub(crate) fn channel_is_gone(&self) -> bool {
        self.gone >= GONE_STRIKES
    }

    /// The relay that carries the media goes away: a fresh peer is wanted although this one still works.
    pub(crate) fn leave_relay(&mut self) {
        self.peer = Peer::Failed;
    }

    fn on_answer(&mut self, sdp: String, now: MediaInstant, out: &mut Outbox) {
        match self.peer {
            Peer::Offering { sent, .. } if sent > 0 => {
                out.push(Output::ApplyAnswer(sdp));
                for candidate in self.early_candidates.drain(..) {
                    out.push(Output::AddCandidate(candidate));
                }
                self.peer = Peer::Answered { since: now };
                out.fact("answered", "");
            }
            // An offer that was sent twice is answered twice; the first answer counts.
            Peer::Offering { .. }
            | Peer::None
            | Peer::Gathering { .. }
            | Peer::Answered { .. }
            | Peer::Connected { .. }
            | Peer::Failed => {}
        }
    }

    fn renew_signaling(&mut self, why: &str, now: MediaInstant, out: &mut Outbox) {
        out.fact("signaling_renewed", why);
        out.push(Output::CloseSignaling);
        self.open(now, out);
    }

    /// Something came from the peer connection.
    pub(crate) fn on_peer(&mut self, event: PeerEvent, now: MediaInstant, out: &mut Outbox) {
        match event {
            PeerEvent::OfferReady(offer) => {
                if matches!(self.peer, Peer::Gathering { .. }) {
                    self.peer = Peer::Offering { offer, since: now, sent: 0, next_at: now };
                }
            }
            PeerEvent::Connected => {
                if matches!(self.peer, Peer::Answered { .. }) {
                    self.peer = Peer::Connected { since: now };
                    out.fact("peer_connected", "");
                }
            }
            PeerEvent::Disconnected => out.fact("peer_disconnected", "it may come back by itself"),
            PeerEvent::Failed(detail) => {
                out.fact("peer_failed", detail);
                self.peer = Peer::Failed;
            }
        }
    }

    /// RTP came.
    pub(crate) fn on_rtp(&mut self) {
        self.rtp_on_peer = true;
        self.fruitless = 0;
    }

    /// Does what is due. `quiet_ms` is the time without RTP.
    pub(crate) fn advance(&mut self, now: MediaInstant, quiet_ms: Option<u64>, timing: &Timing, out: &mut Outbox) {
        match self.signaling {
            Signaling::Down { retry_at } if now >= retry_at => self.open(now, out),
            Signaling::Opening { since } if now.since(since) >= OPEN_PATIENCE_MS => {
                self.renew_signaling("it did not open in time", now, out);
            }
            Signaling::Up { since } if now.since(since) >= timing.signaling_renew_ms => {
                self.renew_signaling("its hour is nearly over", now, out);
            }
            Signaling::Idle | Signaling::Down { .. } | Signaling::Opening { .. } | Signaling::Up { .. } => {}
        }
        if !matches!(self.signaling, Signaling::Up { .. }) {
            return;
        }
        if let Some(why) = self.reason_for_fresh_peer(now, quiet_ms, timing) {
            out.fact("new_peer", why);
            out.push(Output::NewPeer);
            self.fruitless = if self.rtp_on_peer { 0 } else { self.fruitless.saturating_add(1) };
            self.rtp_on_peer = false;
            self.early_candidates.clear();
            self.peer = Peer::Gathering { since: now };
        }
        self.offer(now, timing, out);
    }

    fn offer(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) {
        let Peer::Offering { offer, sent, next_at, .. } = &mut self.peer else { return };
        if now >= *next_at {
            out.push(Output::SendOffer(offer.clone()));
            *sent += 1;
            let steps = u64::from(sent.saturating_sub(EAGER_OFFERS));
            *next_at = now.plus_ms((timing.offer_retry_ms + steps * 500).min(timing.offer_retry_max_ms));
        }
    }

    fn reason_for_fresh_peer(&self, now: MediaInstant, quiet_ms: Option<u64>, timing: &Timing) -> Option<&'static str> {
        match &self.peer {
            Peer::None => Some("none yet"),
            Peer::Failed => Some("the last one failed"),
            Peer::Gathering { since } if now.since(*since) >= GATHER_PATIENCE_MS => Some("gathering did not end"),
            Peer::Offering { since, .. } if now.since(*since) >= timing.peer_fresh_ms => Some("the offer grew old"),
            Peer::Answered { since } if now.since(*since) >= timing.connect_ms => Some("it did not connect"),
            Peer::Connected { since } => {
                let limit = self.stall_limit(timing);
                let quiet = quiet_ms.unwrap_or(u64::MAX).min(now.since(*since));
                (quiet >= limit).then_some("no RTP")
            }
            Peer::Gathering { .. } | Peer::Offering { .. } | Peer::Answered { .. } => None,
        }
    }

    /// A peer that carried audio is missed soon; one that never did is given longer each time.
    fn stall_limit(&self, timing: &Timing) -> u64 {
        if self.rtp_on_peer {
            timing.stall_ms
        } else {
            (timing.stall_ms << self.fruitless.min(5)).max(timing.stall_ms * 2)
        }
    }

    /// When something is due.
    pub(crate) fn deadline(&self, rtp_at: Option<MediaInstant>, timing: &Timing) -> Option<MediaInstant> {
        let signaling = match self.signaling {
            Signaling::Idle => return None,
            Signaling::Down { retry_at } => return Some(retry_at),
            Signaling::Opening { since } => return Some(since.plus_ms(OPEN_PATIENCE_MS)),
            Signaling::Up { since } => since.plus_ms(timing.signaling_renew_ms),
        };
        let peer = match &self.peer {
            Peer::None | Peer::Failed => None,
            Peer::Gathering { since } => Some(since.plus_ms(GATHER_PATIENCE_MS)),
            Peer::Answered { since } => Some(since.plus_ms(timing.connect_ms)),
            Peer::Offering { next_at, since, .. } => Some((*next_at).min(since.plus_ms(timing.peer_fresh_ms))),
            Peer::Connected { since } => {
                Some(rtp_at.map_or(*since, |at| at.max(*since)).plus_ms(self.stall_limit(timing)))
            }
        };
        earliest([Some(signaling), peer])
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
