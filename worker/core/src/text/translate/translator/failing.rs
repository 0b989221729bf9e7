//! What becomes of a translation that fails, or does not come in time.

use super::super::job::{Done, Key, Stage, describe, may_help};
use super::Translator;
use super::restraint::PAUSE_MS;
use crate::config::CarriedOptions;
use crate::input::TranslateFailure;
use crate::outbox::Outbox;
use crate::time::MediaInstant;

/// A commit is tried again so often.
const RETRIES: u32 = 2;
/// Wait before the first retry, ms; it doubles, also when it was answered with nothing already.
const RETRY_MS: u64 = 250;

impl Translator {
    pub(super) fn failed(
        &mut self,
        key: Key,
        failure: &TranslateFailure,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        match failure {
            TranslateFailure::UnknownTerminology if self.jobs.get(&key).is_some_and(|job| job.attempts <= RETRIES) => {
                return self.without_terminology(&key, now, out);
            }
            TranslateFailure::UnsupportedPair => return self.never_again(&key, out),
            TranslateFailure::Throttled => self.throttled_at = Some(now),
            TranslateFailure::UnknownTerminology | TranslateFailure::Unavailable(_) | TranslateFailure::Refused(_) => {}
        }
        let job = self.jobs.get_mut(&key)?;
        job.attempts += 1;
        let (again, first_ones) = (key.stands() && may_help(failure), job.attempts <= RETRIES);
        if again {
            job.stage = Stage::Waiting { until: now.plus_ms(RETRY_MS << (job.attempts - 1).min(5)) };
        }
        if again && (job.told || first_ones) {
            return None;
        }
        let done = if key.stands() && !job.told { self.tell(&key, describe(failure), now, out) } else { None };
        if !again {
            self.jobs.remove(&key);
        }
        done
    }

    /// A commit is answered with nothing; its translation may still follow.
    pub(super) fn tell(&mut self, key: &Key, why: &str, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let health = self.health.entry(key.language.clone()).or_default();
        health.failures += 1;
        health.paused_until = now.plus_ms(PAUSE_MS);
        out.warn("translation_failed", format!("to {}: {why}", key.language));
        let job = self.jobs.get_mut(key)?;
        job.told = true;
        Some(job.done(key, None))
    }

    /// From now on without: a translation without the terminology is better than none.
    fn without_terminology(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        if !std::mem::replace(&mut self.terminology_is_unknown, true) {
            out.warn("terminology_unknown", "translations go on without it");
        }
        self.options = CarriedOptions::Plain;
        self.jobs.get_mut(key)?.attempts += 1;
        self.ask(key, now, out)
    }

    /// The pair is marked, and the commit is answered with nothing.
    fn never_again(&mut self, key: &Key, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.remove(key)?;
        let pair = (job.what.source().clone(), key.language.clone());
        if self.unsupported.insert(pair) {
            out.warn("pair_unsupported", format!("from {} to {}", job.what.source(), key.language));
        }
        (key.stands() && !job.told).then(|| job.done(key, None))
    }
}
