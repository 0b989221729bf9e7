//! What is posted to the speaker's WebSocket. Best effort: the speaker's connection is often not known, and nothing waits for
//! a speaker.
//!
//! The speaker app shows `audioQualityWarning` today. `speakerNotice` is new to it; types that it does not know it ignores.
//!
//! **Guarantees.** Of one topic ([`ToSpeaker::topic`]) only the newest message waits, and none is older than ten seconds when
//! it is posted. No caption and no word of a caption is in any of them.
//!
//! **Caveats.** None of them is promised to arrive, or to arrive once: a connection that turns up later is told what holds then.

use crate::ids::{Generation, SessionId, Timestamp};
use crate::voice::AudioIssue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One message to a connection of the speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum ToSpeaker {
    /// Something is wrong with the sound itself.
    #[serde(rename = "audioQualityWarning")]
    AudioQualityWarning(AudioQualityWarning),
    /// What becomes of the speaker's words.
    #[serde(rename = "speakerNotice")]
    SpeakerNotice(SpeakerNotice),
}

impl ToSpeaker {
    /// The JSON text that is posted.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps have text keys only and no serializer here is fallible, so the default is never taken.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What it speaks of: a newer message of the same topic takes the place of one that still waits.
    #[must_use]
    pub fn topic(&self) -> Topic {
        match self {
            Self::AudioQualityWarning(warning) => Topic::Audio(warning.issue),
            Self::SpeakerNotice(notice) => match notice.notice {
                Notice::CaptionsPaused | Notice::CaptionsReduced | Notice::CaptionsComplete => Topic::Captions,
                Notice::NotHeard | Notice::HeardAgain => Topic::Hearing,
            },
        }
    }
}

/// What a message speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// One trouble of the sound.
    Audio(AudioIssue),
    /// What listeners get.
    Captions,
    /// Whether the speaker's audio comes at all.
    Hearing,
}

/// Something is wrong with the sound itself. The fields that the speaker app reads today.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudioQualityWarning {
    /// The session.
    pub session_id: SessionId,
    /// The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// What is wrong.
    pub issue: AudioIssue,
    /// What was measured: dB of `snr_low` and `echo`, hundredths of `clipping` and `packet_loss`, seconds of `silence`, ms of `jitter`.
    pub value: f64,
    /// One sentence for people: what is wrong and what helps.
    pub message: String,
    /// Further numbers by name, such as the threshold.
    pub details: BTreeMap<String, f64>,
    /// When it was noticed, epoch ms.
    pub timestamp: Timestamp,
}

/// What becomes of the speaker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Notice {
    /// Listeners get no captions for now.
    CaptionsPaused,
    /// Listeners get less than all: whole sentences only, or the original only.
    CaptionsReduced,
    /// Listeners get everything again.
    CaptionsComplete,
    /// No audio comes from the speaker.
    NotHeard,
    /// It comes again.
    HeardAgain,
}

/// Tells the speaker what becomes of their words; sent when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerNotice {
    /// The session.
    pub session_id: SessionId,
    /// The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// What is so now.
    pub notice: Notice,
    /// One sentence for people.
    pub message: String,
    /// When it was noticed, epoch ms.
    pub timestamp: Timestamp,
}
