//! Our section of the row.

use crate::cx::Cx;
use crate::input::{RowFailure, StreamEnd, WriteId};
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

/// A stream that is behind for so long is told, ms.
const TOLD_BEHIND_MS: u64 = 5_000;
/// Speech that goes on without a pause of so long is owed words; a cough before a silence is not, ms.
const SPEECH_GOES_ON_MS: u64 = 10_000;

/// The row could not be written or read this time.
pub(crate) fn failed(cx: &mut Cx, id: WriteId, failure: RowFailure) {
    cx.row.heartbeat.failed(id, cx.now);
    cx.out.warn("row_not_written", failure.to_string());
    cx.life.lease.failed(failure);
}

/// When the row is written next.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    Some(cx.row.heartbeat.deadline(cx.life.cycle.phase()))
}

/// Writes the row when it is due.
pub(crate) fn run(cx: &mut Cx) {
    let phase = cx.life.cycle.phase();
    let Some((id, new)) = cx.row.heartbeat.due(phase, cx.now, &cx.config.timing) else { return };
    let why = match new {
        NewPhase::No => None,
        NewPhase::Yes => {
            cx.out.fact("phase", format!("{phase:?}"));
            Some(why(cx, phase))
        }
    };
    cx.out.push(Output::MeasureResources);
    let waiting = waiting(cx);
    let status = status(cx, waiting);
    let unwritten_ms = cx.life.lease.unwritten_ms(cx.now);
    cx.out.push(Output::WriteStatus(Box::new(StatusWrite { id, phase, why, status, unwritten_ms })));
}

fn why(cx: &Cx, phase: Phase) -> Why {
    if let Stage::Writing { why, .. } = &cx.life.cycle.stage {
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
    Why::new(cause, text, cx.wall())
}

/// What waits for its next stage, where anybody needs that stage. Only work that is really pending waits: a result that
/// changes no caption, a translation from the cache or a cough before a long silence ask for nothing.
fn waiting(cx: &mut Cx) -> Waiting {
    let listened = cx.audience.delivery.languages();
    let source = cx.life.cycle.language.as_ref();
    let serves = cx.life.cycle.is_serving() && !cx.life.cycle.is_paused();
    let (heard, foreign) = (!listened.is_empty(), listened.keys().any(|language| Some(language) != source));
    let speaks = cx.hearing.audio.speech_at.is_some_and(|at| cx.now.since(at) < SPEECH_GOES_ON_MS);
    let untranslated = cx.text.tracks.values().any(Track::is_waiting);
    let undelivered = !cx.audience.delivery.is_idle();
    let (now, waits) = (Some(cx.now), &mut cx.row.heartbeat.waits);
    let needed = |stage: bool| Needed::from(serves && stage);
    let speech = waits.speech.observe(cx.hearing.audio.speech_at, cx.hearing.transcript_at, needed(heard && speaks));
    let transcript = waits.transcript.observe(now, cx.text.translator.answered_at, needed(foreign && untranslated));
    let caption = waits.caption.observe(now, cx.audience.delivery.delivered_at, needed(heard && undelivered));
    let at = |moment: Option<MediaInstant>| moment.map(|at| cx.wall_of(at));
    Waiting { speech_since: at(speech), transcript_since: at(transcript), caption_since: at(caption) }
}

fn status(cx: &Cx, waiting: Waiting) -> WorkerStatus {
    let at = |moment: Option<MediaInstant>| moment.map(|at| cx.wall_of(at));
    WorkerStatus {
        version: cx.config.version.clone(),
        task_arn: cx.config.task_arn.clone(),
        heartbeat_at: cx.wall(),
        start_up: cx.life.cycle.start_up.clone(),
        progress: Progress {
            rtp_at: at(cx.hearing.audio.heard_at),
            speech_at: at(cx.hearing.audio.speech_at),
            transcript_at: at(cx.hearing.transcript_at),
            translation_at: at(cx.text.translator.answered_at),
            delivery_at: at(cx.audience.delivery.delivered_at),
            waiting,
            unheard_since: at(cx.hearing.gate.unheard_since),
        },
        media: cx.source.join.describe(cx.source.media.clone()),
        languages: languages(cx),
        usage: Usage {
            transcribed_ms: cx.hearing.lanes.sent_ms(),
            transcribe_streams: cx.hearing.lanes.streams,
            translated_characters: cx.text.translator.characters,
            translations: cx.text.translator.calls,
            posts: cx.audience.delivery.posts,
            posts_failed: cx.audience.delivery.failed,
        },
        rung: cx.life.ladder.service.rung,
        trouble: trouble(cx),
        notes: notes(cx),
        voice: cx.voice.ear.last.clone(),
        voice_model: cx.voice.model.status.clone(),
        audio_quality: cx.voice.ear.watch.seen.clone(),
        cpu_ms: cx.row.resources.0,
        peak_memory_bytes: cx.row.resources.1,
    }
}

/// What keeps captions away, when it is not the session's own doing.
fn trouble(cx: &Cx) -> Option<Why> {
    if let Some(blocked) = cx.source.path.blocked() {
        return Some(Why::new(Cause::NoMediaPath, blocked.text, cx.wall_of(blocked.since)));
    }
    stream_trouble(cx).or_else(|| rung_trouble(cx))
}

fn stream_trouble(cx: &Cx) -> Option<Why> {
    let since = cx.hearing.lanes.outage_since?;
    let (cause, text) = match cx.hearing.lanes.trouble.as_ref()? {
        StreamEnd::LimitExceeded(detail) => {
            (Cause::TranscribeLimit, format!("Transcribe gives no further stream: {detail}"))
        }
        StreamEnd::Throttled(detail) => (Cause::Throttled, format!("Transcribe asks to slow down: {detail}")),
        StreamEnd::Refused(detail) => (Cause::StageStuck, format!("Transcribe refuses the stream: {detail}")),
        StreamEnd::Clean | StreamEnd::Idle(_) | StreamEnd::Fault(_) => return None,
    };
    Some(Why::new(cause, text, cx.wall_of(since)))
}

/// Why listeners get less than everything.
fn rung_trouble(cx: &Cx) -> Option<Why> {
    let (cause, text) = match cx.life.ladder.service.cause? {
        RungCause::TranscriptionInterrupted => (Cause::StageStuck, "No transcription stream stays open."),
        RungCause::TranslationFails => (Cause::StageStuck, "Translation into a language fails again and again."),
        RungCause::TranslationThrottled => (Cause::Throttled, "Translate asks to slow down."),
        RungCause::BudgetSpent => {
            (Cause::Throttled, "The session's budget of characters to translate in a minute is spent, or nearly.")
        }
        RungCause::PostsThrottled => (Cause::Throttled, "Most listeners cannot take the posts (429)."),
        RungCause::Handover => (Cause::Handover, "The session moves to another worker."),
    };
    Some(Why::new(cause, text, cx.wall_of(cx.life.ladder.since)))
}

/// Options that are not fulfilled, and what else an operator should know.
fn notes(cx: &Cx) -> Vec<String> {
    let refused = cx.hearing.lanes.refused_options.as_ref();
    let stream = refused.map(|detail| format!("Captions run without the session's options to Transcribe: {detail}"));
    let behind_ms = cx.hearing.lanes.behind_since().map(|since| cx.now.since(since));
    let behind = behind_ms.filter(|ms| *ms >= TOLD_BEHIND_MS).map(|ms| {
        let seconds = ms / TOLD_BEHIND_MS * (TOLD_BEHIND_MS / 1_000);
        format!(
            "Captions have been late for {seconds} s, since a reconnect: pauses are left out until they have caught up."
        )
    });
    let unwritten = cx.life.lease.note(cx.now);
    let told =
        stream.into_iter().chain(cx.text.translator.notes()).chain(cx.audience.notes()).chain(behind).chain(unwritten);
    cx.config.notes.iter().cloned().chain(told).collect()
}

/// Every language that somebody listens to, or has listened to.
fn languages(cx: &Cx) -> BTreeMap<Language, LanguageStatus> {
    let listeners = cx.audience.delivery.languages();
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
    cx.text.tracks.iter().map(status).collect()
}
