//! The audio, whether it is speech, and the transcription stream that hears it.

mod audio;
mod backoff;
mod behind;
mod clock;
mod demand;
mod gaps;
mod gate;
mod lanes;
mod level;
mod mute;
mod ring;
mod stream;
mod timeline;
mod tried;

pub(crate) use audio::{Audio, SAMPLES_PER_MS};
pub(crate) use clock::SpokenClock;
pub(crate) use gaps::Gap;
pub(crate) use gate::understood;

use crate::config::{EngineConfig, Timing};
use crate::cx::Cx;
use crate::input::{AudioFrame, StreamId, TranscribeEvent};
use crate::outbox::earliest;
use crate::text::pipeline;
use crate::time::MediaInstant;
use demand::{Moment, demand, unheard_at};
use gate::Gate;
use lanes::Lanes;
use schemas::ids::Language;
use std::ops::Range;

/// The audio, and what hears it.
#[derive(Debug)]
pub(crate) struct Hearing {
    pub(crate) audio: Audio,
    pub(crate) lanes: Lanes,
    pub(crate) gate: Gate,
    /// When the last result came.
    pub(crate) transcript_at: Option<MediaInstant>,
}

impl Hearing {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            audio: Audio::new(config.timing.ring_ms),
            lanes: Lanes::new(config.stream_options),
            gate: Gate::default(),
            transcript_at: None,
        }
    }
}

/// A frame of audio; in a pause nothing of it is kept.
pub(crate) fn take(cx: &mut Cx, frame: &AudioFrame) {
    let hearing = &mut cx.hearing;
    if cx.life.cycle.is_paused() {
        hearing.audio.ring.clear();
        hearing.audio.notice(frame, cx.now);
    } else {
        hearing.audio.take(frame, cx.now);
        hearing.lanes.notice(frame);
        gate::take(cx, frame);
    }
}

fn moment<'a>(now: MediaInstant, audio: &'a Audio, gate: &Gate, timing: &'a Timing) -> Moment<'a> {
    Moment { now, audio, tries: gate.tries(), timing }
}

/// Something came from a stream.
pub(crate) fn transcribed(cx: &mut Cx, id: StreamId, event: TranscribeEvent) {
    let at = moment(cx.now, &cx.hearing.audio, &cx.hearing.gate, &cx.config.timing);
    let heard = cx.hearing.lanes.on_event(id, event, &at, &mut cx.out);
    lose(cx);
    heard.into_iter().for_each(|heard| pipeline::hear(cx, heard));
}

/// What lost streams were about to say is heard again.
fn lose(cx: &mut Cx) {
    for stream in std::mem::take(&mut cx.hearing.lanes.lost) {
        cx.text.segments.lose(stream);
    }
}

/// Opens, feeds, renews and ends the stream.
pub(crate) fn run(cx: &mut Cx) {
    gate::run(cx);
    let demand = demand(cx);
    let at = moment(cx.now, &cx.hearing.audio, &cx.hearing.gate, &cx.config.timing);
    let heard = cx.hearing.lanes.advance(&at, &demand, &mut cx.out);
    lose(cx);
    heard.into_iter().for_each(|heard| pipeline::hear(cx, heard));
}

/// When there is something to do for it.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let at = moment(cx.now, &cx.hearing.audio, &cx.hearing.gate, &cx.config.timing);
    earliest([cx.hearing.lanes.deadline(&at, &demand(cx)), unheard_at(cx), gate::due(cx)])
}

/// A word or a mark, in media time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// As written.
    pub(crate) text: String,
    /// A mark joins the word before it.
    pub(crate) mark: bool,
    /// What stands before it.
    pub(crate) gap: Gap,
    /// Begin, ms.
    pub(crate) start_ms: u64,
    /// End, ms.
    pub(crate) end_ms: u64,
    /// The recogniser told no times: these lie between its neighbours.
    pub(crate) guessed: bool,
    /// The recogniser says that it will not change.
    pub(crate) stable: bool,
}

impl Item {
    /// The middle: on which side of a watermark the word belongs.
    pub(crate) fn middle_ms(&self) -> u64 {
        u64::midpoint(self.start_ms, self.end_ms)
    }
}

/// A result, in media time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimedResult {
    /// Which stream heard it.
    pub(crate) stream: StreamId,
    /// The same through a segment.
    pub(crate) result_id: String,
    /// Whether it is the segment's last.
    pub(crate) is_final: bool,
    /// The language that was found, where the stream identifies it.
    pub(crate) language: Option<Language>,
    /// What was heard.
    pub(crate) items: Vec<Item>,
    /// Streams before this one have heard the same audio from its begin up to here, ms; `None` when they have heard none of it.
    pub(crate) shared: Option<Range<u64>>,
}
