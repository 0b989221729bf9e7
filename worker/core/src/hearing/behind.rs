//! A stream that is behind: it has audio to make up for, or its service has.
//!
//! *Flow*: after a replay the service may work at no more than real time, and then every later word is as late as the replay was long. How far it
//! has come is told by its partials. While it is behind, what is no speech is left out save [`EDGE_MS`] before and after speech, so that the lag
//! ends with the next pauses that sum up to it.
//! *Guarantees*: nothing is left out but pauses, far below what was heard of late, however soft the speaker is; a service that keeps up hears every pause; a stream is not silent for longer than [`MOST_SILENT_MS`].

use super::SAMPLES_PER_MS;
use super::demand::Moment;
use crate::time::MediaInstant;
use std::collections::VecDeque;

/// Of a pause so much is sent after speech and before it, ms: a recogniser needs to hear how words end and begin.
const EDGE_MS: u64 = 150;
/// A service that has so much more to do than it ever had at its best is behind, ms.
const BEHIND_MS: u64 = 600;
/// One that was behind has made up for it with so much more to do, ms.
const CAUGHT_UP_MS: u64 = 300;
/// What a service has to do at its best is never taken for more than this, ms: Transcribe's partials take some 500.
const MOST_USUAL_MS: u64 = 1_000;
/// So much more than it was behind is left out at most, ms: what does not go away then is how slow the service is.
const LEFT_OUT_MS: u64 = 2_000;
/// Audio that waits here for so long is behind, ms.
const WAITS_MS: u64 = 1_000;
/// Transcribe ends a stream that gets nothing for 15 s.
const MOST_SILENT_MS: u64 = 5_000;
/// A single partial may be late for reasons of its own: the least late of so many counts.
const PARTIALS: usize = 3;

/// How far a service has come with one stream.
#[derive(Debug)]
pub(crate) struct Behind {
    /// What it has to do at its best, ms.
    usual_ms: u64,
    /// So much it was behind, and so much was left out since then, ms.
    owed_ms: u64,
    left_out_ms: u64,
    /// From the audio's place in the stream to the moment at which it was understood, ms, of the last partials.
    offsets: VecDeque<u64>,
    /// Since when it is behind.
    pub(crate) since: Option<MediaInstant>,
}

/// What is to be done with the audio that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is sent.
    Send,
    /// It is sent from this media sample on.
    From(u64),
    /// It is held back until then, or until somebody speaks.
    Hold(MediaInstant),
}

/// What is known before anything was heard, ms.
pub(crate) const USUAL_MS: u64 = 500;

impl Behind {
    /// A stream of a service that had so much to do at its best, ms.
    pub(crate) fn new(usual_ms: u64) -> Self {
        Self { usual_ms, owed_ms: 0, left_out_ms: 0, offsets: VecDeque::new(), since: None }
    }

    /// What the service has to do at its best, ms.
    pub(crate) fn usual_ms(&self) -> u64 {
        self.usual_ms
    }

    /// A partial has come, of a stream's audio up to this place, ms, when so much was sent. Only then is it known what the service has to do:
    /// while no audio is sent, what it had to do only seems to go away.
    pub(crate) fn told(&mut self, end_ms: u64, sent_ms: u64, now: MediaInstant) {
        self.offsets.push_back(now.0.saturating_sub(end_ms));
        if self.offsets.len() > PARTIALS {
            self.offsets.pop_front();
        }
        self.usual_ms = self.usual_ms.min(self.backlog_ms(sent_ms, now));
    }

    /// Audio of so long was left out.
    pub(crate) fn left_out(&mut self, ms: u64) {
        self.left_out_ms += ms;
    }

    /// So much of what was sent the service has not understood, ms; 0 before it has told anything.
    pub(crate) fn backlog_ms(&self, sent_ms: u64, now: MediaInstant) -> u64 {
        self.offsets.iter().min().map_or(0, |offset| (sent_ms + offset).saturating_sub(now.0))
    }

    /// Whether it is behind, with so much audio that waits here; told when that changes.
    pub(crate) fn changes(&mut self, waits_ms: u64, sent_ms: u64, now: MediaInstant) -> bool {
        let backlog_ms = self.backlog_ms(sent_ms, now);
        let was = self.since.is_some();
        if self.left_out_ms > self.owed_ms + LEFT_OUT_MS {
            (self.usual_ms, self.left_out_ms) = (backlog_ms.min(MOST_USUAL_MS), 0);
        }
        if waits_ms >= WAITS_MS || backlog_ms >= self.usual_ms + BEHIND_MS {
            if self.since.is_none() {
                (self.since, self.left_out_ms) = (Some(now), 0);
            }
            self.owed_ms = self.owed_ms.max(waits_ms + backlog_ms);
        } else if backlog_ms <= self.usual_ms + CAUGHT_UP_MS {
            (self.since, self.owed_ms) = (None, 0);
        }
        self.since.is_some() != was
    }

    /// What is to be done with the audio from this media sample on; `last_at` is when something was sent last.
    pub(crate) fn next(&self, cursor: u64, sent_ms: u64, last_at: MediaInstant, at: &Moment) -> Next {
        if self.since.is_none() {
            return Next::Send;
        }
        let (levels, at_ms) = (&at.audio.levels, cursor / SAMPLES_PER_MS);
        let (sound_ms, speech_ms) = levels.pause_around_ms(at_ms);
        let goes_on = speech_ms == levels.end_ms();
        if at_ms < sound_ms + EDGE_MS || !(goes_on || speech_ms > at_ms + EDGE_MS) {
            return Next::Send;
        }
        let until = self.caught_up_at(sent_ms).min(last_at.plus_ms(MOST_SILENT_MS));
        if goes_on && at.now < until {
            return Next::Hold(until);
        }
        let sample = speech_ms.saturating_sub(EDGE_MS) * SAMPLES_PER_MS;
        if sample > cursor { Next::From(sample) } else { Next::Send }
    }

    /// When it has made up for it if nothing is sent.
    fn caught_up_at(&self, sent_ms: u64) -> MediaInstant {
        MediaInstant(
            self.offsets
                .iter()
                .min()
                .map_or(0, |offset| (sent_ms + offset).saturating_sub(self.usual_ms + CAUGHT_UP_MS)),
        )
    }

    /// When it is no longer behind if nothing happens before; `None` when it is not, or audio waits here.
    pub(crate) fn ends_at(&self, waits_ms: u64, sent_ms: u64) -> Option<MediaInstant> {
        self.since.filter(|_| waits_ms < WAITS_MS).map(|_| self.caught_up_at(sent_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lull_in_which_nothing_is_sent_is_not_the_service_at_its_best() {
        let mut behind = Behind::new(USUAL_MS);
        behind.told(9_600, 10_000, MediaInstant(10_000));
        assert_eq!(behind.usual_ms(), 400);
        assert!(!behind.changes(0, 10_000, MediaInstant(12_000)));
        assert_eq!((behind.backlog_ms(10_000, MediaInstant(12_000)), behind.usual_ms()), (0, 400));
    }
}
