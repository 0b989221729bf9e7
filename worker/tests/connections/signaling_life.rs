//! Signaling that misbehaves, seen through the real client, the real engine and real peer connections on loopback. Waits end with events.

use crate::viewer::{LOOPBACK, Service, Tab, Viewer};
use local_stack::kvs::Limits;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use worker::io::peer::{Peer, PeerMessage};
use worker::io::signaling::{Channel, open};
use worker_core::input::{PeerEvent, SignalingEvent};

/// A second of a tone; the microphone is silent afterwards, and goes on.
fn tone() -> Vec<i16> {
    (0..48_000).map(|n| (f64::from(n) * 0.05).sin() * 9_000.0).map(|x| x as i16).collect()
}

async fn tab(service: &Service) -> Tab {
    service.tab(tone(), false).await
}

/// Longer than any machine is too busy to pass a packet on.
const NEVER_MS: u64 = 8_000;
/// The worker's own.
const STALL_MS: u64 = 2_000;

async fn rig(stall_ms: u64) -> (Service, Viewer) {
    let service = Service::start(Limits::default()).await;
    let viewer = Viewer::start(&service, stall_ms).await;
    (service, viewer)
}

/// The peer is up, and carries audio.
async fn connected(viewer: &mut Viewer) {
    viewer.until("the audio flows", |seen| seen.facts.contains(&"peer_connected") && seen.flows()).await;
}

/// Nothing was lost or made up, by one peer.
async fn untouched(mut viewer: Viewer, tab: Tab) {
    viewer.live(Duration::from_millis(300)).await;
    let media = viewer.media();
    assert!(viewer.seen.flows(), "the audio flows on");
    assert_eq!((media.lost, media.concealed_ms, viewer.seen.restarts), (0, 0, 0), "{:?}", viewer.seen.facts);
    tab.close().await;
    viewer.finish().await;
}

/// The same trouble before the offer, between the offer and its answer, and while media flows.
async fn in_every_state(trouble: Value) {
    let service = Service::start(Limits::default()).await;
    // Endpoints and relay servers are told slowly, so that there is a time before the offer.
    service.fault(json!({ "latency_ms": 400 })).await;
    let mut viewer = Viewer::start(&service, NEVER_MS).await;
    viewer.until("signaling is open", |seen| seen.count("signaling_open") == 1).await;
    assert!(viewer.seen.offers.is_empty());
    service.fault(trouble.clone()).await;
    viewer.until("it is open again", |seen| seen.count("signaling_open") == 2).await;
    viewer.until("an offer is out", |seen| !seen.offers.is_empty()).await;
    service.fault(trouble.clone()).await;
    viewer.until("it is open again", |seen| seen.count("signaling_open") == 3).await;
    assert_eq!(viewer.seen.count("answered"), 0);
    let tab = tab(&service).await;
    connected(&mut viewer).await;
    service.fault(trouble).await;
    viewer.until("it is open again", |seen| seen.count("signaling_open") == 4).await;
    assert_eq!(viewer.seen.peers, 1, "the first peer is still the one: {:?}", viewer.seen.facts);
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn a_go_away_at_any_moment_costs_no_audio() {
    in_every_state(json!({ "go_away": true, "of": "viewers" })).await;
}

#[tokio::test]
async fn a_socket_that_is_cut_in_any_state_costs_no_audio() {
    in_every_state(json!({ "cut": "unclean", "of": "viewers" })).await;
}

#[tokio::test]
async fn the_longest_duration_of_a_connection_passes_unheard() {
    let limits =
        Limits { connection: Duration::from_millis(2_500), grace: Duration::from_millis(1_000), ..Limits::default() };
    let service = Service::start(limits).await;
    let mut viewer = Viewer::start(&service, NEVER_MS).await;
    let tab = tab(&service).await;
    connected(&mut viewer).await;
    viewer.until("two lives end", |seen| seen.count("signaling_open") == 3).await;
    assert_eq!(viewer.seen.peers, 1);
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn offers_that_vanish_or_are_refused_are_sent_again() {
    let (service, mut viewer) = rig(NEVER_MS).await;
    let tab = tab(&service).await;
    service.fault(json!({ "swallow": 2, "refuse_messages": 1 })).await;
    connected(&mut viewer).await;
    assert!(viewer.seen.offers.len() >= 4, "one was refused, two vanished: {}", viewer.seen.offers.len());
    assert_eq!(
        viewer.seen.count("signaling_refused"),
        1,
        "the refusal is seen, because the offer has a correlation id"
    );
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn an_answer_that_comes_twice_counts_once() {
    let (service, mut viewer) = rig(NEVER_MS).await;
    service.fault(json!({ "double_answers": 3 })).await;
    let tab = tab(&service).await;
    connected(&mut viewer).await;
    assert_eq!(viewer.seen.count("answered"), 1);
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn a_speaker_who_leaves_and_returns_is_heard_again_although_a_stale_answer_comes_first() {
    let (service, mut viewer) = rig(STALL_MS).await;
    let first = tab(&service).await;
    connected(&mut viewer).await;
    first.close().await;
    viewer.until("the audio stops", |seen| !seen.flows()).await;
    service.fault(json!({ "stale_answers": 2 })).await;
    let second = tab(&service).await;
    viewer.until("the audio is back", |seen| seen.peers >= 2 && seen.flows()).await;
    assert!(viewer.seen.count("stale_answer") >= 1, "{:?}", viewer.seen.facts);
    second.close().await;
    viewer.finish().await;
}

#[tokio::test]
async fn candidates_that_overtake_their_answer_wait_for_it() {
    let (service, mut viewer) = rig(NEVER_MS).await;
    service.fault(json!({ "candidates_first": 1 })).await;
    let tab = service.tab(tone(), true).await;
    connected(&mut viewer).await;
    assert_eq!(viewer.seen.count("answered"), 1);
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn what_is_no_message_is_let_go() {
    let (service, mut viewer) = rig(NEVER_MS).await;
    let tab = tab(&service).await;
    service.fault(json!({ "noise": true })).await;
    connected(&mut viewer).await;
    service.fault(json!({ "noise": true })).await;
    viewer.live(Duration::from_millis(200)).await;
    assert_eq!(viewer.seen.count("signaling_open"), 1, "the connection lives");
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn a_relay_that_goes_away_is_no_reason_to_leave_a_direct_path() {
    let (service, mut viewer) = rig(NEVER_MS).await;
    service.fault(json!({ "reconnect_ice_server": true })).await;
    let tab = tab(&service).await;
    connected(&mut viewer).await;
    let peers = viewer.seen.peers;
    service.fault(json!({ "reconnect_ice_server": true })).await;
    viewer.until("it is heard", |seen| seen.count("relay_going_away") >= 1).await;
    assert_eq!(viewer.seen.peers, peers);
    untouched(viewer, tab).await;
}

#[tokio::test]
async fn a_second_tab_is_heard_when_the_first_one_closes() {
    let (service, mut viewer) = rig(STALL_MS).await;
    let first = tab(&service).await;
    connected(&mut viewer).await;
    // The newest master wins signaling, and nobody tells us.
    let second = tab(&service).await;
    viewer.live(Duration::from_millis(500)).await;
    assert_eq!(viewer.seen.peers, 1, "what flows is not touched");
    first.close().await;
    viewer.until("the audio stops", |seen| !seen.flows()).await;
    viewer.until("the second tab is heard", |seen| seen.peers == 2 && seen.flows()).await;
    assert_eq!(viewer.seen.count("speaker_moved"), 1, "another page answered the restart: {:?}", viewer.seen.facts);
    second.close().await;
    viewer.finish().await;
}

/// Another viewer of the channel, that takes the speaker's one connection.
async fn steal(service: &Service) -> (Peer, worker::io::signaling::Signaling) {
    let (said, mut messages) = mpsc::unbounded_channel();
    let peer = Peer::start(LOOPBACK, 44_000..=44_999, async { Vec::new() }, move |m| drop(said.send(m)));
    let (told, mut events) = mpsc::unbounded_channel();
    let channel = Channel::new(&service.sdk().await, service.arn.clone(), "thief".into());
    let signaling = open(channel, move |event| drop(told.send(event)));
    assert_eq!(events.recv().await, Some(SignalingEvent::Connected));
    let offer = loop {
        if let Some(PeerMessage::Event(PeerEvent::OfferReady(offer))) = messages.recv().await {
            break offer;
        }
    };
    signaling.send(kvs_signaling::Outgoing::Offer { sdp: offer, to: None });
    loop {
        if let Some(SignalingEvent::Answer(answer)) = events.recv().await {
            peer.answer(answer);
            break;
        }
    }
    (peer, signaling)
}

#[tokio::test]
async fn audio_that_another_viewer_takes_is_won_back() {
    let (service, mut viewer) = rig(STALL_MS).await;
    let tab = tab(&service).await;
    connected(&mut viewer).await;
    let (thief, signaling) = steal(&service).await;
    viewer.until("the audio stops", |seen| !seen.flows()).await;
    viewer.until("it is won back", |seen| seen.peers >= 2 && seen.flows()).await;
    assert!(viewer.seen.count("ice_restart") >= 1);
    drop(signaling);
    thief.close().await;
    tab.close().await;
    viewer.finish().await;
}
