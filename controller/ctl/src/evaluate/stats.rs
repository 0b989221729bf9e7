//! How good judgements are, and how sure that is. Speakers, not recordings, are what a result must hold for: one speaker's
//! recordings resemble each other, so confidence intervals draw whole speakers.

use serde::Serialize;
use std::collections::BTreeMap;

/// One recording's judgement beside its truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Who spoke.
    pub speaker: String,
    /// Whether the emotion is one of high arousal.
    pub high: bool,
    /// The arousal that was found, 0 to 1.
    pub arousal: f64,
    /// How sure it is said to be, 0 to 1.
    pub confidence: f64,
}

impl Judged {
    /// Whether the judgement is right; half is low, since it is "as usual".
    #[must_use]
    pub fn is_right(&self) -> bool {
        (self.arousal > 0.5) == self.high
    }
}

/// A number with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Lower end; absent when there are too few speakers to draw from.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Unweighted average recall of high and low; `None` when one of them is missing.
#[must_use]
pub fn uar(judged: &[&Judged]) -> Option<f64> {
    let recall = |high: bool| {
        let of: Vec<_> = judged.iter().filter(|j| j.high == high).collect();
        share(of.iter().filter(|j| j.is_right()).count(), of.len())
    };
    Some(f64::midpoint(recall(true)?, recall(false)?))
}

/// Area under the ROC curve: how often a high one has more arousal than a low one (ties count half).
#[must_use]
pub fn auc(judged: &[&Judged]) -> Option<f64> {
    let mut sorted: Vec<_> = judged.iter().map(|j| (j.arousal, j.high)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won, mut highs) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let high = count(tied.iter().filter(|(_, high)| *high).count());
        let low = count(tied.len()) - high;
        won += high * (below + low / 2.0);
        below += low;
        highs += high;
    }
    (below > 0.0 && highs > 0.0).then(|| won / (below * highs))
}

/// Expected calibration error over ten bins: how far confidence is from how often it is right.
#[must_use]
pub fn calibration_error(judged: &[&Judged]) -> Option<f64> {
    let mut bins: BTreeMap<u32, Vec<&Judged>> = BTreeMap::new();
    for j in judged {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 9")]
        let bin = (j.confidence.clamp(0.0, 1.0) * 10.0).min(9.0) as u32;
        bins.entry(bin).or_default().push(j);
    }
    let error = |bin: &Vec<&Judged>| {
        let right = count(bin.iter().filter(|j| j.is_right()).count());
        (bin.iter().map(|j| j.confidence).sum::<f64>() - right).abs()
    };
    (!judged.is_empty()).then(|| bins.values().map(error).sum::<f64>() / count(judged.len()))
}

/// What remains when judgements below a confidence are not counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The confidence from which on they count.
    pub confidence: f64,
    /// Share of the recordings that remain.
    pub coverage: f64,
    /// Their unweighted average recall; absent when high or low is missing.
    pub uar: Option<f64>,
}

/// The same at every tenth of confidence.
#[must_use]
pub fn coverage(judged: &[&Judged]) -> Vec<Coverage> {
    let at = |tenth: u32| {
        let confidence = f64::from(tenth) / 10.0;
        let kept: Vec<&Judged> = judged.iter().copied().filter(|j| j.confidence >= confidence).collect();
        Some(Coverage { confidence, coverage: share(kept.len(), judged.len())?, uar: uar(&kept) })
    };
    (0..10).filter_map(at).collect()
}

/// Draws of the bootstrap.
const DRAWS: usize = 2_000;
/// Fewer speakers give no interval that means anything.
const SPEAKERS_LEAST: usize = 3;

/// A statistic with its interval by the bootstrap over speakers (percentiles of `DRAWS` draws).
pub fn estimate(
    judged: &[Judged],
    statistic: fn(&[&Judged]) -> Option<f64>,
    random: &mut fastrand::Rng,
) -> Option<Estimate> {
    estimate_by(judged, |judged| &judged.speaker, statistic, random)
}

/// The same of anything that somebody spoke.
pub fn estimate_by<J>(
    judged: &[J],
    speaker: fn(&J) -> &str,
    statistic: fn(&[&J]) -> Option<f64>,
    random: &mut fastrand::Rng,
) -> Option<Estimate> {
    let value = statistic(&judged.iter().collect::<Vec<_>>())?;
    let mut speakers: BTreeMap<&str, Vec<&J>> = BTreeMap::new();
    for j in judged {
        speakers.entry(speaker(j)).or_default().push(j);
    }
    let speakers: Vec<Vec<&J>> = speakers.into_values().collect();
    if speakers.len() < SPEAKERS_LEAST {
        return Some(Estimate { value, low: None, high: None });
    }
    let mut draw = || {
        let drawn = (0..speakers.len()).flat_map(|_| speakers[random.usize(..speakers.len())].iter().copied());
        statistic(&drawn.collect::<Vec<_>>())
    };
    let mut draws: Vec<f64> = (0..DRAWS).filter_map(|_| draw()).collect();
    draws.sort_by(f64::total_cmp);
    let at = |thousandths: usize| draws.get(draws.len() * thousandths / 1_000).copied();
    Some(Estimate { value, low: at(25), high: at(975) })
}

/// A share of one; `None` of nothing.
#[must_use]
pub fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| count(part) / count(whole))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of recordings")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(speaker: &str, high: bool, arousal: f64, confidence: f64) -> Judged {
        Judged { speaker: speaker.into(), high, arousal, confidence }
    }
    fn all(judged: &[Judged]) -> Vec<&Judged> {
        judged.iter().collect()
    }

    #[test]
    fn recall_is_averaged_over_the_classes_not_over_the_recordings() {
        let mut of: Vec<Judged> = (0..9).map(|_| judged("a", false, 0.2, 1.0)).collect();
        of.push(judged("a", true, 0.2, 1.0));
        assert_eq!(uar(&all(&of)), Some(0.5), "nine of ten are right, and that is worth nothing");
        assert_eq!(uar(&all(&of[..9])), None);
    }

    #[test]
    fn the_area_under_the_curve_counts_pairs_and_ties_half() {
        let of = |arousals: [(f64, bool); 4]| arousals.map(|(arousal, high)| judged("a", high, arousal, 1.0)).to_vec();
        let area = |arousals| auc(&all(&of(arousals)));
        assert_eq!(area([(0.9, true), (0.8, true), (0.2, false), (0.1, false)]), Some(1.0));
        assert_eq!(area([(0.9, false), (0.8, false), (0.2, true), (0.1, true)]), Some(0.0));
        assert_eq!(area([(0.5, false), (0.5, false), (0.5, true), (0.5, true)]), Some(0.5));
        assert_eq!(area([(0.9, true), (0.5, false), (0.4, true), (0.1, false)]), Some(0.75));
        assert_eq!(area([(0.9, true), (0.5, true), (0.4, true), (0.1, true)]), None);
    }

    #[test]
    fn who_is_as_sure_as_right_is_calibrated() {
        let mut of: Vec<Judged> = (0..8).map(|_| judged("a", true, 0.9, 0.8)).collect();
        of.extend([judged("a", true, 0.1, 0.8), judged("a", false, 0.9, 0.8)]);
        assert!(calibration_error(&all(&of)).unwrap() < 1e-9);
        let sure = [judged("a", true, 0.1, 1.0), judged("a", false, 0.9, 1.0)];
        assert_eq!(calibration_error(&all(&sure)), Some(1.0), "sure, and always wrong");
    }

    #[test]
    fn the_interval_is_as_wide_as_the_speakers_differ_however_many_recordings_each_has() {
        // Two speakers who are always judged rightly, two always wrongly.
        let recordings = |n: usize| {
            let of = |(speaker, right): (&str, bool)| {
                let judgement = move |high: bool| judged(speaker, high, if high == right { 0.9 } else { 0.1 }, 1.0);
                (0..n).flat_map(|_| [true, false]).map(judgement).collect::<Vec<_>>()
            };
            [("a", true), ("b", true), ("c", false), ("d", false)].into_iter().flat_map(of).collect::<Vec<_>>()
        };
        let of = |n| estimate(&recordings(n), uar, &mut fastrand::Rng::with_seed(1)).unwrap();
        assert_eq!(of(1), of(500));
        assert_eq!(of(10), Estimate { value: 0.5, low: Some(0.0), high: Some(1.0) });
        let two = &recordings(5)[..20];
        assert_eq!(estimate(two, uar, &mut fastrand::Rng::with_seed(1)).unwrap().low, None);
    }

    #[test]
    fn with_more_confidence_asked_fewer_remain() {
        let of: Vec<Judged> = (0..10).map(|n| judged("a", n % 2 == 0, 0.9, f64::from(n) / 10.0)).collect();
        let coverage = coverage(&all(&of));
        assert_eq!((coverage[0].coverage, coverage[5].coverage), (1.0, 0.5));
    }
}
