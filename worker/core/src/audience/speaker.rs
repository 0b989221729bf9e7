//! The speaker's own connections and the notices for them: best effort.
//!
//! *Flow*: [`crate::engine::Engine::tell_speaker`] puts a message here; one post at a time goes out, beside those to listeners.
//! *Guarantees*: the speaker is no listener: nothing here counts among languages, listeners, failures or what an ending waits for, and
//! no caption comes here. A notice takes a place only when listeners have left one free, and holds one at most. Of each topic only
//! the newest waits, and none for longer than [`FRESH_MS`].
//! *Assumptions*: whoever calls decides how often something is worth telling.
//! *Caveats*: without a known connection a notice is lost. A connection that is not known any more is kept until it answers 410:
//! the index flickers.

use crate::input::{PostId, PostOutcome};
use crate::outbox::earliest;
use crate::time::MediaInstant;
use schemas::ids::ConnectionId;
use schemas::speaker::ToSpeaker;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A notice that waits for longer is not true any more, ms.
const FRESH_MS: u64 = 10_000;
/// Wait before a notice is tried again, ms.
const RETRY_MS: u64 = 1_000;
/// Connections that are told at once; a speaker has one, and a former one that nobody has missed yet.
const MOST: usize = 4;
/// Connections that answered 410 and are remembered as such.
const REMEMBERED: usize = 64;

/// A message that waits.
#[derive(Debug, Clone)]
struct Waiting {
    message: Arc<ToSpeaker>,
    since: MediaInstant,
}

/// One connection.
#[derive(Debug)]
struct Line {
    first_seen: MediaInstant,
    not_before: MediaInstant,
    waiting: VecDeque<Waiting>,
}

/// All connections of the speaker that are known.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    lines: BTreeMap<ConnectionId, Line>,
    gone: BTreeSet<ConnectionId>,
    flying: Option<(PostId, ConnectionId, Waiting, MediaInstant)>,
}

impl Speakers {
    /// These connections are the speaker's; gives those that are new.
    pub(crate) fn know(
        &mut self,
        connections: impl IntoIterator<Item = ConnectionId>,
        now: MediaInstant,
    ) -> Vec<ConnectionId> {
        let mut new = Vec::new();
        for connection in connections {
            if self.gone.contains(&connection) || self.lines.contains_key(&connection) {
                continue;
            }
            if self.lines.len() >= MOST {
                let oldest = self.lines.iter().min_by_key(|(_, line)| line.first_seen).map(|(id, _)| id.clone());
                oldest.into_iter().for_each(|id| drop(self.lines.remove(&id)));
            }
            let line = Line { first_seen: now, not_before: now, waiting: VecDeque::new() };
            self.lines.insert(connection.clone(), line);
            new.push(connection);
        }
        new
    }

    /// Queues a message for every connection.
    pub(crate) fn tell_all(&mut self, message: ToSpeaker, now: MediaInstant) {
        let message = Arc::new(message);
        self.lines.values_mut().for_each(|line| line.push(message.clone(), now));
    }

    /// Queues a message for one connection.
    pub(crate) fn tell(&mut self, connection: &ConnectionId, message: ToSpeaker, now: MediaInstant) {
        if let Some(line) = self.lines.get_mut(connection) {
            line.push(Arc::new(message), now);
        }
    }

    /// Posts in flight: none or one.
    pub(crate) fn in_flight(&self) -> usize {
        usize::from(self.flying.is_some())
    }

    /// The next post, when none is in flight: to whom, and what.
    pub(crate) fn post(&mut self, id: PostId, now: MediaInstant) -> Option<(ConnectionId, Arc<ToSpeaker>)> {
        if self.flying.is_some() {
            return None;
        }
        self.lines.values_mut().for_each(|line| line.waiting.retain(|waiting| now.since(waiting.since) < FRESH_MS));
        let (connection, line) =
            self.lines.iter_mut().find(|(_, line)| !line.waiting.is_empty() && now >= line.not_before)?;
        let waiting = line.waiting.pop_front()?;
        let message = waiting.message.clone();
        self.flying = Some((id, connection.clone(), waiting, now));
        Some((connection.clone(), message))
    }

    /// The outcome of a post; false when it was none of ours.
    pub(crate) fn on_outcome(&mut self, id: PostId, outcome: &PostOutcome, now: MediaInstant, young_ms: u64) -> bool {
        let Some((_, connection, waiting, _)) = self.flying.take_if(|(flying, ..)| *flying == id) else { return false };
        let Some(line) = self.lines.get_mut(&connection) else { return true };
        match outcome {
            PostOutcome::Delivered => {}
            PostOutcome::Gone if now.since(line.first_seen) >= young_ms => self.forget(connection),
            PostOutcome::Gone | PostOutcome::Throttled | PostOutcome::Failed(_) => line.put_back(waiting, now),
        }
        true
    }

    /// The connection is gone. Its row is left to its time to live: it is no listener's.
    fn forget(&mut self, connection: ConnectionId) {
        self.lines.remove(&connection);
        if self.gone.len() >= REMEMBERED {
            self.gone.pop_first();
        }
        self.gone.insert(connection);
    }

    /// Gives up a post that was never answered.
    pub(crate) fn give_up(&mut self, now: MediaInstant, patience_ms: u64) {
        self.flying.take_if(|(.., at)| now.since(*at) >= patience_ms);
    }

    /// When something is due.
    pub(crate) fn deadline(&self, now: MediaInstant, patience_ms: u64) -> Option<MediaInstant> {
        let flying = self.flying.as_ref().map(|(.., at)| at.plus_ms(patience_ms));
        let retry = self.lines.values().filter(|line| !line.waiting.is_empty() && line.not_before > now);
        earliest([flying, retry.map(|line| line.not_before).min()])
    }
}

impl Line {
    fn push(&mut self, message: Arc<ToSpeaker>, now: MediaInstant) {
        let topic = message.topic();
        self.waiting.retain(|waiting| waiting.message.topic() != topic);
        self.waiting.push_back(Waiting { message, since: now });
    }

    /// Tries it again, unless something newer of its topic waits.
    fn put_back(&mut self, waiting: Waiting, now: MediaInstant) {
        self.not_before = now.plus_ms(RETRY_MS);
        if self.waiting.iter().all(|newer| newer.message.topic() != waiting.message.topic()) {
            self.waiting.push_front(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::ids::{SessionId, Timestamp};
    use schemas::speaker::{Notice, SpeakerNotice};

    const YOUNG_MS: u64 = 10_000;

    fn id(name: &str) -> ConnectionId {
        ConnectionId::try_new(name).unwrap()
    }
    fn notice(notice: Notice) -> ToSpeaker {
        ToSpeaker::SpeakerNotice(SpeakerNotice {
            session_id: SessionId::try_new("a-b-123").unwrap(),
            generation: None,
            notice,
            message: String::new(),
            timestamp: Timestamp(0),
        })
    }
    fn known() -> Speakers {
        let mut speakers = Speakers::default();
        assert_eq!(speakers.know([id("s")], MediaInstant(0)), [id("s")]);
        speakers
    }

    #[test]
    fn only_the_newest_notice_of_a_topic_is_posted_and_one_at_a_time() {
        let (mut speakers, now) = (known(), MediaInstant(1));
        for told in [Notice::CaptionsPaused, Notice::NotHeard, Notice::CaptionsComplete] {
            speakers.tell_all(notice(told), now);
        }
        let (_, first) = speakers.post(PostId(1), now).unwrap();
        assert_eq!(*first, notice(Notice::NotHeard));
        assert!(speakers.post(PostId(2), now).is_none(), "one post at a time");
        assert!(speakers.on_outcome(PostId(1), &PostOutcome::Delivered, now, YOUNG_MS));
        let (_, second) = speakers.post(PostId(3), now).unwrap();
        assert_eq!(*second, notice(Notice::CaptionsComplete));
        assert!(!speakers.on_outcome(PostId(9), &PostOutcome::Delivered, now, YOUNG_MS), "a listener's");
    }

    #[test]
    fn a_notice_that_could_not_be_told_in_time_is_not_told_late() {
        let mut speakers = known();
        speakers.tell_all(notice(Notice::NotHeard), MediaInstant(0));
        assert!(speakers.post(PostId(1), MediaInstant(FRESH_MS)).is_none());
    }

    #[test]
    fn a_throttled_notice_waits_its_time_and_gives_way_to_a_newer_one() {
        let mut speakers = known();
        speakers.tell_all(notice(Notice::CaptionsPaused), MediaInstant(0));
        speakers.post(PostId(1), MediaInstant(0)).unwrap();
        speakers.on_outcome(PostId(1), &PostOutcome::Throttled, MediaInstant(10), YOUNG_MS);
        assert!(speakers.post(PostId(2), MediaInstant(500)).is_none());
        assert_eq!(speakers.deadline(MediaInstant(500), 30_000), Some(MediaInstant(1_010)));
        speakers.tell_all(notice(Notice::CaptionsComplete), MediaInstant(900));
        assert_eq!(*speakers.post(PostId(3), MediaInstant(1_010)).unwrap().1, notice(Notice::CaptionsComplete));
        speakers.on_outcome(PostId(3), &PostOutcome::Delivered, MediaInstant(1_020), YOUNG_MS);
        assert!(speakers.post(PostId(4), MediaInstant(3_000)).is_none());
    }

    #[test]
    fn a_connection_that_is_gone_is_not_told_again_and_a_young_one_is_not_gone() {
        let mut speakers = known();
        for (n, at) in [(1, 1_000), (2, YOUNG_MS)] {
            speakers.tell_all(notice(Notice::NotHeard), MediaInstant(at));
            speakers.post(PostId(n), MediaInstant(at)).unwrap();
            speakers.on_outcome(PostId(n), &PostOutcome::Gone, MediaInstant(at), YOUNG_MS);
        }
        assert!(speakers.know([id("s")], MediaInstant(20_000)).is_empty(), "the row still names it");
        speakers.tell_all(notice(Notice::NotHeard), MediaInstant(20_000));
        assert!(speakers.post(PostId(3), MediaInstant(20_000)).is_none());
    }

    #[test]
    fn a_post_that_is_never_answered_is_given_up() {
        let mut speakers = known();
        speakers.tell_all(notice(Notice::NotHeard), MediaInstant(0));
        speakers.post(PostId(1), MediaInstant(0)).unwrap();
        assert_eq!(speakers.deadline(MediaInstant(0), 30_000), Some(MediaInstant(30_000)));
        speakers.give_up(MediaInstant(30_000), 30_000);
        assert_eq!(speakers.in_flight(), 0);
    }

    #[test]
    fn the_oldest_connection_gives_way_when_there_are_too_many() {
        let mut speakers = known();
        let names = ["b", "c", "d", "e"];
        names.iter().zip(1..).for_each(|(name, at)| drop(speakers.know([id(name)], MediaInstant(at))));
        assert_eq!(speakers.lines.keys().map(ConnectionId::as_str).collect::<Vec<_>>(), names);
    }
}
