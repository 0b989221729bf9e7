//! Words for the numbers, with enough inertia that they do not flap.

use schemas::voice::{Category, RateBasis, RateClass, VolumeLevel};

/// The words of the last reading, which the next one leaves only for a reason.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Labels {
    whisper: bool,
    volume: Option<VolumeLevel>,
    side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Side {
    Above,
    #[default]
    Usual,
    Below,
}

/// Share of voiced speech below which it is a whisper, and above which it is one no more.
const WHISPER: (f64, f64) = (0.10, 0.20);
/// Distance from the usual level that makes it loud or soft, and how much less keeps it so, dB.
const VOLUME_DB: (f64, f64) = (4.0, 1.5);
/// Distance from the usual voice, in scales, that makes it activated or subdued, and that keeps it so. Set from people who read
/// calmly (`docs/emotion.md`); with synthetic voices alone 0.5 looked enough.
const CATEGORY: (f64, f64) = (0.7, 0.56);
/// Words per minute below which the rate is very slow, slow, medium, fast.
const WPM: [f64; 4] = [100.0, 130.0, 160.0, 190.0];
/// The same for the ratio to the usual syllable rate.
const RATIO: [f64; 4] = [0.70, 0.85, 1.15, 1.30];

/// What a category is decided by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deviation {
    /// Scales from the usual voice.
    pub(crate) distance: f64,
    /// How sure arousal is.
    pub(crate) confidence: f64,
    /// Enough speech, far enough out of the noise, and a baseline that is ready.
    pub(crate) reliable: bool,
}

/// Least confidence for a word other than neutral.
const LEAST_CONFIDENCE: f64 = 0.5;

impl Labels {
    /// Whether speech with this share of voice is a whisper. Too little or too noisy speech changes nothing and is none.
    pub(crate) fn whisper(&mut self, voiced_share: f64, clear: bool) -> bool {
        if !clear {
            return false;
        }
        let (enter, leave) = WHISPER;
        self.whisper = voiced_share < if self.whisper { leave } else { enter };
        self.whisper
    }

    /// The word for a level relative to the usual one.
    pub(crate) fn volume(&mut self, relative_db: f64, whisper: bool) -> VolumeLevel {
        let (enter, inertia) = VOLUME_DB;
        let loud_from = if self.volume == Some(VolumeLevel::Loud) { enter - inertia } else { enter };
        let soft_to = if self.volume == Some(VolumeLevel::Soft) { inertia - enter } else { -enter };
        let level = match relative_db {
            _ if whisper => VolumeLevel::Whisper,
            db if db > loud_from => VolumeLevel::Loud,
            db if db < soft_to => VolumeLevel::Soft,
            _ => VolumeLevel::Medium,
        };
        self.volume = Some(level);
        level
    }

    /// The word for the manner of speaking, and how sure it is.
    pub(crate) fn category(&mut self, of: Deviation, whisper: bool) -> (Category, f64) {
        if whisper {
            self.side = Side::Usual;
            return (Category::Whisper, of.confidence.max(LEAST_CONFIDENCE));
        }
        let (enter, leave) = CATEGORY;
        let above = if self.side == Side::Above { leave } else { enter };
        let below = if self.side == Side::Below { -leave } else { -enter };
        self.side = match of.distance {
            _ if !of.reliable || of.confidence < LEAST_CONFIDENCE => Side::Usual,
            z if z > above => Side::Above,
            z if z < below => Side::Below,
            _ => Side::Usual,
        };
        let far = (of.distance.abs() / (2.0 * enter)).min(1.0);
        match self.side {
            Side::Above => (Category::Activated, of.confidence * (0.5 + 0.5 * far)),
            Side::Below => (Category::Subdued, of.confidence * (0.5 + 0.5 * far)),
            Side::Usual => (Category::Neutral, of.confidence * (1.0 - 0.5 * far)),
        }
    }
}

/// The word for a rate: by words when they are known, otherwise relative to the usual syllable rate.
pub(crate) fn rate(wpm: Option<f64>, ratio: Option<f64>) -> Option<(RateClass, RateBasis)> {
    let by_words = wpm.map(|wpm| (class(wpm, WPM), RateBasis::Words));
    by_words.or_else(|| ratio.map(|ratio| (class(ratio, RATIO), RateBasis::Syllables)))
}

fn class(value: f64, [very_slow, slow, medium, fast]: [f64; 4]) -> RateClass {
    match value {
        v if v < very_slow => RateClass::VerySlow,
        v if v < slow => RateClass::Slow,
        v if v < medium => RateClass::Medium,
        v if v < fast => RateClass::Fast,
        _ => RateClass::VeryFast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_on_the_border_does_not_flap() {
        let mut labels = Labels::default();
        let words: Vec<_> = [3.9, 4.1, 3.9, 4.1, 2.6, 2.4].iter().map(|db| labels.volume(*db, false)).collect();
        use VolumeLevel::{Loud, Medium};
        assert_eq!(words, [Medium, Loud, Loud, Loud, Loud, Medium]);
    }

    #[test]
    fn a_whisper_is_told_by_phonation_however_loud() {
        let mut labels = Labels::default();
        assert!(labels.whisper(0.02, true));
        assert_eq!(labels.volume(12.0, true), VolumeLevel::Whisper);
        assert!(labels.whisper(0.15, true), "inertia");
        assert!(!labels.whisper(0.6, true));
        assert!(!labels.whisper(0.02, false), "noise has no phonation either");
    }

    #[test]
    fn without_confidence_everything_is_neutral() {
        let of = Deviation { distance: 2.0, confidence: 0.3, reliable: true };
        assert_eq!(Labels::default().category(of, false).0, Category::Neutral);
        assert_eq!(Labels::default().category(Deviation { confidence: 0.9, ..of }, false).0, Category::Activated);
        let unready = Deviation { confidence: 0.9, reliable: false, ..of };
        assert_eq!(Labels::default().category(unready, false).0, Category::Neutral);
    }

    #[test]
    fn words_decide_the_rate_before_syllables_do() {
        assert_eq!(rate(Some(95.0), Some(1.0)), Some((RateClass::VerySlow, RateBasis::Words)));
        assert_eq!(rate(None, Some(1.2)), Some((RateClass::Fast, RateBasis::Syllables)));
        assert_eq!(rate(None, None), None);
    }
}
