//! From captions to connections: a queue per listener.

mod body;
mod had;
mod listeners;
pub(crate) mod message;
mod post;
pub(crate) mod posts;
mod queue;
pub(crate) mod reads;
mod speaker;
mod turns;

pub(crate) use body::Body;
pub(crate) use post::Delivery;

use crate::time::MediaInstant;
use schemas::session::{AskedMode, ListenerRow};
use std::collections::BTreeSet;

/// Who listens, and what is on its way to them.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) delivery: Delivery,
    /// When the listeners are read next.
    read_at: MediaInstant,
    /// The read that is not answered yet.
    asked_at: Option<MediaInstant>,
    /// Since when nobody listens.
    nobody_since: Option<MediaInstant>,
    /// Modes that listeners asked for and that do not exist.
    unknown_modes: BTreeSet<String>,
}

/// So many unknown modes are told: they come from anybody.
const UNKNOWN_MODES: usize = 3;

impl Audience {
    /// How long nobody has listened, ms; `None` while somebody does.
    pub(crate) fn nobody_for(&self, now: MediaInstant) -> Option<u64> {
        self.delivery.nobody().then(|| self.nobody_since.map_or(0, |since| now.since(since)))
    }

    /// Remembers the modes that do not exist; gives those that are new.
    fn know_modes(&mut self, rows: &[ListenerRow]) -> Vec<String> {
        let mut new = Vec::new();
        for row in rows {
            if let AskedMode::Unknown(text) = &row.mode
                && self.unknown_modes.len() < UNKNOWN_MODES
                && self.unknown_modes.insert(text.clone())
            {
                new.push(text.clone());
            }
        }
        new
    }

    /// Sentences for the row, of what listeners asked for and do not get.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let note = |text: &String| {
            format!(
                "A listener asks for captionMode {text:?}, which does not exist: use stable, fast or none. They read as usual."
            )
        };
        self.unknown_modes.iter().map(note)
    }

    /// Notices that the last listener has gone, or the first has come.
    fn count(&mut self, now: MediaInstant) {
        self.nobody_since = self.delivery.nobody().then(|| self.nobody_since.unwrap_or(now));
    }
}
