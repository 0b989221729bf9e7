//! Events on the EventBridge bus, `source` [`SOURCE`]: what happened to a session, for whoever wants to know.

use crate::forward;
use crate::ids::{Generation, SessionId, Timestamp};
use crate::reason::Why;
use crate::voice::{AudioQuality, Voice};
use crate::worker::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `source` of every event of ours.
pub const SOURCE: &str = "session-translation";

/// What happened; the `detail-type` is [`Happening::detail_type`]. A word of a newer release is read as [`Happening::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum Happening {
    /// A task was started.
    Launched,
    /// Audio flows.
    Live,
    /// Listeners get less than they should.
    Degraded,
    /// They get all of it again.
    Recovered,
    /// Ended as asked.
    Stopped,
    /// A fault ended it, or keeps it from being served: tried again every five minutes then, and told with each try.
    Failed,
    /// Waits for capacity or a backoff.
    Queued,
    /// Its failure has shown that the version of its worker is bad: launches come from the last good version.
    VersionFailed,
    /// Something that this version does not know; it never tells it.
    #[schemars(skip)]
    Unknown,
}

forward::reads!(Happening, Unknown);

impl Happening {
    /// The `detail-type` of the event.
    #[must_use]
    pub fn detail_type(self) -> &'static str {
        match self {
            Self::Launched => "Session Worker Launched",
            Self::Live => "Session Worker Live",
            Self::Degraded => "Session Worker Degraded",
            Self::Recovered => "Session Worker Recovered",
            Self::Stopped => "Session Worker Stopped",
            Self::Failed => "Session Worker Failed",
            Self::Queued => "Session Worker Queued",
            Self::VersionFailed => "Session Worker Version Failed",
            Self::Unknown => "Session Worker Unknown",
        }
    }
}

/// What the bus has been told of the row's generation, so that an event is sent again only when nobody noted that it was sent.
/// `Degraded` stands here while listeners get less than they should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The worker's number: its launch, or a later one that it took when it was restarted within its task.
    pub generation: Generation,
    /// What of it was told.
    pub told: BTreeSet<Happening>,
}

/// `detail` of an event, version 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleEvent {
    /// Version of this format: 1.
    pub version: u32,
    /// What happened.
    pub happening: Happening,
    /// The session.
    pub session_id: SessionId,
    /// The worker's number, likewise.
    pub generation: Generation,
    /// The phase after it.
    pub phase: Phase,
    /// Why.
    pub why: Why,
    /// When.
    pub at: Timestamp,
    /// How the speaker sounded last, as the row says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// The quality of the speaker's audio, as the row says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_quality: Option<AudioQuality>,
}
