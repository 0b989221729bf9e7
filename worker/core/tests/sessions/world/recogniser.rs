//! A recogniser that behaves like Transcribe: result ids and times restart with each stream, partials every 300 ms with
//! the last two words unstable, a final after 600 ms of silence, ends without warning when a test says so.

use super::delay::Delay;
use super::hostile::Hostility;
use super::talk::{BASE, Talk};
use schemas::ids::Language;
use std::collections::BTreeMap;
use worker_core::config::CarriedOptions;
use worker_core::input::{StreamEnd, StreamId, TranscribeEvent, TranscriptItem, TranscriptResult};

const LATENCY_MS: u64 = 200;
const PARTIAL_MS: u64 = 300;
const SILENCE_MS: u64 = 600;
/// What a word may be followed by.
const MARKS: [char; 13] = [',', '.', '?', '!', '，', '、', '。', '？', '！', '।', '،', '؟', '؛'];
/// A word of which less was heard than this is not recognised.
const LEAST_WORD_MS: u64 = 150;

#[derive(Debug, Default)]
pub struct Recogniser {
    streams: Vec<Stream>,
    due: BTreeMap<(u64, u64), (StreamId, TranscribeEvent)>,
    sequence: u64,
    /// Streams opened between these moments end at once.
    pub refuses: Vec<(u64, u64, StreamEnd)>,
    /// Milliseconds of audio heard by all streams.
    pub heard_ms: u64,
    /// Language and process time of each stream.
    pub opened: Vec<(u64, Language)>,
    /// The audio of each word that was heard, in ms, over all streams.
    pub word_ms: BTreeMap<i16, u64>,
    /// The most streams at once.
    pub most_streams: usize,
    /// The vocabulary that the session asks for does not exist.
    pub vocabulary_is_unknown: bool,
    /// Options of each stream.
    pub options: Vec<CarriedOptions>,
    /// Streams that are open between these moments take audio and say nothing.
    pub mute: Option<(u64, u64)>,
    /// The last words of partials are guesses that change.
    pub fickle: bool,
    /// What it says is made hostile on its way.
    pub hostility: Option<Hostility>,
    /// Results come as late as Transcribe's, instead of after a fixed time.
    pub delay: Option<Delay>,
    /// The voice was heard up to here, samples.
    newest: usize,
    /// Every result tells its words so much too late or too early, ms.
    pub shift_ms: i64,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    texts: Vec<String>,
    gaps: Vec<&'static str>,
    heard_ms: u64,
    last_audio: u64,
    results: u64,
    /// Word, begin and end in stream time.
    words: Vec<(i16, u64, u64)>,
    silence_ms: u64,
    partial_at: u64,
    /// Where its audio stands in a voice that is heard, samples.
    place: Option<usize>,
}

/// Audio comes again from at most so far before the newest, samples: the ring's length.
const AGAIN: usize = 40 * 16_000;

/// Where this piece of audio stands in the voice: where it is expected, or after that.
fn place_of(pcm: &[i16], voice: &[i16], expected: usize) -> Option<usize> {
    (expected..voice.len().saturating_sub(pcm.len() - 1)).find(|at| voice[*at..*at + pcm.len()] == *pcm)
}

impl Recogniser {
    pub fn open(&mut self, id: StreamId, language: Language, options: CarriedOptions, now: u64, talk: &Talk) {
        assert!(self.streams.len() < 2, "one stream, or two while one takes over from the other");
        self.opened.push((now, language));
        self.options.push(options);
        if self.vocabulary_is_unknown && options == CarriedOptions::All {
            let end = StreamEnd::Refused("the vocabulary does not exist".into());
            self.say(now + 60, id, TranscribeEvent::Opened);
            self.say(now + 100, id, TranscribeEvent::Closed(end));
            return;
        }
        if let Some((_, _, end)) = self.refuses.iter().find(|(from, until, _)| (*from..*until).contains(&now)) {
            let end = end.clone();
            self.say(now + 100, id, TranscribeEvent::Closed(end));
            return;
        }
        let texts = talk.words.iter().map(|w| w.text.clone()).collect();
        let (words, silence_ms) = (Vec::new(), 0);
        self.streams.push(Stream {
            id,
            texts,
            gaps: talk.gaps.clone(),
            heard_ms: 0,
            last_audio: now,
            results: 0,
            words,
            silence_ms,
            partial_at: 0,
            place: None,
        });
        self.most_streams = self.most_streams.max(self.streams.len());
        self.say(now + 80, id, TranscribeEvent::Opened);
    }

    pub fn hear(&mut self, id: StreamId, pcm: &[i16], now: u64, talk: &Talk) {
        let Some(mut stream) = self.take(id) else { return };
        assert_eq!(pcm.len() % 16, 0);
        stream.last_audio = now;
        let now = self.hostility.as_mut().map_or(now, |hostility| hostility.hears(id, pcm.len() as u64 / 16, now));
        let place = talk.voice.as_ref().filter(|_| !talk.words.is_empty()).map(|voice| {
            let place = place_of(pcm, voice, stream.place.unwrap_or(self.newest.saturating_sub(AGAIN)));
            stream.place = place.map(|at| at + pcm.len()).or(stream.place);
            self.newest = self.newest.max(stream.place.unwrap_or(0));
            place
        });
        let spelled = |n: usize, sample: i16| match place {
            None => sample,
            Some(place) => place.map_or(0, |at| talk.sample((at / 16 + n) as u64)),
        };
        let samples: Vec<i16> = pcm.iter().copied().step_by(16).enumerate().map(|(n, s)| spelled(n, s)).collect();
        for run in samples.chunk_by(|a, b| a == b) {
            self.heard_ms += run.len() as u64;
            if run[0] != 0 {
                *self.word_ms.entry(run[0] - BASE).or_insert(0) += run.len() as u64;
            }
            for sample in run {
                stream.heard_ms += 1;
                self.millisecond(&mut stream, *sample, now);
            }
        }
        self.streams.push(stream);
        self.streams.sort_by_key(|s| s.id);
    }

    fn millisecond(&mut self, stream: &mut Stream, sample: i16, now: u64) {
        let at = stream.heard_ms;
        if sample == 0 {
            stream.silence_ms += 1;
            if stream.silence_ms == SILENCE_MS && !stream.words.is_empty() {
                self.result(stream, true, now);
            }
            return;
        }
        stream.silence_ms = 0;
        let word = sample - BASE;
        match stream.words.last_mut() {
            Some((last, _, end)) if *last == word && *end + 1 == at => *end = at,
            _ => stream.words.push((word, at - 1, at)),
        }
        if at >= stream.partial_at + PARTIAL_MS {
            stream.partial_at = at;
            self.result(stream, false, now);
        }
    }

    fn result(&mut self, stream: &mut Stream, is_final: bool, now: u64) {
        let whole: Vec<_> = stream.words.iter().filter(|(_, start, end)| end - start >= LEAST_WORD_MS).collect();
        let count = whole.len();
        let item = |(n, (word, start, end)): (usize, &&(i16, u64, u64))| {
            let stable = is_final || n + 2 < count;
            let guess = self.fickle && !stable && (stream.heard_ms / PARTIAL_MS).is_multiple_of(2);
            let text = stream.texts[*word as usize].clone();
            let bare = text.trim_end_matches(MARKS).to_owned();
            let mark = text[bare.len()..].to_owned();
            let spoken = TranscriptItem {
                content: if guess { format!("{bare}-or-so") } else { bare },
                punctuation: false,
                start: (*start as i64 + self.shift_ms).max(0) as f64 / 1_000.0,
                end: (*end as i64 + self.shift_ms).max(0) as f64 / 1_000.0,
                stable,
            };
            // The mark is known when the next word is, and in the final.
            let known = !mark.is_empty() && (is_final || n + 1 < count);
            let mark = known.then(|| TranscriptItem { content: mark, punctuation: true, ..spoken.clone() });
            [Some(spoken), mark]
        };
        let items: Vec<TranscriptItem> = whole.iter().enumerate().flat_map(item).flatten().collect();
        let mut gaps = whole.iter().filter_map(|(word, _, _)| stream.gaps.get(*word as usize));
        let before = |item: &TranscriptItem| if item.punctuation { Some("") } else { gaps.next().copied() };
        let befores: Option<Vec<&str>> = items.iter().map(before).collect();
        let written = |befores: Vec<&str>| {
            befores.iter().zip(&items).map(|(before, item)| format!("{before}{}", item.content)).collect::<String>()
        };
        let transcript = befores.map(written).unwrap_or_default().trim_start().to_owned();
        let mute = self.mute.is_some_and(|(from, until)| (from..until).contains(&now));
        if !items.is_empty() && !mute {
            let result = TranscriptResult {
                result_id: format!("r{}", stream.results),
                start: items[0].start,
                end: stream.heard_ms as f64 / 1_000.0,
                is_partial: !is_final,
                language: None,
                transcript,
                items,
            };
            let at = match &mut self.delay {
                None => now + LATENCY_MS,
                Some(delay) if is_final => delay.last(now, stream.silence_ms),
                Some(delay) => delay.partial(now),
            };
            self.say(at, stream.id, TranscribeEvent::Result(result));
        }
        if is_final {
            stream.results += 1;
            stream.words.clear();
        }
    }

    /// The audio ends: the last final comes, then the end.
    pub fn end(&mut self, id: StreamId, now: u64) {
        let Some(mut stream) = self.take(id) else { return };
        let now = self.hostility.as_mut().map_or(now, |hostility| hostility.hears(id, 0, now));
        if !stream.words.is_empty() {
            self.result(&mut stream, true, now);
        }
        self.say(now + LATENCY_MS + 20, id, TranscribeEvent::Closed(StreamEnd::Clean));
    }

    /// The service ends the stream by itself; what it heard last is lost.
    pub fn cut(&mut self, end: StreamEnd, now: u64) {
        if let Some(stream) = self.streams.pop() {
            self.forget(stream.id);
            self.say(now, stream.id, TranscribeEvent::Closed(end));
        }
    }

    pub fn forget(&mut self, id: StreamId) {
        self.take(id);
        self.due.retain(|_, (of, _)| *of != id);
        if let Some(hostility) = &mut self.hostility {
            hostility.forget(id);
        }
    }

    fn take(&mut self, id: StreamId) -> Option<Stream> {
        let index = self.streams.iter().position(|s| s.id == id)?;
        Some(self.streams.remove(index))
    }

    fn say(&mut self, at: u64, id: StreamId, event: TranscribeEvent) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), (id, event));
    }

    /// When the next result or the idle end is due.
    pub fn next_event(&self) -> Option<u64> {
        let idle = self.streams.iter().map(|s| s.last_audio + 15_000).min();
        let hostile = self.hostility.as_ref().and_then(Hostility::due);
        [self.due.keys().next().map(|(at, _)| *at), idle, hostile].into_iter().flatten().min()
    }

    pub fn take_due(&mut self, now: u64) -> Option<(StreamId, TranscribeEvent)> {
        if self.streams.iter().any(|s| now >= s.last_audio + 15_000) {
            self.cut(StreamEnd::Idle("no new audio was received for 15 seconds".into()), now);
        }
        loop {
            if let Some((id, result)) = self.hostility.as_mut().and_then(|hostility| hostility.take(now)) {
                return Some((id, TranscribeEvent::Result(result)));
            }
            let key = self.due.keys().next().copied().filter(|(at, _)| *at <= now)?;
            let (id, event) = self.due.remove(&key)?;
            let Some(hostility) = &mut self.hostility else { return Some((id, event)) };
            match (event, hostility.last_due(id)) {
                (TranscribeEvent::Result(result), _) => hostility.tell(id, &result, now),
                // The end comes after all that is still to be said.
                (TranscribeEvent::Closed(end), Some(last)) => self.say(last + 20, id, TranscribeEvent::Closed(end)),
                (event, _) => return Some((id, event)),
            }
        }
    }
}
