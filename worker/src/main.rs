//! The process of one session: reads the environment, runs, exits with the engine's code. Or, begun by such a one, the process of its
//! model of the voice.

use schemas::worker::{EXIT_MISCONFIGURED, EXIT_NOT_STARTED};
use std::process::ExitCode;
use worker::config::Config;
use worker::io::model;
use worker::{run, telemetry};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(model::ARGUMENT) {
        return model::run(arguments);
    }
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => return misconfigured(&error),
    };
    let session = match telemetry::start(&config) {
        Ok(session) => session,
        Err(error) => return misconfigured(&error),
    };
    // Everything runs on this thread, so every line carries the session.
    let _entered = session.enter();
    let code = start(config).unwrap_or_else(|error| {
        tracing::error!(event = "not_started", detail = format!("{error:#}"));
        EXIT_NOT_STARTED
    });
    ExitCode::from(code)
}

fn start(config: Config) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(run::run(config))?)
}

fn misconfigured(error: &dyn std::error::Error) -> ExitCode {
    telemetry::start_without_config();
    tracing::error!(event = "not_started", detail = %error);
    ExitCode::from(EXIT_MISCONFIGURED)
}
