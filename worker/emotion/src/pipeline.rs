//! The pipeline: hop in, frame decided some hops later, readings and quality out.

use crate::analyzer::{Analyzer, Config};
use crate::echo::EchoMeter;
use crate::frame::{Frame, History};
use crate::front::{Front, LOOK_AHEAD, Raw};
use crate::hops::{HOP, HOP_MS, Piece};
use crate::loudness::Loudness;
use crate::quality::Seconds;
use crate::reader::Reader;
use crate::result::Event;
use crate::snr::SnrMeter;
use crate::track::{LAG, Track};
use crate::vad::Vad;
use crate::words::Words;
use std::collections::VecDeque;

/// Hops that must follow a hop until its frame is decided.
pub(crate) const DELAY: u64 = LOOK_AHEAD + LAG as u64;
/// Frames of a second of speech.
const SECOND: u64 = 100;

/// No segment ends later, so that sums cannot overflow, ms.
const LATEST_MS: u64 = 1 << 58;

/// All state but the cut.
pub(crate) struct Core {
    front: Front,
    track: Track,
    vad: Vad,
    loudness: Loudness,
    snr: SnrMeter,
    echo: EchoMeter,
    seconds: Seconds,
    pub(crate) history: History,
    pub(crate) words: Words,
    pub(crate) reader: Reader,
    /// Segments that wait for their audio: number, begin and end, ms.
    waiting: VecDeque<(u64, u64, u64)>,
    /// First frame of the second of speech that is being heard.
    speech_from: Option<u64>,
    speaking: bool,
    pub(crate) events: VecDeque<Event>,
}

impl Core {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            front: Front::new(),
            track: Track::new(),
            vad: Vad::new(),
            loudness: Loudness::new(),
            snr: SnrMeter::new(),
            echo: EchoMeter::new(),
            seconds: Seconds::default(),
            history: History::new(),
            words: Words::new(Analyzer::MOST_WORDS),
            reader: Reader::new(config.agc_on),
            waiting: VecDeque::with_capacity(Analyzer::MOST_SEGMENTS),
            speech_from: None,
            speaking: false,
            events: VecDeque::with_capacity(Analyzer::MOST_EVENTS),
        }
    }

    pub(crate) fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Hop { index, pcm, received } => self.hop(index, pcm, received),
            Piece::Jump { index } => self.jump(index),
        }
    }

    /// Media time went on without audio for long: nothing before it is next to what follows.
    fn jump(&mut self, index: u64) {
        self.front.clear();
        self.track.clear();
        self.vad.clear(index);
        self.echo.clear();
        self.seconds = Seconds::default();
        self.speech_from = None;
        self.speaking = false;
        self.answer_segments(u64::MAX);
    }

    fn hop(&mut self, index: u64, pcm: &[i16; HOP], received: bool) {
        self.vad.take(index, pcm);
        let loudness = self.loudness.take(pcm);
        if received {
            self.echo.take(pcm, self.speaking);
        } else {
            self.echo.clear();
        }
        let Some(raw) = self.front.take(index, pcm, received, loudness) else { return };
        if let Some((raw, f0)) = self.track.take(raw) {
            self.frame(raw.index, self.decided(&raw, f0));
        }
    }

    fn decided(&self, raw: &Raw, f0: f32) -> Frame {
        Frame {
            received: raw.received,
            measured: raw.measured,
            speech: raw.measured && self.vad.is_speech(raw.index),
            f0,
            level: raw.level,
            tilt: raw.tilt,
            band: raw.band,
            loudness: raw.loudness,
            mean_square: raw.mean_square,
            clipped: raw.clipped,
        }
    }

    fn frame(&mut self, index: u64, frame: Frame) {
        self.history.push(index, frame);
        self.speaking = frame.is_speech();
        self.snr.take(&frame);
        self.second_of_speech(index);
        if let Some(quality) = self.seconds.take(index, &frame, self.snr.snr_db(), self.echo.echo_db()) {
            self.emit(Event::Quality(quality));
        }
        self.answer_segments(self.history.end_ms());
    }

    /// Seconds begin with speech, and follow each other while it lasts.
    fn second_of_speech(&mut self, index: u64) {
        if self.speech_from.is_none() && self.speaking {
            self.speech_from = Some(index);
        }
        let Some(from) = self.speech_from.filter(|from| index + 1 >= from + SECOND) else { return };
        if let Some(reading) = self.reader.second(&self.history, &self.words, from, self.snr.snr_db()) {
            self.emit(Event::Second(reading));
        }
        self.speech_from = self.speaking.then_some(index + 1);
    }

    /// Begins to wait for a segment's audio; the oldest that waits is answered with what there is when there are too many.
    pub(crate) fn segment(&mut self, id: u64, start_ms: u64, end_ms: u64) {
        if self.waiting.len() == Analyzer::MOST_SEGMENTS
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.answer(oldest);
        }
        let (start_ms, end_ms) = (start_ms.min(LATEST_MS), end_ms.clamp(start_ms.min(LATEST_MS), LATEST_MS));
        self.waiting.push_back((id, start_ms, end_ms));
        self.answer_segments(self.history.end_ms());
    }

    /// Answers the segments that end by then, in the order they were reported.
    pub(crate) fn answer_segments(&mut self, known_ms: u64) {
        while let Some(segment) =
            self.waiting.front().copied().filter(|(_, _, end)| end.next_multiple_of(HOP_MS) <= known_ms)
        {
            self.waiting.pop_front();
            self.answer(segment);
        }
    }

    fn answer(&mut self, (id, start_ms, end_ms): (u64, u64, u64)) {
        let reading = self.reader.segment(&self.history, &self.words, (start_ms, end_ms), self.snr.snr_db());
        self.emit(Event::Segment { id, reading });
    }

    fn emit(&mut self, event: Event) {
        if self.events.len() == Analyzer::MOST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Another speaker: the usual voice is unknown again.
    pub(crate) fn forget_speaker(&mut self) {
        self.reader = Reader::new(self.reader.agc_on);
        self.snr = SnrMeter::new();
        self.speech_from = None;
    }
}
