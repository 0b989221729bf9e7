use super::*;
use schemas::worker::MediaState;

mod answers;
mod limits;

/// A join, and what it wanted so far.
struct Talk {
    join: Join,
    timing: Timing,
    now: MediaInstant,
    rtp_at: Option<MediaInstant>,
}

impl Talk {
    fn new() -> Self {
        Self { join: Join::default(), timing: Timing::default(), now: MediaInstant(0), rtp_at: None }
    }

    /// Lets time pass to this moment, with everything that is due on the way; gives what was wanted.
    fn until(&mut self, ms: u64) -> Vec<Output> {
        let mut out = Outbox::default();
        loop {
            self.join.advance(self.now, self.rtp_at.map(|at| self.now.since(at)), &self.timing, &mut out);
            let next = self.join.deadline(self.rtp_at, &self.timing).unwrap_or(MediaInstant(u64::MAX));
            if next.0 > ms {
                break;
            }
            self.now = next.max(self.now.plus_ms(1));
        }
        self.now = MediaInstant(ms);
        wanted(out)
    }

    fn signaling(&mut self, event: SignalingEvent) -> Vec<Output> {
        let mut out = Outbox::default();
        self.join.on_signaling(event, self.now, &mut out);
        wanted(out)
    }

    fn peer(&mut self, event: PeerEvent) {
        self.join.on_peer(event, self.now, &mut Outbox::default());
    }

    fn rtp(&mut self) {
        self.rtp_at = Some(self.now);
        self.join.on_rtp(self.now);
    }

    /// Up to an offer that was sent and not answered.
    fn offered() -> Self {
        let mut talk = Self::new();
        talk.join.start(talk.now, &mut Outbox::default());
        talk.signaling(SignalingEvent::Connected);
        talk.until(10);
        talk.peer(PeerEvent::OfferReady("offer".into()));
        talk.until(20);
        talk
    }

    /// Up to an answered peer that carries audio.
    fn connected() -> Self {
        let mut talk = Self::offered();
        talk.signaling(SignalingEvent::Answer("answer".into()));
        talk.peer(PeerEvent::Connected);
        talk.rtp();
        talk
    }
}

fn wanted(mut out: Outbox) -> Vec<Output> {
    std::iter::from_fn(|| out.pop()).filter(|o| !matches!(o, Output::Log(_))).collect()
}

fn count(outputs: &[Output], what: &Output) -> usize {
    outputs.iter().filter(|o| *o == what).count()
}

fn sdp(page: &str, ufrag: &str) -> String {
    format!("v=0\r\na=fingerprint:sha-256 {page}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:p\r\n")
}

#[test]
fn an_offer_that_nobody_answers_is_sent_again_and_renewed_before_its_credentials_expire() {
    let mut talk = Talk::new();
    talk.join.start(talk.now, &mut Outbox::default());
    talk.signaling(SignalingEvent::Connected);
    assert_eq!(talk.until(10), [Output::NewPeer]);
    talk.peer(PeerEvent::OfferReady("offer".into()));
    let sent = talk.until(30_010);
    assert_eq!(count(&sent, &Output::SendOffer("offer".into())), 11, "at once, then every 3 s");
    let later = talk.until(241_000);
    assert_eq!(count(&later, &Output::NewPeer), 1);
}

#[test]
fn candidates_that_come_before_the_answer_wait_for_it() {
    let mut talk = Talk::new();
    talk.join.start(talk.now, &mut Outbox::default());
    talk.signaling(SignalingEvent::Connected);
    talk.until(10);
    talk.peer(PeerEvent::OfferReady("offer".into()));
    talk.until(20);
    assert!(talk.signaling(SignalingEvent::Candidate("early".into())).is_empty());
    let answered = talk.signaling(SignalingEvent::Answer("answer".into()));
    assert_eq!(answered, [Output::ApplyAnswer("answer".into()), Output::AddCandidate("early".into())]);
    assert!(talk.signaling(SignalingEvent::Answer("again".into())).is_empty(), "a repeated offer is answered twice");
    assert_eq!(talk.signaling(SignalingEvent::Candidate("late".into())), [Output::AddCandidate("late".into())]);
}

#[test]
fn an_answer_to_an_offer_that_was_not_sent_yet_is_not_for_us() {
    let mut talk = Talk::new();
    talk.join.start(talk.now, &mut Outbox::default());
    talk.signaling(SignalingEvent::Connected);
    talk.until(10);
    assert!(talk.signaling(SignalingEvent::Answer("stale".into())).is_empty());
}

#[test]
fn two_seconds_without_rtp_bring_an_ice_restart_and_three_more_a_fresh_peer() {
    let mut talk = Talk::connected();
    assert!(talk.until(2_000).is_empty());
    assert_eq!(talk.until(2_100), [Output::RestartIce]);
    talk.peer(PeerEvent::OfferReady("restart".into()));
    assert_eq!(talk.until(5_000), [Output::SendOffer("restart".into())]);
    assert_eq!(talk.until(5_100), [Output::NewPeer]);
}

#[test]
fn an_ice_restart_that_brings_the_audio_back_leaves_the_peer_alone() {
    let mut talk = Talk::connected();
    talk.until(2_100);
    talk.peer(PeerEvent::OfferReady("restart".into()));
    talk.until(2_200);
    let answered = talk.signaling(SignalingEvent::Answer("answer".into()));
    assert_eq!(answered, [Output::ApplyAnswer("answer".into())]);
    talk.rtp();
    for second in 3..20 {
        assert!(talk.until(second * 1_000).is_empty());
        talk.rtp();
    }
    let media = talk.join.describe(Media::default());
    assert_eq!((media.peers, media.ice_restarts, media.stolen), (1, 1, 0));
}

#[test]
fn the_row_says_where_the_connection_stands() {
    let state = |talk: &Talk| talk.join.describe(Media::default()).state;
    let mut talk = Talk::new();
    assert_eq!(state(&talk), None);
    talk.join.start(talk.now, &mut Outbox::default());
    talk.signaling(SignalingEvent::Connected);
    talk.until(10);
    assert_eq!(state(&talk), Some(MediaState::Gathering));
    talk.peer(PeerEvent::OfferReady("offer".into()));
    assert_eq!(state(&talk), Some(MediaState::Offering));
    talk.signaling(SignalingEvent::Answer("answer".into()));
    assert_eq!(state(&talk), Some(MediaState::Offering), "it was not sent yet");
    talk.until(20);
    talk.signaling(SignalingEvent::Answer("answer".into()));
    assert_eq!(state(&talk), Some(MediaState::Connecting));
    talk.peer(PeerEvent::Connected);
    talk.rtp();
    assert_eq!(state(&talk), Some(MediaState::Connected));
    talk.until(3_000);
    assert_eq!(state(&talk), Some(MediaState::Restarting));
    talk.peer(PeerEvent::Failed("ICE".into()));
    assert_eq!(state(&talk), Some(MediaState::Failed));
}

#[test]
fn a_restart_that_another_page_answers_is_followed_by_a_fresh_peer_at_once() {
    let mut talk = Talk::connected();
    talk.until(2_100);
    talk.peer(PeerEvent::OfferReady("restart".into()));
    talk.until(2_200);
    assert!(talk.signaling(SignalingEvent::Answer("a=fingerprint:sha-256 AB".into())).is_empty());
    assert_eq!(talk.until(2_300), [Output::NewPeer]);
}

/// The audio stops; an answer follows at once; the audio comes back.
fn stolen_and_won_back(talk: &mut Talk) -> Vec<Output> {
    let begin = talk.now.0;
    let mut wanted = Vec::new();
    while !wanted.contains(&Output::RestartIce) && talk.now.0 < begin + 40_000 {
        let next = talk.now.0 + 100;
        wanted.extend(talk.until(next));
    }
    talk.peer(PeerEvent::OfferReady("restart".into()));
    let next = talk.now.0 + 100;
    wanted.extend(talk.until(next));
    wanted.extend(talk.signaling(SignalingEvent::Answer("answer".into())));
    talk.rtp();
    wanted
}

#[test]
fn a_viewer_that_steals_the_audio_is_fought_three_times_and_then_let_be_for_half_a_minute() {
    let mut talk = Talk::connected();
    let mut spans = Vec::new();
    for _ in 0..4 {
        let begin = talk.now;
        stolen_and_won_back(&mut talk);
        spans.push(talk.now.since(begin));
    }
    assert!(spans[..3].iter().all(|ms| *ms < 3_000), "{spans:?}");
    assert!((30_000..33_000).contains(&spans[3]), "{spans:?}");
    assert_eq!(talk.join.describe(Media::default()).stolen, 1);
}

#[test]
fn a_peer_that_cannot_even_be_made_is_tried_again_later_and_later() {
    let mut talk = Talk::new();
    talk.join.start(talk.now, &mut Outbox::default());
    talk.signaling(SignalingEvent::Connected);
    let mut made = 0;
    for _ in 0..600 {
        let next = talk.now.0 + 100;
        if talk.until(next).contains(&Output::NewPeer) {
            made += 1;
            talk.peer(PeerEvent::Failed("no port".into()));
        }
    }
    assert!((6..=10).contains(&made), "{made} in a minute");
}

#[test]
fn a_client_that_takes_our_id_is_not_fought_at_full_speed() {
    let mut talk = Talk::connected();
    let mut opened = 0;
    for _ in 0..600 {
        let next = talk.now.0 + 100;
        talk.rtp();
        opened += count(&talk.until(next), &Output::OpenSignaling);
        if talk.join.channel.is_up() {
            talk.signaling(SignalingEvent::Connected);
            talk.signaling(SignalingEvent::Closed { detail: "displaced".into(), gone: false });
        }
    }
    assert!((4..=7).contains(&opened), "{opened} in a minute");
}

#[test]
fn a_peer_that_never_carried_audio_is_given_longer_each_time() {
    let mut talk = Talk::connected();
    let mut spans = Vec::new();
    for _ in 0..6 {
        let begin = talk.now;
        while talk.until(talk.now.0 + 100).is_empty() {}
        spans.push(talk.now.since(begin));
        talk.peer(PeerEvent::OfferReady("offer".into()));
        talk.until(talk.now.0 + 10);
        talk.signaling(SignalingEvent::Answer("answer".into()));
        talk.peer(PeerEvent::Connected);
    }
    assert!(spans[1..].is_sorted() && spans[5] >= 8 * spans[0], "{spans:?}");
}

#[test]
fn losing_signaling_is_no_reason_to_touch_the_peer() {
    let mut talk = Talk::connected();
    talk.signaling(SignalingEvent::Closed { detail: "reset".into(), gone: false });
    talk.rtp();
    assert_eq!(talk.until(1_500), [Output::OpenSignaling]);
    talk.rtp();
    talk.signaling(SignalingEvent::GoAway);
    talk.signaling(SignalingEvent::Connected);
    assert!(talk.until(3_000).is_empty());
}

#[test]
fn signaling_is_renewed_before_its_hour_is_over() {
    let mut talk = Talk::connected();
    let mut wanted = Vec::new();
    for second in 1..3_600 {
        talk.rtp();
        wanted.extend(talk.until(second * 1_000));
        if wanted.last() == Some(&Output::OpenSignaling) {
            talk.signaling(SignalingEvent::Connected);
        }
    }
    assert_eq!(wanted, [Output::CloseSignaling, Output::OpenSignaling]);
}

#[test]
fn reopening_signaling_waits_longer_each_time_but_never_longer_than_half_a_minute() {
    let mut talk = Talk::connected();
    let mut waits = Vec::new();
    for _ in 0..10 {
        talk.signaling(SignalingEvent::Closed { detail: "refused".into(), gone: false });
        let begin = talk.now;
        talk.until(talk.join.deadline(None, &talk.timing).unwrap().0);
        waits.push(talk.now.since(begin));
    }
    assert!(waits.is_sorted() && waits[0] == 1_000 && waits[9] == 30_000, "{waits:?}");
}
