//! Whatever happens.

use super::*;
use crate::source::pace::most_in_a_second;
use proptest::prelude::*;

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
