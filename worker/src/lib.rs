//! One session's worker: the shell around [`worker_core::Engine`]. It translates and decides nothing.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | the environment, parsed once, and what the session asks of its captions |
//! | `begin` | the first look at the row, and the claim after a crash |
//! | [`run`] | the start, and the one loop |
//! | [`shell`] | executes what the engine wants |
//! | [`source`] | where audio comes from: the next two, behind one face |
//! | [`media`] | RTP packets to audio, pure |
//! | [`ingest`] | what GetMedia sends to audio, pure |
//! | [`io`] | signaling, peer, Transcribe, Translate, the gateway, the tables |
//! | [`telemetry`] | logs |

mod begin;
pub mod config;
pub mod ingest;
pub mod io;
pub mod languages;
pub mod media;
pub mod metrics;
pub mod run;
pub mod shell;
pub mod source;
pub mod telemetry;
