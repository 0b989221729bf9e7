//! The pure parts of the worker that bytes from outside reach, without the SDKs that they do not need: built in minutes, not in half an hour.

#[path = "../../../worker/src/ingest/mod.rs"]
pub mod ingest;
#[path = "../../../worker/src/media/mod.rs"]
pub mod media;
#[path = "../../../worker/src/io/peer/sdp.rs"]
pub mod sdp;

/// As in the worker.
pub mod io {
    /// As in the worker.
    pub mod peer {
        pub use crate::sdp;
    }
}
