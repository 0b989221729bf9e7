//! From what is to be posted to the message, at the moment of the post.

use crate::audience::Body;
use crate::hearing::SpokenClock;
use crate::text::{Rendered, Stable, begin_of};
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

/// The longest JSON that is posted, bytes: below [`WEBSOCKET_FRAME_BYTES`].
const MOST_BYTES: usize = WEBSOCKET_FRAME_BYTES - 1;
/// A character takes at most six bytes in JSON (an escaped control character), and the other fields less than 1 KiB.
const LONGEST_TEXT: usize = (MOST_BYTES - 1_024) / 6;

/// A caption that fits. Without the original beside it nearly all do. A final whose translation alone is too long becomes its
/// original, marked as such, which a segment has only so much of that it fits: nothing is cut off that is not said elsewhere.
/// Of a partial the end is left out: its final follows.
fn fit(caption: Caption) -> String {
    let json = |caption: &Caption| Message::Transcription(caption.clone()).to_json();
    let fits = |caption: &Caption| json(caption).len() <= MOST_BYTES;
    let alone = Caption { source_text: None, ..caption.clone() };
    if fits(&alone) {
        return json(&alone);
    }
    let original = |text| whole(Caption { text, translated: false, degraded: true, ..alone.clone() });
    let original = caption.source_text.filter(|_| caption.is_final).map(original);
    original.filter(fits).map_or_else(|| json(&shortened(alone)), |original| json(&original))
}

fn shortened(caption: Caption) -> Caption {
    let text = begin_of(&caption.text, LONGEST_TEXT).to_owned();
    let left = Stable::within(&text, text.len());
    let stable_chars = caption.stable_chars.map(|chars| chars.min(left.chars));
    Caption { stable_words: caption.stable_words.min(left.words), stable_chars, text, ..caption }
}

/// Nothing in it will change.
fn whole(caption: Caption) -> Caption {
    let Stable { words, chars } = Stable::whole(&caption.text);
    Caption { stable_words: words, stable_chars: Some(chars), ..caption }
}

/// Names a segment across all workers of a session.
pub(crate) fn segment_id(generation: Generation, segment: u64) -> String {
    format!("{generation}-{segment}")
}

impl Envelope<'_> {
    /// The JSON of the message, which fits one frame (see [`fit`]). A segment is cut after 15 s of speech or 3,000 bytes, so that
    /// hardly any caption has to be fitted.
    pub(crate) fn json(&self, body: &Body, catch_up: bool) -> String {
        let message = self.seal(body, catch_up);
        let json = message.to_json();
        match message {
            Message::Transcription(caption) if json.len() > MOST_BYTES => fit(caption),
            Message::Transcription(_) | Message::Emotion(_) | Message::CaptionStatus(_) | Message::SessionEnded(_) => {
                json
            }
        }
    }

    /// The message.
    fn seal(&self, body: &Body, catch_up: bool) -> Message {
        match body {
            Body::Caption(rendered) => Message::Transcription(self.caption(rendered, catch_up)),
            Body::Emotion(emotion) => Message::Emotion(Emotion {
                generation: Some(self.generation),
                timestamp: self.wall,
                ..(**emotion).clone()
            }),
            Body::Status(service) => Message::CaptionStatus(CaptionStatus {
                session_id: self.session.clone(),
                generation: Some(self.generation),
                rung: service.rung,
                cause: service.cause,
                message: service.sentence.to_owned(),
                timestamp: self.wall,
            }),
            Body::Ended(cause) => Message::SessionEnded(SessionEnded {
                session_id: self.session.clone(),
                generation: Some(self.generation),
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
            stable_words: rendered.stable.words,
            stable_chars: Some(rendered.stable.chars),
            start_ms: shown.start_ms,
            end_ms: shown.end_ms,
            lag_ms: self.lag_ms(rendered),
            translated: translated && !rendered.degraded,
            degraded: rendered.degraded,
            catch_up,
            revised: rendered.revised,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Snapshot;
    use crate::text::tests::items;
    use schemas::ids::Language;
    use std::sync::Arc;

    fn final_of(said: &str, text: &str) -> Rendered {
        let [en, hi] = ["en", "hi"].map(|l| Language::try_new(l).unwrap());
        let items = items(said, 0, 0);
        let shown =
            Snapshot { segment: 1, source: en, items, stable: 0, is_final: true, order: 1, start_ms: 0, end_ms: 1 };
        Rendered {
            shown: Arc::new(shown),
            language: hi,
            text: text.to_owned(),
            cursor: 1,
            revision: 1,
            stable: Stable::whole(text),
            degraded: false,
            catch_up: false,
            revised: false,
            mode: None,
        }
    }

    /// What is posted, which fits one frame.
    fn posted(rendered: Rendered) -> Caption {
        let envelope = Envelope {
            session: &SessionId::try_new("blessed-shepherd-123").unwrap(),
            generation: Generation(1),
            clock: &SpokenClock::default(),
            now: MediaInstant(0),
            wall: Timestamp(0),
        };
        let json = envelope.json(&Body::Caption(Arc::new(rendered)), false);
        assert!(json.len() < WEBSOCKET_FRAME_BYTES, "{}", json.len());
        let Message::Transcription(caption) = serde_json::from_str(&json).unwrap() else { panic!("{json}") };
        caption
    }

    #[test]
    fn a_translation_of_ten_thousand_bytes_is_posted_whole_with_its_original() {
        let (said, text) = ("word ".repeat(600), "नमस्ते ".repeat(526));
        assert!((9_900..=10_000).contains(&text.len()), "{}", text.len());
        let caption = posted(final_of(&said, &text));
        assert_eq!((caption.text, caption.source_text), (text, Some(said.trim_end().to_owned())));
    }

    #[test]
    fn a_translation_that_fills_a_frame_is_posted_whole_without_its_original() {
        let (said, text) = ("word ".repeat(600), "नमस्ते ".repeat(1_600));
        let caption = posted(final_of(&said, &text));
        assert_eq!((caption.text, caption.source_text, caption.degraded), (text, None, false));
    }

    #[test]
    fn a_translation_beyond_a_frame_gives_way_to_the_original_marked_as_such() {
        let said = "word ".repeat(600);
        for text in ["नमस्ते ".repeat(5_000), "\u{1}".repeat(40_000)] {
            let caption = posted(final_of(&said, &text));
            assert_eq!((caption.text.as_str(), caption.degraded, caption.translated), (said.trim_end(), true, false));
            assert_eq!(caption.stable_chars, Some(2_999), "it tells what is stable of the original");
        }
    }

    #[test]
    fn what_no_recogniser_says_fits_a_frame_all_the_same() {
        let caption = posted(final_of(&"\u{1}".repeat(40_000), &"\u{1}".repeat(40_000)));
        assert_eq!(caption.text.chars().count(), LONGEST_TEXT);
        assert_eq!(caption.stable_chars, Some(u32::try_from(LONGEST_TEXT).unwrap()));
    }
}
