//! Whether it is speech, by `earshot` (a small network on 16 ms frames).

use crate::hops::HOP;
use earshot::Detector;
use std::collections::VecDeque;

/// Samples per decision.
const STEP: usize = 256;
/// A decision speaks of audio so many samples before its frame: half of the detector's window of 48 ms, and its context.
const DELAY: u64 = 256;
/// From this score on it is speech.
const THRESHOLD: f32 = 0.5;
/// Speech lasts at least so many steps: 48 ms. A shorter alarm is a click or a whim of the noise.
const LEAST: usize = 3;
/// The detector is made for audio with about this peak, share of full scale; a quiet microphone is brought up to it …
const PEAK: f32 = 0.25;
/// … by at most this factor.
const MOST_GAIN: f32 = 30.0;
/// The usual peak fades so much per hop: to a half in 10 s.
const PEAK_FADE: f32 = 0.999_31;
/// Decisions that are kept: longer than the look-ahead of everything else.
const KEPT: usize = 32;

/// The detector on the grid of hops.
pub(crate) struct Vad {
    detector: Box<Detector>,
    block: [i16; STEP],
    filled: usize,
    /// Media sample of the block's begin.
    begin: u64,
    /// Usual peak, share of full scale.
    peak: f32,
    /// Begin of a block, and whether it was speech.
    decisions: VecDeque<(u64, bool)>,
}

impl Vad {
    pub(crate) fn new() -> Self {
        Self {
            detector: Detector::default_boxed(),
            block: [0; STEP],
            filled: 0,
            begin: 0,
            peak: 0.0,
            decisions: VecDeque::with_capacity(KEPT),
        }
    }

    /// Starts anew at this hop.
    pub(crate) fn clear(&mut self, index: u64) {
        self.detector.reset();
        self.filled = 0;
        self.begin = index * HOP as u64;
        self.decisions.clear();
    }

    /// Takes the next hop.
    pub(crate) fn take(&mut self, index: u64, pcm: &[i16; HOP]) {
        if self.filled == 0 && self.decisions.is_empty() {
            self.begin = index * HOP as u64;
        }
        let pcm = self.brought_up(pcm);
        let mut rest: &[i16] = &pcm;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(STEP - self.filled));
            self.block[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
            if self.filled == STEP {
                self.decide();
            }
        }
    }

    /// The hop with the gain that a quiet microphone lacks.
    fn brought_up(&mut self, pcm: &[i16; HOP]) -> [i16; HOP] {
        let peak = pcm.iter().fold(0, |peak, x| x.unsigned_abs().max(peak));
        self.peak = (self.peak * PEAK_FADE).max(f32::from(peak) / 32_768.0);
        let gain = (PEAK / self.peak.max(f32::EPSILON)).clamp(1.0, MOST_GAIN);
        pcm.map(|x| (f32::from(x) * gain) as i16)
    }

    fn decide(&mut self) {
        let speech = self.detector.predict_i16(&self.block) >= THRESHOLD;
        if self.decisions.len() == KEPT {
            self.decisions.pop_front();
        }
        self.decisions.push_back((self.begin, speech));
        self.begin += STEP as u64;
        self.filled = 0;
    }

    /// Whether the middle of this hop is speech; false when it is not known any more, or not yet.
    pub(crate) fn is_speech(&self, index: u64) -> bool {
        let at = index * HOP as u64 + HOP as u64 / 2 + DELAY;
        let Some(n) = self.decisions.iter().rposition(|(begin, _)| *begin <= at) else { return false };
        let is = |n: &usize| self.decisions.get(*n).is_some_and(|(_, speech)| *speech);
        let before = (n.saturating_sub(LEAST)..n).rev().take_while(is).count();
        let after = (n + 1..n + LEAST).take_while(is).count();
        // A hole of one step in speech is not a pause.
        let here = is(&n) || (before > 0 && after > 0);
        here && before + 1 + after >= LEAST
    }
}
