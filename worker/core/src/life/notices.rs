//! What the speaker is told, and the entry point for whatever else they should be told.
//!
//! | notice | when |
//! |---|---|
//! | `captionsPaused` `captionsReduced` `captionsComplete` | the rung of the ladder changes: what listeners are told, told to the speaker |
//! | `notHeard` | no audio for [`UNHEARD_MS`], or none at all for [`NEVER_HEARD_MS`] after the channel was joined; not in a pause |
//! | `heardAgain` | audio after that |
//!
//! *Guarantees*: see `audience/speaker.rs`: nobody waits for a speaker, and nothing counts them among the listeners.

use crate::cx::Cx;
use crate::time::MediaInstant;
use schemas::ids::ConnectionId;
use schemas::speaker::{Notice, SpeakerNotice, ToSpeaker};
use schemas::worker::Rung;

/// A gap that the speaker notices by themselves, or that a fresh peer mends, is shorter, ms.
const UNHEARD_MS: u64 = 5_000;
/// A speaker who prepares for so long may want to know that nothing comes from them, ms.
const NEVER_HEARD_MS: u64 = 30_000;

const NOT_HEARD: &str = "No audio comes from you: check the microphone and the network, or load the page again.";
const HEARD_AGAIN: &str = "Your audio comes again.";

/// Whether the speaker was told that they are not heard.
#[derive(Debug, Default)]
pub(crate) struct Unheard {
    told: bool,
}

impl Unheard {
    /// Judges anew; what is to be told when that has changed.
    fn judge(&mut self, unheard: bool) -> Option<Notice> {
        (unheard != self.told).then(|| {
            self.told = unheard;
            if unheard { Notice::NotHeard } else { Notice::HeardAgain }
        })
    }
}

/// Tells the speaker something, best effort and at once: the entry point of every notice and warning.
///
/// Nothing here counts how often: a message takes the place of one of its topic that still waits, and is lost when no
/// connection of the speaker is known or it cannot be posted within ten seconds. Whoever calls decides what is worth telling,
/// how often, and whether a pause silences it ([`crate::life::lifecycle::Lifecycle::is_paused`]); `timestamp` is [`Cx::wall`].
pub(crate) fn tell_speaker(cx: &mut Cx, message: ToSpeaker) {
    cx.audience.delivery.speakers.tell_all(message, cx.now);
}

/// These connections are the speaker's: those that are new are told what holds now.
pub(crate) fn know_speakers(cx: &mut Cx, connections: Vec<ConnectionId>) {
    for connection in cx.audience.delivery.know_speakers(connections, cx.now) {
        let service = cx.life.ladder.service;
        if service.rung != Rung::Full {
            let notice = notice(cx, captions(service.rung), service.sentence);
            cx.audience.delivery.speakers.tell(&connection, notice, cx.now);
        }
        if cx.life.unheard.told {
            let notice = notice(cx, Notice::NotHeard, NOT_HEARD);
            cx.audience.delivery.speakers.tell(&connection, notice, cx.now);
        }
    }
}

/// The rung has changed.
pub(crate) fn tell_speaker_of_rung(cx: &mut Cx, rung: Rung, sentence: &str) {
    let message = notice(cx, captions(rung), sentence);
    tell_speaker(cx, message);
}

/// Tells the speaker when nothing comes from them any more, and when it does again.
pub(crate) fn run(cx: &mut Cx) {
    if !is_watching(cx) {
        return;
    }
    let unheard = unheard_at(cx).is_some_and(|at| cx.now >= at);
    if let Some(told) = cx.life.unheard.judge(unheard) {
        let sentence = if told == Notice::NotHeard { NOT_HEARD } else { HEARD_AGAIN };
        let message = notice(cx, told, sentence);
        tell_speaker(cx, message);
    }
}

/// When the speaker is to be told that nothing comes.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    unheard_at(cx).filter(|_| is_watching(cx) && !cx.life.unheard.told)
}

fn is_watching(cx: &Cx) -> bool {
    cx.life.cycle.is_serving() && !cx.life.cycle.is_paused()
}

/// From when on a speaker of whom nothing comes is not heard.
fn unheard_at(cx: &Cx) -> Option<MediaInstant> {
    let heard_at = cx.hearing.audio.heard_at;
    let patience_ms = if heard_at.is_some() { UNHEARD_MS } else { NEVER_HEARD_MS };
    cx.life.cycle.awaited_since(heard_at).map(|at| at.plus_ms(patience_ms))
}

fn notice(cx: &Cx, notice: Notice, sentence: &str) -> ToSpeaker {
    ToSpeaker::SpeakerNotice(SpeakerNotice {
        session_id: cx.config.session.clone(),
        generation: Some(cx.config.generation),
        notice,
        message: sentence.to_owned(),
        timestamp: cx.wall(),
    })
}

fn captions(rung: Rung) -> Notice {
    match rung {
        Rung::Full => Notice::CaptionsComplete,
        Rung::FinalsOnly | Rung::OriginalOnly => Notice::CaptionsReduced,
        Rung::Paused => Notice::CaptionsPaused,
    }
}
