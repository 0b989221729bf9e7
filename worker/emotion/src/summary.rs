//! What a stretch of frames amounts to.

use crate::frame::Frame;
use crate::hops::{HOP, HOP_MS};
use crate::syllables::nuclei;

/// Frames before a stretch that are looked at to know whether it begins within a syllable.
pub(crate) const LOOK_BACK: u64 = 10;

/// Facts of a stretch of audio.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Summary {
    /// Measured speech, ms.
    pub(crate) speech_ms: u64,
    /// Share of it that was voiced.
    pub(crate) voiced_share: f64,
    /// Root mean square of its active part, dBFS.
    pub(crate) level: f64,
    /// Median pitch, semitones re 1 Hz.
    pub(crate) pitch: Option<f64>,
    /// 20th to 80th percentile of pitch, semitones.
    pub(crate) range: Option<f64>,
    /// Mean tilt of the voiced part, dB.
    pub(crate) tilt: Option<f64>,
    /// Syllable nuclei per second of articulation.
    pub(crate) rate: Option<f64>,
    /// K-weighted loudness of the speech (EBU R 128, gated by speech), LUFS.
    pub(crate) lufs: Option<f64>,
    /// Share of clipped samples in the speech.
    pub(crate) clipped_share: f64,
}

/// Voiced frames without which a median of pitch says nothing.
const LEAST_VOICED: usize = 8;
/// Voiced frames without which a range says nothing.
const LEAST_FOR_RANGE: usize = 25;
/// Speech so far below the loudest frame is not active: whether the detector counts such an edge must not move the level, dB.
const ACTIVE_DB: f32 = 20.0;
/// Unvoiced frames so far below the loudest are pauses and tails that the detector bridged: they do not slow the speaker down, dB.
const PAUSE_DB: f32 = 30.0;
/// Speech without which a rate says nothing, ms.
const LEAST_FOR_RATE_MS: u64 = 400;

impl Summary {
    /// Of these frames; `before` are the [`LOOK_BACK`] frames before them. The scratch is only lent, so that nothing is allocated.
    pub(crate) fn of<'a>(
        frames: impl Iterator<Item = &'a Frame> + Clone,
        before: impl Iterator<Item = &'a Frame> + Clone,
        scratch: &mut Vec<f32>,
    ) -> Self {
        let speech = frames.clone().filter(|f| f.is_speech());
        let count = speech.clone().count();
        if count == 0 {
            return Self::default();
        }
        let loudest = speech.clone().fold(f32::MIN, |most, f| most.max(f.level));
        let (mut power, mut loudness, mut active) = (0.0_f64, 0.0_f64, 0.0_f64);
        let (mut clipped, mut tilt, mut articulated) = (0_usize, 0.0_f64, 0_u64);
        scratch.clear();
        for frame in speech {
            if frame.level >= loudest - ACTIVE_DB {
                active += 1.0;
                power += power_of(frame.level);
                loudness += power_of(frame.loudness);
            }
            clipped += usize::from(frame.clipped);
            articulated += u64::from(frame.is_voiced() || frame.level >= loudest - PAUSE_DB);
            if frame.is_voiced() {
                tilt += f64::from(frame.tilt);
                scratch.push(12.0 * frame.f0.log2());
            }
        }
        let voiced = scratch.len();
        scratch.sort_unstable_by(f32::total_cmp);
        let at = |share| percentile(scratch, share);
        let speech_ms = count as u64 * HOP_MS;
        let rate = (voiced >= LEAST_VOICED && speech_ms >= LEAST_FOR_RATE_MS)
            .then(|| nuclei(before, frames) as f64 * 1_000.0 / (articulated * HOP_MS) as f64);
        Self {
            speech_ms,
            voiced_share: voiced as f64 / count as f64,
            level: 10.0 * (power / active).log10(),
            pitch: (voiced >= LEAST_VOICED).then(|| at(0.5)),
            range: (voiced >= LEAST_FOR_RANGE).then(|| at(0.8) - at(0.2)),
            tilt: (voiced >= LEAST_VOICED).then(|| tilt / voiced as f64),
            rate,
            lufs: Some(10.0 * (loudness / active).log10()).filter(|lufs| *lufs >= -70.0),
            clipped_share: clipped as f64 / (count * HOP) as f64,
        }
    }
}

/// The power of a level in dB.
fn power_of(level: f32) -> f64 {
    10.0_f64.powf(f64::from(level) / 10.0)
}

/// A percentile of sorted values, between neighbours by their distance.
pub(crate) fn percentile(sorted: &[f32], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let low = f64::from(sorted[below]);
    let high = f64::from(sorted[(below + 1).min(last)]);
    low + (high - low) * (place - below as f64)
}
