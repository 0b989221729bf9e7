//! From RTP packets to 16 kHz mono audio without a gap: pure, no socket, no clock.
//!
//! | module | what |
//! |---|---|
//! | [`packet`] | what an RTP payload says of itself: Opus duration and FEC, RED blocks |
//! | [`jitter`] | order, redundancy, loss, gaps |
//! | `sender` | one sender's counters and clock |
//! | `meter` | bits per second |
//! | [`opus`] | the decoder |
//! | [`receiver`] | the three together: packets in, [`worker_core::input::AudioFrame`]s out |

pub mod jitter;
mod meter;
pub mod opus;
pub mod packet;
pub mod receiver;
mod sender;

pub use packet::RtpAudio;
pub use receiver::AudioReceiver;
