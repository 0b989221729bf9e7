//! The façade: audio and facts in, events out.

use crate::hops::{Cutter, HOP_MS, PER_MS};
use crate::pipeline::{Core, DELAY};
use crate::result::Event;
use std::fmt;

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
pub struct Analyzer {
    cutter: Cutter,
    core: Core,
}

impl fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analyzer").field("reader", &self.core.reader).finish_non_exhaustive()
    }
}

impl Analyzer {
    /// Events that are kept until they are polled; the oldest is dropped when there are more.
    pub const MOST_EVENTS: usize = 256;
    /// Segments that may wait for their audio.
    pub const MOST_SEGMENTS: usize = 16;
    /// Words that are remembered.
    pub const MOST_WORDS: usize = 1_024;
    /// What is said of a moment is known so much later at the latest, ms of audio.
    pub const DELAY_MS: u64 = (DELAY + 1) * HOP_MS;

    /// An analysis that has heard nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { cutter: Cutter::new(), core: Core::new(config) }
    }

    /// Takes 16 kHz mono audio that begins at this moment of media time; any length. What overlaps with earlier audio is not
    /// taken twice, and a gap counts as [`Origin::Filled`].
    pub fn push(&mut self, start_ms: u64, pcm: &[i16], origin: Origin) {
        let received = match origin {
            Origin::Received => true,
            Origin::Concealed | Origin::Filled => false,
        };
        let core = &mut self.core;
        self.cutter.push(start_ms.saturating_mul(PER_MS), pcm, received, |piece| core.take(piece));
    }

    /// A word of the transcript, with final times in media time, in any order; the same word twice counts once.
    /// Report a segment's words before the segment. They give the words per minute of the readings they lie in.
    pub fn word(&mut self, start_ms: u64, end_ms: u64) {
        self.core.words.add(start_ms, end_ms);
    }

    /// A caption segment is final: an [`Event::Segment`] follows, at once or when its audio has been analysed.
    /// Without audio of it (it was more than two minutes ago) the reading holds no measurements.
    pub fn segment(&mut self, id: u64, start_ms: u64, end_ms: u64) {
        self.core.segment(id, start_ms, end_ms);
    }

    /// The speaker's side says whether automatic gain control is on.
    pub fn agc_hint(&mut self, on: bool) {
        self.core.reader.agc_on = on;
    }

    /// Audio stops for now (pause, end of the session): what is still held back by look-ahead is analysed as if a gap followed,
    /// and segments that wait are answered with what there is. Audio that comes later must begin at least
    /// [`Analyzer::DELAY_MS`] later, or the first of it is not taken.
    pub fn flush(&mut self) {
        let core = &mut self.core;
        self.cutter.flush(DELAY, |piece| core.take(piece));
        self.core.answer_segments(u64::MAX);
    }

    /// Another speaker, or another microphone: everything about the voice is forgotten, media time goes on.
    pub fn forget_speaker(&mut self) {
        self.core.forget_speaker();
    }

    /// The next event, oldest first; `None` when there is none for now.
    pub fn poll(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    #[cfg(test)]
    pub(crate) fn history(&self) -> &crate::frame::History {
        &self.core.history
    }
}
