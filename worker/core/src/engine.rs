//! The façade: one input in, decisions out.
//!
//! *Flow*: [`Engine::handle`] hands the input to the part that it concerns, then every part does what is due at that
//! moment; [`Engine::poll`] gives what they want, and at last when to come back.
//! *Guarantees*: the same inputs at the same moments give the same outputs; after [`Output::Exit`] nothing follows.
//! *Assumption*: the shell hands in [`Input::Tick`] when a wait is over, and polls until [`Output::Wait`] after each input.

use crate::audience::{Body, Delivery};
use crate::config::{EngineConfig, ListenPolicy, Source};
use crate::hearing::Audio;
use crate::hearing::{Demand, Idle, Moment, Transcriber};
use crate::input::{AudienceRows, AudioFrame, Control, Input, MediaStreamEvent, PeerEvent, SignalingEvent};
use crate::life::ladder::{Ladder, Strain};
use crate::life::lifecycle::{Farewell, Lifecycle};
use crate::life::notices::Hearing;
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::row::heartbeat::Heartbeat;
use crate::source::join::Join;
use crate::source::path::MediaPath;
use crate::source::reader::Reader;
use crate::text::Track;
use crate::text::translate::Translator;
use crate::text::{Segments, Shown};
use crate::time::MediaInstant;
use crate::voice::Ear;
use crate::voice::model::Judge;
use schemas::ids::{Language, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Media, RungCause};
use std::collections::{BTreeMap, VecDeque};

/// A read of the listeners that is not answered for so long is not waited for, ms.
const AUDIENCE_ANSWER_MS: u64 = 10_000;

/// So long a silence, ms, is one to hand the session over in: longer than the pauses within a sentence.
const LEAVE_SILENCE_MS: u64 = 800;
/// So much speech, ms, within [`ONSET_WINDOW_MS`] opens a stream that was closed in a silence.
const ONSET_MS: u64 = 60;
/// See [`ONSET_MS`]; less than the pre-roll, so that the first syllable is in it.
const ONSET_WINDOW_MS: u64 = 500;

/// One session's worker. After every input, poll until [`Output::Wait`].
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: EngineConfig,
    wall_at_zero: Timestamp,
    pub(crate) now: MediaInstant,
    pub(crate) out: Outbox,
    pub(crate) life: Lifecycle,
    pub(crate) join: Join,
    pub(crate) path: MediaPath,
    pub(crate) reader: Reader,
    pub(crate) audio: Audio,
    pub(crate) ear: Ear,
    pub(crate) judge: Judge,
    pub(crate) transcriber: Transcriber,
    pub(crate) segments: Segments,
    pub(crate) finals: VecDeque<Shown>,
    pub(crate) tracks: BTreeMap<Language, Track>,
    pub(crate) translator: Translator,
    pub(crate) delivery: Delivery,
    pub(crate) ladder: Ladder,
    pub(crate) hearing: Hearing,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) media: Media,
    pub(crate) transcript_at: Option<MediaInstant>,
    pub(crate) resources: (u64, u64),
    audience_at: MediaInstant,
    audience_asked: Option<MediaInstant>,
}

impl Engine {
    /// A worker that has just begun; `wall_at_zero` is the wall time of [`MediaInstant`] 0.
    #[must_use]
    pub fn new(config: EngineConfig, wall_at_zero: Timestamp) -> Self {
        let mut engine = Self {
            audio: Audio::new(config.timing.ring_ms),
            ear: Ear::new(&config),
            judge: Judge::new(&config),
            life: Lifecycle::new(wall_at_zero),
            wall_at_zero,
            now: MediaInstant(0),
            out: Outbox::default(),
            join: Join::new(),
            path: MediaPath::default(),
            reader: Reader::new(),
            transcriber: Transcriber::new(config.stream_wishes),
            segments: Segments::default(),
            finals: VecDeque::new(),
            tracks: BTreeMap::new(),
            translator: Translator::new(config.translate_characters_per_minute, config.translation_wishes),
            delivery: Delivery::default(),
            ladder: Ladder::of(config.generation),
            hearing: Hearing::default(),
            heartbeat: Heartbeat::new(),
            media: Media::default(),
            transcript_at: None,
            resources: (0, 0),
            audience_at: MediaInstant(0),
            audience_asked: None,
            config,
        };
        engine.advance();
        engine
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: MediaInstant) {
        self.now = self.now.max(now);
        if self.has_exited() {
            return;
        }
        self.take(input);
        self.advance();
    }

    /// The next thing to do; [`Output::Wait`] when there is nothing more for now.
    pub fn poll(&mut self) -> Output {
        self.out.pop().unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// Wall time of a moment.
    pub(crate) fn wall_of(&self, at: MediaInstant) -> Timestamp {
        self.wall_at_zero.plus_ms(i64::try_from(at.0).unwrap_or(i64::MAX))
    }
    /// Wall time now.
    pub(crate) fn wall(&self) -> Timestamp {
        self.wall_of(self.now)
    }

    fn take(&mut self, input: Input) {
        let now = self.now;
        match input {
            Input::Tick => {}
            Input::Terminate => self.on_terminate(),
            Input::Control(control) => self.on_control(&control),
            Input::ControlFailed(detail) => {
                self.heartbeat.failed(now);
                self.out.warn("row_not_written", detail);
            }
            Input::LeaseLost => self.on_lease_lost("the row belongs to another generation"),
            Input::Audience(AudienceRows { listeners, speakers }) => {
                self.audience_asked = None;
                if self.life.may_welcome() {
                    let joined = self.delivery.update(listeners, now);
                    joined.into_iter().for_each(|(connection, language)| self.welcome(&connection, language));
                    self.know_speakers(speakers);
                }
            }
            Input::AudienceFailed(detail) => {
                self.audience_asked = None;
                self.audience_at = self.now.plus_ms(self.config.timing.audience_failed_ms);
                self.out.warn("listeners_not_read", detail);
            }
            Input::Signaling(event) => self.on_signaling(event),
            Input::Peer(event) => self.on_peer(event),
            Input::MediaStream(event) => self.on_media_stream(event),
            Input::Audio(frame) => self.on_audio(&frame),
            Input::Media(media) => {
                self.media = media;
                self.watch_network(&self.media.clone());
            }
            Input::Transcribe(id, event) => {
                let at = Moment { now, audio: &self.audio, timing: &self.config.timing };
                let heard = self.transcriber.on_event(id, event, &at, &mut self.out);
                heard.into_iter().for_each(|heard| self.on_heard(heard));
            }
            Input::Translated(id, answer) => {
                let done = self.translator.on_answer(id, answer, now, &mut self.out);
                done.into_iter().for_each(|done| self.on_translated(done));
            }
            Input::Posted(id, outcome) => {
                let wall = self.wall();
                self.delivery.on_outcome(id, &outcome, now, wall, &self.config, &mut self.out);
            }
            Input::Judged(id, answer) => self.on_judged(id, answer),
            Input::ModelEnded(why) => self.judge.ended(why, &mut self.out),
            Input::Resources { cpu_ms, peak_memory_bytes } => self.resources = (cpu_ms, peak_memory_bytes),
        }
    }

    fn on_control(&mut self, control: &Control) {
        if control.generation != self.config.generation {
            self.on_lease_lost("the row names another generation");
            return;
        }
        let issued_at = self.heartbeat.answered(self.now);
        let before = (self.life.desired, self.life.language.clone());
        self.life.on_control(control, issued_at, self.now);
        self.know_speakers(control.speaker.iter().cloned().collect());
        if before != (self.life.desired, self.life.language.clone()) {
            self.out.fact("wanted", format!("{:?} in {}", control.desired, control.source_language));
        }
        match control.desired {
            Desired::Stop => match control.leave_by {
                Some(by) if before.0 != Desired::Pause => self.life.leave_at_silence(control.why.clone(), by),
                Some(_) | None => self.drain(control.why.clone(), Farewell::SessionEnded),
            },
            Desired::Run | Desired::Pause if self.life.is_serving() => match self.config.source {
                Source::Channel => self.join.start(self.now, &mut self.out),
                Source::Stream => self.reader.start(self.now, &mut self.out),
            },
            Desired::Run | Desired::Pause => {}
        }
    }

    fn on_signaling(&mut self, event: SignalingEvent) {
        let relayed = self.media.candidate_type.as_deref() == Some("relay");
        if event == SignalingEvent::Connected {
            self.life.on_joined(self.now, self.wall());
        } else if event == SignalingEvent::ReconnectIceServer && relayed {
            self.join.leave_relay();
        }
        self.path.on_signaling(&event, self.now);
        self.join.on_signaling(event, self.now, &mut self.out);
        if self.join.channel_is_gone() {
            let why = Why::new(Cause::SessionDeleted, "The signaling channel does not exist any more.", self.wall());
            self.drain(why, Farewell::SessionEnded);
        }
    }

    fn on_media_stream(&mut self, event: MediaStreamEvent) {
        if event == MediaStreamEvent::Opened {
            self.life.on_joined(self.now, self.wall());
        }
        self.reader.on_event(event, self.now, &mut self.out);
        if self.reader.stream_is_gone() {
            let why = Why::new(Cause::SessionDeleted, "The video stream does not exist any more.", self.wall());
            self.drain(why, Farewell::SessionEnded);
        }
    }

    fn on_peer(&mut self, event: PeerEvent) {
        self.path.on_peer(&event, self.now, self.config.timing.connect_ms);
        self.join.on_peer(event, self.now, &mut self.out);
    }

    fn on_audio(&mut self, frame: &AudioFrame) {
        if self.life.on_audio(self.now, self.wall()) {
            self.out.fact("first_audio", "");
        }
        self.join.on_rtp(self.now);
        self.path.open();
        self.reader.on_audio();
        if self.life.is_paused() {
            self.audio.ring.clear();
            self.audio.notice(frame, self.now);
        } else {
            self.audio.take(frame, self.now);
            self.transcriber.notice(frame);
            self.hear_voice(frame);
        }
    }

    /// Whether and in which language a stream is wanted.
    pub(crate) fn demand(&self) -> Demand {
        let quiet = self.audio.quiet_for(self.now);
        match &self.life.language {
            _ if !self.life.is_serving() => Demand::None(Idle::Ending),
            None => Demand::None(Idle::NotReady),
            Some(_) if self.life.is_paused() => Demand::None(Idle::Paused),
            Some(_) if quiet.is_none_or(|ms| ms >= self.config.timing.idle_close_ms) => Demand::None(Idle::NoAudio),
            Some(_) if self.config.listen == ListenPolicy::WhenHeard && self.delivery.nobody() => {
                Demand::None(Idle::NobodyListens)
            }
            Some(_) if self.speaker_is_silent() => Demand::None(Idle::Silence),
            Some(language) => Demand::Stream(language.clone()),
        }
    }

    /// Silent for so long that the stream is not worth its price; a click does not end that, speech does.
    fn speaker_is_silent(&self) -> bool {
        if self.transcriber.waits_for_speech() {
            return self.audio.levels.speech_within_ms(ONSET_WINDOW_MS) < ONSET_MS;
        }
        self.audio.levels.silent_for_ms() >= self.config.timing.silence_close_ms
    }

    /// Lets every part do what is due.
    fn advance(&mut self) {
        let now = self.now;
        if self.has_exited() {
            return;
        }
        if self.life.lease_is_over(now, &self.config.timing) {
            self.on_lease_lost("it could not be confirmed in time");
            return;
        }
        if let Some(why) = self.life.reason_to_end(now, self.wall(), self.audio.heard_at, &self.config.timing) {
            self.drain(self.precise(why), Farewell::SessionEnded);
        }
        if let Some(why) = self.life.reason_to_leave(self.wall(), self.audio.is_silent_for(LEAVE_SILENCE_MS, now)) {
            self.drain(why, Farewell::SessionEnded);
        }
        if self.life.is_serving() {
            self.path.advance(now, self.config.timing.connect_ms);
            let quiet = self.audio.quiet_for(now);
            match self.config.source {
                Source::Channel => self.join.advance(now, quiet, &self.config.timing, &mut self.out),
                Source::Stream => self.reader.advance(now, self.audio.heard_at, &mut self.out),
            }
        }
        let demand = self.demand();
        let at = Moment { now, audio: &self.audio, timing: &self.config.timing };
        let heard = self.transcriber.advance(&at, &demand, &mut self.out);
        heard.into_iter().for_each(|heard| self.on_heard(heard));
        self.advance_text();
        self.rest_voice();
        self.judge.advance(now, &self.config.timing, &mut self.out);
        self.advance_ending();
        self.advance_ladder();
        self.advance_hearing();
        self.advance_audience();
        self.advance_heartbeat();
        self.post();
    }

    /// A speaker who answered and was not heard is not one who never came.
    fn precise(&self, why: Why) -> Why {
        let absent = matches!(why.cause, Cause::SpeakerNeverCame | Cause::SpeakerGone);
        match self.path.blocked() {
            Some(blocked) if absent => Why::new(Cause::NoMediaPath, blocked.text, why.at),
            Some(_) | None => why,
        }
    }

    fn advance_ladder(&mut self) {
        if !self.life.is_serving() {
            // The last thing that listeners hear is the end.
            return;
        }
        let fails = self.translator.fails_into(|language| self.delivery.hears(language));
        let fails = fails.then_some(RungCause::TranslationFails);
        let seen = Strain {
            outage_since: self.transcriber.outage_since,
            untranslated: if self.translator.is_spent(self.now) { Some(RungCause::BudgetSpent) } else { fails },
            saving: self.translator.saving(self.now),
            slow: self.delivery.is_slow(),
        };
        if let Some(service) = self.ladder.judge(&seen, self.now) {
            let cause = service.cause.map(|cause| format!(" ({cause:?})")).unwrap_or_default();
            self.out.warn("rung", format!("{:?}{cause}: {}", service.rung, service.sentence));
            self.delivery.tell_all(&Body::Status(service));
            self.tell_speaker_of_rung(service.rung, service.sentence);
        }
    }

    fn advance_audience(&mut self) {
        let waits = self.audience_asked.is_some_and(|at| self.now.since(at) < AUDIENCE_ANSWER_MS);
        if self.life.is_serving() && !waits && self.now >= self.audience_at {
            self.audience_asked = Some(self.now);
            self.audience_at = self.now.plus_ms(self.audience_gap_ms());
            self.out.push(Output::ReadAudience);
        }
    }

    /// How long a join may wait: the reads are paid for.
    fn audience_gap_ms(&self) -> u64 {
        let timing = &self.config.timing;
        let away = self.audio.quiet_for(self.now).is_none_or(|ms| ms >= timing.idle_close_ms);
        if away || self.life.is_paused() { timing.audience_idle_ms } else { timing.audience_ms }
    }

    fn deadline(&self) -> MediaInstant {
        let (now, timing) = (self.now, &self.config.timing);
        let audience =
            self.audience_asked.map_or(self.audience_at, |at| self.audience_at.max(at.plus_ms(AUDIENCE_ANSWER_MS)));
        let serving = self.life.is_serving();
        let due = earliest([
            self.life.deadline(self.audio.heard_at, self.wall_at_zero, timing),
            serving.then(|| self.join.deadline(self.audio.heard_at, timing)).flatten(),
            serving.then(|| self.reader.deadline(self.audio.heard_at)).flatten(),
            self.transcriber.deadline(&Moment { now, audio: &self.audio, timing }, &self.demand()),
            self.text_deadline(),
            serving.then(|| self.ladder.deadline(self.transcriber.outage_since, now)).flatten(),
            serving.then_some(audience),
            self.judge.deadline(timing),
            Some(self.heartbeat.deadline()),
            self.delivery.deadline(now, &self.config),
        ]);
        due.unwrap_or(now).max(now.plus_ms(1))
    }
}
