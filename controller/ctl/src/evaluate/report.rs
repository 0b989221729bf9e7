//! The report: what may be said of the corpus, and with which certainty.

use super::corpus::{Emotion, Gender, Layout, Recording};
use super::listen::{Heard, Setting};
use super::model::{self, Claims, OfModel, Valence};
use super::stats::{self, Coverage, Estimate, Judged};
use serde::Serialize;
use std::collections::BTreeMap;
use worker_emotion::Reading;

/// What others reached on acted speech, for comparison: the mean over six corpora of the best set of prosodic features.
const EGEMAPS: &str = "chance 0.50; eGeMAPS with a trained classifier 0.80 over six acted corpora (Eyben et al. 2016)";

/// The whole report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of this format: 1.
    pub version: u32,
    /// The corpus' layout.
    pub layout: Layout,
    /// The terms of the corpus.
    pub licence: &'static str,
    /// Whether the microphone was taken to level the loudness.
    pub agc: bool,
    /// Noise that was added, dB.
    pub noise_snr: Option<f64>,
    /// How the usual voice was learnt.
    pub baseline: super::listen::Baseline,
    /// Draws the order, the noise and the intervals: the same seed gives the same report.
    pub seed: u64,
    /// Recordings that were evaluated.
    pub recordings: usize,
    /// Their speakers.
    pub speakers: usize,
    /// Recordings without measurable speech.
    pub without_speech: usize,
    /// Files that could not be evaluated, and why.
    pub unread: Vec<String>,
    /// High against low arousal; `None` when the corpus holds only one of them.
    pub arousal: Option<Arousal>,
    /// How often the same words, shown strongly, have more arousal than shown normally (emotions of high arousal).
    pub strong_over_normal: Option<f64>,
    /// Per emotion that was to be shown.
    pub emotions: BTreeMap<Emotion, OfEmotion>,
    /// By a model of your own; absent without: the sound alone does not tell it, so nothing is claimed.
    pub valence: Option<Valence>,
    /// The model; absent without.
    pub model: Option<OfModel>,
    /// Processor time per minute of audio, reading and resampling included, ms; absent where the system does not tell.
    pub cpu_ms_per_audio_minute: Option<f64>,
    /// What to compare with.
    pub reference: &'static str,
}

/// High against low arousal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arousal {
    /// Unweighted average recall, with its interval over speakers.
    pub uar: Estimate,
    /// Area under the ROC curve, the same.
    pub auc: Option<Estimate>,
    /// Expected calibration error of the confidence.
    pub calibration_error: Option<f64>,
    /// What remains at each confidence.
    pub coverage: Vec<Coverage>,
    /// Recall average of each speaker who shows both.
    pub by_speaker: BTreeMap<String, f64>,
    /// Of each gender, where it is known.
    pub by_gender: BTreeMap<Gender, f64>,
}

/// What was found where this emotion was to be shown.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfEmotion {
    /// Recordings.
    pub recordings: usize,
    /// Median arousal.
    pub median_arousal: Option<f64>,
    /// Recordings by the word that was found.
    pub words: BTreeMap<String, usize>,
}

/// Makes the report of what was heard.
#[must_use]
pub fn report(
    layout: Layout,
    setting: &Setting,
    heard: Heard,
    unread: Vec<String>,
    cpu_ms: Option<u64>,
    claims: Option<Claims>,
) -> Report {
    let spoken: Vec<&(Recording, Reading)> = heard.readings.iter().filter(|(_, r)| r.arousal.is_some()).collect();
    let mut speakers: Vec<&str> = heard.readings.iter().map(|(r, _)| r.label.speaker.as_str()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    #[expect(clippy::cast_precision_loss, reason = "minutes of audio")]
    let per_minute = |ms: u64| ms as f64 * 60_000.0 / heard.audio_ms.max(1) as f64;
    Report {
        version: 1,
        layout,
        licence: layout.licence(),
        agc: setting.agc,
        noise_snr: setting.noise_snr,
        baseline: setting.baseline,
        seed: setting.seed,
        recordings: heard.readings.len(),
        speakers: speakers.len(),
        without_speech: heard.readings.len() - spoken.len(),
        arousal: arousal(&spoken, setting.seed),
        strong_over_normal: strong_over_normal(&spoken),
        emotions: emotions(&heard.readings),
        valence: model::valence(&heard.judged, setting.seed),
        model: claims.map(|claims| model::report(claims, &heard.judged, heard.failed.len(), setting.seed)),
        cpu_ms_per_audio_minute: cpu_ms.map(per_minute),
        reference: EGEMAPS,
        unread: unread.into_iter().chain(heard.unread).chain(heard.failed).collect(),
    }
}

fn judged((recording, reading): &(Recording, Reading)) -> Option<Judged> {
    let arousal = reading.arousal?;
    Some(Judged {
        speaker: recording.label.speaker.clone(),
        high: recording.label.emotion.is_high()?,
        arousal: arousal.value,
        confidence: arousal.confidence,
    })
}

fn arousal(spoken: &[&(Recording, Reading)], seed: u64) -> Option<Arousal> {
    let all: Vec<Judged> = spoken.iter().copied().filter_map(judged).collect();
    let refs: Vec<&Judged> = all.iter().collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let group = |keep: &dyn Fn(&Recording) -> bool| {
        let of: Vec<Judged> = spoken.iter().copied().filter(|(r, _)| keep(r)).filter_map(judged).collect();
        stats::uar(&of.iter().collect::<Vec<_>>())
    };
    let names = spoken.iter().map(|(r, _)| r.label.speaker.clone()).collect::<std::collections::BTreeSet<_>>();
    Some(Arousal {
        uar: stats::estimate(&all, stats::uar, &mut random)?,
        auc: stats::estimate(&all, stats::auc, &mut random),
        calibration_error: stats::calibration_error(&refs),
        coverage: stats::coverage(&refs),
        by_speaker: names.into_iter().filter_map(|n| Some((n.clone(), group(&|r| r.label.speaker == n)?))).collect(),
        by_gender: [Gender::Female, Gender::Male]
            .into_iter()
            .filter_map(|g| Some((g, group(&|r| r.label.gender == Some(g))?)))
            .collect(),
    })
}

fn strong_over_normal(spoken: &[&(Recording, Reading)]) -> Option<f64> {
    let mut pairs: BTreeMap<&str, [Option<f64>; 2]> = BTreeMap::new();
    for (recording, reading) in spoken {
        if recording.label.emotion.is_high() == Some(true)
            && let (Some((words, strong)), Some(arousal)) = (&recording.label.pair, reading.arousal)
        {
            pairs.entry(words).or_default()[usize::from(*strong)] = Some(arousal.value);
        }
    }
    let whole: Vec<(f64, f64)> = pairs.into_values().filter_map(|[normal, strong]| Some((normal?, strong?))).collect();
    stats::share(whole.iter().filter(|(normal, strong)| strong > normal).count(), whole.len())
}

fn emotions(readings: &[(Recording, Reading)]) -> BTreeMap<Emotion, OfEmotion> {
    let mut emotions: BTreeMap<Emotion, (Vec<f64>, OfEmotion)> = BTreeMap::new();
    for (recording, reading) in readings {
        let (arousals, of) = emotions.entry(recording.label.emotion).or_default();
        of.recordings += 1;
        arousals.extend(reading.arousal.map(|a| a.value));
        *of.words.entry(crate::voice::word(&reading.category)).or_insert(0) += 1;
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    emotions.into_iter().map(|(e, (all, of))| (e, OfEmotion { median_arousal: median(all), ..of })).collect()
}

/// A number with its interval, for people.
pub(super) fn range(e: &Estimate) -> String {
    match (e.low, e.high) {
        (Some(low), Some(high)) => format!("{:.3} (95 % over speakers: {low:.3} to {high:.3})", e.value),
        (Some(_), None) | (None, Some(_)) | (None, None) => {
            format!("{:.3} (too few speakers for an interval)", e.value)
        }
    }
}

impl Report {
    /// Whether everything could be evaluated, and something can be said of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.arousal.is_some()
    }

    /// The report for people.
    #[must_use]
    pub fn page(&self) -> Vec<String> {
        let mut lines = vec![
            self.licence.to_owned(),
            String::new(),
            format!(
                "{} recordings of {} speakers, {} without speech; baseline {}, noise {}, AGC {}, seed {}",
                self.recordings,
                self.speakers,
                self.without_speech,
                crate::voice::word(&self.baseline),
                self.noise_snr.map_or_else(|| "none".to_owned(), |db| format!("{db} dB")),
                if self.agc { "on" } else { "detected" },
                self.seed
            ),
        ];
        match &self.arousal {
            None => lines.push("Nothing can be said of arousal: one of high and low is missing.".to_owned()),
            Some(arousal) => lines.extend(arousal.page()),
        }
        if let Some(share) = self.strong_over_normal {
            lines.push(format!("Strong over normal, same words: {:.0} %", share * 100.0));
        }
        match &self.valence {
            None => lines.push("Valence: no claim, the sound alone does not tell it.".to_owned()),
            Some(valence) => lines.extend(valence.page()),
        }
        lines.extend(self.model.iter().flat_map(OfModel::page));
        lines.push(String::new());
        for (emotion, of) in &self.emotions {
            let words: Vec<String> = of.words.iter().map(|(word, n)| format!("{word} {n}")).collect();
            let median = of.median_arousal.map_or_else(|| "-".to_owned(), |m| format!("{m:.2}"));
            lines.push(format!(
                "{:<10} {:>5}  arousal {median}  {}",
                crate::voice::word(emotion),
                of.recordings,
                words.join(", ")
            ));
        }
        lines.push(String::new());
        lines.push(format!("To compare: {}", self.reference));
        lines
            .extend(self.cpu_ms_per_audio_minute.map(|ms| format!("{ms:.0} ms of processor time per minute of audio")));
        lines.extend(self.unread.iter().map(|why| format!("! {why}")));
        lines
    }
}

impl Arousal {
    fn page(&self) -> Vec<String> {
        let mut lines = vec![format!("Arousal, high against low: UAR {}", range(&self.uar))];
        lines.extend(self.auc.as_ref().map(|auc| format!("                           AUC {}", range(auc))));
        lines.extend(self.calibration_error.map(|e| format!("Calibration error {e:.3}")));
        let spread = self.by_speaker.values().copied().fold((f64::MAX, f64::MIN), |(l, h), u| (l.min(u), h.max(u)));
        if !self.by_speaker.is_empty() {
            lines.push(format!("Speakers from {:.2} to {:.2}", spread.0, spread.1));
        }
        lines.extend(self.by_gender.iter().map(|(g, u)| format!("{:<7} {u:.2}", crate::voice::word(g))));
        lines.push("Confidence   coverage   UAR".to_owned());
        for c in &self.coverage {
            let uar = c.uar.map_or_else(|| "-".to_owned(), |u| format!("{u:.2}"));
            lines.push(format!("   ≥ {:.1}      {:>5.0} %    {uar}", c.confidence, c.coverage * 100.0));
        }
        lines
    }
}
