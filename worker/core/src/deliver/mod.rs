//! From captions to connections: a track per language, a queue per listener.

mod audience;
mod post;
mod queue;
mod track;

pub(crate) use post::{Body, Delivery};
pub(crate) use track::{Rendered, Track};
