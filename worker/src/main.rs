//! The process of one session: reads the environment, runs, exits with the engine's code.

use std::process::ExitCode;
use worker::config::Config;
use worker::{run, telemetry};

/// The configuration is wrong; another launch would fail the same way.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    match start() {
        Ok(code) => ExitCode::from(code),
        Err((code, error)) => {
            tracing::error!(event = "not_started", detail = format!("{error:#}"));
            ExitCode::from(code)
        }
    }
}

fn start() -> Result<u8, (u8, anyhow::Error)> {
    let config = Config::read(|name| std::env::var(name).ok()).map_err(|error| {
        telemetry::start_without_config();
        (MISCONFIGURED, error.into())
    })?;
    let session = telemetry::start(&config).map_err(|error| {
        telemetry::start_without_config();
        (MISCONFIGURED, anyhow::Error::from(error))
    })?;
    // Everything runs on this thread, so every line carries the session.
    let _entered = session.enter();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| (1, error.into()))?;
    runtime.block_on(run::run(config)).map_err(|error| (1, error.into()))
}
