//! One session's worker: the shell around [`worker_core::Engine`].

pub mod media;
