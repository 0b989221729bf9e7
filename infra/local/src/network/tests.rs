use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::signaling::FromService;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::*;

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn signaled(sender: Option<&str>, address: SocketAddr) -> FromService {
    let line = format!("candidate:1 1 udp 5 {} {} typ host", address.ip(), address.port());
    FromService {
        message_type: "ICE_CANDIDATE".to_owned(),
        sender_client_id: sender.map(str::to_owned),
        message_payload: Some(STANDARD.encode(json!({ "candidate": line }).to_string())),
        status_response: None,
    }
}

/// The address that a candidate names.
fn named(message: &FromService) -> SocketAddr {
    let payload = STANDARD.decode(message.message_payload.as_ref().unwrap()).unwrap();
    let message: Value = serde_json::from_slice(&payload).unwrap();
    let words: Vec<&str> = message["candidate"].as_str().unwrap().split(' ').collect();
    format!("{}:{}", words[4], words[5]).parse().unwrap()
}

async fn heard(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    let (length, from) = timeout(Duration::from_secs(10), socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    (buffer[..length].to_vec(), from)
}

fn rtp(timestamp: u32) -> Vec<u8> {
    let mut packet = vec![128, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 42];
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet
}

const CHECK: &[u8] = &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];

#[tokio::test]
async fn what_is_sent_to_the_offered_candidate_reaches_the_worker_and_its_answer_comes_back_from_there() {
    let ((worker, at), (speaker, speaker_at)) = (socket().await, socket().await);
    let roads = Roads::new(1);
    let front = named(&roads.through("channel", None, signaled(Some("worker-a"), at)));
    assert_ne!(front, at);
    assert_eq!(named(&roads.through("channel", None, signaled(Some("worker-a"), at))), front, "one relay per worker");
    speaker.send_to(CHECK, front).await.unwrap();
    let (check, back) = heard(&worker).await;
    assert_eq!((check.as_slice(), back != speaker_at), (CHECK, true));
    worker.send_to(b"answer", back).await.unwrap();
    assert_eq!(heard(&speaker).await, (b"answer".to_vec(), front));
}

#[tokio::test]
async fn a_speaker_whose_candidate_is_known_is_met_at_the_relay_and_nowhere_before_it_has_sent() {
    let ((worker, at), (speaker, speaker_at)) = (socket().await, socket().await);
    let roads = Roads::new(1);
    let front = named(&roads.through("channel", None, signaled(Some("worker-a"), at)));
    let back = named(&roads.through("channel", Some("worker-a"), signaled(None, speaker_at)));
    assert_ne!(back, speaker_at);
    worker.send_to(b"too early", back).await.unwrap();
    speaker.send_to(CHECK, front).await.unwrap();
    assert_eq!(heard(&worker).await, (CHECK.to_vec(), back), "it is who was named");
    worker.send_to(b"now", back).await.unwrap();
    assert_eq!(heard(&speaker).await.0, b"now");
}

#[tokio::test]
async fn audio_is_lost_and_doubled_as_it_is_set_while_all_else_passes() {
    let ((worker, at), (speaker, _)) = (socket().await, socket().await);
    let roads = Roads::new(1);
    let front = named(&roads.through("channel", None, signaled(Some("worker-a"), at)));
    roads.change(&json!({ "loss": 1.0 })).unwrap();
    speaker.send_to(&rtp(5), front).await.unwrap();
    speaker.send_to(CHECK, front).await.unwrap();
    assert_eq!(heard(&worker).await.0, CHECK, "the audio is lost");
    roads.change(&json!({ "loss": 0, "doubled": 1.0 })).unwrap();
    speaker.send_to(&rtp(6), front).await.unwrap();
    assert_eq!((heard(&worker).await.0, heard(&worker).await.0), (rtp(6), rtp(6)));
    let seen = Seen { passed: 1, dropped: 1, doubled: 1, stamps: Some((6, 6)) };
    assert_eq!(roads.told().seen, [("channel".to_owned(), seen)].into());
}

#[tokio::test]
async fn a_browser_that_leaves_loopback_out_is_met_at_the_machines_own_address_too_and_answered_from_where_it_asked() {
    let (worker, at) = socket().await;
    // Stands for the address of a network: nothing of a test leaves the machine.
    let own = Ipv4Addr::new(127, 0, 0, 2);
    let roads = Roads::new(1).also_at(|| Some(Ipv4Addr::new(127, 0, 0, 2)));
    let mut offer = signaled(Some("worker-a"), at);
    let line = format!("a=candidate:1 1 udp 2130706431 {} {} typ host", at.ip(), at.port());
    offer.message_payload = Some(STANDARD.encode(json!({ "type": "offer", "sdp": line }).to_string()));
    let offered = roads.through("channel", None, offer).message_payload.unwrap();
    let offered: Value = serde_json::from_slice(&STANDARD.decode(offered).unwrap()).unwrap();
    let fronts = offered["sdp"].as_str().unwrap().lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        format!("{}:{}", words[4], words[5]).parse::<SocketAddr>().unwrap()
    });
    let fronts: Vec<SocketAddr> = fronts.collect();
    assert_eq!(fronts.iter().map(SocketAddr::ip).collect::<Vec<_>>(), [ANY.ip(), own.into()]);

    // One socket that checks both ways, as Chromium does.
    let speaker = UdpSocket::bind("127.0.0.3:0").await.unwrap();
    let mut backs = Vec::new();
    for front in fronts_of(&roads) {
        speaker.send_to(CHECK, front).await.unwrap();
        let (check, back) = heard(&worker).await;
        assert_eq!(check, CHECK);
        worker.send_to(b"answer", back).await.unwrap();
        assert_eq!(heard(&speaker).await, (b"answer".to_vec(), front));
        backs.push(back);
    }
    assert_eq!(
        backs.iter().map(SocketAddr::ip).collect::<Vec<_>>(),
        [ANY.ip(), own.into()],
        "a check is answered with no loopback address there"
    );
    roads.change(&json!({ "loss": 1.0 })).unwrap();
    speaker.send_to(&rtp(5), fronts_of(&roads)[1]).await.unwrap();
    speaker.send_to(CHECK, fronts_of(&roads)[1]).await.unwrap();
    assert_eq!(heard(&worker).await.0, CHECK, "the audio is lost there too");
}

/// Of the only relay.
fn fronts_of(roads: &Roads) -> Vec<SocketAddr> {
    locked(&roads.relays).values().flat_map(|relay| relay.fronts().to_vec()).collect()
}

#[tokio::test]
async fn who_is_not_on_this_machine_gets_no_way_to_the_worker() {
    let (_worker, at) = socket().await;
    let roads = Roads::new(1);
    roads.through("channel", None, signaled(Some("worker-a"), at));
    let stranger = signaled(None, "203.0.113.254:4000".parse().unwrap());
    assert_eq!(roads.through("channel", Some("worker-a"), stranger.clone()), stranger);
}

#[tokio::test]
async fn a_worker_that_is_not_on_loopback_gets_no_relay() {
    let roads = Roads::new(1);
    let offer = signaled(Some("worker-a"), "10.0.0.9:50000".parse().unwrap());
    assert_eq!(roads.through("channel", None, offer.clone()), offer);
    let answer = signaled(None, "10.0.0.5:4000".parse().unwrap());
    assert_eq!(roads.through("channel", Some("worker-a"), answer.clone()), answer);
}

#[test]
fn the_share_that_is_lost_is_the_one_that_was_set_alone_and_in_bursts() {
    for burst in [1, 3] {
        let network = Network { loss: 0.2, burst, ..Network::default() };
        let (mut dice, mut left) = (Dice(7), 0);
        let lost = (0..100_000).filter(|_| network.loses(&mut dice, &mut left)).count();
        let expected = if burst == 1 { 20_000 } else { 17_647 };
        assert!(lost.abs_diff(expected) < 500, "{burst}: {lost}");
    }
}

#[test]
fn a_knob_that_makes_no_sense_changes_nothing() {
    let roads = Roads::new(1);
    for wrong in
        [json!({ "loss": 20 }), json!({ "loss": -0.1 }), json!({ "lost": 0.1 }), json!({ "jitter_ms": 1e9 }), json!(3)]
    {
        assert!(roads.change(&wrong).is_err(), "{wrong}");
    }
    assert_eq!(roads.told().set, Network::default());
    roads.change(&json!({ "loss": 0.2, "burst": 3 })).unwrap();
    roads.change(&json!({ "loss": 0.1 })).unwrap();
    assert_eq!(roads.told().set, Network { loss: 0.1, burst: 3, ..Network::default() }, "what is not named stays");
}
