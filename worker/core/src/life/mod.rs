//! Where the worker is in its life: start, lease, service and its rungs, end, and what the speaker is told of it.

pub(crate) mod ending;
pub(crate) mod ladder;
pub(crate) mod lease;
pub(crate) mod lifecycle;
pub(crate) mod notices;
pub mod start;

use crate::config::EngineConfig;
use ladder::Ladder;
use lease::Lease;
use lifecycle::Lifecycle;
use notices::Unheard;
use schemas::ids::Timestamp;

/// Where the worker is, and how much of the service it gives.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) cycle: Lifecycle,
    pub(crate) lease: Lease,
    pub(crate) ladder: Ladder,
    pub(crate) unheard: Unheard,
}

impl Life {
    pub(crate) fn new(config: &EngineConfig, process_at: Timestamp) -> Self {
        Self {
            cycle: Lifecycle::new(process_at),
            lease: Lease::default(),
            ladder: Ladder::of(config.generation),
            unheard: Unheard::default(),
        }
    }
}
