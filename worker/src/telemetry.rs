//! Logs: one JSON object per line on standard output, each with the session and the generation.

use crate::config::Config;
use std::io::Write;
use tracing_subscriber::EnvFilter;

/// Libraries that say at INFO what no operator wants to know.
const QUIET: &str = "aws_config=warn,aws_credential_types=warn,aws_runtime=warn,aws_smithy_runtime=warn,aws_smithy_http_client=warn,\
                     aws_smithy_runtime_api=warn,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,tungstenite=warn,tokio_tungstenite=warn,reqwest=warn";

/// `LOG_LEVEL` is not a filter.
#[derive(Debug, thiserror::Error)]
#[error("LOG_LEVEL={value:?}: {why}; give a level (info, debug) or filters as tracing writes them (info,worker=debug)")]
pub struct BadLevel {
    value: String,
    why: String,
}

/// Starts logging; the span that it gives names the session and must stay entered while the worker runs.
///
/// # Errors
/// [`BadLevel`] when the filter cannot be read.
pub fn start(config: &Config) -> Result<tracing::Span, BadLevel> {
    // Filters of one's own replace ours: whoever writes them wants to see what they ask for.
    let level = &config.log_level;
    let filter = if level.contains(['=', ',']) { level.clone() } else { format!("{level},{QUIET}") };
    let filter = EnvFilter::try_new(filter).map_err(|e| BadLevel { value: level.clone(), why: e.to_string() })?;
    start_with(filter);
    Ok(tracing::info_span!("session", sessionId = %config.session, generation = config.generation.0))
}

/// Writes a line as it is, beside the log's own.
pub fn line(line: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        tracing::warn!(%error, "a line of metrics is lost");
    }
}

/// Starts logging before there is a configuration, for the error that says why there is none.
pub fn start_without_config() {
    start_with(EnvFilter::new("info"));
}

fn start_with(filter: EnvFilter) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .finish();
    // A second start (tests) keeps the first.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
