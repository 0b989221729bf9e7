//! From the bytes of GetMedia to 16 kHz mono audio without a gap, at the pace of speech: pure, no socket, no clock.
//!
//! | module | what |
//! |---|---|
//! | [`mkv`] | Matroska documents, and the tags of the service |
//! | [`codec`] | Opus, AAC, G.711 and PCM of any rate to 16 kHz mono |
//! | [`fragments`] | where reading goes on after a break, without a frame lost or doubled |
//! | [`timeline`] | media time out of the producer's clock |
//! | [`pace`] | fragments come in bursts, speech does not |
//! | [`receiver`] | all together: bytes in, [`worker_core::input::AudioFrame`]s out |

pub mod codec;
pub mod fragments;
pub mod mkv;
pub mod pace;
pub mod receiver;
pub mod timeline;

#[cfg(test)]
mod tests;

pub use fragments::Start;
pub use receiver::StreamReceiver;
