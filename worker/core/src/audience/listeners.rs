//! Who listens. The index that tells is eventually consistent, and a change of language makes a row vanish for an
//! instant: who is missing is forgotten only after a grace.

use super::had::Had;
use super::queue::{Item, Queue};
use super::turns::{Pace, Turns};
use crate::input::PostId;
use crate::time::MediaInstant;
use schemas::ids::{ConnectionId, Language, Timestamp};
use schemas::session::{CaptionMode, ListenerRow};
use std::collections::{BTreeMap, BTreeSet};

/// Connections that are remembered after they went, so that a flickering index repeats nothing to them.
const REMEMBERED: usize = 2_000;

/// Who went so recently is told the end all the same, ms: the session service deletes the rows of a session before anybody
/// can be told of its end, and the controller's schedule comes once a minute.
const DEPARTED_MS: u64 = 120_000;
/// A post that took so long makes its listener slow, ms; the usual one takes 5 to 20 ms.
const SLOW_MS: u64 = 1_000;

/// One connection.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) language: Language,
    pub(crate) connected_at: Option<Timestamp>,
    pub(crate) first_seen: MediaInstant,
    missing_since: Option<MediaInstant>,
    pub(crate) queue: Queue,
    pub(crate) in_flight: Option<(PostId, Item, MediaInstant)>,
    /// After a failure nothing is posted until then.
    rests_until: Option<MediaInstant>,
    /// 429s in a row.
    pub(crate) throttled: u32,
    pub(crate) pace: Pace,
    /// How settled a text must be before they see it.
    pub(crate) mode: CaptionMode,
    pub(crate) had: Had,
}

impl Listener {
    /// Takes the post back that has this outcome; `None` when it was given up before.
    pub(crate) fn landed(&mut self, id: PostId, now: MediaInstant) -> Option<Item> {
        let (_, item, at) = self.in_flight.take_if(|(flying, _, _)| *flying == id)?;
        self.pace = if now.since(at) >= SLOW_MS { Pace::Slow } else { Pace::Quick };
        Some(item)
    }

    /// Puts a message back that must be sent again, unless it is a caption in a language that is not wanted any more.
    pub(crate) fn put_back(&mut self, item: Item) {
        if item.body.language().is_none_or(|language| *language == self.language) {
            self.queue.put_back(item);
        } else if let Some((language, cursor)) = item.body.final_of() {
            self.had.forget(language, cursor);
        }
    }

    /// The listener wants another language: what waits in the former one was not seen.
    fn change(&mut self, language: Language) {
        let former = std::mem::replace(&mut self.language, language);
        if let Some(first) = self.queue.drop_captions() {
            self.had.forget(&former, first);
        }
    }
}

/// One who comes, or went as far as the index tells, and when.
#[derive(Debug)]
struct Passage {
    at: MediaInstant,
    language: Language,
    mode: CaptionMode,
    connected_at: Option<Timestamp>,
}

/// All connections of the session. Whatever is asked with each post is kept up to date with each change instead.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    listeners: BTreeMap<ConnectionId, Listener>,
    /// The same, by language.
    by_language: BTreeMap<Language, BTreeSet<ConnectionId>>,
    /// Those whom the index does not list, and since when.
    missing: BTreeSet<(MediaInstant, ConnectionId)>,
    /// Those whose last post was answered with 429.
    throttled: usize,
    /// Whose turn it is.
    pub(crate) turns: Turns,
    /// Connections that answered 410, with the time of their row.
    gone: BTreeMap<ConnectionId, Option<Timestamp>>,
    remembered: BTreeMap<ConnectionId, Had>,
    departed: BTreeMap<ConnectionId, Passage>,
    /// Nobody is forgotten any more: the session ends, and its rows may be gone already.
    kept: bool,
}

impl Listeners {
    /// Takes in the complete list; gives those who are new in their language.
    pub(crate) fn update(&mut self, rows: Vec<ListenerRow>, now: MediaInstant) -> Vec<(ConnectionId, Language)> {
        let mut newest: BTreeMap<ConnectionId, ListenerRow> = BTreeMap::new();
        for row in rows {
            let older = newest.get(&row.connection_id).is_some_and(|known| known.connected_at > row.connected_at);
            if !older {
                newest.insert(row.connection_id.clone(), row);
            }
        }
        self.gone.retain(|connection, since| newest.get(connection).is_some_and(|row| row.connected_at == *since));
        for (connection, listener) in &mut self.listeners {
            if !newest.contains_key(connection) {
                let since = *listener.missing_since.get_or_insert(now);
                self.missing.insert((since, connection.clone()));
            } else if let Some(since) = listener.missing_since.take() {
                self.missing.remove(&(since, connection.clone()));
            }
        }
        let rows = newest.into_values().filter(|row| !self.gone.contains_key(&row.connection_id));
        let rows: Vec<ListenerRow> = rows.collect();
        rows.into_iter().filter_map(|row| self.welcome(row, now)).collect()
    }

    fn welcome(&mut self, row: ListenerRow, now: MediaInstant) -> Option<(ConnectionId, Language)> {
        let ListenerRow { connection_id: connection, language, connected_at, mode } = row;
        let mode = mode.mode();
        if let Some(known) = self.listeners.get_mut(&connection) {
            (known.connected_at, known.mode) = (connected_at, mode);
            if known.language == language {
                return None;
            }
            self.part(&connection);
            self.by_language.entry(language.clone()).or_default().insert(connection.clone());
            self.with(&connection, |listener| listener.change(language.clone()));
            return Some((connection, language));
        }
        self.departed.remove(&connection);
        let came = Passage { at: now, language: language.clone(), mode, connected_at };
        self.seat(connection.clone(), came);
        Some((connection, language))
    }

    /// Takes somebody in who came at this moment.
    fn seat(&mut self, connection: ConnectionId, came: Passage) {
        let Passage { at, language, mode, connected_at } = came;
        self.by_language.entry(language.clone()).or_default().insert(connection.clone());
        let listener = Listener {
            language,
            connected_at,
            first_seen: at,
            missing_since: None,
            queue: Queue::default(),
            in_flight: None,
            rests_until: None,
            throttled: 0,
            pace: Pace::Quick,
            mode,
            had: self.remembered.remove(&connection).unwrap_or_default(),
        };
        self.listeners.insert(connection, listener);
    }

    /// From now on nobody is forgotten.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// Those who went a little while ago are listeners once more, to be told the end.
    pub(crate) fn recall(&mut self, now: MediaInstant) {
        for (connection, gone) in std::mem::take(&mut self.departed) {
            if now.since(gone.at) < DEPARTED_MS {
                self.seat(connection, Passage { at: now, ..gone });
            }
        }
    }

    /// Forgets those who are missing for longer than the grace.
    pub(crate) fn expire(&mut self, now: MediaInstant, grace_ms: u64) {
        if self.deadline(grace_ms).is_none_or(|at| now < at) {
            return;
        }
        self.departed.retain(|_, gone| now.since(gone.at) < DEPARTED_MS);
        let over = self.missing.iter().take_while(|(since, _)| now.since(*since) >= grace_ms);
        let left: Vec<ConnectionId> =
            over.filter(|(_, connection)| !self.is_posted_to(connection)).map(|(_, c)| c.clone()).collect();
        for connection in left {
            if let Some(listener) = self.take(&connection) {
                if self.remembered.len() >= REMEMBERED {
                    self.remembered.pop_first();
                }
                let Listener { language, connected_at, mode, had, .. } = listener;
                self.departed.insert(connection.clone(), Passage { at: now, language, mode, connected_at });
                self.remembered.insert(connection, had);
            }
        }
    }

    /// The connection is gone; its row may still be listed for a while.
    pub(crate) fn remove(&mut self, connection: &ConnectionId) {
        if let Some(listener) = self.take(connection) {
            self.gone.insert(connection.clone(), listener.connected_at);
        }
    }

    fn take(&mut self, connection: &ConnectionId) -> Option<Listener> {
        self.part(connection);
        let listener = self.listeners.remove(connection)?;
        self.turns.forget(connection, listener.rests_until);
        self.throttled -= usize::from(listener.throttled > 0);
        if let Some(since) = listener.missing_since {
            self.missing.remove(&(since, connection.clone()));
        }
        Some(listener)
    }

    /// Takes the connection out of its language.
    fn part(&mut self, connection: &ConnectionId) {
        let Some(language) = self.listeners.get(connection).map(|listener| &listener.language) else { return };
        if let Some(listeners) = self.by_language.get_mut(language) {
            listeners.remove(connection);
            if listeners.is_empty() {
                self.by_language.remove(&language.clone());
            }
        }
    }

    /// When somebody is to be forgotten; nobody is while a post to them is in flight.
    pub(crate) fn deadline(&self, grace_ms: u64) -> Option<MediaInstant> {
        let absent = self.missing.iter().find(|(_, connection)| !self.is_posted_to(connection));
        absent.filter(|_| !self.kept).map(|(since, _)| since.plus_ms(grace_ms))
    }

    fn is_posted_to(&self, connection: &ConnectionId) -> bool {
        self.listeners.get(connection).is_some_and(|listener| listener.in_flight.is_some())
    }

    /// Listeners per language.
    pub(crate) fn languages(&self) -> BTreeMap<Language, u32> {
        let count = |listeners: &BTreeSet<ConnectionId>| u32::try_from(listeners.len()).unwrap_or(u32::MAX);
        self.by_language.iter().map(|(language, listeners)| (language.clone(), count(listeners))).collect()
    }
    /// How those of each language wish to read.
    pub(crate) fn modes(&self) -> BTreeMap<Language, BTreeSet<CaptionMode>> {
        let mode = |connection: &ConnectionId| self.get(connection).map(|listener| listener.mode);
        let modes = |listeners: &BTreeSet<ConnectionId>| listeners.iter().filter_map(mode).collect();
        self.by_language.iter().map(|(language, listeners)| (language.clone(), modes(listeners))).collect()
    }
    /// Whether somebody listens in this language.
    pub(crate) fn hears(&self, language: &Language) -> bool {
        self.by_language.contains_key(language)
    }
    /// How many listen.
    pub(crate) fn len(&self) -> usize {
        self.listeners.len()
    }
    /// How many were throttled and not served since.
    pub(crate) fn throttled(&self) -> usize {
        self.throttled
    }

    /// A listener.
    pub(crate) fn get(&self, connection: &ConnectionId) -> Option<&Listener> {
        self.listeners.get(connection)
    }
    /// Who listens in this language, or everybody.
    pub(crate) fn names(&self, language: Option<&Language>) -> Vec<ConnectionId> {
        match language {
            Some(language) => self.by_language.get(language).into_iter().flatten().cloned().collect(),
            None => self.listeners.keys().cloned().collect(),
        }
    }

    /// Changes what a listener waits for; whether it is their turn follows from that.
    pub(crate) fn with<T>(&mut self, connection: &ConnectionId, change: impl FnOnce(&mut Listener) -> T) -> Option<T> {
        let listener = self.listeners.get_mut(connection)?;
        let before = listener.throttled > 0;
        let changed = change(listener);
        let after = listener.throttled > 0;
        self.throttled = self.throttled + usize::from(after) - usize::from(before);
        let waits = !listener.queue.is_empty() && listener.in_flight.is_none() && listener.rests_until.is_none();
        if waits {
            self.turns.line_up(connection, listener.pace);
        } else {
            self.turns.leave(connection);
        }
        Some(changed)
    }

    /// Nothing is posted to this listener until then.
    pub(crate) fn rest(&mut self, connection: &ConnectionId, until: MediaInstant) {
        let Some(listener) = self.listeners.get_mut(connection) else { return };
        self.turns.forget(connection, listener.rests_until.replace(until));
        self.turns.rest(connection, until);
    }

    /// Ends the rests that are over.
    pub(crate) fn wake(&mut self, now: MediaInstant) {
        while let Some(connection) = self.turns.wake(now) {
            self.with(&connection, |listener| listener.rests_until = None);
        }
    }

    /// Whether nothing waits for anybody who may have a post in flight.
    pub(crate) fn is_idle(&self) -> bool {
        let waits = |c: &ConnectionId| self.get(c).is_some_and(|listener| !listener.queue.is_empty());
        self.turns.is_empty() && !self.turns.resting().any(waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::session::AskedMode;

    fn row(connection: &str, language: &str, connected_at: i64) -> ListenerRow {
        ListenerRow {
            connection_id: ConnectionId::try_new(connection).unwrap(),
            language: Language::try_new(language).unwrap(),
            connected_at: Some(Timestamp(connected_at)),
            mode: AskedMode::default(),
        }
    }

    #[test]
    fn a_listener_who_flickers_in_the_index_is_not_forgotten() {
        let mut audience = Listeners::default();
        assert_eq!(audience.update(vec![row("a", "es", 1)], MediaInstant(0)).len(), 1);
        assert!(audience.update(vec![], MediaInstant(1_000)).is_empty());
        audience.expire(MediaInstant(3_000), 5_000);
        assert!(audience.update(vec![row("a", "es", 1)], MediaInstant(3_000)).is_empty(), "the same listener");
        audience.update(vec![], MediaInstant(4_000));
        audience.expire(MediaInstant(9_000), 5_000);
        assert_eq!(audience.len(), 0);
    }

    #[test]
    fn a_change_of_language_is_a_new_listener_of_that_language() {
        let mut audience = Listeners::default();
        audience.update(vec![row("a", "es", 1)], MediaInstant(0));
        let changed = audience.update(vec![row("a", "es", 1), row("a", "ca", 2)], MediaInstant(10));
        assert_eq!(changed[0].1.as_str(), "ca");
    }

    #[test]
    fn a_connection_that_answered_410_stays_away_until_it_connects_anew() {
        let mut audience = Listeners::default();
        let joined = audience.update(vec![row("a", "es", 1)], MediaInstant(0));
        audience.remove(&joined[0].0);
        assert!(audience.update(vec![row("a", "es", 1)], MediaInstant(10)).is_empty());
        assert_eq!(audience.update(vec![row("a", "es", 2)], MediaInstant(20)).len(), 1);
    }
}
