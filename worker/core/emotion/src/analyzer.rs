//! The façade: audio and facts in, events out.

use crate::result::Event;
use std::collections::VecDeque;

/// How the analysis is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config {
    /// The speaker's side reported that automatic gain control is on. Without it, it is suspected from the sound.
    pub agc_on: bool,
}

/// How a stretch of audio came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Decoded from what the speaker sent.
    Received,
    /// Made up by a decoder for a lost packet: never measured as speech.
    Concealed,
    /// Silence that fills a gap: never measured as speech, nor as silence.
    Filled,
}

/// Streaming analysis of one speaker. The events depend only on the audio and the facts, not on how the audio is cut into pushes.
///
/// Memory is fixed at the start: the features of the last two minutes, at most [`Analyzer::MOST_EVENTS`] events (poll after every
/// push), [`Analyzer::MOST_SEGMENTS`] segments that wait for audio and [`Analyzer::MOST_WORDS`] words.
#[derive(Debug)]
pub struct Analyzer {
    events: VecDeque<Event>,
    agc_on: bool,
}

impl Analyzer {
    /// Events that are kept until they are polled; the oldest is dropped when there are more.
    pub const MOST_EVENTS: usize = 256;
    /// Segments that may wait for their audio.
    pub const MOST_SEGMENTS: usize = 16;
    /// Words that are remembered.
    pub const MOST_WORDS: usize = 1_024;

    /// An analysis that has heard nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { events: VecDeque::with_capacity(Self::MOST_EVENTS), agc_on: config.agc_on }
    }

    /// Takes 16 kHz mono audio that begins at this moment of media time; any length. What overlaps with earlier audio is not
    /// taken twice, and a gap counts as [`Origin::Filled`].
    pub fn push(&mut self, _start_ms: u64, _pcm: &[i16], _origin: Origin) {}

    /// A word of the transcript, with final times in media time, in any order; the same word twice counts once.
    /// Report a segment's words before the segment. They give the words per minute of the readings they lie in.
    pub fn word(&mut self, _start_ms: u64, _end_ms: u64) {}

    /// A caption segment is final: an [`Event::Segment`] follows, at once or when its audio has been analysed.
    /// Without audio of it (it was more than two minutes ago) the reading holds no measurements.
    pub fn segment(&mut self, _id: u64, _start_ms: u64, _end_ms: u64) {}

    /// The speaker's side says whether automatic gain control is on.
    pub fn agc_hint(&mut self, on: bool) {
        self.agc_on = on;
    }

    /// Audio stops for now (pause, end of the session): what is still held back by look-ahead is analysed, as if silence followed.
    pub fn flush(&mut self) {}

    /// Another speaker, or another microphone: everything about the voice is forgotten, media time goes on.
    pub fn forget_speaker(&mut self) {}

    /// The next event, oldest first; `None` when there is none for now.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
