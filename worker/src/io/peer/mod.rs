//! The WebRTC connection that receives the speaker's audio.
//!
//! *Flow*: [`Peer::start`] makes a connection, gathers, and reports the whole offer; [`Peer::answer`] and [`Peer::candidate`] take what comes
//! from the master, in any order. *Guarantees*: a connection is always closed, also when it failed or was never answered, because one that is
//! only dropped stays alive; the reader of RTP never waits. *Certificates*: an ICE restart keeps the connection and so its DTLS
//! certificate; every fresh connection gets a fresh one, also after the worker was replaced. That is on purpose: the speaker's browser keeps
//! one connection for all offers, and it begins a new DTLS handshake only when the fingerprint changes (RFC 8842, section 5.3); with the old certificate
//! it would keep keys that a fresh connection does not have. So no private key is ever stored. *Caveats*: relays are used over UDP only; the crate reports a speaker's closed tab
//! as `Disconnected` after seconds, and as `Failed` after 15 s.

mod build;
mod names;
pub mod sdp;

use super::signaling::IceServer;
use crate::media::RtpAudio;
pub use build::RELAY_REFRESH;
use build::{OPUS, RED, build};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionEventHandler, RTCIceCandidateInit, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription, RTCStatsReportEntry, StatsSelector,
};
use worker_core::input::PeerEvent;

/// Longest time for gathering; a STUN server that does not answer must not hold up the offer.
const GATHERING: Duration = Duration::from_secs(5);
/// Between two looks at the path.
const LOOK: Duration = Duration::from_secs(2);

/// Where and how to connect.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// The address to bind; unspecified means every interface but loopback.
    pub bind: IpAddr,
    /// UDP ports; the first free one is taken.
    pub ports: RangeInclusive<u16>,
    /// STUN and TURN servers.
    pub servers: Vec<IceServer>,
}

/// What a peer says.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerMessage {
    /// For the engine.
    Event(PeerEvent),
    /// A packet of the speaker.
    Rtp(RtpAudio),
    /// How the pair that carries the audio does.
    Path(Path),
}

/// The pair of candidates that carries the audio.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The type of our candidate (`host`, `srflx`, `prflx`, `relay`).
    pub candidate_type: String,
    /// The type of the speaker's.
    pub remote_candidate_type: String,
    /// Round trip, ms; `None` before it was measured.
    pub round_trip_ms: Option<f64>,
}

/// Why a connection cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The crate refused.
    #[error("WebRTC: {0}")]
    WebRtc(#[from] webrtc::error::Error),
    /// No socket can be had, although a port is free.
    #[error(
        "no socket for media can be opened on {bind} ({source}): the task needs a network interface with an address and a default route"
    )]
    NoSocket {
        /// The address.
        bind: IpAddr,
        /// What the system or the crate said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing but loopback is there, and no server told an address.
    #[error(
        "the task has no network address that a speaker could reach: it needs a network interface and a default route"
    )]
    NoAddress,
    /// The master answered without audio, or refused it.
    #[error("the speaker's answer has no audio: its page must add the microphone before it answers")]
    NoAudio,
    /// All ports of the range are in use.
    #[error("no UDP port of {first} to {last} is free on {bind}: widen ICE_PORTS, or end the process that holds them")]
    NoPort {
        /// The address.
        bind: IpAddr,
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
}

enum Command {
    Answer(String),
    Candidate(String),
    Restart,
}

type Report = Arc<dyn Fn(PeerMessage) + Send + Sync>;

/// One connection. Dropping it closes it in the background; [`Peer::close`] waits for that.
#[derive(Debug)]
pub struct Peer {
    commands: mpsc::UnboundedSender<Command>,
    task: tokio::task::JoinHandle<()>,
}

impl Peer {
    /// Makes a connection; [`PeerEvent::OfferReady`] or [`PeerEvent::Unable`] follows. `servers` gives the STUN and TURN servers, freshly fetched.
    pub fn start(
        bind: IpAddr,
        ports: RangeInclusive<u16>,
        servers: impl Future<Output = Vec<IceServer>> + Send + 'static,
        report: impl Fn(PeerMessage) + Send + Sync + 'static,
    ) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let report: Report = Arc::new(report);
            let servers = names::looked_up(servers.await, bind).await;
            let config = PeerConfig { bind, ports, servers };
            if let Err(error) = live(&config, receiver, &report).await {
                report(PeerMessage::Event(PeerEvent::Unable(error.to_string())));
            }
        });
        Self { commands, task }
    }

    /// Takes the master's answer.
    pub fn answer(&self, sdp: String) {
        // A peer that has ended has said so.
        let _ = self.commands.send(Command::Answer(sdp));
    }

    /// Takes a candidate of the master, as the JSON that came.
    pub fn candidate(&self, json: String) {
        let _ = self.commands.send(Command::Candidate(json));
    }

    /// Looks for another path; the connection, its certificate and its stream stay. [`PeerEvent::OfferReady`] follows.
    pub fn restart(&self) {
        let _ = self.commands.send(Command::Restart);
    }

    /// Closes the connection and waits until its sockets are free.
    pub async fn close(self) {
        drop(self.commands);
        // A task that panicked has closed nothing, but there is nothing left to wait for either.
        let _ = self.task.await;
    }
}

/// Makes the connection, lives as long as somebody holds the commands, and closes it whatever happened.
async fn live(
    config: &PeerConfig,
    mut commands: mpsc::UnboundedReceiver<Command>,
    report: &Report,
) -> Result<(), PeerError> {
    let (gathered, mut complete) = mpsc::unbounded_channel();
    let handler = Arc::new(Handler { report: Arc::clone(report), gathered });
    let connection = build(config, handler.clone()).await?;
    let ended = converse(&connection, &mut commands, &mut complete, report).await;
    // Not closing it would leak the driver and its sockets.
    let closed = connection.close().await;
    ended?;
    Ok(closed?)
}

async fn converse(
    connection: &Arc<dyn PeerConnection>,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    report: &Report,
) -> Result<(), PeerError> {
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
    connection.add_transceiver_from_kind(RtpCodecKind::Audio, Some(init)).await?;
    let offer = connection.create_offer(None).await?;
    connection.set_local_description(offer).await?;
    let mut offered = false;
    let mut early = Vec::new();
    let mut answered = false;
    let patience = tokio::time::sleep(GATHERING);
    tokio::pin!(patience);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut patience, if !offered => offered = offer_now(connection, report).await?,
            _ = look.tick(), if answered => report_path(connection, report).await,
            Some(signal) = signals.recv() => match signal {
                Signal::Gathered if !offered => offered = offer_now(connection, report).await?,
                Signal::Gathered => {}
                Signal::Connected => report_path(connection, report).await,
            },
            command = commands.recv() => match command {
                None => return Ok(()),
                Some(Command::Answer(sdp)) => {
                    let kept = sdp::audio_only(&sdp);
                    if kept.others > 0 {
                        tracing::info!(event = "sections_refused", count = kept.others, "the speaker answered with more than audio");
                    }
                    if !kept.audio {
                        return Err(PeerError::NoAudio);
                    }
                    let answer = RTCSessionDescription::answer(kept.sdp)?;
                    connection.set_remote_description(answer).await?;
                    answered = true;
                    for json in early.drain(..) {
                        add_candidate(connection, json).await;
                    }
                }
                Some(Command::Restart) => {
                    connection.restart_ice().await?;
                    let offer = connection.create_offer(None).await?;
                    connection.set_local_description(offer).await?;
                    // What was gathered stays good, and is in the description; it is not announced again.
                    (answered, offered) = (false, offer_now(connection, report).await?);
                }
                // A candidate may overtake the answer (KVS WebRTC developer guide).
                Some(Command::Candidate(json)) if !answered => early.push(json),
                Some(Command::Candidate(json)) => add_candidate(connection, json).await,
            },
        }
    }
}

/// Reports the offer with all the candidates that are known.
async fn offer_now(connection: &Arc<dyn PeerConnection>, report: &Report) -> Result<bool, PeerError> {
    let Some(description) = connection.local_description().await else { return Ok(false) };
    if !sdp::has_address(&description.sdp) {
        return Err(PeerError::NoAddress);
    }
    report(PeerMessage::Event(PeerEvent::OfferReady(description.sdp)));
    Ok(true)
}

/// A candidate that cannot be used is one path less, not a failure.
async fn add_candidate(connection: &Arc<dyn PeerConnection>, json: String) {
    match serde_json::from_str::<Candidate>(&json) {
        // A browser without the microphone's permission hides its addresses so; it still reaches us.
        Ok(candidate) if sdp::is_mdns(&candidate.candidate) => {}
        Ok(candidate) => {
            if let Err(error) = connection.add_ice_candidate(candidate.into()).await {
                tracing::debug!(%error, "a candidate of the speaker was refused");
            }
        }
        Err(error) => tracing::debug!(%error, "a candidate of the speaker was malformed"),
    }
}

/// What browsers send, with everything but the candidate itself optional.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    candidate: String,
    #[serde(default)]
    username_fragment: Option<String>,
}

impl From<Candidate> for RTCIceCandidateInit {
    fn from(candidate: Candidate) -> Self {
        // There is one m-line, so it is the one that is meant.
        Self {
            candidate: candidate.candidate,
            sdp_mid: Some("0".into()),
            sdp_mline_index: Some(0),
            username_fragment: candidate.username_fragment,
            url: None,
        }
    }
}

async fn report_path(connection: &Arc<dyn PeerConnection>, report: &Report) {
    let stats = connection.get_stats(Instant::now(), StatsSelector::None).await;
    let Some(pair) = stats.candidate_pairs().find(|pair| pair.nominated) else { return };
    // The crate files a candidate under such names, but names it without the prefix in a pair; one that was learned from a check is not filed.
    let kind = |side: &str, id: &str| match stats.get(&format!("RTC{side}IceCandidate_{id}")) {
        Some(RTCStatsReportEntry::LocalCandidate(c) | RTCStatsReportEntry::RemoteCandidate(c)) => {
            c.candidate_type.to_string()
        }
        Some(_) | None => "prflx".into(),
    };
    let (candidate_type, remote_candidate_type) =
        (kind("Local", &pair.local_candidate_id), kind("Remote", &pair.remote_candidate_id));
    // The crate counts seconds, and 0 before the first answer.
    let round_trip_ms = (pair.current_round_trip_time > 0.0).then_some(pair.current_round_trip_time * 1_000.0);
    report(PeerMessage::Path(Path { candidate_type, remote_candidate_type, round_trip_ms }));
}

/// What the conversation needs to hear from the crate's driver.
enum Signal {
    Gathered,
    Connected,
}

/// Runs on the crate's driver: it only passes things on.
struct Handler {
    report: Report,
    gathered: mpsc::UnboundedSender<Signal>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.send(Signal::Gathered);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = match state {
            RTCPeerConnectionState::Connected => {
                let _ = self.gathered.send(Signal::Connected);
                PeerEvent::Connected
            }
            RTCPeerConnectionState::Disconnected => PeerEvent::Disconnected,
            RTCPeerConnectionState::Failed => PeerEvent::Failed("ICE or DTLS failed".into()),
            // On the way up, closed by ourselves, or unknown to this version.
            RTCPeerConnectionState::Unspecified
            | RTCPeerConnectionState::New
            | RTCPeerConnectionState::Connecting
            | RTCPeerConnectionState::Closed
            | _ => return,
        };
        (self.report)(PeerMessage::Event(event));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let report = Arc::clone(&self.report);
        tokio::spawn(async move {
            // The crate keeps 256 events and drops the rest silently, so nothing here may wait.
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event
                    && let Some(packet) = audio(packet)
                {
                    report(PeerMessage::Rtp(packet));
                }
            }
        });
    }
}

fn audio(packet: rtc::rtp::Packet) -> Option<RtpAudio> {
    let header = packet.header;
    matches!(header.payload_type, RED | OPUS).then_some(RtpAudio {
        ssrc: header.ssrc,
        sequence: header.sequence_number,
        timestamp: header.timestamp,
        red: header.payload_type == RED,
        payload: packet.payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_needs_nothing_but_itself() {
        let candidate: Candidate =
            serde_json::from_str(r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host"}"#).unwrap();
        let init = RTCIceCandidateInit::from(candidate);
        assert_eq!((init.sdp_mid.as_deref(), init.sdp_mline_index), (Some("0"), Some(0)));
    }
}
