//! What one listener has still to get.

use super::post::Body;
use std::collections::VecDeque;

/// One message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) body: Body,
    /// Older, and sent to a listener who has just come.
    pub(crate) catch_up: bool,
    /// Attempts that failed.
    pub(crate) attempts: u32,
}

/// In order. Of a segment at most the newest partial waits, and none once its final does; of the facts of the voice only the
/// newest wait, so that they never hold up words.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Item>);

impl Queue {
    pub(crate) fn push(&mut self, item: Item) {
        if let Some(segment) = item.body.segment() {
            self.0.retain(|waiting| waiting.body.partial_of() != Some(segment));
        } else if let Body::Emotion(_) = item.body {
            self.0.retain(|waiting| !matches!(waiting.body, Body::Emotion(_)));
        }
        self.0.push_back(item);
    }
    /// Puts a message back that must be sent again, unless it is a partial: there will be a newer one.
    pub(crate) fn put_back(&mut self, item: Item) {
        if item.body.partial_of().is_none() {
            self.0.push_front(item);
        }
    }
    pub(crate) fn pop(&mut self) -> Option<Item> {
        self.0.pop_front()
    }
    /// Drops the partials: the listener is slow.
    pub(crate) fn coalesce(&mut self) {
        self.0.retain(|waiting| waiting.body.partial_of().is_none());
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
