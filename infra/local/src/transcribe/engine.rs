//! What recognises: Whisper or PocketSphinx for real, or a script.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Recogniser;
use super::pocketsphinx::Pocketsphinx;
use super::request::{Language, Request};
use super::result::Heard;
use super::script::Script;
use super::whisper::Whisper;

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
    #[error("the recogniser PocketSphinx did not come up ({0}); install it with: pip install pocketsphinx==5.1.1")]
    NoPocketSphinx(String),
    /// Its packages or its model are missing.
    #[error(
        "the recogniser Whisper did not come up ({0}); install it with `make setup`, correct --recogniser-model, or do without it: --recogniser pocketsphinx"
    )]
    NoWhisper(String),
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
    /// For people.
    Whisper(Whisper),
    /// For a fallback.
    Pocketsphinx(Pocketsphinx),
    /// By script.
    Scripted(Script),
}

impl Engine {
    /// Starts it, so far that the first stream need not wait.
    pub async fn start(recogniser: &Recogniser) -> Result<Self, Error> {
        match recogniser {
            Recogniser::Best { python } => match Whisper::start(python.clone(), None).await {
                Ok(whisper) => Ok(Self::Whisper(whisper)),
                Err(error) => {
                    tracing::warn!(%error, "PocketSphinx listens instead: it gets one word of four wrong");
                    Ok(Self::Pocketsphinx(Pocketsphinx::start(python.clone()).await?))
                }
            },
            Recogniser::Whisper { python, model } => {
                Ok(Self::Whisper(Whisper::start(python.clone(), model.clone()).await?))
            }
            Recogniser::PocketSphinx { python } => Ok(Self::Pocketsphinx(Pocketsphinx::start(python.clone()).await?)),
            Recogniser::Scripted { file } => Ok(Self::Scripted(Script::read(file)?)),
        }
    }

    /// Name and version, for logs.
    pub fn name(&self) -> &str {
        match self {
            Self::Whisper(engine) => engine.name(),
            Self::Pocketsphinx(engine) => engine.name(),
            Self::Scripted(_) => "scripted",
        }
    }

    /// The product's languages that it understands, English first.
    pub fn spoken(&self) -> Vec<String> {
        let known = |code: &&str| match self {
            Self::Whisper(engine) => engine.languages().iter().any(|known| known == code),
            Self::Pocketsphinx(_) | Self::Scripted(_) => *code == "en",
        };
        let others = schemas::session::LANGUAGES.into_iter().filter(|code| *code != "en");
        ["en"].into_iter().chain(others).filter(known).map(str::to_owned).collect()
    }

    /// Why it can't serve that stream, if it can't.
    pub fn objection(&self, request: &Request) -> Option<String> {
        if request.rate != RATE {
            return Some(format!(
                "the local recogniser hears 16000 Hz only, not {}: set MediaSampleRateHertz to 16000",
                request.rate
            ));
        }
        match (self, &request.language) {
            (Self::Whisper(engine), language) => engine.objection(language),
            (Self::Pocketsphinx(_), Language::Given(code)) if !code.starts_with("en-") => {
                Some(format!("the local recogniser (PocketSphinx) knows English only, not {code}"))
            }
            (Self::Pocketsphinx(_) | Self::Scripted(_), Language::OneOf { .. }) => {
                Some("the local recogniser cannot identify languages: set LanguageCode to en-US".to_owned())
            }
            (Self::Pocketsphinx(_) | Self::Scripted(_), Language::Given(_)) => None,
        }
    }

    /// Ears for a new stream.
    pub async fn open(&self, request: &Request) -> Result<Ears, Error> {
        match self {
            Self::Whisper(engine) => engine.open(request).await,
            Self::Pocketsphinx(engine) => engine.open().await,
            Self::Scripted(script) => Ok(script.open()),
        }
    }
}
