//! The index of arousal: how far the voice is from its usual self, and how sure that is.

use crate::baseline::{Baseline, FEATURES, LEVEL, Values, values};
use crate::summary::Summary;
use schemas::voice::Judgement;

/// What each feature counts: level, pitch, range, rate, tilt.
const WEIGHTS: [f64; FEATURES] = [0.30, 0.30, 0.10, 0.15, 0.15];
/// One scale of each: dB, semitones, semitones, syllables per second, dB. A sharper voice has less tilt.
const SCALES: [f64; FEATURES] = [4.0, 2.5, 2.0, 0.8, -4.0];
/// No feature counts for more scales than this.
const CLIP: f64 = 2.5;
/// Steepness from scales to the value between 0 and 1.
const STEEPNESS: f64 = 1.7;
/// The most that can be sure before the baseline is ready.
const WARMING_AT_MOST: f64 = 0.4;
/// Speech that is enough for a full judgement, ms.
const ENOUGH_MS: f64 = 700.0;
/// Signal-to-noise ratios where the judgement is worth nothing, and all, dB.
const SNR_RANGE_DB: (f64, f64) = (0.0, 12.0);

/// What a judgement depends on beside the speech itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) agc: bool,
    pub(crate) snr_db: Option<f64>,
}

/// Distance from the usual voice in scales: positive is activated.
pub(crate) fn distance(of: &Summary, baseline: &Baseline, agc: bool) -> f64 {
    distance_of(&baseline.differences(&values(of)), agc)
}

fn distance_of(differences: &Values, agc: bool) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for n in 0..FEATURES {
        if agc && n == LEVEL {
            continue;
        }
        // A feature that could not be measured counts as usual: otherwise the few that are left would be overrated.
        weights += WEIGHTS[n];
        sum += differences[n].map_or(0.0, |d| WEIGHTS[n] * (d / SCALES[n]).clamp(-CLIP, CLIP));
    }
    sum / weights
}

/// The index for a distance.
pub(crate) fn arousal(of: &Summary, distance: f64, baseline: &Baseline, now: Circumstances) -> Judgement {
    Judgement { value: 1.0 / (1.0 + (-STEEPNESS * distance).exp()), confidence: confidence(of, baseline, now) }
}

fn confidence(of: &Summary, baseline: &Baseline, now: Circumstances) -> f64 {
    let amount = (of.speech_ms as f64 / ENOUGH_MS).min(1.0);
    let measured = values(of).iter().flatten().count() as f64 / FEATURES as f64;
    let (worst, best) = SNR_RANGE_DB;
    let clear = now.snr_db.map_or(0.8, |snr| ((snr - worst) / (best - worst)).clamp(0.0, 1.0));
    let level = if now.agc { 0.85 } else { 1.0 };
    let clean = if of.clipped_share > 0.01 { 0.8 } else { 1.0 };
    let confidence = amount * (0.4 + 0.6 * measured) * clear * level * clean;
    if baseline.is_ready() { confidence } else { confidence * WARMING_AT_MOST * baseline.maturity() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Circumstances = Circumstances { agc: false, snr_db: Some(30.0) };

    fn usual() -> Summary {
        Summary {
            speech_ms: 1_000,
            voiced_share: 0.6,
            level: -25.0,
            pitch: Some(84.0),
            range: Some(3.0),
            tilt: Some(6.0),
            rate: Some(4.5),
            lufs: None,
            clipped_share: 0.0,
        }
    }

    fn ready() -> Baseline {
        let mut baseline = Baseline::new();
        (0..30).for_each(|_| baseline.learn(&usual(), 0.0));
        baseline
    }

    #[test]
    fn the_usual_voice_is_in_the_middle_and_louder_and_higher_is_above() {
        let baseline = ready();
        let of = |s: &Summary| arousal(s, distance(s, &baseline, false), &baseline, NOW).value;
        assert!((of(&usual()) - 0.5).abs() < 1e-9);
        assert!(of(&Summary { level: -21.0, pitch: Some(86.0), ..usual() }) > 0.65);
        assert!(of(&Summary { level: -29.0, tilt: Some(10.0), ..usual() }) < 0.35);
    }

    #[test]
    fn under_gain_control_level_counts_for_nothing() {
        let baseline = ready();
        assert!(distance(&Summary { level: -5.0, ..usual() }, &baseline, true).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_sure_before_the_baseline_is_ready_nor_in_noise() {
        assert!(confidence(&usual(), &ready(), NOW) > 0.95);
        assert!(confidence(&usual(), &Baseline::new(), NOW) < 0.4);
        assert!(confidence(&usual(), &ready(), Circumstances { snr_db: Some(3.0), ..NOW }) < 0.3);
    }

    #[test]
    fn a_feature_that_could_not_be_measured_counts_as_usual() {
        let baseline = ready();
        let only_level = Summary { level: -21.0, pitch: None, range: None, tilt: None, rate: None, ..usual() };
        assert!((distance(&only_level, &baseline, false) - 0.3).abs() < 1e-9);
    }
}
