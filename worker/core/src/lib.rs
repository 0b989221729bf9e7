//! One session's worker, without a socket or a clock.
//!
//! | module | what |
//! |---|---|
//! | [`start`] | what a process that has just begun does with its session's row |
//! | [`engine`] | the façade: `handle(Input, now)`, `poll() -> Output` |
//! | [`config`] | what a worker is told at its start |
//! | [`input`] | everything that can happen |
//! | [`output`] | everything that can be wanted |
//! | [`time`] | the clock, which is an input |
//! | `lifecycle` `ending` | where the worker is in its life, and how it ends |
//! | `join` | signaling and the peer connection |
//! | `reader` | reading a KVS stream instead |
//! | `audio/` | the last half minute of audio, when it was spoken, loudness and speech |
//! | `transcribe/` | the one stream, replay, media time, backoff |
//! | `captions/` | segments, stable words, finals |
//! | `translate/` | requests in flight, retries, policies for partials |
//! | `deliver/` | a track with cursors per language, a queue per listener |
//! | `flow` | what each part hands to the next |
//! | `notices` | what the speaker is told |
//! | `voice` `emotion` | the voice: its analysis, and what is told of it |
//! | `quality` `degrade` | lag and erasure; how much of the service is given |
//! | `heartbeat` `status` `waiting` | when and what is written to our row |

pub mod config;
pub mod engine;
pub mod input;
pub mod output;
pub mod start;
pub mod time;

mod audio;
mod captions;
mod degrade;
mod deliver;
mod emotion;
mod ending;
mod flow;
mod heartbeat;
mod join;
mod judge;
mod lifecycle;
mod link;
mod message;
mod notices;
mod outbox;
mod pace;
mod path;
mod quality;
mod reader;
mod status;
mod transcribe;
mod translate;
mod voice;
mod waiting;

pub use config::EngineConfig;
pub use engine::Engine;
pub use worker_emotion::Affect;
