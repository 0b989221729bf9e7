//! When a language, or the service, is left alone; and what of that is told.

use super::Translator;
use crate::outbox::earliest;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::worker::RungCause;

/// So many commits in a row without translation, and the language is not asked for [`PAUSE_MS`].
const FAILURES_TO_PAUSE: u32 = 2;
/// How long a failing language is left alone, ms.
pub(super) const PAUSE_MS: u64 = 10_000;
/// A service that throttled, and a budget that was spent, are remembered for so long, ms.
const THROTTLED_MS: u64 = 5_000;

impl Translator {
    /// Whether translation into a language that somebody hears fails again and again, and has not succeeded since.
    pub(crate) fn fails_into(&self, hears: impl Fn(&Language) -> bool) -> bool {
        self.health.iter().any(|(language, h)| h.failures >= FAILURES_TO_PAUSE && hears(language))
    }

    /// Why what may still change is not translated, if it is not.
    pub(crate) fn saving(&self, now: MediaInstant) -> Option<RungCause> {
        if self.throttled_at.is_some_and(|at| now.since(at) < THROTTLED_MS) {
            return Some(RungCause::TranslationThrottled);
        }
        self.budget.is_saving().then_some(RungCause::BudgetSpent)
    }

    /// Whether even commits are not translated, for want of budget.
    pub(crate) fn is_spent(&self, now: MediaInstant) -> bool {
        self.spent_at.is_some_and(|at| now.since(at) < THROTTLED_MS)
    }

    /// When the next of these is over, if nothing happens.
    pub(crate) fn eases_at(&self, now: MediaInstant) -> Option<MediaInstant> {
        let over = |at: Option<MediaInstant>| at.map(|at| at.plus_ms(THROTTLED_MS)).filter(|over| *over > now);
        earliest([over(self.throttled_at), over(self.spent_at), self.budget.saves_until(self.most_per_minute)])
    }

    /// Sentences for the row, of what will not be translated as wished.
    pub(crate) fn notes(&self) -> Vec<String> {
        let pair = |(from, to): &(Language, Language)| format!("Translate does not translate from {from} to {to}");
        let terminology = self
            .terminology_is_unknown
            .then(|| "Translations run without the terminology, which does not exist".into());
        terminology.into_iter().chain(self.unsupported.iter().map(pair)).collect()
    }

    /// Whether it is of no use to ask for this pair now.
    pub(super) fn is_left_alone(&self, from: &Language, to: &Language, now: MediaInstant) -> bool {
        self.is_paused(to, now) || self.unsupported.contains(&(from.clone(), to.clone()))
    }

    fn is_paused(&self, language: &Language, now: MediaInstant) -> bool {
        self.health.get(language).is_some_and(|h| h.failures >= FAILURES_TO_PAUSE && now < h.paused_until)
    }
}
