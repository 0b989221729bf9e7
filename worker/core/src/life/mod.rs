//! Where the worker is in its life: start, service and its rungs, end, and what the speaker is told of it.

mod ending;
pub(crate) mod ladder;
pub(crate) mod lifecycle;
pub(crate) mod notices;
pub mod start;
