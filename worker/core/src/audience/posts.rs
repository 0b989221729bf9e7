//! Posts go out, and come back.

use super::Body;
use super::message::Envelope;
use crate::cx::Cx;
use crate::input::{PostId, PostOutcome};
use crate::output::Output;
use crate::time::MediaInstant;

/// The outcome of a post.
pub(crate) fn posted(cx: &mut Cx, id: PostId, outcome: &PostOutcome) {
    let wall = cx.wall();
    cx.audience.delivery.on_outcome(id, outcome, cx.now, wall, &cx.config, &mut cx.out);
}

/// Posts what may go out now.
pub(crate) fn run(cx: &mut Cx) {
    if !cx.life.cycle.may_speak() {
        return;
    }
    post(cx);
    cx.audience.count(cx.now);
}

fn post(cx: &mut Cx) {
    for ready in cx.audience.delivery.pump(cx.now, &cx.config, &mut cx.out) {
        let envelope = Envelope {
            session: &cx.config.session,
            generation: cx.config.generation,
            clock: &cx.hearing.audio.clock,
            now: cx.now,
            wall: cx.wall(),
        };
        let data = envelope.json(&ready.body, ready.catch_up);
        if let Body::Caption(rendered) = &ready.body {
            let lag_ms = envelope.lag_ms(rendered);
            let wall = envelope.wall;
            cx.life.cycle.start_up.first_caption_at.get_or_insert(wall);
            if let Some(track) = cx.text.tracks.get_mut(&rendered.language).filter(|_| !ready.catch_up) {
                track.quality.lagged(lag_ms);
            }
        }
        cx.out.push(Output::Post { id: ready.id, connection: ready.connection, data });
    }
    if let Some((id, connection, data)) = cx.audience.delivery.notice(cx.now, &cx.config) {
        cx.out.push(Output::Post { id, connection, data });
    }
}

/// When a listener has rested, or a post is given up.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    if !cx.life.cycle.may_speak() {
        return None;
    }
    cx.audience.delivery.deadline(cx.now, &cx.config)
}
