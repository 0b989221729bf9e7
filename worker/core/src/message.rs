//! From what is to be posted to the message, at the moment of the post.

use crate::audio::SpokenClock;
use crate::deliver::{Body, Rendered};
use crate::time::MediaInstant;
use schemas::ids::{Generation, SessionId, Timestamp};
use schemas::limits::WEBSOCKET_FRAME_BYTES;
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

/// A character takes at most six bytes in JSON (an escaped control character), and the other fields less than 1 KiB.
const LONGEST_TEXT: usize = (WEBSOCKET_FRAME_BYTES - 1_024) / 6;

fn shorten(caption: Caption) -> Message {
    let text = caption.text.chars().take(LONGEST_TEXT).collect();
    Message::Transcription(Caption { text, source_text: None, ..caption })
}

/// Names a segment across all workers of a session.
pub(crate) fn segment_id(generation: Generation, segment: u64) -> String {
    format!("{generation}-{segment}")
}

impl Envelope<'_> {
    /// The JSON of the message, which fits one frame: of a caption that does not, the original is left out, then the end
    /// of the text. A segment is cut after 15 s of speech, so neither is ever seen.
    pub(crate) fn json(&self, body: &Body, catch_up: bool) -> String {
        let message = self.seal(body, catch_up);
        let json = message.to_json();
        match message {
            Message::Transcription(caption) if json.len() > WEBSOCKET_FRAME_BYTES => shorten(caption).to_json(),
            Message::Transcription(_) | Message::Emotion(_) | Message::CaptionStatus(_) | Message::SessionEnded(_) => {
                json
            }
        }
    }

    /// The message.
    fn seal(&self, body: &Body, catch_up: bool) -> Message {
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
            generation: self.generation,
            source_language: shown.source.clone(),
            source_text: translated.then(|| shown.text()),
            stable_words: rendered.stable_words,
            start_ms: shown.start_ms,
            end_ms: shown.end_ms,
            lag_ms: self.lag_ms(rendered),
            translated: translated && !rendered.degraded,
            degraded: rendered.degraded,
            catch_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captions::Snapshot;
    use crate::captions::tests::words;
    use schemas::ids::Language;
    use std::sync::Arc;

    #[test]
    fn a_caption_fits_a_frame_however_long_its_text_is() {
        let [en, es] = ["en", "es"].map(|l| Language::try_new(l).unwrap());
        for (said, text) in
            [("word ".repeat(3_000), "palabra \u{1}".repeat(3_000)), ("word".into(), "\u{1}".repeat(40_000))]
        {
            let words = words(&said, 0, 0);
            let shown =
                Snapshot { segment: 1, source: en.clone(), words, stable: 0, is_final: true, start_ms: 0, end_ms: 1 };
            let rendered = Rendered {
                shown: Arc::new(shown),
                language: es.clone(),
                text,
                cursor: 1,
                revision: 1,
                stable_words: 0,
                degraded: false,
                catch_up: false,
            };
            let envelope = Envelope {
                session: &SessionId::try_new("blessed-shepherd-123").unwrap(),
                generation: Generation(1),
                clock: &SpokenClock::default(),
                now: MediaInstant(0),
                wall: Timestamp(0),
            };
            let json = envelope.json(&Body::Caption(Arc::new(rendered)), false);
            assert!(json.len() <= WEBSOCKET_FRAME_BYTES, "{}", json.len());
        }
    }
}
