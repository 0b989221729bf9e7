//! A model of the voice that the user gives: an ONNX file, and beside it a TOML file of the same name that says what goes in and what
//! comes out (`Description`). It says what the sound's measures do not tell: how pleasant, and in which word.
//!
//! *Flow*: [`Model::open`] reads both files and loads ONNX Runtime's shared library, which is found at run time; [`Model::judge`] takes one
//! utterance. The worker runs it in a process of its own ([`serve`]), because a library and a file from elsewhere may do what they like to
//! the process they are in: hang, crash, or eat its memory. *Guarantees*: an answer is finite and within its range, or it is an error.
//!
//! Without the feature `onnx`, which is not among the default ones, nothing of this is built but an error that says so.
//!
//! | module | what |
//! |---|---|
//! | `description` | what the TOML file says; what goes in, and what is read out |
//! | `onnx` | ONNX Runtime, found at run time |
//! | [`wire`] | utterances and answers between the worker and the model's own process |

#[cfg(feature = "onnx")]
mod description;
#[cfg(feature = "onnx")]
mod onnx;
pub mod wire;

#[cfg(feature = "onnx")]
pub use description::{Classes, Description, Dimension, Dimensions, Scores};
#[cfg(feature = "onnx")]
pub use onnx::Model;
pub use wire::serve;
pub use worker_emotion::Affect;

/// Whether this build can run a model.
pub const BUILT: bool = cfg!(feature = "onnx");

/// No model is given more of an utterance, ms.
pub const LONGEST_MS: u64 = 30_000;

/// Why there is no model, or no answer, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// This build has no code for it.
    #[error("this build cannot run a model: build it again with --features model, or give none")]
    NotBuilt,
    /// The TOML file beside the model cannot be read, or says what cannot be.
    #[error("{path}: {detail}")]
    Description {
        /// The file.
        path: String,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// ONNX Runtime's shared library cannot be loaded.
    #[error("the shared library of ONNX Runtime cannot be loaded: {0}")]
    Library(String),
    /// The model cannot be loaded, or is not as its description says.
    #[error("{path}: {detail}")]
    Model {
        /// The file.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// The model did not answer, or what it answered is not what its description says.
    #[error("the model's answer cannot be used: {0}")]
    Answer(String),
}

/// Stands for a model where none can be run: there is no value of it.
#[cfg(not(feature = "onnx"))]
#[derive(Debug)]
pub enum Model {}

#[cfg(not(feature = "onnx"))]
impl Model {
    /// Never opens one.
    ///
    /// # Errors
    /// [`ModelError::NotBuilt`], always.
    pub fn open(_: &std::path::Path, _: Option<&std::path::Path>) -> Result<Self, ModelError> {
        Err(ModelError::NotBuilt)
    }

    /// What the model's description says of its licence.
    #[must_use]
    pub fn licence(&self) -> &str {
        match *self {}
    }

    /// The words that the model knows.
    #[must_use]
    pub fn words(&self) -> Vec<schemas::voice::Category> {
        match *self {}
    }

    /// Judges one utterance.
    ///
    /// # Errors
    /// None, since there is no model.
    pub fn judge(&mut self, _: &[i16]) -> Result<Affect, ModelError> {
        match *self {}
    }
}
