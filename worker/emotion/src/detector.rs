//! Whether somebody speaks, and nothing else: for a worker that waits for speech, however soft, and pays for nothing meanwhile.

use crate::hops::{Cutter, HOP_MS, Piece};
use crate::vad::Vad;
use std::collections::VecDeque;
use std::fmt;

/// Hops that are remembered: a second.
const KEPT: usize = 100;
/// A hop is decided when so many have followed it.
const LATER: u64 = 6;

/// Hears speech relative to what was heard since its begin: what was loud before that does not make it deaf.
pub struct Detector {
    cutter: Cutter,
    vad: Vad,
    recent: VecDeque<bool>,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("speech_ms", &self.speech_within_ms(1_000)).finish_non_exhaustive()
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self { cutter: Cutter::new(), vad: Vad::new(), recent: VecDeque::with_capacity(KEPT) }
    }
}

impl Detector {
    /// Takes 16 kHz mono audio that begins at this moment of media time; any length.
    pub fn push(&mut self, start_ms: u64, pcm: &[i16]) {
        let Self { cutter, vad, recent } = self;
        cutter.push(start_ms.saturating_mul(crate::hops::PER_MS), pcm, true, |piece| match piece {
            Piece::Jump { index } => {
                vad.clear(index);
                recent.clear();
            }
            Piece::Hop { index, pcm, .. } => {
                vad.take(index, pcm);
                if recent.len() == KEPT {
                    recent.pop_front();
                }
                recent.push_back(index.checked_sub(LATER).is_some_and(|decided| vad.is_speech(decided)));
            }
        });
    }

    /// Milliseconds of speech among the last so many, at most a second.
    #[must_use]
    pub fn speech_within_ms(&self, last_ms: u64) -> u64 {
        let hops = usize::try_from(last_ms / HOP_MS).unwrap_or(usize::MAX);
        HOP_MS * self.recent.iter().rev().take(hops).filter(|speech| **speech).count() as u64
    }
}
