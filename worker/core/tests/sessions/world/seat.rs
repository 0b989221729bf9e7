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
    /// The finals as they came first.
    pub fn first_finals(&self) -> Vec<&Caption> {
        self.captions().into_iter().filter(|c| c.is_final && !c.revised).collect()
    }
    /// Translations that came after their originals.
    pub fn revisions(&self) -> Vec<&Caption> {
        self.captions().into_iter().filter(|c| c.revised).collect()
    }
    /// The finals as they stand: originals whose translations came are those.
    pub fn finals(&self) -> Vec<&Caption> {
        let revisions = self.revisions();
        let mut finals = self.first_finals();
        for stands in &mut finals {
            *stands = revisions.iter().copied().find(|c| c.segment_id == stands.segment_id).unwrap_or(*stands);
        }
        finals
    }
    /// Words taken back per word of a final, as the listener saw it.
    pub fn erasure(&self) -> f64 {
        let (mut standing, mut erased) = (std::collections::BTreeMap::<&str, Vec<&str>>::new(), 0);
        for caption in self.captions() {
            let words: Vec<&str> = caption.text.split_whitespace().collect();
            let before = standing.insert(&caption.segment_id, words.clone()).unwrap_or_default();
            erased += before.len() - before.iter().zip(&words).take_while(|(a, b)| a == b).count();
        }
        erased as f64 / standing.values().map(Vec::len).sum::<usize>().max(1) as f64
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
