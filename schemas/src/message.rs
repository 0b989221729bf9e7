//! What is posted to a listener's WebSocket (to the speaker's: [`crate::speaker`]). The listener app ignores types that it does not know,
//! so new types are safe; fields of `transcription` may be added, never removed or renamed.
//!
//! # The contract of captions
//!
//! **Flow.** What the speaker says is cut into segments. A listener sees a segment as partials, each replacing the one before,
//! and at last as one final. Key on `segmentId`, never on the text: "Amen. Amen." is said twice.
//!
//! **Guarantees.**
//! - *A stable word never changes.* The first `stableWords` words of `text` stand in every later caption of the segment,
//!   the final included.
//! - *Exactly one final.* Each segment ends with one caption with `isFinal`, for each language, and nothing follows it.
//! - *Order.* Within a segment `revision` rises from 1. Finals of a language carry `cursor` 1, 2, 3 … without a gap: a client
//!   that sees a gap missed a caption, one that sees a cursor again may drop it. A partial carries the cursor that its final
//!   will have at the earliest. A worker that takes another's place has a higher `generation`: its cursors begin at 1
//!   again, and so does its media time.
//! - *The listener's language.* `text` is in `language`, unless `degraded` says that translation failed and `text` is the
//!   original in `sourceLanguage`. Nothing made up is ever shown in its place. `translated` says whether `text` is a
//!   translation: with it, `degraded` is false; without it and without `degraded`, the speaker speaks `language`.
//! - *Pace.* Of a segment at most five partials come in a second, the newest. A segment is final 15 s after its first
//!   caption at the latest: long ones are cut at the end of a sentence, else of a clause, else of a word.
//! - *Size.* A message fits one WebSocket frame of 32 KiB.
//! - *Time.* `startMs` and `endMs` are media time, ms since the first audio, and never drift; `timestamp` is the wall clock
//!   of the post, `lagMs` the time from the last spoken word to it.
//! - *Late comers* get the last whole sentences at once, marked `catchUp`, with the cursors that they had.
//! - *Who was away* compares the first final that comes after a reconnect with the last one before: within a `generation` the gap
//!   of their cursors is what was missed, and no gap means that nothing was. Finals that nobody listened to in the language meanwhile
//!   are counted too. Across generations nothing can be told.
//!
//! - *The newest generation wins.* A worker that was replaced may speak for up to five minutes more, when it cannot reach its table
//!   ([`crate::follow`]). A client drops every message, whatever its type, whose `generation` is older than the newest that it has
//!   seen, over all of its connections; segments and cursors of the newer one are its own. A message without a `generation` (notices of older workers) is taken as it comes.
//!
//! **Assumptions.** A connection delivers in order. A client that reconnects is a late comer.
//!
//! The same for front ends: `json/asyncapi.json`, and `front-end/` with TypeScript types and an example listener.
//!
//! **Caveats.** Partials may be skipped (a slow connection, a budget, a rung of the ladder below `full`); finals are not.

use crate::ids::{Generation, Language, SessionId, Timestamp};
use crate::reason::Cause;
use crate::voice::Voice;
use crate::worker::{Rung, RungCause};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One message to one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Message {
    /// A caption, partial or final.
    #[serde(rename = "transcription")]
    Transcription(Caption),
    /// How something was said.
    #[serde(rename = "emotion")]
    Emotion(Emotion),
    /// How much of the service is given now; sent when it changes.
    #[serde(rename = "captionStatus")]
    CaptionStatus(CaptionStatus),
    /// The session is over.
    #[serde(rename = "sessionEnded")]
    SessionEnded(SessionEnded),
}

impl Message {
    /// The worker that says it, where it is named.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        match self {
            Self::Transcription(caption) => Some(caption.generation),
            Self::Emotion(emotion) => emotion.generation,
            Self::CaptionStatus(status) => status.generation,
            Self::SessionEnded(ended) => ended.generation,
        }
    }

    /// The JSON text that is posted.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps have text keys only and no serializer here is fallible, so the default is never taken.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A caption in the listener's language.
///
/// A segment is shown first as partials, whose `revision` rises, and at last by exactly one final with the same
/// `segmentId`. Finals carry a `cursor`: 1, 2, 3 … per language, without a gap; a partial carries the cursor that its
/// final will have at the earliest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Caption {
    /// The session.
    pub session_id: SessionId,
    /// The caption, in `language`.
    pub text: String,
    /// Whether this is the segment's last word.
    pub is_final: bool,
    /// The listener's language, two letters. When `degraded` is true, `text` is in `sourceLanguage` all the same.
    pub language: Language,
    /// When it was posted, epoch ms.
    pub timestamp: Timestamp,
    /// The segment that this caption shows.
    pub segment_id: String,
    /// Rises with each caption of the segment, from 1.
    pub revision: u32,
    /// Number of the final among the finals of this language and `generation`.
    pub cursor: u64,
    /// The number of the worker that says it; it rises when a worker is replaced, or restarted after a crash.
    #[serde(default)]
    pub generation: Generation,
    /// The speaker's language.
    pub source_language: Language,
    /// What was said, in the speaker's language; absent when `language` is the speaker's.
    pub source_text: Option<String>,
    /// The first so many words of `text` will not change.
    pub stable_words: u32,
    /// Begin of the segment in media time, ms since the first audio.
    pub start_ms: u64,
    /// End of what this caption covers in media time, ms.
    pub end_ms: u64,
    /// From the last spoken word to the post, ms.
    pub lag_ms: u64,
    /// Whether `text` is a translation. False in the speaker's own language, and when `degraded`.
    #[serde(default)]
    pub translated: bool,
    /// True when translation failed and the original is delivered instead: `translated` is false then, and `text` is in
    /// `sourceLanguage`.
    pub degraded: bool,
    /// True when the caption is older and sent to a listener who has just come.
    pub catch_up: bool,
}

/// How something was said: one message per caption segment (with `segmentId`, so that a caption can be marked by it), and one
/// per second of speech (without), for a live display. Neither holds a caption up; of those that wait for a slow connection only
/// the newest is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Emotion {
    /// Version of this format: 1. Fields may be added to it.
    pub version: u32,
    /// The session.
    pub session_id: SessionId,
    /// The segment that it speaks of; null when it speaks of the last second of speech.
    pub segment_id: Option<String>,
    /// The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// When it was posted, epoch ms.
    pub timestamp: Timestamp,
    /// What was found.
    #[serde(flatten)]
    pub voice: Voice,
}

impl Emotion {
    /// The version of this format.
    pub const VERSION: u32 = 1;
}

/// How much of the service is given now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaptionStatus {
    /// The session.
    pub session_id: SessionId,
    /// The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The rung of the ladder.
    pub rung: Rung,
    /// Why it is not `full`; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<RungCause>,
    /// One sentence for people.
    pub message: String,
    /// When it was posted, epoch ms.
    pub timestamp: Timestamp,
}

/// The session is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEnded {
    /// The session.
    pub session_id: SessionId,
    /// The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// Why.
    pub reason: Cause,
    /// When it was posted, epoch ms.
    pub timestamp: Timestamp,
}
