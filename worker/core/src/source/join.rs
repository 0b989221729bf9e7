//! Signaling and the negotiation of the peer connection.
//!
//! *Flow*: open signaling → a fresh peer gathers → its whole offer is sent, and sent again until it is answered.
//! *Guarantees*: losing signaling never touches the media; an offer waits 3 s for its answer, unless the connection that the answer would have come by
//! is gone, and longer where a master has shown that it needs longer; when RTP stops, ICE is restarted on the same peer first; a peer is replaced when it failed, when a restart did not help, when another page
//! answers, when two answers differ, when it did not come up, or before its relay credentials expire. Every retry waits, and waits longer; whatever
//! happens, connects, offers and fresh peers stay below the service's limits, because each takes its turn from a [`Pace`]. Candidates are never sent
//! one by one: the offer has all of them.
//! *Assumptions*: nobody tells that the speaker came, went or came back (KVS has no such message), so only RTP counts.

mod answers;
mod channel;
mod contest;
mod peer;

use self::answers::{Answer, Answers};
use self::channel::Channel;
use self::contest::Contest;
use self::peer::{Kind, Peer, RESTART_MS};
use crate::config::Timing;
use crate::input::{PeerEvent, SignalingEvent};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::source::link::doubled;
use crate::source::pace::Pace;
use crate::time::MediaInstant;
use schemas::worker::Media;

/// Offers in any second: the service takes 5 per connection, and what we send evenly may arrive in a heap.
const OFFERS: usize = 2;
/// Fresh peers in any second: each asks for relay servers, up to three times when it fails; the service answers 5 per channel.
const PEERS: usize = 1;
/// Gathering asks servers on the way: so long is patient, ms.
const GATHER_PATIENCE_MS: u64 = 30_000;
/// First wait after a peer that failed without ever carrying audio, ms; it doubles.
const FAILED_FIRST_MS: u64 = 500;
/// Longest such wait, ms.
const FAILED_MOST_MS: u64 = 15_000;
/// Candidates of a master that are kept while its answer is awaited.
const EARLY_CANDIDATES: usize = 64;
/// Repeats of an offer at the first interval, before the interval grows.
const EAGER_OFFERS: u32 = 20;
/// So often at the most the time between two offers is doubled for a master that is slow.
const MOST_UNHURRIED: u32 = 3;
/// And so long it is at the most because of that, ms.
const UNHURRIED_MS: u64 = 24_000;
/// A master that answers the first offer within so long is not slow, ms.
const QUICK_MS: u64 = 1_000;

/// The way to the speaker.
#[derive(Debug)]
pub(crate) struct Join {
    channel: Channel,
    peer: Peer,
    early_candidates: Vec<String>,
    /// Peers in a row that carried no audio.
    fruitless: u32,
    rtp_on_peer: bool,
    answers: Answers,
    contest: Contest,
    /// How often the newest peer's offer was sent.
    sent_on_peer: u32,
    /// How often the time between two offers is doubled: a master that begins anew with every repeat must be given the time to answer the first.
    unhurried: u32,
    offers: Pace,
    fresh_peers: Pace,
    peers: u32,
    restarts: u32,
}

impl Default for Join {
    fn default() -> Self {
        Self {
            channel: Channel::new(),
            peer: Peer::None,
            early_candidates: Vec::new(),
            fruitless: 0,
            rtp_on_peer: false,
            answers: Answers::default(),
            contest: Contest::default(),
            sent_on_peer: 0,
            unhurried: 0,
            offers: Pace::new(OFFERS),
            fresh_peers: Pace::new(PEERS),
            peers: 0,
            restarts: 0,
        }
    }
}

impl Join {
    /// Adds what only the negotiation knows.
    pub(crate) fn describe(&self, media: Media) -> Media {
        let (peers, ice_restarts, stolen) = (self.peers, self.restarts, self.contest.stolen);
        Media { state: self.peer.state(), peers, ice_restarts, stolen, ..media }
    }

    /// Begins; the second call changes nothing.
    pub(crate) fn start(&mut self, now: MediaInstant, out: &mut Outbox) {
        self.channel.start(now, out);
    }

    /// Whether the connection to the channel is open.
    pub(crate) fn signaling_is_open(&self) -> bool {
        self.channel.is_open()
    }

    /// Ends both connections.
    pub(crate) fn stop(&mut self, out: &mut Outbox) {
        self.channel.stop(out);
        if self.peer != Peer::None {
            out.push(Output::ClosePeer);
        }
        self.peer = Peer::None;
    }

    /// Something came from signaling.
    pub(crate) fn on_signaling(&mut self, event: SignalingEvent, now: MediaInstant, out: &mut Outbox) {
        match event {
            SignalingEvent::Connected => self.on_open(now, out),
            SignalingEvent::Closed { detail, gone } => self.channel.on_closed(&detail, gone, now, out),
            SignalingEvent::Answer(sdp) => self.on_answer(sdp, now, out),
            SignalingEvent::Candidate(candidate) => match self.peer {
                Peer::Answered { .. } | Peer::Connected { .. } => out.push(Output::AddCandidate(candidate)),
                Peer::Offering { .. } if self.early_candidates.len() < EARLY_CANDIDATES => {
                    self.early_candidates.push(candidate);
                }
                Peer::None | Peer::Gathering { .. } | Peer::Offering { .. } | Peer::Failed { .. } => {}
            },
            SignalingEvent::GoAway => self.channel.on_go_away(now, out),
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
        self.channel.is_gone()
    }

    /// The relay that carries the media goes away: a fresh peer is wanted although this one still works.
    pub(crate) fn leave_relay(&mut self) {
        self.peer = Peer::None;
    }

    fn on_open(&mut self, now: MediaInstant, out: &mut Outbox) {
        self.channel.on_open(now, out);
        if let Peer::Offering { next_at, .. } = &mut self.peer {
            // Its answer may have gone to the connection before.
            *next_at = now;
        }
    }

    fn on_answer(&mut self, sdp: String, now: MediaInstant, out: &mut Outbox) {
        self.learn_haste(&sdp, now, out);
        match self.peer {
            Peer::Offering { sent: 1.., kind, since, .. } => match self.answers.look_at(&sdp) {
                Answer::New { from_another_page } => self.apply(sdp, kind, since, from_another_page, now, out),
                Answer::Seen => out.fact("stale_answer", "it is for an older offer; the offer stands"),
            },
            Peer::Answered { kind: Kind::Fresh, .. } if self.answers.contradicts(&sdp) => {
                // One of the two is for an older offer, and nothing says which; an offer that was sent twice is answered with the same words.
                out.fact(
                    "answered_otherwise",
                    "another answer came before the first had connected: neither is trusted",
                );
                self.answers.remember(&sdp);
                self.peer = Peer::Failed { retry_at: now.plus_ms(self.failed_wait()) };
            }
            Peer::None
            | Peer::Gathering { .. }
            | Peer::Offering { .. }
            | Peer::Answered { .. }
            | Peer::Connected { .. }
            | Peer::Failed { .. } => self.answers.remember(&sdp),
        }
    }

    /// How long the master needs: one that answers the repeats of an offer, too, and each in other words, needs longer than we wait.
    fn learn_haste(&mut self, sdp: &str, now: MediaInstant, out: &mut Outbox) {
        match self.peer {
            Peer::Offering { sent: 1, since, .. } if now.since(since) <= QUICK_MS => self.unhurried = 0,
            Peer::Offering { sent: 1.., .. } => {}
            Peer::None
            | Peer::Gathering { .. }
            | Peer::Offering { .. }
            | Peer::Answered { .. }
            | Peer::Connected { .. }
            | Peer::Failed { .. } => {
                if self.sent_on_peer > 1 && self.unhurried < MOST_UNHURRIED && self.answers.contradicts(sdp) {
                    self.unhurried += 1;
                    out.fact(
                        "offers_slowed",
                        "the speaker answers each repeat of an offer anew: repeats wait twice as long",
                    );
                }
                // Once per peer: there may be as many answers as there were repeats.
                self.sent_on_peer = 0;
            }
        }
    }

    fn apply(
        &mut self,
        sdp: String,
        kind: Kind,
        offered_since: MediaInstant,
        from_another_page: bool,
        now: MediaInstant,
        out: &mut Outbox,
    ) {
        if self.contest.answer(now) {
            out.warn(
                "audio_contested",
                "the audio went elsewhere several times while the speaker was there: another viewer uses the channel; it is let be for a while",
            );
        }
        if kind == Kind::Restart && from_another_page {
            // Its connection is new, so ours must be too.
            out.fact("speaker_moved", "another page answers");
            self.peer = Peer::None;
            return;
        }
        out.push(Output::ApplyAnswer(sdp));
        for candidate in self.early_candidates.drain(..) {
            out.push(Output::AddCandidate(candidate));
        }
        // A restart is given one span for the whole of it.
        let since = if kind == Kind::Restart { offered_since } else { now };
        self.peer = Peer::Answered { since, kind };
        out.fact("answered", "");
    }

    /// How long to wait after a peer that failed: one that carried audio is missed at once, ms.
    fn failed_wait(&self) -> u64 {
        if self.rtp_on_peer { 0 } else { doubled(FAILED_FIRST_MS, FAILED_MOST_MS, self.fruitless) }
    }

    /// Something came from the peer connection.
    pub(crate) fn on_peer(&mut self, event: PeerEvent, now: MediaInstant, out: &mut Outbox) {
        match event {
            PeerEvent::OfferReady(offer) => {
                if let Peer::Gathering { since, kind } = self.peer {
                    let since = if kind == Kind::Restart { since } else { now };
                    self.peer = Peer::Offering { offer, since, kind, sent: 0, next_at: now };
                }
            }
            PeerEvent::Connected => {
                if matches!(self.peer, Peer::Answered { kind: Kind::Fresh, .. }) {
                    self.peer = Peer::Connected { since: now };
                    out.fact("peer_connected", "");
                }
            }
            PeerEvent::Disconnected => out.fact("peer_disconnected", "it may come back by itself"),
            PeerEvent::Failed(detail) | PeerEvent::Unable(detail) => {
                out.fact("peer_failed", detail);
                self.peer = Peer::Failed { retry_at: now.plus_ms(self.failed_wait()) };
            }
        }
    }

    /// RTP came.
    pub(crate) fn on_rtp(&mut self, now: MediaInstant) {
        if let Peer::Answered { kind: Kind::Restart, .. } = self.peer {
            self.peer = Peer::Connected { since: now };
        }
        self.rtp_on_peer = true;
        self.fruitless = 0;
    }

    /// Does what is due. `quiet_ms` is the time without RTP.
    pub(crate) fn advance(&mut self, now: MediaInstant, quiet_ms: Option<u64>, timing: &Timing, out: &mut Outbox) {
        self.channel.advance(now, timing.signaling_renew_ms, out);
        if !self.channel.is_open() {
            return;
        }
        if self.wants_restart(now, quiet_ms, timing) {
            out.fact("ice_restart", "no RTP");
            out.push(Output::RestartIce);
            self.restarts = self.restarts.saturating_add(1);
            self.contest.lose();
            self.early_candidates.clear();
            self.peer = Peer::Gathering { since: now, kind: Kind::Restart };
        } else if let Some(why) = self.reason_for_fresh_peer(now, quiet_ms, timing)
            && self.fresh_peers.take(now)
        {
            out.fact("new_peer", why);
            out.push(Output::NewPeer);
            self.fruitless = if self.rtp_on_peer { 0 } else { self.fruitless.saturating_add(1) };
            self.rtp_on_peer = false;
            self.early_candidates.clear();
            self.peers = self.peers.saturating_add(1);
            self.peer = Peer::Gathering { since: now, kind: Kind::Fresh };
        }
        self.offer(now, timing, out);
    }

    fn offer(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) {
        let Peer::Offering { offer, sent, next_at, .. } = &mut self.peer else { return };
        if now >= *next_at && self.offers.take(now) {
            out.push(Output::SendOffer(offer.clone()));
            self.contest.offer(now);
            *sent += 1;
            self.sent_on_peer = *sent;
            let steps = u64::from(sent.saturating_sub(EAGER_OFFERS));
            let eager = (timing.offer_retry_ms + steps * 500).min(timing.offer_retry_max_ms);
            *next_at = now.plus_ms((eager << self.unhurried).min(UNHURRIED_MS.max(eager)));
        }
    }

    fn reason_for_fresh_peer(&self, now: MediaInstant, quiet_ms: Option<u64>, timing: &Timing) -> Option<&'static str> {
        let late = |since: &MediaInstant, limit| now.since(*since) >= limit;
        match &self.peer {
            Peer::None => Some("none yet, or the last is of no use"),
            Peer::Failed { retry_at } => (now >= *retry_at).then_some("the last one failed"),
            Peer::Gathering { since, kind: Kind::Restart }
            | Peer::Offering { since, kind: Kind::Restart, .. }
            | Peer::Answered { since, kind: Kind::Restart } => {
                late(since, RESTART_MS).then_some("the ICE restart did not help")
            }
            Peer::Gathering { since, .. } => late(since, GATHER_PATIENCE_MS).then_some("gathering did not end"),
            Peer::Offering { since, .. } => late(since, timing.peer_fresh_ms).then_some("the offer grew old"),
            Peer::Answered { since, .. } => late(since, timing.connect_ms).then_some("it did not connect"),
            Peer::Connected { since } => {
                let quiet = quiet_ms.unwrap_or(u64::MAX).min(now.since(*since));
                (!self.rtp_on_peer && quiet >= self.stall_limit(timing)).then_some("no RTP")
            }
        }
    }

    /// A connected peer that carried audio is not given up before another path was tried.
    fn wants_restart(&self, now: MediaInstant, quiet_ms: Option<u64>, timing: &Timing) -> bool {
        let Peer::Connected { since } = self.peer else { return false };
        let quiet = quiet_ms.unwrap_or(u64::MAX).min(now.since(since));
        self.rtp_on_peer && quiet >= timing.stall_ms && self.contest.yields_until(now).is_none()
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
        let signaling = self.channel.deadline(timing.signaling_renew_ms)?;
        if !self.channel.is_open() {
            return Some(signaling);
        }
        let fresh = |at: MediaInstant| at.max(self.fresh_peers.ready_at());
        let peer = match &self.peer {
            Peer::None => fresh(MediaInstant(0)),
            Peer::Failed { retry_at } => fresh(*retry_at),
            Peer::Gathering { since, kind } => fresh(since.plus_ms(kind.limit(GATHER_PATIENCE_MS))),
            Peer::Answered { since, kind } => fresh(since.plus_ms(kind.limit(timing.connect_ms))),
            Peer::Offering { next_at, since, kind, .. } => {
                let again = (*next_at).max(self.offers.ready_at());
                again.min(fresh(since.plus_ms(kind.limit(timing.peer_fresh_ms))))
            }
            Peer::Connected { since } => {
                let stalled = rtp_at.map_or(*since, |at| at.max(*since)).plus_ms(self.stall_limit(timing));
                fresh(self.contest.yields_until(stalled).unwrap_or(stalled))
            }
        };
        earliest([Some(signaling), Some(peer)])
    }
}

#[cfg(test)]
mod tests;
