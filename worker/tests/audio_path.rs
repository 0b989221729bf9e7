//! The viewer's peer connection against a speaker in this process, over loopback: Opus in, 16 kHz audio out. The speaker behaves like the
//! product's browser: it answers before it gathers, and none of its candidates reach the viewer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use bytes::Bytes;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription, Registry,
    SettingEngineBuilder, configure_rtcp_reports,
};
use worker::io::peer::{Peer, PeerMessage};
use worker::media::AudioReceiver;
use worker_core::input::{AudioFrame, AudioKind, PeerEvent};
use worker_core::time::MediaInstant;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SSRC: u32 = 4_711;
/// No step takes nearly as long; a step that hangs fails here instead of for ever.
const PATIENCE: Duration = Duration::from_secs(10);

struct Silent;
#[async_trait::async_trait]
impl PeerConnectionEventHandler for Silent {}

fn opus_codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "audio/opus".into(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
        rtcp_feedback: Vec::new(),
    }
}

/// A speaker: one peer connection, the answer before gathering.
async fn speaker(offer: String) -> (Arc<dyn PeerConnection>, Arc<TrackLocalStaticRTP>, String) {
    let mut media = MediaEngine::default();
    let codec = RTCRtpCodecParameters { rtp_codec: opus_codec(), payload_type: 111 };
    media.register_codec(codec, RtpCodecKind::Audio).unwrap();
    let settings = SettingEngineBuilder::new().with_include_loopback_candidate(true).build();
    let connection: Arc<dyn PeerConnection> = Arc::new(
        PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .with_setting_engine(settings)
            .with_handler(Arc::new(Silent))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build()
            .await
            .unwrap(),
    );
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(SSRC), ..Default::default() },
        codec: opus_codec(),
        ..Default::default()
    };
    let track = MediaStreamTrack::new("s".into(), "a".into(), "mic".into(), RtpCodecKind::Audio, vec![encoding]);
    let track = Arc::new(TrackLocalStaticRTP::new(track));
    connection.set_remote_description(RTCSessionDescription::offer(offer).unwrap()).await.unwrap();
    connection.add_track(track.clone()).await.unwrap();
    let answer = connection.create_answer(None).await.unwrap();
    let sdp = answer.sdp.clone();
    connection.set_local_description(answer).await.unwrap();
    (connection, track, sdp)
}

/// One second of a tone in 20 ms packets, at real time.
async fn speak(track: &TrackLocalStaticRTP) {
    let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for n in 0..50_u32 {
        pace.tick().await;
        let pcm: Vec<i16> =
            (0..320).map(|i| (f64::from(n * 320 + i) * 0.1).sin()).map(|s| (s * 9_000.0) as i16).collect();
        let header = rtc::rtp::Header {
            version: 2,
            payload_type: 111,
            sequence_number: 65_510_u16.wrapping_add(n as u16),
            timestamp: n * 960,
            ssrc: SSRC,
            ..Default::default()
        };
        let payload = Bytes::from(encoder.encode_vec(&pcm, 1_200).unwrap());
        track.write_rtp(rtc::rtp::Packet { header, payload }).await.unwrap();
    }
}

async fn next(messages: &mut mpsc::UnboundedReceiver<PeerMessage>) -> PeerMessage {
    tokio::time::timeout(PATIENCE, messages.recv()).await.expect("the peer says something").expect("the peer lives")
}

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

    let (connection, track, answer) = speaker(offer).await;
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
    let PeerMessage::Event(PeerEvent::Failed(why)) = next(&mut messages).await else { panic!("no failure") };
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
