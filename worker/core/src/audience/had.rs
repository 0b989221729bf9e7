//! What was queued for a listener: nothing comes twice, and a translation that is late finds those who have its original.

use crate::text::Rendered;
use schemas::ids::Language;
use std::collections::{BTreeMap, BTreeSet};

/// Originals of which it is remembered that a listener has them: their translations may still come.
const ORIGINALS: usize = 16;

/// What was queued for a listener.
#[derive(Debug, Default)]
pub(crate) struct Had {
    /// Cursor of the last final, per language.
    seen: BTreeMap<Language, u64>,
    /// Finals that were originals for want of a translation.
    pub(crate) originals: BTreeSet<(Language, u64)>,
}

impl Had {
    /// Remembers a final; false when they have had it, or one after it.
    pub(crate) fn takes(&mut self, rendered: &Rendered) -> bool {
        let seen = self.seen.entry(rendered.language.clone()).or_insert(0);
        if rendered.cursor <= *seen {
            return false;
        }
        *seen = rendered.cursor;
        if rendered.degraded {
            self.originals.insert((rendered.language.clone(), rendered.cursor));
            while self.originals.len() > ORIGINALS {
                self.originals.pop_first();
            }
        }
        true
    }

    /// Finals of this language from this one on were not seen after all.
    pub(crate) fn forget(&mut self, language: &Language, first: u64) {
        self.seen.insert(language.clone(), first.saturating_sub(1));
        self.originals.retain(|(of, cursor)| of != language || *cursor < first);
    }
}
