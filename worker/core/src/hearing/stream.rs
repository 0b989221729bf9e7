//! What one stream has heard: audio in, at a pace that the service can follow, and its results in media time.

use super::behind::{Behind, Next};
use super::demand::Moment;
use super::gaps::{Gap, gaps};
use super::timeline::{Timeline, in_ms};
use super::{Item, TimedResult};
use crate::hearing::{Audio, SAMPLES_PER_MS};
use crate::input::{StreamId, TranscriptItem, TranscriptResult};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::Language;
use std::ops::Range;

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
    /// It has given a result: the service has taken its language and its options.
    pub(crate) served: bool,
    pub(crate) cursor: u64,
    pub(crate) sent: u64,
    pub(crate) timeline: Timeline,
    pub(crate) behind: Behind,
    pub(crate) silence_at: MediaInstant,
    pub(crate) padding: bool,
    /// Streams before it have heard the audio from its first sample up to this one, ms.
    pub(crate) shared: Option<Range<u64>>,
}

impl Stream {
    /// A stream that is being opened, and begins at this media sample.
    pub(crate) fn new(
        id: StreamId,
        language: Language,
        cursor: u64,
        heard_until: u64,
        usual_ms: u64,
        now: MediaInstant,
    ) -> Self {
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
            behind: Behind::new(usual_ms),
            silence_at: now,
            padding: false,
            shared: (heard_until > cursor).then_some(cursor / SAMPLES_PER_MS..heard_until / SAMPLES_PER_MS),
        }
    }
}

impl Stream {
    /// It has said something.
    pub(crate) fn heard_from(&mut self, result: &TranscriptResult, now: MediaInstant) {
        (self.spoke_at, self.served) = (now, true);
        if result.is_partial {
            self.behind.told(in_ms(result.end), self.sent / SAMPLES_PER_MS, now);
        }
    }
}

/// Sends what the pace allows, or silence when no audio comes; gives the samples sent.
pub(crate) fn feed(stream: &mut Stream, at: &Moment, out: &mut Outbox) -> u64 {
    let Moment { now, audio, timing, .. } = *at;
    let before = stream.sent;
    let chunk = timing.chunk_ms * SAMPLES_PER_MS;
    if stream.cursor < audio.ring.first() {
        let lost_ms = (audio.ring.first() - stream.cursor) / SAMPLES_PER_MS;
        out.warn("audio_dropped", format!("{lost_ms} ms had left the buffer before they could be sent"));
        stream.cursor = audio.ring.first();
    }
    // A pause that was held back is over, or long enough.
    leave_out(stream, at);
    watch_lag(stream, at, out);
    while next_chunk(stream, at).is_some_and(|due| now >= due) {
        if leave_out(stream, at) {
            continue;
        }
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
    watch_lag(stream, at, out);
    stream.sent - before
}

/// Leaves out what need not be heard; whether there was any.
fn leave_out(stream: &mut Stream, at: &Moment) -> bool {
    let Next::From(sample) = next(stream, at) else { return false };
    stream.behind.left_out((sample - stream.cursor) / SAMPLES_PER_MS);
    stream.cursor = sample;
    true
}

/// Whether the stream is behind.
fn watch_lag(stream: &mut Stream, at: &Moment, out: &mut Outbox) {
    let waits_ms = waits_ms(stream, at);
    let sent_ms = stream.sent / SAMPLES_PER_MS;
    if stream.behind.changes(waits_ms, sent_ms, at.now) {
        let (name, text) = match stream.behind.since {
            Some(_) => ("catching_up", "pauses are left out"),
            None => ("caught_up", "pauses are heard again"),
        };
        let backlog_ms = stream.behind.backlog_ms(sent_ms, at.now);
        let behind = format!("stream {}: {waits_ms} ms wait here, {backlog_ms} ms at the service", stream.id.0);
        out.fact(name, format!("{behind}; {text}"));
    }
}

/// So much audio waits here.
fn waits_ms(stream: &Stream, at: &Moment) -> u64 {
    at.audio.ring.end().saturating_sub(stream.cursor) / SAMPLES_PER_MS
}

/// What becomes of the audio that comes next.
fn next(stream: &Stream, at: &Moment) -> Next {
    stream.behind.next(stream.cursor, stream.sent / SAMPLES_PER_MS, stream.silence_at, at)
}

/// When it sends something next.
pub(crate) fn feeds_at(stream: &Stream, at: &Moment) -> Option<MediaInstant> {
    let ends_at = stream.behind.ends_at(waits_ms(stream, at), stream.sent / SAMPLES_PER_MS);
    earliest([next_chunk(stream, at).or(silence_at(stream, at)), ends_at])
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
    let due = match next(stream, at) {
        Next::Send | Next::From(_) => due,
        Next::Hold(until) => due.max(until),
    };
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

pub(crate) fn to_result(stream: &Stream, result: &TranscriptResult) -> TimedResult {
    let mut items: Vec<Item> = Vec::with_capacity(result.items.len());
    let guessed = result.items.iter().map(is_timeless);
    for ((item, gap), guessed) in timed(result).iter().zip(gaps(&result.transcript, &result.items)).zip(guessed) {
        let word = Item { guessed, ..to_item(item, gap, &stream.timeline) };
        match items.last() {
            // A mark belongs to the moment of its word, and a mark without a word to nothing.
            Some(last) if item.punctuation && !last.mark => {
                let (start_ms, end_ms) = (last.start_ms, last.end_ms);
                items.push(Item { start_ms, end_ms, ..word });
            }
            Some(_) | None if item.punctuation => {}
            Some(_) | None => items.push(word),
        }
    }
    let language = result.language.clone();
    TimedResult {
        stream: stream.id,
        result_id: result.result_id.clone(),
        is_final: !result.is_partial,
        language,
        items,
        shared: stream.shared.clone(),
    }
}

/// The service told no times of it.
fn is_timeless(item: &TranscriptItem) -> bool {
    item.end <= 0.0
}

/// A word without a time takes no longer than this, s.
const MOST_WORD_S: f64 = 0.4;

/// The items, of which those without a time share what lies between their neighbours; at an end, between the neighbour and the result's end.
fn timed(result: &TranscriptResult) -> Vec<TranscriptItem> {
    let mut items = result.items.clone();
    let mut from = 0;
    while let Some(first) = items[from..].iter().position(is_timeless).map(|at| from + at) {
        let after = items[first..].iter().position(|item| !is_timeless(item)).map_or(items.len(), |at| first + at);
        let begin = items[..first].last().map_or(result.start, |before| before.end);
        let end = items.get(after).map_or(result.end, |next| next.start).max(begin);
        // What a result hears after its last word is silence.
        let spoken = items[first..after].iter().filter(|item| !item.punctuation).count();
        let each = ((end - begin) / f64::from(u32::try_from(spoken.max(1)).unwrap_or(u32::MAX))).min(MOST_WORD_S);
        let mut at = begin;
        for item in &mut items[first..after] {
            // A mark takes no time.
            let length = if item.punctuation { 0.0 } else { each };
            (item.start, item.end) = (at, at + length);
            at = item.end;
        }
        from = after;
    }
    items
}

fn to_item(item: &TranscriptItem, gap: Gap, timeline: &Timeline) -> Item {
    // Times may be off: where pauses were left out, a word lies where its middle does.
    let (start, end) = (in_ms(item.start), in_ms(item.end.max(item.start)));
    let start_ms = timeline.media_ms(start, u64::midpoint(start, end));
    Item {
        text: item.content.clone(),
        mark: item.punctuation,
        gap,
        start_ms,
        end_ms: timeline.media_ms(end, u64::midpoint(start, end)).max(start_ms),
        guessed: false,
        stable: item.stable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begin and end of each item, s; 0 where the service tells none.
    fn times(items: &[(&str, f64, f64)]) -> Vec<(f64, f64)> {
        let item = |(content, start, end): &(&str, f64, f64)| TranscriptItem {
            content: (*content).to_owned(),
            punctuation: *content == ".",
            start: *start,
            end: *end,
            stable: false,
        };
        let result = TranscriptResult {
            result_id: "r".into(),
            start: 1.0,
            end: 9.0,
            is_partial: true,
            language: None,
            transcript: String::new(),
            items: items.iter().map(item).collect(),
        };
        timed(&result).iter().map(|item| (item.start, item.end)).collect()
    }

    #[test]
    fn an_item_without_a_time_lies_between_its_neighbours_and_not_at_the_begin_of_the_stream() {
        let told = times(&[("let", 1.0, 1.25), ("us", 0.0, 0.0), ("all", 0.0, 0.0), ("pray", 1.75, 2.0)]);
        assert_eq!(told, [(1.0, 1.25), (1.25, 1.5), (1.5, 1.75), (1.75, 2.0)]);
        assert_eq!(times(&[("let", 0.0, 0.0), ("us", 1.25, 1.5)]), [(1.0, 1.25), (1.25, 1.5)]);
        let last = times(&[("let", 1.0, 1.5), ("us", 0.0, 0.0), (".", 0.0, 0.0)]);
        assert_eq!(last, [(1.0, 1.5), (1.5, 1.9), (1.9, 1.9)], "what a result hears after its last word is silence");
    }
}
