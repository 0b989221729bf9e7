//! Opens, feeds, renews and ends the one transcription stream.
//!
//! *Flow*: demand → open → audio from the ring, with a cursor in media samples → results in media time. However a stream
//! ends, the next one begins a little before the watermark, the end of the last final: audio that no final covers is replayed. Before
//! its longest duration a stream is renewed at a silence, and the new one is open before the old one ends (see
//! [`super::renewal`]).
//! *Guarantees*: between two streams no audio is left out (up to the ring's length) and none that a final covers is sent
//! again; the end of a stream is never the end of the session; retries wait; a stream that says nothing although the
//! speaker speaks is replaced; wishes that the service refuses are given up, and the captions are not.
//! *Assumption*: the shell queues audio that it gets before the stream is open.

mod opening;
mod renewing;

use super::Heard;
use super::backoff::{Backoff, HEALTHY_MS};
use super::behind::USUAL_MS;
use super::demand::{Begin, Demand, Idle, Moment};
use super::mute::{Mute, mute_at};
use super::renewal::Renewal;
use super::stream::{Stream, feed, feeds_at, send_rest, to_heard};
use super::timeline::in_ms;
use crate::config::Wishes;
use crate::hearing::SAMPLES_PER_MS;
use crate::input::{AudioFrame, AudioKind, StreamEnd, StreamId, TranscribeEvent};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::time::MediaInstant;
use renewing::renews_at;
use schemas::ids::Language;

/// Without a silence a stream is renewed anyway so long after it was due, ms.
const ROTATE_LATEST_MS: u64 = 600_000;

#[derive(Debug)]
enum State {
    Closed { not_before: MediaInstant, begin: Begin },
    Open(Stream),
    Ending { stream: Stream, until: MediaInstant, begin: Begin },
}

/// The one stream.
#[derive(Debug)]
pub(crate) struct Transcriber {
    state: State,
    next_id: u64,
    watermark: u64,
    backoff: Backoff,
    renewal: Renewal,
    renew_after: MediaInstant,
    wishes: Wishes,
    mute: Mute,
    /// What the service said to wishes that it refused.
    pub(crate) refused_wishes: Option<String>,
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

impl Transcriber {
    pub(crate) fn new(wishes: Wishes) -> Self {
        Self {
            wishes,
            mute: Mute::default(),
            refused_wishes: None,
            state: State::Closed { not_before: MediaInstant(0), begin: Begin::Preroll },
            next_id: 1,
            watermark: 0,
            backoff: Backoff::default(),
            renewal: Renewal::None,
            renew_after: MediaInstant(0),
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
        match self.state {
            State::Closed { .. } => self.renewal.is_none(),
            State::Open(_) | State::Ending { .. } => false,
        }
    }

    /// Whether a stream is in use.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Since when the stream is behind: it makes up for a replay.
    pub(crate) fn behind_since(&self) -> Option<MediaInstant> {
        match &self.state {
            State::Open(stream) => stream.behind.since,
            State::Closed { .. } | State::Ending { .. } => None,
        }
    }

    /// Whether it was closed because the speaker was silent, so that speech is what opens it again.
    pub(crate) fn waits_for_speech(&self) -> bool {
        match self.state {
            State::Closed { begin: Begin::Onset(_), .. } | State::Ending { begin: Begin::Onset(_), .. } => true,
            State::Closed { .. } | State::Open(_) | State::Ending { .. } => false,
        }
    }

    /// The language that this stream hears.
    pub(crate) fn language_of(&self, id: StreamId) -> Option<Language> {
        match &self.state {
            State::Open(stream) | State::Ending { stream, .. } if stream.id == id => Some(stream.language.clone()),
            State::Open(_) | State::Ending { .. } | State::Closed { .. } => {
                self.renewal.stream().filter(|stream| stream.id == id).map(|stream| stream.language.clone())
            }
        }
    }

    /// Finals cover the media up to here.
    pub(crate) fn covered(&mut self, media_ms: u64) {
        self.watermark = self.watermark.max(media_ms * SAMPLES_PER_MS);
    }

    /// A frame has come: silence that fills a gap was already sent as such.
    pub(crate) fn notice(&mut self, frame: &AudioFrame) {
        let State::Open(stream) = &mut self.state else { return };
        match frame.kind {
            AudioKind::Filled if stream.padding => {
                let end = frame.start_ms * SAMPLES_PER_MS + frame.pcm.len() as u64;
                stream.cursor = stream.cursor.max(end);
            }
            AudioKind::Filled => {}
            AudioKind::Decoded | AudioKind::Concealed => stream.padding = false,
        }
    }

    /// Something came from a stream; results are handed on in media time, in the order of the streams.
    pub(crate) fn on_event(
        &mut self,
        id: StreamId,
        event: TranscribeEvent,
        at: &Moment,
        out: &mut Outbox,
    ) -> Vec<Heard> {
        if self.renewal.stream().is_some_and(|stream| stream.id == id) {
            return self.on_renewal(event, at, out);
        }
        let ending = matches!(self.state, State::Ending { .. });
        let (State::Open(stream) | State::Ending { stream, .. }) = &mut self.state else { return Vec::new() };
        if stream.id != id {
            return Vec::new();
        }
        match event {
            TranscribeEvent::Opened => {
                (stream.opened, stream.spoke_at) = (true, at.now);
                self.is_open_again(id, out);
                Vec::new()
            }
            TranscribeEvent::Result(result) => {
                self.backoff.reset();
                self.mute = Mute::default();
                (stream.spoke_at, stream.served) = (at.now, true);
                if result.is_partial {
                    stream.behind.told(in_ms(result.end), at.now);
                    self.usual_ms = stream.behind.usual_ms();
                }
                let heard = to_heard(stream, &result);
                self.renewal.hold(heard).into_iter().collect()
            }
            TranscribeEvent::Closed(end) => {
                if at.now.since(stream.since) >= HEALTHY_MS {
                    self.backoff.reset();
                }
                let end = if stream.served { of_this_stream(end) } else { end };
                if let Some(coming) = self.renewal.abandon() {
                    // Where it begins, the one that has just ended had promised to come; the replay covers more.
                    out.push(Output::DropStream(coming));
                }
                self.closed(&end, ending, at.now, out);
                Vec::new()
            }
        }
    }

    fn is_open_again(&mut self, id: StreamId, out: &mut Outbox) {
        self.trouble = None;
        if self.outage_since.take().is_some() {
            out.fact("stream_reopened", format!("stream {}", id.0));
        }
    }

    fn closed(&mut self, end: &StreamEnd, ending: bool, now: MediaInstant, out: &mut Outbox) {
        if let State::Ending { begin, .. } = self.state
            && ending
        {
            let begin = if *end == StreamEnd::Clean { begin } else { begin.unheard() };
            self.state = State::Closed { not_before: now, begin };
            return;
        }
        let wait = self.give_up_wishes(end, out).unwrap_or_else(|| self.backoff.after(end));
        self.trouble = Some(end.clone());
        out.fact("stream_closed", format!("{}; the next one opens in {wait} ms", describe(end)));
        self.outage_since.get_or_insert(now);
        if let State::Open(stream) | State::Ending { stream, .. } = &self.state {
            self.lost.push(stream.id);
        }
        self.state = State::Closed { not_before: now.plus_ms(wait), begin: Begin::Watermark };
    }

    /// Does what is due; gives what was held back.
    pub(crate) fn advance(&mut self, at: &Moment, demand: &Demand, out: &mut Outbox) -> Vec<Heard> {
        let released = self.give_up_waiting(at, out);
        if let State::Closed { not_before, begin } = &mut self.state {
            match demand {
                Demand::Stream(language)
                    if at.now >= *not_before && !at.audio.ring.is_empty() && self.renewal.is_none() =>
                {
                    let begin = *begin;
                    self.open(begin, language, at, out);
                }
                Demand::Stream(_) => {}
                Demand::None(idle) => {
                    // What was said while nobody listened is not heard later, whatever closed the stream before.
                    if *idle == Idle::NobodyListens {
                        *begin = Begin::Preroll;
                    }
                    (self.outage_since, self.trouble) = (None, None);
                }
            }
        }
        if let Some(coming) = self.renewal.coming() {
            self.sent_samples += feed(coming, at, out);
            self.heard_until = self.heard_until.max(coming.cursor);
        }
        if let State::Open(stream) = &mut self.state {
            if !self.renewal.is_coming() {
                self.sent_samples += feed(stream, at, out);
                self.heard_until = self.heard_until.max(stream.cursor);
            }
            if let Some((reason, begin)) = reason_to_end(stream, at, demand) {
                self.end(reason, begin, at, out);
            } else if self.renewal.is_none()
                && renews_at(stream, at).is_some_and(|due| at.now >= due.max(self.renew_after))
            {
                self.renew(at, out);
            }
        }
        released
    }

    /// Ends the stream as wanted; its last results still come.
    fn end(&mut self, reason: &'static str, begin: Begin, at: &Moment, out: &mut Outbox) {
        let closed = State::Closed { not_before: at.now, begin };
        let State::Open(mut stream) = std::mem::replace(&mut self.state, closed) else { return };
        if let Some(coming) = self.renewal.abandon() {
            out.push(Output::DropStream(coming));
        }
        self.sent_samples += send_rest(&mut stream, at.audio, out);
        self.heard_until = self.heard_until.max(stream.cursor);
        out.push(Output::EndStream(stream.id));
        out.fact("stream_ending", reason);
        self.state = State::Ending { stream, until: at.now.plus_ms(at.timing.stream_patience_ms), begin };
    }

    fn give_up_waiting(&mut self, at: &Moment, out: &mut Outbox) -> Vec<Heard> {
        match &self.state {
            State::Open(stream) if !stream.opened && at.now.since(stream.since) >= at.timing.stream_patience_ms => {
                out.push(Output::DropStream(stream.id));
                self.closed(&StreamEnd::Fault("the service did not answer in time".into()), false, at.now, out);
            }
            State::Open(stream)
                if self.renewal.is_none() && mute_at(stream, self.mute, at).is_some_and(|due| at.now >= due) =>
            {
                out.push(Output::DropStream(stream.id));
                let end = StreamEnd::Fault("the stream says nothing although the speaker speaks".into());
                self.mute = self.mute.again();
                self.closed(&end, false, at.now, out);
            }
            State::Ending { stream, until, begin } if at.now >= *until => {
                out.push(Output::DropStream(stream.id));
                self.state = State::Closed { not_before: at.now, begin: begin.unheard() };
            }
            State::Open(_) | State::Ending { .. } | State::Closed { .. } => {}
        }
        self.give_up_renewal(at, out)
    }

    /// Forgets the streams at once.
    pub(crate) fn drop_now(&mut self, now: MediaInstant, out: &mut Outbox) {
        let closed = State::Closed { not_before: now, begin: Begin::Preroll };
        match std::mem::replace(&mut self.state, closed) {
            State::Open(stream) | State::Ending { stream, .. } => out.push(Output::DropStream(stream.id)),
            State::Closed { .. } => {}
        }
        if let Some(stream) = self.renewal.stream() {
            out.push(Output::DropStream(stream.id));
        }
        self.renewal = Renewal::None;
    }

    /// When something is due.
    pub(crate) fn deadline(&self, at: &Moment, demand: &Demand) -> Option<MediaInstant> {
        let stream = match (&self.state, demand) {
            (State::Closed { .. }, Demand::None(_)) => None,
            (State::Closed { not_before, .. }, Demand::Stream(_)) => {
                (self.renewal.is_none() && !at.audio.ring.is_empty()).then_some(*not_before)
            }
            (State::Ending { until, .. }, _) => Some(*until),
            (State::Open(stream), _) => self.open_deadline(stream, at),
        };
        let wanted = matches!(demand, Demand::Stream(_));
        let idle = at.audio.heard_at.filter(|_| wanted).map(|heard| heard.plus_ms(at.timing.idle_close_ms));
        let coming = self.renewal.stream().filter(|_| self.renewal.is_coming());
        earliest([stream, idle, self.renewal.deadline(), coming.and_then(|coming| feeds_at(coming, at))])
    }

    fn open_deadline(&self, stream: &Stream, at: &Moment) -> Option<MediaInstant> {
        let timing = at.timing;
        let patience = (!stream.opened).then(|| stream.since.plus_ms(timing.stream_patience_ms));
        let latest = stream.since.plus_ms(timing.rotate_after_ms + ROTATE_LATEST_MS);
        if !self.renewal.is_none() {
            let feeds = feeds_at(stream, at).filter(|_| !self.renewal.is_coming());
            return earliest([patience, Some(latest), feeds]);
        }
        let renewal = renews_at(stream, at).map(|due| due.max(self.renew_after));
        earliest([patience, Some(latest), feeds_at(stream, at), renewal, mute_at(stream, self.mute, at)])
    }
}

fn reason_to_end(stream: &Stream, at: &Moment, demand: &Demand) -> Option<(&'static str, Begin)> {
    let (age, due) = (at.now.since(stream.since), at.timing.rotate_after_ms);
    match demand {
        Demand::None(idle) => Some((idle.text(), idle.begin_after(stream.cursor))),
        Demand::Stream(language) if *language != stream.language => {
            Some(("the speaker's language changed", Begin::Watermark))
        }
        Demand::Stream(_) if age >= due + ROTATE_LATEST_MS => {
            Some(("renewed without a silence, before its longest duration", Begin::Watermark))
        }
        Demand::Stream(_) => None,
    }
}

/// What a stream that has given results is refused is something of its own, such as audio that cannot be decoded: nothing that the next
/// one would meet.
fn of_this_stream(end: StreamEnd) -> StreamEnd {
    match end {
        StreamEnd::Refused(detail) => StreamEnd::Fault(format!("refused after it had given results: {detail}")),
        StreamEnd::Clean | StreamEnd::LimitExceeded(_) | StreamEnd::Idle(_) | StreamEnd::Fault(_) => end,
    }
}

fn describe(end: &StreamEnd) -> String {
    match end {
        StreamEnd::Clean => "the service ended the stream without an error".into(),
        StreamEnd::LimitExceeded(detail) => format!("stream limit reached: {detail}"),
        StreamEnd::Refused(detail) => format!("refused: {detail}"),
        StreamEnd::Idle(detail) => format!("no audio came in time: {detail}"),
        StreamEnd::Fault(detail) => format!("fault: {detail}"),
    }
}
