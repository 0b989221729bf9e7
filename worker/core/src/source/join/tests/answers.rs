//! Whose answer it is, and what becomes of masters that are slow or begin anew.

use super::*;
use std::collections::VecDeque;

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
