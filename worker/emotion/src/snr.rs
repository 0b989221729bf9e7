//! Speech over background noise.

use crate::frame::{FLOOR_DBFS, Frame};

/// Bins of half a decibel from the floor to full scale.
const BINS: usize = 192;
const BIN_DB: f32 = 0.5;
/// Frames of noise after which an old one counts for 1/e: 15 s.
const NOISE_MEMORY: f32 = 1_500.0;
/// The same for speech: 10 s.
const SPEECH_MEMORY: f64 = 1_000.0;
/// Frames after speech that may still hold some of it.
const GUARD: u32 = 15;
/// Frames of each without which nothing is said.
const LEAST: u32 = 50;
/// What is told at most, dB either way.
const MOST_DB: f64 = 90.0;

/// Follows the level of speech, and the median level of what is not.
#[derive(Debug)]
pub(crate) struct SnrMeter {
    noise: [f32; BINS],
    noise_frames: u32,
    speech_power: f64,
    speech_frames: u32,
    since_speech: u32,
}

impl SnrMeter {
    pub(crate) fn new() -> Self {
        Self { noise: [0.0; BINS], noise_frames: 0, speech_power: 0.0, speech_frames: 0, since_speech: 0 }
    }

    pub(crate) fn take(&mut self, frame: &Frame) {
        if !frame.measured {
            self.since_speech = 0;
        } else if frame.speech {
            self.since_speech = 0;
            self.speech_frames = self.speech_frames.saturating_add(1);
            let share = 1.0 / f64::from(self.speech_frames).min(SPEECH_MEMORY);
            self.speech_power += (power(f64::from(frame.level)) - self.speech_power) * share;
        } else {
            self.since_speech = self.since_speech.saturating_add(1);
            if self.since_speech > GUARD {
                self.noise_frames = self.noise_frames.saturating_add(1);
                self.noise.iter_mut().for_each(|bin| *bin *= 1.0 - 1.0 / NOISE_MEMORY);
                let bin = ((frame.level - FLOOR_DBFS) / BIN_DB) as usize;
                self.noise[bin.min(BINS - 1)] += 1.0;
            }
        }
    }

    /// Speech without its noise, over the noise, dB; `None` until half a second of both was heard.
    pub(crate) fn snr_db(&self) -> Option<f64> {
        if self.noise_frames < LEAST || self.speech_frames < LEAST {
            return None;
        }
        let noise = power(self.noise_db());
        let speech = (self.speech_power - noise).max(noise * power(-MOST_DB));
        Some((10.0 * (speech / noise).log10()).clamp(-MOST_DB, MOST_DB))
    }

    fn noise_db(&self) -> f64 {
        let half = self.noise.iter().sum::<f32>() / 2.0;
        let mut below = 0.0;
        for (n, bin) in self.noise.iter().enumerate() {
            if below + bin >= half {
                let inside = if *bin > 0.0 { (half - below) / bin } else { 0.5 };
                return f64::from(FLOOR_DBFS + (n as f32 + inside) * BIN_DB);
            }
            below += bin;
        }
        0.0
    }
}

fn power(db: f64) -> f64 {
    10.0_f64.powf(db / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::voiced;

    #[test]
    fn speech_at_25_and_noise_at_45_below_full_scale_are_20_db_apart() {
        let mut meter = SnrMeter::new();
        for n in 0..1_000_u32 {
            let speech = n % 200 < 100;
            meter.take(&Frame { speech, level: if speech { -25.0 } else { -45.0 }, ..voiced(100.0) });
        }
        let snr = meter.snr_db().unwrap();
        assert!((snr - 20.0).abs() < 0.5, "{snr}");
    }

    #[test]
    fn without_a_pause_the_noise_is_not_known() {
        let mut meter = SnrMeter::new();
        (0..1_000).for_each(|_| meter.take(&voiced(100.0)));
        assert_eq!(meter.snr_db(), None);
    }
}
