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
}
