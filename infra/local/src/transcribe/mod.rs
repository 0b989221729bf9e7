//! Transcribe streaming: `StartStreamTranscription` over HTTP/1.1, with real recognition behind it.

mod engine;
mod faults;
mod frames;
mod hostile;
mod pocketsphinx;
mod request;
mod result;
mod script;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod whisper;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;

pub use crate::standin::Running;

/// What recognises.
#[derive(Debug, Clone)]
pub enum Recogniser {
    /// Whisper where its packages are installed, else PocketSphinx.
    Best {
        /// A Python that has either.
        python: PathBuf,
    },
    /// Whisper in one Python process.
    Whisper {
        /// A Python that has the packages of `infra/local/recogniser.txt`.
        python: PathBuf,
        /// The directory of a model of faster-whisper; else the small English one of the packages.
        model: Option<PathBuf>,
    },
    /// PocketSphinx in a Python process for each stream. English only.
    PocketSphinx {
        /// A Python that has `pocketsphinx==5.1.1`.
        python: PathBuf,
    },
    /// Results from a file, whatever is said: for fault tests that need an exact sequence.
    Scripted {
        /// JSON, see `script.rs`.
        file: PathBuf,
    },
}

/// The clocks and quotas of a stream; [`Limits::default`] is AWS's (Transcribe developer guide, General Reference).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A stream without audio ends after so long (15 s).
    pub idle: Duration,
    /// Longest stream (4 h).
    pub stream: Duration,
    /// Longest audio of one event (1 s).
    pub event_audio: Duration,
    /// Streams at the same time (25).
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: schemas::limits::TRANSCRIBE_IDLE,
            stream: schemas::limits::TRANSCRIBE_STREAM,
            event_audio: schemas::limits::TRANSCRIBE_EVENT_AUDIO,
            streams: 25,
        }
    }
}

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct TranscribeConfig {
    /// What recognises.
    pub recogniser: Recogniser,
    /// Region of the signatures.
    pub region: String,
    /// The only access key that is let in.
    pub access_key_id: String,
    /// Its secret: the chain of chunk signatures is recomputed with it.
    pub secret_access_key: String,
    /// Clocks and quotas.
    pub limits: Limits,
}

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener has no address.
    #[error("the listener for Transcribe is unusable: {0}")]
    Listen(#[from] std::io::Error),
    /// No recogniser.
    #[error(transparent)]
    Recogniser(#[from] engine::Error),
}

/// A recogniser that has come up, so that it is known before the first word is lost.
#[derive(Debug)]
pub struct Ready(engine::Engine);

impl Ready {
    /// Starts it.
    ///
    /// # Errors
    /// When it can't be started.
    pub async fn start(recogniser: &Recogniser) -> Result<Self, Error> {
        Ok(Self(engine::Engine::start(recogniser).await?))
    }

    /// The product's languages that it understands, English first.
    pub fn spoken(&self) -> Vec<String> {
        self.0.spoken()
    }

    /// Name, version and model: who listens.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Whether it is the small one, because the good one could not be had.
    pub fn is_fallback(&self, asked: &Recogniser) -> bool {
        matches!((asked, &self.0), (Recogniser::Best { .. }, engine::Engine::Pocketsphinx(_)))
    }
}

/// Serves `POST /stream-transcription`, and `/_local/faults` to break it (see `faults.rs`).
///
/// # Errors
/// When the recogniser can't be started.
pub async fn serve(listener: TcpListener, config: TranscribeConfig) -> Result<Running, Error> {
    let ready = Ready::start(&config.recogniser).await?;
    serve_with(listener, ready, config)
}

/// The same, with a recogniser that has come up.
///
/// # Errors
/// When the listener is unusable.
pub fn serve_with(listener: TcpListener, Ready(engine): Ready, config: TranscribeConfig) -> Result<Running, Error> {
    let mut running = Running::new(listener.local_addr()?);
    tracing::info!(engine = engine.name(), url = running.url(), "Transcribe stands in");
    let router = server::router(engine, config, &running);
    running.serve(listener, router);
    Ok(running)
}
