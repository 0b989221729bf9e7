//! The schedule: every session that is due, every task that runs, and the Sessions table as the last net.
//!
//! **Flow.** (1) The rows that are due, read from the index up to now and not beyond: the queue in the order of its wishes,
//! the rest by urgency, several at once. (2) On a complete sweep, all open rows against all running tasks, and the Sessions
//! table against the open rows. (3) While sessions wait for their turn and time is left, the queue again every few seconds,
//! so that a surge is admitted at RunTask's rate and not at the schedule's.
//!
//! **Guarantees.** One tick on its own brings every due session to what its row wants, and a complete one finds what no
//! trigger told. A sweep that runs out of time stops between two sessions and says what is left; the next tick begins with
//! the most urgent again. One handover of a rollout at a time.
//!
//! **Cost.** A look reads two rows (about 1.5 read units) and asks ECS once; a healthy session is due every 30 s to 60 s. The
//! due part reads only what is due. A complete sweep over n sessions reads about 0.4 n read units of our index and 0.13 n of
//! theirs: at 10,000 sessions 5,000 units, about $0.0006 a time. It is made every tick while it is small, and every
//! fifth minute beyond [`SMALL`] rows.
//!
//! **Errors.** One session's failure is counted and does not keep the others from being looked at.

use crate::handler::Controller;
use crate::look::Knowing;
use crate::ports::{Bus, Channels, OpenRow, Orchestrator, PortError, Sessions, Workers};
use controller_core::model::{Fleet, Switch, Tasks, View};
use controller_core::run_rule::{Wish, wish};
use controller_core::{handover, rollout};
use futures_util::StreamExt as _;
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::SessionRecord;
use schemas::worker::Phase;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A complete sweep of so many open rows is made with every tick.
pub const SMALL: usize = 2_000;
/// Beyond that, in every so-many-th minute.
const COMPLETE_EVERY_MINUTES: i64 = 5;
/// Sessions looked at at the same time.
const AT_ONCE: usize = 8;

/// What a sweep did.
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

struct Sweep {
    deadline: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: HashSet<SessionId>,
    swept: Swept,
    /// Sessions that hand over; `None` while one may be about to, or when nobody has counted.
    handing_over: Option<u32>,
}

impl Sweep {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels> Controller<S, W, O, B, C> {
    /// Looks at everything that needs a look, until `deadline`.
    ///
    /// # Errors
    /// [`PortError`] when a table could not be listed.
    pub async fn sweep(&self, deadline: Timestamp) -> Result<Swept, PortError> {
        let began = (self.clock)();
        let sweep = Sweep { deadline, state: Mutex::default() };
        let complete = self.memory.full_sweep_rows() <= SMALL || (began.0 / 60_000) % COMPLETE_EVERY_MINUTES == 0;
        let all = if complete { Some(self.open_rows(None).await?) } else { None };
        if let Some(all) = all.as_ref().filter(|_| self.policy.rollout == Switch::On) {
            let counts =
                |row: &&OpenRow| row.phase.zip(row.cause).is_some_and(|(phase, cause)| rollout::counts(phase, cause));
            sweep.lock().handing_over = u32::try_from(all.iter().filter(counts).count()).ok();
        }
        let due = self.open_rows(Some(began)).await?;
        self.look_at_rows(&sweep, due).await;
        if let Some(all) = all {
            self.memory.full_sweep_read(all.len());
            self.complete(&sweep, all).await?;
        }
        self.admit_the_queue(&sweep).await?;
        let swept = sweep.lock().swept;
        let took = u64::try_from((self.clock)().since(began)).unwrap_or(0);
        self.memory.count(|metrics| metrics.sweep_ms = Some(took));
        if swept.cut_short {
            let Swept { looked, left, .. } = swept;
            tracing::warn!(looked, left, "the sweep ran out of time; the next tick begins with the most urgent");
        }
        tracing::debug!(looked = swept.looked, failed = swept.failed, complete, "swept");
        Ok(swept)
    }

    async fn open_rows(&self, until: Option<Timestamp>) -> Result<Vec<OpenRow>, PortError> {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = self.workers.open(until, after).await?;
            rows.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(rows);
            }
        }
    }

    /// The queue after those whose worker may be in need, and in the order of its wishes.
    async fn look_at_rows(&self, sweep: &Sweep, mut rows: Vec<OpenRow>) {
        rows.sort_by_key(|row| match row.phase {
            Some(Phase::Queued) => (1, row.wanted_since.unwrap_or(row.next_look_at)),
            Some(_) | None => (0, row.next_look_at),
        });
        let looks = futures_util::stream::iter(rows);
        looks.for_each_concurrent(AT_ONCE, async |row| self.look_once(sweep, &row.session_id, &[]).await).await;
    }

    /// Everything that runs and everything that is wanted, against the rows.
    async fn complete(&self, sweep: &Sweep, open: Vec<OpenRow>) -> Result<(), PortError> {
        for (id, hints) in self.strays(&open).await {
            self.look_once(sweep, &id, &hints).await;
        }
        let open: HashSet<SessionId> = open.into_iter().map(|row| row.session_id).collect();
        self.last_net(sweep, &open).await
    }

    /// The queue again and again while sessions wait for their turn.
    async fn admit_the_queue(&self, sweep: &Sweep) -> Result<(), PortError> {
        let wait_ms = self.policy.admission_wait_ms;
        loop {
            let now = (self.clock)();
            let mut queue = self.open_rows(Some(now.plus_ms(wait_ms))).await?;
            queue.retain(|row| row.phase == Some(Phase::Queued));
            self.memory.queue_is(queue.len(), now);
            if queue.is_empty() || now.plus_ms(wait_ms) >= sweep.deadline {
                return Ok(());
            }
            (self.pause)(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))).await;
            if (self.clock)() <= now {
                return Ok(()); // nobody can wait here: the next tick goes on
            }
            sweep.lock().done.retain(|id| queue.iter().all(|row| row.session_id != *id));
            self.look_at_rows(sweep, queue).await;
        }
    }

    /// Tasks that run without an open row, or of another launch than their row's: a controller may have died between the
    /// row that replaced a worker and its StopTask, and the new launch may wait for the very room that the old one takes.
    async fn strays(&self, open: &[OpenRow]) -> BTreeMap<SessionId, Vec<TaskArn>> {
        let running = match self.orchestrator.running().await {
            Ok(running) => running,
            Err(error) => {
                tracing::warn!(%error, "the running tasks could not be listed, which is no verdict on any");
                return BTreeMap::new();
            }
        };
        let open: HashMap<&SessionId, Generation> = open.iter().map(|row| (&row.session_id, row.generation)).collect();
        let mut by_session: BTreeMap<SessionId, Vec<TaskArn>> = BTreeMap::new();
        for (id, task) in running {
            if open.get(&id) != Some(&task.generation) {
                by_session.entry(id).or_default().push(task.arn);
            }
        }
        by_session
    }

    /// Wanted (or refused) sessions that have no open row: the stream never told us, or its record was lost. With clean-up,
    /// sessions that are over too, whose channel may be due.
    async fn last_net(&self, sweep: &Sweep, open: &HashSet<SessionId>) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let page = self.sessions.scan(after).await?;
            let wanted =
                page.items.into_iter().filter(|(id, record)| !open.contains(id) && self.wants_something(id, record));
            let looks = futures_util::stream::iter(wanted);
            looks.for_each_concurrent(AT_ONCE, async |(id, _)| self.look_once(sweep, &id, &[]).await).await;
            after = page.next;
            if after.is_none() || sweep.lock().swept.cut_short {
                return Ok(());
            }
        }
    }

    fn wants_something(&self, id: &SessionId, record: &SessionRecord) -> bool {
        let view = View {
            session_id: id.clone(),
            session: Some(record.clone()),
            worker: None,
            tasks: Tasks::Unknown("ECS was not asked".into()),
            fleet: Fleet::default(),
            strikes: Vec::new(),
        };
        match wish(&view, &self.policy, (self.clock)()) {
            Wish::Serve(_) | Wish::Refuse { .. } => true,
            Wish::Stop(_) => self.policy.channel_cleanup == Switch::On && matches!(record, SessionRecord::Session(_)),
        }
    }

    async fn look_once(&self, sweep: &Sweep, id: &SessionId, hints: &[TaskArn]) {
        let leave = {
            let mut state = sweep.lock();
            if hints.is_empty() && state.done.contains(id) {
                return;
            }
            if (self.clock)() >= sweep.deadline {
                state.swept.cut_short = true;
                state.swept.left += 1;
                return;
            }
            state.done.insert(id.clone());
            state.swept.looked += 1;
            state.handing_over.take() // one look at a time may begin a handover
        };
        let result = self.look_knowing(id, hints, Knowing::TheQueue { handing_over: leave }).await;
        let now_handing_over = if leave.is_some() { self.counted_again(id, leave).await } else { None };
        let mut state = sweep.lock();
        if leave.is_some() {
            state.handing_over = now_handing_over;
        }
        if let Err(error) = result {
            state.swept.failed += 1;
            self.memory.count(|metrics| metrics.look_errors += 1);
            if error.is_poison() {
                tracing::error!(session = %id, %error, "a row that nobody can read");
            } else {
                tracing::warn!(session = %id, %error, "a session could not be looked at");
            }
        }
    }

    /// How many hand over after a look that had leave to begin one; unknown when the row cannot be read.
    async fn counted_again(&self, id: &SessionId, before: Option<u32>) -> Option<u32> {
        match self.workers.read(id).await {
            Ok(row) if row.as_ref().is_some_and(handover::is_under_way) => before.map(|n| n + 1),
            Ok(_) => before,
            Err(_) => None,
        }
    }
}
