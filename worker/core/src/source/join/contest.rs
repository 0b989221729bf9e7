//! Whether somebody else takes the speaker's audio away, and what is done about it.
//!
//! The speaker's browser has one connection for all viewers: whoever offers last gets the audio. Nobody tells the loser; it sees a
//! stall, and then an answer at once, which a speaker who is away or offline does not give. *Policy*: the audio is won back at once, a few times;
//! then the other is let be for a while, so that two viewers do not cut the speaker to pieces.

use crate::time::MediaInstant;
use std::collections::VecDeque;

/// An answer so soon after the first offer comes from a page that was there all the time, ms.
const PROMPT_MS: u64 = 1_000;
/// So many losses ...
const LOSSES: usize = 3;
/// ... within so long are no accident, ms.
const WINDOW_MS: u64 = 60_000;
/// So long the other is let be, ms.
const YIELD_MS: u64 = 30_000;

/// What was lost lately, and to whom it looks.
#[derive(Debug, Default)]
pub(super) struct Contest {
    losses: VecDeque<MediaInstant>,
    /// The first offer after a loss.
    offered_at: Option<MediaInstant>,
    lost: bool,
    yield_until: Option<MediaInstant>,
    /// Losses to somebody else so far.
    pub(super) stolen: u32,
}

impl Contest {
    /// A peer that carried audio carries none any more.
    pub(super) fn lose(&mut self) {
        (self.lost, self.offered_at) = (true, None);
    }

    /// An offer went out.
    pub(super) fn offer(&mut self, now: MediaInstant) {
        if self.lost {
            self.offered_at.get_or_insert(now);
        }
    }

    /// An answer came; true when it makes it certain that somebody else wants the audio too.
    pub(super) fn answer(&mut self, now: MediaInstant) -> bool {
        let prompt = self.offered_at.is_some_and(|at| now.since(at) <= PROMPT_MS);
        (self.lost, self.offered_at) = (false, None);
        if !prompt {
            return false;
        }
        self.losses.push_back(now);
        while self.losses.front().is_some_and(|at| now.since(*at) > WINDOW_MS) {
            self.losses.pop_front();
        }
        if self.losses.len() < LOSSES {
            return false;
        }
        self.losses.clear();
        self.stolen = self.stolen.saturating_add(1);
        self.yield_until = Some(now.plus_ms(YIELD_MS));
        true
    }

    /// Until when the audio is not fought for.
    pub(super) fn yields_until(&self, now: MediaInstant) -> Option<MediaInstant> {
        self.yield_until.filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(contest: &mut Contest, at: u64, answer_after: u64) -> bool {
        contest.lose();
        contest.offer(MediaInstant(at));
        contest.answer(MediaInstant(at + answer_after))
    }

    #[test]
    fn three_losses_to_a_page_that_answers_at_once_are_a_contest_and_the_other_is_let_be() {
        let mut contest = Contest::default();
        assert!(!round(&mut contest, 1_000, 50) && !round(&mut contest, 5_000, 50));
        assert!(round(&mut contest, 9_000, 50));
        assert_eq!(contest.stolen, 1);
        assert!(contest.yields_until(MediaInstant(9_060)).is_some());
        assert_eq!(contest.yields_until(MediaInstant(40_000)), None, "and then it is tried again");
    }

    #[test]
    fn a_speaker_who_was_away_answers_late_and_is_no_contest() {
        let mut contest = Contest::default();
        assert!((0..10).all(|n| !round(&mut contest, n * 5_000, 3_000)));
    }

    #[test]
    fn losses_far_apart_are_accidents() {
        let mut contest = Contest::default();
        assert!((0..10).all(|n| !round(&mut contest, n * 40_000, 50)));
    }
}
