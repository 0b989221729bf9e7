//! What else a speaker's browser may do with an offer, over loopback with two real peers: hidden addresses, candidates that come late, more than
//! audio, or none.

use crate::speaker::{LOOPBACK, Speaker, next, speak, speaker};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::sync::mpsc;
use worker::io::peer::{Path, Peer, PeerMessage};
use worker_core::input::PeerEvent;

/// A candidate as a browser without the microphone's permission tells it, in a description and by itself.
const HIDDEN: &str =
    "candidate:1 1 udp 2113937151 3f6c0d1c-5a4e-4c7e-9d53-8a4f0e8f2b11.local 51000 typ host generation 0";

struct Viewer {
    peer: Peer,
    messages: mpsc::UnboundedReceiver<PeerMessage>,
    offer: String,
}

impl Viewer {
    async fn start(ports: RangeInclusive<u16>) -> Self {
        let (said, mut messages) = mpsc::unbounded_channel();
        let peer = Peer::start(LOOPBACK, ports, async { Vec::new() }, move |message| drop(said.send(message)));
        let PeerMessage::Event(PeerEvent::OfferReady(offer)) = next(&mut messages).await else { panic!("no offer") };
        Self { peer, messages, offer }
    }

    /// Up to a connection with its path known, and a packet.
    async fn hears(&mut self, speaker: &Speaker) -> Path {
        let (track, mut path, mut connected) = (speaker.track.clone(), None, false);
        while path.is_none() || !connected {
            match next(&mut self.messages).await {
                PeerMessage::Event(PeerEvent::Connected) => connected = true,
                PeerMessage::Path(found) => path = Some(found),
                PeerMessage::Event(other) => panic!("unexpected {other:?}"),
                PeerMessage::Rtp(_) => {}
            }
        }
        let talking = tokio::spawn(async move { speak(&track).await });
        while !matches!(next(&mut self.messages).await, PeerMessage::Rtp(_)) {}
        talking.abort();
        path.unwrap()
    }

    async fn finish(self, speaker: Speaker) {
        self.peer.close().await;
        speaker.connection.close().await.unwrap();
    }
}

/// The same without the lines that begin so.
fn without(sdp: &str, begin: &str) -> String {
    sdp.lines().filter(|line| !line.starts_with(begin)).map(|line| format!("{line}\r\n")).collect()
}

#[tokio::test]
async fn a_speaker_who_hides_its_addresses_is_found_by_its_own_checks() {
    let mut viewer = Viewer::start(45_000..=45_099).await;
    let speaker = speaker(viewer.offer.clone()).await;
    viewer.peer.answer(format!("{}a={HIDDEN}\r\na=end-of-candidates\r\n", speaker.answer));
    viewer.peer.candidate(format!(r#"{{"candidate":"{HIDDEN}","sdpMid":"0","sdpMLineIndex":0}}"#));
    for nonsense in [r#"{"candidate":""}"#, r#"{"candidate":"candidate:x.local"}"#, "{}", "null", "a.local"] {
        viewer.peer.candidate(nonsense.into());
    }
    let path = viewer.hears(&speaker).await;
    assert_eq!((path.candidate_type.as_str(), path.remote_candidate_type.as_str()), ("host", "prflx"));
    viewer.finish(speaker).await;
}

#[tokio::test]
async fn candidates_that_come_long_after_their_answer_open_the_way() {
    let mut viewer = Viewer::start(45_100..=45_199).await;
    // The speaker knows none of ours, so that only its own can help.
    let mut speaker = speaker(without(&viewer.offer, "a=candidate")).await;
    viewer.peer.answer(speaker.answer.clone());
    let early = tokio::time::timeout(Duration::from_millis(600), viewer.messages.recv()).await;
    assert!(early.is_err(), "nobody knows where the other is: {early:?}");
    let candidate = tokio::time::timeout(Duration::from_secs(10), speaker.candidates.recv()).await;
    viewer.peer.candidate(candidate.expect("in time").expect("a candidate"));
    let path = viewer.hears(&speaker).await;
    assert_eq!(path.remote_candidate_type, "host", "as it was told");
    viewer.finish(speaker).await;
}

#[tokio::test]
async fn video_and_data_beside_the_audio_of_an_answer_do_no_harm() {
    let mut viewer = Viewer::start(45_200..=45_299).await;
    let speaker = speaker(viewer.offer.clone()).await;
    let more = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sctp-port:5000\r\n";
    viewer.peer.answer(format!("{}{more}", speaker.answer.replace("BUNDLE 0", "BUNDLE 0 1 2")));
    viewer.hears(&speaker).await;
    viewer.finish(speaker).await;
}

#[tokio::test]
async fn an_answer_without_audio_is_told_at_once() {
    for (n, refused) in [("m=audio 9 ", "m=audio 0 "), ("m=audio 9 ", "m=video 9 ")].into_iter().enumerate() {
        let port = 45_300 + n as u16;
        let mut viewer = Viewer::start(port..=port).await;
        let speaker = speaker(viewer.offer.clone()).await;
        assert!(speaker.answer.contains(refused.0), "{}", speaker.answer);
        viewer.peer.answer(speaker.answer.replace(refused.0, refused.1));
        let PeerMessage::Event(PeerEvent::Unable(why)) = next(&mut viewer.messages).await else { panic!("no word") };
        assert!(why.contains("no audio") && !why.contains('\n'), "{why}");
        viewer.finish(speaker).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_description_is_told_at_once() {
    for (n, nonsense) in ["", "v=0", "m=audio 9 ", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"].into_iter().enumerate()
    {
        let port = 45_400 + n as u16;
        let mut viewer = Viewer::start(port..=port).await;
        viewer.peer.answer(nonsense.into());
        let said = next(&mut viewer.messages).await;
        assert!(matches!(said, PeerMessage::Event(PeerEvent::Unable(_))), "{nonsense:?}: {said:?}");
        viewer.peer.close().await;
    }
}

/// Local ports of this process's UDP sockets.
#[cfg(target_os = "linux")]
fn ports() -> Vec<u16> {
    let sockets =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    let sockets: Vec<String> = sockets.map(|link| link.display().to_string()).collect();
    let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
    let port = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let mine = sockets.contains(&format!("socket:[{}]", fields[9]));
        mine.then(|| u16::from_str_radix(fields[1].split_once(':').unwrap().1, 16).unwrap())
    };
    table.lines().skip(1).filter_map(port).collect()
}

/// Port 5353 would be that of multicast DNS, which a task without a default route cannot have.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_peer_opens_no_port_but_one_of_its_range() {
    let viewer = Viewer::start(45_500..=45_500).await;
    let open = ports();
    assert!(open.contains(&45_500) && !open.contains(&5_353), "{open:?}");
    viewer.peer.close().await;
}

#[tokio::test]
async fn an_address_that_the_task_does_not_have_is_not_taken_for_ports_in_use() {
    let (said, mut messages) = mpsc::unbounded_channel();
    let elsewhere = std::net::IpAddr::from([192, 0, 2, 77]);
    let _peer = Peer::start(elsewhere, 45_600..=45_601, async { Vec::new() }, move |message| drop(said.send(message)));
    let PeerMessage::Event(PeerEvent::Unable(why)) = next(&mut messages).await else { panic!("no word") };
    assert!(why.contains("network interface") && !why.contains("ICE_PORTS"), "{why}");
}
