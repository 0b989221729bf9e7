//! The speaker's browser: a WebRTC master as the product's is, faults included. One peer connection; an offer is answered
//! at once, before gathering; candidates are sent without a recipient, so that KVS drops them (a patched one names it);
//! signaling that ends is not reopened; a re-offer is answered on the same connection, or on a new one when the viewer is
//! another (its fingerprint).

use super::microphone::Line;
use super::record::{Event, SpeakerEvent};
use kvs_signaling::{Connection, Event as Signal, Outgoing};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateInit, RTCIceServer, RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
    Registry, SettingEngineBuilder, configure_rtcp_reports,
};

/// What the browser knows of the network.
#[derive(Debug, Clone)]
pub struct Network {
    /// From GetIceServerConfig.
    pub ice_servers: Vec<RTCIceServer>,
    /// Address for media; every interface but loopback when absent.
    pub bind: Option<IpAddr>,
    /// Whether candidates name their recipient, without which KVS drops them.
    pub patched: bool,
}

/// What a peer connection says, with the number of the connection.
enum Said {
    Candidate(String),
    State(RTCPeerConnectionState),
}

struct Handler {
    number: u64,
    says: mpsc::UnboundedSender<(u64, Said)>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(mut init) = event.candidate.to_json() {
            init.sdp_mid = Some("0".into());
            if let Ok(json) = serde_json::to_string(&init) {
                let _ = self.says.send((self.number, Said::Candidate(json)));
            }
        }
    }
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let _ = self.says.send((self.number, Said::State(state)));
    }
}

struct Peer {
    number: u64,
    fingerprint: String,
    /// Who offered.
    viewer: Option<String>,
    connection: Arc<dyn PeerConnection>,
    line: Line,
}

/// The running browser.
pub struct Speaker {
    network: Network,
    signaling: Connection,
    signaling_open: bool,
    lines: watch::Sender<Option<Line>>,
    events: mpsc::UnboundedSender<Event>,
    says: mpsc::UnboundedSender<(u64, Said)>,
    heard: mpsc::UnboundedReceiver<(u64, Said)>,
    peer: Option<Peer>,
    early: Vec<String>,
    made: u64,
    ssrc: u32,
}

impl Speaker {
    /// A browser with an open signaling channel.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    pub fn new(
        network: Network,
        signaling: Connection,
        lines: watch::Sender<Option<Line>>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let (says, heard) = mpsc::unbounded_channel();
        let ssrc = uuid::Uuid::new_v4().as_u128() as u32;
        Self {
            network,
            signaling,
            signaling_open: true,
            lines,
            events,
            says,
            heard,
            peer: None,
            early: Vec::new(),
            made: 0,
            ssrc,
        }
    }

    /// Runs until `gone` says so, then closes the peer connection and the channel without a word.
    pub async fn run(mut self, mut gone: watch::Receiver<bool>) {
        self.say(SpeakerEvent::SignalingOpen);
        loop {
            tokio::select! {
                () = async { drop(gone.wait_for(|gone| *gone).await) } => break,
                Some((number, said)) = self.heard.recv() => self.peer_said(number, said),
                signal = self.signaling.next(), if self.signaling_open => match signal {
                    Some(signal) => self.signal(signal).await,
                    None => self.signaling_open = false,
                },
            }
        }
        self.hang_up().await;
    }

    fn say(&self, event: SpeakerEvent) {
        // Nobody listens any more only when the rehearsal is over.
        let _ = self.events.send(Event::Speaker(event));
    }

    fn trouble(&self, text: String) {
        let _ = self.events.send(Event::Trouble(text));
    }

    async fn hang_up(&mut self) {
        self.lines.send_replace(None);
        if let Some(peer) = self.peer.take() {
            // Without close() the connection's task and sockets would stay.
            let _ = tokio::time::timeout(Duration::from_secs(2), peer.connection.close()).await;
        }
    }

    fn peer_said(&mut self, number: u64, said: Said) {
        let Some(peer) = self.peer.as_ref().filter(|p| p.number == number) else { return };
        match said {
            // The product's master names no recipient.
            Said::Candidate(json) if self.signaling_open => {
                let to = peer.viewer.clone().filter(|_| self.network.patched);
                let _ = self.signaling.send(&Outgoing::Candidate { json, to });
            }
            Said::Candidate(_) => {}
            Said::State(RTCPeerConnectionState::Connected) => {
                self.lines.send_replace(Some(peer.line.clone()));
                self.say(SpeakerEvent::Connected);
            }
            Said::State(state @ (RTCPeerConnectionState::Disconnected | RTCPeerConnectionState::Failed)) => {
                self.say(SpeakerEvent::Lost(state.to_string()));
            }
            // The crate's states are open-ended; the rest are steps on the way.
            Said::State(_) => {}
        }
    }

    async fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Offer { from, sdp } => match self.answer(&sdp, from.clone()).await {
                Ok(answer) => match self.signaling.send(&Outgoing::Answer { sdp: answer, to: from }) {
                    Ok(_) => self.say(SpeakerEvent::Answered),
                    Err(e) => self.trouble(format!("the answer was not sent: {e}")),
                },
                Err(e) => self.trouble(format!("the offer could not be answered: {e}")),
            },
            Signal::Candidate { json, .. } => self.candidate(json).await,
            Signal::Refused(why) => tracing::debug!(error = why.error_type, "a signaling message was refused"),
            Signal::Closed { detail } => {
                self.signaling_open = false;
                self.say(SpeakerEvent::SignalingClosed(detail));
            }
            // The product's SDK drops both.
            Signal::GoAway | Signal::ReconnectIceServer | Signal::Answer { .. } => {}
        }
    }

    async fn answer(&mut self, offer: &str, viewer: Option<String>) -> Result<String, webrtc::error::Error> {
        let fingerprint = attribute(offer, "fingerprint").unwrap_or_default().to_owned();
        if self.peer.as_ref().is_none_or(|p| p.fingerprint != fingerprint) {
            self.hang_up().await;
            self.made += 1;
            self.peer = Some(self.new_peer(fingerprint).await?);
        }
        let Some(peer) = &mut self.peer else { return Ok(String::new()) };
        peer.viewer = viewer;
        peer.connection.set_remote_description(RTCSessionDescription::offer(offer.to_owned())?).await?;
        let answer = peer.connection.create_answer(None).await?;
        let text = answer.sdp.clone();
        peer.line.payload_type = payload_type(&text).unwrap_or(OPUS);
        peer.line.red = red_payload_type(offer).filter(|_| red_payload_type(&text).is_some());
        peer.connection.set_local_description(answer).await?;
        for json in std::mem::take(&mut self.early) {
            self.candidate(json).await;
        }
        Ok(text)
    }

    async fn candidate(&mut self, json: String) {
        let Some(peer) = &self.peer else {
            // Candidates may come before their offer.
            self.early.push(json);
            return;
        };
        let Ok(init) = serde_json::from_str::<RTCIceCandidateInit>(&json) else { return };
        if let Err(e) = peer.connection.add_ice_candidate(init).await {
            tracing::debug!(error = %e, "a candidate was not taken");
        }
    }

    async fn new_peer(&self, fingerprint: String) -> Result<Peer, webrtc::error::Error> {
        let mut media = MediaEngine::default();
        media.register_codec(RTCRtpCodecParameters { rtp_codec: codec(), payload_type: OPUS }, RtpCodecKind::Audio)?;
        let red = RTCRtpCodec { mime_type: "audio/red".into(), sdp_fmtp_line: "111/111".into(), ..codec() };
        media.register_codec(RTCRtpCodecParameters { rtp_codec: red, payload_type: RED }, RtpCodecKind::Audio)?;
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(self.network.bind.is_some_and(|bind| bind.is_loopback()))
            // Its default wants a multicast route.
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_timeouts(
                Some(Duration::from_secs(5)),
                Some(Duration::from_secs(15)),
                Some(Duration::from_secs(2)),
            )
            .with_ice_connection_attempts(None, Some(150))
            .build();
        let address = SocketAddr::new(self.network.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), 0);
        let connection: Arc<dyn PeerConnection> = Arc::new(
            PeerConnectionBuilder::new()
                .with_configuration(
                    RTCConfigurationBuilder::new().with_ice_servers(self.network.ice_servers.clone()).build(),
                )
                .with_media_engine(media)
                .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
                .with_setting_engine(settings)
                .with_handler(Arc::new(Handler { number: self.made, says: self.says.clone() }))
                .with_udp_addrs(vec![address])
                .build()
                .await?,
        );
        let track = Arc::new(TrackLocalStaticRTP::new(track_of(self.ssrc)));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await?;
        let line = Line { track, payload_type: OPUS, red: None, ssrc: self.ssrc };
        Ok(Peer { number: self.made, fingerprint, viewer: None, connection, line })
    }
}

/// The payload type that is offered for Opus everywhere.
const OPUS: u8 = 111;
/// The payload type of RED in Chromium.
const RED: u8 = 63;

fn codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "audio/opus".into(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
        rtcp_feedback: Vec::new(),
    }
}

/// The microphone's track.
#[must_use]
pub fn track_of(ssrc: u32) -> MediaStreamTrack {
    MediaStreamTrack::new(
        "rehearsal".into(),
        "microphone".into(),
        "microphone".into(),
        RtpCodecKind::Audio,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: codec(),
            ..Default::default()
        }],
    )
}

/// The first `a=name:value` of an SDP.
#[must_use]
pub fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines().find_map(|line| line.trim().strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

/// The payload type of RED when it is preferred to Opus, as Chromium then sends it.
#[must_use]
pub fn red_payload_type(sdp: &str) -> Option<u8> {
    let first: u8 =
        sdp.lines().find_map(|line| line.trim().strip_prefix("m=audio ")?.split(' ').nth(2)?.parse().ok())?;
    let name = format!("{first} red/48000/2");
    sdp.lines().any(|line| line.trim() == format!("a=rtpmap:{name}")).then_some(first)
}

/// The payload type of Opus in an answer.
#[must_use]
pub fn payload_type(sdp: &str) -> Option<u8> {
    sdp.lines().find_map(|line| {
        let (number, name) = line.trim().strip_prefix("a=rtpmap:")?.split_once(' ')?;
        name.to_ascii_lowercase().starts_with("opus/").then(|| number.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\na=fingerprint:sha-256 AB:CD\r\nm=audio 9 UDP/TLS/RTP/SAVPF 63 109\r\n\
        a=rtpmap:63 red/48000/2\r\na=rtpmap:109 opus/48000/2\r\n";

    #[test]
    fn the_negotiated_payload_type_is_that_of_opus_and_not_of_red() {
        assert_eq!(payload_type(SDP), Some(109));
        assert_eq!(payload_type("v=0"), None);
        assert_eq!(red_payload_type(SDP), Some(63));
        assert_eq!(red_payload_type(&SDP.replace("63 109", "109 63")), None, "not preferred");
    }

    #[test]
    fn another_viewer_is_known_by_its_fingerprint() {
        assert_eq!(attribute(SDP, "fingerprint"), Some("sha-256 AB:CD"));
    }
}
