//! From samples to the spectrum and the autocorrelation of a window of 46 ms, every 10 ms.

use crate::frame::FLOOR_DBFS;
use crate::hops::HOP;
use crate::pitch::{Candidates, candidates};
use emotion_fft::{Complex32, ComplexToReal, RealToComplex, pair};
use std::sync::Arc;

/// Hops in the buffer; the frame is the middle one.
const HOPS: usize = 5;
/// A frame is known so many hops after its own.
pub(crate) const LOOK_AHEAD: u64 = 2;
/// Three periods of the lowest pitch, samples.
pub(crate) const WINDOW: usize = 736;
/// Transform length: the window and the longest lag without wrapping around.
const FFT: usize = 1_024;
/// Hz per bin.
const BIN_HZ: f32 = 16_000.0 / FFT as f32;
/// Power below which a band counts as silent, full scale 1.
const LEAST_POWER: f32 = 1e-12;

/// What one window tells, before pitch is tracked through time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw {
    pub(crate) index: u64,
    pub(crate) received: bool,
    pub(crate) measured: bool,
    pub(crate) level: f32,
    pub(crate) tilt: f32,
    pub(crate) band: f32,
    pub(crate) mean_square: f32,
    pub(crate) loudness: f32,
    pub(crate) clipped: u8,
    /// Largest excursion in the middle of the window, full scale 1.
    pub(crate) peak: f32,
    pub(crate) candidates: Candidates,
}

/// The sliding window and its transforms.
pub(crate) struct Front {
    samples: [f32; HOPS * HOP],
    hops: [Option<HopFacts>; HOPS],
    window: Vec<f32>,
    /// One over the window's own autocorrelation at each lag.
    correction: Vec<f32>,
    /// Sum of the squared window.
    window_energy: f32,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    time: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

#[derive(Debug, Clone, Copy)]
struct HopFacts {
    index: u64,
    received: bool,
    mean_square: f32,
    loudness: f32,
    clipped: u8,
}

impl Front {
    pub(crate) fn new() -> Self {
        let (forward, inverse) = pair(FFT);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        let window = hann(WINDOW);
        let mut front = Self {
            samples: [0.0; HOPS * HOP],
            hops: [None; HOPS],
            correction: Vec::new(),
            window_energy: window.iter().map(|w| w * w).sum(),
            time: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            window,
            forward,
            inverse,
        };
        front.time[..WINDOW].copy_from_slice(&front.window);
        front.transform();
        front.correlate();
        let own = front.time[0];
        front.correction = front.time.iter().take(FFT - WINDOW).map(|r| own / r.max(f32::EPSILON)).collect();
        front
    }

    /// Forgets the audio; the next hop stands alone.
    pub(crate) fn clear(&mut self) {
        self.samples.fill(0.0);
        self.hops = [None; HOPS];
    }

    /// Takes the next hop; gives the frame two hops before it.
    pub(crate) fn take(&mut self, index: u64, pcm: &[i16; HOP], received: bool, loudness: f32) -> Option<Raw> {
        self.samples.copy_within(HOP.., 0);
        for (to, from) in self.samples[(HOPS - 1) * HOP..].iter_mut().zip(pcm) {
            *to = f32::from(*from) / 32_768.0;
        }
        self.hops.rotate_left(1);
        self.hops[HOPS - 1] = Some(HopFacts::of(index, pcm, received, loudness));
        let middle = self.hops[HOPS / 2]?;
        let measured = self.hops.iter().all(|hop| hop.is_some_and(|h| h.received));
        Some(if measured { self.measure(middle) } else { middle.unmeasured() })
    }

    fn measure(&mut self, hop: HopFacts) -> Raw {
        let begin = HOPS * HOP / 2 - WINDOW / 2;
        let audio = &self.samples[begin..begin + WINDOW];
        // In double precision: the rounding of a large constant would look like a signal.
        let mean = (audio.iter().map(|x| f64::from(*x)).sum::<f64>() / WINDOW as f64) as f32;
        let middle = &self.samples[HOPS * HOP / 2 - WINDOW / 4..HOPS * HOP / 2 + WINDOW / 4];
        let peak = middle.iter().fold(0.0_f32, |peak, x| peak.max((x - mean).abs()));
        for ((to, x), w) in self.time.iter_mut().zip(audio).zip(&self.window) {
            *to = (x - mean) * w;
        }
        self.time[WINDOW..].fill(0.0);
        let energy: f32 = self.time[..WINDOW].iter().map(|x| x * x).sum();
        self.transform();
        let bands = self.bands();
        self.correlate();
        Raw {
            level: decibels(energy / self.window_energy).max(FLOOR_DBFS),
            tilt: bands.tilt,
            band: bands.syllable,
            peak,
            measured: true,
            candidates: candidates(&self.time, &self.correction),
            ..hop.unmeasured()
        }
    }

    /// Time to spectrum. The lengths are the plan's own, so it cannot fail.
    fn transform(&mut self) {
        if self.forward.process_with_scratch(&mut self.time, &mut self.spectrum, &mut self.scratch).is_err() {
            self.spectrum.fill(Complex32::default());
        }
    }

    /// Spectrum to autocorrelation, unscaled.
    fn correlate(&mut self) {
        for bin in &mut self.spectrum {
            *bin = Complex32::new(bin.norm_sqr(), 0.0);
        }
        if self.inverse.process_with_scratch(&mut self.spectrum, &mut self.time, &mut self.scratch).is_err() {
            self.time.fill(0.0);
        }
    }

    fn bands(&self) -> Bands {
        let scale = 2.0 / (FFT as f32 * self.window_energy);
        let power = |from: f32, to: f32| {
            let bins = (from / BIN_HZ).round() as usize..(to / BIN_HZ).round() as usize;
            self.spectrum[bins].iter().map(Complex32::norm_sqr).sum::<f32>() * scale + LEAST_POWER
        };
        let tilt = decibels(power(50.0, 1_000.0) / power(1_000.0, 5_000.0));
        Bands { tilt, syllable: decibels(power(250.0, 3_500.0)) }
    }
}

struct Bands {
    tilt: f32,
    syllable: f32,
}

impl HopFacts {
    fn of(index: u64, pcm: &[i16; HOP], received: bool, loudness: f32) -> Self {
        let sum: i64 = pcm.iter().map(|s| i64::from(*s) * i64::from(*s)).sum();
        let clipped = pcm.iter().filter(|s| s.unsigned_abs() >= CLIPPED).count();
        Self {
            index,
            received,
            loudness,
            mean_square: (sum as f64 / (HOP as f64 * 32_768.0 * 32_768.0)) as f32,
            clipped: u8::try_from(clipped).unwrap_or(u8::MAX),
        }
    }

    /// A frame whose window reaches into audio that was not received.
    fn unmeasured(self) -> Raw {
        Raw {
            index: self.index,
            received: self.received,
            measured: false,
            level: FLOOR_DBFS,
            tilt: 0.0,
            band: FLOOR_DBFS,
            mean_square: self.mean_square,
            loudness: self.loudness,
            clipped: self.clipped,
            peak: 0.0,
            candidates: Candidates::default(),
        }
    }
}

/// 98 % of full scale.
const CLIPPED: u16 = 32_112;

/// Decibels of a power.
pub(crate) fn decibels(power: f32) -> f32 {
    10.0 * power.max(1e-30).log10()
}

/// A Hann window that is symmetric about its middle.
pub(crate) fn hann(length: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / length as f64;
    (0..length).map(|n| (0.5 - 0.5 * ((n as f64 + 0.5) * step).cos()) as f32).collect()
}
