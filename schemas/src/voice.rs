//! How the speaker sounds and how good the microphone is: the same words in messages, in our row and in events.
//!
//! **Facts** (`volume`, `rate`, `pitch`) describe the sound. **Judgements** (`arousal`, `valence`, `category`, `intensity`)
//! describe the person: they are null unless the mode is `emotion`, because to infer emotions of people at work or in education
//! is prohibited in the EU (AI Act, Article 5(1)(f)). `docs/emotion.md` explains each of them in plain words.

use crate::forward;
use crate::ids::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How loud the speaker is, in the product's words: against their own usual level, since microphones differ. A word of a
/// newer release is read as [`VolumeLevel::Medium`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum VolumeLevel {
    /// More than 4 dB above the speaker's usual level.
    Loud,
    /// Within 4 dB of it.
    Medium,
    /// More than 4 dB below it.
    Soft,
    /// Whispered: without voice, however loud.
    Whisper,
}

forward::reads!(VolumeLevel, Medium);

/// How fast the speaker is, in the product's words. A word of a newer release is read as [`RateClass::Medium`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum RateClass {
    /// Below 100 words per minute; without words, below 0.7 of the speaker's usual rate.
    VerySlow,
    /// Below 130, or 0.85.
    Slow,
    /// Below 160, or up to 1.15.
    Medium,
    /// Below 190, or up to 1.3.
    Fast,
    /// From 190 on, or above.
    VeryFast,
}

forward::reads!(RateClass, Medium);

/// Loudness of the speech; pauses do not count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// The word.
    pub level: VolumeLevel,
    /// Root mean square of the speech, dB re full scale (a full-scale sine is −3 dBFS).
    pub dbfs: f64,
    /// The same against the speaker's own usual level, dB.
    pub relative_db: f64,
}

/// What the word for a rate was decided by. A word of a newer release is read as [`RateBasis::Syllables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum RateBasis {
    /// Words per minute, from the word times of the transcript.
    Words,
    /// Syllables per second, against the speaker's own usual rate.
    Syllables,
}

forward::reads!(RateBasis, Syllables);

/// Speaking rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// The word.
    pub classification: RateClass,
    /// What it was decided by.
    pub basis: RateBasis,
    /// Words per minute; null where no words of the transcript are known yet, as in most live messages.
    pub wpm: Option<f64>,
    /// Syllables per second of speech, counted in the sound; null when there is too little speech to count.
    pub syllables_per_second: Option<f64>,
}

/// Pitch of the voice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pitch {
    /// Median of the fundamental frequency, Hz.
    pub hz: f64,
    /// The same against the speaker's own usual pitch, semitones.
    pub relative_semitones: f64,
    /// How far the pitch moves: from the 20th to the 80th percentile, semitones.
    pub range_semitones: f64,
}

/// A judgement on a scale, and how much it is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// Of arousal, 0 to 1: 0 very calm, 0.5 as usual, 1 very excited. Of valence, −1 to 1: −1 unpleasant, 0 neutral, 1 pleasant.
    pub value: f64,
    /// 0 to 1.
    pub confidence: f64,
}

/// How the speaker sounds, in a word. `neutral`, `activated`, `subdued` and `whisper` are what the sound itself tells, and `neutral`
/// may come from either source; the others only come from a model that whoever runs the service has added (`categorySource`). A word of a newer
/// release is read as [`Category::Neutral`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum Category {
    /// As usual, or not to be told.
    Neutral,
    /// More excited than usual.
    Activated,
    /// Less excited than usual.
    Subdued,
    /// Whispered.
    Whisper,
    /// By a model: calm.
    Calm,
    /// By a model: happy, joyful.
    Happy,
    /// By a model: sad.
    Sad,
    /// By a model: angry.
    Angry,
    /// By a model: fearful.
    Fearful,
    /// By a model: disgusted.
    Disgusted,
    /// By a model: surprised.
    Surprised,
    /// By a model: bored.
    Bored,
}

forward::reads!(Category, Neutral);

/// What a category was told from. A word of a newer release is read as [`CategorySource::Model`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum CategorySource {
    /// Loudness, pitch, rate and timbre.
    Prosody,
    /// A model that whoever runs the service has added.
    Model,
}

forward::reads!(CategorySource, Model);

/// Why a result is to be read with care. Of a set, words of a newer release are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoiceFlag {
    /// The speaker's usual voice is not known yet: they have spoken for less than 20 s. What is told
    /// against it (`relativeDb`, `relativeSemitones`, the word for the volume) is told against a guess.
    BaselineWarming,
    /// The microphone seems to level the loudness by itself (automatic gain control): loudness counts for nothing.
    AgcSuspected,
    /// Noise is nearly as loud as the voice: less than 5 dB below it.
    LowSnr,
    /// Less than 0.4 s of speech.
    Short,
    /// The microphone is overdriven: more than 1 % of the samples are at full scale.
    Clipped,
}

/// How the speaker sounds over a stretch of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Voice {
    /// Begin in media time, ms.
    pub start_ms: u64,
    /// End in media time, ms.
    pub end_ms: u64,
    /// Speech within, ms.
    pub speech_ms: u64,
    /// Loudness; null when the stretch holds no speech.
    pub volume: Option<Volume>,
    /// Rate; null when it holds too little.
    pub rate: Option<Rate>,
    /// Pitch; null when the voice does not sound, as in a whisper.
    pub pitch: Option<Pitch>,
    /// How excited; null unless the mode is `emotion`.
    pub arousal: Option<Judgement>,
    /// How pleasant; null unless the mode is `emotion` and whoever runs the service has added a model that says it: the measures of
    /// the sound do not tell it.
    pub valence: Option<Judgement>,
    /// The word for it; null unless the mode is `emotion`.
    pub category: Option<Category>,
    /// What `category` was told from; null with it.
    pub category_source: Option<CategorySource>,
    /// 0 to 1; null with `category`.
    pub category_confidence: Option<f64>,
    /// How far from usual, 0 to 1, whichever way; null unless the mode is `emotion`.
    pub intensity: Option<f64>,
    /// Why to read all this with care; mostly empty.
    #[serde(deserialize_with = "forward::known_of_set")]
    pub flags: BTreeSet<VoiceFlag>,
}

/// What became of the model that whoever runs the service has added.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// The model's file.
    pub name: String,
    /// Utterances that it has judged in time.
    pub judged: u64,
    /// Utterances that it was not asked about, because it was still busy with another.
    pub skipped: u64,
    /// Answers that came too late to be told.
    pub late: u64,
    /// Utterances that it failed at.
    pub failed: u64,
    /// Why it is not asked any more, a sentence; absent while it is. The facts and what the sound tells go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
}

/// What is wrong with the audio that comes from the speaker. In a row, words of a newer release are left out; a message about one is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudioIssue {
    /// Noise is too near to the voice: the ratio of signal to noise is below 20 dB.
    SnrLow,
    /// More than 1 % of the samples are at full scale.
    Clipping,
    /// The room, or a loudspeaker, sends the voice back: above −15 dB.
    Echo,
    /// Below −50 dBFS for 5 s.
    Silence,
    /// More than 5 % of the packets are lost.
    PacketLoss,
    /// Packets come more than 50 ms too early or too late on average.
    Jitter,
}

/// The quality of the audio that comes from the speaker, as last measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudioQuality {
    /// Voice above noise, dB; null before both were heard.
    pub snr_db: Option<f64>,
    /// Loudness of the speech by EBU R 128 without its pauses, over the last seconds of it, LUFS: broadcasts have −23, a good microphone −30
    /// to −16. Null before there was speech.
    #[serde(default)]
    pub loudness_lufs: Option<f64>,
    /// Samples at full scale, hundredths of all in the last seconds.
    pub clipping_percent: f64,
    /// The strongest echo, dB re the voice; null when there is none, or too little speech to tell.
    pub echo_db: Option<f64>,
    /// For how long it has been silent, ms.
    pub silence_ms: u64,
    /// Packets lost, hundredths of those that should have come in the last seconds.
    pub packet_loss_percent: f64,
    /// What is wrong now.
    #[serde(deserialize_with = "forward::known_of_set")]
    pub issues: BTreeSet<AudioIssue>,
    /// How often each was found, at most once a minute.
    #[serde(deserialize_with = "forward::known_of_map")]
    pub warnings: BTreeMap<AudioIssue, u64>,
    /// When the last of them was found.
    pub warned_at: Option<Timestamp>,
}
