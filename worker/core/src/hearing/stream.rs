//! What one stream has heard: audio in, at a pace that the service can follow, and its results in media time.

use super::demand::Moment;
use super::gaps::{Gap, gaps};
use super::timeline::Timeline;
use super::{Heard, Word};
use crate::hearing::{Audio, SAMPLES_PER_MS};
use crate::input::{StreamId, TranscriptItem, TranscriptResult};
use crate::outbox::Outbox;
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::Language;

/// Audio that waits is sent at this multiple of real time, so that the service can follow.
const CATCH_UP_FACTOR: u64 = 4;
/// So much may be sent at once when a stream begins, ms.
const CATCH_UP_BURST_MS: u64 = 1_000;

/// A stream that was opened.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) language: Language,
    pub(crate) opened: bool,
    pub(crate) since: MediaInstant,
    /// When it last said anything.
    pub(crate) spoke_at: MediaInstant,
    /// It has given a result: the service has taken its language and its wishes.
    pub(crate) served: bool,
    pub(crate) cursor: u64,
    pub(crate) sent: u64,
    pub(crate) timeline: Timeline,
    pub(crate) silence_at: MediaInstant,
    pub(crate) padding: bool,
    /// Streams before it have heard the audio up to this sample, which lies behind its first.
    pub(crate) shared_until: Option<u64>,
}

impl Stream {
    /// A stream that is being opened, and begins at this media sample.
    pub(crate) fn new(id: StreamId, language: Language, cursor: u64, heard_until: u64, now: MediaInstant) -> Self {
        Self {
            id,
            language,
            opened: false,
            since: now,
            spoke_at: now,
            served: false,
            cursor,
            sent: 0,
            timeline: Timeline::default(),
            silence_at: now,
            padding: false,
            shared_until: (heard_until > cursor).then_some(heard_until),
        }
    }
}

/// Sends what the pace allows, or silence when no audio comes; gives the samples sent.
pub(crate) fn feed(stream: &mut Stream, at: &Moment, out: &mut Outbox) -> u64 {
    let Moment { now, audio, timing } = *at;
    let before = stream.sent;
    let chunk = timing.chunk_ms * SAMPLES_PER_MS;
    if stream.cursor < audio.ring.first() {
        let lost_ms = (audio.ring.first() - stream.cursor) / SAMPLES_PER_MS;
        out.warn("audio_dropped", format!("{lost_ms} ms had left the buffer before they could be sent"));
        stream.cursor = audio.ring.first();
    }
    while next_chunk(stream, at).is_some_and(|due| now >= due) {
        send(stream, audio.ring.read(stream.cursor, chunk), out);
        stream.silence_at = now.plus_ms(timing.chunk_ms);
    }
    if silence_at(stream, at).is_some_and(|due| now >= due) {
        send_rest(stream, audio, out);
        stream.padding = true;
        stream.sent += chunk;
        out.push(Output::SendAudio { id: stream.id, pcm: vec![0; usize::try_from(chunk).unwrap_or(0)] });
        stream.silence_at = now.plus_ms(timing.chunk_ms);
    }
    stream.sent - before
}

/// When it sends something next.
pub(crate) fn feeds_at(stream: &Stream, at: &Moment) -> Option<MediaInstant> {
    next_chunk(stream, at).or(silence_at(stream, at))
}

/// When silence is sent, because no audio comes and all of it was sent.
fn silence_at(stream: &Stream, at: &Moment) -> Option<MediaInstant> {
    let all_sent = at.audio.ring.end().saturating_sub(stream.cursor) < at.timing.chunk_ms * SAMPLES_PER_MS;
    let quiet = at.audio.heard_at.filter(|_| all_sent)?.plus_ms(at.timing.keepalive_after_ms);
    Some(quiet.max(stream.silence_at))
}

/// When the next chunk may be sent; `None` while there is none.
fn next_chunk(stream: &Stream, at: &Moment) -> Option<MediaInstant> {
    let chunk = at.timing.chunk_ms * SAMPLES_PER_MS;
    let sent_ms = (stream.sent + chunk).div_ceil(SAMPLES_PER_MS);
    let due = stream.since.plus_ms(sent_ms.saturating_sub(CATCH_UP_BURST_MS).div_ceil(CATCH_UP_FACTOR));
    (at.audio.ring.end().saturating_sub(stream.cursor) >= chunk).then_some(due)
}

/// Sends the remainder that does not fill a chunk.
pub(crate) fn send_rest(stream: &mut Stream, audio: &Audio, out: &mut Outbox) -> u64 {
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

pub(crate) fn to_heard(stream: &Stream, result: &TranscriptResult) -> Heard {
    let mut words: Vec<Word> = Vec::with_capacity(result.items.len());
    for (item, gap) in result.items.iter().zip(gaps(&result.transcript, &result.items)) {
        let word = to_word(item, gap, &stream.timeline);
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
    let language = result.language.clone();
    Heard {
        stream: stream.id,
        result_id: result.result_id.clone(),
        is_final: !result.is_partial,
        language,
        words,
        shared_ms: stream.shared_until.map(|sample| sample / SAMPLES_PER_MS),
    }
}

fn to_word(item: &TranscriptItem, gap: Gap, timeline: &Timeline) -> Word {
    let start_ms = timeline.media_ms(item.start);
    Word {
        text: item.content.clone(),
        mark: item.punctuation,
        gap,
        start_ms,
        end_ms: timeline.media_ms(item.end).max(start_ms),
        stable: item.stable,
    }
}
