//! Who listens. The index that tells is eventually consistent, and a change of language makes a row vanish for an
//! instant: who is missing is forgotten only after a grace.

use super::queue::{Item, Queue};
use crate::input::PostId;
use crate::time::MediaInstant;
use schemas::ids::{ConnectionId, Language, Timestamp};
use schemas::session::ListenerRow;
use std::collections::BTreeMap;

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
    pub(crate) missing_since: Option<MediaInstant>,
    pub(crate) queue: Queue,
    pub(crate) in_flight: Option<(PostId, Item, MediaInstant)>,
    pub(crate) not_before: MediaInstant,
    pub(crate) throttled: u32,
    /// The last post took long: the places of others are not its to hold.
    pub(crate) slow: bool,
    /// Cursor of the last final that was queued, per language.
    pub(crate) seen: BTreeMap<Language, u64>,
}

impl Listener {
    /// Takes the post back that has this outcome; `None` when it was given up before.
    pub(crate) fn landed(&mut self, id: PostId, now: MediaInstant) -> Option<Item> {
        let (_, item, at) = self.in_flight.take_if(|(flying, _, _)| *flying == id)?;
        self.slow = now.since(at) >= SLOW_MS;
        Some(item)
    }

    /// Puts a message back that must be sent again, unless it is a caption in a language that is not wanted any more.
    pub(crate) fn put_back(&mut self, item: Item) {
        if let Some((language, cursor)) = item.body.final_of().filter(|(language, _)| *language != &self.language) {
            self.seen.insert(language.clone(), cursor.saturating_sub(1));
        } else {
            self.queue.put_back(item);
        }
    }

    /// The listener wants another language: what waits in the former one was not seen.
    fn change(&mut self, language: Language) {
        let former = std::mem::replace(&mut self.language, language);
        if let Some(first) = self.queue.drop_captions() {
            self.seen.insert(former, first.saturating_sub(1));
        }
    }
}

/// One who went, as far as the index tells.
#[derive(Debug)]
struct Departed {
    at: MediaInstant,
    language: Language,
    connected_at: Option<Timestamp>,
}

/// All connections of the session.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) listeners: BTreeMap<ConnectionId, Listener>,
    /// Connections that answered 410, with the time of their row.
    gone: BTreeMap<ConnectionId, Option<Timestamp>>,
    remembered: BTreeMap<ConnectionId, BTreeMap<Language, u64>>,
    departed: BTreeMap<ConnectionId, Departed>,
    /// Nobody is forgotten any more: the session ends, and its rows may be gone already.
    kept: bool,
}

impl Audience {
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
            if newest.contains_key(connection) {
                listener.missing_since = None;
            } else {
                listener.missing_since.get_or_insert(now);
            }
        }
        let rows = newest.into_values().filter(|row| !self.gone.contains_key(&row.connection_id));
        let rows: Vec<ListenerRow> = rows.collect();
        rows.into_iter().filter_map(|row| self.welcome(row, now)).collect()
    }

    fn welcome(&mut self, row: ListenerRow, now: MediaInstant) -> Option<(ConnectionId, Language)> {
        if let Some(known) = self.listeners.get_mut(&row.connection_id) {
            known.connected_at = row.connected_at;
            if known.language == row.language {
                return None;
            }
            known.change(row.language.clone());
            return Some((row.connection_id, row.language));
        }
        self.departed.remove(&row.connection_id);
        self.seat(row.connection_id.clone(), row.language.clone(), row.connected_at, now);
        Some((row.connection_id, row.language))
    }

    fn seat(
        &mut self,
        connection: ConnectionId,
        language: Language,
        connected_at: Option<Timestamp>,
        now: MediaInstant,
    ) {
        let listener = Listener {
            language,
            connected_at,
            first_seen: now,
            missing_since: None,
            queue: Queue::default(),
            in_flight: None,
            not_before: now,
            throttled: 0,
            slow: false,
            seen: self.remembered.remove(&connection).unwrap_or_default(),
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
                self.seat(connection, gone.language, gone.connected_at, now);
            }
        }
    }

    /// Forgets those who are missing for longer than the grace.
    pub(crate) fn expire(&mut self, now: MediaInstant, grace_ms: u64) {
        if self.deadline(grace_ms).is_none_or(|at| now < at) {
            return;
        }
        self.departed.retain(|_, gone| now.since(gone.at) < DEPARTED_MS);
        let over = |l: &Listener| l.missing_since.is_some_and(|at| now.since(at) >= grace_ms) && l.in_flight.is_none();
        let left: Vec<ConnectionId> =
            self.listeners.iter().filter(|(_, l)| over(l)).map(|(connection, _)| connection.clone()).collect();
        for connection in left {
            if let Some(listener) = self.listeners.remove(&connection) {
                if self.remembered.len() >= REMEMBERED {
                    self.remembered.pop_first();
                }
                let Listener { language, connected_at, seen, .. } = listener;
                self.departed.insert(connection.clone(), Departed { at: now, language, connected_at });
                self.remembered.insert(connection, seen);
            }
        }
    }

    /// The connection is gone; its row may still be listed for a while.
    pub(crate) fn remove(&mut self, connection: &ConnectionId) {
        if let Some(listener) = self.listeners.remove(connection) {
            self.gone.insert(connection.clone(), listener.connected_at);
        }
    }

    /// When somebody is to be forgotten.
    pub(crate) fn deadline(&self, grace_ms: u64) -> Option<MediaInstant> {
        if self.kept {
            return None;
        }
        let absent = self.listeners.values().filter(|l| l.in_flight.is_none());
        absent.filter_map(|l| l.missing_since).min().map(|at| at.plus_ms(grace_ms))
    }

    /// Listeners per language.
    pub(crate) fn languages(&self) -> BTreeMap<Language, u32> {
        let mut languages = BTreeMap::new();
        for listener in self.listeners.values() {
            *languages.entry(listener.language.clone()).or_insert(0) += 1;
        }
        languages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(connection: &str, language: &str, connected_at: i64) -> ListenerRow {
        ListenerRow {
            connection_id: ConnectionId::try_new(connection).unwrap(),
            language: Language::try_new(language).unwrap(),
            connected_at: Some(Timestamp(connected_at)),
        }
    }

    #[test]
    fn a_listener_who_flickers_in_the_index_is_not_forgotten() {
        let mut audience = Audience::default();
        assert_eq!(audience.update(vec![row("a", "es", 1)], MediaInstant(0)).len(), 1);
        assert!(audience.update(vec![], MediaInstant(1_000)).is_empty());
        audience.expire(MediaInstant(3_000), 5_000);
        assert!(audience.update(vec![row("a", "es", 1)], MediaInstant(3_000)).is_empty(), "the same listener");
        audience.update(vec![], MediaInstant(4_000));
        audience.expire(MediaInstant(9_000), 5_000);
        assert!(audience.listeners.is_empty());
    }

    #[test]
    fn a_change_of_language_is_a_new_listener_of_that_language() {
        let mut audience = Audience::default();
        audience.update(vec![row("a", "es", 1)], MediaInstant(0));
        let changed = audience.update(vec![row("a", "es", 1), row("a", "ca", 2)], MediaInstant(10));
        assert_eq!(changed[0].1.as_str(), "ca");
    }

    #[test]
    fn a_connection_that_answered_410_stays_away_until_it_connects_anew() {
        let mut audience = Audience::default();
        let joined = audience.update(vec![row("a", "es", 1)], MediaInstant(0));
        audience.remove(&joined[0].0);
        assert!(audience.update(vec![row("a", "es", 1)], MediaInstant(10)).is_empty());
        assert_eq!(audience.update(vec![row("a", "es", 2)], MediaInstant(20)).len(), 1);
    }
}
