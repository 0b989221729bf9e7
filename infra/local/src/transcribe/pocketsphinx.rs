//! PocketSphinx in a Python process per stream (`py/recognise.py`), one of them always warm.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::engine::{Ears, Error, Told};
use super::result::{Heard, Word, Writing};

/// The recogniser itself; carried along so that the stack needs no file beside its binary.
const SCRIPT: &str = include_str!("../../py/recognise.py");
/// Loading model and dictionary takes 0.5 s on a free core.
const STARTUP: Duration = Duration::from_secs(30);

/// Starts recognisers.
#[derive(Debug)]
pub struct Pocketsphinx {
    python: PathBuf,
    name: String,
    spare: Mutex<JoinHandle<Result<Warm, Error>>>,
}

/// A recogniser that has loaded its model.
#[derive(Debug)]
struct Warm {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    name: String,
}

/// A line of `recognise.py`.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Ready { engine: String, model: String },
    Partial(Utterance),
    Final(Utterance),
    End,
}

#[derive(Debug, Deserialize)]
struct Utterance {
    utterance: u32,
    words: Vec<(String, f64, f64, f64)>,
}

impl Utterance {
    fn heard(self, partial: bool) -> Told {
        let word = |(text, start, end, confidence)| Word { text, start, end, confidence, mark: String::new() };
        let words = self.words.into_iter().map(word).collect();
        Told::Heard(Heard { utterance: self.utterance, partial, words, writing: Writing::Words, language: None })
    }
}

impl Pocketsphinx {
    /// Starts the first one, which proves that it can be done.
    pub async fn start(python: PathBuf) -> Result<Self, Error> {
        let first = warm(python.clone()).await?;
        let name = first.name.clone();
        Ok(Self { python, name, spare: Mutex::new(tokio::spawn(async move { Ok(first) })) })
    }

    /// Name, version and model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the warm one and starts the next.
    pub async fn open(&self) -> Result<Ears, Error> {
        let taken = {
            let mut spare = self.spare.lock().await;
            std::mem::replace(&mut *spare, tokio::spawn(warm(self.python.clone())))
        };
        let warm = taken.await.map_err(|gone| Error::NoPocketSphinx(gone.to_string()))??;
        Ok(hear(warm))
    }
}

async fn warm(python: PathBuf) -> Result<Warm, Error> {
    let mut child = Command::new(&python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Start { program: python.display().to_string(), source })?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::NoPocketSphinx("it has no pipes".to_owned()));
    };
    let complaints = tokio::spawn(last_complaint(BufReader::new(stderr).lines()));
    let mut lines = BufReader::new(stdout).lines();
    let first = match tokio::time::timeout(STARTUP, lines.next_line()).await {
        Ok(Ok(Some(line))) => line,
        Ok(Ok(None)) => return Err(Error::NoPocketSphinx(complaints.await.unwrap_or_default())),
        Ok(Err(error)) => return Err(Error::NoPocketSphinx(error.to_string())),
        Err(_elapsed) => return Err(Error::NoPocketSphinx(format!("nothing within {} s", STARTUP.as_secs()))),
    };
    match serde_json::from_str(&first) {
        Ok(Line::Ready { engine, model }) => Ok(Warm { child, stdin, lines, name: format!("{engine} ({model})") }),
        Ok(Line::Partial(_) | Line::Final(_) | Line::End) | Err(_) => Err(Error::NoPocketSphinx(first)),
    }
}

/// Reads what the process complains of until it ends, and keeps the last line: Python's exception.
pub(super) async fn last_complaint(mut lines: Lines<BufReader<tokio::process::ChildStderr>>) -> String {
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::warn!(%line, "the recogniser complains");
        last = line;
    }
    last
}

/// Connects a warm recogniser to a stream.
fn hear(warm: Warm) -> Ears {
    let (audio, mut to_hear) = mpsc::unbounded_channel::<bytes::Bytes>();
    let (tell, told) = mpsc::unbounded_channel();
    let Warm { child, mut stdin, lines, name: _ } = warm;
    tokio::spawn(async move {
        while let Some(audio) = to_hear.recv().await {
            // A recogniser that is gone is reported by the other task.
            if stdin.write_all(&audio).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        if let Err(why) = listen(lines, &tell).await {
            // The stream may have been cut meanwhile: then nobody wants to know.
            let _unheard = tell.send(Told::Broken(why));
        }
        drop(child);
    });
    Ears { audio, told }
}

/// Passes on what the recogniser tells, until its end.
async fn listen(mut lines: Lines<BufReader<ChildStdout>>, tell: &mpsc::UnboundedSender<Told>) -> Result<(), String> {
    loop {
        let line = match lines.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => return Err("it ended in the middle of a stream".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let told = match serde_json::from_str(&line) {
            Ok(Line::Partial(utterance)) => utterance.heard(true),
            Ok(Line::Final(utterance)) => utterance.heard(false),
            Ok(Line::End) => return Ok(()),
            Ok(Line::Ready { .. }) | Err(_) => return Err("it said something that is no result".to_owned()),
        };
        if tell.send(told).is_err() {
            return Ok(());
        }
    }
}
