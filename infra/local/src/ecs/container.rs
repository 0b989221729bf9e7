//! A container: the real program as a process of its own group, with the container's environment and nothing of ours.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use crate::guard::{Guard, Target};

/// What stands behind an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Arguments before the container's command.
    pub arguments: Vec<String>,
}

/// A running container. Dropping it kills it.
#[derive(Debug)]
pub struct Container {
    process: Child,
    group: Target,
    guard: Guard,
}

impl Container {
    /// Starts `program` with exactly this environment; its output goes to `log`.
    ///
    /// # Errors
    /// When the program or its log can't be opened.
    pub fn start(
        program: &Program,
        command: &[String],
        environment: &[(String, String)],
        log: &Path,
        guard: &Guard,
    ) -> std::io::Result<Self> {
        // The next start in place goes on in the same log.
        let output = File::options().create(true).append(true).open(log)?;
        let mut start = Command::new(&program.path);
        start.args(&program.arguments).args(command).env_clear().envs(environment.iter().map(|(n, v)| (n, v)));
        start.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = start.process_group(0).kill_on_drop(true).spawn()?;
        let group = Target::group_of(process.id());
        guard.watch(group);
        Ok(Self { process, group, guard: guard.clone() })
    }

    /// Everything in it.
    pub fn target(&self) -> Target {
        self.group
    }

    /// Sends a signal to everything in it.
    pub fn signal(&self, signal: Signal) {
        if self.process.id().is_some() {
            self.group.signal(signal);
        }
    }

    /// Waits for its end; the exit code as ECS shows it.
    pub async fn ended(&mut self) -> i32 {
        match self.process.wait().await {
            Ok(status) => exit_code(status),
            Err(error) => {
                tracing::error!(%error, "a container's end could not be seen");
                255
            }
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        self.guard.release(self.group);
    }
}

/// 128 + n when signal n ended it.
fn exit_code(status: ExitStatus) -> i32 {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(255)
}
