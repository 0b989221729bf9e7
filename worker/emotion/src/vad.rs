//! Whether it is speech, by `earshot` (a small network on 16 ms frames).

use crate::front::decibels;
use crate::hops::HOP;
use earshot::Detector;
use std::collections::VecDeque;

/// Samples per decision.
const STEP: usize = 256;
/// A decision speaks of audio so many samples before its frame: half of the detector's window of 48 ms, and its context.
const DELAY: u64 = 256;
/// From this score on it is speech.
const THRESHOLD: f32 = 0.5;
/// The score that is enough for a step that stands this far out of the quietest one lately, dB. The detector is unsure of whispers,
/// however loud, and of noise; but noise does not stand out of itself, and a whisper does.
const STANDS_OUT: (f32, f32) = (12.0, 0.2);
/// Steps among which the quietest is looked for: 1.5 s, in which every speaker takes a breath, or closes the mouth.
const LATELY: usize = 94;
/// What is so far below the usual peak is as quiet as anything, dB.
const QUIETEST_DB: f32 = 60.0;
/// Speech lasts at least so many steps: 48 ms. A shorter alarm is a click or a whim of the noise.
const LEAST: usize = 3;
/// The detector takes loud noise for speech, and does not hear what is very soft: audio is brought to this peak, share of full scale …
const PEAK: f32 = 0.1;
/// … by a gain between these.
const GAINS: (f32, f32) = (0.05, 30.0);
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
    /// The most that audio is brought up by.
    most_gain: f32,
    /// Sums of squares of the last blocks, the one that is filled being the last.
    powers: [f32; 3],
    /// Blocks since the begin, at most three.
    blocks: u8,
    /// Levels lately, dBFS.
    levels: VecDeque<f32>,
    /// Begin of a block, and whether it was speech.
    decisions: VecDeque<(u64, bool)>,
}

impl Vad {
    pub(crate) fn new() -> Self {
        Self::with_most_gain(GAINS.1)
    }

    /// One that brings audio up by so much at most.
    pub(crate) fn with_most_gain(most_gain: f32) -> Self {
        Self {
            detector: Detector::default_boxed(),
            block: [0; STEP],
            filled: 0,
            begin: 0,
            peak: 0.0,
            most_gain,
            powers: [0.0; 3],
            blocks: 0,
            levels: VecDeque::with_capacity(LATELY),
            decisions: VecDeque::with_capacity(KEPT),
        }
    }

    /// Starts anew at this hop.
    pub(crate) fn clear(&mut self, index: u64) {
        self.detector.reset();
        self.filled = 0;
        self.begin = index * HOP as u64;
        self.decisions.clear();
        self.levels.clear();
        self.powers = [0.0; 3];
        self.blocks = 0;
    }

    /// Takes the next hop.
    pub(crate) fn take(&mut self, index: u64, pcm: &[i16; HOP]) {
        if self.filled == 0 && self.decisions.is_empty() {
            self.begin = index * HOP as u64;
        }
        let loud = self.brought_up(pcm);
        let mut rest: &[i16] = &loud;
        let mut own = pcm.iter();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(STEP - self.filled));
            self.block[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            self.powers[2] += own.by_ref().take(now.len()).map(|x| (f32::from(*x) / 32_768.0).powi(2)).sum::<f32>();
            rest = later;
            if self.filled == STEP {
                self.decide();
            }
        }
    }

    /// The hop with the gain that the detector wants.
    fn brought_up(&mut self, pcm: &[i16; HOP]) -> [i16; HOP] {
        let peak = pcm.iter().fold(0, |peak, x| x.unsigned_abs().max(peak));
        self.peak = (self.peak * PEAK_FADE).max(f32::from(peak) / 32_768.0);
        let gain = (PEAK / self.peak.max(f32::EPSILON)).clamp(GAINS.0, self.most_gain);
        pcm.map(|x| (f32::from(x) * gain) as i16)
    }

    /// The score that is enough for this block.
    fn threshold(&mut self) -> f32 {
        let power = self.powers.iter().sum::<f32>() / (STEP as f32 * 3.0);
        self.powers.rotate_left(1);
        self.powers[2] = 0.0;
        // Before three blocks were heard their mean would look quiet.
        self.blocks = (self.blocks + 1).min(3);
        if self.blocks < 3 {
            return THRESHOLD;
        }
        let level = decibels(power).max(decibels(self.peak * self.peak) - QUIETEST_DB);
        if self.levels.len() == LATELY {
            self.levels.pop_front();
        }
        self.levels.push_back(level);
        let out = level - self.levels.iter().copied().fold(f32::MAX, f32::min);
        let (far, enough) = STANDS_OUT;
        if out >= far { enough } else { THRESHOLD }
    }

    fn decide(&mut self) {
        let threshold = self.threshold();
        let score = self.detector.predict_i16(&self.block);
        let speech = score >= threshold;
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
