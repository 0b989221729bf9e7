//! From results to posts: what each part hands to the next.

use crate::audience::Body;
use crate::cx::Cx;
use crate::hearing::{self, TimedResult};
use crate::input::{TranslateFailure, TranslationId};
use crate::outbox::earliest;
use crate::text::commit::{Commit, Cuts};
use crate::text::translate::{Done, OpenText, Partials, What, carry_on, mask};
use crate::text::written::{append, text_ends_sentence};
use crate::text::{Shown, Stable, Track};
use crate::time::MediaInstant;
use crate::voice::ear;
use schemas::ids::{ConnectionId, Language};
use schemas::worker::Rung;
use std::sync::Arc;

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
        let cuts = cuts(cx);
        let commits = cx.text.commits.make(&shown, cuts);
        if shown.is_final {
            begin_final(cx, &shown);
        }
        commits.iter().for_each(|commit| on_commit(cx, commit));
        if shown.is_final {
            on_final(cx, &shown);
        } else {
            on_partial(cx, &shown, cuts);
        }
    }
    cx.hearing.lanes.covered(cx.text.segments.watermark_ms);
}

/// While the service is strained, translations come as whole sentences.
fn cuts(cx: &Cx) -> Cuts {
    let strained = cx.audience.delivery.is_slow() || cx.text.translator.saving(cx.now).is_some();
    Cuts::of(cx.config.partials, strained)
}

/// Something was said that will not change any more: whatever is made of it is made from here. It is translated into every language that somebody
/// listens to.
fn on_commit(cx: &mut Cx, commit: &Arc<Commit>) {
    for language in cx.audience.delivery.languages().into_keys().filter(|language| *language != commit.source) {
        ask(cx, &language, commit.segment);
    }
}

/// What is committed of this segment and was not asked for is translated into this language.
fn ask(cx: &mut Cx, language: &Language, segment: u64) {
    let at_work = |commit: &Arc<Commit>| cx.text.translator.is_at(commit, language);
    for commit in cx.text.commits.ask(segment, language, at_work) {
        let done = cx.text.translator.commit(&commit, language, cx.now, &mut cx.out);
        done.into_iter().for_each(|done| translated(cx, done));
    }
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

/// Nothing of this segment comes any more but its final.
fn begin_final(cx: &mut Cx, shown: &Shown) {
    cx.text.translator.end(shown.segment);
    let languages = cx.audience.delivery.languages();
    for (_, track) in cx.text.tracks.iter_mut().filter(|(language, _)| !languages.contains_key(*language)) {
        track.pass_over(shown);
    }
    let now = cx.now;
    for language in languages.into_keys() {
        track(cx, &language).expect(shown, false, now);
    }
}

fn on_final(cx: &mut Cx, shown: &Shown) {
    for language in cx.audience.delivery.languages().into_keys() {
        complete(cx, &language, shown);
    }
    ear::voice_of(cx, shown);
}

/// All of a final is translated into this language, if need be, and told in its turn.
fn complete(cx: &mut Cx, language: &Language, shown: &Shown) {
    if shown.source != *language {
        ask(cx, language, shown.segment);
        told(cx, language, shown.segment);
    }
    release(cx, language);
}

/// What is known of the commits of a final in this language has changed, or may have.
fn told(cx: &mut Cx, language: &Language, segment: u64) {
    let Some(track) = cx.text.tracks.get_mut(language) else { return };
    if let Some(revised) = track.translated(segment, &cx.text.commits) {
        cx.audience.delivery.revise(&revised);
    }
}

fn release(cx: &mut Cx, language: &Language) {
    let Some(track) = cx.text.tracks.get_mut(language) else { return };
    for rendered in track.release(cx.now, cx.config.timing.translate_order_ms, &cx.text.commits) {
        cx.audience.delivery.caption(&rendered);
    }
}

fn on_partial(cx: &mut Cx, shown: &Shown, cuts: Cuts) {
    if cx.audience.delivery.is_slow() {
        return;
    }
    let policy = cx.config.partials;
    for (language, modes) in cx.audience.delivery.modes() {
        if language == shown.source {
            for mode in modes {
                let rendered = track(cx, &language).partial(shown, mode);
                rendered.iter().for_each(|rendered| cx.audience.delivery.caption(rendered));
            }
            continue;
        }
        for mode in modes {
            let (behind, text) = match Partials::of(policy, mode) {
                Partials::None | Partials::Commits => continue,
                Partials::Tail => cx.text.commits.open(shown),
                Partials::Live => (0, shown.text()),
            };
            if !text.is_empty() {
                track(cx, &language).offer(OpenText { shown: shown.clone(), mode, behind, text });
            }
        }
        let coming = cx.text.commits.coming(shown, cuts);
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
    let Done { what, language, text } = done;
    match what {
        What::Commit(commit) => {
            cx.text.commits.put(&commit, &language, text);
            told(cx, &language, commit.segment);
            release(cx, &language);
            show_commits(cx, &language, commit.segment);
        }
        What::Open(open) => text.into_iter().for_each(|text| show_open(cx, &language, &open, text)),
    }
}

/// A commit is translated: it is shown when those before it are.
fn show_commits(cx: &mut Cx, language: &Language, segment: u64) {
    let Some(track) = cx.text.tracks.get_mut(language) else { return };
    let pace = (cx.now, cx.config.timing.partial_gap_ms);
    let Some((shown, text)) = track.grow(segment, &cx.text.commits, pace) else { return };
    if cx.audience.delivery.is_slow() {
        return;
    }
    for mode in cx.audience.delivery.modes().remove(language).unwrap_or_default() {
        if Partials::of(cx.config.partials, mode).shows_commits()
            && let Some(rendered) = track.show(&shown, mode, text.clone(), Stable::so_far(&text, language))
        {
            cx.audience.delivery.caption(&rendered);
        }
    }
}

/// What may still change is translated: it is shown behind the commits before it, without its last words.
fn show_open(cx: &mut Cx, language: &Language, open: &OpenText, translation: String) {
    let OpenText { shown, mode, behind, text: said } = open;
    let (text, stable) = match Partials::of(cx.config.partials, *mode) {
        Partials::None | Partials::Commits => return,
        Partials::Live => (mask(&translation, cx.config.mask_words, language), Stable::default()),
        Partials::Tail => {
            let (known, mut text) = cx.text.commits.known(shown.segment, language);
            // Commits have come meanwhile, or are not translated: the next words are on their way.
            if known != *behind {
                return;
            }
            let stable = Stable::so_far(&text, language);
            let begins = text.is_empty() || text_ends_sentence(&text);
            let tail = if begins { translation } else { carry_on(said, translation, language) };
            let tail = mask(&tail, cx.config.mask_words, language);
            tail.iter().for_each(|tail| append(&mut text, tail, language));
            (tail.map(|_| text), stable)
        }
    };
    let Some(track) = cx.text.tracks.get_mut(language) else { return };
    if let Some(text) = text
        && let Some(rendered) = track.show(shown, *mode, text, stable)
    {
        cx.audience.delivery.caption(&rendered);
    }
}

/// A listener is new in this language: the last whole sentences at once.
pub(crate) fn welcome(cx: &mut Cx, connection: &ConnectionId, language: Language) {
    if cx.life.ladder.service.rung != Rung::Full {
        cx.audience.delivery.tell(connection, Body::Status(cx.life.ladder.service));
    }
    let finals = cx.text.commits.last_finals(cx.config.catch_up_finals);
    let released = track(cx, &language).released_of(&finals);
    cx.audience.delivery.catch_up(connection, &released);
    let now = cx.now;
    for shown in &finals {
        track(cx, &language).expect(shown, true, now);
        complete(cx, &language, shown);
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
        for open in track.offers.due(now, gap_ms) {
            known.extend(cx.text.translator.open(open, language, now, &mut cx.out));
        }
    }
    known.into_iter().for_each(|done| translated(cx, done));
    let grown = |(language, track): (&Language, &Track)| (language.clone(), track.waiting());
    for (language, segments) in cx.text.tracks.iter().map(grown).collect::<Vec<_>>() {
        segments.into_iter().for_each(|segment| show_commits(cx, &language, segment));
    }
    let waiting = cx.text.tracks.iter().filter(|(_, track)| track.is_waiting()).map(|(language, _)| language.clone());
    for language in waiting.collect::<Vec<_>>() {
        release(cx, &language);
    }
}

/// When captions or translations are due.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let timing = &cx.config.timing;
    let gap_ms = |mode| Partials::of(cx.config.partials, mode).gap_ms(timing);
    let tracks = earliest(cx.text.tracks.values().map(|t| t.deadline(gap_ms, timing)));
    earliest([tracks, cx.text.segments.deadline(timing), cx.text.translator.deadline(timing)])
}

fn track<'cx>(cx: &'cx mut Cx, language: &Language) -> &'cx mut Track {
    let keep = cx.config.catch_up_finals;
    cx.text.tracks.entry(language.clone()).or_insert_with(|| Track::new(language.clone(), keep))
}
