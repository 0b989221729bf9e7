//! From captions to connections: a queue per listener.

mod listeners;
pub(crate) mod message;
mod post;
mod queue;
mod speaker;
mod turns;

pub(crate) use post::{Body, Delivery};
