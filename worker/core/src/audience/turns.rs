//! Whose turn it is to be posted to, known without asking everybody: each change costs the logarithm of the listeners.
//!
//! *Guarantees*: the turn goes round, so nobody is last every time; one who is slow is passed over while the places for
//! the slow are taken, and keeps the turn.

use crate::time::MediaInstant;
use schemas::ids::ConnectionId;
use std::collections::BTreeSet;
use std::ops::Bound;

/// How a listener takes what is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As usual.
    Quick,
    /// The last post took long: the places of others are not its to hold.
    Slow,
}

/// Those who wait to be posted to, and those who rest after a failure.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    quick: BTreeSet<ConnectionId>,
    slow: BTreeSet<ConnectionId>,
    resting: BTreeSet<(MediaInstant, ConnectionId)>,
    last: Option<ConnectionId>,
}

impl Turns {
    /// Something waits for this listener, who has no post in flight and does not rest.
    pub(crate) fn line_up(&mut self, connection: &ConnectionId, pace: Pace) {
        let line = match pace {
            Pace::Quick => &mut self.quick,
            Pace::Slow => &mut self.slow,
        };
        if !line.contains(connection) {
            line.insert(connection.clone());
        }
    }

    /// Nothing waits for this listener any more.
    pub(crate) fn leave(&mut self, connection: &ConnectionId) {
        if !self.quick.remove(connection) {
            self.slow.remove(connection);
        }
    }

    /// This listener rests until then.
    pub(crate) fn rest(&mut self, connection: &ConnectionId, until: MediaInstant) {
        self.resting.insert((until, connection.clone()));
    }
    /// This listener, who rests until then, is forgotten.
    pub(crate) fn forget(&mut self, connection: &ConnectionId, rests_until: Option<MediaInstant>) {
        self.leave(connection);
        if let Some(until) = rests_until {
            self.resting.remove(&(until, connection.clone()));
        }
    }

    /// One whose rest is over.
    pub(crate) fn wake(&mut self, now: MediaInstant) -> Option<ConnectionId> {
        self.resting.first().filter(|(until, _)| *until <= now)?;
        self.resting.pop_first().map(|(_, connection)| connection)
    }
    /// Who rests.
    pub(crate) fn resting(&self) -> impl Iterator<Item = &ConnectionId> {
        self.resting.iter().map(|(_, connection)| connection)
    }
    /// When the next rest is over.
    pub(crate) fn deadline(&self) -> Option<MediaInstant> {
        self.resting.first().map(|(until, _)| *until)
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.quick.is_empty() && self.slow.is_empty()
    }

    /// The next one, beginning after the one who was served last; of those who are slow only with `room_for_slow`.
    pub(crate) fn next(&mut self, room_for_slow: bool) -> Option<ConnectionId> {
        let quick = self.after_last(&self.quick);
        let slow = self.after_last(&self.slow).filter(|_| room_for_slow);
        let next = [quick, slow].into_iter().flatten().min_by_key(|next| (self.has_gone_round(next), *next))?.clone();
        self.leave(&next);
        self.last = Some(next.clone());
        Some(next)
    }

    fn after_last<'a>(&self, line: &'a BTreeSet<ConnectionId>) -> Option<&'a ConnectionId> {
        let after = self.last.as_ref().and_then(|last| line.range((Bound::Excluded(last), Bound::Unbounded)).next());
        after.or(line.first())
    }

    fn has_gone_round(&self, next: &ConnectionId) -> bool {
        self.last.as_ref().is_some_and(|last| next <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ConnectionId {
        ConnectionId::try_new(name).unwrap()
    }

    fn served(turns: &mut Turns, room_for_slow: bool) -> Vec<String> {
        std::iter::from_fn(|| turns.next(room_for_slow)).map(|c| c.to_string()).collect()
    }

    #[test]
    fn the_turn_goes_round() {
        let mut turns = Turns::default();
        ["a", "b", "c"].iter().for_each(|name| turns.line_up(&id(name), Pace::Quick));
        assert_eq!(turns.next(true), Some(id("a")));
        turns.line_up(&id("a"), Pace::Quick);
        assert_eq!(served(&mut turns, true), ["b", "c", "a"]);
        assert!(turns.is_empty());
    }

    #[test]
    fn the_slow_keep_their_turn_among_the_others_and_are_passed_over_without_room() {
        let mut turns = Turns::default();
        let fill = |turns: &mut Turns| {
            ["b", "d"].iter().for_each(|name| turns.line_up(&id(name), Pace::Slow));
            ["a", "c", "e"].iter().for_each(|name| turns.line_up(&id(name), Pace::Quick));
        };
        fill(&mut turns);
        assert_eq!(served(&mut turns, true), ["a", "b", "c", "d", "e"]);
        fill(&mut turns);
        assert_eq!(served(&mut turns, false), ["a", "c", "e"]);
        assert_eq!(served(&mut turns, true), ["b", "d"]);
    }

    #[test]
    fn who_rests_wakes_when_the_rest_is_over() {
        let mut turns = Turns::default();
        turns.rest(&id("a"), MediaInstant(200));
        turns.rest(&id("b"), MediaInstant(100));
        assert_eq!((turns.wake(MediaInstant(99)), turns.deadline()), (None, Some(MediaInstant(100))));
        assert_eq!(turns.wake(MediaInstant(200)), Some(id("b")));
        turns.forget(&id("a"), Some(MediaInstant(200)));
        assert_eq!(turns.wake(MediaInstant(200)), None);
    }
}
