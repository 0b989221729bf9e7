//! JSON logs, one line per fact, and the wall clock.

use crate::memory::Memory;
use schemas::ids::Timestamp;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard output; `LOG_LEVEL` takes the syntax of tracing's env-filter and is `info` when absent.
pub fn init() {
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(true);
    let started = logs.with_env_filter(filter).with_target(false).try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "logging was already started");
    }
}

/// Writes the metrics of the invocation that ends, as a line of their own: the log group reads them from it.
pub fn write_metrics(memory: &Memory, environment: &str) {
    let (metrics, session) = memory.take_metrics();
    let Some(line) = metrics.line(environment, session.as_deref(), wall_clock()) else { return };
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        tracing::debug!(%error, "the metrics could not be written");
    }
}

/// What this process is called: by Lambda, as its log stream; elsewhere by its number.
#[must_use]
pub fn process_name() -> String {
    std::env::var("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_else(|_| format!("process {}", std::process::id()))
}

/// The time now.
#[must_use]
pub fn wall_clock() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
