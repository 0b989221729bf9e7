//! The viewer's peer connection against a speaker in this process, over loopback: Opus in, 16 kHz audio out. None of the speaker's candidates reach
//! the viewer.

use crate::speaker::{LOOPBACK, Speaker, next, speak, speaker};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use worker::io::peer::{Peer, PeerMessage};
use worker::media::AudioReceiver;
use worker_core::input::{AudioFrame, AudioKind, PeerEvent};
use worker_core::time::MediaInstant;

#[tokio::test]
async fn a_speaker_whose_candidates_never_arrive_is_heard_in_full() {
    let (said, mut messages) = mpsc::unbounded_channel();
    let say = move |message| drop(said.send(message));
    let peer = Peer::start(LOOPBACK, 42_000..=42_099, async { Vec::new() }, say);
    let PeerMessage::Event(PeerEvent::OfferReady(offer)) = next(&mut messages).await else { panic!("no offer") };
    assert_eq!(offer.matches("\r\nm=").count(), 1, "one m-line");
    assert!(offer.contains("m=audio") && offer.contains(" 63 111"), "RED first: {offer}");
    assert!(offer.contains("a=mid:0") && offer.contains("a=recvonly") && offer.contains("useinbandfec=1"));
    assert!(offer.contains("typ host") && offer.contains("a=end-of-candidates"), "gathered before offering");
    assert!(!offer.contains("transport-cc"));

    let Speaker { connection, track, answer, .. } = speaker(offer).await;
    assert!(!answer.contains("a=candidate"), "the answer comes before its candidates");
    let answered = Instant::now();
    peer.answer(answer);
    let mut kind = None;
    let mut connected = false;
    while kind.is_none() || !connected {
        match next(&mut messages).await {
            PeerMessage::Event(PeerEvent::Connected) => {
                connected = true;
                // The crate would wait a second before it nominates a peer-reflexive candidate, the only kind that there is here.
                assert!(answered.elapsed() < Duration::from_millis(900), "{:?}", answered.elapsed());
            }
            PeerMessage::Path(path) => kind = Some(path.candidate_type),
            PeerMessage::Event(other) => panic!("unexpected {other:?}"),
            PeerMessage::Rtp(_) => {}
        }
    }
    assert_eq!(kind.as_deref(), Some("host"));

    let (begin, mut receiver) = (Instant::now(), AudioReceiver::new().unwrap());
    let now = || MediaInstant(begin.elapsed().as_millis() as u64);
    let talking = tokio::spawn(async move { speak(&track).await });
    let mut frames: Vec<AudioFrame> = Vec::new();
    while frames.iter().map(|f| f.pcm.len()).sum::<usize>() < 15_000 {
        if let PeerMessage::Rtp(packet) = next(&mut messages).await {
            receiver.push(&packet, now());
            frames.extend(std::iter::from_fn(|| receiver.poll(now())));
        }
    }
    talking.await.unwrap();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(200), messages.recv()).await {
        if let PeerMessage::Rtp(packet) = message {
            receiver.push(&packet, now());
            frames.extend(std::iter::from_fn(|| receiver.poll(now())));
        }
    }
    // The crate may drop the packet that opens the track.
    let media = receiver.media();
    assert!((980..=1_000).contains(&media.media_ms), "{media:?}");
    assert!(frames.iter().all(|f| f.kind == AudioKind::Decoded), "nothing was made up");
    let loudest = frames.iter().flat_map(|f| &f.pcm).max().unwrap();
    assert!(*loudest > 6_000, "it is the tone: {loudest}");

    peer.close().await;
    connection.close().await.unwrap();
    assert!(std::net::UdpSocket::bind((LOOPBACK, 42_000)).is_ok(), "the port is free again");
}

#[tokio::test]
async fn a_peer_without_a_free_port_says_which_variable_to_change() {
    let taken = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let (said, mut messages) = mpsc::unbounded_channel();
    let _peer = Peer::start(LOOPBACK, port..=port, async { Vec::new() }, move |message| drop(said.send(message)));
    let PeerMessage::Event(PeerEvent::Unable(why)) = next(&mut messages).await else { panic!("no failure") };
    assert!(why.contains("ICE_PORTS"), "{why}");
}

#[tokio::test]
async fn a_second_peer_takes_the_next_port() {
    let (said, mut messages) = mpsc::unbounded_channel();
    let taken = std::net::UdpSocket::bind((LOOPBACK, 42_100)).unwrap();
    let peer = Peer::start(LOOPBACK, 42_100..=42_199, async { Vec::new() }, move |message| drop(said.send(message)));
    let PeerMessage::Event(PeerEvent::OfferReady(offer)) = next(&mut messages).await else { panic!("no offer") };
    assert!(!offer.contains(" 42100 typ host") && offer.contains("typ host"), "{offer}");
    peer.close().await;
    drop(taken);
}
