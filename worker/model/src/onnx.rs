//! ONNX Runtime: its shared library is found at run time, nothing of it is part of this build.

use crate::description::Description;
use crate::{Affect, ModelError};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, ValueType};
use schemas::voice::Category;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Where the system looks for the library when no place is given.
const LIBRARY: &str = "libonnxruntime.so";

/// A model that is ready.
#[derive(Debug)]
pub struct Model {
    description: Description,
    session: Session,
    /// Dimensions of the input before the sound itself, each of length 1.
    leading: usize,
}

impl Model {
    /// Opens the model with the description beside it (the same name, ending in `.toml`), and ONNX Runtime's shared library: by its path,
    /// or where the system looks for libraries. It runs on one thread.
    ///
    /// # Errors
    /// [`ModelError`], one line that names the file and what is wrong with it.
    pub fn open(model: &Path, library: Option<&Path>) -> Result<Self, ModelError> {
        let beside = model.with_extension("toml");
        let unread = |detail: String| ModelError::Description { path: beside.display().to_string(), detail };
        let text = std::fs::read_to_string(&beside).map_err(|error| unread(error.to_string()))?;
        let description = Description::parse(&text).map_err(unread)?;
        let environment = environment(library.unwrap_or(Path::new(LIBRARY)))?;
        let broken = |detail: String| ModelError::Model { path: model.display().to_string(), detail };
        if !model.is_file() {
            return Err(broken("there is no such file".into()));
        }
        let session = session(&environment, model).map_err(|error| broken(one_line(&error)))?;
        let leading = leading(&description, &session).map_err(broken)?;
        Ok(Self { description, session, leading })
    }

    /// What the model's description says of its licence.
    #[must_use]
    pub fn licence(&self) -> &str {
        &self.description.licence
    }

    /// The words that the model knows.
    #[must_use]
    pub fn words(&self) -> Vec<Category> {
        self.description.words()
    }

    /// Judges one utterance of 16 kHz mono sound.
    ///
    /// # Errors
    /// [`ModelError::Answer`] when the model fails, or answers something else than its description says.
    pub fn judge(&mut self, pcm: &[i16]) -> Result<Affect, ModelError> {
        let failed = |error: ort::Error| ModelError::Answer(one_line(&error));
        let sound = self.description.prepared(pcm);
        let mut shape = vec![1_usize; self.leading];
        shape.push(sound.len());
        let tensor = Tensor::from_array((shape, sound)).map_err(failed)?;
        let input = (Cow::from(self.description.input.as_str()), SessionInputValue::from(tensor));
        let outputs = self.session.run(vec![input]).map_err(failed)?;
        self.description.read(|name| Some(outputs.get(name)?.try_extract_tensor::<f32>().ok()?.1))
    }
}

/// The library's state: a process may have one in its life, so that the first library that could be loaded stays.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

fn environment(library: &Path) -> Result<Environment, ModelError> {
    let mut place = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    let environment = match place.take() {
        Some(environment) => environment,
        None => load(library)?,
    };
    Ok(place.insert(environment).clone())
}

fn load(library: &Path) -> Result<Environment, ModelError> {
    let failed = |why: String| {
        let remedy = "give the path of libonnxruntime.so, version 1.17 or newer, for this machine";
        ModelError::Library(format!("{}: {}; {remedy}", library.display(), why.replace('\n', " ")))
    };
    let builder = ort::init_from(library).map_err(|error| failed(error.to_string()))?;
    builder.with_name("worker-model").with_telemetry(false).build().map_err(|error| failed(error.to_string()))
}

fn session(environment: &Environment, model: &Path) -> ort::Result<Session> {
    let builder = Session::builder(environment)?;
    builder.with_intra_threads(1)?.with_inter_threads(1)?.commit_from_file(model)
}

/// Dimensions of the input before the sound itself; an error when the model is not as its description says.
fn leading(description: &Description, session: &Session) -> Result<usize, String> {
    let names = |outlets: &[ort::value::Outlet]| {
        outlets.iter().map(|outlet| outlet.name().to_owned()).collect::<Vec<_>>().join(", ")
    };
    let found = session.inputs().iter().find(|input| input.name() == description.input);
    let Some(input) = found else {
        return Err(format!("it has no input {:?}, only {}", description.input, names(session.inputs())));
    };
    if session.inputs().len() > 1 {
        return Err(format!("it has more inputs than the sound: {}", names(session.inputs())));
    }
    for name in description.outputs() {
        if session.outputs().iter().all(|output| output.name() != name) {
            return Err(format!("it has no output {name:?}, only {}", names(session.outputs())));
        }
    }
    match input.dtype() {
        ValueType::Tensor { shape, .. } if (1..=3).contains(&shape.len()) => Ok(shape.len() - 1),
        ValueType::Tensor { .. } | ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => {
            Err(format!("its input is {}, and not a row of samples", input.dtype()))
        }
    }
}

fn one_line<R>(error: &ort::Error<R>) -> String {
    error.to_string().replace('\n', " ")
}
