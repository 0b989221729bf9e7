//! The platform's wish that the process ends.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when SIGTERM (ECS, Spot) or SIGINT (a terminal) comes.
///
/// # Errors
/// When the handlers cannot be installed.
pub async fn terminate() -> std::io::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
