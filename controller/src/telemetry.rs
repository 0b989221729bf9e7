//! JSON logs, one line per fact, and the wall clock.

use schemas::ids::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard output; `LOG_LEVEL` takes the syntax of tracing's env-filter and is `info` when absent.
pub fn init() {
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let started = logs.with_env_filter(filter).with_target(false).try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "logging was already started");
    }
}

/// The time now.
#[must_use]
pub fn wall_clock() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
