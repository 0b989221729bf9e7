//! Nothing outlives the stack: every process that it starts is told to a guard, a small process of its own that kills what is
//! left when the stack is gone, however it went (even by SIGKILL, which no handler sees).

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// What to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A process group, by its leader.
    Group(i32),
    /// One process of our own group.
    Process(i32),
}

impl Target {
    /// The group that a process leads. A process that has ended (`None`) gives a target that is never there.
    pub fn group_of(leader: Option<u32>) -> Self {
        Self::Group(leader.and_then(|id| i32::try_from(id).ok()).unwrap_or(i32::MAX))
    }

    /// One process.
    pub fn process(id: Option<u32>) -> Self {
        Self::Process(id.and_then(|id| i32::try_from(id).ok()).unwrap_or(i32::MAX))
    }

    /// Sends `signal`; whether anything was there to receive it.
    pub fn signal(self, signal: Signal) -> bool {
        let sent = match self {
            Self::Group(leader) => killpg(Pid::from_raw(leader), signal),
            Self::Process(pid) => kill(Pid::from_raw(pid), signal),
        };
        match sent {
            Ok(()) => true,
            Err(Errno::ESRCH) => false,
            Err(error) => {
                tracing::warn!(?self, %error, "a process could not be signalled");
                false
            }
        }
    }

    fn line(self) -> String {
        match self {
            Self::Group(leader) => format!("group {leader}"),
            Self::Process(pid) => format!("process {pid}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(' ')?;
        let id = id.parse().ok().filter(|id| *id > 1)?;
        match kind {
            "group" => Some(Self::Group(id)),
            "process" => Some(Self::Process(id)),
            _ => None,
        }
    }
}

/// The stack's end of the guard. A clone is the same guard; [`Guard::none`] guards nothing (tests).
#[derive(Debug, Clone, Default)]
pub struct Guard(Option<Arc<Mutex<Line>>>);

#[derive(Debug)]
struct Line {
    to: Option<ChildStdin>,
    guard: Child,
}

impl Guard {
    /// No guard.
    pub fn none() -> Self {
        Self::default()
    }

    /// Starts the guard: `executable guard`, which must run [`keep`].
    ///
    /// # Errors
    /// When the process can't be started.
    pub fn start(executable: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(executable);
        command.arg("guard").env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own, so that Ctrl-C at the terminal does not take the guard first.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut guard = command.spawn()?;
        let to = guard.stdin.take();
        Ok(Self(Some(Arc::new(Mutex::new(Line { to, guard })))))
    }

    /// Kill this when the stack is gone.
    pub fn watch(&self, target: Target) {
        self.tell(&format!("watch {}", target.line()));
    }

    /// This has ended: its number may belong to somebody else from now on.
    pub fn release(&self, target: Target) {
        self.tell(&format!("release {}", target.line()));
    }

    fn tell(&self, line: &str) {
        let Some(shared) = &self.0 else { return };
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let told = shared.to.as_mut().map(|to| writeln!(to, "{line}"));
        if let Some(Err(error)) = told {
            tracing::warn!(%error, "the guard is gone; a killed stack may leave processes behind");
            shared.to = None;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The end of its input is the guard's signal; it kills what is left and exits.
        drop(self.to.take());
        let _ended = self.guard.wait();
    }
}

/// The guard itself: remembers what its input names, and kills all of it when the input ends.
pub fn keep(input: impl BufRead) {
    for target in left(input) {
        target.signal(Signal::SIGKILL);
    }
}

/// What is watched and not released when the input ends.
fn left(input: impl BufRead) -> Vec<Target> {
    let mut targets = Vec::new();
    for line in input.lines().map_while(Result::ok) {
        match line.split_once(' ').and_then(|(verb, rest)| Some((verb, Target::parse(rest)?))) {
            Some(("watch", target)) => targets.push(target),
            Some(("release", target)) => targets.retain(|t| *t != target),
            Some(_) | None => {}
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_released_is_killed() {
        let input = "watch group 100\nwatch process 101\nrelease group 100\nnonsense\nwatch group 102\n";
        assert_eq!(left(input.as_bytes()), [Target::Process(101), Target::Group(102)]);
    }

    #[test]
    fn neither_init_nor_every_process_can_be_a_target() {
        assert_eq!(left("watch group 1\nwatch process 0\nwatch process -1\n".as_bytes()), []);
    }
}
