//! What the file beside a model says of it, what therefore goes in, and what is read out. Pure.

use crate::{Affect, LONGEST_MS, ModelError};
use schemas::voice::{Category, Judgement};
use serde::Deserialize;

/// Samples per second that the worker has, and a model must take.
const RATE: u32 = 16_000;
/// Shortest window that holds a word, s.
const WINDOW_LEAST_S: f64 = 0.5;
/// How much a model is to be trusted that does not say, 0 to 1.
const TRUST: f64 = 0.5;
/// Probabilities may add up to one with so much of an error.
const SUM_SLACK: f32 = 0.02;

/// The whole file. Keys that do not exist are refused, so that a misspelled one is noticed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Under which terms the model may be used; not to be left out, since most may not be used commercially.
    pub licence: String,
    /// Name of the tensor that takes the sound, as 32-bit floats around ±1.
    pub input: String,
    /// Samples per second: 16000.
    pub sample_rate: u32,
    /// Of a longer utterance it is given the last so many seconds, 0.5 to 30.
    pub window_s: f64,
    /// Whether a shorter one is filled up with silence, for models that take a fixed length.
    #[serde(default)]
    pub pad: bool,
    /// Whether the sound is brought to a mean of 0 and a variance of 1, as models of the wav2vec2 family expect.
    #[serde(default)]
    pub normalise: bool,
    /// An output of numbers on scales.
    #[serde(default)]
    pub dimensions: Option<Dimensions>,
    /// An output of words.
    #[serde(default)]
    pub classes: Option<Classes>,
}

/// An output that holds a number for each of some scales.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimensions {
    /// Name of the tensor.
    pub output: String,
    /// What each number says, in the tensor's order.
    pub order: Vec<Dimension>,
    /// Their lowest and highest value.
    pub range: [f64; 2],
    /// How far the model is to be trusted, 0 to 1: it is told as the confidence of its valence. 0.5 when left out.
    #[serde(default)]
    pub trust: Option<f64>,
}

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// How excited. Read and not used: the worker's own is relative to the speaker's usual voice.
    Arousal,
    /// How much in control. Not used.
    Dominance,
    /// How pleasant.
    Valence,
    /// Something else; not used.
    Other,
}

/// An output that holds a score for each of some words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// Name of the tensor.
    pub output: String,
    /// The word of each score, in the tensor's order: one of the categories of a message, or `other`, which is never told.
    pub labels: Vec<String>,
    /// What the scores are.
    pub scores: Scores,
}

/// What scores are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    /// Any numbers; the highest wins, and their softmax is how likely each is.
    Logits,
    /// From 0 to 1, together 1.
    Probabilities,
}

/// The word of a label; `None` for one that is never told.
fn word(label: &str) -> Result<Option<Category>, String> {
    const KNOWN: &str = "neutral, calm, happy, sad, angry, fearful, disgusted, surprised, bored, other";
    Ok(Some(match label {
        "other" => return Ok(None),
        "neutral" => Category::Neutral,
        "calm" => Category::Calm,
        "happy" => Category::Happy,
        "sad" => Category::Sad,
        "angry" => Category::Angry,
        "fearful" => Category::Fearful,
        "disgusted" => Category::Disgusted,
        "surprised" => Category::Surprised,
        "bored" => Category::Bored,
        _ => return Err(format!("classes.labels: {label:?} is none of {KNOWN}")),
    }))
}

impl Description {
    /// Reads the file's text.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), String> {
        let longest = LONGEST_MS as f64 / 1_000.0;
        if self.licence.trim().is_empty() {
            return Err("licence: say under which terms the model may be used".into());
        }
        if self.sample_rate != RATE {
            return Err(format!("sample_rate: the worker has {RATE} samples per second and no other"));
        }
        if !(WINDOW_LEAST_S..=longest).contains(&self.window_s) {
            return Err(format!("window_s: give a number from {WINDOW_LEAST_S} to {longest}"));
        }
        let scales = self.dimensions.as_ref();
        if scales.is_some_and(|d| d.range[0] >= d.range[1] || d.range.iter().any(|x| !x.is_finite())) {
            return Err("dimensions.range: give the lowest and then the highest value".into());
        }
        if scales.and_then(|d| d.trust).is_some_and(|trust| !(0.0..=1.0).contains(&trust)) {
            return Err("dimensions.trust: give a number from 0 to 1".into());
        }
        let words = self.classes.as_ref().map(|c| c.labels.as_slice()).unwrap_or_default();
        let told = words.iter().map(|label| word(label)).collect::<Result<Vec<_>, _>>()?.iter().any(Option::is_some);
        if !told && !scales.is_some_and(|d| d.order.contains(&Dimension::Valence)) {
            return Err("it says neither valence (dimensions) nor a word (classes), so there is nothing to tell".into());
        }
        Ok(())
    }

    /// The words that the model knows.
    #[must_use]
    pub fn words(&self) -> Vec<Category> {
        let labels = self.classes.iter().flat_map(|classes| &classes.labels);
        labels.filter_map(|label| word(label).ok().flatten()).collect()
    }

    /// The names of the tensors that are read.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        let scales = self.dimensions.iter().map(|d| d.output.as_str());
        scales.chain(self.classes.iter().map(|c| c.output.as_str()))
    }

    /// The sound as the model takes it.
    pub(crate) fn prepared(&self, pcm: &[i16]) -> Vec<f32> {
        let window = (self.window_s * f64::from(RATE)) as usize;
        let last = &pcm[pcm.len().saturating_sub(window)..];
        let mut sound: Vec<f32> = last.iter().map(|x| f32::from(*x) / 32_768.0).collect();
        if self.normalise {
            normalise(&mut sound);
        }
        if self.pad {
            sound.resize(window, 0.0);
        }
        sound
    }

    /// What the model's numbers say; `output` gives those of a tensor.
    pub(crate) fn read<'a>(&self, output: impl Fn(&str) -> Option<&'a [f32]>) -> Result<Affect, ModelError> {
        let of = |name: &str, count: usize| {
            let numbers = output(name).ok_or_else(|| ModelError::Answer(format!("there is no output {name:?}")))?;
            if numbers.len() != count {
                let found = numbers.len();
                return Err(ModelError::Answer(format!("{name:?} holds {found} numbers, and {count} are described")));
            }
            if numbers.iter().any(|x| !x.is_finite()) {
                return Err(ModelError::Answer(format!("{name:?} holds something that is not a number")));
            }
            Ok(numbers)
        };
        let valence = match &self.dimensions {
            Some(scales) => scales.valence(of(&scales.output, scales.order.len())?),
            None => None,
        };
        let category = match &self.classes {
            Some(classes) => classes.likeliest(of(&classes.output, classes.labels.len())?)?,
            None => None,
        };
        Ok(Affect { valence, category })
    }
}

/// To a mean of 0 and a variance of 1; the same little number as others add keeps silence silent.
fn normalise(sound: &mut [f32]) {
    let count = sound.len().max(1) as f64;
    let mean = sound.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let variance = sound.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
    let scale = (variance + 1e-7).sqrt();
    sound.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) / scale) as f32);
}

impl Dimensions {
    fn valence(&self, numbers: &[f32]) -> Option<Judgement> {
        let at = self.order.iter().position(|dimension| *dimension == Dimension::Valence)?;
        let [low, high] = self.range;
        // A regression may go a little beyond its scale.
        let share = ((f64::from(*numbers.get(at)?) - low) / (high - low)).clamp(0.0, 1.0);
        Some(Judgement { value: 2.0 * share - 1.0, confidence: self.trust.unwrap_or(TRUST) })
    }
}

impl Classes {
    fn likeliest(&self, scores: &[f32]) -> Result<Option<(Category, f64)>, ModelError> {
        let likely = match self.scores {
            Scores::Logits => softmax(scores),
            Scores::Probabilities if is_a_distribution(scores) => scores.iter().map(|p| f64::from(*p)).collect(),
            Scores::Probabilities => {
                let text = format!("{:?} are no probabilities, which are from 0 to 1 and together 1", self.output);
                return Err(ModelError::Answer(text));
            }
        };
        let best = self.labels.iter().zip(likely).max_by(|a, b| a.1.total_cmp(&b.1));
        // The labels were checked when they were read.
        Ok(best.and_then(|(label, likely)| Some((word(label).ok()??, likely.min(1.0)))))
    }
}

fn softmax(scores: &[f32]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f64> = scores.iter().map(|x| f64::from(x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn is_a_distribution(scores: &[f32]) -> bool {
    scores.iter().all(|p| (0.0..=1.0 + SUM_SLACK).contains(p)) && (scores.iter().sum::<f32>() - 1.0).abs() <= SUM_SLACK
}

#[cfg(test)]
#[path = "description_tests.rs"]
mod tests;
