//! The speaker's own WebSocket, where one is known.

use schemas::ids::ConnectionId;
use schemas::speaker::{Notice, ToSpeaker};
use worker_core::input::PostOutcome;

/// What the speaker's applications read.
#[derive(Debug, Clone)]
pub struct SpeakersLine {
    /// Named by the session's row.
    pub in_row: Option<ConnectionId>,
    /// Found in the index of the listeners.
    pub in_index: Option<ConnectionId>,
    pub latency_ms: u64,
    pub refuses: Option<PostOutcome>,
    pub received: Vec<(u64, ToSpeaker)>,
    pub attempts: u32,
}

impl Default for SpeakersLine {
    fn default() -> Self {
        Self { in_row: None, in_index: None, latency_ms: 10, refuses: None, received: Vec::new(), attempts: 0 }
    }
}

impl SpeakersLine {
    /// Takes a post, if this is to whom it goes.
    pub fn take(&mut self, connection: &str, data: &str, now: u64) -> Option<(u64, PostOutcome)> {
        let known = self.in_row.iter().chain(&self.in_index).any(|known| known.as_str() == connection);
        if !known {
            return None;
        }
        self.attempts += 1;
        if let Some(outcome) = &self.refuses {
            return Some((self.latency_ms, outcome.clone()));
        }
        // Nothing but what is meant for a speaker can be read so: a caption fails here.
        let message = serde_json::from_str(data).expect("a message for a speaker");
        self.received.push((now + self.latency_ms, message));
        Some((self.latency_ms, PostOutcome::Delivered))
    }

    pub fn notices(&self) -> Vec<Notice> {
        let notice = |(_, message): &(u64, ToSpeaker)| match message {
            ToSpeaker::SpeakerNotice(notice) => Some(notice.notice),
            ToSpeaker::AudioQualityWarning(_) => None,
        };
        self.received.iter().filter_map(notice).collect()
    }
}
