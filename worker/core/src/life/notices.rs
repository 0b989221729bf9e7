//! What the speaker is told, and the entry point for whatever else they should be told.
//!
//! | notice | when |
//! |---|---|
//! | `captionsPaused` `captionsReduced` `captionsComplete` | the rung of the ladder changes: what listeners are told, told to the speaker |
//! | `notHeard` | no audio for [`UNHEARD_MS`], or none at all for [`NEVER_HEARD_MS`] after the channel was joined; not in a pause |
//! | `heardAgain` | audio after that |
//!
//! *Guarantees*: see `audience/speaker.rs`: nobody waits for a speaker, and nothing counts them among the listeners.

use crate::engine::Engine;
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
pub(crate) struct Hearing {
    told: bool,
}

impl Hearing {
    /// Judges anew; what is to be told when that has changed.
    fn judge(&mut self, unheard: bool) -> Option<Notice> {
        (unheard != self.told).then(|| {
            self.told = unheard;
            if unheard { Notice::NotHeard } else { Notice::HeardAgain }
        })
    }
}

impl Engine {
    /// Tells the speaker something, best effort and at once: the entry point of every notice and warning.
    ///
    /// Nothing here counts how often: a message takes the place of one of its topic that still waits, and is lost when no
    /// connection of the speaker is known or it cannot be posted within ten seconds. Whoever calls decides what is worth telling,
    /// how often, and whether a pause silences it ([`crate::life::lifecycle::Lifecycle::is_paused`]); `timestamp` is [`Engine::wall`].
    pub(crate) fn tell_speaker(&mut self, message: ToSpeaker) {
        self.delivery.speakers.tell_all(message, self.now);
    }

    /// These connections are the speaker's: those that are new are told what holds now.
    pub(crate) fn know_speakers(&mut self, connections: Vec<ConnectionId>) {
        for connection in self.delivery.know_speakers(connections, self.now) {
            let service = self.ladder.service;
            if service.rung != Rung::Full {
                let notice = self.notice(captions(service.rung), service.sentence);
                self.delivery.speakers.tell(&connection, notice, self.now);
            }
            if self.hearing.told {
                let notice = self.notice(Notice::NotHeard, NOT_HEARD);
                self.delivery.speakers.tell(&connection, notice, self.now);
            }
        }
    }

    /// The rung has changed.
    pub(crate) fn tell_speaker_of_rung(&mut self, rung: Rung, sentence: &str) {
        self.tell_speaker(self.notice(captions(rung), sentence));
    }

    /// Tells the speaker when nothing comes from them any more, and when it does again. A heartbeat is often enough.
    pub(crate) fn advance_hearing(&mut self) {
        if !self.life.is_serving() || self.life.is_paused() {
            return;
        }
        if let Some(told) = self.hearing.judge(self.is_unheard()) {
            let sentence = if told == Notice::NotHeard { NOT_HEARD } else { HEARD_AGAIN };
            self.tell_speaker(self.notice(told, sentence));
        }
    }

    fn is_unheard(&self) -> bool {
        let over = |since: Option<MediaInstant>, ms: u64| since.is_some_and(|at| self.now.since(at) >= ms);
        match self.audio.heard_at {
            Some(_) => over(self.life.awaited_since(self.audio.heard_at), UNHEARD_MS),
            None => over(self.life.awaited_since(None), NEVER_HEARD_MS),
        }
    }

    fn notice(&self, notice: Notice, sentence: &str) -> ToSpeaker {
        ToSpeaker::SpeakerNotice(SpeakerNotice {
            session_id: self.config.session.clone(),
            notice,
            message: sentence.to_owned(),
            timestamp: self.wall(),
        })
    }
}

fn captions(rung: Rung) -> Notice {
    match rung {
        Rung::Full => Notice::CaptionsComplete,
        Rung::FinalsOnly | Rung::OriginalOnly => Notice::CaptionsReduced,
        Rung::Paused => Notice::CaptionsPaused,
    }
}
