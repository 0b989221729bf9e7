use super::*;
use crate::pace::most_in_a_second;
use proptest::prelude::*;
use std::collections::VecDeque;

/// A join, and what it wanted so far.
struct Talk {
    join: Join,
    timing: Timing,
    now: MediaInstant,
    rtp_at: Option<MediaInstant>,
}

impl Talk {
    fn new() -> Self {
        Self { join: Join::new(), timing: Timing::default(), now: MediaInstant(0), rtp_at: None }
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

    /// Up to an answered peer that carries audio.
    fn connected() -> Self {
        let mut talk = Self::new();
        talk.join.start(talk.now, &mut Outbox::default());
        talk.signaling(SignalingEvent::Connected);
        talk.until(10);
        talk.peer(PeerEvent::OfferReady("offer".into()));
        talk.until(20);
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

fn sdp(page: &str, ufrag: &str) -> String {
    format!("v=0\r\na=fingerprint:sha-256 {page}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:p\r\n")
}

impl Talk {
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
}

#[test]
fn an_offer_whose_answer_may_have_gone_to_the_old_connection_is_sent_again_on_the_new_one() {
    let mut talk = Talk::offered();
    talk.signaling(SignalingEvent::Closed { detail: "reset".into(), gone: false });
    assert_eq!(talk.until(1_100), [Output::OpenSignaling]);
    talk.signaling(SignalingEvent::Connected);
    assert_eq!(talk.until(1_110), [Output::SendOffer("offer".into())], "at once, not 3 s after the last");
}

#[test]
fn an_answer_that_was_seen_before_is_for_an_older_offer() {
    let mut talk = Talk::offered();
    let old = sdp("A", "1");
    assert_eq!(talk.signaling(SignalingEvent::Answer(old.clone())), [Output::ApplyAnswer(old.clone())]);
    talk.peer(PeerEvent::Failed("ICE".into()));
    assert_eq!(talk.until(2_000), [Output::NewPeer]);
    talk.peer(PeerEvent::OfferReady("second".into()));
    talk.until(2_010);
    assert!(talk.signaling(SignalingEvent::Answer(old)).is_empty(), "doubled, and late");
    let new = sdp("A", "2");
    assert_eq!(talk.signaling(SignalingEvent::Answer(new.clone())), [Output::ApplyAnswer(new)]);
}

#[test]
fn an_answer_that_came_before_its_offer_was_sent_is_not_taken_for_the_next() {
    let mut talk = Talk::offered();
    talk.peer(PeerEvent::Failed("no path".into()));
    talk.until(2_000);
    let late = sdp("A", "1");
    assert!(talk.signaling(SignalingEvent::Answer(late.clone())).is_empty(), "the fresh peer still gathers");
    talk.peer(PeerEvent::OfferReady("second".into()));
    talk.until(2_010);
    assert!(talk.signaling(SignalingEvent::Answer(late)).is_empty());
}

#[test]
fn two_answers_that_differ_before_anything_connected_are_both_given_up_for_a_fresh_peer() {
    let mut talk = Talk::offered();
    talk.signaling(SignalingEvent::Answer(sdp("A", "stale")));
    assert!(talk.signaling(SignalingEvent::Answer(sdp("A", "stale"))).is_empty(), "the same again");
    assert!(talk.signaling(SignalingEvent::Answer(sdp("A", "right"))).is_empty());
    assert_eq!(talk.until(2_000), [Output::NewPeer], "and not only after 15 s without a connection");
}

/// A master that answers one offer after the other, each with a connection of its own for which it gathers so long: with the next offer the
/// connection before is closed. Gives when audio flowed, if it did within two minutes, and the offers that went out.
fn heard_from_a_master_that_begins_anew(talk: &mut Talk, gather_ms: u64) -> (Option<u64>, usize) {
    let begin = talk.now.0;
    let (mut waiting, mut gathering) = (VecDeque::new(), None::<(String, u64)>);
    let (mut peers, mut answers, mut offered, mut connects_at) = (0_u64, 0_u64, 0, None);
    while talk.now.0 < begin + 120_000 {
        for output in talk.until(talk.now.0 + 100) {
            if matches!(output, Output::NewPeer | Output::RestartIce) {
                (peers, connects_at) = (peers + 1, None);
                talk.peer(PeerEvent::OfferReady(peers.to_string()));
            } else if let Output::SendOffer(sdp) = output {
                offered += 1;
                waiting.push_back(sdp);
            }
        }
        let now = talk.now.0;
        if connects_at.is_some_and(|at| now >= at) {
            talk.peer(PeerEvent::Connected);
            talk.rtp();
            return (Some(now - begin), offered);
        }
        if let Some((offer, _)) = gathering.take_if(|(_, until)| now >= *until) {
            answers += 1;
            let answer = sdp(&answers.to_string(), &answers.to_string());
            let applied = talk.signaling(SignalingEvent::Answer(answer.clone())) == [Output::ApplyAnswer(answer)];
            connects_at = (applied && offer == peers.to_string()).then_some(now + 300);
        }
        if gathering.is_none() && !waiting.is_empty() {
            gathering = waiting.pop_front().map(|offer| (offer, now + gather_ms));
            connects_at = None;
        }
    }
    (None, offered)
}

#[test]
fn a_master_that_gathers_longer_than_we_wait_and_begins_anew_with_every_offer_is_given_the_time() {
    for gather_ms in [100, 2_000, 5_000, 8_000] {
        let mut talk = Talk::new();
        talk.join.start(talk.now, &mut Outbox::default());
        talk.signaling(SignalingEvent::Connected);
        let (heard, offered) = heard_from_a_master_that_begins_anew(&mut talk, gather_ms);
        assert!(heard.is_some(), "{gather_ms} ms: never heard after {offered} offers");
    }
}

#[test]
fn a_master_that_is_quick_again_is_offered_as_eagerly_as_ever() {
    let mut talk = Talk::offered();
    for answer in 0..3 {
        talk.until(talk.now.0 + 25_100);
        talk.signaling(SignalingEvent::Answer(sdp("A", &format!("{answer}"))));
        talk.signaling(SignalingEvent::Answer(sdp("A", &format!("{answer} again"))));
        while !talk.until(talk.now.0 + 100).contains(&Output::NewPeer) {}
        talk.peer(PeerEvent::OfferReady("next".into()));
        talk.until(talk.now.0 + 10);
    }
    let slow = count(&talk.until(talk.now.0 + 30_000), &Output::SendOffer("next".into()));
    assert!(slow <= 2, "{slow} in 30 s, after three that were answered twice");
    talk.peer(PeerEvent::Failed("x".into()));
    while !talk.until(talk.now.0 + 100).contains(&Output::NewPeer) {}
    talk.peer(PeerEvent::OfferReady("prompt".into()));
    talk.until(talk.now.0 + 100);
    talk.signaling(SignalingEvent::Answer(sdp("A", "prompt")));
    talk.peer(PeerEvent::Failed("x".into()));
    while !talk.until(talk.now.0 + 100).contains(&Output::NewPeer) {}
    talk.peer(PeerEvent::OfferReady("last".into()));
    assert_eq!(count(&talk.until(talk.now.0 + 30_000), &Output::SendOffer("last".into())), 11);
}

#[test]
fn a_service_that_sends_away_whoever_comes_is_asked_later_and_later() {
    let mut talk = Talk::connected();
    let mut opened = Vec::new();
    for _ in 0..1_200 {
        let next = talk.now.0 + 100;
        talk.rtp();
        if talk.until(next).contains(&Output::OpenSignaling) {
            opened.push(talk.now);
            talk.signaling(SignalingEvent::Connected);
        }
        assert!(!talk.signaling(SignalingEvent::GoAway).contains(&Output::NewPeer));
    }
    assert!((5..=8).contains(&opened.len()), "{} in two minutes", opened.len());
}

#[test]
fn a_connection_that_is_closed_for_idleness_every_ten_minutes_is_there_again_after_a_second() {
    let mut talk = Talk::connected();
    let (mut down_for_longer, mut opened, mut open_since) = (0, 0, Some(talk.now));
    for second in 1..4 * 3_600 {
        talk.rtp();
        let wanted = talk.until(second * 1_000);
        assert!(!wanted.contains(&Output::NewPeer) && !wanted.contains(&Output::RestartIce), "the media goes on");
        if wanted.contains(&Output::OpenSignaling) {
            talk.signaling(SignalingEvent::Connected);
            (opened, open_since) = (opened + 1, Some(talk.now));
        }
        match open_since {
            Some(since) if talk.now.since(since) >= 600_000 => {
                talk.signaling(SignalingEvent::Closed { detail: "idle".into(), gone: false });
                open_since = None;
            }
            Some(_) => {}
            None => down_for_longer += 1,
        }
    }
    assert_eq!((opened, down_for_longer), (23, 0));
}

/// Anything that the outside can do.
#[derive(Debug, Clone)]
enum Happens {
    Opens,
    Closes,
    GoesAway,
    RelayGoesAway,
    Answers(u8, u8),
    Candidate,
    Offer,
    Connects,
    Fails,
    Rtp,
    Nothing,
}

fn happening() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Opens),
        1 => Just(Happens::Closes),
        1 => Just(Happens::GoesAway),
        1 => Just(Happens::RelayGoesAway),
        4 => (0_u8..3, any::<u8>()).prop_map(|(page, ufrag)| Happens::Answers(page, ufrag)),
        1 => Just(Happens::Candidate),
        4 => Just(Happens::Offer),
        2 => Just(Happens::Connects),
        2 => Just(Happens::Fails),
        2 => Just(Happens::Rtp),
        1 => Just(Happens::Nothing),
    ]
}

impl Talk {
    fn happens(&mut self, what: Happens) -> Vec<Output> {
        match what {
            Happens::Opens => self.signaling(SignalingEvent::Connected),
            Happens::Closes => self.signaling(SignalingEvent::Closed { detail: "x".into(), gone: false }),
            Happens::GoesAway => self.signaling(SignalingEvent::GoAway),
            Happens::RelayGoesAway => self.signaling(SignalingEvent::ReconnectIceServer),
            Happens::Answers(page, ufrag) => {
                self.signaling(SignalingEvent::Answer(sdp(&page.to_string(), &ufrag.to_string())))
            }
            Happens::Candidate => self.signaling(SignalingEvent::Candidate("c".into())),
            Happens::Offer => {
                self.peer(PeerEvent::OfferReady("offer".into()));
                Vec::new()
            }
            Happens::Connects => {
                self.peer(PeerEvent::Connected);
                Vec::new()
            }
            Happens::Fails => {
                self.peer(PeerEvent::Failed("x".into()));
                Vec::new()
            }
            Happens::Rtp => {
                self.rtp();
                Vec::new()
            }
            Happens::Nothing => Vec::new(),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_services_limits_are_kept_and_nothing_spins(
        events in proptest::collection::vec((happening(), prop_oneof![3 => 0_u64..60, 1 => 0_u64..4_000]), 1..300),
    ) {
        let mut talk = Talk::new();
        let mut out = Outbox::default();
        talk.join.start(talk.now, &mut out);
        let (mut done, mut wakes) = (vec![(talk.now, wanted(out))], 0_u64);
        let begin = events.len() as u64;
        for (what, gap) in events {
            let now = talk.now;
            let outputs = talk.happens(what);
            done.push((now, outputs));
            let end = now.0 + gap;
            loop {
                let mut out = Outbox::default();
                let quiet = talk.rtp_at.map(|at| talk.now.since(at));
                talk.join.advance(talk.now, quiet, &talk.timing, &mut out);
                done.push((talk.now, wanted(out)));
                wakes += 1;
                let next = talk.join.deadline(talk.rtp_at, &talk.timing).unwrap_or(MediaInstant(u64::MAX));
                if next.0 > end {
                    break;
                }
                talk.now = next.max(talk.now.plus_ms(1));
            }
            talk.now = MediaInstant(end.max(talk.now.0));
        }
        let times = |what: fn(&Output) -> bool| -> Vec<MediaInstant> {
            done.iter().flat_map(|(at, outputs)| outputs.iter().filter(|o| what(o)).map(|_| *at)).collect()
        };
        let most = |what| most_in_a_second(&times(what));
        // Of the service: 3 connects, 5 offers, 5 questions for relay servers, each tried up to three times.
        prop_assert!(most(|o| matches!(o, Output::OpenSignaling)) <= 3);
        prop_assert!(most(|o| matches!(o, Output::SendOffer(_))) <= 5);
        prop_assert!(most(|o| matches!(o, Output::NewPeer)) * 3 <= 5);
        prop_assert!(wakes <= 3 * begin + talk.now.0 / 100, "{wakes} wakes in {} ms", talk.now.0);
    }
}
