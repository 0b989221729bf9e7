//! A speaker's peer connection in this process, over loopback. It behaves like the product's browser: it answers before it gathers, and whether
//! its candidates reach the viewer is the test's affair.

use bytes::Bytes;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCPeerConnectionIceEvent,
    RTCSessionDescription, Registry, SettingEngineBuilder, configure_rtcp_reports,
};
use worker::io::peer::PeerMessage;

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SSRC: u32 = 4_711;
/// No step takes nearly as long; a step that hangs fails here instead of for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Passes its candidates on.
struct Candidates(mpsc::UnboundedSender<String>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Candidates {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let mut candidate = event.candidate.to_json().unwrap();
        candidate.sdp_mid = Some("0".into());
        let _ = self.0.send(serde_json::to_string(&candidate).unwrap());
    }
}

/// Who has answered.
pub struct Speaker {
    pub connection: Arc<dyn PeerConnection>,
    pub track: Arc<TrackLocalStaticRTP>,
    pub answer: String,
    /// Its candidates, as JSON.
    pub candidates: mpsc::UnboundedReceiver<String>,
}

fn opus_codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "audio/opus".into(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
        rtcp_feedback: Vec::new(),
    }
}

/// One peer connection, the answer before gathering.
pub async fn speaker(offer: String) -> Speaker {
    let (says, candidates) = mpsc::unbounded_channel();
    let mut media = MediaEngine::default();
    let codec = RTCRtpCodecParameters { rtp_codec: opus_codec(), payload_type: 111 };
    media.register_codec(codec, RtpCodecKind::Audio).unwrap();
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .build();
    let connection: Arc<dyn PeerConnection> = Arc::new(
        PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .with_setting_engine(settings)
            .with_handler(Arc::new(Candidates(says)))
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
    Speaker { connection, track, answer: sdp, candidates }
}

/// One second of a tone in 20 ms packets, at real time.
pub async fn speak(track: &TrackLocalStaticRTP) {
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

pub async fn next(messages: &mut mpsc::UnboundedReceiver<PeerMessage>) -> PeerMessage {
    tokio::time::timeout(PATIENCE, messages.recv()).await.expect("the peer says something").expect("the peer lives")
}
