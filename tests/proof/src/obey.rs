//! What a worker does with the row that it reads at a heartbeat.

use schemas::ids::{Generation, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::Phase;
use schemas::worker::{Desired, WorkerRow};

/// Whether the row is this generation's worker's to write: neither another's, nor final, nor given up for the next launch.
pub fn holds(row: &WorkerRow, generation: Generation) -> bool {
    row.generation == generation && !row.phase.is_final() && row.phase != Phase::Queued
}

/// What the row wants; a row without an intent wants nobody.
pub fn desired(row: &WorkerRow) -> Desired {
    row.intent.as_ref().map_or(Desired::Stop, |intent| intent.desired)
}

/// Lets the row say that the worker does what it wants, unless it says so already or is `Draining`; whether it was written.
pub fn obey(row: &mut WorkerRow, now: Timestamp) -> bool {
    let (phase, cause) = match desired(row) {
        Desired::Run | Desired::Stop | Desired::HandOver { .. } => (Phase::Live, Cause::SessionActive),
        Desired::Pause => (Phase::Paused, Cause::SessionPaused),
    };
    let news = row.phase != phase && row.phase != Phase::Draining;
    if news {
        row.phase = phase;
        row.phase_since = now;
        row.why = Why::new(cause, "the worker says so", now);
    }
    news
}
