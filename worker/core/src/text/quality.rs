//! What listeners of one language get: lag and erasure.

use crate::text::written::units;
use schemas::ids::Language;
use std::collections::{BTreeMap, VecDeque};

/// Lags that count for the percentiles: one per post, so that of five hundred listeners the last eight captions count.
const WINDOW: usize = 4_096;

/// Lag over the last captions, erasure over the whole run.
#[derive(Debug)]
pub(crate) struct Quality {
    lags: VecDeque<u64>,
    /// What was shown last, of each segment that is not final.
    last: BTreeMap<u64, Vec<String>>,
    erased: u64,
    final_words: u64,
    language: Language,
}

impl Quality {
    /// Of this language: where words have no spaces between them, characters count (see [`units`]).
    pub(crate) fn of(language: &Language) -> Self {
        let (lags, last) = (VecDeque::new(), BTreeMap::new());
        Self { lags, last, erased: 0, final_words: 0, language: language.clone() }
    }

    /// A caption was posted so long after its last word.
    pub(crate) fn lagged(&mut self, ms: u64) {
        self.lags.push_back(ms);
        if self.lags.len() > WINDOW {
            self.lags.pop_front();
        }
    }

    /// A caption replaces the one before it in its segment: its words from the first difference on were retracted.
    pub(crate) fn shown(&mut self, segment: u64, text: &str, is_final: bool) {
        let words = units(text, &self.language);
        if let Some(before) = self.last.get(&segment) {
            let kept = before.iter().zip(&words).take_while(|(a, b)| a == b).count();
            self.erased += (before.len() - kept) as u64;
        }
        if is_final {
            self.final_words += words.len() as u64;
            self.last.retain(|of, _| *of > segment);
        } else {
            self.last.insert(segment, words);
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
        let mut quality = Quality::of(&Language::try_new("en").unwrap());
        assert_eq!(quality.lag_percentile(50), None);
        (1..=100).for_each(|ms| quality.lagged(ms));
        assert_eq!((quality.lag_percentile(50), quality.lag_percentile(95)), (Some(50), Some(95)));
    }

    #[test]
    fn erasure_counts_words_taken_back_per_final_word() {
        let mut quality = Quality::of(&Language::try_new("en").unwrap());
        quality.shown(1, "let us", false);
        quality.shown(1, "lettuce pray", false);
        quality.shown(1, "lettuce pray now", true);
        quality.shown(2, "amen", true);
        assert_eq!(quality.erasure(), Some(0.5));
    }

    #[test]
    fn a_final_that_comes_after_the_next_segments_partial_is_compared_with_its_own() {
        let mut quality = Quality::of(&Language::try_new("es").unwrap());
        quality.shown(1, "vamos a orar", false);
        quality.shown(2, "y luego", false);
        quality.shown(1, "oremos juntos ahora", true);
        quality.shown(2, "y luego cantamos", true);
        assert_eq!(quality.erasure(), Some(0.5), "three words of six");
    }

    #[test]
    fn without_spaces_a_text_that_grows_takes_nothing_back() {
        let mut quality = Quality::of(&Language::try_new("zh").unwrap());
        quality.shown(1, "你好", false);
        quality.shown(1, "你好吗。", true);
        assert_eq!(quality.erasure(), Some(0.0));
    }

    #[test]
    fn without_spaces_what_is_taken_back_is_counted_in_characters_that_a_person_sees() {
        let erasure = |language: &str, partial: &str, last: &str| {
            let mut quality = Quality::of(&Language::try_new(language).unwrap());
            quality.shown(1, partial, false);
            quality.shown(1, last, true);
            quality.erasure()
        };
        assert_eq!(erasure("ja", "今日は晴れ", "今日は雨だ。"), Some(2.0 / 6.0));
        assert_eq!(erasure("th", "ที่นี่", "ที่นั่น"), Some(1.0 / 3.0), "a vowel and a tone are of their letter");
        assert_eq!(
            erasure("es", "今日は晴れ", "今日は雨だ。"),
            Some(2.0 / 6.0),
            "the original, for want of a translation"
        );
    }
}
