//! Requests in flight.
//!
//! *Guarantees*: per segment and language one request of a kind is in flight, of partials the newest wins; a final is
//! always answered, if need be with nothing, within a bounded time, and does not wait for a partial; a language whose
//! translation fails again and again is not asked for a while.

use super::split::split;
use crate::captions::Shown;
use crate::config::Timing;
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::limits::TRANSLATE_TEXT_BYTES;
use std::collections::{BTreeMap, VecDeque};

/// A final is tried again so often.
const RETRIES: u32 = 2;
/// Wait before the first retry, ms; it doubles.
const RETRY_MS: u64 = 250;
/// So many finals in a row without translation, and the language is not asked for [`PAUSE_MS`].
const FAILURES_TO_PAUSE: u32 = 2;
/// How long a failing language is left alone, ms.
const PAUSE_MS: u64 = 10_000;

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// What was to be translated.
    pub(crate) shown: Shown,
    /// Into which language.
    pub(crate) language: Language,
    /// The translation; `None` when there is none.
    pub(crate) text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    segment: u64,
    language: Language,
    is_final: bool,
}

#[derive(Debug)]
struct Job {
    shown: Shown,
    parts: VecDeque<String>,
    translated: Vec<String>,
    attempts: u32,
    stage: Stage,
    next: Option<(Shown, String)>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Asked { id: TranslationId, at: MediaInstant },
    Waiting { until: MediaInstant },
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    paused_until: MediaInstant,
}

/// All requests.
#[derive(Debug, Default)]
pub(crate) struct Translator {
    jobs: BTreeMap<Key, Job>,
    asked: BTreeMap<TranslationId, Key>,
    health: BTreeMap<Language, Health>,
    last_id: u64,
    /// Source characters sent.
    pub(crate) characters: u64,
    /// Calls.
    pub(crate) calls: u64,
    /// When the last translation came.
    pub(crate) answered_at: Option<MediaInstant>,
}

impl Translator {
    /// Asks for a translation. A final is answered at once when its language is left alone just now.
    pub(crate) fn request(
        &mut self,
        shown: Shown,
        language: &Language,
        text: String,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        let key = Key { segment: shown.segment, language: language.clone(), is_final: shown.is_final };
        if shown.is_final {
            self.forget(&Key { is_final: false, ..key.clone() });
            if self.is_paused(language, now) {
                return Some(Done { shown, language: language.clone(), text: None });
            }
        } else if self.is_paused(language, now) || self.jobs.contains_key(&Key { is_final: true, ..key.clone() }) {
            return None;
        }
        match self.jobs.get_mut(&key) {
            Some(job) => job.next = Some((shown, text)),
            None => self.start(key, shown, &text, now, out),
        }
        None
    }

    /// The answer to a request.
    pub(crate) fn on_answer(
        &mut self,
        id: TranslationId,
        answer: Result<String, TranslateFailure>,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        let key = self.asked.remove(&id)?;
        match answer {
            Ok(text) if !text.trim().is_empty() => self.succeeded(key, text, now, out),
            Ok(_) => self.failed(key, &TranslateFailure::Refused("the translation is empty".into()), now, out),
            Err(failure) => self.failed(key, &failure, now, out),
        }
    }

    /// Retries what waited, gives up what was never answered.
    pub(crate) fn advance(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) -> Vec<Done> {
        let due: Vec<(Key, Option<TranslationId>)> = self
            .jobs
            .iter()
            .filter_map(|(key, job)| match job.stage {
                Stage::Waiting { until } if now >= until => Some((key.clone(), None)),
                Stage::Asked { id, at } if now.since(at) >= timing.translate_patience_ms => {
                    Some((key.clone(), Some(id)))
                }
                Stage::Waiting { .. } | Stage::Asked { .. } => None,
            })
            .collect();
        let mut done = Vec::new();
        for (key, late) in due {
            if let Some(id) = late {
                self.asked.remove(&id);
                done.extend(self.failed(key, &TranslateFailure::Unavailable("no answer in time".into()), now, out));
            } else {
                self.ask(&key, now, out);
            }
        }
        done
    }

    /// Gives up: every final that is not translated yet is answered with nothing.
    pub(crate) fn give_up(&mut self) -> Vec<Done> {
        self.asked.clear();
        let jobs = std::mem::take(&mut self.jobs);
        let finals = jobs.into_iter().filter(|(key, _)| key.is_final);
        finals.map(|(key, job)| Done { shown: job.shown, language: key.language, text: None }).collect()
    }

    /// When something is due.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<MediaInstant> {
        earliest(self.jobs.values().map(|job| match job.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Asked { at, .. } => Some(at.plus_ms(timing.translate_patience_ms)),
        }))
    }

    /// Whether translation into one of these languages fails again and again, and has not succeeded since.
    pub(crate) fn fails_into<T>(&self, languages: &BTreeMap<Language, T>) -> bool {
        self.health.iter().any(|(language, h)| h.failures >= FAILURES_TO_PAUSE && languages.contains_key(language))
    }

    fn is_paused(&self, language: &Language, now: MediaInstant) -> bool {
        self.health.get(language).is_some_and(|h| h.failures >= FAILURES_TO_PAUSE && now < h.paused_until)
    }

    fn start(&mut self, key: Key, shown: Shown, text: &str, now: MediaInstant, out: &mut Outbox) {
        let parts = split(text, TRANSLATE_TEXT_BYTES).into();
        let stage = Stage::Waiting { until: now };
        self.jobs.insert(key.clone(), Job { shown, parts, translated: Vec::new(), attempts: 0, stage, next: None });
        self.ask(&key, now, out);
    }

    fn ask(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(text) = job.parts.front().cloned() else { return };
        self.last_id += 1;
        let id = TranslationId(self.last_id);
        job.stage = Stage::Asked { id, at: now };
        self.asked.insert(id, key.clone());
        self.calls += 1;
        self.characters += text.chars().count() as u64;
        out.push(Output::Translate { id, text, from: job.shown.source.clone(), to: key.language.clone() });
    }

    fn succeeded(&mut self, key: Key, text: String, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        self.answered_at = Some(now);
        self.health.remove(&key.language);
        let job = self.jobs.get_mut(&key)?;
        job.translated.push(text);
        job.parts.pop_front();
        if !job.parts.is_empty() {
            self.ask(&key, now, out);
            return None;
        }
        let job = self.jobs.remove(&key)?;
        let text = Some(job.translated.join(" "));
        let done = Done { shown: job.shown, language: key.language.clone(), text };
        if let Some((shown, text)) = job.next {
            self.start(key, shown, &text, now, out);
        }
        Some(done)
    }

    fn failed(&mut self, key: Key, failure: &TranslateFailure, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.get_mut(&key)?;
        job.attempts += 1;
        if key.is_final && job.attempts <= RETRIES && may_help(failure) {
            job.stage = Stage::Waiting { until: now.plus_ms(RETRY_MS << (job.attempts - 1)) };
            return None;
        }
        let job = self.jobs.remove(&key)?;
        if !key.is_final {
            return None;
        }
        let health = self.health.entry(key.language.clone()).or_default();
        health.failures += 1;
        health.paused_until = now.plus_ms(PAUSE_MS);
        out.warn("translation_failed", format!("to {}: {}", key.language, describe(failure)));
        Some(Done { shown: job.shown, language: key.language, text: None })
    }

    fn forget(&mut self, key: &Key) {
        if let Some(Job { stage: Stage::Asked { id, .. }, .. }) = self.jobs.remove(key) {
            self.asked.remove(&id);
        }
    }
}

fn may_help(failure: &TranslateFailure) -> bool {
    match failure {
        TranslateFailure::Throttled | TranslateFailure::Unavailable(_) => true,
        TranslateFailure::Refused(_) => false,
    }
}

fn describe(failure: &TranslateFailure) -> &str {
    match failure {
        TranslateFailure::Throttled => "throttled",
        TranslateFailure::Unavailable(detail) | TranslateFailure::Refused(detail) => detail,
    }
}
