//! The speaker against a viewer and a signaling channel in this process, on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use schemas::signaling::{FromService, ToService};
use sessionctl::rehearse::microphone;
use sessionctl::rehearse::record::{Event, SpeakerEvent};
use sessionctl::rehearse::speaker::{Network, Speaker};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCSessionDescription, Registry, SettingEngineBuilder, configure_rtcp_reports,
};

struct Viewer {
    gathered: mpsc::UnboundedSender<()>,
    packets: mpsc::UnboundedSender<rtc::rtp::Packet>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Viewer {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.send(());
        }
    }
    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let packets = self.packets.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = packets.send(packet);
                }
            }
        });
    }
}

async fn viewer(handler: Viewer) -> Arc<dyn PeerConnection> {
    let codec = |name: &str, payload_type, fmtp: &str| RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: name.into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: fmtp.into(),
            rtcp_feedback: Vec::new(),
        },
        payload_type,
    };
    let mut media = MediaEngine::default();
    media.register_codec(codec("audio/red", 63, "111/111"), RtpCodecKind::Audio).unwrap();
    media.register_codec(codec("audio/opus", 111, "minptime=10;useinbandfec=1"), RtpCodecKind::Audio).unwrap();
    let peer: Arc<dyn PeerConnection> = Arc::new(
        PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .with_setting_engine(SettingEngineBuilder::new().with_include_loopback_candidate(true).build())
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build()
            .await
            .unwrap(),
    );
    let init =
        RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..RTCRtpTransceiverInit::default() };
    peer.add_transceiver_from_kind(RtpCodecKind::Audio, Some(init)).await.unwrap();
    peer
}

/// Gathers first, as our worker does: the master's candidates never arrive.
async fn complete_offer(peer: &Arc<dyn PeerConnection>, gathered: &mut mpsc::UnboundedReceiver<()>) -> String {
    let offer = peer.create_offer(None).await.unwrap();
    peer.set_local_description(offer).await.unwrap();
    gathered.recv().await.unwrap();
    peer.local_description().await.unwrap().sdp
}

async fn send_offer(service: &mut WebSocketStream<TcpStream>, sdp: &str) {
    let payload = serde_json::json!({ "type": "offer", "sdp": sdp }).to_string();
    let frame = FromService {
        message_type: "SDP_OFFER".into(),
        sender_client_id: Some("worker-a".into()),
        message_payload: Some(STANDARD.encode(payload)),
        status_response: None,
    };
    service.send(Message::text(serde_json::to_string(&frame).unwrap())).await.unwrap();
}

/// What the speaker sends until its answer, the answer last; the rest stays in the socket.
async fn until_answer(service: &mut WebSocketStream<TcpStream>) -> Vec<ToService> {
    let mut sent = Vec::new();
    loop {
        let Some(Ok(Message::Text(text))) = service.next().await else { continue };
        let message: ToService = serde_json::from_str(&text).unwrap();
        let done = message.action == "SDP_ANSWER";
        sent.push(message);
        if done {
            return sent;
        }
    }
}

fn sdp(message: &ToService) -> String {
    let json: serde_json::Value = serde_json::from_slice(&STANDARD.decode(&message.message_payload).unwrap()).unwrap();
    json["sdp"].as_str().unwrap().to_owned()
}

struct Scene {
    service: WebSocketStream<TcpStream>,
    events: mpsc::UnboundedReceiver<Event>,
    speak: watch::Sender<bool>,
    gone: watch::Sender<bool>,
}

/// A speaker with half a second of a tone to say, and the service's side of its channel.
async fn scene() -> Scene {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let accepted = tokio::spawn(async move { accept_async(listener.accept().await.unwrap().0).await.unwrap() });
    let signaling = kvs_signaling::connect(&url).await.unwrap();
    let (events_in, events) = mpsc::unbounded_channel();
    let (lines_in, lines) = watch::channel(None);
    let (speak, spoken) = watch::channel(false);
    let (gone, leave) = watch::channel(false);
    let tone = (0..24_000).map(|n| (f64::from(n) * 0.0576).sin() * 12_000.0).map(|x| x as i16).collect();
    tokio::spawn(microphone::run(tone, lines, spoken, events_in.clone()));
    let network = Network { ice_servers: Vec::new(), bind: Some(std::net::Ipv4Addr::LOCALHOST.into()), patched: false };
    tokio::spawn(Speaker::new(network, signaling, lines_in, events_in).run(leave));
    Scene { service: accepted.await.unwrap(), events, speak, gone }
}

async fn wait_for(events: &mut mpsc::UnboundedReceiver<Event>, wanted: SpeakerEvent) {
    while events.recv().await.expect("the speaker left") != Event::Speaker(wanted.clone()) {}
}

#[tokio::test]
async fn the_speaker_answers_as_the_products_browser_and_is_heard() {
    let mut scene = scene().await;
    let (gathered_in, mut gathered) = mpsc::unbounded_channel();
    let (packets_in, mut packets) = mpsc::unbounded_channel();
    let peer = viewer(Viewer { gathered: gathered_in, packets: packets_in }).await;
    let offer = complete_offer(&peer, &mut gathered).await;
    send_offer(&mut scene.service, &offer).await;

    let sent = until_answer(&mut scene.service).await;
    let answer = sent.last().unwrap();
    assert_eq!(answer.recipient_client_id.as_deref(), Some("worker-a"));
    assert!(!sdp(answer).contains("a=candidate"), "the answer goes out before gathering");
    assert!(sent.iter().filter(|m| m.action == "ICE_CANDIDATE").all(|m| m.recipient_client_id.is_none()));
    peer.set_remote_description(RTCSessionDescription::answer(sdp(answer)).unwrap()).await.unwrap();

    wait_for(&mut scene.events, SpeakerEvent::Connected).await;
    scene.speak.send_replace(true);
    wait_for(&mut scene.events, SpeakerEvent::SpeechBegan).await;
    wait_for(&mut scene.events, SpeakerEvent::SpeechEnded).await;

    let mut decoder = opus::Decoder::new(16_000, opus::Channels::Mono).unwrap();
    let (mut last, mut loud, mut quiet) = (None::<(u16, u32)>, 0, 0);
    while quiet < 5 || loud < 20 {
        let packet = packets.recv().await.unwrap();
        assert_eq!(packet.header.payload_type, 63, "RED, which the viewer prefers");
        if let Some((sequence, timestamp)) = last {
            assert_eq!(packet.header.sequence_number, sequence.wrapping_add(1));
            assert_eq!(packet.header.timestamp, timestamp.wrapping_add(960));
        }
        last = Some((packet.header.sequence_number, packet.header.timestamp));
        let mut pcm = [0i16; 320];
        decoder.decode(primary(&packet.payload), &mut pcm, false).unwrap();
        if pcm.iter().any(|s| s.unsigned_abs() > 6_000) { loud += 1 } else { quiet += 1 }
    }
    assert!((24..=28).contains(&loud), "half a second of tone is 25 frames: {loud}");
    scene.gone.send_replace(true);
    peer.close().await.unwrap();
}

/// The last block of a RED packet, which has one copy at the most (RFC 2198).
fn primary(payload: &[u8]) -> &[u8] {
    if payload[0] & 0x80 == 0 {
        return &payload[1..];
    }
    let copy = usize::from(payload[2] & 3) << 8 | usize::from(payload[3]);
    &payload[5 + copy..]
}

#[tokio::test]
async fn a_second_offer_of_the_same_viewer_is_answered_on_the_same_connection_and_anothers_on_a_new_one() {
    let mut scene = scene().await;
    let mut fingerprints = Vec::new();
    for viewers in 0..2 {
        let (gathered_in, mut gathered) = mpsc::unbounded_channel();
        let peer = viewer(Viewer { gathered: gathered_in, packets: mpsc::unbounded_channel().0 }).await;
        let offer = complete_offer(&peer, &mut gathered).await;
        for repeated in 0..2 {
            send_offer(&mut scene.service, &offer).await;
            let sent = until_answer(&mut scene.service).await;
            let answer = sdp(sent.last().unwrap());
            fingerprints.push(answer.lines().find(|l| l.starts_with("a=fingerprint")).unwrap().to_owned());
            if repeated == 0 {
                peer.set_remote_description(RTCSessionDescription::answer(answer).unwrap()).await.unwrap();
                wait_for(&mut scene.events, SpeakerEvent::Connected).await;
            }
        }
        assert_eq!(fingerprints[2 * viewers], fingerprints[2 * viewers + 1], "the same connection");
        peer.close().await.unwrap();
    }
    assert_ne!(fingerprints[0], fingerprints[2], "another viewer");
    scene.gone.send_replace(true);
}
