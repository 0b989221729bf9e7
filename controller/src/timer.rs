//! Timers: for every plan whose next look comes before the next tick.
//!
//! **Flow.** An invocation notes what its sessions wait for; when it ends, those of the same second go into one message. A worker that is heard has
//! its timer, too: for the moment at which it must have been heard again. What a timer wakes is read in bulk, and only who is silent, or waits for
//! something else, is looked at.
//!
//! **Guarantees.** No timer follows one for long beyond the next tick, which sees everybody: they never multiply. A timer that is lost costs no more than the
//! wait for that tick.

use crate::handler::Controller;
use crate::look::{Hints, Knowing, Rest, log_failure};
use crate::ports::{Bus, Channels, MOST_WAKES, Orchestrator, Sessions, Timer, Workers};
use controller_core::liveness;
use controller_core::triggers::Wake;
use futures_util::StreamExt as _;
use schemas::ids::{SessionId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Timers follow one another for so long, ms: until the next tick has come, with a margin for one that comes late and has much to read.
pub(crate) const FOLLOW_MS: i64 = 80_000;
/// Sessions looked at at the same time.
pub(crate) const AT_ONCE: usize = 16;

/// What the sessions of one invocation wait for.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Second, and the next tick → who.
    sessions: Mutex<BTreeMap<(i64, Timestamp), Vec<SessionId>>>,
}

impl Timers {
    /// This session waits for a look; the next tick comes at `until`.
    pub(crate) fn note(&self, id: &SessionId, rest: Rest, now: Timestamp, until: Timestamp) {
        match rest {
            Rest::Until(at) if at > now && at < until => {
                let second = (at.0 + 999).div_euclid(1_000);
                let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                sessions.entry((second, until)).or_default().push(id.clone());
            }
            Rest::Until(_) | Rest::Turn | Rest::Nothing => {}
        }
    }
}

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Sets the timers of an invocation that ends.
    pub(crate) async fn set(&self, timers: Timers) {
        let sessions = timers.sessions.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((second, until), ids) in sessions {
            for ids in ids.chunks(MOST_WAKES) {
                let wake = Wake::Sessions { ids: ids.to_vec(), until };
                self.set_one(Timestamp(second * 1_000), &wake).await;
            }
        }
    }

    /// Lets the queue be looked at then, unless a pass has begun by then that has a timer of its own.
    pub(crate) async fn wake_the_queue(&self, when: Timestamp, after: Option<Timestamp>) {
        self.set_one(when, &Wake::Queue { after }).await;
    }

    async fn set_one(&self, when: Timestamp, wake: &Wake) {
        if let Err(error) = self.timer.at(when, wake, (self.clock)()).await {
            tracing::warn!(%error, "a timer could not be set; the next tick looks");
        }
    }

    /// A timer has come for these sessions.
    pub(crate) async fn watch(&self, sessions: &[(SessionId, Timestamp)], deadline: Timestamp, timers: &Timers) {
        for some in sessions.chunks(MOST_WAKES) {
            let ids: Vec<SessionId> = some.iter().map(|(id, _)| id.clone()).collect();
            let rows = match self.workers.read_many(&ids).await {
                Ok(rows) => rows,
                Err(error) => {
                    return tracing::warn!(%error, "the rows of timers could not be read; the next tick looks");
                }
            };
            let now = (self.clock)();
            let until: BTreeMap<&SessionId, Timestamp> = some.iter().map(|(id, until)| (id, *until)).collect();
            let until = |id: &SessionId| until.get(id).copied().unwrap_or(now);
            let (heard, others): (Vec<_>, Vec<_>) = rows
                .into_iter()
                .filter(|row| !row.phase.is_final())
                .partition(|row| liveness::is_heard(row, &self.policy, now));
            for row in heard {
                let at = liveness::deadline(&row, &self.policy);
                timers.note(&row.session_id, Rest::Until(at), now, until(&row.session_id));
            }
            let look = async |id: SessionId| {
                if (self.clock)() >= deadline {
                    return;
                }
                match self.look_knowing(&id, Hints::default(), Knowing::Nothing).await {
                    Ok(rest) => timers.note(&id, rest, (self.clock)(), until(&id)),
                    Err(error) => {
                        self.memory.count(|metrics| metrics.look_errors += 1);
                        log_failure(&id, &error);
                    }
                }
            };
            let others = others.into_iter().map(|row| row.session_id);
            futures_util::stream::iter(others).for_each_concurrent(AT_ONCE, look).await;
        }
    }
}
