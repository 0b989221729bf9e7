//! Translate: `TranslateText`, with real translation by Apertium behind it.

mod apertium;
mod cbor;
mod faults;
mod languages;
mod server;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
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

impl TranslateConfig {
    /// The languages, in two letters, that the installed engines make of `source`.
    pub fn translated_from(&self, source: &str) -> Vec<String> {
        let modes = installed(self);
        let reached = |code: &&str| *code != source && languages::route(&modes, source, code).is_some();
        codes().filter(reached).map(str::to_owned).collect()
    }
}

/// Who translates in Amazon Translate's place.
pub const ENGINE: &str = "Apertium";

/// Translate's codes of two letters, as listeners choose them.
pub fn codes() -> impl Iterator<Item = &'static str> {
    languages::CODES.split_whitespace().filter(|code| code.len() == 2)
}

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener has no address.
    #[error("the listener for Translate is unusable: {0}")]
    Listen(#[from] std::io::Error),
    /// A pair to warm has an engine that does not start.
    #[error(transparent)]
    Engine(#[from] apertium::Error),
}

/// Serves `TranslateText` at `POST /`, and `/_local/faults` to break it (see `faults.rs`).
///
/// A pair that no installed engine has is not an error: its text comes back marked, `⟦de⟧ …`.
///
/// # Errors
/// When a pair to warm can't be started.
pub async fn serve(listener: TcpListener, config: TranslateConfig) -> Result<Running, Error> {
    let modes = installed(&config);
    let warm = config.warm.clone();
    let names: Vec<String> = modes.iter().map(|(from, to)| format!("{from}-{to}")).collect();
    let engine = apertium::name().await;
    let service = Arc::new(server::Service::new(engine.clone(), config, modes));
    for (source, target) in warm {
        service.warm(&source, &target).await?;
    }
    let mut running = Running::new(listener.local_addr()?);
    tracing::info!(engine, modes = names.join(" "), url = running.url(), "Translate stands in");
    running.serve(listener, server::router(service));
    Ok(running)
}

/// The engines that are there; without Apertium, none.
fn installed(config: &TranslateConfig) -> BTreeSet<languages::Mode> {
    let Ok(files) = std::fs::read_dir(&config.modes) else {
        tracing::warn!(modes = %config.modes.display(), "no Apertium: all translations will be marked as untranslated");
        return BTreeSet::new();
    };
    files.flatten().filter_map(|file| languages::mode(&file.file_name().to_string_lossy())).collect()
}
