//! A listener's end of the line.

use schemas::message::{Caption, Message};
use schemas::session::ListenerRow;
use worker_core::input::PostOutcome;

/// A listener's end of the line.
#[derive(Debug, Clone)]
pub struct Seat {
    pub row: ListenerRow,
    pub listed: bool,
    /// A post takes so long.
    pub latency_ms: u64,
    /// What becomes of a post, when it is not delivered.
    pub refuses: Option<PostOutcome>,
    pub received: Vec<(u64, Message)>,
}

impl Seat {
    pub fn captions(&self) -> Vec<&Caption> {
        let caption = |m: &'_ (u64, Message)| matches!(m.1, Message::Transcription(_));
        self.received.iter().filter(|m| caption(m)).filter_map(|(_, m)| as_caption(m)).collect()
    }
    pub fn finals(&self) -> Vec<&Caption> {
        self.captions().into_iter().filter(|c| c.is_final).collect()
    }
    pub fn text(&self) -> String {
        self.finals().iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" ")
    }
    pub fn ended(&self) -> bool {
        matches!(self.received.last(), Some((_, Message::SessionEnded(_))))
    }
}

fn as_caption(message: &Message) -> Option<&Caption> {
    match message {
        Message::Transcription(caption) => Some(caption),
        Message::Emotion(_) | Message::CaptionStatus(_) | Message::SessionEnded(_) => None,
    }
}
