//! One session's worker, without a socket or a clock.
//!
//! | module | what |
//! |---|---|
//! | [`start`] | what a process that has just begun does with its session's row |
//! | [`engine`] | the façade: `handle(Input, now)`, `poll() -> Output` |
//! | `cx` | everything that is known, by the concern that owns it |
//! | [`config`] | what a worker is told at its start |
//! | [`input`] | everything that can happen |
//! | [`output`] | everything that can be wanted |
//! | [`time`] | the clock, which is an input |
//! | `source/` | how audio comes: signaling and the peer connection, or a KVS stream that is read |
//! | `hearing/` | the last half minute of audio, when it was spoken, whether it is speech; the transcription stream, replay, media time, backoff |
//! | `text/` | segments, stable words, commits, finals; a track with cursors per language; translation; what each part hands to the next |
//! | `audience/` | who listens, a queue per listener, posts; the speaker's line |
//! | `voice/` | the voice and the sound: their analysis, and what is told of them |
//! | `row/` | when and what is written to our row |
//! | `life/` | where the worker is in its life, how much of the service is given, how it ends, what the speaker is told |

pub mod config;
pub mod engine;
pub mod input;
pub mod output;
pub mod time;

mod audience;
mod cx;
mod hearing;
mod life;
mod outbox;
mod row;
mod source;
mod text;
mod voice;

pub use config::EngineConfig;
pub use engine::Engine;
pub use life::start;
pub use worker_emotion::Affect;
