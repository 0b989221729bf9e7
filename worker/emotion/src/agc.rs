//! Suspects automatic gain control: it evens out the level of speech, which nobody does by mouth for half a minute.

use std::collections::VecDeque;

/// Seconds of speech that are judged.
const KEPT: usize = 40;
/// Seconds without which nothing is suspected.
const LEAST: usize = 30;
/// Spread of the seconds' levels (20th to 80th percentile) below which it is suspected, and above which no longer, dB.
/// People who read calmly spread by 1.2 dB at least, so a higher limit would accuse them, though it would find more of the guilty.
const SPREAD_DB: (f32, f32) = (1.0, 1.6);
/// A second with less speech says nothing, ms.
const LEAST_SPEECH_MS: u64 = 600;

/// The levels of the last seconds of speech.
#[derive(Debug)]
pub(crate) struct AgcWatch {
    levels: VecDeque<f32>,
    scratch: Vec<f32>,
    suspected: bool,
}

impl AgcWatch {
    pub(crate) fn new() -> Self {
        Self { levels: VecDeque::with_capacity(KEPT), scratch: Vec::with_capacity(KEPT), suspected: false }
    }

    pub(crate) fn is_suspected(&self) -> bool {
        self.suspected
    }

    /// Takes the level of a second of speech.
    pub(crate) fn take(&mut self, level: f64, speech_ms: u64) {
        if speech_ms < LEAST_SPEECH_MS {
            return;
        }
        if self.levels.len() == KEPT {
            self.levels.pop_front();
        }
        self.levels.push_back(level as f32);
        if self.levels.len() < LEAST {
            return;
        }
        self.scratch.clear();
        self.scratch.extend(&self.levels);
        self.scratch.sort_unstable_by(f32::total_cmp);
        let last = self.scratch.len() - 1;
        let spread = self.scratch[last * 4 / 5] - self.scratch[last / 5];
        let (enter, leave) = SPREAD_DB;
        self.suspected = spread < if self.suspected { leave } else { enter };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspected(spread: f64) -> bool {
        let mut watch = AgcWatch::new();
        (0..40).for_each(|n| watch.take(-25.0 + spread * (f64::from(n * 7 % 10) / 9.0 - 0.5), 900));
        watch.is_suspected()
    }

    #[test]
    fn a_level_that_never_moves_is_suspected_and_an_ordinary_one_is_not() {
        assert!(suspected(1.0));
        assert!(!suspected(5.0));
    }
}
