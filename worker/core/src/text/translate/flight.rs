//! Texts on their way to the service, whoever waits for them: the same text is asked for once, and once more when it is late.

use super::job::Asked;
use crate::input::TranslationId;
use crate::time::MediaInstant;
use schemas::ids::Language;
use std::collections::BTreeMap;

/// An answer that is later than this is not waited for in any way, ms.
const FORGOTTEN_MS: u64 = 30_000;
/// A request that is older than this is taken for lost: whoever wants the text then asks for it anew, ms.
const LOST_MS: u64 = 10_000;

/// Requests that are not answered.
#[derive(Debug, Default)]
pub(super) struct Flight {
    asked: BTreeMap<TranslationId, Asked>,
    last_id: u64,
}

impl Flight {
    /// One more is on its way.
    pub(super) fn depart(&mut self, asked: Asked) -> TranslationId {
        self.last_id += 1;
        let id = TranslationId(self.last_id);
        self.asked.insert(id, asked);
        id
    }

    /// One is answered; `None` when it was forgotten before.
    pub(super) fn land(&mut self, id: TranslationId) -> Option<Asked> {
        self.asked.remove(&id)
    }

    /// Whether the same text is still on its way.
    pub(super) fn has_like(&self, asked: &Asked) -> bool {
        self.asked.values().any(|other| other.is_like(asked))
    }

    /// Since when this text is on its way, and whether it was asked for once more.
    pub(super) fn of(
        &self,
        from: &Language,
        to: &Language,
        text: &str,
        now: MediaInstant,
    ) -> Option<(MediaInstant, bool)> {
        let same = |asked: &&Asked| asked.text == text && asked.to == *to && asked.from == *from;
        let alive = self.asked.values().filter(same).filter(|asked| now.since(asked.at) < LOST_MS);
        let mut times: Vec<MediaInstant> = alive.map(|asked| asked.at).collect();
        times.sort_unstable();
        times.first().map(|first| (*first, times.len() > 1))
    }

    /// Forgets what was never answered.
    pub(super) fn advance(&mut self, now: MediaInstant) {
        self.asked.retain(|_, asked| now.since(asked.at) < FORGOTTEN_MS);
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        self.asked.clear();
    }
}
