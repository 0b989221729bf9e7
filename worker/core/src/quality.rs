//! What listeners of one language get: lag and erasure.

use std::collections::VecDeque;

/// Lags that count for the percentiles.
const WINDOW: usize = 512;

/// Lag over the last captions, erasure over the whole run.
#[derive(Debug, Default)]
pub(crate) struct Quality {
    lags: VecDeque<u64>,
    last: Option<(u64, Vec<String>)>,
    erased: u64,
    final_words: u64,
}

impl Quality {
    /// A caption was posted so long after its last word.
    pub(crate) fn lagged(&mut self, ms: u64) {
        self.lags.push_back(ms);
        if self.lags.len() > WINDOW {
            self.lags.pop_front();
        }
    }

    /// A caption replaces the one before it in its segment: its words from the first difference on were retracted.
    pub(crate) fn shown(&mut self, segment: u64, text: &str, is_final: bool) {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if let Some((of, before)) = &self.last
            && *of == segment
        {
            let kept = before.iter().zip(&words).take_while(|(a, b)| a == b).count();
            self.erased += (before.len() - kept) as u64;
        }
        if is_final {
            self.final_words += words.len() as u64;
        }
        if self.last.as_ref().is_none_or(|(of, _)| *of <= segment) {
            self.last = Some((segment, words));
        }
    }

    /// The lag that so many hundredths of the captions do not exceed, ms.
    pub(crate) fn lag_percentile(&self, hundredths: usize) -> Option<u64> {
        let mut lags: Vec<u64> = self.lags.iter().copied().collect();
        lags.sort_unstable();
        let rank = (lags.len() * hundredths).div_ceil(100).max(1) - 1;
        lags.get(rank).copied()
    }

    /// Words retracted per final word (Arivazhagan et al. 2020); `None` before the first final.
    pub(crate) fn erasure(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of words are small")]
        (self.final_words > 0).then(|| self.erased as f64 / self.final_words as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut quality = Quality::default();
        assert_eq!(quality.lag_percentile(50), None);
        (1..=100).for_each(|ms| quality.lagged(ms));
        assert_eq!((quality.lag_percentile(50), quality.lag_percentile(95)), (Some(50), Some(95)));
    }

    #[test]
    fn erasure_counts_words_taken_back_per_final_word() {
        let mut quality = Quality::default();
        quality.shown(1, "let us", false);
        quality.shown(1, "lettuce pray", false);
        quality.shown(1, "lettuce pray now", true);
        quality.shown(2, "amen", true);
        assert_eq!(quality.erasure(), Some(0.5));
    }
}
