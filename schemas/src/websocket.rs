//! The session service's own messages on the WebSocket that ours share: what a listener's application sends, and what it
//! gets beside the messages of [`crate::message`]. Theirs to define; of their fields only those stand here that a listener
//! needs, and others may come with them.

use crate::ids::{Language, SessionId, Timestamp};
use crate::session::CaptionMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a listener's application sends; `action` selects the route of the WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action")]
pub enum FromListener {
    /// Listens to a session, or changes the language or the mode. Captions come from then on, the last whole sentences first.
    #[serde(rename = "joinSession")]
    JoinSession(JoinSession),
    /// Keeps the connection: API Gateway closes one that is idle for 10 minutes, and every one after 2 hours.
    #[serde(rename = "heartbeat")]
    Heartbeat(Heartbeat),
}

/// Listens to a session, or changes the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinSession {
    /// The session.
    pub session_id: SessionId,
    /// The language to read in, two letters.
    pub target_language: Language,
    /// How settled a text must be before it is shown; to be kept in the connection's row. Absent for the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption_mode: Option<CaptionMode>,
}

/// Keeps the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeat {}

/// A message of the session service itself. An application ignores those that it does not need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromService {
    /// Which one.
    #[serde(rename = "type")]
    pub kind: ServiceKind,
    /// When it was sent, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// For people, where there is something to say (`error`, warnings).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Kinds of the session service's messages. Its `sessionEnded` is the same as ours, and may lack all fields but `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ServiceKind {
    /// The answer to `joinSession`.
    SessionJoined,
    /// The answer to the speaker who made a session.
    SessionCreated,
    /// The speaker pauses.
    BroadcastPaused,
    /// The speaker goes on.
    BroadcastResumed,
    /// The speaker is muted.
    BroadcastMuted,
    /// The speaker is heard again.
    BroadcastUnmuted,
    /// The speaker's volume was changed.
    VolumeChanged,
    /// Several of these at once.
    SpeakerStateChanged,
    /// The state of the session.
    SessionStatus,
    /// The answer to `heartbeat`.
    HeartbeatAck,
    /// The two hours of this connection are nearly over: open another.
    ConnectionRefreshRequired,
    /// The same, as a warning before.
    ConnectionWarning,
    /// The new connection is in use.
    ConnectionRefreshComplete,
    /// A request could not be carried out.
    Error,
    /// To the speaker.
    #[serde(rename = "audio_quality_warning")]
    AudioQualityWarning,
    /// Spoken translation.
    TranslatedAudio,
}
