//! One session's worker, without a socket or a clock.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | the façade: `handle(Input, now)`, `poll() -> Output` |
//! | [`config`] | what a worker is told at its start |
//! | [`input`] | everything that can happen |
//! | [`output`] | everything that can be wanted |
//! | [`time`] | the clock, which is an input |

pub mod config;
pub mod engine;
pub mod input;
pub mod output;
pub mod time;

pub use config::EngineConfig;
pub use engine::Engine;
