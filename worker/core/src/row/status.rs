//! Our section of the row.

use crate::engine::Engine;
use crate::input::StreamEnd;
use crate::life::lifecycle::Stage;
use crate::output::{Output, StatusWrite};
use crate::row::heartbeat::NewPhase;
use crate::row::waiting::Needed;
use crate::text::Track;
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::reason::{Cause, Why};
use schemas::worker::{LanguageStatus, Phase, Progress, RungCause, Usage, Waiting, WorkerStatus};
use std::collections::BTreeMap;

/// Speech that goes on without a pause of so long is owed words; a cough before a silence is not, ms.
const SPEECH_GOES_ON_MS: u64 = 10_000;

impl Engine {
    /// Writes the row when it is due.
    pub(crate) fn advance_heartbeat(&mut self) {
        let phase = self.life.phase();
        if self.has_exited() {
            return;
        }
        let Some(new) = self.heartbeat.due(phase, self.now, &self.config.timing) else { return };
        let why = match new {
            NewPhase::No => None,
            NewPhase::Yes => {
                self.out.fact("phase", format!("{phase:?}"));
                Some(self.why(phase))
            }
        };
        self.out.push(Output::MeasureResources);
        let waiting = self.waiting();
        let status = self.status(waiting);
        self.out.push(Output::WriteStatus(Box::new(StatusWrite { phase, why, status })));
    }

    fn why(&self, phase: Phase) -> Why {
        if let Stage::Writing { why, .. } = &self.life.stage {
            return why.clone();
        }
        let text = match phase {
            Phase::Joining => "The worker runs and joins the channel.",
            Phase::WaitingForSpeaker => "The channel is joined; no audio has come yet.",
            Phase::Live => "Audio flows.",
            Phase::Paused => "The session is paused; nothing is transcribed.",
            Phase::Queued | Phase::Launching | Phase::Draining | Phase::Stopped | Phase::Failed => "",
        };
        let cause = if phase == Phase::Paused { Cause::SessionPaused } else { Cause::SessionActive };
        Why::new(cause, text, self.wall())
    }

    /// What waits for its next stage, where anybody needs that stage. Only work that is really pending waits: a result that
    /// changes no caption, a translation from the cache or a cough before a long silence ask for nothing.
    fn waiting(&mut self) -> Waiting {
        let listened = self.delivery.languages();
        let source = self.life.language.as_ref();
        let serves = self.life.is_serving() && !self.life.is_paused();
        let (heard, foreign) = (!listened.is_empty(), listened.keys().any(|language| Some(language) != source));
        let speaks = self.audio.speech_at.is_some_and(|at| self.now.since(at) < SPEECH_GOES_ON_MS);
        let untranslated = self.tracks.values().any(Track::is_waiting);
        let undelivered = !self.delivery.is_idle();
        let (now, waits) = (Some(self.now), &mut self.heartbeat.waits);
        let needed = |stage: bool| Needed::from(serves && stage);
        let speech = waits.speech.observe(self.audio.speech_at, self.transcript_at, needed(heard && speaks));
        let transcript = waits.transcript.observe(now, self.translator.answered_at, needed(foreign && untranslated));
        let caption = waits.caption.observe(now, self.delivery.delivered_at, needed(heard && undelivered));
        let at = |moment: Option<MediaInstant>| moment.map(|at| self.wall_of(at));
        Waiting { speech_since: at(speech), transcript_since: at(transcript), caption_since: at(caption) }
    }

    fn status(&self, waiting: Waiting) -> WorkerStatus {
        let at = |moment: Option<MediaInstant>| moment.map(|at| self.wall_of(at));
        WorkerStatus {
            version: self.config.version.clone(),
            task_arn: self.config.task_arn.clone(),
            heartbeat_at: self.wall(),
            start_up: self.life.start_up.clone(),
            progress: Progress {
                rtp_at: at(self.audio.heard_at),
                speech_at: at(self.audio.speech_at),
                transcript_at: at(self.transcript_at),
                translation_at: at(self.translator.answered_at),
                delivery_at: at(self.delivery.delivered_at),
                waiting,
            },
            media: self.join.describe(self.media.clone()),
            languages: self.languages(),
            usage: Usage {
                transcribed_ms: self.transcriber.sent_ms(),
                transcribe_streams: self.transcriber.streams,
                translated_characters: self.translator.characters,
                translations: self.translator.calls,
                posts: self.delivery.posts,
                posts_failed: self.delivery.failed,
            },
            rung: self.ladder.service.rung,
            trouble: self.trouble(),
            notes: self.notes(),
            voice: self.ear.last.clone(),
            voice_model: self.judge.status.clone(),
            audio_quality: self.ear.watch.seen.clone(),
            cpu_ms: self.resources.0,
            peak_memory_bytes: self.resources.1,
        }
    }

    /// What keeps captions away, when it is not the session's own doing.
    fn trouble(&self) -> Option<Why> {
        if let Some(blocked) = self.path.blocked() {
            return Some(Why::new(Cause::NoMediaPath, blocked.text, self.wall_of(blocked.since)));
        }
        self.stream_trouble().or_else(|| self.rung_trouble())
    }

    fn stream_trouble(&self) -> Option<Why> {
        let since = self.transcriber.outage_since?;
        let (cause, text) = match self.transcriber.trouble.as_ref()? {
            StreamEnd::LimitExceeded(detail) => {
                (Cause::TranscribeLimit, format!("Transcribe gives no further stream: {detail}"))
            }
            StreamEnd::Refused(detail) => (Cause::StageStuck, format!("Transcribe refuses the stream: {detail}")),
            StreamEnd::Clean | StreamEnd::Idle(_) | StreamEnd::Fault(_) => return None,
        };
        Some(Why::new(cause, text, self.wall_of(since)))
    }

    /// Why listeners get less than everything.
    fn rung_trouble(&self) -> Option<Why> {
        let (cause, text) = match self.ladder.service.cause? {
            RungCause::TranscriptionInterrupted => (Cause::StageStuck, "No transcription stream stays open."),
            RungCause::TranslationFails => (Cause::StageStuck, "Translation into a language fails again and again."),
            RungCause::TranslationThrottled => (Cause::Throttled, "Translate asks to slow down."),
            RungCause::BudgetSpent => {
                (Cause::Throttled, "The session's budget of characters to translate in a minute is spent, or nearly.")
            }
            RungCause::PostsThrottled => (Cause::Throttled, "Most listeners cannot take the posts (429)."),
            RungCause::Handover => (Cause::Handover, "The session moves to another worker."),
        };
        Some(Why::new(cause, text, self.wall_of(self.ladder.since)))
    }

    /// Wishes that are not fulfilled.
    fn notes(&self) -> Vec<String> {
        let refused = self.transcriber.refused_wishes.as_ref();
        let stream = refused.map(|detail| format!("Captions run without the session's wishes to Transcribe: {detail}"));
        self.config.notes.iter().cloned().chain(stream).chain(self.translator.notes()).collect()
    }

    /// Every language that somebody listens to, or has listened to.
    fn languages(&self) -> BTreeMap<Language, LanguageStatus> {
        let listeners = self.delivery.languages();
        let status = |(language, track): (&Language, &Track)| {
            let status = LanguageStatus {
                listeners: listeners.get(language).copied().unwrap_or(0),
                last_cursor: track.cursor,
                lag_p50_ms: track.quality.lag_percentile(50),
                lag_p95_ms: track.quality.lag_percentile(95),
                erasure: track.quality.erasure(),
            };
            (language.clone(), status)
        };
        self.tracks.iter().map(status).collect()
    }
}
