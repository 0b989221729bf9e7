//! From results to posts: what each part hands to the next.

use crate::audience::Body;
use crate::config::PartialPolicy;
use crate::cx::Cx;
use crate::hearing::Heard;
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::earliest;
use crate::text::Shown;
use crate::text::Track;
use crate::text::translate::{Done, mask, partial_parts};
use crate::time::MediaInstant;
use crate::voice::ear;
use schemas::ids::{ConnectionId, Language};
use schemas::worker::Rung;

/// A result of the recogniser.
pub(crate) fn hear(cx: &mut Cx, heard: Heard) {
    cx.hearing.transcript_at = Some(cx.now);
    if let Some(last) = heard.words.last() {
        cx.hearing.audio.levels.understood(last.end_ms);
    }
    let of_stream = || cx.hearing.transcriber.language_of(heard.stream).or(cx.life.cycle.language.clone());
    let Some(language) = heard.language.clone().or_else(of_stream) else { return };
    let shown = cx.text.segments.hear(heard, &language, cx.now, &cx.config.timing);
    show(cx, shown);
}

/// Segments have something to show.
pub(crate) fn show(cx: &mut Cx, shown: Vec<Shown>) {
    if !shown.is_empty() {
        take_back(cx);
    }
    for shown in shown {
        if shown.is_final {
            on_final(cx, &shown);
        } else {
            on_partial(cx, &shown);
        }
    }
    cx.hearing.transcriber.covered(cx.text.segments.watermark_ms);
}

/// Before the first caption: nobody else can take back what the worker before told the listeners.
fn take_back(cx: &mut Cx) {
    if !cx.life.ladder.inherited || cx.audience.delivery.languages().is_empty() {
        return;
    }
    cx.life.ladder.inherited = false;
    if cx.life.ladder.service.rung == Rung::Full {
        cx.audience.delivery.tell_all(&Body::Status(cx.life.ladder.service));
    }
}

fn on_final(cx: &mut Cx, shown: &Shown) {
    cx.text.finals.push_back(shown.clone());
    while cx.text.finals.len() > cx.config.catch_up_finals {
        cx.text.finals.pop_front();
    }
    let languages = cx.audience.delivery.languages();
    for (_, track) in cx.text.tracks.iter_mut().filter(|(language, _)| !languages.contains_key(*language)) {
        track.pass_over(shown);
    }
    for language in languages.into_keys() {
        expect(cx, &language, shown, false);
    }
    ear::voice_of(cx, shown);
}

/// A final is due in this language: translated if need be, in its turn.
fn expect(cx: &mut Cx, language: &Language, shown: &Shown, catch_up: bool) {
    if track(cx, language).expect(shown, catch_up) {
        let done = cx.text.translator.request(shown.clone(), language, shown.sentences(), cx.now, &mut cx.out);
        done.into_iter().for_each(|done| translated(cx, done));
    }
    release(cx, language);
}

fn release(cx: &mut Cx, language: &Language) {
    for rendered in track(cx, language).release() {
        cx.audience.delivery.caption(&rendered);
    }
}

fn on_partial(cx: &mut Cx, shown: &Shown) {
    if cx.audience.delivery.is_slow() {
        return;
    }
    let parts = partial_parts(cx.config.partials, shown);
    for language in cx.audience.delivery.languages().into_keys() {
        let track = track(cx, &language);
        if track.passes(shown) {
            if let Some(rendered) = track.partial(shown, None) {
                cx.audience.delivery.caption(&rendered);
            }
        } else if !parts.is_empty() {
            track.offer_partial(shown, parts.clone());
        }
    }
}

/// The answer of a translation.
pub(crate) fn answered(cx: &mut Cx, id: TranslationId, answer: Result<String, TranslateFailure>) {
    let done = cx.text.translator.on_answer(id, answer, cx.now, &mut cx.out);
    done.into_iter().for_each(|done| translated(cx, done));
}

/// A translation has come, or will not.
pub(crate) fn translated(cx: &mut Cx, done: Done) {
    let language = done.language;
    if done.shown.is_final {
        track(cx, &language).translated(&done.shown, done.text);
        release(cx, &language);
    } else if let Some(text) = done.text.and_then(|text| masked(cx, &text, &language))
        && let Some(rendered) = track(cx, &language).partial(&done.shown, Some(text))
    {
        cx.audience.delivery.caption(&rendered);
    }
}

fn masked(cx: &Cx, text: &str, language: &Language) -> Option<String> {
    match cx.config.partials {
        PartialPolicy::Live => mask(text, cx.config.mask_words, language),
        PartialPolicy::Finals | PartialPolicy::Clauses => Some(text.to_owned()),
    }
}

/// A listener is new in this language: the last whole sentences at once.
pub(crate) fn welcome(cx: &mut Cx, connection: &ConnectionId, language: Language) {
    if cx.life.ladder.service.rung != Rung::Full {
        cx.audience.delivery.tell(connection, Body::Status(cx.life.ladder.service));
    }
    let finals = cx.text.finals.clone();
    let released = track(cx, &language).released_of(&finals);
    cx.audience.delivery.catch_up(connection, &released);
    for shown in &finals {
        expect(cx, &language, shown, true);
    }
}

/// Partials, translations and retries whose time has come.
pub(crate) fn run(cx: &mut Cx) {
    let shown = cx.text.segments.advance(cx.now, &cx.config.timing);
    show(cx, shown);
    for done in cx.text.translator.advance(cx.now, &cx.config.timing, &mut cx.out) {
        translated(cx, done);
    }
    let (now, gap_ms) = (cx.now, cx.config.timing.translate_gap_ms);
    let mut known = Vec::new();
    for (language, track) in &mut cx.text.tracks {
        if let Some((shown, parts)) = track.due_partial(now, gap_ms) {
            known.extend(cx.text.translator.request(shown, language, parts, now, &mut cx.out));
        }
    }
    known.into_iter().for_each(|done| translated(cx, done));
}

/// When captions or translations are due.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let timing = &cx.config.timing;
    let partial = earliest(cx.text.tracks.values().map(|t| t.deadline(timing.translate_gap_ms)));
    earliest([partial, cx.text.segments.deadline(timing), cx.text.translator.deadline(timing)])
}

fn track<'cx>(cx: &'cx mut Cx, language: &Language) -> &'cx mut Track {
    let keep = cx.config.catch_up_finals;
    cx.text.tracks.entry(language.clone()).or_insert_with(|| Track::new(language.clone(), keep))
}
