//! From what is to be posted to the message, at the moment of the post.

use crate::audio::SpokenClock;
use crate::deliver::{Body, Rendered};
use crate::time::MediaInstant;
use schemas::ids::{Generation, SessionId, Timestamp};
use schemas::message::{Caption, CaptionStatus, Emotion, Message, SessionEnded};

/// What a message tells beside its body.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) generation: Generation,
    pub(crate) clock: &'a SpokenClock,
    pub(crate) now: MediaInstant,
    pub(crate) wall: Timestamp,
}

/// Names a segment across all workers of a session.
pub(crate) fn segment_id(generation: Generation, segment: u64) -> String {
    format!("{generation}-{segment}")
}

impl Envelope<'_> {
    /// The message.
    pub(crate) fn seal(&self, body: &Body, catch_up: bool) -> Message {
        match body {
            Body::Caption(rendered) => Message::Transcription(self.caption(rendered, catch_up)),
            Body::Emotion(emotion) => Message::Emotion(Emotion { timestamp: self.wall, ..(**emotion).clone() }),
            Body::Status(rung, text) => Message::CaptionStatus(CaptionStatus {
                session_id: self.session.clone(),
                rung: *rung,
                message: (*text).to_owned(),
                timestamp: self.wall,
            }),
            Body::Ended(cause) => Message::SessionEnded(SessionEnded {
                session_id: self.session.clone(),
                reason: *cause,
                timestamp: self.wall,
            }),
        }
    }

    /// Milliseconds since the caption's last word was spoken.
    pub(crate) fn lag_ms(&self, rendered: &Rendered) -> u64 {
        self.clock.lag(rendered.shown.end_ms, self.now).unwrap_or(0)
    }

    fn caption(&self, rendered: &Rendered, catch_up: bool) -> Caption {
        let shown = &rendered.shown;
        let translated = shown.source != rendered.language;
        Caption {
            session_id: self.session.clone(),
            text: rendered.text.clone(),
            is_final: shown.is_final,
            language: rendered.language.clone(),
            timestamp: self.wall,
            segment_id: segment_id(self.generation, shown.segment),
            revision: rendered.revision,
            cursor: rendered.cursor,
            source_language: shown.source.clone(),
            source_text: translated.then(|| shown.text()),
            stable_words: rendered.stable_words,
            start_ms: shown.start_ms,
            end_ms: shown.end_ms,
            lag_ms: self.lag_ms(rendered),
            degraded: rendered.degraded,
            catch_up,
        }
    }
}
