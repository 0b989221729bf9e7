//! Apertium as a pipeline of processes that stays up: a sentence takes 15–60 ms rather than seconds.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::languages::Mode;
use super::text::{from_stream, to_stream};

/// Why there is no translation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No mode file.
    #[error("cannot read {file}: {source}; install the language pair, for example: apt-get install apertium-eng-spa")]
    Mode {
        /// Which.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A stage did not start.
    #[error("could not start {program}: {source}; install it with: apt-get install apertium")]
    Start {
        /// Which.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The pipeline broke.
    #[error("the pipeline {0} broke: one of its stages ended; see whether the language pair is installed whole")]
    Broken(String),
    /// It takes too long.
    #[error("the pipeline {0} did not answer in time; it is started anew")]
    Slow(String),
}

/// Name and version of what is installed, for logs.
pub async fn name() -> String {
    let version = Command::new("apertium").arg("-V").stdin(Stdio::null()).output().await;
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_else(|_absent| "no Apertium".to_owned())
}

/// An engine for one pair. It is started with the first text (or [`Engine::warm`]) and does one text at a time.
#[derive(Debug)]
pub struct Engine {
    name: String,
    file: PathBuf,
    patience: Duration,
    pipeline: Mutex<Option<Pipeline>>,
}

#[derive(Debug)]
struct Pipeline {
    /// Killed when they are dropped.
    _stages: Vec<Child>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Engine {
    /// An engine that is not started yet.
    pub fn new(modes: &Path, (from, to): &Mode, patience: Duration) -> Self {
        let name = format!("{from}-{to}");
        Self { file: modes.join(format!("{name}.mode")), name, patience, pipeline: Mutex::new(None) }
    }

    /// Starts it, and proves it with a word.
    pub async fn warm(&self) -> Result<(), Error> {
        self.translate("a").await.map(drop)
    }

    /// Translates one text. Must not be cancelled half-way lightly: that costs a new start.
    pub async fn translate(&self, text: &str) -> Result<String, Error> {
        let mut slot = self.pipeline.lock().await;
        // Out of the slot while it works: one that fails, or whose caller goes away, is not used again.
        let mut pipeline = match slot.take() {
            Some(pipeline) => pipeline,
            None => self.start()?,
        };
        match tokio::time::timeout(self.patience, pipeline.translate(text)).await {
            Ok(Ok(translated)) => {
                *slot = Some(pipeline);
                Ok(translated)
            }
            Ok(Err(_io)) => Err(Error::Broken(self.name.clone())),
            Err(_elapsed) => Err(Error::Slow(self.name.clone())),
        }
    }

    fn start(&self) -> Result<Pipeline, Error> {
        let line = std::fs::read_to_string(&self.file)
            .map_err(|source| Error::Mode { file: self.file.display().to_string(), source })?;
        let mut first = None;
        let mut last: Option<ChildStdout> = None;
        let mut children = Vec::new();
        for stage in stages(&line) {
            let failed = |source| Error::Start { program: stage.program.clone(), source };
            let input = match last.take() {
                Some(output) => output.try_into().map_err(failed)?,
                None => Stdio::piped(),
            };
            let mut child = Command::new(&stage.program)
                // Answer at each zero byte instead of at the end of the input.
                .arg("-z")
                .args(&stage.arguments)
                .env("LC_ALL", "C.UTF-8")
                .stdin(input)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map_err(failed)?;
            first = first.or(child.stdin.take());
            last = child.stdout.take();
            children.push(child);
        }
        let (Some(input), Some(output)) = (first, last) else {
            return Err(Error::Broken(self.name.clone()));
        };
        tracing::info!(
            engine = "apertium",
            mode = self.name,
            stages = children.len(),
            "a translation pipeline started"
        );
        Ok(Pipeline { _stages: children, input, output: BufReader::new(output) })
    }
}

impl Pipeline {
    async fn translate(&mut self, text: &str) -> std::io::Result<String> {
        self.input.write_all(to_stream(text).as_bytes()).await?;
        self.input.write_all(b"\0").await?;
        self.input.flush().await?;
        let mut answer = Vec::new();
        self.output.read_until(0, &mut answer).await?;
        match answer.pop() {
            Some(0) => Ok(from_stream(&String::from_utf8_lossy(&answer))),
            Some(_) | None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// One program of a pipeline.
#[derive(Debug, PartialEq, Eq)]
struct Stage {
    program: String,
    arguments: Vec<String>,
}

/// Reads a mode file: a shell pipeline with quoted paths, where `$1` is how to write unknown words and `$2` is unused.
fn stages(line: &str) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in line.trim().chars().chain(['|']) {
        match letter {
            '\'' => quoted = !quoted,
            ' ' | '|' if !quoted => {
                match std::mem::take(&mut word).as_str() {
                    "" | "$2" => {}
                    "$1" => words.push("-g".to_owned()),
                    other => words.push(other.to_owned()),
                }
                if letter == '|' && !words.is_empty() {
                    let arguments = words.split_off(1);
                    stages.extend(words.pop().map(|program| Stage { program, arguments }));
                }
            }
            other => word.push(other),
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_file_is_read_as_the_shell_would() {
        let line = "lt-proc '/usr/a b/x.bin' | apertium-tagger -g $2 '/x|y.prob' | lt-proc $1 'z.bin'\n";
        let stage = |program: &str, arguments: &[&str]| Stage {
            program: program.into(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        let expected = [
            stage("lt-proc", &["/usr/a b/x.bin"]),
            stage("apertium-tagger", &["-g", "/x|y.prob"]),
            stage("lt-proc", &["-g", "z.bin"]),
        ];
        assert_eq!(stages(line), expected);
    }

    #[tokio::test]
    async fn a_missing_pair_says_how_to_get_it() {
        let engine = Engine::new(Path::new("/nowhere"), &("eng".into(), "xyz".into()), Duration::from_secs(1));
        assert!(engine.translate("a").await.unwrap_err().to_string().contains("apt-get install"));
    }
}
