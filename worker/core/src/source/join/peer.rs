//! The states of the peer connection.

use crate::time::MediaInstant;
use schemas::worker::MediaState;

/// An ICE restart that brought no audio within so long did not help, ms.
pub(super) const RESTART_MS: u64 = 3_000;

/// How far the connection to the speaker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peer {
    None,
    Gathering { since: MediaInstant, kind: Kind },
    Offering { offer: String, since: MediaInstant, kind: Kind, sent: u32, next_at: MediaInstant },
    Answered { since: MediaInstant, kind: Kind },
    Connected { since: MediaInstant },
    Failed { retry_at: MediaInstant },
}

/// What an offer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A peer that is new.
    Fresh,
    /// Another path for the peer that there is.
    Restart,
}

impl Kind {
    /// How long a step may take that takes this long for a fresh peer.
    pub(super) fn limit(self, fresh_ms: u64) -> u64 {
        match self {
            Self::Fresh => fresh_ms,
            Self::Restart => RESTART_MS,
        }
    }
}

impl Peer {
    /// The word for it in the row.
    pub(super) fn state(&self) -> Option<MediaState> {
        match self {
            Self::None => None,
            Self::Gathering { kind: Kind::Restart, .. }
            | Self::Offering { kind: Kind::Restart, .. }
            | Self::Answered { kind: Kind::Restart, .. } => Some(MediaState::Restarting),
            Self::Gathering { .. } => Some(MediaState::Gathering),
            Self::Offering { .. } => Some(MediaState::Offering),
            Self::Answered { .. } => Some(MediaState::Connecting),
            Self::Connected { .. } => Some(MediaState::Connected),
            Self::Failed { .. } => Some(MediaState::Failed),
        }
    }
}
