//! What recognises: PocketSphinx for real, or a script.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Recogniser;
use super::pocketsphinx::Pocketsphinx;
use super::result::Heard;
use super::script::Script;

/// Samples per second that the recognisers take.
pub const RATE: u32 = 16_000;

/// What comes from a recogniser.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Words.
    Heard(Heard),
    /// It broke.
    Broken(String),
}

/// One stream's recogniser. Dropping `audio` says that there is no more; then `told` ends with the last words.
#[derive(Debug)]
pub struct Ears {
    /// Audio to hear: 16 kHz mono PCM, signed 16 bit little-endian.
    pub audio: mpsc::UnboundedSender<Bytes>,
    /// What is understood.
    pub told: mpsc::UnboundedReceiver<Told>,
}

/// Why no recogniser could be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process did not start.
    #[error("could not start {program}: {source}; install Python 3.10 or newer, or correct the path")]
    Start {
        /// What was to be run.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The process started but is no recogniser.
    #[error("the recogniser did not come up ({0}); install it with: pip install pocketsphinx==5.1.1")]
    NotReady(String),
    /// The script can't be read.
    #[error("the recogniser's script {file} is unusable: {why}")]
    Script {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
}

/// The recogniser of all streams.
#[derive(Debug)]
pub enum Engine {
    /// For real.
    Pocketsphinx(Pocketsphinx),
    /// By script.
    Scripted(Script),
}

impl Engine {
    /// Starts it, so far that the first stream need not wait.
    pub async fn start(recogniser: &Recogniser) -> Result<Self, Error> {
        match recogniser {
            Recogniser::PocketSphinx { python } => Ok(Self::Pocketsphinx(Pocketsphinx::start(python.clone()).await?)),
            Recogniser::Scripted { file } => Ok(Self::Scripted(Script::read(file)?)),
        }
    }

    /// Name and version, for logs.
    pub fn name(&self) -> &str {
        match self {
            Self::Pocketsphinx(engine) => engine.name(),
            Self::Scripted(_) => "scripted",
        }
    }

    /// Why it can't serve that stream, if it can't.
    pub fn objection(&self, language: &str, rate: u32) -> Option<String> {
        match self {
            Self::Pocketsphinx(_) if !language.starts_with("en-") => {
                Some(format!("the local recogniser (PocketSphinx) knows English only, not {language}"))
            }
            Self::Pocketsphinx(_) | Self::Scripted(_) if rate != RATE => {
                Some(format!("the local recogniser hears 16000 Hz only, not {rate}: set MediaSampleRateHertz to 16000"))
            }
            Self::Pocketsphinx(_) | Self::Scripted(_) => None,
        }
    }

    /// Ears for a new stream.
    pub async fn open(&self) -> Result<Ears, Error> {
        match self {
            Self::Pocketsphinx(engine) => engine.open().await,
            Self::Scripted(script) => Ok(script.open()),
        }
    }
}
