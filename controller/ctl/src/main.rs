//! `sessionctl`: see what runs and why, and rehearse a session.

use clap::Parser;
use sessionctl::cli::Cli;
use sessionctl::error::CtlError;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Logs of the libraries: only what an operator must know; LOG_LEVEL opens more.
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOG_LEVEL")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match sessionctl::commands::run(cli).await {
        Ok(code) => ExitCode::from(code),
        // `sessionctl list | head`: whoever reads has had enough.
        Err(CtlError::Output(e)) if e.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "sessionctl: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
