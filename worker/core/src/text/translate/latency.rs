//! How long the service takes lately, and from when on an answer is late.

use std::collections::VecDeque;

/// Answers that are remembered.
const KEPT: usize = 64;
/// So many tell something.
const LEAST: usize = 20;
/// Late before enough is known, ms.
const USUAL_MS: u64 = 700;
/// Late is never sooner or later than this, ms: a hedge costs a second call, and must be answered in time.
const BOUNDS_MS: (u64, u64) = (300, 1_500);

/// The last answers.
#[derive(Debug, Default)]
pub(super) struct Latency {
    took: VecDeque<u64>,
    late_ms: Option<u64>,
}

impl Latency {
    /// An answer took so long.
    pub(super) fn took(&mut self, ms: u64) {
        self.took.push_back(ms);
        if self.took.len() > KEPT {
            self.took.pop_front();
        }
        let mut sorted: Vec<u64> = self.took.iter().copied().collect();
        sorted.sort_unstable();
        let p95 = sorted.get(sorted.len() * 95 / 100).filter(|_| sorted.len() >= LEAST);
        self.late_ms = p95.map(|ms| (*ms).clamp(BOUNDS_MS.0, BOUNDS_MS.1));
    }

    /// After so long without an answer the same is asked once more: the slowest twentieth.
    pub(super) fn hedge_ms(&self) -> u64 {
        self.late_ms.unwrap_or(USUAL_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_what_is_slower_than_nearly_all_within_bounds() {
        let late = |answers: &[u64]| {
            let mut latency = Latency::default();
            answers.iter().for_each(|ms| latency.took(*ms));
            latency.hedge_ms()
        };
        assert_eq!(late(&[100; 5]), 700, "too few to tell");
        assert_eq!(late(&[100; 64]), 300);
        assert_eq!(late(&[9_000; 64]), 1_500);
        assert_eq!(late(&(1..=64).map(|n| n * 10).collect::<Vec<_>>()), 610);
    }
}
