//! Requests in flight.
//!
//! *Guarantees*: per segment and language one text of a kind is asked for at a time, of partials the newest wins; a final that is not
//! answered soon is asked for once more, and whichever answer comes first counts; a final is always answered, if need be with nothing,
//! within a bounded time, and does not wait for a partial; an answer that comes later than that is remembered, not thrown away; a language whose
//! translation fails again and again is not asked for a while, and one that the service does not know not again; what was translated lately is not asked for again; of a
//! budget of characters, partials get only what finals leave.

use super::budget::Budget;
use super::cache::Cache;
use super::job::{Asked, Done, Health, Job, Key, Stage, describe, length, may_help};
use super::latency::Latency;
use super::split::split;
use crate::config::{Timing, Wishes};
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::text::Shown;
use crate::text::written::append;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::limits::TRANSLATE_TEXT_BYTES;
use schemas::worker::RungCause;
use std::collections::{BTreeMap, BTreeSet};

/// A final is tried again so often.
const RETRIES: u32 = 2;
/// Wait before the first retry, ms; it doubles.
const RETRY_MS: u64 = 250;
/// So many finals in a row without translation, and the language is not asked for [`PAUSE_MS`].
const FAILURES_TO_PAUSE: u32 = 2;
/// How long a failing language is left alone, ms.
const PAUSE_MS: u64 = 10_000;

/// An answer that is later than this is not waited for in any way, ms.
const FORGOTTEN_MS: u64 = 30_000;

/// A service that throttled, and a budget that was spent, are remembered for so long, ms.
const THROTTLED_MS: u64 = 5_000;

/// All requests.
#[derive(Debug)]
pub(crate) struct Translator {
    jobs: BTreeMap<Key, Job>,
    asked: BTreeMap<TranslationId, Asked>,
    latency: Latency,
    health: BTreeMap<Language, Health>,
    cache: Cache,
    budget: Budget,
    wishes: Wishes,
    terminology_is_unknown: bool,
    /// Pairs that the service does not translate.
    unsupported: BTreeSet<(Language, Language)>,
    most_per_minute: u64,
    throttled_at: Option<MediaInstant>,
    spent_at: Option<MediaInstant>,
    last_id: u64,
    /// Source characters sent.
    pub(crate) characters: u64,
    /// Calls.
    pub(crate) calls: u64,
    /// When the last translation came.
    pub(crate) answered_at: Option<MediaInstant>,
}

impl Translator {
    /// At most so many characters a minute.
    pub(crate) fn new(most_per_minute: u64, wishes: Wishes) -> Self {
        Self {
            wishes,
            terminology_is_unknown: false,
            unsupported: BTreeSet::new(),
            jobs: BTreeMap::new(),
            asked: BTreeMap::new(),
            latency: Latency::default(),
            health: BTreeMap::new(),
            cache: Cache::default(),
            budget: Budget::default(),
            most_per_minute,
            throttled_at: None,
            spent_at: None,
            last_id: 0,
            characters: 0,
            calls: 0,
            answered_at: None,
        }
    }

    /// Asks for a translation of these parts, joined; of a final, what is not known of it yet in as few calls as possible. It
    /// is answered at once when all of it is known, and a final also when its language is left alone just now or the
    /// budget is spent.
    pub(crate) fn request(
        &mut self,
        shown: Shown,
        language: &Language,
        mut parts: Vec<String>,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        let key = Key { segment: shown.segment, language: language.clone(), is_final: shown.is_final };
        if shown.is_final {
            // What it is asked about comes into the cache all the same.
            self.jobs.remove(&Key { is_final: false, ..key.clone() });
            parts = self.whole(&shown.source, language, parts);
            let unknown = parts.iter().filter(|part| self.cache.get(&shown.source, language, part).is_none());
            let spent = self.budget.is_spent(length(unknown), self.most_per_minute);
            self.spent_at = if spent { Some(now) } else { self.spent_at };
            if spent || self.is_left_alone(&shown.source, language, now) {
                return Some(Done { shown, language: language.clone(), text: None });
            }
        } else if self.is_left_alone(&shown.source, language, now)
            || self.saving(now).is_some()
            || self.jobs.contains_key(&Key { is_final: true, ..key.clone() })
        {
            return None;
        }
        match self.jobs.get_mut(&key) {
            Some(job) => {
                job.next = Some((shown, parts));
                None
            }
            None => self.start(key, shown, &parts, now, out),
        }
    }

    /// Sentences that were translated with a partial stay as they are; those between them become one text.
    fn whole(&self, from: &Language, to: &Language, sentences: Vec<String>) -> Vec<String> {
        let mut parts: Vec<(bool, String)> = Vec::new();
        for sentence in sentences {
            let known = self.cache.get(from, to, &sentence).is_some();
            match parts.last_mut() {
                Some((false, text)) if !known => {
                    append(text, &sentence, from);
                }
                Some(_) | None => parts.push((known, sentence)),
            }
        }
        parts.into_iter().map(|(_, text)| text).collect()
    }

    /// The answer to a request.
    pub(crate) fn on_answer(
        &mut self,
        id: TranslationId,
        answer: Result<String, TranslateFailure>,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        let asked = self.asked.remove(&id)?;
        let answer = answer.and_then(|text| match text.trim().is_empty() {
            true => Err(TranslateFailure::Refused("the translation is empty".into())),
            false => Ok(text),
        });
        let waits = self.jobs.get(&asked.key).is_some_and(|job| job.waits_for(&asked.text));
        match answer {
            Ok(text) => {
                self.latency.took(now.since(asked.at));
                self.answered_at = Some(now);
                self.health.remove(&asked.key.language);
                self.cache.put(&asked.from, &asked.key.language, asked.text, text.clone());
                if waits { self.go_on(&asked.key, text, now, out) } else { None }
            }
            // The other request for the same text may still be answered.
            Err(_) if !waits || self.asked.values().any(|other| other.is_like(&asked)) => None,
            Err(failure) => self.failed(asked.key, &failure, now, out),
        }
    }

    /// Retries what waited, asks once more for what is late, gives up what was never answered.
    pub(crate) fn advance(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) -> Vec<Done> {
        self.budget.advance(self.most_per_minute, now);
        self.asked.retain(|_, asked| now.since(asked.at) < FORGOTTEN_MS);
        let due = |(key, job): (&Key, &Job)| (now >= self.job_deadline(key, job, timing)).then(|| key.clone());
        let due: Vec<Key> = self.jobs.iter().filter_map(due).collect();
        due.into_iter().filter_map(|key| self.advance_job(key, now, timing, out)).collect()
    }

    fn advance_job(&mut self, key: Key, now: MediaInstant, timing: &Timing, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.get_mut(&key)?;
        if now >= job.gives_up_at(&key, timing) {
            job.attempts = RETRIES;
            return self.failed(key, &TranslateFailure::Unavailable("no answer in time".into()), now, out);
        }
        match &mut job.stage {
            Stage::Waiting { .. } => self.ask(&key, now, out),
            Stage::Asked { hedged, .. } => {
                *hedged = true;
                if self.saving(now).is_none() {
                    self.send(&key, now, out);
                }
                None
            }
        }
    }

    fn job_deadline(&self, key: &Key, job: &Job, timing: &Timing) -> MediaInstant {
        let next = match job.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Asked { at, hedged: false } if key.is_final => Some(at.plus_ms(self.latency.hedge_ms())),
            Stage::Asked { .. } => None,
        };
        let end = job.gives_up_at(key, timing);
        next.map_or(end, |next| next.min(end))
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
        earliest(self.jobs.iter().map(|(key, job)| Some(self.job_deadline(key, job, timing))))
    }

    /// Whether translation into a language that somebody hears fails again and again, and has not succeeded since.
    pub(crate) fn fails_into(&self, hears: impl Fn(&Language) -> bool) -> bool {
        self.health.iter().any(|(language, h)| h.failures >= FAILURES_TO_PAUSE && hears(language))
    }

    /// Why partials wait, if they do.
    pub(crate) fn saving(&self, now: MediaInstant) -> Option<RungCause> {
        if self.throttled_at.is_some_and(|at| now.since(at) < THROTTLED_MS) {
            return Some(RungCause::TranslationThrottled);
        }
        self.budget.is_saving().then_some(RungCause::BudgetSpent)
    }

    /// Whether even finals are not translated, for want of budget.
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
    fn is_left_alone(&self, from: &Language, to: &Language, now: MediaInstant) -> bool {
        self.is_paused(to, now) || self.unsupported.contains(&(from.clone(), to.clone()))
    }

    fn is_paused(&self, language: &Language, now: MediaInstant) -> bool {
        self.health.get(language).is_some_and(|h| h.failures >= FAILURES_TO_PAUSE && now < h.paused_until)
    }

    fn start(&mut self, key: Key, shown: Shown, parts: &[String], now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let parts = parts.iter().flat_map(|part| split(part, TRANSLATE_TEXT_BYTES)).collect();
        let stage = Stage::Waiting { until: now };
        self.jobs.insert(
            key.clone(),
            Job { shown, parts, begun_at: now, translated: Vec::new(), attempts: 0, stage, next: None },
        );
        self.ask(&key, now, out)
    }

    /// Asks for the next part that is not known; done when there is none.
    fn ask(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.get_mut(key)?;
        while let Some(part) = job.parts.front()
            && let Some(known) = self.cache.get(&job.shown.source, &key.language, part)
        {
            let known = known.clone();
            job.take(known, key);
        }
        if job.parts.is_empty() {
            return self.complete(key, now, out);
        }
        job.stage = Stage::Asked { at: now, hedged: false };
        self.send(key, now, out);
        None
    }

    /// Sends the next part.
    fn send(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) {
        let Some((text, from)) =
            self.jobs.get(key).and_then(|job| Some((job.parts.front()?.clone(), job.shown.source.clone())))
        else {
            return;
        };
        self.last_id += 1;
        let id = TranslationId(self.last_id);
        self.asked.insert(id, Asked { key: key.clone(), from: from.clone(), text: text.clone(), at: now });
        let characters = text.chars().count() as u64;
        self.calls += 1;
        self.characters += characters;
        self.budget.spend(characters, self.most_per_minute, now);
        out.push(Output::Translate { id, text, from, to: key.language.clone(), wishes: self.wishes });
    }

    /// The part that was asked for is translated.
    fn go_on(&mut self, key: &Key, text: String, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        self.jobs.get_mut(key)?.take(text, key);
        self.ask(key, now, out)
    }

    fn complete(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.remove(key)?;
        let mut text = String::new();
        job.translated.iter().for_each(|part| append(&mut text, part, &key.language));
        if let Some((shown, parts)) = job.next {
            let newer = self.start(key.clone(), shown, &parts, now, out);
            if newer.is_some() {
                return newer;
            }
        }
        Some(Done { shown: job.shown, language: key.language.clone(), text: Some(text) })
    }

    fn failed(&mut self, key: Key, failure: &TranslateFailure, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
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

    /// From now on without: a translation without the terminology is better than none.
    fn without_terminology(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        if !std::mem::replace(&mut self.terminology_is_unknown, true) {
            out.warn("terminology_unknown", "translations go on without it");
        }
        self.wishes = Wishes::Plain;
        self.jobs.get_mut(key)?.attempts += 1;
        self.ask(key, now, out)
    }

    /// The pair is marked, and its original goes out.
    fn never_again(&mut self, key: &Key, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.remove(key)?;
        let pair = (job.shown.source.clone(), key.language.clone());
        if self.unsupported.insert(pair) {
            out.warn("pair_unsupported", format!("from {} to {}", job.shown.source, key.language));
        }
        key.is_final.then(|| Done { shown: job.shown, language: key.language.clone(), text: None })
    }
}
