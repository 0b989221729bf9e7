//! What the engine wants, in the order in which it wants it.

use crate::output::{Fact, Output};
use std::collections::VecDeque;

/// Outputs that were not polled yet. Whoever still wants something after [`Output::Exit`] is not heard: the process ends there.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Output>,
    closed: bool,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        if !self.closed {
            self.closed = matches!(output, Output::Exit { .. });
            self.waiting.push_back(output);
        }
    }
    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.waiting.pop_front()
    }
    /// Forgets the posts: a worker that may not hold the session any more says nothing.
    pub(crate) fn silence(&mut self) {
        self.waiting.retain(|o| !matches!(o, Output::Post { .. } | Output::WriteStatus(_)));
    }
    /// A line that an operator reads.
    pub(crate) fn fact(&mut self, event: &'static str, detail: impl Into<String>) {
        self.push(Output::Log(Fact { warn: false, event, detail: detail.into() }));
    }
    /// A line that somebody should look at.
    pub(crate) fn warn(&mut self, event: &'static str, detail: impl Into<String>) {
        self.push(Output::Log(Fact { warn: true, event, detail: detail.into() }));
    }
}

/// The earlier of the deadlines that there are.
pub(crate) fn earliest<T: Ord>(deadlines: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    deadlines.into_iter().flatten().min()
}
