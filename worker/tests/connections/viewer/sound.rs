//! What is said in a test, and how much of it is heard.

use std::path::{Path, PathBuf};

/// The sample of the repository.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/short.wav")
}

/// So many seconds of it, 48 kHz, as a microphone says it; and 16 kHz, as it should be heard.
pub fn speech(seconds: usize) -> (Vec<i16>, Vec<i16>) {
    let mut speech = sessionctl::rehearse::wav::load(&sample()).unwrap();
    speech.truncate(seconds * 48_000);
    let third = |s: &[i16]| ((i32::from(s[0]) + i32::from(s[1]) + i32::from(s[2])) / 3) as i16;
    let heard = speech.chunks_exact(3).map(third).collect();
    (speech, heard)
}

/// Pearson correlation with what was said, which begins within half a second of `near`.
pub fn correlation(said: &[i16], heard: &[i16], near: usize) -> f64 {
    let at = |lag: usize, step: usize| {
        let pairs =
            said.iter().zip(&heard[lag.min(heard.len())..]).step_by(step).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let (xy, xx, yy) = pairs.fold((0.0, 0.0, 1.0), |(xy, xx, yy), (a, b)| (xy + a * b, xx + a * a, yy + b * b));
        xy / f64::sqrt(xx * yy)
    };
    let best = |lags: std::ops::Range<usize>, stride: usize, step: usize| {
        let found = lags.step_by(stride).map(|lag| (lag, at(lag, step))).max_by(|a, b| a.1.total_cmp(&b.1));
        found.unwrap()
    };
    let (coarse, _) = best(near.saturating_sub(8_000)..near + 8_000, 3, 16);
    best(coarse.saturating_sub(8)..coarse + 8, 1, 1).1
}
