//! CTranslate2 in a Python process that stays up (`py/translate.py`): it runs the user's models, one text after another.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::models::{Leg, join, sentences};

/// The translator itself; carried along so that the stack needs no file beside its binary.
const SCRIPT: &str = include_str!("../../py/translate.py");
/// Loading the libraries takes 0.3 s on a free core.
const STARTUP: Duration = Duration::from_secs(30);
/// What installs them.
const REMEDY: &str = ".local/venv/bin/python -m pip install -r infra/local/translator.txt";

/// Why there is no translation.
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
    /// The process started but is no translator.
    #[error("the translator did not come up ({0}); install what it needs with: {REMEDY}")]
    NotReady(String),
    /// The process is gone, or said something that is no answer.
    #[error("the translator broke ({0}); it is started anew with the next text")]
    Broken(String),
    /// It takes too long.
    #[error("the translator did not answer in time; it is started anew with the next text")]
    Slow,
    /// The model says why it does not translate.
    #[error("the model {folder} does not translate: {why}")]
    Model {
        /// Which.
        folder: String,
        /// Why.
        why: String,
    },
}

/// The process.
#[derive(Debug)]
pub struct Neural {
    python: PathBuf,
    patience: Duration,
    /// Name and version.
    pub name: String,
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    /// Killed when it is dropped.
    _child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

#[derive(Debug, Serialize)]
struct Ask<'a> {
    folder: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    sentences: Vec<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Ready(String),
    Sentences(Vec<String>),
    Error(String),
}

impl Neural {
    /// Starts it, which proves that its libraries are there.
    pub async fn start(python: PathBuf, patience: Duration) -> Result<Self, Error> {
        let (process, name) = Process::start(&python).await?;
        Ok(Self { python, patience, name, process: Mutex::new(Some(process)) })
    }

    /// Brings a text over all legs.
    pub async fn translate(&self, way: &[Leg], text: &str, target: &str) -> Result<String, Error> {
        let mut current: Vec<String> = sentences(text).into_iter().map(str::to_owned).collect();
        for leg in way {
            current = self.leg(leg, &current).await?;
        }
        Ok(join(&current, target))
    }

    async fn leg(&self, leg: &Leg, sentences: &[String]) -> Result<Vec<String>, Error> {
        let folder = leg.folder.display().to_string();
        let (from, to) = leg.tokens.unzip();
        let ask = Ask { folder: &folder, from, to, sentences: sentences.iter().map(String::as_str).collect() };
        let line = serde_json::to_string(&ask).map_err(|error| Error::Broken(error.to_string()))?;
        let mut slot = self.process.lock().await;
        // Out of the slot while it works: one that fails, or whose caller goes away, is not used again.
        let mut process = match slot.take() {
            Some(process) => process,
            None => Process::start(&self.python).await?.0,
        };
        let answer =
            tokio::time::timeout(self.patience, process.ask(&line)).await.map_err(|_elapsed| Error::Slow)??;
        match answer {
            Answer::Sentences(translated) if translated.len() == sentences.len() => {
                *slot = Some(process);
                Ok(translated)
            }
            Answer::Error(why) => {
                *slot = Some(process);
                Err(Error::Model { folder, why })
            }
            Answer::Sentences(_) | Answer::Ready(_) => {
                Err(Error::Broken("it said something else than it was asked".to_owned()))
            }
        }
    }
}

impl Process {
    async fn start(python: &PathBuf) -> Result<(Self, String), Error> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::Start { program: python.display().to_string(), source })?;
        let (Some(input), Some(output), Some(complaints)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::NotReady("it has no pipes".to_owned()));
        };
        let complaints = tokio::spawn(last_complaint(BufReader::new(complaints).lines()));
        let mut process = Self { _child: child, input, lines: BufReader::new(output).lines() };
        match tokio::time::timeout(STARTUP, process.answer()).await {
            Ok(Ok(Answer::Ready(name))) => {
                tracing::info!(engine = name, "a translator of models started");
                Ok((process, name))
            }
            Ok(Ok(Answer::Sentences(_) | Answer::Error(_))) => {
                Err(Error::NotReady("it did not say that it is ready".to_owned()))
            }
            Ok(Err(_gone)) => Err(Error::NotReady(complaints.await.unwrap_or_default())),
            Err(_elapsed) => Err(Error::NotReady(format!("nothing within {} s", STARTUP.as_secs()))),
        }
    }

    async fn ask(&mut self, line: &str) -> Result<Answer, Error> {
        let broken = |error: std::io::Error| Error::Broken(error.to_string());
        self.input.write_all(line.as_bytes()).await.map_err(broken)?;
        self.input.write_all(b"\n").await.map_err(broken)?;
        self.input.flush().await.map_err(broken)?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, Error> {
        let line = self.lines.next_line().await.map_err(|error| Error::Broken(error.to_string()))?;
        let line = line.ok_or_else(|| Error::Broken("it ended".to_owned()))?;
        serde_json::from_str(&line).map_err(|_other| Error::Broken(format!("it said {line:?}")))
    }
}

/// Reads what the process complains of until it ends, and keeps the last line: Python's exception.
async fn last_complaint(mut lines: Lines<BufReader<tokio::process::ChildStderr>>) -> String {
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::warn!(%line, "the translator complains");
        last = line;
    }
    last
}
