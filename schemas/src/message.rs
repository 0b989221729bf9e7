//! What is posted to a listener's WebSocket (to the speaker's: [`crate::speaker`]). The listener app ignores types that it does not know,
//! so new types are safe; fields of `transcription` may be added, never removed or renamed.
//!
//! # The contract of captions
//!
//! **Flow.** What the speaker says is cut into segments. A listener sees a segment as partials, each replacing the one before,
//! and at last as one final. Key on `segmentId`, never on the text: "Amen. Amen." is said twice.
//!
//! **Guarantees.**
//! - *What is stable never changes.* Only an original in place of a translation (`degraded`) is another text. Every later caption of the segment, the final included, begins with the first `stableChars`
//!   UTF-16 code units of `text`, which JavaScript gives by `text.slice(0, stableChars)`; no character that a person sees (a grapheme
//!   cluster) is cut. Those are never less than the first `stableWords` words between spaces, which alone cannot tell it where words
//!   have no spaces between them.
//! - *Exactly one final.* Each segment ends with one caption with `isFinal`, for each language, and nothing follows it but, at most once,
//!   its revision.
//! - *A revision.* The original goes out (`degraded`) when the translation of a final does not come in time. If it comes within ten
//!   seconds, the final is sent once more: the same `segmentId` and `cursor`, a higher `revision`, `revised: true`. Put it in the place of the
//!   first. Whoever drops a cursor that comes again keeps the original; an application that only appends finals shows the
//!   translation as one more line. Nobody gets the revision of a final that they were not sent.
//! - *Order.* Within a segment `revision` rises from 1. Finals of a language carry `cursor` 1, 2, 3 … without a gap: a client
//!   that sees a gap missed a caption, one that sees a cursor again may drop it. A partial carries the cursor that its final
//!   will have at the earliest. A worker that takes another's place has a higher `generation`: its cursors begin at 1
//!   again, and so does its media time.
//! - *The listener's language.* `text` is in `language`, unless `degraded` says that translation failed: then `text` is the original in
//!   `sourceLanguage`, or has the sentences and clauses of it that were not translated. Nothing made up is ever shown in its place. `translated` says whether `text` is a
//!   translation: with it, `degraded` is false; without it and without `degraded`, the speaker speaks `language`.
//! - *As the listener chose.* `captionMode` of the connection says how settled a text must be before it is shown. `stable`: only
//!   what is never taken back, settled words in the speaker's language, sentences and clauses in translation as they settle. `fast`:
//!   whatever is known, the soonest. Without a choice: the speaker's words at once, but for the last one that may still change, and in
//!   translation the same as `stable`. Finals are the same for all.
//! - *What was translated stands.* A sentence or clause is translated once, when its words have settled, and the final is made of these
//!   translations: nobody but who chose `fast` sees a translated word taken back (with the policy `live`, nobody but who chose `stable` is
//!   spared it). Only an original that stands in for a translation gives way, in a revision.
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
/// `segmentId`, which may be `revised` once. Finals carry a `cursor`: 1, 2, 3 … per language, without a gap; a partial carries the cursor that its
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
    /// The first so many words of `text` will not change. A word is what stands between spaces: where words have none between them, see
    /// `stableChars`.
    pub stable_words: u32,
    /// The first so many UTF-16 code units of `text` will not change (`text.slice(0, stableChars)` in JavaScript). No grapheme cluster is
    /// cut. Absent in captions of workers that did not tell it yet: `stableWords` counts then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_chars: Option<u32>,
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
    /// True when this final replaces the one with the same `segmentId` that was sent before: its translation has come after all.
    /// Absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub revised: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_false(flag: &bool) -> bool {
    !flag
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
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::forward::known")]
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
