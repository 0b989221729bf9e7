//! What a model of your own is worth: how it tells pleasant from unpleasant, and its words.

use super::corpus::{Emotion, Recording};
use super::report::range;
use super::stats::{self, Estimate, Judged};
use schemas::voice::Category;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use worker_emotion::Affect;
use worker_model::Model;

/// What stands in the place of a word that was not likely enough to be told.
const UNTOLD: &str = "none";

/// The model, and what it claims to know.
#[derive(Debug, Clone)]
pub struct Claims {
    file: String,
    licence: String,
    words: Vec<Category>,
}

impl Claims {
    /// Of this model.
    #[must_use]
    pub fn of(model: &Model, file: &Path) -> Self {
        Self { file: file.display().to_string(), licence: model.licence().to_owned(), words: model.words() }
    }
}

/// The part of the report that is about the model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfModel {
    /// Its file.
    pub file: String,
    /// What its description says of its licence.
    pub licence: String,
    /// Recordings that it has judged; it is not asked about what is too short or too noisy.
    pub judged: usize,
    /// Recordings at which it failed.
    pub failed: usize,
    /// Its words, over the recordings whose emotion it claims to know; absent when there are none.
    pub words: Option<Words>,
}

/// Pleasant (happy, calm) against unpleasant (sad, angry, fearful, disgusted, bored).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Valence {
    /// Unweighted average recall, with its interval over speakers.
    pub uar: Estimate,
    /// Area under the ROC curve, the same.
    pub auc: Option<Estimate>,
}

/// Which words were told for which emotion.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Words {
    /// Mean over the emotions of the share of recordings that got their word, with its interval over speakers.
    pub uar: Estimate,
    /// For each emotion that was to be shown, how many recordings got which word; `none` where no word was likely enough to be told.
    pub confusion: BTreeMap<Emotion, BTreeMap<String, usize>>,
}

/// One recording with the word that was told for it.
struct Told {
    speaker: String,
    emotion: Emotion,
    word: Option<Category>,
}

/// Pleasant against unpleasant; `None` when the model does not say valence, or one of the two is missing.
#[must_use]
pub fn valence(judged: &[(Recording, Affect)], seed: u64) -> Option<Valence> {
    let of = |(recording, affect): &(Recording, Affect)| {
        let valence = affect.valence?;
        let (speaker, high) = (recording.label.speaker.clone(), recording.label.emotion.is_pleasant()?);
        Some(Judged { speaker, high, arousal: f64::midpoint(valence.value, 1.0), confidence: valence.confidence })
    };
    let all: Vec<Judged> = judged.iter().filter_map(of).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let uar = stats::estimate(&all, stats::uar, &mut random)?;
    Some(Valence { uar, auc: stats::estimate(&all, stats::auc, &mut random) })
}

/// The part of the report.
#[must_use]
pub fn report(claims: Claims, judged: &[(Recording, Affect)], failed: usize, seed: u64) -> OfModel {
    let known = judged.iter().filter(|(recording, _)| claims.words.contains(&recording.label.emotion.word()));
    let told: Vec<Told> = known
        .map(|(recording, affect)| Told {
            speaker: recording.label.speaker.clone(),
            emotion: recording.label.emotion,
            word: affect.word().map(|(word, _)| word),
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let uar = stats::estimate_by(&told, |told| &told.speaker, recall, &mut random);
    let words = uar.map(|uar| Words { uar, confusion: confusion(&told) });
    OfModel { file: claims.file, licence: claims.licence, judged: judged.len(), failed, words }
}

fn recall(told: &[&Told]) -> Option<f64> {
    let mut emotions: BTreeMap<Emotion, (usize, usize)> = BTreeMap::new();
    for told in told {
        let (right, all) = emotions.entry(told.emotion).or_default();
        *right += usize::from(told.word == Some(told.emotion.word()));
        *all += 1;
    }
    let shares: Vec<f64> = emotions.values().filter_map(|(right, all)| stats::share(*right, *all)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful of emotions")]
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

fn confusion(told: &[Told]) -> BTreeMap<Emotion, BTreeMap<String, usize>> {
    let mut confusion: BTreeMap<Emotion, BTreeMap<String, usize>> = BTreeMap::new();
    for told in told {
        let word = told.word.map_or_else(|| UNTOLD.to_owned(), |word| crate::voice::word(&word));
        *confusion.entry(told.emotion).or_default().entry(word).or_insert(0) += 1;
    }
    confusion
}

impl OfModel {
    /// For people.
    pub(super) fn page(&self) -> Vec<String> {
        let mut lines = vec![
            format!("Model {}: {} judged, {} failed", self.file, self.judged, self.failed),
            format!("Its licence: {}", self.licence),
        ];
        if let Some(words) = &self.words {
            lines.push(format!("Its words: UAR {}", range(&words.uar)));
            for (emotion, told) in &words.confusion {
                let told: Vec<String> = told.iter().map(|(word, n)| format!("{word} {n}")).collect();
                lines.push(format!("{:<10}  {}", crate::voice::word(emotion), told.join(", ")));
            }
        }
        lines
    }
}

impl Valence {
    /// For people. An interval that holds chance is no claim.
    pub(super) fn page(&self) -> Vec<String> {
        let mut lines = vec![format!("Valence, pleasant against unpleasant: UAR {}", range(&self.uar))];
        if let Some(auc) = &self.auc {
            lines.push(format!("                                       AUC {}", range(auc)));
        }
        if !self.auc.as_ref().is_some_and(|auc| auc.low.is_some_and(|low| low > 0.5)) {
            lines.push("Valence: no claim, it is not told from chance on this corpus.".to_owned());
        }
        lines
    }
}
