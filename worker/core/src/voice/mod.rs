//! The voice and the sound: what is measured of them, and what is told.

pub(crate) mod ear;
pub(crate) mod model;
pub(crate) mod sound;
#[cfg(test)]
mod sound_tests;
pub(crate) mod told;

use crate::config::EngineConfig;
use crate::cx::Cx;
use crate::time::MediaInstant;
use ear::Ear;
use model::Judge;

/// What listens to the voice.
#[derive(Debug)]
pub(crate) struct Voices {
    pub(crate) ear: Ear,
    /// The user's own model, where there is one.
    pub(crate) model: Judge,
}

impl Voices {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self { ear: Ear::new(config), model: Judge::new(config) }
    }
}

/// Rests with the speaker, and gives up a model that hangs.
pub(crate) fn run(cx: &mut Cx) {
    ear::rest(cx);
    cx.voice.model.advance(cx.now, &cx.config.timing, &mut cx.out);
}

/// When a model that hangs is given up.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    cx.voice.model.deadline(&cx.config.timing)
}
