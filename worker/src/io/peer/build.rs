//! How a connection is made: codecs, timers, port, servers.

use super::{Handler, PeerConfig, PeerError};
use crate::io::signaling::IceServer;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceServer, Registry,
    SettingEngineBuilder, configure_rtcp_reports,
};

/// Payload type of RED in our offer.
pub(super) const RED: u8 = 63;
/// Payload type of Opus in our offer.
pub(super) const OPUS: u8 = 111;
/// What the speaker's encoder is asked for (RFC 7587): FEC; packets in silence too, because their absence is how a speaker who left is noticed; one
/// channel, which is all that is decoded; no more bits than speech needs (also Chromium's own choice for one channel).
const OPUS_FMTP: &str = "minptime=10;useinbandfec=1;usedtx=0;stereo=0;maxaveragebitrate=32000";
/// Between two rounds of checks; the crate's default is 200 ms, RFC 8445 paces at 50 ms.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Checks per candidate pair, 30 s of them: the crate's default gives a pair up for ever after 7.
const CHECKS: u16 = 600;
/// Between two refreshes of a relay's allocation, which lasts ten minutes; the crate's default is five. When the relay's nonce has expired, the relay
/// refuses a request and tells the next nonce, and the crate does not ask again by itself. A refresh that is refused costs nothing; a channel whose
/// renewal is refused is lost. So refreshes are asked for as often as the crate allows, that they meet the expired nonce first.
pub const RELAY_REFRESH: Duration = Duration::from_secs(1);

/// Builds on the first port that is free. Between looking and binding another process may take it, so the next is tried then.
pub(super) async fn build(config: &PeerConfig, handler: Arc<Handler>) -> Result<Arc<dyn PeerConnection>, PeerError> {
    let mut last_error = None;
    for port in config.ports.clone() {
        let address = SocketAddr::new(config.bind, port);
        match UdpSocket::bind(address) {
            Ok(_free) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue,
            Err(error) => return Err(PeerError::NoSocket { bind: config.bind, source: error.into() }),
        }
        match build_on(address, config, handler.clone()).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last_error = Some(error),
        }
    }
    let (first, last) = (*config.ports.start(), *config.ports.end());
    Err(last_error.unwrap_or(PeerError::NoPort { bind: config.bind, first, last }))
}

async fn build_on(
    address: SocketAddr,
    config: &PeerConfig,
    handler: Arc<Handler>,
) -> Result<Arc<dyn PeerConnection>, PeerError> {
    let mut media = MediaEngine::default();
    // RED first: the browser takes the first codec that it knows, and RED saves nearly all that is lost at 10 % loss. No transport-cc: with it
    // Chromium sends a third more packets as probes.
    media.register_codec(codec("audio/red", RED, "111/111"), RtpCodecKind::Audio)?;
    media.register_codec(codec("audio/opus", OPUS, OPUS_FMTP), RtpCodecKind::Audio)?;
    // Receiver reports tell the encoder about loss, which is what turns its FEC on.
    let reports = configure_rtcp_reports(Registry::new());
    let seconds = |s| Some(Duration::from_secs(s));
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(config.bind.is_loopback())
        // By default the crate binds port 5353 and joins its multicast group for every connection, which fails without a default route, and asks the
        // network for the speaker's `.local` names, which only the speaker's own network knows.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(seconds(5), seconds(15), seconds(2))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_turn_allocation_refresh_interval_cap(RELAY_REFRESH)
        .with_mid_generator(|_| "0".into())
        .build();
    let servers = config.servers.iter().filter_map(usable).collect();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().with_ice_servers(servers).build())
        .with_media_engine(media)
        .with_interceptor_registry(reports)
        .with_setting_engine(settings)
        .with_handler(handler)
        .with_udp_addrs(vec![address])
        .build()
        .await
        .map_err(|source| PeerError::NoSocket { bind: config.bind, source: source.into() })?;
    Ok(Arc::new(connection))
}

fn codec(mime_type: &str, payload_type: u8, fmtp: &str) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: mime_type.into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: fmtp.into(),
            rtcp_feedback: Vec::new(),
        },
        payload_type,
    }
}

/// The crate speaks STUN, and TURN over UDP; it skips other URLs with a warning each.
fn usable(server: &IceServer) -> Option<RTCIceServer> {
    let over_udp = |url: &String| {
        url.starts_with("stun:") || (url.starts_with("turn:") && !url.to_ascii_lowercase().contains("transport=tcp"))
    };
    let urls: Vec<String> = server.urls.iter().filter(|url| over_udp(url)).cloned().collect();
    (!urls.is_empty()).then(|| RTCIceServer {
        urls,
        username: server.username.clone(),
        credential: server.credential.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_three_urls_of_a_relay_the_one_over_udp_is_used() {
        let urls = ["turn:r:443?transport=udp", "turns:r:443?transport=udp", "turns:r:443?transport=tcp"];
        let server = IceServer { urls: urls.map(str::to_owned).to_vec(), username: "u".into(), credential: "c".into() };
        let used = usable(&server).unwrap();
        assert_eq!(used.urls, ["turn:r:443?transport=udp"]);
        assert_eq!((used.username.as_str(), used.credential.as_str()), ("u", "c"));
        let tls_only = IceServer { urls: vec!["turns:r:443?transport=tcp".into()], ..IceServer::default() };
        assert!(usable(&tls_only).is_none());
    }
}
