//! Made-up sounds, the same each time, and real speech at any level: what a microphone hears in a hall.

use std::f64::consts::TAU;
use std::sync::OnceLock;

const RATE: usize = 16_000;
/// A sound is made for so long, and then heard again and again, s.
const LOOP_S: usize = 64;

/// A sound in which nobody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// A fan, a street far away.
    Pink,
    /// Mains at 50 Hz with its harmonics, over a little hiss.
    Hum,
    /// Chords, a bass and a melody, struck and dying away.
    Music,
    /// Hundreds of hands, that swell and fall.
    Applause,
}

impl Sound {
    #[allow(dead_code, reason = "of the bench")]
    pub const ALL: [Self; 4] = [Self::Pink, Self::Hum, Self::Music, Self::Applause];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pink => "pink noise",
            Self::Hum => "hum",
            Self::Music => "music",
            Self::Applause => "applause",
        }
    }

    /// So many seconds at this level (RMS), dBFS.
    pub fn at(self, seconds: usize, dbfs: f64) -> Vec<f64> {
        static MADE: [OnceLock<Vec<f64>>; 4] = [const { OnceLock::new() }; 4];
        let (n, make): (usize, fn() -> Vec<f64>) = match self {
            Self::Pink => (0, pink),
            Self::Hum => (1, hum),
            Self::Music => (2, music),
            Self::Applause => (3, applause),
        };
        let once = MADE[n].get_or_init(make);
        let gain = gain(once, dbfs);
        once.iter().cycle().take(seconds * RATE).map(|x| x * gain).collect()
    }
}

/// What brings this to that level.
pub fn gain(of: &[f64], dbfs: f64) -> f64 {
    let rms = (of.iter().map(|x| x * x).sum::<f64>() / of.len() as f64).sqrt();
    10.0_f64.powf(dbfs / 20.0) / rms
}

/// Samples from numbers around ±1.
pub fn to_pcm(of: &[f64]) -> Vec<i16> {
    of.iter().map(|x| (x * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Evenly from −1 to 1 (splitmix64).
struct Chance(u64);

impl Chance {
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// White noise through poles an octave and a half apart: 3 dB less per octave.
fn pink() -> Vec<f64> {
    const POLES: [(f64, f64); 4] = [(0.9985, 0.06), (0.987, 0.18), (0.9, 0.45), (0.35, 0.9)];
    let (mut chance, mut state) = (Chance(1), [0.0; 4]);
    (0..LOOP_S * RATE)
        .map(|_| {
            let white = chance.even();
            for (state, (pole, gain)) in state.iter_mut().zip(POLES) {
                *state = pole * *state + white * gain * (1.0 - pole).sqrt();
            }
            state.iter().sum()
        })
        .collect()
}

fn hum() -> Vec<f64> {
    const HARMONICS: [(f64, f64); 8] =
        [(1.0, 1.0), (2.0, 0.7), (3.0, 0.5), (4.0, 0.3), (5.0, 0.35), (7.0, 0.2), (9.0, 0.12), (11.0, 0.1)];
    let mut chance = Chance(2);
    (0..LOOP_S * RATE)
        .map(|n| {
            let t = n as f64 / RATE as f64;
            let hum: f64 = HARMONICS.iter().map(|(k, a)| a * (TAU * 50.0 * k * t + k * k).sin()).sum();
            hum + chance.even() * 0.02
        })
        .collect()
}

/// Sixteen bars of four beats at 60 a minute, in A minor.
fn music() -> Vec<f64> {
    const CHORDS: [[i32; 3]; 4] = [[0, 3, 7], [-4, 0, 3], [-9, -5, -2], [-2, 2, 5]];
    const MELODY: [i32; 16] = [12, 15, 19, 15, 12, 8, 15, 20, 19, 10, 15, 12, 14, 10, 17, 14];
    let mut out = vec![0.0; LOOP_S * RATE];
    let mut strike = |at: f64, semitones: i32, length: f64, strength: f64, overtones: i32, vibrato: f64| {
        let hz = 220.0 * 2.0_f64.powf(f64::from(semitones) / 12.0);
        let begin = (at * RATE as f64) as usize;
        for n in 0..(length * RATE as f64) as usize {
            let t = n as f64 / RATE as f64;
            let swell = (t / 0.02).min(1.0) * (-2.5 * t / length).exp() * ((length - t) / 0.03).min(1.0);
            let phase = TAU * hz * t + vibrato * (TAU * 5.5 * t).sin();
            let tone: f64 = (1..=overtones).map(|k| (phase * f64::from(k)).sin() / f64::from(k).powf(1.4)).sum();
            if let Some(sample) = out.get_mut(begin + n) {
                *sample += tone * swell * strength;
            }
        }
    };
    for bar in 0..LOOP_S / 4 {
        let (chord, begin) = (CHORDS[bar % 4], (bar * 4) as f64);
        for note in chord {
            strike(begin, note, 3.8, 0.5, 6, 0.0);
            strike(begin + 2.0, note, 1.9, 0.35, 6, 0.0);
        }
        (0..4).for_each(|beat| strike(begin + f64::from(beat), chord[0] - 12, 0.9, 0.8, 5, 0.0));
        for (n, beat) in [0.0, 1.0, 1.5, 2.0, 3.0, 3.5].into_iter().enumerate() {
            strike(begin + beat, MELODY[(bar * 5 + n * 3) % 16], 0.95, 0.7, 8, 0.25);
        }
    }
    out
}

/// Claps of a few milliseconds, some two hundred a second, each through a resonance of its own hands.
fn applause() -> Vec<f64> {
    let mut chance = Chance(4);
    let mut out = vec![0.0; LOOP_S * RATE];
    for n in 0..LOOP_S * 200 {
        let at = ((n as f64 / 200.0 + chance.even() * 0.05).max(0.0) * RATE as f64) as usize;
        let (hz, strength) = (1_200.0 + 700.0 * chance.even(), 0.3 + 0.7 * chance.even().abs());
        let swell = 1.0 + 0.4 * (TAU * n as f64 / 200.0 / 8.0).sin();
        for k in 0..160 {
            let t = k as f64 / RATE as f64;
            let clap = (0.6 * chance.even() + 0.4 * (TAU * hz * t).sin()) * (-t / 0.002).exp();
            if let Some(sample) = out.get_mut(at + k) {
                *sample += clap * strength * swell;
            }
        }
    }
    out
}
