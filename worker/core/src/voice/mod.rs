//! The voice and the sound: what is measured of them, and what is told.

mod ear;
pub(crate) mod model;
pub(crate) mod sound;
#[cfg(test)]
mod sound_tests;
pub(crate) mod told;

pub(crate) use ear::Ear;
