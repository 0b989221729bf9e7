//! Translate: `TranslateText`, with real translation behind it: by models of the user's own where there are some, else by Apertium.

mod apertium;
mod cbor;
mod faults;
mod flores;
mod languages;
mod models;
mod neural;
mod offer;
mod server;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use crate::standin::Running;
pub use models::{Models, Unusable};
pub use offer::{Offer, Served};

/// The speaker's language for which languages are offered: the one that the local recogniser surely has.
const SOURCE: &str = "en";

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct TranslateConfig {
    /// Where Apertium's mode files are (`/usr/share/apertium/modes`).
    pub modes: PathBuf,
    /// A directory of CTranslate2 models (see `models.rs`) that come before Apertium.
    pub models: Option<PathBuf>,
    /// A Python that has `ctranslate2` and `sentencepiece`, for them.
    pub python: PathBuf,
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
            models: None,
            python: PathBuf::from("python3"),
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
    /// A pair to warm has an engine that does not start.
    #[error(transparent)]
    Engine(#[from] apertium::Error),
    /// The directory of models.
    #[error(transparent)]
    Models(#[from] Unusable),
    /// What runs them.
    #[error(transparent)]
    Neural(#[from] neural::Error),
}

/// Serves `TranslateText` at `POST /`, and `/_local/faults` to break it (see `faults.rs`); tells what it offers to a speaker of English.
///
/// A pair that no installed engine has is not an error: its text comes back marked, `⟦de⟧ …`.
///
/// # Errors
/// When a pair to warm can't be started, or the models of the user's own can't be used.
pub async fn serve(listener: TcpListener, config: TranslateConfig) -> Result<(Running, Offer), Error> {
    let modes = installed(&config.modes);
    let models = config.models.as_deref().map(Models::read).transpose()?;
    let warm = config.warm.clone();
    let names: Vec<String> = modes.iter().map(|(from, to)| format!("{from}-{to}")).collect();
    let engine = apertium::name().await;
    let models = match models {
        Some(models) => Some((models, neural::Neural::start(config.python.clone(), config.patience).await?)),
        None => None,
    };
    let offer = Offer::of(
        SOURCE,
        models.as_ref().map(|(models, neural)| (neural.name.as_str(), models)),
        (engine.as_str(), &modes),
    );
    let own = models.as_ref().map(|(models, _)| models.names().join(" ")).unwrap_or_default();
    let service = Arc::new(server::Service::new(engine.clone(), config, modes, models));
    for (source, target) in warm {
        service.warm(&source, &target).await?;
    }
    let mut running = Running::new(listener.local_addr()?);
    tracing::info!(engine, modes = names.join(" "), models = own, url = running.url(), "Translate stands in");
    running.serve(listener, server::router(service));
    Ok((running, offer))
}

/// What a directory of models and the installed Apertium offer to a speaker of English, without starting anything.
///
/// # Errors
/// When the directory can't be used.
pub fn offered(models: Option<&Path>, engine: &str) -> Result<Offer, Unusable> {
    let models = models.map(Models::read).transpose()?;
    let modes = installed(&TranslateConfig::default().modes);
    Ok(Offer::of(SOURCE, models.as_ref().map(|models| (engine, models)), ("Apertium", &modes)))
}

/// The engines of Apertium that are there; without Apertium, none.
fn installed(modes: &Path) -> BTreeSet<languages::Mode> {
    let Ok(files) = std::fs::read_dir(modes) else {
        tracing::warn!(modes = %modes.display(), "no Apertium: what no model of your own translates will be marked as untranslated");
        return BTreeSet::new();
    };
    files.flatten().filter_map(|file| languages::mode(&file.file_name().to_string_lossy())).collect()
}
