//! From captions to connections: a track per language, a queue per listener.

mod audience;
mod post;
mod queue;
mod speaker;
mod track;
mod turns;

pub(crate) use post::{Body, Delivery};
pub(crate) use track::{Rendered, Track};
