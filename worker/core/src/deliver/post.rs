//! Posts in flight: one per connection, so that the order stands; a bounded number in all.

use super::audience::{Audience, Listener};
use super::queue::Item;
use super::track::Rendered;
use crate::config::EngineConfig;
use crate::input::{PostId, PostOutcome};
use crate::outbox::{Outbox, earliest};
use crate::output::Output;
use crate::time::MediaInstant;
use schemas::ids::{ConnectionId, Language, Timestamp};
use schemas::message::Emotion;
use schemas::reason::Cause;
use schemas::session::ListenerRow;
use schemas::worker::Rung;
use std::collections::BTreeMap;
use std::ops::Bound;
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

/// What is to be posted; it becomes a message at the moment of the post.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// A caption.
    Caption(Arc<Rendered>),
    /// Facts of the voice.
    Emotion(Arc<Emotion>),
    /// How much of the service is given.
    Status(Rung, &'static str),
    /// The end.
    Ended(Cause),
}

impl Body {
    /// The segment of a caption.
    pub(crate) fn segment(&self) -> Option<u64> {
        match self {
            Self::Caption(rendered) => Some(rendered.shown.segment),
            Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// Language and cursor of a final.
    pub(crate) fn final_of(&self) -> Option<(&Language, u64)> {
        match self {
            Self::Caption(rendered) if rendered.shown.is_final => Some((&rendered.language, rendered.cursor)),
            Self::Caption(_) | Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// Whether it may be lost: there will be a newer one, and nobody misses it.
    pub(crate) fn is_fleeting(&self) -> bool {
        match self {
            Self::Caption(rendered) => !rendered.shown.is_final,
            Self::Emotion(_) => true,
            Self::Status(..) | Self::Ended(_) => false,
        }
    }
    /// Whether it says how a segment, or (false) a second, was said; `None` for everything else.
    pub(crate) fn emotion_of_segment(&self) -> Option<bool> {
        match self {
            Self::Emotion(emotion) => Some(emotion.segment_id.is_some()),
            Self::Caption(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
    /// The segment of a partial.
    pub(crate) fn partial_of(&self) -> Option<u64> {
        match self {
            Self::Caption(rendered) if !rendered.shown.is_final => Some(rendered.shown.segment),
            Self::Caption(_) | Self::Emotion(_) | Self::Status(..) | Self::Ended(_) => None,
        }
    }
}

/// A post that goes out now.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) id: PostId,
    pub(crate) connection: ConnectionId,
    pub(crate) body: Body,
    pub(crate) catch_up: bool,
}

/// The listeners and what is on its way to them.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    audience: Audience,
    in_flight: BTreeMap<PostId, ConnectionId>,
    last_served: Option<ConnectionId>,
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

    /// Whether no listener is there.
    pub(crate) fn nobody(&self) -> bool {
        self.audience.listeners.is_empty()
    }

    /// Queues a caption for everybody in its language.
    pub(crate) fn caption(&mut self, rendered: &Arc<Rendered>) {
        for listener in self.audience.listeners.values_mut().filter(|l| l.language == rendered.language) {
            push_caption(listener, rendered, rendered.catch_up);
        }
    }

    /// Queues finals that others have already for one who has just come.
    pub(crate) fn catch_up(&mut self, connection: &ConnectionId, finals: &[Arc<Rendered>]) {
        if let Some(listener) = self.audience.listeners.get_mut(connection) {
            finals.iter().for_each(|rendered| push_caption(listener, rendered, true));
        }
    }

    /// Queues a message for one listener.
    pub(crate) fn tell(&mut self, connection: &ConnectionId, body: Body) {
        if let Some(listener) = self.audience.listeners.get_mut(connection) {
            listener.queue.push(Item { body, catch_up: false, attempts: 0 });
        }
    }

    /// Queues a message for everybody.
    pub(crate) fn tell_all(&mut self, body: &Body) {
        for listener in self.audience.listeners.values_mut() {
            listener.queue.push(Item { body: body.clone(), catch_up: false, attempts: 0 });
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
        let Some(connection) = self.in_flight.remove(&id) else { return };
        let Some(listener) = self.audience.listeners.get_mut(&connection) else { return };
        let Some(mut item) = listener.landed(id, now) else { return };
        match outcome {
            PostOutcome::Delivered => {
                listener.throttled = 0;
                self.delivered_at = Some(now);
            }
            PostOutcome::Gone if is_young(listener, now, wall, config.timing.connection_young_ms) => {
                listener.not_before = now.plus_ms(YOUNG_RETRY_MS);
                listener.put_back(item);
            }
            PostOutcome::Gone => {
                let connected_at = listener.connected_at;
                self.audience.remove(&connection);
                out.push(Output::ForgetListener { connection, connected_at });
                out.fact("listener_gone", "410");
            }
            PostOutcome::Throttled => {
                listener.throttled = (listener.throttled + 1).min(10);
                listener.not_before = now.plus_ms((RETRY_MS << listener.throttled).min(THROTTLE_MOST_MS));
                listener.queue.coalesce();
                listener.put_back(item);
            }
            PostOutcome::Failed(detail) => {
                item.attempts += 1;
                if !item.body.is_fleeting() && item.attempts <= RETRIES {
                    listener.not_before = now.plus_ms(RETRY_MS << (item.attempts - 1));
                    listener.put_back(item);
                } else {
                    self.failed += 1;
                    out.fact("post_failed", detail.clone());
                }
            }
        }
    }

    /// The posts that may go out now: fair among the listeners, bounded in number.
    pub(crate) fn pump(&mut self, now: MediaInstant, config: &EngineConfig, out: &mut Outbox) -> Vec<Ready> {
        self.audience.expire(now, config.timing.listener_grace_ms);
        self.give_up(now, config.timing.post_patience_ms, out);
        let turn = self.turn(now, config);
        turn.into_iter().filter_map(|connection| self.post(connection, now)).collect()
    }

    /// Whose turn it is. Those who are slow hold at most half of the places, however many they are.
    fn turn(&self, now: MediaInstant, config: &EngineConfig) -> Vec<ConnectionId> {
        let room = config.posts_in_flight.saturating_sub(self.in_flight.len());
        if room == 0 {
            return Vec::new();
        }
        let held = self.audience.listeners.values().filter(|l| l.slow && l.in_flight.is_some()).count();
        let mut for_slow = (config.posts_in_flight / 2).saturating_sub(held);
        let may = |(_, listener): &(&ConnectionId, &Listener)| {
            let may = !listener.slow || for_slow > 0;
            for_slow -= usize::from(listener.slow && may);
            may
        };
        self.waiting(now).filter(may).take(room).map(|(connection, _)| connection.clone()).collect()
    }

    /// Listeners with something to get, beginning after the one who was served last.
    fn waiting(&self, now: MediaInstant) -> impl Iterator<Item = (&ConnectionId, &Listener)> {
        let all = &self.audience.listeners;
        let (after, before) = match &self.last_served {
            Some(last) => (Bound::Excluded(last.clone()), Bound::Included(last.clone())),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let rest = self.last_served.is_some().then(|| all.range((Bound::Unbounded, before))).into_iter().flatten();
        let ready = move |l: &Listener| l.in_flight.is_none() && !l.queue.is_empty() && now >= l.not_before;
        all.range((after, Bound::Unbounded)).chain(rest).filter(move |(_, l)| ready(l))
    }

    fn post(&mut self, connection: ConnectionId, now: MediaInstant) -> Option<Ready> {
        let listener = self.audience.listeners.get_mut(&connection)?;
        let item = listener.queue.pop()?;
        self.last_id += 1;
        self.posts += 1;
        let id = PostId(self.last_id);
        self.in_flight.insert(id, connection.clone());
        let (body, catch_up) = (item.body.clone(), item.catch_up);
        listener.in_flight = Some((id, item, now));
        self.last_served = Some(connection.clone());
        Some(Ready { id, connection, body, catch_up })
    }

    /// Posts that were never answered, and listeners who do not read.
    fn give_up(&mut self, now: MediaInstant, patience_ms: u64, out: &mut Outbox) {
        let mut stuck = Vec::new();
        for (connection, listener) in &mut self.audience.listeners {
            if let Some((id, _, _)) = listener.in_flight.take_if(|(_, _, at)| now.since(*at) >= patience_ms) {
                self.in_flight.remove(&id);
                self.failed += 1;
                out.fact("post_failed", "no outcome in time");
            }
            if listener.queue.len() > QUEUE_MOST {
                stuck.push(connection.clone());
            }
        }
        for connection in stuck {
            self.audience.remove(&connection);
            out.fact("listener_gone", format!("more than {QUEUE_MOST} messages waited"));
        }
    }

    /// Whether most listeners cannot take what is posted: the rate of the account is spent, or the venue's network is.
    pub(crate) fn is_slow(&self) -> bool {
        let throttled = self.audience.listeners.values().filter(|l| l.throttled > 0).count();
        // One or two who are stuck are their own matter.
        throttled > 2 && throttled * 2 > self.audience.listeners.len()
    }

    /// Whether everything was delivered or given up.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.audience.listeners.values().all(|l| l.queue.is_empty())
    }

    /// When something is due.
    pub(crate) fn deadline(&self, now: MediaInstant, config: &EngineConfig) -> Option<MediaInstant> {
        let waits = |l: &Listener| match &l.in_flight {
            Some((_, _, at)) => Some(at.plus_ms(config.timing.post_patience_ms)),
            None => (!l.queue.is_empty() && l.not_before > now).then_some(l.not_before),
        };
        let listeners = self.audience.listeners.values().map(waits);
        earliest(listeners.chain([self.audience.deadline(config.timing.listener_grace_ms)]))
    }
}

/// Queues a caption unless the listener has had this final, or one after it.
fn push_caption(listener: &mut Listener, rendered: &Arc<Rendered>, catch_up: bool) {
    if rendered.shown.is_final {
        let seen = listener.seen.entry(rendered.language.clone()).or_insert(0);
        if rendered.cursor <= *seen {
            return;
        }
        *seen = rendered.cursor;
    }
    listener.queue.push(Item { body: Body::Caption(rendered.clone()), catch_up, attempts: 0 });
}

fn is_young(listener: &Listener, now: MediaInstant, wall: Timestamp, young_ms: u64) -> bool {
    match listener.connected_at {
        Some(at) => u64::try_from(wall.since(at)).unwrap_or(0) < young_ms,
        None => now.since(listener.first_seen) < young_ms,
    }
}
