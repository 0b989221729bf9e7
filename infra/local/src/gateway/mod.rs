//! The management endpoint of the WebSocket API: passes posts on to the emulator, and can refuse or hold up those to one
//! connection, as API Gateway does when a client is gone, reads slowly, or the rate is spent. The emulator itself never does.

mod faults;
mod server;
#[cfg(test)]
mod tests;

use tokio::net::TcpListener;

pub use crate::standin::Running;

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener has no address.
    #[error("the listener for the WebSocket API's management endpoint is unusable: {0}")]
    Listen(#[from] std::io::Error),
}

/// Serves every path but `/_local/faults` (see `faults.rs`) by asking `emulator` the same.
///
/// # Errors
/// When the listener is unusable.
pub fn serve(listener: TcpListener, emulator: String) -> Result<Running, Error> {
    let mut running = Running::new(listener.local_addr()?);
    tracing::info!(url = running.url(), "the WebSocket API's management endpoint can be broken");
    running.serve(listener, server::router(emulator));
    Ok(running)
}
