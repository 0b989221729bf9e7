//! Echo: a delayed copy of the voice in itself, found by the cepstrum. Speech's own periods differ from second to second; an
//! echo's delay does not, so it is what is left of the average.

use crate::front::hann;
use crate::hops::HOP;
use emotion_fft::{Complex32, ComplexToReal, RealToComplex, pair};
use std::sync::Arc;

/// Samples per block, at 8 kHz: 2 s.
const BLOCK: usize = 16_384;
/// Samples between two blocks.
const STEP: usize = BLOCK / 2;
/// Delays that are looked at, samples at 8 kHz: 50 to 500 ms.
const DELAYS: std::ops::Range<usize> = 400..4_000;
/// Blocks that are averaged.
const MEMORY: u32 = 8;
/// Blocks without which nothing is said.
const LEAST: u32 = 3;
/// Share of a block that must be speech.
const LEAST_SPEECH: f32 = 0.4;
/// The least that is told, dB.
const LEAST_DB: f32 = -40.0;

/// The average cepstrum of the last seconds of speech.
pub(crate) struct EchoMeter {
    block: Vec<f32>,
    speech: f32,
    window: Vec<f32>,
    average: Vec<f32>,
    blocks: u32,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    time: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl EchoMeter {
    pub(crate) fn new() -> Self {
        let (forward, inverse) = pair(BLOCK);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            block: Vec::with_capacity(BLOCK + HOP),
            speech: 0.0,
            window: hann(BLOCK),
            average: vec![0.0; DELAYS.len()],
            blocks: 0,
            time: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            forward,
            inverse,
        }
    }

    /// Forgets the block that is being filled: what follows is not next to it.
    pub(crate) fn clear(&mut self) {
        self.block.clear();
        self.speech = 0.0;
    }

    /// Takes a hop that was received. Whether it was speech is known of an earlier hop only, which is near enough.
    pub(crate) fn take(&mut self, pcm: &[i16; HOP], speech: bool) {
        self.block
            .extend(pcm.chunks_exact(2).map(|pair| f32::from(pair[0]) / 65_536.0 + f32::from(pair[1]) / 65_536.0));
        self.speech += if speech { (HOP / 2) as f32 } else { 0.0 };
        if self.block.len() >= BLOCK {
            if self.speech >= LEAST_SPEECH * BLOCK as f32 {
                self.measure();
            }
            self.block.drain(..STEP);
            self.speech *= 0.5;
        }
    }

    /// Level of the strongest echo re the direct voice, dB.
    pub(crate) fn echo_db(&self) -> Option<f64> {
        let strongest = self.average.iter().fold(0.0_f32, |most, c| most.max(*c));
        (self.blocks >= LEAST).then(|| f64::from((20.0 * strongest.max(1e-9).log10()).clamp(LEAST_DB, 0.0)))
    }

    fn measure(&mut self) {
        for ((to, x), w) in self.time.iter_mut().zip(&self.block).zip(&self.window) {
            *to = x * w;
        }
        if self.forward.process_with_scratch(&mut self.time, &mut self.spectrum, &mut self.scratch).is_err() {
            return;
        }
        let mean = self.spectrum.iter().map(Complex32::norm_sqr).sum::<f32>() / self.spectrum.len() as f32;
        let least = mean * 1e-7 + 1e-20;
        for bin in &mut self.spectrum {
            *bin = Complex32::new((bin.norm_sqr() + least).ln(), 0.0);
        }
        if self.inverse.process_with_scratch(&mut self.spectrum, &mut self.time, &mut self.scratch).is_err() {
            return;
        }
        self.blocks = self.blocks.saturating_add(1);
        let share = 1.0 / self.blocks.min(MEMORY) as f32;
        for (average, c) in self.average.iter_mut().zip(&self.time[DELAYS]) {
            *average += (c / BLOCK as f32 - *average) * share;
        }
    }
}
