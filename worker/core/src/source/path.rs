//! Whether media finds a way to the worker, and if not, on whose side it looks blocked.
//!
//! *Flow*: it listens to what signaling and the peer say. A speaker who answers is there, so an answer without a connection
//! is a network that lets nothing through, not a speaker who never came. *Guarantee*: the sentence ends with the first connection or
//! packet. *Assumption*: the offer holds every candidate that could be gathered, so one without a relay or a reflexive address means that
//! no server answered us.

use crate::input::{PeerEvent, SignalingEvent};
use crate::time::MediaInstant;

/// What is known of the way.
#[derive(Debug, Default)]
pub(crate) struct MediaPath {
    offered: Offered,
    /// Candidates of the speaker since the last offer.
    candidates: u32,
    /// The answer that has brought no connection yet.
    answered_at: Option<MediaInstant>,
    /// The first answer of the row that brought none.
    blocked_since: Option<MediaInstant>,
    /// So many answers in a row brought none.
    fruitless: u32,
    unable: Option<Unable>,
}

/// Why a peer cannot even try.
#[derive(Debug)]
struct Unable {
    since: MediaInstant,
    why: String,
    /// What it was answered is to blame.
    answered: bool,
}

/// What our last offer could offer besides the worker's own address.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Offered {
    reflexive: bool,
    relay: bool,
}

/// No media gets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Since the first answer that brought no connection.
    pub(crate) since: MediaInstant,
    /// One line for the operator: what was seen, and where to look.
    pub(crate) text: String,
}

impl MediaPath {
    /// Something came from signaling.
    pub(crate) fn on_signaling(&mut self, event: &SignalingEvent, now: MediaInstant) {
        match event {
            SignalingEvent::Answer(_) => {
                self.answered_at.get_or_insert(now);
            }
            SignalingEvent::Candidate(_) => self.candidates = self.candidates.saturating_add(1),
            SignalingEvent::Connected
            | SignalingEvent::Closed { .. }
            | SignalingEvent::GoAway
            | SignalingEvent::ReconnectIceServer
            | SignalingEvent::Refused(_) => {}
        }
    }

    /// Something came from the peer. An answer is given `patience_ms` for its connection.
    pub(crate) fn on_peer(&mut self, event: &PeerEvent, now: MediaInstant, patience_ms: u64) {
        match event {
            PeerEvent::OfferReady(sdp) => {
                self.advance(now, patience_ms);
                (self.answered_at, self.candidates) = (None, 0);
                // The next peer could be made; whether its answer will be of use is not known before it comes.
                self.unable.take_if(|unable| !unable.answered);
                self.offered = Offered { reflexive: sdp.contains(" typ srflx"), relay: sdp.contains(" typ relay") };
            }
            PeerEvent::Connected => self.open(),
            PeerEvent::Unable(why) => {
                let answered = self.answered_at.take().is_some();
                let since = self.unable.take().map_or(now, |unable| unable.since);
                self.unable = Some(Unable { since, why: why.replace('\n', " "), answered });
            }
            PeerEvent::Failed(_) => {
                if let Some(at) = self.answered_at.take() {
                    self.note(at);
                }
            }
            PeerEvent::Disconnected => {}
        }
    }

    /// A connection, or a packet: there is a way.
    pub(crate) fn open(&mut self) {
        (self.answered_at, self.blocked_since, self.fruitless, self.unable) = (None, None, 0, None);
    }

    /// Counts an answer whose time is over.
    pub(crate) fn advance(&mut self, now: MediaInstant, patience_ms: u64) {
        if let Some(at) = self.answered_at.take_if(|at| now.since(*at) >= patience_ms) {
            self.note(at);
        }
    }

    /// When an answer's time is over.
    pub(crate) fn deadline(&self, patience_ms: u64) -> Option<MediaInstant> {
        self.answered_at.map(|at| at.plus_ms(patience_ms))
    }

    fn note(&mut self, answered_at: MediaInstant) {
        self.blocked_since.get_or_insert(answered_at);
        self.fruitless = self.fruitless.saturating_add(1);
    }

    /// That nothing gets through, when it looks so.
    pub(crate) fn blocked(&self) -> Option<Blocked> {
        if let Some(Unable { since, why, .. }) = &self.unable {
            return Some(Blocked { since: *since, text: format!("The worker cannot take audio: {why}.") });
        }
        let since = self.blocked_since?;
        let times = if self.fruitless == 1 { "once".to_owned() } else { format!("{} times", self.fruitless) };
        let text = format!("The speaker answered {times}, but no audio can get through: {}.", self.suspect());
        Some(Blocked { since, text })
    }

    fn suspect(&self) -> &'static str {
        match (self.offered, self.candidates) {
            (Offered { reflexive: false, relay: false }, _) => {
                "the worker reaches neither STUN nor TURN, so its own UDP is blocked; look at its subnet's route, network ACL and security group"
            }
            (Offered { relay: false, .. }, _) => {
                "the worker got no relay and no direct path works; let UDP 443 out, and ICE_PORTS in at its public address"
            }
            (Offered { relay: true, .. }, 0) => {
                "no direct path works, and no candidate of the speaker came, without which the worker's relay lets nobody in; let UDP in on ICE_PORTS at a public address, or patch the front end"
            }
            (Offered { relay: true, .. }, _) => {
                "the worker has a relay and knows the speaker's candidates, so UDP looks blocked on the speaker's side; try another network there"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: u64 = 15_000;

    fn answered(offer: &str, candidates: usize) -> MediaPath {
        let mut path = MediaPath::default();
        path.on_peer(&PeerEvent::OfferReady(offer.into()), MediaInstant(0), PATIENCE);
        path.on_signaling(&SignalingEvent::Answer("answer".into()), MediaInstant(1_000));
        for _ in 0..candidates {
            path.on_signaling(&SignalingEvent::Candidate("{}".into()), MediaInstant(1_100));
        }
        path
    }

    fn text(path: &MediaPath) -> String {
        path.blocked().map(|blocked| blocked.text).unwrap_or_default()
    }

    #[test]
    fn an_answer_without_a_connection_is_a_blocked_path_and_a_silent_speaker_is_none() {
        let mut path = answered("a=candidate:1 typ host", 0);
        path.advance(MediaInstant(15_999), PATIENCE);
        assert_eq!(path.blocked(), None, "it may still come");
        path.advance(MediaInstant(16_000), PATIENCE);
        assert_eq!(path.blocked().map(|blocked| blocked.since), Some(MediaInstant(1_000)));
        path.on_peer(&PeerEvent::OfferReady(String::new()), MediaInstant(17_000), PATIENCE);
        path.advance(MediaInstant(900_000), PATIENCE);
        assert!(text(&path).contains("answered once"), "nobody answers this offer, which proves nothing");
        path.on_signaling(&SignalingEvent::Answer("answer".into()), MediaInstant(900_000));
        path.on_peer(&PeerEvent::Failed("ICE".into()), MediaInstant(901_000), PATIENCE);
        assert!(text(&path).contains("answered 2 times"));
        path.open();
        path.on_peer(&PeerEvent::Failed("the speaker left".into()), MediaInstant(902_000), PATIENCE);
        assert_eq!(path.blocked(), None);
    }

    #[test]
    fn a_worker_that_cannot_even_try_says_why_and_blames_nobody_else() {
        let mut path = MediaPath::default();
        path.on_peer(&PeerEvent::Unable("no device\nadd one".into()), MediaInstant(2_000), PATIENCE);
        path.advance(MediaInstant(60_000), PATIENCE);
        assert_eq!(text(&path), "The worker cannot take audio: no device add one.");
        path.on_peer(&PeerEvent::Unable("no device".into()), MediaInstant(70_000), PATIENCE);
        assert_eq!(path.blocked().map(|blocked| blocked.since), Some(MediaInstant(2_000)), "the same trouble");
        path.on_peer(&PeerEvent::OfferReady(String::new()), MediaInstant(80_000), PATIENCE);
        assert_eq!(path.blocked(), None, "there is a device now");
    }

    #[test]
    fn an_answer_that_is_of_no_use_is_told_until_one_is() {
        let mut path = answered("typ host", 0);
        path.on_peer(&PeerEvent::Unable("no audio in the answer".into()), MediaInstant(2_000), PATIENCE);
        path.on_peer(&PeerEvent::OfferReady(String::new()), MediaInstant(3_000), PATIENCE);
        assert!(text(&path).contains("no audio in the answer"), "the next offer proves nothing");
        path.on_peer(&PeerEvent::Connected, MediaInstant(4_000), PATIENCE);
        assert_eq!(path.blocked(), None);
    }

    #[test]
    fn the_sentence_names_the_side_that_the_evidence_names() {
        let after = |offer: &str, candidates| {
            let mut path = answered(offer, candidates);
            path.advance(MediaInstant(60_000), PATIENCE);
            text(&path)
        };
        let (srflx, relay) = ("1 udp 1 192.0.2.1 9 typ srflx", "1 udp 1 192.0.2.2 9 typ relay");
        assert!(after("typ host", 3).contains("neither STUN nor TURN"));
        assert!(after(srflx, 3).contains("got no relay"));
        assert!(after(&format!("{srflx}\n{relay}"), 0).contains("no candidate of the speaker"));
        assert!(after(&format!("{srflx}\n{relay}"), 2).contains("speaker's side"));
        assert!([after("", 0), after(relay, 0)].iter().all(|text| text.contains("UDP") && !text.contains('\n')));
    }
}
