//! What is written to our row, and when.

pub(crate) mod heartbeat;
pub(crate) mod status;
pub(crate) mod waiting;

use heartbeat::Heartbeat;

/// The writes, and what only the row is told.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) heartbeat: Heartbeat,
    /// Processor time, ms, and highest memory, bytes, of this process.
    pub(crate) resources: (u64, u64),
}
