//! What can be broken on purpose, and what has been delivered: `POST` and `GET` on `/mapping/faults` of the admin endpoint.

use serde::{Deserialize, Serialize};

/// Faults that are waiting to happen, and the poller's own pace. All off unless set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Faults {
    /// So many next batches are delivered twice, as streams may at any time.
    pub duplicate: u32,
    /// So many next deliveries are throttled before they reach the function.
    pub throttle: u32,
    /// A batch with a record of one of these sessions kills the function: the delivery fails as `Runtime.ExitError`.
    pub poison: Vec<String>,
    /// Nothing is delivered: the stream is late.
    pub hold: bool,
    /// Between two reads of the stream, ms. Lambda reads four times per second.
    pub poll_ms: u64,
    /// First pause after a failed delivery, ms; doubles up to 30 s. AWS does not state its own.
    pub retry_ms: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self { duplicate: 0, throttle: 0, poison: Vec::new(), hold: false, poll_ms: 250, retry_ms: 500 }
    }
}

/// What was done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Records read from the stream (again after a replay).
    pub read: u64,
    /// Records that no filter wanted.
    pub filtered: u64,
    /// Records that are done.
    pub done: u64,
    /// Deliveries that failed, in whole or in part.
    pub failed: u64,
    /// Records given up to the failure destination.
    pub given_up: u64,
    /// Times that the stream was begun again.
    pub replays: u64,
}
