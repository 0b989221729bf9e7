//! What is translated, when, and how often it is tried.

mod split;
mod translator;

pub(crate) use translator::{Done, Translator};

use crate::captions::Snapshot;
use crate::config::PartialPolicy;

/// The part of an unfinished segment that this policy translates; `None` for nothing.
pub(crate) fn partial_text(policy: PartialPolicy, snapshot: &Snapshot) -> Option<String> {
    let text = match policy {
        PartialPolicy::Finals => return None,
        PartialPolicy::Clauses => snapshot.stable_clauses(),
        PartialPolicy::Live => snapshot.stable_text(),
    };
    (!text.is_empty()).then_some(text)
}
