//! How well pitch agrees with a reference.

use crate::frame::Frame;
use crate::summary::percentile;

/// Agreement of pitch over frames.
#[derive(Debug, Default)]
pub(super) struct PitchScore {
    both: usize,
    gross: usize,
    frames: usize,
    wrong_voicing: usize,
    cents: Vec<f32>,
}

impl PitchScore {
    /// Adds a recording; 0 is unvoiced on both sides.
    pub(super) fn add(&mut self, frames: &[Frame], truth: &[f64]) {
        for (frame, truth) in frames.iter().zip(truth) {
            self.frames += 1;
            self.wrong_voicing += usize::from((frame.f0 > 0.0) != (*truth > 0.0));
            if frame.f0 > 0.0 && *truth > 0.0 {
                self.both += 1;
                let ratio = f64::from(frame.f0) / truth;
                if (ratio - 1.0).abs() > 0.2 {
                    self.gross += 1;
                } else {
                    self.cents.push((1_200.0 * ratio.log2()).abs() as f32);
                }
            }
        }
    }

    /// Gross errors (more than 20 %), %.
    pub(super) fn gross(&self) -> f64 {
        100.0 * self.gross as f64 / self.both as f64
    }
    /// Wrong decisions whether a frame is voiced, %.
    pub(super) fn voicing(&self) -> f64 {
        100.0 * self.wrong_voicing as f64 / self.frames as f64
    }
    /// A percentile of the fine error, cents.
    pub(super) fn cents(&mut self, share: f64) -> f64 {
        self.cents.sort_unstable_by(f32::total_cmp);
        percentile(&self.cents, share)
    }
    /// Prints what was reached and holds it to the bars: gross %, median and 95th percentile in cents, voicing %.
    pub(super) fn hold(&mut self, name: &str, [gross, median, p95, voicing]: [f64; 4]) {
        let reached = [self.gross(), self.cents(0.5), self.cents(0.95), self.voicing()];
        let [g, m, p, v] = reached;
        println!("{name}: gross {g:.3} %, median {m:.2} c, p95 {p:.1} c, voicing {v:.2} %, {} frames", self.frames);
        assert!(self.both > 1_000, "too little to judge by");
        assert!(g <= gross && m <= median && p <= p95 && v <= voicing, "{name}: {reached:?}");
    }
}
