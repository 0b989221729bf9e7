//! What is written to our row, and when.

pub(crate) mod heartbeat;
mod status;
pub(crate) mod waiting;
