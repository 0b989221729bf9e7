//! Whether somebody speaks, and nothing else: for a worker that waits for speech, however soft, and pays for nothing meanwhile.

use crate::hops::{Cutter, HOP_MS, Piece};
use crate::vad::Vad;
use std::collections::VecDeque;
use std::fmt;

/// Hops that are remembered: 15 s.
const KEPT: usize = 1_500;
/// A hop is decided when so many have followed it.
const LATER: u64 = 6;
/// Hops before which nothing counts: until it has heard so much, steady hum and noise sound like a voice now and then.
const WARMING: u64 = 300;
/// So much audio is brought up at most: speech of −70 dBFS is heard over noise as loud. Beyond that (150) a hum of −70 dBFS, which is
/// a few steps of 16 bits, sounds like a voice for a tenth of the time.
const MOST_GAIN: f32 = 100.0;

/// Hears speech relative to what was heard since its begin: what was loud before that does not make it deaf.
pub struct Detector {
    cutter: Cutter,
    vad: Vad,
    /// The first hop that counts.
    from: Option<u64>,
    recent: VecDeque<bool>,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("speech_ms", &self.speech_within_ms(1_000)).finish_non_exhaustive()
    }
}

impl Default for Detector {
    fn default() -> Self {
        let vad = Vad::with_most_gain(MOST_GAIN);
        Self { cutter: Cutter::new(), vad, from: None, recent: VecDeque::with_capacity(KEPT) }
    }
}

impl Detector {
    /// Takes 16 kHz mono audio that begins at this moment of media time; any length.
    pub fn push(&mut self, start_ms: u64, pcm: &[i16]) {
        let Self { cutter, vad, from, recent } = self;
        cutter.push(start_ms.saturating_mul(crate::hops::PER_MS), pcm, true, |piece| match piece {
            Piece::Jump { index } => {
                vad.clear(index);
                recent.clear();
                *from = None;
            }
            Piece::Hop { index, pcm, .. } => {
                vad.take(index, pcm);
                if recent.len() == KEPT {
                    recent.pop_front();
                }
                let from = *from.get_or_insert(index + WARMING);
                let decided = index.checked_sub(LATER).filter(|decided| *decided >= from);
                recent.push_back(decided.is_some_and(|decided| vad.is_speech(decided)));
            }
        });
    }

    /// Milliseconds of speech among the last so many, at most 15 s.
    #[must_use]
    pub fn speech_within_ms(&self, last_ms: u64) -> u64 {
        let hops = usize::try_from(last_ms / HOP_MS).unwrap_or(usize::MAX);
        HOP_MS * self.recent.iter().rev().take(hops).filter(|speech| **speech).count() as u64
    }

    /// How long ago the speech of now began, ms, at most 15 s: pauses of up to so many milliseconds are part of it.
    #[must_use]
    pub fn speech_since_ms(&self, pause_ms: u64) -> u64 {
        let (mut since, mut pause) = (0, 0);
        for (hop, speech) in (1..).zip(self.recent.iter().rev()) {
            pause = if *speech { 0 } else { pause + HOP_MS };
            if pause > pause_ms {
                break;
            }
            if *speech {
                since = hop * HOP_MS + LATER * HOP_MS;
            }
        }
        since
    }
}
