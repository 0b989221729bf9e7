//! From captions to connections: a queue per listener.

mod listeners;
pub(crate) mod message;
mod post;
pub(crate) mod posts;
mod queue;
pub(crate) mod reads;
mod speaker;
mod turns;

pub(crate) use post::{Body, Delivery};

use crate::time::MediaInstant;

/// Who listens, and what is on its way to them.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) delivery: Delivery,
    /// When the listeners are read next.
    read_at: MediaInstant,
    /// The read that is not answered yet.
    asked_at: Option<MediaInstant>,
    /// Since when nobody listens.
    nobody_since: Option<MediaInstant>,
}

impl Audience {
    /// How long nobody has listened, ms; `None` while somebody does.
    pub(crate) fn nobody_for(&self, now: MediaInstant) -> Option<u64> {
        self.delivery.nobody().then(|| self.nobody_since.map_or(0, |since| now.since(since)))
    }

    /// Notices that the last listener has gone, or the first has come.
    fn count(&mut self, now: MediaInstant) {
        self.nobody_since = self.delivery.nobody().then(|| self.nobody_since.unwrap_or(now));
    }
}
