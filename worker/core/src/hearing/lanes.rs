//! The streams that hear the audio: at most two lanes, of which the first speaks.
//!
//! *Flow*: demand → open → audio from the ring, with a cursor in media samples → results in media time. A lane hands over
//! before its stream's longest duration, at a silence if there is one, and when the speaker's language changes: the next
//! lane opens while the one before waits; once it is open, that one drains, and gives its last words. However a stream
//! ends by itself, the next one begins a little before the watermark, the end of the last final: audio that no final covers is replayed.
//! *Guarantees*: between two streams no audio is left out (up to the ring's length) and none that a final covers is sent
//! again; what a lane says while the one before it drains is held back, so that words come in the order of media time;
//! a lane that does not open leaves the one before it as it was; the end of a stream is never the end of the session; retries
//! wait; a stream that says nothing although the speaker speaks is replaced; options that the service refuses are given
//! up, and the captions are not.
//! *Assumption*: the shell queues audio that it gets before the stream is open.

mod closing;
mod handover;
mod lane;
mod opening;
mod watch;

use super::TimedResult;
use super::backoff::Backoff;
use super::behind::USUAL_MS;
use super::demand::{Begin, Demand, Idle, Moment};
use super::mute::{Mute, mute_at};
use super::stream::{feed, feeds_at, to_result};
use crate::config::CarriedOptions;
use crate::hearing::SAMPLES_PER_MS;
use crate::input::{AudioFrame, AudioKind, StreamEnd, StreamId, TranscribeEvent};
use crate::outbox::{Outbox, earliest};
use crate::time::MediaInstant;
use lane::Lane;
use schemas::ids::Language;
use std::collections::VecDeque;

/// The lanes, and what the next stream is to be.
#[derive(Debug)]
pub(crate) struct Lanes {
    /// In the order of media time. The first one's results go out; a second one is opening, or speaks while the first one drains.
    lanes: VecDeque<Lane>,
    /// When the next stream may be opened while there is none, and where it begins.
    not_before: MediaInstant,
    begin: Begin,
    next_id: u64,
    watermark: u64,
    backoff: Backoff,
    /// After one that failed.
    hand_over_after: MediaInstant,
    options: CarriedOptions,
    mute: Mute,
    /// What the service said to options that it refused.
    pub(crate) refused_options: Option<String>,
    /// How the last stream ended by itself, while none is open again.
    pub(crate) trouble: Option<StreamEnd>,
    /// Since when a stream is wanted and not there, when it ended by itself.
    pub(crate) outage_since: Option<MediaInstant>,
    /// Streams that were lost since they were asked for last: what they were about to say is replayed.
    pub(crate) lost: Vec<StreamId>,
    /// What the service has to do at its best, ms.
    usual_ms: u64,
    /// Streams opened.
    pub(crate) streams: u64,
    sent_samples: u64,
    /// Streams have heard the media up to this sample.
    heard_until: u64,
}

impl Lanes {
    pub(crate) fn new(options: CarriedOptions) -> Self {
        Self {
            lanes: VecDeque::new(),
            not_before: MediaInstant(0),
            begin: Begin::Preroll,
            next_id: 1,
            watermark: 0,
            backoff: Backoff::default(),
            hand_over_after: MediaInstant(0),
            options,
            mute: Mute::default(),
            refused_options: None,
            trouble: None,
            outage_since: None,
            lost: Vec::new(),
            usual_ms: USUAL_MS,
            streams: 0,
            sent_samples: 0,
            heard_until: 0,
        }
    }

    /// Audio sent so far, ms.
    pub(crate) fn sent_ms(&self) -> u64 {
        self.sent_samples / SAMPLES_PER_MS
    }

    /// Whether no result can come any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether a stream is in use.
    pub(crate) fn is_open(&self) -> bool {
        self.in_use().is_some()
    }

    /// Whether the stream in use takes what is said.
    pub(crate) fn hears(&self) -> bool {
        self.in_use().is_some_and(|lane| lane.stream.opened)
    }

    /// Since when the stream in use is behind: it makes up for a replay.
    pub(crate) fn behind_since(&self) -> Option<MediaInstant> {
        self.in_use()?.stream.behind.since
    }

    /// The language that this stream hears.
    pub(crate) fn language_of(&self, id: StreamId) -> Option<Language> {
        self.lanes.iter().find(|lane| lane.stream.id == id).map(|lane| lane.stream.language.clone())
    }

    /// Finals cover the media up to here.
    pub(crate) fn covered(&mut self, media_ms: u64) {
        self.watermark = self.watermark.max(media_ms * SAMPLES_PER_MS);
    }

    /// The first lane that does not drain; one behind it is opening.
    fn in_use(&self) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.drain.is_none())
    }

    /// A frame has come: silence that fills a gap was already sent as such.
    pub(crate) fn notice(&mut self, frame: &AudioFrame) {
        let Some(Lane { stream, .. }) = self.lanes.iter_mut().find(|lane| lane.drain.is_none()) else { return };
        match frame.kind {
            AudioKind::Filled if stream.padding => {
                let end = frame.start_ms * SAMPLES_PER_MS + frame.pcm.len() as u64;
                stream.cursor = stream.cursor.max(end);
            }
            AudioKind::Filled => {}
            AudioKind::Decoded | AudioKind::Concealed => stream.padding = false,
        }
    }

    /// Something came from a stream; results are handed on in media time, in the order of the lanes.
    pub(crate) fn on_event(
        &mut self,
        id: StreamId,
        event: TranscribeEvent,
        at: &Moment,
        out: &mut Outbox,
    ) -> Vec<TimedResult> {
        let Some(index) = self.lanes.iter().position(|lane| lane.stream.id == id) else { return Vec::new() };
        match event {
            TranscribeEvent::Opened => {
                let stream = &mut self.lanes[index].stream;
                (stream.opened, stream.spoke_at) = (true, at.now);
                self.is_open_again(id, out);
                self.take_over(index, at, out);
                Vec::new()
            }
            TranscribeEvent::Result(result) => {
                self.backoff.reset();
                self.mute = Mute::default();
                let lane = &mut self.lanes[index];
                lane.stream.heard_from(&result, at.now);
                self.usual_ms = lane.stream.behind.usual_ms();
                let heard = to_result(&lane.stream, &result);
                if index == 0 {
                    return vec![heard];
                }
                lane.held.push(heard);
                Vec::new()
            }
            TranscribeEvent::Closed(end) => self.closed(index, end, at, out),
        }
    }

    fn is_open_again(&mut self, id: StreamId, out: &mut Outbox) {
        self.trouble = None;
        if self.outage_since.take().is_some() {
            out.fact("stream_reopened", format!("stream {}", id.0));
        }
    }

    /// Does what is due; gives what was held back.
    pub(crate) fn advance(&mut self, at: &Moment, demand: &Demand, out: &mut Outbox) -> Vec<TimedResult> {
        let released = self.give_up_waiting(at, out);
        if self.lanes.is_empty() {
            match demand {
                Demand::Stream(language) if at.now >= self.not_before && !at.audio.ring.is_empty() => {
                    let cursor = self.first_sample(self.begin, at, out);
                    self.open(cursor, language, at, out);
                }
                Demand::Stream(_) => {}
                Demand::None(idle) => {
                    // What was said while nobody listened is not heard later, whatever closed the stream before.
                    if *idle == Idle::NobodyListens {
                        self.begin = Begin::Preroll;
                    }
                    (self.outage_since, self.trouble) = (None, None);
                }
            }
        }
        // The last lane hears what comes: the one before it waits, or drains.
        if let Some(lane) = self.lanes.back_mut().filter(|lane| lane.drain.is_none()) {
            self.sent_samples += feed(&mut lane.stream, at, out);
            self.heard_until = self.heard_until.max(lane.stream.cursor);
        }
        match demand {
            Demand::None(idle) => self.end(*idle, at, out),
            Demand::Stream(language) => self.hand_over_when_due(language, at, out),
        }
        released
    }

    /// When something is due.
    pub(crate) fn deadline(&self, at: &Moment, demand: &Demand) -> Option<MediaInstant> {
        let wanted = matches!(demand, Demand::Stream(_));
        let changes = |language: &Language| self.alone().is_some_and(|lane| lane.stream.language != *language);
        let changes = match demand {
            Demand::Stream(language) if changes(language) => Some(self.hand_over_after),
            Demand::Stream(_) | Demand::None(_) => None,
        };
        let opens = (self.lanes.is_empty() && wanted && !at.audio.ring.is_empty()).then_some(self.not_before);
        let idle = at.audio.heard_at.filter(|_| wanted).map(|heard| heard.plus_ms(at.timing.idle_close_ms));
        let feeds = self.lanes.back().filter(|lane| lane.drain.is_none()).and_then(|lane| feeds_at(&lane.stream, at));
        let mute = self.alone().and_then(|lane| mute_at(&lane.stream, self.mute, at));
        let patience = self.lanes.iter().map(|lane| lane.patience(self.lanes.len() > 1, at.timing));
        earliest([opens, changes, idle, feeds, mute, self.hands_over_at(at)].into_iter().chain(patience))
    }

    /// The lane in use, if there is no other.
    fn alone(&self) -> Option<&Lane> {
        self.in_use().filter(|_| self.lanes.len() == 1)
    }
}
