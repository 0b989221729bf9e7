//! From results to posts: what each part hands to the next.

use crate::captions::Shown;
use crate::config::PartialPolicy;
use crate::deliver::{Body, Track};
use crate::engine::Engine;
use crate::message::Envelope;
use crate::outbox::earliest;
use crate::output::Output;
use crate::time::MediaInstant;
use crate::transcribe::Heard;
use crate::translate::{Done, mask, partial_parts};
use schemas::ids::{ConnectionId, Language};
use schemas::worker::Rung;

impl Engine {
    /// A result of the recogniser.
    pub(crate) fn on_heard(&mut self, heard: Heard) {
        self.transcript_at = Some(self.now);
        if let Some(last) = heard.words.last() {
            self.audio.levels.understood(last.end_ms);
        }
        let of_stream = || self.transcriber.language_of(heard.stream).or(self.life.language.clone());
        let Some(language) = heard.language.clone().or_else(of_stream) else { return };
        let shown = self.segments.hear(heard, &language, self.now, &self.config.timing);
        self.on_shown(shown);
    }

    /// Segments have something to show.
    pub(crate) fn on_shown(&mut self, shown: Vec<Shown>) {
        if !shown.is_empty() {
            self.take_back();
        }
        for shown in shown {
            if shown.is_final {
                self.on_final(&shown);
            } else {
                self.on_partial(&shown);
            }
        }
        self.transcriber.covered(self.segments.watermark_ms);
    }

    /// Before the first caption: nobody else can take back what the worker before told the listeners.
    fn take_back(&mut self) {
        if !self.ladder.inherited || self.delivery.languages().is_empty() {
            return;
        }
        self.ladder.inherited = false;
        if self.ladder.service.rung == Rung::Full {
            self.delivery.tell_all(&Body::Status(self.ladder.service));
        }
    }

    fn on_final(&mut self, shown: &Shown) {
        self.finals.push_back(shown.clone());
        while self.finals.len() > self.config.catch_up_finals {
            self.finals.pop_front();
        }
        let languages = self.delivery.languages();
        for (_, track) in self.tracks.iter_mut().filter(|(language, _)| !languages.contains_key(*language)) {
            track.pass_over(shown);
        }
        for language in languages.into_keys() {
            self.expect(&language, shown, false);
        }
        self.voice_of(shown);
    }

    /// A final is due in this language: translated if need be, in its turn.
    fn expect(&mut self, language: &Language, shown: &Shown, catch_up: bool) {
        if self.track(language).expect(shown, catch_up) {
            let done = self.translator.request(shown.clone(), language, shown.sentences(), self.now, &mut self.out);
            done.into_iter().for_each(|done| self.on_translated(done));
        }
        self.release(language);
    }

    fn release(&mut self, language: &Language) {
        for rendered in self.track(language).release() {
            self.delivery.caption(&rendered);
        }
    }

    fn on_partial(&mut self, shown: &Shown) {
        if self.delivery.is_slow() {
            return;
        }
        let parts = partial_parts(self.config.partials, shown);
        for language in self.delivery.languages().into_keys() {
            let track = self.track(&language);
            if track.passes(shown) {
                if let Some(rendered) = track.partial(shown, None) {
                    self.delivery.caption(&rendered);
                }
            } else if !parts.is_empty() {
                track.offer_partial(shown, parts.clone());
            }
        }
    }

    /// A translation has come, or will not.
    pub(crate) fn on_translated(&mut self, done: Done) {
        let language = done.language;
        if done.shown.is_final {
            self.track(&language).translated(&done.shown, done.text);
            self.release(&language);
        } else if let Some(text) = done.text.and_then(|text| self.masked(&text, &language))
            && let Some(rendered) = self.track(&language).partial(&done.shown, Some(text))
        {
            self.delivery.caption(&rendered);
        }
    }

    fn masked(&self, text: &str, language: &Language) -> Option<String> {
        match self.config.partials {
            PartialPolicy::Live => mask(text, self.config.mask_words, language),
            PartialPolicy::Finals | PartialPolicy::Clauses => Some(text.to_owned()),
        }
    }

    /// A listener is new in this language: the last whole sentences at once.
    pub(crate) fn welcome(&mut self, connection: &ConnectionId, language: Language) {
        if self.ladder.service.rung != Rung::Full {
            self.delivery.tell(connection, Body::Status(self.ladder.service));
        }
        let finals = self.finals.clone();
        let released = self.track(&language).released_of(&finals);
        self.delivery.catch_up(connection, &released);
        for shown in &finals {
            self.expect(&language, shown, true);
        }
    }

    /// Partials, translations and retries whose time has come.
    pub(crate) fn advance_text(&mut self) {
        let shown = self.segments.advance(self.now, &self.config.timing);
        self.on_shown(shown);
        for done in self.translator.advance(self.now, &self.config.timing, &mut self.out) {
            self.on_translated(done);
        }
        let (now, gap_ms) = (self.now, self.config.timing.translate_gap_ms);
        let mut known = Vec::new();
        for (language, track) in &mut self.tracks {
            if let Some((shown, parts)) = track.due_partial(now, gap_ms) {
                known.extend(self.translator.request(shown, language, parts, now, &mut self.out));
            }
        }
        known.into_iter().for_each(|done| self.on_translated(done));
    }

    /// When captions or translations are due.
    pub(crate) fn text_deadline(&self) -> Option<MediaInstant> {
        let timing = &self.config.timing;
        let partial = earliest(self.tracks.values().map(|t| t.deadline(timing.translate_gap_ms)));
        earliest([partial, self.segments.deadline(timing), self.translator.deadline(timing)])
    }

    /// Posts what may go out now.
    pub(crate) fn post(&mut self) {
        if !self.life.may_speak() {
            return;
        }
        for ready in self.delivery.pump(self.now, &self.config, &mut self.out) {
            let envelope = Envelope {
                session: &self.config.session,
                generation: self.config.generation,
                clock: &self.audio.clock,
                now: self.now,
                wall: self.wall(),
            };
            let data = envelope.json(&ready.body, ready.catch_up);
            if let Body::Caption(rendered) = &ready.body {
                let lag_ms = envelope.lag_ms(rendered);
                let wall = envelope.wall;
                self.life.start_up.first_caption_at.get_or_insert(wall);
                if let Some(track) = self.tracks.get_mut(&rendered.language).filter(|_| !ready.catch_up) {
                    track.quality.lagged(lag_ms);
                }
            }
            self.out.push(Output::Post { id: ready.id, connection: ready.connection, data });
        }
        if let Some((id, connection, data)) = self.delivery.notice(self.now, &self.config) {
            self.out.push(Output::Post { id, connection, data });
        }
    }

    fn track(&mut self, language: &Language) -> &mut Track {
        let keep = self.config.catch_up_finals;
        self.tracks.entry(language.clone()).or_insert_with(|| Track::new(language.clone(), keep))
    }
}
