//! What the worker is connected to: a speaker's browser, a signaling channel, a stream. One program, because each links all of AWS and WebRTC.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod audio_path;
mod foreign_master;
mod getmedia;
mod peers;
mod relay;
mod rivals;
mod signaling_life;
mod speaker;
mod turn;
mod turn_channel;
mod viewer;
