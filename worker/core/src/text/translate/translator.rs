//! Requests in flight.
//!
//! *Guarantees*: per segment, language and purpose one text is translated at a time, of partials the newest wins; a final that is not
//! answered soon is asked for once more, and whichever answer comes first counts; a final is always answered, if need be with nothing,
//! within a bounded time, and does not wait for a partial; when its translation comes after that and within ten seconds, it is answered a
//! second time, with that; a language whose translation fails again and again is not asked for a while, and one that the service does not
//! know not again; what was translated lately, or is on its way for anybody, is not asked for again; of a budget of characters, partials
//! get only what finals leave.

use super::ahead::Ahead;
use super::budget::Budget;
use super::cache::Cache;
use super::flight::Flight;
use super::job::{Asked, Done, Health, Job, Key, Purpose, Stage, length};
use super::latency::Latency;
use super::split::split;
use crate::config::{CarriedOptions, Timing};
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::text::Shown;
use crate::text::written::append;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::limits::TRANSLATE_TEXT_BYTES;
use std::collections::{BTreeMap, BTreeSet};

mod failing;
mod restraint;

/// All requests.
#[derive(Debug)]
pub(crate) struct Translator {
    jobs: BTreeMap<Key, Job>,
    flight: Flight,
    ahead: Ahead,
    latency: Latency,
    health: BTreeMap<Language, Health>,
    cache: Cache,
    budget: Budget,
    options: CarriedOptions,
    terminology_is_unknown: bool,
    /// Pairs that the service does not translate.
    unsupported: BTreeSet<(Language, Language)>,
    most_per_minute: u64,
    throttled_at: Option<MediaInstant>,
    spent_at: Option<MediaInstant>,
    /// Source characters sent.
    pub(crate) characters: u64,
    /// Calls.
    pub(crate) calls: u64,
    /// When the last translation came.
    pub(crate) answered_at: Option<MediaInstant>,
}

impl Translator {
    /// At most so many characters a minute.
    pub(crate) fn new(most_per_minute: u64, options: CarriedOptions) -> Self {
        Self {
            options,
            terminology_is_unknown: false,
            unsupported: BTreeSet::new(),
            jobs: BTreeMap::new(),
            flight: Flight::default(),
            ahead: Ahead::default(),
            latency: Latency::default(),
            health: BTreeMap::new(),
            cache: Cache::default(),
            budget: Budget::default(),
            most_per_minute,
            throttled_at: None,
            spent_at: None,
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
        (language, purpose): (&Language, Purpose),
        mut parts: Vec<String>,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        let key = Key { segment: shown.segment, language: language.clone(), purpose };
        if key.is_final() {
            // What partials are asked about comes into the cache all the same.
            self.jobs.retain(|other, _| other.segment != key.segment || other.language != key.language);
            parts = self.whole(&shown.source, language, parts, now);
            parts.iter().for_each(|part| self.ahead.take(language, part));
            self.ahead.settle();
            let unknown = parts.iter().filter(|part| !self.is_known(&shown.source, language, part, now));
            let spent = self.budget.is_spent(length(unknown), self.most_per_minute);
            self.spent_at = if spent { Some(now) } else { self.spent_at };
            if spent || self.is_left_alone(&shown.source, language, now) {
                return Some(Done { shown, language: language.clone(), purpose, parts: None });
            }
        } else if self.is_left_alone(&shown.source, language, now)
            || self.saving(now).is_some()
            || self.jobs.contains_key(&Key { purpose: Purpose::Final, ..key.clone() })
        {
            return None;
        }
        let all_known = parts.iter().all(|part| self.cache.get(&shown.source, language, part).is_some());
        match self.jobs.get_mut(&key) {
            // What is known already waits for nothing; what that job asked for comes into the cache all the same.
            Some(job) if !all_known => {
                job.next = Some((shown, parts));
                None
            }
            Some(_) | None => self.start(key, shown, &parts, now, out),
        }
    }

    /// Asks for texts that will be wanted when their words are stable, if these do not change.
    pub(crate) fn prepare(
        &mut self,
        (from, to): (&Language, &Language),
        texts: Vec<String>,
        now: MediaInstant,
        out: &mut Outbox,
    ) {
        if !self.ahead.pays() || self.is_left_alone(from, to, now) || self.saving(now).is_some() {
            return;
        }
        for text in texts {
            if text.len() <= TRANSLATE_TEXT_BYTES && !self.is_known(from, to, &text, now) {
                self.ahead.make(to, &text);
                self.send(from, to, text, now, out);
            }
        }
    }

    /// Whether this text is translated, or is being translated.
    fn is_known(&self, from: &Language, to: &Language, text: &str, now: MediaInstant) -> bool {
        self.cache.get(from, to, text).is_some() || self.flight.of(from, to, text, now).is_some()
    }

    /// Sentences that were translated with a partial stay as they are; those between them become one text.
    fn whole(&self, from: &Language, to: &Language, sentences: Vec<String>, now: MediaInstant) -> Vec<String> {
        let mut parts: Vec<(bool, String)> = Vec::new();
        for sentence in sentences {
            let known = self.is_known(from, to, &sentence, now);
            match parts.last_mut() {
                Some((false, text)) if !known => {
                    append(text, &sentence, from);
                }
                Some(_) | None => parts.push((known, sentence)),
            }
        }
        parts.into_iter().map(|(_, text)| text).collect()
    }

    /// The answer to a request, for all who wait for its text.
    pub(crate) fn on_answer(
        &mut self,
        id: TranslationId,
        answer: Result<String, TranslateFailure>,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Vec<Done> {
        let Some(asked) = self.flight.land(id) else { return Vec::new() };
        let answer = answer.and_then(|text| match text.trim().is_empty() {
            true => Err(TranslateFailure::Refused("the translation is empty".into())),
            false => Ok(text),
        });
        let waits = |(key, job): &(&Key, &Job)| key.language == asked.to && job.waits_for(&asked);
        let waiting: Vec<Key> = self.jobs.iter().filter(waits).map(|(key, _)| key.clone()).collect();
        match answer {
            Ok(text) => {
                self.latency.took(now.since(asked.at));
                self.answered_at = Some(now);
                self.health.remove(&asked.to);
                self.cache.put(&asked.from, &asked.to, asked.text, text.clone());
                waiting.iter().filter_map(|key| self.go_on(key, text.clone(), now, out)).collect()
            }
            // The other request for the same text may still be answered.
            Err(_) if self.flight.has_like(&asked) => Vec::new(),
            Err(failure) => waiting.into_iter().filter_map(|key| self.failed(key, &failure, now, out)).collect(),
        }
    }

    /// Retries what waited, asks once more for what is late, gives up what was never answered.
    pub(crate) fn advance(&mut self, now: MediaInstant, timing: &Timing, out: &mut Outbox) -> Vec<Done> {
        self.budget.advance(self.most_per_minute, now);
        self.flight.advance(now);
        let due = |(key, job): (&Key, &Job)| (now >= self.job_deadline(key, job, timing)).then(|| key.clone());
        let due: Vec<Key> = self.jobs.iter().filter_map(due).collect();
        due.into_iter().filter_map(|key| self.advance_job(key, now, timing, out)).collect()
    }

    fn advance_job(&mut self, key: Key, now: MediaInstant, timing: &Timing, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.get_mut(&key)?;
        if now >= job.gives_up_at(&key, timing) {
            if job.told || !key.is_final() {
                self.jobs.remove(&key);
                return None;
            }
            return self.tell(&key, "no answer in time", now, out);
        }
        match &mut job.stage {
            Stage::Waiting { .. } => {
                let (told, from) = (job.told, job.shown.source.clone());
                if told && self.is_left_alone(&from, &key.language, now) {
                    self.jobs.remove(&key);
                    return None;
                }
                self.ask(&key, now, out)
            }
            Stage::Asked { hedged, .. } => {
                *hedged = true;
                if self.saving(now).is_none()
                    && let Some((from, text)) = self.wanted(&key)
                {
                    self.send(&from, &key.language, text, now, out);
                }
                None
            }
        }
    }

    fn job_deadline(&self, key: &Key, job: &Job, timing: &Timing) -> MediaInstant {
        let next = match job.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Asked { at, hedged: false } if key.is_final() && !job.told => {
                Some(at.plus_ms(self.latency.hedge_ms()))
            }
            Stage::Asked { .. } => None,
        };
        let end = job.gives_up_at(key, timing);
        next.map_or(end, |next| next.min(end))
    }

    /// Gives up: every final that is not translated yet is answered with nothing.
    pub(crate) fn give_up(&mut self) -> Vec<Done> {
        self.flight.clear();
        let jobs = std::mem::take(&mut self.jobs);
        let untold = jobs.into_iter().filter(|(key, job)| key.is_final() && !job.told);
        untold.map(|(key, job)| job.done(&key, None)).collect()
    }

    /// When something is due.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<MediaInstant> {
        earliest(self.jobs.iter().map(|(key, job)| Some(self.job_deadline(key, job, timing))))
    }

    fn start(&mut self, key: Key, shown: Shown, parts: &[String], now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let parts = parts.iter().flat_map(|part| split(part, TRANSLATE_TEXT_BYTES)).collect();
        self.jobs.insert(key.clone(), Job::new(shown, parts, now));
        self.ask(&key, now, out)
    }

    /// Waits for the next part that is not known; done when there is none. All that is not on its way yet is asked for at once.
    fn ask(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.get_mut(key)?;
        while let Some(part) = job.parts.front()
            && let Some(known) = self.cache.get(&job.shown.source, &key.language, part)
        {
            let known = known.clone();
            self.ahead.take(&key.language, part);
            job.take(known, key);
        }
        if job.parts.is_empty() {
            return self.complete(key, now, out);
        }
        let (from, parts) = (job.shown.source.clone(), job.parts.clone());
        for part in &parts {
            self.ahead.take(&key.language, part);
            if !self.is_known(&from, &key.language, part, now) {
                self.send(&from, &key.language, part.clone(), now, out);
            }
        }
        let (at, hedged) = self.flight.of(&from, &key.language, &parts[0], now).unwrap_or((now, false));
        self.jobs.get_mut(key)?.stage = Stage::Asked { at, hedged };
        None
    }

    /// The part that a job waits for.
    fn wanted(&self, key: &Key) -> Option<(Language, String)> {
        let job = self.jobs.get(key)?;
        Some((job.shown.source.clone(), job.parts.front()?.clone()))
    }

    fn send(&mut self, from: &Language, to: &Language, text: String, now: MediaInstant, out: &mut Outbox) {
        let (from, to, options) = (from.clone(), to.clone(), self.options);
        let id = self.flight.depart(Asked { from: from.clone(), to: to.clone(), text: text.clone(), at: now });
        let characters = text.chars().count() as u64;
        self.calls += 1;
        self.characters += characters;
        self.budget.spend(characters, self.most_per_minute, now);
        out.push(Output::Translate { id, text, from, to, options });
    }

    /// The part that was asked for is translated.
    fn go_on(&mut self, key: &Key, text: String, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        self.jobs.get_mut(key)?.take(text, key);
        self.ask(key, now, out)
    }

    fn complete(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let mut job = self.jobs.remove(key)?;
        let parts = std::mem::take(&mut job.translated);
        if let Some((shown, parts)) = job.next.take() {
            let newer = self.start(key.clone(), shown, &parts, now, out);
            if newer.is_some() {
                return newer;
            }
        }
        Some(job.done(key, Some(parts)))
    }
}
