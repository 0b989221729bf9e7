//! The command that runs in the stack, and the signals that end it.

use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::progress::Progress;
use super::stack::Stack;
use crate::guard::Target;

/// What a command gets to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A signal to the stack itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C: the terminal has sent it to the command too.
    Terminal,
    /// SIGTERM or SIGHUP: only we have got it.
    Terminated,
}

impl Interrupt {
    /// The exit code that says so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Terminal => 130,
            Self::Terminated => 143,
        }
    }
}

/// Resolves with the first signal that asks us to end.
///
/// # Errors
/// When signals can't be received.
pub async fn interrupted() -> std::io::Result<Interrupt> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = int.recv() => Interrupt::Terminal,
        _ = term.recv() => Interrupt::Terminated,
        _ = hup.recv() => Interrupt::Terminated,
    })
}

/// Runs the command to its end, or ends it on a signal or when the emulator is gone; the exit code.
///
/// # Errors
/// When it can't be started.
pub async fn run(stack: &mut Stack, command: &[String]) -> std::io::Result<u8> {
    let Some((program, arguments)) = command.split_first() else { return Ok(0) };
    let mut start = Command::new(program);
    start.args(arguments).envs(stack.environment().iter().map(|(n, v)| (n, v)));
    for foreign in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"] {
        start.env_remove(foreign);
    }
    // In our own group: it must own the terminal that we own.
    let mut child = start.kill_on_drop(true).spawn()?;
    let (target, guard) = (Target::process(child.id()), stack.guard().clone());
    guard.watch(target);
    let code = tokio::select! {
        status = child.wait() => Ok(code_of(status?)),
        why = interrupted() => {
            let why = why?;
            if why == Interrupt::Terminated {
                target.signal(Signal::SIGTERM);
            }
            Ok(end(&mut child, target).await?.unwrap_or_else(|| why.exit_code()))
        }
        how = stack.broken() => {
            Progress::fail(format!("the emulator ended while the command ran ({how}); see emulator.log"));
            target.signal(Signal::SIGTERM);
            end(&mut child, target).await.map(|_code| 1)
        }
    };
    guard.release(target);
    code
}

/// Waits for a command that knows it shall end; then asks; then kills. Its code, unless it was killed.
async fn end(child: &mut Child, target: Target) -> std::io::Result<Option<u8>> {
    for last_word in [Signal::SIGTERM, Signal::SIGKILL] {
        let waited = tokio::select! {
            waited = timeout(PATIENCE, child.wait()) => waited,
            // Asked again: no more patience.
            _again = interrupted() => timeout(Duration::ZERO, child.wait()).await,
        };
        if let Ok(status) = waited {
            return Ok(Some(code_of(status?)));
        }
        target.signal(last_word);
    }
    child.wait().await.map(|_killed| None)
}

fn code_of(status: ExitStatus) -> u8 {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    let code = status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
