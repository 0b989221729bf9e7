//! How late a service answers: distributions by their quantiles, drawn from one seed.

/// Shares of all answers, and what that many do not exceed, ms; between them it is linear.
#[derive(Debug, Clone, Copy)]
pub struct Quantiles(pub &'static [(f64, u64)]);

impl Quantiles {
    /// What this share does not exceed.
    pub fn at(&self, share: f64) -> u64 {
        let above = self.0.iter().position(|(of, _)| *of >= share).unwrap_or(self.0.len() - 1).max(1);
        let ((from, least), (to, most)) = (self.0[above - 1], self.0[above]);
        least + ((most - least) as f64 * ((share - from) / (to - from)).clamp(0.0, 1.0)) as u64
    }
}

/// Transcribe, as far as it is known. From the end of speech to the final: measured, p50, p95 and p99 (Pipecat's
/// `stt-benchmark`, 1,000 samples). From the audio to a partial: assumed, with the half second at the median for which the product plans.
#[derive(Debug, Clone)]
pub struct Delay {
    rng: fastrand::Rng,
    last_at: u64,
}

pub const FINAL_AFTER_SPEECH: Quantiles =
    Quantiles(&[(0.0, 800), (0.5, 1_136), (0.95, 1_527), (0.99, 1_897), (1.0, 2_100)]);
const PARTIAL_AFTER_AUDIO: Quantiles = Quantiles(&[(0.0, 300), (0.5, 500), (0.95, 800), (0.99, 1_000), (1.0, 1_200)]);

impl Delay {
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), last_at: 0 }
    }

    /// When a partial comes that ends with the audio of now.
    pub fn partial(&mut self, now: u64) -> u64 {
        let delay = PARTIAL_AFTER_AUDIO.at(self.rng.f64());
        self.in_order(now + delay)
    }

    /// When a final comes, of speech that ended so long ago.
    pub fn last(&mut self, now: u64, silence_ms: u64) -> u64 {
        let delay = FINAL_AFTER_SPEECH.at(self.rng.f64());
        self.in_order(now + delay.saturating_sub(silence_ms))
    }

    fn in_order(&mut self, at: u64) -> u64 {
        self.last_at = self.last_at.max(at);
        self.last_at
    }
}
