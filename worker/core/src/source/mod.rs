//! How audio comes: a peer connection through the signaling channel, or a KVS stream that is read.

pub(crate) mod join;
pub(crate) mod link;
pub(crate) mod pace;
pub(crate) mod path;
pub(crate) mod reader;
