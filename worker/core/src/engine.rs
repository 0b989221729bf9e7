//! The façade: one input in, decisions out.

use crate::config::EngineConfig;
use crate::input::Input;
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::Timestamp;
use std::collections::VecDeque;

/// One session's worker. After every input, poll until [`Output::Wait`].
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    wall_at_zero: Timestamp,
    now: MediaInstant,
    out: VecDeque<Output>,
}

impl Engine {
    /// A worker that has just begun; `wall_at_zero` is the wall time of [`MediaInstant`] 0.
    #[must_use]
    pub fn new(config: EngineConfig, wall_at_zero: Timestamp) -> Self {
        Self { config, wall_at_zero, now: MediaInstant(0), out: VecDeque::from([Output::ReadAudience]) }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _input: Input, now: MediaInstant) {
        self.now = self.now.max(now);
        let _ = self.wall_at_zero;
    }

    /// The next thing to do; [`Output::Wait`] when there is nothing more for now.
    pub fn poll(&mut self) -> Output {
        let until = self.now.plus_ms(self.config.timing.heartbeat_ms);
        self.out.pop_front().unwrap_or(Output::Wait(until))
    }
}
