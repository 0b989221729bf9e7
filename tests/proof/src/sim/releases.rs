//! Two releases side by side, as during a rollout and after a rollback: every second invocation and every second worker is of the newer one. It has
//! words of its own for what the older one knows by other names, or not at all; the older one reads them by the rules of `schemas::forward`.
//!
//! **Abstraction.** The world keeps what the newer release means. What the older one reads is made from it word by word, each read once by the
//! real `serde` code; one whole row in sixty is read as JSON, with fields that nobody knows.

use super::broken::Broken;
use super::world::World;
use crate::invariants::{Invariant, Violation};
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Intent, Phase, Rung, WorkerRow};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// The one whose words everybody knows.
    #[default]
    Older,
    /// The one with words of its own.
    Newer,
}

impl Release {
    /// Every second one is newer.
    #[must_use]
    pub const fn of(count: u64) -> Self {
        if count % 2 == 1 { Self::Newer } else { Self::Older }
    }
}

/// Who wrote which part of a row last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Writers {
    /// The controller's part.
    pub controller: Release,
    /// The worker's part, and its phases.
    pub worker: Release,
}

/// How the words of the newer release are read.
struct Read {
    moved: Cause,
    leave: Desired,
    live: Phase,
    rung: Rung,
}

static READ: LazyLock<Result<Read, String>> = LazyLock::new(|| {
    fn read<T: DeserializeOwned>(word: impl Into<Value>) -> Result<T, String> {
        let word = word.into();
        serde_json::from_value(word.clone()).map_err(|error| format!("{word}: {error}"))
    }
    Ok(Read {
        moved: read("movedToAnotherZone")?,
        leave: read(json!({"desired": "leaveForAnotherZone"}))?,
        live: read("LiveInPictures")?,
        rung: read("summariesOnly")?,
    })
});

impl World {
    /// The row as this release reads it.
    pub fn as_read(&mut self, n: usize, by: Release) -> Option<WorkerRow> {
        let row = self.sessions[n].row.clone()?;
        if by == Release::Newer || self.broken.is_some() {
            return Some(row);
        }
        let writers = self.sessions[n].writers;
        self.rows_read += 1;
        if writers.controller == Release::Newer && self.rows_read.is_multiple_of(60) {
            self.read_as_json(n, &row);
        }
        let refused = self.broken_rule == Broken::WordsAreRefused && has_new_words(&row, writers);
        let read = match (&*READ, refused) {
            (Ok(read), false) => read,
            (Ok(_), true) => {
                self.hold(n, Err(unread("it holds a word that is not known")));
                return Some(row);
            }
            (Err(error), _) => {
                self.hold(n, Err(unread(error)));
                return Some(row);
            }
        };
        Some(degraded(row, writers, read))
    }

    fn read_as_json(&mut self, n: usize, row: &WorkerRow) {
        let read = serde_json::to_value(row).map(|value| serde_json::from_value::<WorkerRow>(with_new_words(value)));
        if let Err(error) | Ok(Err(error)) = read {
            self.hold(n, Err(unread(&error.to_string())));
        }
    }
}

fn unread(why: &str) -> Violation {
    Violation::of(Invariant::RowsReadForward, format!("a row of the newer release cannot be read: {why}"))
}

fn has_new_words(row: &WorkerRow, writers: Writers) -> bool {
    (writers.controller == Release::Newer && row.why.cause == Cause::Handover)
        || (writers.worker == Release::Newer && row.phase == Phase::Live)
}

/// What the older release reads.
fn degraded(mut row: WorkerRow, writers: Writers, read: &Read) -> WorkerRow {
    let moved = |why: &mut Why| {
        if why.cause == Cause::Handover {
            why.cause = read.moved;
        }
    };
    if writers.controller == Release::Newer {
        let hands_over = |intent: &&mut Intent| matches!(intent.desired, Desired::HandOver { .. });
        if let Some(intent) = row.intent.as_mut().filter(hands_over) {
            intent.desired = read.leave;
        }
        moved(&mut row.why);
        row.restarts.last.iter_mut().for_each(moved);
    }
    if writers.worker == Release::Newer && row.phase == Phase::Live {
        row.phase = read.live;
        row.worker.iter_mut().for_each(|worker| worker.rung = read.rung);
    }
    row
}

/// The same row with words and fields that nobody knows wherever there may be some.
fn with_new_words(mut row: Value) -> Value {
    for place in [
        "/phase",
        "/why/cause",
        "/why/blame",
        "/intent/desired",
        "/worker/rung",
        "/operator/order/verb",
        "/published/told/0",
    ] {
        if let Some(word) = row.pointer_mut(place) {
            *word = json!("ofANewerRelease");
        }
    }
    for place in ["", "/why", "/intent", "/worker", "/restarts", "/operator"] {
        if let Some(Value::Object(fields)) = row.pointer_mut(place) {
            fields.insert("ofANewerRelease".to_owned(), json!({"any": [1, "thing"]}));
        }
    }
    row
}
