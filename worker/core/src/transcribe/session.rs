//! Opens, feeds, renews and ends the one transcription stream.
//!
//! *Flow*: demand → open → audio from the ring, with a cursor in media samples → results in media time. However a stream
//! ends, the next one begins at the watermark, the end of the last final: audio that no final covers is replayed.
//! *Guarantees*: between two streams no audio is left out (up to the ring's length) and none that a final covers is sent
//! again; the end of a stream is never the end of the session; retries wait.
//! *Assumption*: the shell queues audio that it gets before the stream is open.

use super::backoff::{Backoff, HEALTHY_MS};
use super::timeline::Timeline;
use super::{Heard, Word};
use crate::audio::{Audio, SAMPLES_PER_MS};
use crate::config::Timing;
use crate::input::{AudioFrame, AudioKind, StreamEnd, StreamId, TranscribeEvent, TranscriptItem, TranscriptResult};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::Language;

/// Audio that waits is sent at this multiple of real time, so that the service can follow.
const CATCH_UP_FACTOR: u64 = 4;
/// So much may be sent at once when a stream begins, ms.
const CATCH_UP_BURST_MS: u64 = 1_000;
/// While audio waits for its pace, look again after so long, ms.
const PACE_STEP_MS: u64 = 50;
/// Silence that is a good moment to renew a stream, ms.
const ROTATE_SILENCE_MS: u64 = 700;
/// Without such a silence a stream is renewed anyway so long after it was due, ms.
const ROTATE_LATEST_MS: u64 = 600_000;

/// Whether a stream is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// In this language.
    Stream(Language),
    /// Not now, and for this reason.
    None(Idle),
}

/// Why no stream is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The row was not read yet.
    NotReady,
    /// The session is paused.
    Paused,
    /// Nobody would read the captions.
    NobodyListens,
    /// The speaker's audio has stopped.
    NoAudio,
    /// The session ends.
    Ending,
}

impl Idle {
    fn text(self) -> &'static str {
        match self {
            Self::NotReady => "the row was not read yet",
            Self::Paused => "the session is paused",
            Self::NobodyListens => "nobody listens",
            Self::NoAudio => "no audio comes",
            Self::Ending => "the session ends",
        }
    }

    /// What was said while nobody listened is not heard later, save the last moments; nothing else is left out.
    fn begin_after(self) -> Begin {
        match self {
            Self::NobodyListens => Begin::Preroll,
            Self::NotReady | Self::Paused | Self::NoAudio | Self::Ending => Begin::Watermark,
        }
    }
}

/// Where the next stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// At the watermark.
    Watermark,
    /// A little before now, but not before the watermark: what was said while no stream was wanted is not paid for.
    Preroll,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    language: Language,
    opened: bool,
    since: MediaInstant,
    cursor: u64,
    sent: u64,
    timeline: Timeline,
    silence_at: MediaInstant,
    padding: bool,
}

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
    /// Since when a stream is wanted and not there, when it ended by itself.
    pub(crate) outage_since: Option<MediaInstant>,
    /// Streams opened.
    pub(crate) streams: u64,
    sent_samples: u64,
}

impl Transcriber {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Closed { not_before: MediaInstant(0), begin: Begin::Preroll },
            next_id: 1,
            watermark: 0,
            backoff: Backoff::default(),
            outage_since: None,
            streams: 0,
            sent_samples: 0,
        }
    }

    /// Audio sent so far, ms.
    pub(crate) fn sent_ms(&self) -> u64 {
        self.sent_samples / SAMPLES_PER_MS
    }

    /// Whether no result can come any more.
    pub(crate) fn is_closed(&self) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open(_) | State::Ending { .. } => false,
        }
    }

    /// The language that this stream hears.
    pub(crate) fn language_of(&self, id: StreamId) -> Option<Language> {
        match &self.state {
            State::Open(stream) | State::Ending { stream, .. } if stream.id == id => Some(stream.language.clone()),
            State::Open(_) | State::Ending { .. } | State::Closed { .. } => None,
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

    /// Something came from a stream; a result is handed on in media time.
    pub(crate) fn on_event(
        &mut self,
        id: StreamId,
        event: TranscribeEvent,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Heard> {
        let ending = matches!(self.state, State::Ending { .. });
        let (State::Open(stream) | State::Ending { stream, .. }) = &mut self.state else { return None };
        if stream.id != id {
            return None;
        }
        match event {
            TranscribeEvent::Opened => {
                stream.opened = true;
                if self.outage_since.take().is_some() {
                    out.fact("stream_reopened", format!("stream {}", id.0));
                }
                None
            }
            TranscribeEvent::Result(result) => {
                self.backoff.reset();
                Some(to_heard(id, &result, &stream.timeline))
            }
            TranscribeEvent::Closed(end) => {
                if now.since(stream.since) >= HEALTHY_MS {
                    self.backoff.reset();
                }
                self.closed(&end, ending, now, out);
                None
            }
        }
    }

    fn closed(&mut self, end: &StreamEnd, ending: bool, now: MediaInstant, out: &mut Outbox) {
        if let State::Ending { begin, .. } = self.state
            && ending
        {
            self.state = State::Closed { not_before: now, begin };
            return;
        }
        let wait = self.backoff.after(end);
        out.fact("stream_closed", format!("{}; the next one opens in {wait} ms", describe(end)));
        self.outage_since.get_or_insert(now);
        self.state = State::Closed { not_before: now.plus_ms(wait), begin: Begin::Watermark };
    }

    /// Does what is due.
    pub(crate) fn advance(
        &mut self,
        now: MediaInstant,
        demand: &Demand,
        audio: &Audio,
        timing: &Timing,
        out: &mut Outbox,
    ) {
        self.give_up_waiting(now, timing, out);
        if let State::Closed { not_before, begin } = self.state {
            match demand {
                Demand::Stream(language) if now >= not_before && !audio.ring.is_empty() => {
                    self.open(begin, language, now, audio, timing, out);
                }
                Demand::Stream(_) => {}
                Demand::None(_) => self.outage_since = None,
            }
        }
        if let State::Open(stream) = &mut self.state {
            self.sent_samples += feed(stream, now, audio, timing, out);
            if let Some((reason, begin)) = reason_to_end(stream, now, demand, audio, timing) {
                self.end(reason, begin, now, audio, timing, out);
            }
        }
    }

    fn open(
        &mut self,
        begin: Begin,
        language: &Language,
        now: MediaInstant,
        audio: &Audio,
        timing: &Timing,
        out: &mut Outbox,
    ) {
        let oldest = match begin {
            Begin::Watermark => audio.ring.first(),
            Begin::Preroll => {
                audio.ring.end().saturating_sub(timing.preroll_ms * SAMPLES_PER_MS).max(audio.ring.first())
            }
        };
        let cursor = oldest.max(self.watermark);
        let lost_ms = (cursor - self.watermark.min(cursor)) / SAMPLES_PER_MS;
        if begin == Begin::Watermark && lost_ms > 0 && self.watermark > 0 {
            out.warn("audio_dropped", format!("{lost_ms} ms had left the buffer before a stream could be opened"));
        }
        let id = StreamId(self.next_id);
        self.next_id += 1;
        self.streams += 1;
        out.push(Output::OpenStream { id, language: language.clone() });
        out.fact("stream_opening", format!("stream {} from {} ms of media time", id.0, cursor / SAMPLES_PER_MS));
        self.state = State::Open(Stream {
            id,
            language: language.clone(),
            opened: false,
            since: now,
            cursor,
            sent: 0,
            timeline: Timeline::default(),
            silence_at: now,
            padding: false,
        });
    }

    /// Ends the stream as wanted; its last results still come.
    fn end(
        &mut self,
        reason: &'static str,
        begin: Begin,
        now: MediaInstant,
        audio: &Audio,
        timing: &Timing,
        out: &mut Outbox,
    ) {
        let closed = State::Closed { not_before: now, begin };
        let State::Open(mut stream) = std::mem::replace(&mut self.state, closed) else { return };
        self.sent_samples += send_rest(&mut stream, audio, out);
        out.push(Output::EndStream(stream.id));
        out.fact("stream_ending", reason);
        self.state = State::Ending { stream, until: now.plus_ms(timing.stream_patience_ms), begin };
    }

    fn give_up_waiting(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) {
        match &self.state {
            State::Open(stream) if !stream.opened && now.since(stream.since) >= timing.stream_patience_ms => {
                out.push(Output::DropStream(stream.id));
                self.closed(&StreamEnd::Fault("the service did not answer in time".into()), false, now, out);
            }
            State::Ending { stream, until, begin } if now >= *until => {
                out.push(Output::DropStream(stream.id));
                self.state = State::Closed { not_before: now, begin: *begin };
            }
            State::Open(_) | State::Ending { .. } | State::Closed { .. } => {}
        }
    }

    /// Forgets the stream at once.
    pub(crate) fn drop_now(&mut self, now: MediaInstant, out: &mut Outbox) {
        let closed = State::Closed { not_before: now, begin: Begin::Preroll };
        match std::mem::replace(&mut self.state, closed) {
            State::Open(stream) | State::Ending { stream, .. } => out.push(Output::DropStream(stream.id)),
            State::Closed { .. } => {}
        }
    }

    /// When something is due.
    pub(crate) fn deadline(
        &self,
        now: MediaInstant,
        demand: &Demand,
        audio: &Audio,
        timing: &Timing,
    ) -> Option<MediaInstant> {
        match &self.state {
            State::Closed { not_before, .. } => {
                (*not_before > now && matches!(demand, Demand::Stream(_))).then_some(*not_before)
            }
            State::Ending { until, .. } => Some(*until),
            State::Open(stream) => {
                let patience = (!stream.opened).then(|| stream.since.plus_ms(timing.stream_patience_ms));
                let waits = audio.ring.end().saturating_sub(stream.cursor) >= timing.chunk_ms * SAMPLES_PER_MS;
                let pace = waits.then(|| now.plus_ms(PACE_STEP_MS));
                let silence = audio.heard_at.map(|at| at.plus_ms(timing.keepalive_after_ms).max(stream.silence_at));
                let idle = audio.heard_at.map(|at| at.plus_ms(timing.idle_close_ms));
                earliest([patience, pace, silence, idle])
            }
        }
    }
}

/// Sends what the pace allows, or silence when no audio comes; gives the samples sent.
fn feed(stream: &mut Stream, now: MediaInstant, audio: &Audio, timing: &Timing, out: &mut Outbox) -> u64 {
    let before = stream.sent;
    let chunk = timing.chunk_ms * SAMPLES_PER_MS;
    let allowed = (now.since(stream.since) * CATCH_UP_FACTOR + CATCH_UP_BURST_MS) * SAMPLES_PER_MS;
    if stream.cursor < audio.ring.first() {
        let lost_ms = (audio.ring.first() - stream.cursor) / SAMPLES_PER_MS;
        out.warn("audio_dropped", format!("{lost_ms} ms had left the buffer before they could be sent"));
        stream.cursor = audio.ring.first();
    }
    while audio.ring.end().saturating_sub(stream.cursor) >= chunk && stream.sent + chunk <= allowed {
        send(stream, audio.ring.read(stream.cursor, chunk), out);
        stream.silence_at = now.plus_ms(timing.chunk_ms);
    }
    let quiet = audio.quiet_for(now).is_some_and(|ms| ms >= timing.keepalive_after_ms);
    let all_sent = audio.ring.end().saturating_sub(stream.cursor) < chunk;
    if quiet && all_sent && now >= stream.silence_at {
        send_rest(stream, audio, out);
        stream.padding = true;
        stream.sent += chunk;
        out.push(Output::SendAudio { id: stream.id, pcm: vec![0; usize::try_from(chunk).unwrap_or(0)] });
        stream.silence_at = now.plus_ms(timing.chunk_ms);
    }
    stream.sent - before
}

/// Sends the remainder that does not fill a chunk.
fn send_rest(stream: &mut Stream, audio: &Audio, out: &mut Outbox) -> u64 {
    let before = stream.sent;
    let second = 1_000 * SAMPLES_PER_MS;
    while audio.ring.end() > stream.cursor {
        send(stream, audio.ring.read(stream.cursor, second), out);
    }
    stream.sent - before
}

fn send(stream: &mut Stream, pcm: Vec<i16>, out: &mut Outbox) {
    let count = pcm.len() as u64;
    stream.timeline.sent(stream.sent, stream.cursor);
    stream.cursor += count;
    stream.sent += count;
    out.push(Output::SendAudio { id: stream.id, pcm });
}

fn reason_to_end(
    stream: &Stream,
    now: MediaInstant,
    demand: &Demand,
    audio: &Audio,
    timing: &Timing,
) -> Option<(&'static str, Begin)> {
    let age = now.since(stream.since);
    let silent = audio.levels.silent_for_ms() >= ROTATE_SILENCE_MS;
    match demand {
        Demand::None(idle) => Some((idle.text(), idle.begin_after())),
        Demand::Stream(language) if *language != stream.language => {
            Some(("the speaker's language changed", Begin::Watermark))
        }
        Demand::Stream(_) if age >= timing.rotate_after_ms && silent => {
            Some(("renewed at a silence before its longest duration", Begin::Watermark))
        }
        Demand::Stream(_) if age >= timing.rotate_after_ms + ROTATE_LATEST_MS => {
            Some(("renewed before its longest duration", Begin::Watermark))
        }
        Demand::Stream(_) => None,
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

fn to_heard(stream: StreamId, result: &TranscriptResult, timeline: &Timeline) -> Heard {
    let mut words: Vec<Word> = Vec::with_capacity(result.items.len());
    for item in &result.items {
        let word = to_word(item, timeline);
        match words.last() {
            // A mark belongs to the moment of its word, and a mark without a word to nothing.
            Some(last) if item.punctuation && !last.mark => {
                let (start_ms, end_ms) = (last.start_ms, last.end_ms);
                words.push(Word { start_ms, end_ms, ..word });
            }
            Some(_) | None if item.punctuation => {}
            Some(_) | None => words.push(word),
        }
    }
    Heard { stream, result_id: result.result_id.clone(), is_final: !result.is_partial, words }
}

fn to_word(item: &TranscriptItem, timeline: &Timeline) -> Word {
    let start_ms = timeline.media_ms(item.start);
    Word {
        text: item.content.clone(),
        mark: item.punctuation,
        start_ms,
        end_ms: timeline.media_ms(item.end).max(start_ms),
        stable: item.stable,
    }
}
