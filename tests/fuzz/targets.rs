//! What is fuzzed, one function per boundary where bytes come from outside. `cargo fuzz` runs them for hours; `worker/tests/fuzz_smoke.rs` runs
//! them over the corpora and mutations of them with the stable toolchain.

use bytes::Bytes;
use kvs_signaling::message::{Decoded, decode, encode};
use kvs_signaling::{Event, Outgoing, Role};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::time::{Duration, Instant, UNIX_EPOCH};
use worker::io::peer::sdp::{audio_only, is_mdns};
use worker_core::time::MediaInstant;

/// What GetMedia sends, in pieces whose length the first byte tells, up to the audio. However it is cut, the same is heard.
pub fn mkv(data: &[u8]) {
    let (size, bytes) = data.split_first().map_or((1, data), |(first, rest)| (usize::from(*first) + 1, rest));
    let mut receiver = worker::ingest::StreamReceiver::default();
    receiver.connected();
    for part in bytes.chunks(size) {
        receiver.push(part, MediaInstant(0));
        // A gap of an hour is an hour of silence; no more than a few frames of it matter here.
        for _ in 0..8 {
            let Some(at) = receiver.deadline() else { break };
            if let Some(frame) = receiver.poll(at) {
                assert!(frame.pcm.len() <= 16_000, "no frame is longer than a second");
            }
        }
    }
}

/// A row of the Sessions table, as JSON.
pub fn session_row(data: &[u8]) {
    if let Ok(row) = serde_json::from_slice(data) {
        let _read = schemas::session::read_session(&row);
        let _listener = schemas::session::read_listener(&row);
        let _speaker = schemas::session::read_speaker(&row);
    }
}

/// A text frame of signaling. What was understood can be said again, and is understood as the same.
pub fn signaling(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Decoded::Event(event) = decode(text) else { return };
    let again = match &event {
        Event::Offer { sdp, .. } => Outgoing::Offer { sdp: sdp.clone(), to: None },
        Event::Answer { sdp, .. } => Outgoing::Answer { sdp: sdp.clone(), to: None },
        Event::Candidate { json, .. } => Outgoing::Candidate { json: json.clone(), to: None },
        Event::GoAway | Event::ReconnectIceServer | Event::Refused(_) | Event::Closed { .. } => return,
    };
    // What is said again may be longer than what came, because it is written in another way.
    let Ok(sent) = encode(&again, "c") else { return };
    let relayed = serde_json::json!({ "messageType": sent.action, "messagePayload": sent.message_payload });
    let Decoded::Event(heard) = decode(&relayed.to_string()) else { panic!("not understood again: {relayed}") };
    let same = match (&event, &heard) {
        (Event::Offer { sdp: a, .. }, Event::Offer { sdp: b, .. }) => a == b,
        (Event::Answer { sdp: a, .. }, Event::Answer { sdp: b, .. }) => a == b,
        (Event::Candidate { json: a, .. }, Event::Candidate { json: b, .. }) => a == b,
        _ => false,
    };
    assert!(same, "{event:?} became {heard:?}");
}

/// An answer, and a candidate in each line after a line of `#`, through what we do to them into the WebRTC crate, which must refuse but not panic:
/// in the worker a panic ends the session.
pub fn sdp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (answer, candidates) = text.split_once("\n#\n").unwrap_or((text, ""));
    let kept = audio_only(answer).sdp;
    assert!(kept.lines().filter(|line| line.starts_with("m=")).count() <= 1, "one section at most");
    assert_eq!(audio_only(&kept).sdp, kept, "what is kept is kept");
    let Ok(description) = RTCSessionDescription::answer(kept) else { return };
    let Some(mut peer) = offering() else { panic!("our own offer is refused") };
    if peer.set_remote_description(Instant::now(), description).is_err() {
        return;
    }
    for candidate in candidates.lines().filter(|candidate| !is_mdns(candidate)).take(20) {
        let init = RTCIceCandidateInit {
            candidate: candidate.to_owned(),
            sdp_mid: Some("0".into()),
            sdp_mline_index: Some(0),
            ..RTCIceCandidateInit::default()
        };
        let _taken_or_refused = peer.add_remote_candidate(init);
    }
}

/// A connection as the worker has it when the answer comes.
fn offering() -> Option<RTCPeerConnection> {
    let mut media = MediaEngine::default();
    for (name, number, fmtp) in [("audio/red", 63, "111/111"), ("audio/opus", 111, "minptime=10;useinbandfec=1")] {
        let codec = RTCRtpCodec {
            mime_type: name.into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: fmtp.into(),
            rtcp_feedback: Vec::new(),
        };
        media
            .register_codec(RTCRtpCodecParameters { rtp_codec: codec, payload_type: number }, RtpCodecKind::Audio)
            .ok()?;
    }
    let mut peer = RTCPeerConnectionBuilder::new().with_media_engine(media).build(Instant::now()).ok()?;
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
    peer.add_transceiver_from_kind(RtpCodecKind::Audio, Some(init)).ok()?;
    let offer = peer.create_offer(None).ok()?;
    peer.set_local_description(Instant::now(), offer).ok()?;
    Some(peer)
}

/// A signaling endpoint as the control plane names it, and after a line break the client id. What is signed still says what it said.
pub fn presign(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (endpoint, id) = text.split_once('\n').unwrap_or((text, "worker-a"));
    let arn = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-a-b-1/1700000000000";
    let Ok(channel) = schemas::ids::ChannelArn::try_new(arn) else { panic!("the ARN is one") };
    let keys = aws_credential_types::Credentials::new("AKID", "secret", Some("token/+=".into()), None, "fuzz");
    let role = Role::Viewer { client_id: id.to_owned() };
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let Ok(url) = kvs_signaling::presign(endpoint, &channel, &role, "us-east-1", &keys, time) else { return };
    let Ok(url) = url::Url::parse(&url) else { panic!("no URL: {url}") };
    assert!(matches!(url.scheme(), "ws" | "wss"), "{url}");
    let value = |name: &str| {
        let values: Vec<_> =
            url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect();
        assert_eq!(values.len(), 1, "{name} once: {url}");
        values.concat()
    };
    assert_eq!((value("X-Amz-ChannelARN"), value("X-Amz-ClientId")), (arn.to_owned(), id.to_owned()));
    assert_eq!((value("X-Amz-Security-Token"), value("X-Amz-Signature").len()), ("token/+=".to_owned(), 64));
}

/// RTP as it comes: each packet is its length, whether it is RED, two bytes each of sequence number and timestamp, and the payload.
/// Frames join, none is longer than a second, and media time is what was given out.
pub fn rtp(data: &[u8]) {
    let Ok(mut receiver) = worker::media::AudioReceiver::new() else { panic!("no decoder") };
    let (mut rest, mut now, mut given) = (data, 0_u64, 0_u64);
    while let [length, red, s1, s2, t1, t2, payload @ ..] = rest {
        let (payload, after) = payload.split_at(usize::from(*length).min(payload.len()));
        rest = after;
        now += u64::from(red >> 1);
        receiver.push(
            &worker::media::RtpAudio {
                ssrc: u32::from(red >> 7),
                sequence: u16::from_be_bytes([*s1, *s2]),
                // Steps of 2.5 ms, the shortest frame, over all of the range.
                timestamp: u32::from(u16::from_be_bytes([*t1, *t2])).wrapping_mul(65_520),
                red: red & 1 == 1,
                payload: Bytes::copy_from_slice(payload),
            },
            MediaInstant(now),
        );
        // A gap of an hour is an hour of silence; no more than a few frames of it matter here.
        for _ in 0..8 {
            let Some(frame) = receiver.poll(MediaInstant(now)) else { break };
            assert_eq!(frame.start_ms, given / 16, "frames join");
            assert!(frame.pcm.len() <= 16_000, "no frame is longer than a second");
            given += frame.pcm.len() as u64;
        }
    }
    assert_eq!(receiver.media().media_ms, given / 16);
}
