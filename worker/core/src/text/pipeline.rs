//! From results to posts: what each part hands to the next.

use crate::audience::Body;
use crate::cx::Cx;
use crate::hearing::{self, TimedResult};
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::earliest;
use crate::text::Shown;
use crate::text::Track;
use crate::text::translate::{Done, Partials, Purpose, join_parts};
use crate::time::MediaInstant;
use crate::voice::ear;
use schemas::ids::{ConnectionId, Language};
use schemas::worker::Rung;

/// A result of the recogniser.
pub(crate) fn hear(cx: &mut Cx, heard: TimedResult) {
    cx.hearing.transcript_at = Some(cx.now);
    if let Some(last) = heard.items.last() {
        hearing::understood(cx, last.end_ms);
    }
    let of_stream = || cx.hearing.lanes.language_of(heard.stream).or(cx.life.cycle.language.clone());
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
    cx.hearing.lanes.covered(cx.text.segments.watermark_ms);
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
    let now = cx.now;
    if track(cx, language).expect(shown, catch_up, now) {
        let whom = (language, Purpose::Final);
        let done = cx.text.translator.request(shown.clone(), whom, shown.sentences(), now, &mut cx.out);
        done.into_iter().for_each(|done| translated(cx, done));
    }
    release(cx, language);
}

fn release(cx: &mut Cx, language: &Language) {
    let (now, order_ms) = (cx.now, cx.config.timing.translate_order_ms);
    for rendered in track(cx, language).release(now, order_ms) {
        cx.audience.delivery.caption(&rendered);
    }
}

fn on_partial(cx: &mut Cx, shown: &Shown) {
    if cx.audience.delivery.is_slow() {
        return;
    }
    let policy = cx.config.partials;
    for (language, modes) in cx.audience.delivery.modes() {
        let mut coming = Vec::new();
        for mode in modes {
            let track = track(cx, &language);
            if track.passes(shown) {
                if let Some(rendered) = track.partial(shown, mode, None) {
                    cx.audience.delivery.caption(&rendered);
                }
                continue;
            }
            let partials = Partials::of(policy, mode);
            let parts = partials.parts(shown);
            if !parts.is_empty() {
                track.offer_partial(shown, mode, parts);
            }
            coming.extend(partials.coming(shown));
        }
        cx.text.translator.prepare((&shown.source, &language), coming, cx.now, &mut cx.out);
    }
}

/// The answer of a translation.
pub(crate) fn answered(cx: &mut Cx, id: TranslationId, answer: Result<String, TranslateFailure>) {
    let done = cx.text.translator.on_answer(id, answer, cx.now, &mut cx.out);
    done.into_iter().for_each(|done| translated(cx, done));
}

/// A translation has come, or there is none yet.
pub(crate) fn translated(cx: &mut Cx, done: Done) {
    let Done { shown, language, purpose, parts } = done;
    match purpose {
        Purpose::Final => {
            if let Some(revised) =
                track(cx, &language).translated(&shown, parts.map(|parts| join_parts(&parts, &language)))
            {
                cx.audience.delivery.revise(&revised);
            }
            release(cx, &language);
        }
        Purpose::Partial(mode) => {
            let (partials, words) = (Partials::of(cx.config.partials, mode), cx.config.mask_words);
            let text = parts.and_then(|parts| partials.shown(&shown, &parts, words, &language));
            if let Some(text) = text
                && let Some(rendered) = track(cx, &language).partial(&shown, mode, Some(text))
            {
                cx.audience.delivery.caption(&rendered);
            }
        }
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
    let (now, policy, mut known) = (cx.now, cx.config.partials, Vec::new());
    let gap_ms = |mode| Partials::of(policy, mode).gap_ms(&cx.config.timing);
    for (language, track) in &mut cx.text.tracks {
        for (mode, shown, parts) in track.due_partials(now, gap_ms) {
            let whom = (language, Purpose::Partial(mode));
            known.extend(cx.text.translator.request(shown, whom, parts.into_texts(), now, &mut cx.out));
        }
    }
    known.into_iter().for_each(|done| translated(cx, done));
    let waiting = cx.text.tracks.iter().filter(|(_, track)| track.is_waiting()).map(|(language, _)| language.clone());
    for language in waiting.collect::<Vec<_>>() {
        release(cx, &language);
    }
}

/// When captions or translations are due.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let timing = &cx.config.timing;
    let gap_ms = |mode| Partials::of(cx.config.partials, mode).gap_ms(timing);
    let tracks = earliest(cx.text.tracks.values().map(|t| t.deadline(gap_ms, timing.translate_order_ms)));
    earliest([tracks, cx.text.segments.deadline(timing), cx.text.translator.deadline(timing)])
}

fn track<'cx>(cx: &'cx mut Cx, language: &Language) -> &'cx mut Track {
    let keep = cx.config.catch_up_finals;
    cx.text.tracks.entry(language.clone()).or_insert_with(|| Track::new(language.clone(), keep))
}
