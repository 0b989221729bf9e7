//! Requests in flight.
//!
//! *Guarantees*: a commit is translated once into a language; one that is not answered soon is asked for once more, and whichever answer comes
//! first counts; it is always answered, if need be with nothing, within a bounded time; when its translation comes after that and within ten
//! seconds, it is answered a second time, with that. Of what may still change one text is translated at a time, the newest wins, and commits
//! do not wait for it. A language whose translation fails again and again is not asked for a while, and one that the service does not
//! know not again; what was translated lately, or is on its way for anybody, is not asked for again; of a budget of characters, what may still
//! change gets only what commits leave.

use super::ahead::Ahead;
use super::budget::Budget;
use super::cache::Cache;
use super::flight::Flight;
use super::job::{Asked, Done, Health, Job, Key, OpenText, Stage, What};
use super::join_parts;
use super::latency::Latency;
use super::split::split;
use crate::config::{CarriedOptions, Timing};
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::text::commit::Commit;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::limits::TRANSLATE_TEXT_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

    /// Asks for the translation of a commit. It is answered at once when that is known, or when its language is left alone just now or
    /// the budget is spent.
    pub(crate) fn commit(
        &mut self,
        commit: &Arc<Commit>,
        language: &Language,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        let what = What::Commit(commit.clone());
        self.ahead.take(language, &commit.text);
        let known = self.is_known(&commit.source, language, &commit.text, now);
        let characters = if known { 0 } else { commit.text.chars().count() as u64 };
        let spent = self.budget.is_spent(characters, self.most_per_minute);
        self.spent_at = if spent { Some(now) } else { self.spent_at };
        if spent || self.is_left_alone(&commit.source, language, now) {
            return Some(Done { what, language: language.clone(), text: None });
        }
        self.start(what, language, now, out)
    }

    /// Whether this commit is still being translated, answered with nothing or not.
    pub(crate) fn is_at(&self, commit: &Arc<Commit>, language: &Language) -> bool {
        self.jobs.contains_key(&What::Commit(commit.clone()).key(language))
    }

    /// Asks for the translation of a text that may still change. It is answered at once when that is known.
    pub(crate) fn open(
        &mut self,
        open: OpenText,
        language: &Language,
        now: MediaInstant,
        out: &mut Outbox,
    ) -> Option<Done> {
        if self.is_left_alone(&open.shown.source, language, now) || self.saving(now).is_some() {
            return None;
        }
        let known = self.cache.get(&open.shown.source, language, &open.text).is_some();
        let what = What::Open(open);
        match (self.jobs.get_mut(&what.key(language)), what) {
            // What is known already waits for nothing; what that job asked for comes into the cache all the same.
            (Some(job), What::Open(open)) if !known => {
                job.next = Some(open);
                None
            }
            (Some(_) | None, what) => self.start(what, language, now, out),
        }
    }

    /// A segment is final: nothing of it may change any more. Its commits have shown whether it pays to ask ahead.
    pub(crate) fn end(&mut self, segment: u64) {
        self.jobs.retain(|key, _| key.segment != segment || key.stands());
        self.ahead.settle();
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
            if job.told || !key.stands() {
                self.jobs.remove(&key);
                return None;
            }
            return self.tell(&key, "no answer in time", now, out);
        }
        match &mut job.stage {
            Stage::Waiting { .. } => {
                let (told, from) = (job.told, job.what.source().clone());
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
            Stage::Asked { at, hedged: false } if key.stands() && !job.told => {
                Some(at.plus_ms(self.latency.hedge_ms()))
            }
            Stage::Asked { .. } => None,
        };
        let end = job.gives_up_at(key, timing);
        next.map_or(end, |next| next.min(end))
    }

    /// Gives up: every commit that is not translated yet is answered with nothing.
    pub(crate) fn give_up(&mut self) -> Vec<Done> {
        self.flight.clear();
        let jobs = std::mem::take(&mut self.jobs);
        let untold = jobs.into_iter().filter(|(key, job)| key.stands() && !job.told);
        untold.map(|(key, job)| job.done(&key, None)).collect()
    }

    /// When something is due.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<MediaInstant> {
        earliest(self.jobs.iter().map(|(key, job)| Some(self.job_deadline(key, job, timing))))
    }

    fn start(&mut self, what: What, language: &Language, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let (key, parts) = (what.key(language), split(what.text(), TRANSLATE_TEXT_BYTES).into());
        self.jobs.insert(key.clone(), Job::new(what, parts, now));
        self.ask(&key, now, out)
    }

    /// Waits for the next part that is not known; done when there is none. All that is not on its way yet is asked for at once.
    fn ask(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let job = self.jobs.get_mut(key)?;
        while let Some(part) = job.parts.front()
            && let Some(known) = self.cache.get(job.what.source(), &key.language, part)
        {
            let known = known.clone();
            job.take(known);
        }
        if job.parts.is_empty() {
            return self.complete(key, now, out);
        }
        let (from, parts) = (job.what.source().clone(), job.parts.clone());
        for part in &parts {
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
        Some((job.what.source().clone(), job.parts.front()?.clone()))
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
        self.jobs.get_mut(key)?.take(text);
        self.ask(key, now, out)
    }

    fn complete(&mut self, key: &Key, now: MediaInstant, out: &mut Outbox) -> Option<Done> {
        let mut job = self.jobs.remove(key)?;
        let parts: Vec<&str> = job.translated.iter().map(String::as_str).collect();
        let text = join_parts(&parts, &key.language);
        if let Some(open) = job.next.take() {
            let newer = self.start(What::Open(open), &key.language, now, out);
            if newer.is_some() {
                return newer;
            }
        }
        Some(job.done(key, Some(text)))
    }
}
