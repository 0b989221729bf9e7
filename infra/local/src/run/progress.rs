//! What is going on, line by line on stderr: stdout belongs to the command.
#![expect(clippy::print_stderr, reason = "this is the stack's voice at the terminal")]

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// The voice.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    since: Instant,
}

impl Progress {
    /// Starts the clock.
    pub fn start() -> Self {
        Self { since: Instant::now() }
    }

    /// Does `work` and says how long it took.
    ///
    /// # Errors
    /// As `work`.
    pub async fn step<T, E>(&self, what: &str, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let started = Instant::now();
        let done = work.await;
        let mark = if done.is_ok() { "ok" } else { "FAILED" };
        self.say(format!("{what} {mark} ({})", seconds(started.elapsed())));
        done
    }

    /// One line.
    pub fn say(&self, text: impl Display) {
        eprintln!("[local-stack {:>6}] {text}", seconds(self.since.elapsed()));
    }

    /// One line about what went wrong, without a clock.
    pub fn fail(text: impl Display) {
        eprintln!("local-stack: {text}");
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
