//! Posts in flight: one per connection, so that the order stands; a bounded number in all.

use super::body::Body;
use super::listeners::{Listener, Listeners};
use super::queue::Item;
use super::speaker::Speakers;
use super::turns::Pace;
use crate::config::EngineConfig;
use crate::input::{PostId, PostOutcome};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::text::Rendered;
use crate::time::MediaInstant;
use schemas::ids::{ConnectionId, Language, Timestamp};
use schemas::session::{CaptionMode, ListenerRow};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A message that failed is tried again so often, partials never. The product asks for two at least; five bridge six seconds
/// in which the API fails, and no listener loses a sentence by them.
const RETRIES: u32 = 5;
/// Wait before the first retry, ms; it doubles.
const RETRY_MS: u64 = 200;
/// Wait before a young connection that answers 410 is tried again, ms.
const YOUNG_RETRY_MS: u64 = 500;
/// Longest wait after a 429, ms.
const THROTTLE_MOST_MS: u64 = 5_000;
/// A listener for whom so many messages wait does not read any more.
const QUEUE_MOST: usize = 500;

/// A post that goes out now.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) id: PostId,
    pub(crate) connection: ConnectionId,
    pub(crate) body: Body,
    pub(crate) catch_up: bool,
}

/// A post on its way.
#[derive(Debug)]
struct Flight {
    connection: ConnectionId,
    at: MediaInstant,
    pace: Pace,
}

/// The listeners and what is on its way to them. An outcome costs the same however many listen, but for a logarithm.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    audience: Listeners,
    /// In the order in which they were posted.
    in_flight: BTreeMap<PostId, Flight>,
    /// Places that listeners hold who were slow when they were posted to.
    held_by_slow: usize,
    /// Listeners for whom too much waited when it was queued.
    overfull: Vec<ConnectionId>,
    /// The speaker's own connections, who are no listeners.
    pub(crate) speakers: Speakers,
    last_id: u64,
    /// Messages posted.
    pub(crate) posts: u64,
    /// Messages that failed for good.
    pub(crate) failed: u64,
    /// When a connection last accepted a message.
    pub(crate) delivered_at: Option<MediaInstant>,
}

impl Delivery {
    /// Takes in the complete list; gives those who are new in their language.
    pub(crate) fn update(&mut self, rows: Vec<ListenerRow>, now: MediaInstant) -> Vec<(ConnectionId, Language)> {
        self.audience.update(rows, now)
    }

    /// Listeners per language.
    pub(crate) fn languages(&self) -> BTreeMap<Language, u32> {
        self.audience.languages()
    }
    /// Whether somebody listens in this language.
    pub(crate) fn hears(&self, language: &Language) -> bool {
        self.audience.hears(language)
    }

    /// These connections are the speaker's, save those that listen; gives those that are new.
    pub(crate) fn know_speakers(&mut self, connections: Vec<ConnectionId>, now: MediaInstant) -> Vec<ConnectionId> {
        let audience = &self.audience;
        self.speakers.know(connections.into_iter().filter(|connection| audience.get(connection).is_none()), now)
    }

    /// Whether no listener is there.
    pub(crate) fn nobody(&self) -> bool {
        self.audience.len() == 0
    }

    /// How the listeners of each language wish to read.
    pub(crate) fn modes(&self) -> BTreeMap<Language, BTreeSet<CaptionMode>> {
        self.audience.modes()
    }

    /// Queues a caption for everybody in its language who wishes to read so.
    pub(crate) fn caption(&mut self, rendered: &Arc<Rendered>) {
        let wants = |listener: &Listener| rendered.mode.is_none_or(|mode| mode == listener.mode);
        for connection in self.audience.names(Some(&rendered.language)) {
            if self.audience.get(&connection).is_some_and(wants) {
                self.queue(&connection, |listener| push_caption(listener, rendered, rendered.catch_up));
            }
        }
    }

    /// The translation of a final has come after its original: queues it for those who were given that.
    pub(crate) fn revise(&mut self, revised: &Arc<Rendered>) {
        let original = (revised.language.clone(), revised.cursor);
        for connection in self.audience.names(Some(&revised.language)) {
            self.queue(&connection, |listener| {
                if listener.had.originals.remove(&original) {
                    listener.queue.revise(revised);
                }
            });
        }
    }

    /// Queues finals that others have already for one who has just come.
    pub(crate) fn catch_up(&mut self, connection: &ConnectionId, finals: &[Arc<Rendered>]) {
        self.queue(connection, |listener| finals.iter().for_each(|rendered| push_caption(listener, rendered, true)));
    }

    /// Queues a message for one listener.
    pub(crate) fn tell(&mut self, connection: &ConnectionId, body: Body) {
        self.queue(connection, |listener| listener.queue.push(Item { body, catch_up: false, attempts: 0 }));
    }

    /// Queues a message for everybody.
    pub(crate) fn tell_all(&mut self, body: &Body) {
        for connection in self.audience.names(None) {
            self.tell(&connection, body.clone());
        }
    }

    fn queue(&mut self, connection: &ConnectionId, push: impl FnOnce(&mut Listener)) {
        let waiting = self.audience.with(connection, |listener| {
            push(listener);
            listener.queue.len()
        });
        if waiting.is_some_and(|waiting| waiting > QUEUE_MOST) {
            self.overfull.push(connection.clone());
        }
    }

    /// The session begins to end: from now on nobody is forgotten.
    pub(crate) fn keep_all(&mut self) {
        self.audience.keep();
    }

    /// Queues the end for everybody, even those whose rows have vanished a little while ago.
    pub(crate) fn tell_end(&mut self, body: &Body, now: MediaInstant) {
        self.audience.recall(now);
        self.tell_all(body);
    }

    /// The outcome of a post.
    pub(crate) fn on_outcome(
        &mut self,
        id: PostId,
        outcome: &PostOutcome,
        now: MediaInstant,
        wall: Timestamp,
        config: &EngineConfig,
        out: &mut Outbox,
    ) {
        let young_ms = config.timing.connection_young_ms;
        if self.speakers.on_outcome(id, outcome, now, young_ms) {
            return;
        }
        let Some(connection) = self.land(id) else { return };
        let Some(item) = self.audience.with(&connection, |listener| listener.landed(id, now)).flatten() else { return };
        match outcome {
            PostOutcome::Delivered => {
                self.audience.with(&connection, |listener| listener.throttled = 0);
                self.delivered_at = Some(now);
            }
            PostOutcome::Gone if self.audience.get(&connection).is_some_and(|l| is_young(l, now, wall, young_ms)) => {
                self.retry(&connection, item, now.plus_ms(YOUNG_RETRY_MS));
            }
            PostOutcome::Gone => {
                let connected_at = self.audience.get(&connection).and_then(|listener| listener.connected_at);
                self.audience.remove(&connection);
                out.push(Output::ForgetListener { connection, connected_at });
                out.fact("listener_gone", "410");
            }
            PostOutcome::Throttled => {
                let times = self.audience.with(&connection, |listener| {
                    listener.throttled = (listener.throttled + 1).min(10);
                    listener.queue.coalesce();
                    listener.throttled
                });
                let wait_ms = (RETRY_MS << times.unwrap_or_default()).min(THROTTLE_MOST_MS);
                self.retry(&connection, item, now.plus_ms(wait_ms));
            }
            PostOutcome::Failed(_) if !item.body.is_fleeting() && item.attempts < RETRIES => {
                let until = now.plus_ms(RETRY_MS << item.attempts);
                self.retry(&connection, Item { attempts: item.attempts + 1, ..item }, until);
            }
            PostOutcome::Failed(detail) => {
                self.failed += 1;
                out.fact("post_failed", detail.clone());
            }
        }
    }

    /// The message goes first when the listener has rested.
    fn retry(&mut self, connection: &ConnectionId, item: Item, at: MediaInstant) {
        self.audience.rest(connection, at);
        self.audience.with(connection, |listener| listener.put_back(item));
    }

    /// The place of a post is free again.
    fn land(&mut self, id: PostId) -> Option<ConnectionId> {
        let Flight { connection, pace, .. } = self.in_flight.remove(&id)?;
        self.held_by_slow -= usize::from(pace == Pace::Slow);
        Some(connection)
    }

    /// The posts that may go out now: fair among the listeners, bounded in number. Those who are slow hold at most half of
    /// the places, however many they are.
    pub(crate) fn pump(&mut self, now: MediaInstant, config: &EngineConfig, out: &mut Outbox) -> Vec<Ready> {
        self.audience.expire(now, config.timing.listener_grace_ms);
        self.give_up(now, config.timing.post_patience_ms, out);
        self.audience.wake(now);
        let mut ready = Vec::new();
        while self.has_room(config) {
            let room_for_slow = self.held_by_slow < config.posts_in_flight / 2;
            let Some(connection) = self.audience.turns.next(room_for_slow) else { break };
            ready.extend(self.post(connection, now));
        }
        ready
    }

    fn has_room(&self, config: &EngineConfig) -> bool {
        self.in_flight.len() + self.speakers.in_flight() < config.posts_in_flight
    }

    /// A notice for the speaker, when listeners have left a place free.
    pub(crate) fn notice(
        &mut self,
        now: MediaInstant,
        config: &EngineConfig,
    ) -> Option<(PostId, ConnectionId, String)> {
        if !self.has_room(config) {
            return None;
        }
        let id = PostId(self.last_id + 1);
        let (connection, message) = self.speakers.post(id, now)?;
        self.last_id = id.0;
        self.posts += 1;
        Some((id, connection, message.to_json()))
    }

    fn post(&mut self, connection: ConnectionId, now: MediaInstant) -> Option<Ready> {
        self.last_id += 1;
        let id = PostId(self.last_id);
        let (body, catch_up, pace) = self.audience.with(&connection, |listener| {
            let item = listener.queue.pop()?;
            let (body, catch_up) = (item.body.clone(), item.catch_up);
            listener.in_flight = Some((id, item, now));
            Some((body, catch_up, listener.pace))
        })??;
        self.posts += 1;
        self.held_by_slow += usize::from(pace == Pace::Slow);
        self.in_flight.insert(id, Flight { connection: connection.clone(), at: now, pace });
        Some(Ready { id, connection, body, catch_up })
    }

    /// Posts that were never answered, and listeners who do not read.
    fn give_up(&mut self, now: MediaInstant, patience_ms: u64, out: &mut Outbox) {
        self.speakers.give_up(now, patience_ms);
        while let Some((&id, _)) = self.in_flight.first_key_value().filter(|(_, f)| now.since(f.at) >= patience_ms) {
            let connection = self.land(id);
            let given_up = connection.and_then(|c| self.audience.with(&c, |l| l.in_flight.take_if(|(f, ..)| *f == id)));
            if given_up.flatten().is_some() {
                self.failed += 1;
                out.fact("post_failed", "no outcome in time");
            }
        }
        for connection in std::mem::take(&mut self.overfull) {
            if self.audience.get(&connection).is_some_and(|listener| listener.queue.len() > QUEUE_MOST) {
                self.audience.remove(&connection);
                out.fact("listener_gone", format!("more than {QUEUE_MOST} messages waited"));
            }
        }
    }

    /// Whether most listeners cannot take what is posted: the rate of the account is spent, or the venue's network is.
    pub(crate) fn is_slow(&self) -> bool {
        let throttled = self.audience.throttled();
        // One or two who are stuck are their own matter.
        throttled > 2 && throttled * 2 > self.audience.len()
    }

    /// Whether everything was delivered or given up.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.audience.is_idle()
    }

    /// When something is due.
    pub(crate) fn deadline(&self, now: MediaInstant, config: &EngineConfig) -> Option<MediaInstant> {
        let (patience_ms, grace_ms) = (config.timing.post_patience_ms, config.timing.listener_grace_ms);
        let oldest = self.in_flight.first_key_value().map(|(_, flight)| flight.at);
        earliest([
            oldest.map(|at| at.plus_ms(patience_ms)),
            self.audience.turns.deadline(),
            self.audience.deadline(grace_ms),
            self.speakers.deadline(now, patience_ms),
        ])
    }
}

/// Queues a caption unless the listener has had this final, or one after it.
fn push_caption(listener: &mut Listener, rendered: &Arc<Rendered>, catch_up: bool) {
    if rendered.shown.is_final && !listener.had.takes(rendered) {
        return;
    }
    listener.queue.push(Item { body: Body::Caption(rendered.clone()), catch_up, attempts: 0 });
}

fn is_young(listener: &Listener, now: MediaInstant, wall: Timestamp, young_ms: u64) -> bool {
    match listener.connected_at {
        Some(at) => u64::try_from(wall.since(at)).unwrap_or(0) < young_ms,
        None => now.since(listener.first_seen) < young_ms,
    }
}
