//! How the speaker usually speaks: robust running medians of the seconds, frozen while the speaker is far from them.

use crate::summary::Summary;
use std::collections::VecDeque;

/// Seconds of speech that the medians are taken over.
const KEPT: usize = 240;
/// Speech after which the baseline is ready, ms.
pub(crate) const READY_MS: u64 = 20_000;
/// A second with less speech teaches nothing, ms.
const LEAST_SPEECH_MS: u64 = 400;
/// After so many far seconds in a row it is no outburst: the voice (or the microphone) is another one.
const FAR_AT_MOST: u32 = 120;
/// Distance that freezes, in scales.
pub(crate) const FAR: f64 = 1.0;

/// The features of prosody: level, pitch, range, rate, tilt.
pub(crate) const FEATURES: usize = 5;
pub(crate) const LEVEL: usize = 0;
pub(crate) const PITCH: usize = 1;
pub(crate) const RATE: usize = 3;

/// What speakers have in common, and how many seconds of speech it counts for. Level and pitch have nothing in common: a
/// microphone and a body decide them, so the speaker's own first seconds stand.
const PRIORS: [Option<(f64, f64)>; FEATURES] = [None, None, Some((3.0, 10.0)), Some((4.5, 10.0)), Some((6.0, 5.0))];

/// A value for each feature, where it could be measured.
pub(crate) type Values = [Option<f64>; FEATURES];

/// The features of a stretch of speech.
pub(crate) fn values(of: &Summary) -> Values {
    let level = (of.speech_ms > 0).then_some(of.level);
    [level, of.pitch, of.range, of.rate, of.tilt]
}

/// The speaker's usual voice.
#[derive(Debug)]
pub(crate) struct Baseline {
    seconds: VecDeque<Values>,
    medians: Values,
    heard_ms: u64,
    far_in_a_row: u32,
    scratch: Vec<f64>,
}

impl Baseline {
    pub(crate) fn new() -> Self {
        Self {
            seconds: VecDeque::with_capacity(KEPT),
            medians: PRIORS.map(|prior| prior.map(|(value, _)| value)),
            heard_ms: 0,
            far_in_a_row: 0,
            scratch: Vec::with_capacity(KEPT),
        }
    }

    /// Enough was heard to judge by.
    pub(crate) fn is_ready(&self) -> bool {
        self.heard_ms >= READY_MS
    }

    /// How much was heard, as a share of what is needed, at most 1.
    pub(crate) fn maturity(&self) -> f64 {
        (self.heard_ms as f64 / READY_MS as f64).min(1.0)
    }

    /// The usual value of a feature; `None` before the first.
    pub(crate) fn usual(&self, feature: usize) -> Option<f64> {
        self.medians[feature]
    }

    /// Differences of these values from the usual ones.
    pub(crate) fn differences(&self, values: &Values) -> Values {
        let mut differences = [None; FEATURES];
        for (n, difference) in differences.iter_mut().enumerate() {
            *difference = values[n].zip(self.medians[n]).map(|(value, usual)| value - usual);
        }
        differences
    }

    /// Learns from a second of speech that was this far (in scales) from the baseline.
    pub(crate) fn learn(&mut self, of: &Summary, distance: f64) {
        if of.speech_ms < LEAST_SPEECH_MS || of.pitch.is_none() {
            return;
        }
        let far = self.is_ready() && distance.abs() > FAR;
        self.far_in_a_row = if far { self.far_in_a_row + 1 } else { 0 };
        if far && self.far_in_a_row <= FAR_AT_MOST {
            return;
        }
        self.heard_ms = self.heard_ms.saturating_add(of.speech_ms);
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(values(of));
        for feature in 0..FEATURES {
            self.medians[feature] = self.median(feature);
        }
    }

    fn median(&mut self, feature: usize) -> Option<f64> {
        self.scratch.clear();
        self.scratch.extend(self.seconds.iter().filter_map(|values| values[feature]));
        self.scratch.sort_unstable_by(f64::total_cmp);
        let heard = self.scratch.len();
        let own = match heard {
            0 => None,
            odd if odd % 2 == 1 => Some(self.scratch[odd / 2]),
            even => Some(f64::midpoint(self.scratch[even / 2 - 1], self.scratch[even / 2])),
        };
        let Some((prior, worth)) = PRIORS[feature] else { return own };
        let weight = heard as f64 / (heard as f64 + worth);
        Some(own.map_or(prior, |own| prior + (own - prior) * weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(level: f64) -> Summary {
        Summary { speech_ms: 1_000, level, pitch: Some(84.0), ..Summary::default() }
    }

    fn after(seconds: &[(f64, f64)]) -> Baseline {
        let mut baseline = Baseline::new();
        seconds.iter().for_each(|(level, distance)| baseline.learn(&second(*level), *distance));
        baseline
    }

    #[test]
    fn the_speakers_own_level_stands_from_the_first_second_on() {
        assert_eq!(after(&[(-40.0, 0.0)]).usual(LEVEL), Some(-40.0));
    }

    #[test]
    fn what_speakers_have_in_common_fades_as_they_speak() {
        let mut baseline = Baseline::new();
        let fast = Summary { rate: Some(6.5), ..second(-30.0) };
        baseline.learn(&fast, 0.0);
        assert!(baseline.usual(RATE).unwrap() < 4.8);
        (0..60).for_each(|_| baseline.learn(&fast, 0.0));
        assert!(baseline.usual(RATE).unwrap() > 6.1);
    }

    #[test]
    fn an_outburst_does_not_become_the_usual_voice_but_a_new_microphone_does() {
        let mut baseline = after(&[(-30.0, 0.0); 30]);
        (0..100).for_each(|_| baseline.learn(&second(-15.0), 2.0));
        assert_eq!(baseline.usual(LEVEL), Some(-30.0));
        (0..100).for_each(|_| baseline.learn(&second(-15.0), 2.0));
        assert_eq!(baseline.usual(LEVEL), Some(-15.0));
    }

    #[test]
    fn twenty_seconds_of_speech_make_it_ready() {
        assert!(!after(&[(-30.0, 0.0); 19]).is_ready());
        assert!(after(&[(-30.0, 0.0); 20]).is_ready());
    }
}
