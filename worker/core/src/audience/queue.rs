//! What one listener has still to get.

use super::body::Body;
use crate::text::Rendered;
use std::collections::VecDeque;
use std::sync::Arc;

/// One message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) body: Body,
    /// Older, and sent to a listener who has just come.
    pub(crate) catch_up: bool,
    /// Attempts that failed.
    pub(crate) attempts: u32,
}

/// In order. Of a segment at most the newest partial waits, and none once its final does; of a final the latest wording. How something was said waits behind
/// all words, and of it at most one for a segment and one for a second: the newest.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Item>);

impl Queue {
    pub(crate) fn push(&mut self, item: Item) {
        if let Some(segment) = item.body.segment() {
            self.0.retain(|waiting| waiting.body.partial_of() != Some(segment));
        } else if let Some(of_segment) = item.body.emotion_of_segment() {
            self.0.retain(|waiting| waiting.body.emotion_of_segment() != Some(of_segment));
        } else if matches!(item.body, Body::Status(..) | Body::Ended(_)) {
            // Either may be the last that a listener hears of this worker.
            self.0.retain(|waiting| waiting.body.emotion_of_segment().is_none());
        }
        self.0.push_back(item);
    }
    /// A final is worded anew: in the place of the first wording while that waits, else behind all.
    pub(crate) fn revise(&mut self, revised: &Arc<Rendered>) {
        let first = |waiting: &&mut Item| waiting.body.final_of() == Some((&revised.language, revised.cursor));
        if let Some(waiting) = self.0.iter_mut().find(first) {
            waiting.body = Body::Caption(revised.clone());
            return;
        }
        let rendered = Rendered { revised: true, ..(**revised).clone() };
        self.push(Item { body: Body::Caption(Arc::new(rendered)), catch_up: revised.catch_up, attempts: 0 });
    }
    /// Puts a message back that must be sent again, unless it is fleeting: there will be a newer one.
    pub(crate) fn put_back(&mut self, item: Item) {
        if !item.body.is_fleeting() {
            self.0.push_front(item);
        }
    }
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let words = self.0.iter().position(|waiting| waiting.body.emotion_of_segment().is_none());
        self.0.remove(words.unwrap_or(0))
    }
    /// Drops what is fleeting: the listener is slow.
    pub(crate) fn coalesce(&mut self) {
        self.0.retain(|waiting| !waiting.body.is_fleeting());
    }
    /// Drops the captions: the listener has chosen another language. The cursor of the first final among them.
    pub(crate) fn drop_captions(&mut self) -> Option<u64> {
        let first = self.0.iter().find_map(|waiting| waiting.body.final_of()).map(|(_, cursor)| cursor);
        self.0.retain(|waiting| waiting.body.segment().is_none());
        first
    }
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::ladder::Service;
    use crate::text::Snapshot;
    use schemas::ids::{Language, SessionId, Timestamp};
    use schemas::message::Emotion;
    use schemas::reason::Cause;
    use schemas::worker::Rung;

    fn item(body: Body) -> Item {
        Item { body, catch_up: false, attempts: 0 }
    }
    fn emotion(segment: Option<&str>) -> Item {
        let voice =
            crate::voice::told::told(&crate::voice::told::tests::excited(), crate::config::EmotionMode::Acoustic);
        item(Body::Emotion(Arc::new(Emotion {
            version: Emotion::VERSION,
            session_id: SessionId::try_new("s").unwrap(),
            generation: None,
            segment_id: segment.map(str::to_owned),
            timestamp: Timestamp(0),
            voice: voice.unwrap(),
        })))
    }
    fn status() -> Item {
        item(Body::Status(Service { rung: Rung::Paused, cause: None, sentence: "" }))
    }
    fn caption() -> Item {
        let language = Language::try_new("en").unwrap();
        let items = crate::text::tests::items("amen", 0, 0);
        let shown = Snapshot {
            segment: 1,
            source: language.clone(),
            items,
            stable: 0,
            is_final: true,
            order: 1,
            start_ms: 0,
            end_ms: 300,
        };
        let (text, degraded, catch_up) = ("amen".to_owned(), false, false);
        let shown = Arc::new(shown);
        let (revised, mode) = (false, None);
        let rendered = Rendered {
            shown,
            language,
            text,
            cursor: 1,
            revision: 1,
            stable: crate::text::Stable::default(),
            degraded,
            catch_up,
            revised,
            mode,
        };
        item(Body::Caption(Arc::new(rendered)))
    }
    fn order(mut queue: Queue) -> Vec<String> {
        let name = |item: Item| match item.body {
            Body::Emotion(emotion) => emotion.segment_id.clone().unwrap_or_else(|| "second".into()),
            Body::Status(..) => "status".into(),
            Body::Ended(_) => "ended".into(),
            Body::Caption(_) => "caption".into(),
        };
        std::iter::from_fn(|| queue.pop()).map(name).collect()
    }

    #[test]
    fn how_something_was_said_waits_behind_words_and_only_the_newest_of_it() {
        let mut queue = Queue::default();
        [emotion(Some("1-1")), emotion(None), emotion(Some("1-2")), caption(), emotion(None), caption()]
            .into_iter()
            .for_each(|item| queue.push(item));
        assert_eq!(order(queue), ["caption", "caption", "1-2", "second"]);
    }

    #[test]
    fn who_waits_for_an_original_still_gets_its_translation_in_its_place_and_who_has_it_gets_a_revision() {
        let Body::Caption(original) = caption().body else { panic!() };
        let translation = Arc::new(Rendered { text: "así sea".into(), revision: 2, ..(*original).clone() });
        let told = |mut queue: Queue| {
            queue.revise(&translation);
            let text = |item: Item| match item.body {
                Body::Caption(rendered) => (rendered.text.clone(), rendered.revised),
                Body::Emotion(_) | Body::Status(..) | Body::Ended(_) => ("other".into(), false),
            };
            std::iter::from_fn(|| queue.pop()).map(text).collect::<Vec<_>>()
        };
        let mut queue = Queue::default();
        queue.push(caption());
        queue.push(status());
        assert_eq!(told(queue), [("así sea".into(), false), ("other".into(), false)]);
        assert_eq!(told(Queue::default()), [("así sea".into(), true)]);
    }

    #[test]
    fn nothing_follows_the_last_word_of_a_worker() {
        let mut queue = Queue::default();
        [emotion(None), caption(), emotion(Some("1-1")), item(Body::Ended(Cause::SessionEnded))]
            .into_iter()
            .for_each(|item| queue.push(item));
        assert_eq!(order(queue), ["caption", "ended"]);
        let mut queue = Queue::default();
        [emotion(None), status()].into_iter().for_each(|item| queue.push(item));
        assert_eq!(order(queue), ["status"]);
    }

    #[test]
    fn a_slow_listener_gets_no_emotion_twice() {
        let mut queue = Queue::default();
        queue.put_back(emotion(None));
        assert!(queue.is_empty());
        queue.push(emotion(Some("1-1")));
        queue.coalesce();
        assert!(queue.is_empty());
    }
}
