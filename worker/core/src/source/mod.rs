//! How audio comes: a peer connection through the signaling channel, or a KVS stream that is read.

pub(crate) mod join;
pub(crate) mod link;
pub(crate) mod pace;
pub(crate) mod path;
pub(crate) mod reader;

use crate::config::{Source, Timing};
use crate::cx::Cx;
use crate::input::{AudioFrame, MediaStreamEvent, PeerEvent, SignalingEvent};
use crate::life::lifecycle::Farewell;
use crate::life::{ending, lease};
use crate::outbox::earliest;
use crate::time::MediaInstant;
use crate::{hearing, voice};
use join::Join;
use path::MediaPath;
use reader::Reader;
use schemas::reason::{Cause, Why};
use schemas::worker::Media;

/// The ways to the speaker; a session uses one.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) join: Join,
    pub(crate) path: MediaPath,
    pub(crate) reader: Reader,
    /// The state of the media path, as it was reported last.
    pub(crate) media: Media,
}

/// The session is wanted: begins to hear; the second call changes nothing.
pub(crate) fn start(cx: &mut Cx) {
    match cx.config.source {
        Source::Channel => cx.source.join.start(cx.now, &mut cx.out),
        Source::Stream => cx.source.reader.start(cx.now, &mut cx.out),
    }
}

/// Ends all connections.
pub(crate) fn stop(cx: &mut Cx) {
    cx.source.join.stop(&mut cx.out);
    cx.source.reader.stop(&mut cx.out);
}

/// Something came from the signaling channel.
pub(crate) fn signaling(cx: &mut Cx, event: SignalingEvent) {
    if event == SignalingEvent::GoAway && lease::is_past(cx) {
        // A new connection would displace a successor. The old one tells for a while yet that there is none.
        cx.out.fact("signaling_kept", "the service sends us away, and the lease is not confirmed");
        return;
    }
    let relayed = cx.source.media.candidate_type.as_deref() == Some("relay");
    if event == SignalingEvent::Connected {
        cx.life.cycle.on_joined(cx.now, cx.wall());
    } else if event == SignalingEvent::ReconnectIceServer && relayed {
        cx.source.join.leave_relay();
    }
    cx.source.path.on_signaling(&event, cx.now);
    cx.source.join.on_signaling(event, cx.now, &mut cx.out);
    if cx.source.join.channel_is_gone() {
        gone(cx, "The signaling channel does not exist any more.");
    }
}

/// Something came from the connection to the KVS stream.
pub(crate) fn media_stream(cx: &mut Cx, event: MediaStreamEvent) {
    if event == MediaStreamEvent::Opened {
        cx.life.cycle.on_joined(cx.now, cx.wall());
    }
    cx.source.reader.on_event(event, cx.now, &mut cx.out);
    if cx.source.reader.stream_is_gone() {
        gone(cx, "The video stream does not exist any more.");
    }
}

fn gone(cx: &mut Cx, text: &str) {
    let why = Why::new(Cause::SessionDeleted, text, cx.wall());
    ending::drain(cx, why, Farewell::SessionEnded);
}

/// Something came from the peer connection.
pub(crate) fn peer(cx: &mut Cx, event: PeerEvent) {
    cx.source.path.on_peer(&event, cx.now, cx.config.timing.connect_ms);
    cx.source.join.on_peer(event, cx.now, &mut cx.out);
}

/// Audio came.
pub(crate) fn audio(cx: &mut Cx, frame: &AudioFrame) {
    if cx.life.cycle.on_audio(cx.now, cx.wall()) {
        cx.out.fact("first_audio", "");
    }
    cx.source.join.on_rtp(cx.now);
    cx.source.path.open();
    cx.source.reader.on_audio();
    hearing::take(cx, frame);
    if !cx.life.cycle.is_paused() {
        voice::ear::hear_voice(cx, frame);
    }
}

/// Retries, renewals and fresh connections whose time has come.
pub(crate) fn run(cx: &mut Cx) {
    if !cx.life.cycle.is_serving() {
        return;
    }
    let (now, heard_at, timing) = (cx.now, cx.hearing.audio.heard_at, &timing(cx));
    cx.source.path.advance(now, timing.connect_ms);
    match cx.config.source {
        Source::Channel => {
            let quiet_ms = cx.hearing.audio.quiet_for(now);
            cx.source.join.advance(now, quiet_ms, timing, &mut cx.out);
        }
        Source::Stream => cx.source.reader.advance(now, heard_at, &mut cx.out),
    }
}

/// When one of them is due.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    if !cx.life.cycle.is_serving() {
        return None;
    }
    let (heard_at, timing) = (cx.hearing.audio.heard_at, &timing(cx));
    let way = match cx.config.source {
        Source::Channel => cx.source.join.deadline(heard_at, timing),
        Source::Stream => cx.source.reader.deadline(heard_at),
    };
    earliest([way, cx.source.path.deadline(timing.connect_ms)])
}

/// As configured; past its lease a worker does not renew its signaling connection, which would displace a successor.
fn timing(cx: &Cx) -> Timing {
    let timing = cx.config.timing.clone();
    if lease::is_past(cx) { Timing { signaling_renew_ms: u64::MAX, ..timing } } else { timing }
}
