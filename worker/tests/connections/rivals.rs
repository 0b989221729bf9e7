//! Who else wants, or has, the speaker's one connection; and what stays the same when it must be found again. Real sockets, real peers.

use crate::viewer::{SESSION, Service, Viewer};
use kvs_signaling::Outgoing;
use local_stack::kvs::Limits;
use schemas::ids::{SessionId, viewer_client_id};
use sessionctl::rehearse::speaker::attribute;
use std::time::Duration;

/// A second of a tone; the microphone is silent afterwards, and goes on.
fn tone() -> Vec<i16> {
    (0..48_000).map(|n| (f64::from(n) * 0.05).sin() * 9_000.0).map(|x| x as i16).collect()
}

/// Of an offer: what the speaker knows the connection by, and what changes with an ICE restart.
fn identity(offer: &str) -> (&str, &str) {
    (attribute(offer, "fingerprint").unwrap(), attribute(offer, "ice-ufrag").unwrap())
}

#[tokio::test]
async fn audio_that_stops_is_found_again_on_the_same_connection_with_the_same_certificate() {
    let service = Service::start(Limits::default()).await;
    let mut viewer = Viewer::start(&service, 2_000).await;
    viewer.until("an offer is repeated", |seen| seen.offers.len() >= 3).await;
    let tab = service.tab(tone(), false).await;
    viewer.until("the audio flows", |seen| seen.flows()).await;
    let before = viewer.seen.offers.len();
    tab.unplug();
    viewer.until("another path is looked for", |seen| seen.restarts == 1).await;
    tab.plug();
    viewer.until("the audio is back", |seen| seen.offers.len() > before && seen.flows()).await;
    viewer.live(Duration::from_millis(300)).await;
    assert_eq!((viewer.seen.peers, viewer.seen.count("new_peer")), (1, 1), "{:?}", viewer.seen.facts);
    let offers = viewer.seen.offers.clone();
    let (repeated, restarted) = offers.split_at(before);
    assert!(repeated.iter().all(|(_, offer)| *offer == offers[0].1), "a repeat is the same to the letter");
    let ((page, ufrag), (after, fresh)) = (identity(&offers[0].1), identity(&restarted[0].1));
    assert!(page == after && ufrag != fresh, "a restart has the certificate of before, and other credentials");
    assert!(restarted[0].1.contains("a=mid:0"), "and the same section");
    tab.close().await;
    viewer.finish().await;
}

#[tokio::test]
async fn a_stranger_who_takes_the_audio_again_and_again_is_reported_and_let_be() {
    let service = Service::start(Limits::default()).await;
    let mut viewer = Viewer::start(&service, 700).await;
    let tab = service.tab(tone(), false).await;
    viewer.until("the audio flows", |seen| seen.flows()).await;
    let mut stranger = Viewer::start_as("golden-harvest-777", &service, 700).await;
    tokio::select! {
        () = viewer.until("it is contested", |seen| seen.count("audio_contested") > 0) => {}
        () = stranger.live(Duration::from_secs(35)) => panic!("both have the audio: {:?}", viewer.seen.facts),
    }
    let mut left_alone = false;
    for _ in 0..5 {
        let (offers, quiet) = (viewer.seen.offers.len(), Duration::from_secs(4));
        tokio::join!(viewer.live(quiet), stranger.live(quiet));
        left_alone = viewer.seen.offers.len() == offers && stranger.seen.flows() && !viewer.seen.flows();
        if left_alone {
            break;
        }
    }
    assert!(left_alone, "they cut the speaker to pieces: {:?}", viewer.seen.facts);
    let told = viewer.seen.row.as_ref().unwrap().media.clone();
    assert!(told.stolen >= 1 && told.ice_restarts >= 1, "the row says so: {told:?}");
    viewer.finish().await;
    stranger.finish().await;
    tab.close().await;
}

#[tokio::test]
async fn a_master_that_offers_instead_of_answering_is_let_go_and_the_next_one_is_heard() {
    let service = Service::start(Limits::default()).await;
    let mut viewer = Viewer::start(&service, 8_000).await;
    viewer.until("an offer is out", |seen| !seen.offers.is_empty()).await;
    let to = Some(viewer_client_id(&SessionId::try_new(SESSION).unwrap()));
    let odd = service.master().await;
    for sdp in ["v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", ""]
    {
        odd.send(&Outgoing::Offer { sdp: sdp.into(), to: to.clone() }).unwrap();
    }
    let offers = viewer.seen.offers.len();
    viewer.until("the offers go on", |seen| seen.offers.len() > offers).await;
    assert_eq!((viewer.seen.count("answered"), viewer.seen.peers), (0, 1), "{:?}", viewer.seen.facts);
    drop(odd);
    let tab = service.tab(tone(), false).await;
    viewer.until("the audio flows", |seen| seen.flows()).await;
    assert_eq!(viewer.seen.count("signaling_open"), 1, "the connection lives");
    tab.close().await;
    viewer.finish().await;
}
