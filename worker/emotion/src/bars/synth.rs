//! A voice of known pitch: glottal pulses through formants, with fricatives and pauses between.

use super::noise::Chance;

/// The voice is made at four times the rate, so that a pulse lies between samples.
const OVER: usize = 4;
const FINE_RATE: f64 = 16_000.0 * OVER as f64;
/// Formants (Hz, bandwidth Hz) of five vowels.
const VOWELS: [[f64; 4]; 5] = [
    [730.0, 1_090.0, 2_440.0, 3_400.0],
    [530.0, 1_840.0, 2_480.0, 3_500.0],
    [270.0, 2_290.0, 3_010.0, 3_600.0],
    [570.0, 840.0, 2_410.0, 3_400.0],
    [300.0, 870.0, 2_240.0, 3_300.0],
];
const WIDTHS: [f64; 4] = [70.0, 90.0, 120.0, 160.0];

/// How the voice speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Pitch at the begin of each phrase, Hz.
    pub(super) hz: f64,
    /// Octaves that the pitch glides in the first two phrases.
    pub(super) glide: f64,
    /// Syllables per second.
    pub(super) rate: f64,
    /// Root mean square, pauses included, share of full scale.
    pub(super) strength: f64,
    /// Share of the higher harmonics: 0 dull to 1 sharp.
    pub(super) sharpness: f64,
    /// Semitones by which each syllable departs from the glide, to and fro.
    pub(super) lively: f64,
    /// How far the formants move towards the next vowel within a syllable: 0 not, 1 all the way. Moving formants turn the
    /// phases of the harmonics, so what can be heard is not the rate of the glottis to the cent.
    pub(super) moving: f64,
    /// Excited by breath instead of pulses.
    pub(super) whisper: bool,
    pub(super) seed: u64,
}

impl Default for Manner {
    fn default() -> Self {
        let (hz, rate, strength, sharpness, lively) = (120.0, 4.5, 0.05, 0.4, 1.0);
        Self { hz, glide: 0.0, rate, strength, sharpness, lively, moving: 1.0, whisper: false, seed: 1 }
    }
}

/// What was said.
pub(super) struct Spoken {
    pub(super) pcm: Vec<f64>,
    /// True pitch in the middle of each 10 ms, 0 without voice.
    pub(super) f0: Vec<f64>,
}

/// Speaks for about so many seconds: phrases of six syllables with pauses of 300 ms.
pub(super) fn speak(seconds: f64, manner: Manner) -> Spoken {
    let mut voice = Voice::new(manner);
    voice.pause(0.4);
    let mut phrase = 0;
    while (voice.fine.len() as f64) < seconds * FINE_RATE {
        voice.phrase_stress = voice.chance.even();
        for syllable in 0..6 {
            voice.syllable(phrase, syllable);
        }
        voice.pause(0.3);
        phrase += 1;
    }
    voice.finish()
}

struct Voice {
    manner: Manner,
    chance: Chance,
    /// Excitation and formants.
    fine: Vec<(f64, [f64; 4])>,
    hiss: Vec<f64>,
    pitch: Vec<f64>,
    phase: f64,
    phrase_stress: f64,
}

impl Voice {
    fn new(manner: Manner) -> Self {
        let chance = Chance(manner.seed);
        Self { manner, chance, fine: Vec::new(), hiss: Vec::new(), pitch: Vec::new(), phase: 0.0, phrase_stress: 0.0 }
    }

    fn pause(&mut self, seconds: f64) {
        self.silent((seconds * FINE_RATE) as usize);
    }
    fn silent(&mut self, samples: usize) {
        for _ in 0..samples {
            self.push(0.0, VOWELS[0], 0.0, 0.0);
        }
    }
    fn push(&mut self, excitation: f64, formants: [f64; 4], hiss: f64, pitch: f64) {
        self.fine.push((excitation, formants));
        self.hiss.push(hiss);
        self.pitch.push(pitch);
    }

    /// A vowel with swell and fall; every third begins with a fricative.
    fn syllable(&mut self, phrase: usize, n: usize) {
        let length = (FINE_RATE / self.manner.rate) as usize;
        let fricative = if n.is_multiple_of(3) { length / 3 } else { 0 };
        for at in 0..fricative {
            let swell = (std::f64::consts::PI * at as f64 / fricative as f64).sin();
            let hiss = self.chance.even() * swell * 0.05;
            self.push(0.0, VOWELS[n % 5], hiss, 0.0);
        }
        let vowel = length - fricative;
        let (from, to) = (VOWELS[(phrase + n) % 5], VOWELS[(phrase + n + 1) % 5]);
        // Nobody stresses all syllables alike.
        let stress = 10.0_f64.powf(0.2 * self.chance.even() + 0.1 * self.phrase_stress);
        let step = self.manner.lively * if n.is_multiple_of(2) { 0.5 } else { -0.5 };
        for at in 0..vowel {
            let share = at as f64 / vowel as f64;
            let along = ((phrase * 6 + n) as f64 + share).min(12.0) / 12.0;
            // The steps swell and fall with the syllable, so that pitch has no jumps.
            let bend = step / 12.0 * (std::f64::consts::PI * share).sin().powi(2);
            let hz = self.manner.hz * (self.manner.glide * along + bend).exp2();
            let swell = stress * (0.06 + 0.94 * (std::f64::consts::PI * share).sin().powi(2));
            let formants = std::array::from_fn(|f| from[f] + (to[f] - from[f]) * share * self.manner.moving);
            let excitation = if self.manner.whisper { self.chance.even() * 0.1 } else { self.pulse(hz) };
            self.push(excitation * swell, formants, 0.0, if self.manner.whisper { 0.0 } else { hz });
        }
    }

    /// The derivative of Rosenberg's glottal flow: slow opening, quick closing; quicker when sharp.
    fn pulse(&mut self, hz: f64) -> f64 {
        self.phase = (self.phase + hz / FINE_RATE).fract();
        let open = 0.4;
        let closing = 0.25 - 0.19 * self.manner.sharpness;
        let phase = self.phase;
        if phase < open {
            0.5 * std::f64::consts::PI / open * (std::f64::consts::PI * phase / open).sin() * closing
        } else if phase < open + closing {
            -(0.5 * std::f64::consts::PI * (phase - open) / closing).sin()
        } else {
            0.0
        }
    }

    fn finish(self) -> Spoken {
        let mut fine = resonate(&self.fine, WIDTHS.map(|width| if self.manner.whisper { 5.0 * width } else { width }));
        fine.iter_mut().zip(&self.hiss).for_each(|(x, hiss)| *x += hiss);
        let mut pcm = thin(&fine);
        let strength = super::noise::rms(&pcm);
        pcm.iter_mut().for_each(|x| *x *= self.manner.strength / strength);
        let middles = (0..pcm.len() / 160).map(|k| (k * 160 + 80) * OVER);
        Spoken { f0: middles.map(|at| self.pitch[at]).collect(), pcm }
    }
}

/// Four resonators, one after the other. (The open glottis of a whisper damps them.)
fn resonate(excitation: &[(f64, [f64; 4])], widths: [f64; 4]) -> Vec<f64> {
    let mut state = [[0.0_f64; 2]; 4];
    let mut out = Vec::with_capacity(excitation.len());
    for (excitation, formants) in excitation {
        let mut x = *excitation;
        for ((state, hz), width) in state.iter_mut().zip(formants).zip(widths) {
            let radius = (-std::f64::consts::PI * width / FINE_RATE).exp();
            let b = 2.0 * radius * (std::f64::consts::TAU * hz / FINE_RATE).cos();
            let c = -radius * radius;
            let y = (1.0 - b - c) * x + b * state[0] + c * state[1];
            *state = [y, state[0]];
            x = y;
        }
        out.push(x);
    }
    out
}

/// Every fourth sample of the audio below 7.2 kHz.
fn thin(fine: &[f64]) -> Vec<f64> {
    const HALF: isize = 32;
    let cutoff = 7_200.0 / FINE_RATE;
    let tap = |n: isize| {
        let x = std::f64::consts::TAU * cutoff * n as f64;
        let sinc = if n == 0 { 2.0 * cutoff } else { x.sin() / (std::f64::consts::PI * n as f64) };
        sinc * (0.5 + 0.5 * (std::f64::consts::PI * n as f64 / (HALF + 1) as f64).cos())
    };
    let taps: Vec<f64> = (-HALF..=HALF).map(tap).collect();
    (0..fine.len() / OVER)
        .map(|n| {
            let begin = (n * OVER) as isize - HALF;
            let at =
                |k: usize| usize::try_from(begin + k as isize).ok().and_then(|n| fine.get(n)).copied().unwrap_or(0.0);
            taps.iter().enumerate().map(|(k, tap)| tap * at(k)).sum()
        })
        .collect()
}
