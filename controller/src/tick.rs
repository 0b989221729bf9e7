//! The schedule: bulk facts → the sessions that need a look.
//!
//! **Flow.** (1) The facts, by hundreds and not by session (`facts`): the keys of the open rows, the names of the tasks that run, the whole
//! Sessions table; the open rows themselves, not consistently; of ECS's tasks only those that no row explains, or whose row has to know more of them.
//! (2) The decision on them, session by session. Whose plan is empty needs no more. (3) Whoever needs something is read afresh, consistently, and looked
//! at, several at once. (4) The queue, if nobody attends to it; handovers, one after another; ends that nobody was told.
//!
//! **Guarantees.** One tick on its own brings every session to what its row wants, and finds what no trigger told. A tick that runs out of time stops
//! between two sessions, says what is left and keeps a cursor; the next one goes on behind it, in whichever process. So nothing starves behind sessions
//! that fail each time, or behind more work than fits into a tick. One handover of a rollout at a time, and as many of drains as their orders say.
//!
//! **Cost.** Over n healthy sessions, 10,000 for example: a Query for each MB of keys and one per shard, a BatchGetItem per hundred rows (100; half a
//! read unit per 4 kB), a ListTasks per hundred tasks (100), a Scan page per MB of theirs (10). No write, and no call per session.
//!
//! **Errors.** One session's failure is counted and does not keep the others from being looked at. Not knowing what runs is no verdict on any task.

mod facts;
mod found;
mod untold;

pub use untold::GIVE_UP_MS;

use crate::handler::Controller;
use crate::look::{Hints, Knowing, Rest, log_failure};
use crate::ports::{Bus, Channels, Cursor, Orchestrator, PortError, Sessions, Timer, Workers};
use crate::timer::{AT_ONCE, FOLLOW_MS, Timers};
use controller_core::capacity::Lanes;
use controller_core::handover;
use found::{Candidate, Found};
use futures_util::StreamExt as _;
use schemas::ids::{SessionId, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// Sessions looked at.
    pub looked: usize,
    /// Of these, how many failed.
    pub failed: usize,
    /// Sessions that were found and not looked at, because the time was up.
    pub left: usize,
    /// True when the time was up before the end.
    pub cut_short: bool,
}

/// A tick under way.
pub(crate) struct Tick<'a> {
    deadline: Timestamp,
    /// When timers end that follow from this tick.
    until: Timestamp,
    timers: &'a Timers,
    swept: Mutex<Swept>,
}

impl Tick<'_> {
    fn count(&self, change: impl FnOnce(&mut Swept)) {
        change(&mut self.swept.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Looks at everything that needs a look, until `deadline`.
    ///
    /// # Errors
    /// [`PortError`] when a table could not be listed.
    pub(crate) async fn tick(&self, deadline: Timestamp, timers: &Timers) -> Result<Swept, PortError> {
        let began = (self.clock)();
        let tick = Tick { deadline, until: began.plus_ms(FOLLOW_MS), timers, swept: Mutex::default() };
        let before = self.workers.cursor().await?;
        let known = self.workers.capacity().await?;
        self.memory.versions_are(&known.versions, (self.clock)());
        let Some(mut found) = self.find(&tick, &known).await? else {
            tick.count(|swept| swept.cut_short = true);
            return Ok(self.ended(tick, began));
        };
        self.memory.count(|metrics| metrics.open_sessions = u64::try_from(found.open).ok());
        if found.without_stream {
            self.note_full_streams((self.clock)()).await;
        }
        if let Err(error) = self.attend_the_queue(known, deadline, timers).await {
            tracing::warn!(%error, "the queue could not be looked at; the next tick looks");
        }
        self.tell_the_untold(&tick).await;
        let candidates = std::mem::take(&mut found.candidates);
        let lanes = found.lanes();
        let looked = self.look_at_found(&tick, found, &before).await;
        let after = Cursor { looked };
        self.hand_over_in_turn(&tick, candidates, lanes).await;
        if after != before {
            self.workers.keep_cursor(&after).await?;
        }
        Ok(self.ended(tick, began))
    }

    fn ended(&self, tick: Tick<'_>, began: Timestamp) -> Swept {
        let swept = tick.swept.into_inner().unwrap_or_else(PoisonError::into_inner);
        let took = u64::try_from((self.clock)().since(began)).unwrap_or(0);
        self.memory.count(|metrics| metrics.sweep_ms = Some(took));
        if swept.cut_short {
            let Swept { looked, left, .. } = swept;
            tracing::warn!(looked, left, "the tick ran out of time; the next one goes on where it stopped");
        }
        tracing::debug!(looked = swept.looked, failed = swept.failed, "ticked");
        swept
    }

    /// Looks at what was found, beginning behind the last that the tick before had looked at when its time was up. Gives the last that had its turn
    /// when it is up again.
    async fn look_at_found(&self, tick: &Tick<'_>, found: Found, before: &Cursor) -> Option<SessionId> {
        let mut looks: Vec<(SessionId, Hints)> = found.looks.into_iter().collect();
        if let Some(last) = &before.looked {
            let behind = looks.partition_point(|(id, _)| id <= last);
            looks.rotate_left(behind);
        }
        let ids: Vec<SessionId> = looks.iter().map(|(id, _)| id.clone()).collect();
        let begun = Mutex::new((0_usize, false));
        let look = async |(id, hints): (SessionId, Hints)| {
            {
                let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                if begun.1 || (self.clock)() >= tick.deadline {
                    begun.1 = true; // nobody after the first that had to wait
                    return;
                }
                begun.0 += 1;
            }
            let looked = self.look_once(tick, &id, hints, Knowing::Nothing).await;
            if let Some(record) = found.missed.get(&id).filter(|_| looked) {
                self.memory.looked_at(&id, record, (self.clock)());
            }
        };
        futures_util::stream::iter(looks).for_each_concurrent(AT_ONCE, look).await;
        let begun = begun.into_inner().unwrap_or_else(PoisonError::into_inner).0;
        let left = ids.len() - begun;
        tick.count(|swept| {
            swept.left += left;
            swept.cut_short |= left > 0;
        });
        let last = begun.checked_sub(1).and_then(|at| ids.get(at)).cloned();
        if left > 0 { last.or_else(|| before.looked.clone()) } else { None }
    }

    /// One after another, as long as there is a place in their lanes.
    async fn hand_over_in_turn(&self, tick: &Tick<'_>, candidates: BTreeMap<SessionId, Candidate>, mut lanes: Lanes) {
        for (id, candidate) in candidates {
            if !candidate.has_a_place(lanes) || (self.clock)() >= tick.deadline {
                continue;
            }
            let before = self.memory.handovers();
            let looked = self.look_once(tick, &id, Hints::default(), Knowing::TheLanes(lanes)).await;
            if self.memory.handovers() != before {
                lanes = lanes.and_one(); // whatever has become of it since: the next tick counts again
            } else if !looked {
                match self.workers.read(&id).await {
                    Ok(row) if row.as_ref().is_some_and(handover::is_under_way) => lanes = lanes.and_one(),
                    Ok(_) => {}
                    Err(_) => return, // nobody knows how many there are
                }
            }
        }
    }

    /// Whether it went well.
    async fn look_once(&self, tick: &Tick<'_>, id: &SessionId, hints: Hints, knowing: Knowing) -> bool {
        tick.count(|swept| swept.looked += 1);
        match self.look_knowing(id, hints, knowing).await {
            Ok(rest) => {
                self.rests(tick, id, rest);
                true
            }
            Err(error) => {
                tick.count(|swept| swept.failed += 1);
                self.memory.count(|metrics| metrics.look_errors += 1);
                log_failure(id, &error);
                false
            }
        }
    }

    fn rests(&self, tick: &Tick<'_>, id: &SessionId, rest: Rest) {
        tick.timers.note(id, rest, (self.clock)(), tick.until);
    }
}
