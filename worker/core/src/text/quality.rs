//! What listeners of one language get: lag and erasure.

use crate::text::written::units;
use schemas::ids::Language;
use schemas::session::CaptionMode;
use std::collections::{BTreeMap, VecDeque};

/// Lags that count for the percentiles: one per post, so that of five hundred listeners the last eight captions count.
const WINDOW: usize = 4_096;

/// Lag over the last captions, erasure over the whole run.
#[derive(Debug)]
pub(crate) struct Quality {
    lags: VecDeque<u64>,
    /// What was shown last, of each segment that is not final, to those who chose a mode.
    last: BTreeMap<(u64, CaptionMode), Vec<String>>,
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

    /// A caption replaces the one before it in its segment: its words from the first difference on were retracted. A final, which has no
    /// mode, does so for all; where several modes are in use, the mean counts.
    pub(crate) fn shown(&mut self, segment: u64, mode: Option<CaptionMode>, text: &str) {
        let words = units(text, &self.language);
        let Some(mode) = mode else {
            let befores: Vec<_> = self.last.iter().filter(|((of, _), _)| *of == segment).collect();
            self.final_words += (words.len() * befores.len().max(1)) as u64;
            self.erased += befores.iter().map(|(_, before)| retracted(before, &words)).sum::<u64>();
            self.last.retain(|(of, _), _| *of != segment);
            return;
        };
        if let Some(before) = self.last.get(&(segment, mode)) {
            self.erased += retracted(before, &words);
        }
        self.last.insert((segment, mode), words);
    }

    /// An original gave way to its translation.
    pub(crate) fn revised(&mut self, original: &str, text: &str) {
        let (before, words) = (units(original, &self.language), units(text, &self.language));
        self.erased += retracted(&before, &words);
        self.final_words = self.final_words.saturating_sub(before.len() as u64) + words.len() as u64;
    }

    /// The lag that so many hundredths of the captions do not exceed, ms.
    pub(crate) fn lag_percentile(&self, hundredths: usize) -> Option<u64> {
        let mut lags: Vec<u64> = self.lags.iter().copied().collect();
        let rank = (lags.len() * hundredths).div_ceil(100).max(1) - 1;
        // Every heartbeat asks, for every language: a sort would be most of what a quiet session costs.
        (rank < lags.len()).then(|| *lags.select_nth_unstable(rank).1)
    }

    /// Words retracted per final word (Arivazhagan et al. 2020); `None` before the first final.
    pub(crate) fn erasure(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of words are small")]
        (self.final_words > 0).then(|| self.erased as f64 / self.final_words as f64)
    }
}

/// How many words stand no more.
fn retracted(before: &[String], now: &[String]) -> u64 {
    let kept = before.iter().zip(now).take_while(|(a, b)| a == b).count();
    (before.len() - kept) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Option<CaptionMode> = Some(CaptionMode::Usual);

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
        quality.shown(1, USUAL, "let us");
        quality.shown(1, USUAL, "lettuce pray");
        quality.shown(1, None, "lettuce pray now");
        quality.shown(2, None, "amen");
        assert_eq!(quality.erasure(), Some(0.5));
    }

    #[test]
    fn a_final_that_comes_after_the_next_segments_partial_is_compared_with_its_own() {
        let mut quality = Quality::of(&Language::try_new("es").unwrap());
        quality.shown(1, USUAL, "vamos a orar");
        quality.shown(2, USUAL, "y luego");
        quality.shown(1, None, "oremos juntos ahora");
        quality.shown(2, None, "y luego cantamos");
        assert_eq!(quality.erasure(), Some(0.5), "three words of six");
    }

    #[test]
    fn without_spaces_a_text_that_grows_takes_nothing_back() {
        let mut quality = Quality::of(&Language::try_new("zh").unwrap());
        quality.shown(1, USUAL, "你好");
        quality.shown(1, None, "你好吗。");
        assert_eq!(quality.erasure(), Some(0.0));
    }

    #[test]
    fn an_original_that_gives_way_to_its_translation_is_taken_back() {
        let mut quality = Quality::of(&Language::try_new("es").unwrap());
        quality.shown(1, None, "let us pray");
        quality.revised("let us pray", "oremos juntos");
        assert_eq!(quality.erasure(), Some(1.5), "three words for two that stay");
    }

    #[test]
    fn what_one_mode_takes_back_is_not_charged_to_another() {
        let mut quality = Quality::of(&Language::try_new("es").unwrap());
        quality.shown(1, Some(CaptionMode::Fast), "vamos a orar");
        quality.shown(1, Some(CaptionMode::Stable), "oremos");
        quality.shown(1, None, "oremos juntos");
        assert_eq!(quality.erasure(), Some(0.75), "three words of two modes with two each");
    }

    #[test]
    fn without_spaces_what_is_taken_back_is_counted_in_characters_that_a_person_sees() {
        let erasure = |language: &str, partial: &str, last: &str| {
            let mut quality = Quality::of(&Language::try_new(language).unwrap());
            quality.shown(1, USUAL, partial);
            quality.shown(1, None, last);
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
