//! Waits for something to become true while everything that happens is recorded and shown.

use super::record::{Event, ListenerEvent, Recording};
use super::screen::Screen;
use super::terminal::Terminal;
use crate::error::CtlError;
use crate::{store, why};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Time between two pictures.
const PICTURE: Duration = Duration::from_millis(100);
/// Longest time for the cast to leave.
const LEAVE: Duration = Duration::from_secs(4);

/// The stage.
pub struct Stage {
    /// What has happened so far.
    pub recording: Recording,
    inbox: mpsc::UnboundedReceiver<Event>,
    screen: Screen,
    terminal: Terminal,
}

impl Stage {
    /// An open stage; `machine` keeps stdout free.
    #[must_use]
    pub fn open(recording: Recording, inbox: mpsc::UnboundedReceiver<Event>, machine: bool) -> Self {
        let terminal = Terminal::new(machine);
        let languages = recording.listeners.iter().map(|l| l.plan.language.clone());
        let screen = Screen::new(terminal.width(), recording.row_put, languages);
        Self { recording, inbox, screen, terminal }
    }

    /// A line of progress.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn note(&mut self, text: &str) -> Result<(), CtlError> {
        self.screen.note(store::now(), text);
        self.draw()
    }

    fn draw(&mut self) -> Result<(), CtlError> {
        Ok(self.terminal.draw(&mut self.screen, &self.recording, store::now())?)
    }

    /// Waits at most so long until `done`; gives up at once when `hopeless` gives a reason. False, with a line that says
    /// what was missing and what the row says, when it did not become true.
    ///
    /// # Errors
    /// When the output is closed.
    pub async fn until(
        &mut self,
        most: Duration,
        done: impl Fn(&Recording) -> bool,
        hopeless: fn(&Recording, bool) -> Option<String>,
    ) -> Result<bool, CtlError> {
        let deadline = Instant::now() + most;
        loop {
            if done(&self.recording) {
                return Ok(true);
            }
            let late = Instant::now() >= deadline;
            if let Some(reason) = hopeless(&self.recording, late) {
                self.note(&reason)?;
                return Ok(false);
            }
            if late {
                return Ok(false);
            }
            self.step(deadline).await?;
        }
    }

    /// Lets so much time pass.
    ///
    /// # Errors
    /// When the output is closed.
    pub async fn rest(&mut self, time: Duration) -> Result<(), CtlError> {
        self.until(time, |_| false, |_, _| None).await.map(drop)
    }

    async fn step(&mut self, deadline: Instant) -> Result<(), CtlError> {
        let picture = deadline.min(Instant::now() + PICTURE);
        tokio::select! {
            Some(event) = self.inbox.recv() => {
                self.take(event);
                // What came together is shown together.
                while let Ok(event) = self.inbox.try_recv() {
                    self.take(event);
                }
            }
            () = tokio::time::sleep_until(picture) => {}
        }
        self.draw()
    }

    fn take(&mut self, event: Event) {
        let at = store::now();
        self.recording.take(at, event.clone());
        self.screen.take(at, &event, &self.recording);
    }

    /// Waits until the cast has left and gives what was recorded. What comes now is still recorded, no longer shown.
    ///
    /// # Errors
    /// When the output is closed.
    pub async fn close(mut self) -> Result<Recording, CtlError> {
        self.terminal.finish()?;
        self.inbox.close();
        let rest = async {
            while let Some(event) = self.inbox.recv().await {
                // Whoever hangs up because the curtain fell was not cut off.
                if !matches!(event, Event::Listener { what: ListenerEvent::Closed(_), .. }) {
                    self.recording.take(store::now(), event);
                }
            }
        };
        let _ = tokio::time::timeout(LEAVE, rest).await;
        Ok(self.recording)
    }
}

/// What the row says, for the end of a sentence.
fn row_says(r: &Recording) -> String {
    r.row.as_ref().map_or_else(
        || {
            "There is no row of this session: is the stream of the Sessions table on, and does the controller run?"
                .into()
        },
        |row| why::paragraph(row, None, None, store::now()),
    )
}

/// Why the speech cannot begin.
#[must_use]
pub fn hopeless_start(r: &Recording, late: bool) -> Option<String> {
    if r.row_is_final() {
        return Some(format!("the worker is gone before the speech. {}", row_says(r)));
    }
    if let Some((who, why)) =
        r.listeners.iter().find_map(|l| l.closed.as_ref().filter(|_| l.joined.is_none()).map(|w| (l.plan.label(), w)))
    {
        return Some(format!("listener {who} cannot join: {why}"));
    }
    let mut missing: Vec<String> = r
        .listeners
        .iter()
        .filter(|l| l.plan.late_s.is_none() && l.joined.is_none())
        .map(|l| format!("listener {} has not joined", l.plan.label()))
        .collect();
    if !r.connected_now {
        missing.push("the speaker is not connected to a worker".into());
    }
    late.then(|| format!("the speech cannot begin: {}. {}", missing.join(", "), row_says(r)))
}

/// Why the speech cannot go on.
#[must_use]
pub fn hopeless_speech(r: &Recording, late: bool) -> Option<String> {
    if r.row_is_final() {
        return Some(format!("the worker is gone during the speech. {}", row_says(r)));
    }
    late.then(|| format!("the speech took too long: this computer may be overloaded. {}", row_says(r)))
}

/// What is missing of the end.
#[must_use]
pub fn hopeless_end(r: &Recording, late: bool) -> Option<String> {
    if !late {
        return None;
    }
    let untold: Vec<_> = r.listeners.iter().filter(|l| l.ended.is_none()).map(|l| l.plan.label()).collect();
    let mut missing = Vec::new();
    if !untold.is_empty() {
        missing.push(format!("no sessionEnded for {}", untold.join(", ")));
    }
    if !r.row_is_final() {
        missing.push("the worker's row is not final".into());
    }
    if !r.task_is_stopped() {
        missing.push("the task is not STOPPED".into());
    }
    Some(format!("the session did not end: {}. {}", missing.join(", "), row_says(r)))
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::recording;
    use super::*;
    use schemas::ids::Timestamp;
    use schemas::worker::Phase;

    #[test]
    fn a_start_that_takes_too_long_names_everything_that_is_missing() {
        let line = hopeless_start(&recording(&["es", "en@5"]), true).unwrap();
        assert!(line.contains("listener es has not joined") && line.contains("not connected"), "{line}");
        assert!(!line.contains("en@5") && line.contains("stream of the Sessions table"), "{line}");
        assert_eq!(hopeless_start(&recording(&["es"]), false), None);
    }

    #[test]
    fn a_failed_row_ends_the_wait_at_once_with_its_reason() {
        let mut r = recording(&["es"]);
        let mut row = store::samples::row("a-b-001");
        row.phase = Phase::Failed;
        row.why.text = "the image cannot be pulled".into();
        r.take(Timestamp(1), Event::Row(Box::new(row)));
        assert!(hopeless_start(&r, false).unwrap().contains("the image cannot be pulled"));
    }

    #[test]
    fn a_listener_who_is_refused_ends_the_wait_at_once() {
        let mut r = recording(&["es"]);
        r.take(Timestamp(1), Event::Listener { index: 0, what: ListenerEvent::Refused("no such session".into()) });
        assert!(hopeless_start(&r, false).unwrap().contains("no such session"));
    }

    #[test]
    fn an_end_that_does_not_come_names_what_is_missing() {
        let line = hopeless_end(&recording(&["es", "ca"]), true).unwrap();
        assert!(line.contains("no sessionEnded for es, ca") && line.contains("not STOPPED"), "{line}");
    }
}
