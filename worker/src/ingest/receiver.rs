//! Bytes of GetMedia in, frames of audio out.

use super::codec::TrackDecoder;
use super::fragments::{Fragments, Start};
use super::mkv::{Event, Parser, Tag, Track};
use super::pace::Pace;
use super::timeline::{Step, Timeline};
use schemas::worker::Media;
use worker_core::input::{AudioFrame, AudioKind};
use worker_core::time::MediaInstant;

/// Samples per millisecond of what is made.
const SAMPLES_PER_MS: u64 = 16;
/// Longest frame of silence, samples: 1 s, the most that Transcribe takes in one event.
const SILENCE_FRAME: u64 = 16_000;

/// Something that the log or the engine should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The service ends the connection with this code (GetMedia API reference).
    Error(u32),
    /// The stream has no audio that can be decoded; what it has instead.
    NoAudio(String),
    /// These many bytes were no Matroska.
    Skipped(u64),
}

/// One stream's audio, over all connections.
#[derive(Debug, Default)]
pub struct StreamReceiver {
    parser: Parser,
    fragments: Fragments,
    timeline: Timeline,
    pace: Pace,
    decoder: Option<TrackDecoder>,
    /// Producer's time minus the fragment's own clock, ms; `None` before the first frame of a fragment.
    offset_ms: Option<i64>,
    producer_ms: Option<i64>,
    frames: u64,
    made_up: u64,
    behind_ms: Option<u64>,
    told: Option<Notice>,
}

impl StreamReceiver {
    /// Where the next connection begins.
    #[must_use]
    pub fn start(&self) -> Start {
        self.fragments.start()
    }

    /// The service does not know the token any more: the place is found by its time.
    pub fn forget_token(&mut self) {
        self.fragments.forget_token();
    }

    /// The service does not know the place any more.
    pub fn forget_place(&mut self) {
        self.fragments.forget_place();
    }

    /// A connection begins: what the last one left unfinished is forgotten.
    pub fn connected(&mut self) {
        self.parser = Parser::default();
        self.fragments.connected();
        (self.offset_ms, self.producer_ms) = (None, None);
    }

    /// Takes in what came; poll afterwards.
    pub fn push(&mut self, bytes: &[u8], now: MediaInstant) -> Vec<Notice> {
        self.parser.push(bytes);
        let mut notices = Vec::new();
        while let Some(event) = self.parser.next_event() {
            notices.extend(self.take(event, now));
        }
        notices
    }

    /// The frame whose moment has come.
    pub fn poll(&mut self, now: MediaInstant) -> Option<AudioFrame> {
        self.pace.poll(now)
    }

    /// The session ends: what has come is heard now, not at its moment.
    pub fn release(&mut self) {
        self.pace.release();
    }

    /// When the next frame's moment comes.
    #[must_use]
    pub fn deadline(&self) -> Option<MediaInstant> {
        self.pace.deadline()
    }

    /// Frames taken so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How far the connection was behind the newest fragment, as the service said last, ms.
    #[must_use]
    pub fn behind_ms(&self) -> Option<u64> {
        self.behind_ms
    }

    /// The state of the media path.
    #[must_use]
    pub fn media(&self) -> Media {
        Media {
            packets: self.frames,
            concealed_ms: self.made_up / SAMPLES_PER_MS,
            media_ms: self.timeline.cursor() / SAMPLES_PER_MS,
            ..Media::default()
        }
    }

    fn take(&mut self, event: Event, now: MediaInstant) -> Option<Notice> {
        match event {
            Event::Begin => {
                self.fragments.begin();
                (self.offset_ms, self.producer_ms) = (None, None);
                None
            }
            Event::Track(track) => self.use_track(&track),
            Event::NoAudio(codecs) => self.tell_once(Notice::NoAudio(codecs.join(", "))),
            Event::Tag(tag) => self.note(&tag),
            Event::Frame { at_ms, data } => {
                self.frame(at_ms, &data, now);
                None
            }
            Event::Skipped(0) => None,
            Event::Skipped(bytes) => Some(Notice::Skipped(bytes)),
        }
    }

    /// Every fragment repeats what it holds; it is told when it changes.
    fn tell_once(&mut self, notice: Notice) -> Option<Notice> {
        if self.told.as_ref() == Some(&notice) {
            return None;
        }
        self.told = Some(notice.clone());
        Some(notice)
    }

    fn use_track(&mut self, track: &Track) -> Option<Notice> {
        if self.decoder.as_ref().is_some_and(|decoder| decoder.fits(track)) {
            return None;
        }
        match TrackDecoder::new(track) {
            Ok(decoder) => {
                self.decoder = Some(decoder);
                None
            }
            Err(error) => {
                self.decoder = None;
                self.tell_once(Notice::NoAudio(error.to_string()))
            }
        }
    }

    fn note(&mut self, tag: &Tag) -> Option<Notice> {
        self.fragments.tag(tag);
        match tag {
            Tag::ProducerTimestamp(ms) => self.producer_ms = Some(*ms),
            Tag::MillisBehindNow(ms) => self.behind_ms = Some(*ms),
            Tag::ErrorCode(code) => return Some(Notice::Error(*code)),
            Tag::ErrorId(id) => tracing::warn!(event = "media_stream_error", id, "the service names its error so"),
            Tag::FragmentNumber(_) | Tag::ServerTimestamp(_) | Tag::ContinuationToken(_) => {}
        }
        None
    }

    fn frame(&mut self, at_ms: i64, data: &[u8], now: MediaInstant) {
        let offset = *self.offset_ms.get_or_insert(self.producer_ms.map_or(0, |ms| ms.saturating_sub(at_ms)));
        if !self.fragments.take() {
            return;
        }
        let Some(decoder) = &mut self.decoder else { return };
        self.frames += 1;
        let step = self.timeline.place(at_ms.saturating_add(offset), data, decoder.pending());
        if step == Step::Skip {
            return;
        }
        let (mut pcm, kind) = match decoder.decode(data) {
            Ok(pcm) => (pcm, AudioKind::Decoded),
            Err(error) => {
                tracing::debug!(%error, "a frame was not decoded");
                (vec![0; decoder.length(data)], AudioKind::Concealed)
            }
        };
        match step {
            Step::Play | Step::Skip => {}
            Step::Fill(samples) => self.fill(samples, now),
            Step::Trim(samples) => drop(pcm.drain(..pcm.len().min(usize::try_from(samples).unwrap_or(usize::MAX)))),
        }
        if !pcm.is_empty() {
            self.give(pcm, kind, now);
        }
    }

    fn fill(&mut self, mut samples: u64, now: MediaInstant) {
        while samples > 0 {
            let length = samples.min(SILENCE_FRAME);
            samples -= length;
            self.give(vec![0; usize::try_from(length).unwrap_or(0)], AudioKind::Filled, now);
        }
    }

    fn give(&mut self, pcm: Vec<i16>, kind: AudioKind, now: MediaInstant) {
        self.made_up += match kind {
            AudioKind::Decoded => 0,
            AudioKind::Concealed | AudioKind::Filled => pcm.len() as u64,
        };
        let start_ms = self.timeline.advance(pcm.len());
        self.pace.push(AudioFrame { start_ms, pcm, kind }, now);
    }
}
