//! The user's own model of the voice, in a process of its own: this same program, begun with [`ARGUMENT`].
//!
//! A library and a file from elsewhere may hang, crash or eat the memory of the process they are in; there it is theirs. It is given no
//! environment, so that it sees no credentials, and it ends with the worker, at the latest when its standard input does.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use worker_core::input::{Input, UtteranceId};
use worker_model::wire;

/// The first argument of the process that runs a model; the model and, where it is given, the library follow.
pub const ARGUMENT: &str = "judge-voice";
/// The only variable that the process inherits: where else the system looks for libraries.
const INHERITED: &str = "LD_LIBRARY_PATH";

/// A model that is asked; dropped, its process is killed.
#[derive(Debug)]
pub struct Model {
    utterances: UnboundedSender<(UtteranceId, Vec<i16>)>,
    task: AbortHandle,
}

impl Drop for Model {
    fn drop(&mut self) {
        // Wherever the task waits, the child goes with it.
        self.task.abort();
    }
}

impl Model {
    /// Begins the process. What it says is reported as [`Input::Judged`], its end once as [`Input::ModelEnded`].
    pub fn start(
        program: &Path,
        model: &Path,
        library: Option<&Path>,
        report: impl Fn(Input) + Send + Sync + 'static,
    ) -> Self {
        let (utterances, inbox) = unbounded_channel();
        let mut command = Command::new(program);
        command.arg(ARGUMENT).arg(model).args(library);
        command.env_clear().envs(std::env::var_os(INHERITED).map(|value| (INHERITED, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let task = tokio::spawn(async move {
            if let Err(why) = converse(command, inbox, &report).await {
                report(Input::ModelEnded(why));
            }
        });
        Self { utterances, task: task.abort_handle() }
    }

    /// Asks about an utterance; the engine asks about one at a time.
    pub fn judge(&self, id: UtteranceId, pcm: Vec<i16>) {
        // A model that is gone has said so.
        drop(self.utterances.send((id, pcm)));
    }
}

/// Until nobody asks any more, or until the process is gone, with the reason.
async fn converse(
    mut command: Command,
    mut inbox: UnboundedReceiver<(UtteranceId, Vec<i16>)>,
    report: &(impl Fn(Input) + Send + Sync),
) -> Result<(), String> {
    let gone = |error: std::io::Error| format!("what runs it cannot be reached: {error}");
    let mut child = command.spawn().map_err(|error| format!("what runs it cannot be begun: {error}"))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("what runs it has no standard input or output".into());
    };
    let mut lines = BufReader::new(output).lines();
    loop {
        tokio::select! {
            asked = inbox.recv() => {
                let Some((id, pcm)) = asked else { return Ok(()) };
                // The reason of a process that is gone is in its last line.
                let _ = input.write_all(&wire::utterance(id.0, &pcm)).await;
            }
            line = lines.next_line() => match line.map_err(gone)? {
                Some(line) => report(said(&line)?),
                None => {
                    let status = child.wait().await.map_err(gone)?;
                    return Err(format!("what runs it has ended ({status})"));
                }
            },
        }
    }
}

/// What a line says to the engine.
fn said(line: &str) -> Result<Input, String> {
    let answer: wire::Answer = serde_json::from_str(line).map_err(|error| format!("what runs it says {error}"))?;
    match answer.id {
        Some(id) => Ok(Input::Judged(UtteranceId(id), answer.result())),
        None => Err(answer.result().err().unwrap_or_default()),
    }
}

/// What runs a model: the whole life of the process that [`Model::start`] begins, with the arguments after [`ARGUMENT`].
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let mut paths = arguments.into_iter().map(PathBuf::from);
    let (model, library) = (paths.next().unwrap_or_default(), paths.next());
    let open = || {
        let mut model = worker_model::Model::open(&model, library.as_deref())?;
        Ok(move |pcm: &[i16]| model.judge(pcm))
    };
    match worker_model::serve(std::io::stdin().lock(), std::io::stdout().lock(), open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
