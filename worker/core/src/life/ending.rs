//! How a worker ends: the last words, the last posts, the last write. Or, without its lease, in silence.

use crate::audience::Body;
use crate::cx::Cx;
use crate::life::ladder::Service;
use crate::life::lifecycle::{EXIT_LEASE_LOST, Farewell, Stage};
use crate::output::Output;
use crate::source;
use crate::text::pipeline;
use crate::time::MediaInstant;
use schemas::reason::{Cause, Why};
use schemas::worker::{Rung, RungCause};

/// What listeners read when the platform takes the machine away while the session goes on.
const INTERRUPTED: Service = Service {
    rung: Rung::Paused,
    cause: Some(RungCause::Handover),
    sentence: "Captions move to another machine; they come back by themselves.",
};

/// Begins the end; the first cause wins.
pub(crate) fn drain(cx: &mut Cx, why: Why, farewell: Farewell) {
    let text = format!("{:?}: {}", why.cause, why.text);
    if cx.life.cycle.drain(why, farewell, cx.now, &cx.config.timing) {
        cx.audience.delivery.keep_all();
        cx.out.fact("draining", text);
    }
}

/// SIGTERM: the platform takes the machine away, or somebody has stopped the task. A stop that the row asks for has
/// begun before; otherwise the session goes on elsewhere, so nobody is told that it ended.
pub(crate) fn terminate(cx: &mut Cx) {
    let why = Why::new(Cause::TaskInterrupted, "The platform asked the worker's task to end (SIGTERM).", cx.wall());
    drain(cx, why, Farewell::Interrupted);
}

/// The session is not ours any more: not another word.
pub(crate) fn lose_lease(cx: &mut Cx, how: &str) {
    if let Stage::Writing { why, farewell, .. } = cx.life.cycle.stage.clone() {
        // Our own last write may have succeeded unseen: the row is final then, and refuses us.
        exit(cx, farewell.exit_code(), why);
        return;
    }
    if cx.life.cycle.has_exited() {
        return;
    }
    cx.out.silence();
    cx.hearing.lanes.drop_now(cx.now, &mut cx.out);
    source::stop(cx);
    cx.out.warn("lease_lost", how);
    let why = Why::new(Cause::LeaseLost, format!("The lease was lost: {how}."), cx.wall());
    exit(cx, EXIT_LEASE_LOST, why);
}

fn exit(cx: &mut Cx, code: u8, why: Why) {
    cx.life.cycle.stage = Stage::Exited;
    cx.out.push(Output::Exit { code, why });
}

/// Takes the next step of the end, as far as it goes now.
pub(crate) fn run(cx: &mut Cx) {
    flush(cx);
    leave(cx);
    write_last(cx);
}

/// When a step of the end is not waited for any longer.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    match &cx.life.cycle.stage {
        Stage::Serving | Stage::Exited => None,
        Stage::Flushing { until, .. } | Stage::Leaving { until, .. } | Stage::Writing { until, .. } => Some(*until),
    }
}

fn flush(cx: &mut Cx) {
    let Stage::Flushing { until, why, farewell } = cx.life.cycle.stage.clone() else { return };
    let late = cx.now >= until;
    if late {
        cx.hearing.lanes.drop_now(cx.now, &mut cx.out);
    }
    if !cx.hearing.lanes.is_closed() {
        return;
    }
    let shown = cx.text.segments.flush();
    pipeline::show(cx, shown);
    if late {
        cx.out.warn("flush_timed_out", "what was not translated goes out as it was said");
        let done = cx.text.translator.give_up();
        done.into_iter().for_each(|done| pipeline::translated(cx, done));
    }
    if cx.text.tracks.values().any(crate::text::Track::is_waiting) {
        return;
    }
    match farewell {
        Farewell::SessionEnded => cx.audience.delivery.tell_end(&Body::Ended(why.cause), cx.now),
        Farewell::Interrupted => cx.audience.delivery.tell_all(&Body::Status(INTERRUPTED)),
    }
    let until = cx.now.plus_ms(cx.config.timing.farewell_ms);
    cx.life.cycle.stage = Stage::Leaving { until, why, farewell };
}

fn leave(cx: &mut Cx) {
    let Stage::Leaving { until, why, farewell } = cx.life.cycle.stage.clone() else { return };
    if cx.audience.delivery.is_idle() || cx.now >= until {
        source::stop(cx);
        cx.row.heartbeat.renew();
        let until = cx.now.plus_ms(cx.config.timing.last_write_ms);
        cx.life.cycle.stage = Stage::Writing { until, why, farewell };
    }
}

fn write_last(cx: &mut Cx) {
    let Stage::Writing { until, why, farewell } = cx.life.cycle.stage.clone() else { return };
    if cx.row.heartbeat.has_told(cx.life.cycle.phase()) {
        cx.out.fact("stopped", why.text.clone());
        exit(cx, farewell.exit_code(), why);
    } else if cx.now >= until {
        cx.out.warn("stopped_unwritten", why.text.clone());
        exit(cx, farewell.exit_code(), why);
    }
}
