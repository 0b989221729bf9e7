//! What is known of 10 ms of audio, and the last two minutes of it.

use crate::hops::HOP_MS;
use std::collections::VecDeque;

/// Frames that are kept: two minutes.
pub(crate) const KEPT: usize = 12_000;
/// Level of digital silence, dBFS.
pub(crate) const FLOOR_DBFS: f32 = -96.0;

/// The features of one hop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame {
    /// The hop's own audio was received.
    pub(crate) received: bool,
    /// All audio that the features were computed from was received.
    pub(crate) measured: bool,
    /// The voice activity detector heard speech. Only meaningful when measured.
    pub(crate) speech: bool,
    /// Fundamental frequency, Hz; 0 when unvoiced.
    pub(crate) f0: f32,
    /// Level around the hop (46 ms), dBFS.
    pub(crate) level: f32,
    /// Energy of 50 Hz to 1 kHz over 1 to 5 kHz, dB.
    pub(crate) tilt: f32,
    /// Level of 250 to 3500 Hz, dB, where syllables stand out.
    pub(crate) band: f32,
    /// K-weighted loudness of the hop itself (EBU R 128), LUFS.
    pub(crate) loudness: f32,
    /// Mean square of the hop itself, full scale 1.
    pub(crate) mean_square: f32,
    /// Samples of the hop at 98 % of full scale or above.
    pub(crate) clipped: u8,
}

impl Frame {
    /// Speech that was measured.
    pub(crate) fn is_speech(&self) -> bool {
        self.measured && self.speech
    }
    /// Phonation in measured speech.
    pub(crate) fn is_voiced(&self) -> bool {
        self.is_speech() && self.f0 > 0.0
    }
}

/// The last two minutes of frames.
#[derive(Debug)]
pub(crate) struct History {
    frames: VecDeque<Frame>,
    first: u64,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { frames: VecDeque::with_capacity(KEPT), first: 0 }
    }

    /// Number of the frame after the newest.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Milliseconds of media time up to which everything is known.
    pub(crate) fn end_ms(&self) -> u64 {
        self.end() * HOP_MS
    }

    /// Appends the frame with this number; frames follow each other, except after a jump, which forgets.
    pub(crate) fn push(&mut self, index: u64, frame: Frame) {
        if self.end() != index {
            self.frames.clear();
            self.first = index;
        }
        if self.frames.len() == KEPT {
            self.frames.pop_front();
            self.first += 1;
        }
        self.frames.push_back(frame);
    }

    /// The frames from this number to before that one, as far as they are kept.
    pub(crate) fn between(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = &Frame> + Clone {
        let from = from.clamp(self.first, self.end()) - self.first;
        let to = to.clamp(self.first, self.end()) - self.first;
        self.frames.range(from as usize..(to.max(from)) as usize)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A frame of ordinary voiced speech at this pitch.
    pub(crate) fn voiced(f0: f32) -> Frame {
        Frame {
            received: true,
            measured: true,
            speech: true,
            f0,
            level: -25.0,
            tilt: 6.0,
            band: -27.0,
            loudness: -25.0,
            mean_square: 0.003,
            clipped: 0,
        }
    }

    #[test]
    fn two_minutes_are_kept_and_asking_beyond_them_gives_what_is_there() {
        let mut history = History::new();
        for n in 100..100 + KEPT as u64 + 50 {
            history.push(n, voiced(100.0));
        }
        assert_eq!(history.between(0, u64::MAX).count(), KEPT);
        assert_eq!(history.between(0, 160).count(), 10);
        assert_eq!(history.between(500, 400).count(), 0);
        history.push(1_000_000, voiced(100.0));
        assert_eq!(history.between(0, u64::MAX).count(), 1);
    }
}
