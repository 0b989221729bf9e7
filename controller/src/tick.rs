//! The schedule: every session that is due, every task that runs, and the Sessions table as the last net.
//!
//! **Flow.** (1) The rows that are due, read from the index up to now and not beyond, the most urgent first, several at once;
//! then the queue in the order of its wishes. (2) On a complete sweep, all open rows against all running tasks, and the
//! Sessions table against the open rows. (3) Ends that nobody was told. (4) While sessions wait for their turn
//! and time is left, the queue again every few seconds, so that a surge is admitted at RunTask's rate and not at the
//! schedule's.
//!
//! **Guarantees.** One tick on its own brings every due session to what its row wants, and a complete one finds what no
//! trigger told. A sweep that runs out of time stops between two sessions, says what is left and keeps a cursor; the next one
//! goes on behind it, in whichever process, until it is through. What is due gets half of the time of a complete sweep at
//! most, before the rest of it has had its own. So nothing starves, neither behind sessions that fail each time nor behind
//! more work than fits into a tick. One handover of a rollout at a time, and as many of drains as their orders say.
//!
//! **Cost.** A look reads two rows (about 1.5 read units) and asks ECS once; a healthy session is due every 30 s to 60 s. The
//! due part reads only what is due. A complete sweep over n sessions reads about 0.4 n read units of our index and 0.13 n of
//! theirs: at 10,000 sessions 5,000 units, about $0.0006 a time. It is made every tick while it is small, and every
//! fifth minute beyond [`SMALL`] rows. The cursor and the untold ends cost one and a half read units a tick.
//!
//! **Errors.** One session's failure is counted and does not keep the others from being looked at.

mod complete;
mod untold;

pub use untold::GIVE_UP_MS;

use crate::handler::Controller;
use crate::look::{Knowing, log_failure};
use crate::ports::{Bus, Channels, Cursor, OpenRow, Orchestrator, PortError, Sessions, Workers};
use controller_core::capacity::Lanes;
use controller_core::model::Switch;
use controller_core::{handover, rollout};
use futures_util::StreamExt as _;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::reason::Cause;
use schemas::worker::Phase;
use serde::Serialize;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

pub(crate) struct Sweep {
    pub(crate) deadline: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) done: HashSet<SessionId>,
    /// Sessions whose look failed.
    failed: HashSet<SessionId>,
    swept: Swept,
    /// Sessions that hand over; nothing of it while one may be about to, or when nobody has counted.
    lanes: Option<Lanes>,
}

impl Sweep {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many sessions were found and will not be looked at.
    fn leave(&self, left: usize) {
        let swept = &mut self.lock().swept;
        swept.left += left;
        swept.cut_short |= left > 0;
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
        let before = self.workers.cursor().await?;
        let small = self.memory.full_sweep_rows() <= SMALL;
        let complete = small || (began.0 / 60_000) % COMPLETE_EVERY_MINUTES == 0 || before.is_within_a_complete_sweep();
        let all = if complete { Some(self.open_rows(None).await?) } else { None };
        if complete && self.policy.rollout == Switch::On {
            // A rollout begins on no guess: without this nobody would know which version is good.
            let known = self.workers.capacity().await?;
            self.memory.versions_are(&known.versions, (self.clock)());
        }
        if let Some(all) = &all {
            let count = |counts: fn(Phase, Cause) -> bool| {
                let known = all.iter().filter_map(|row| row.phase.zip(row.cause));
                u32::try_from(known.filter(|(phase, cause)| counts(*phase, *cause)).count()).ok()
            };
            let rollout = if self.policy.rollout == Switch::On { count(rollout::counts) } else { None };
            sweep.lock().lanes = Some(Lanes { rollout, drains: count(handover::takes_a_place) });
        }
        let share = if complete { began.plus_ms(deadline.since(began).max(0) / 2) } else { deadline };
        let due = in_order(self.open_rows(Some(began)).await?, &before);
        let mut begun = self.look_at_rows(&sweep, &due, share).await;
        let mut after = Cursor::default();
        if let Some(all) = all {
            self.memory.full_sweep_read(all.len());
            self.memory.count(|metrics| metrics.open_sessions = u64::try_from(all.len()).ok());
            self.complete(&sweep, all, &before, &mut after).await?;
        }
        begun += self.look_at_rows(&sweep, &due[begun..], deadline).await;
        sweep.leave(due.len() - begun);
        after.due = (begun < due.len()).then(|| cursor_of(&due[..begun]).or(before.due.clone())).flatten();
        self.tell_the_untold(&sweep).await;
        if after != before {
            self.workers.keep_cursor(&after).await?;
        }
        self.admit_the_queue(&sweep).await?;
        let swept = sweep.lock().swept;
        let took = u64::try_from((self.clock)().since(began)).unwrap_or(0);
        self.memory.count(|metrics| metrics.sweep_ms = Some(took));
        if swept.cut_short {
            let Swept { looked, left, .. } = swept;
            tracing::warn!(looked, left, "the sweep ran out of time; the next tick goes on where it stopped");
        }
        tracing::debug!(looked = swept.looked, failed = swept.failed, complete, "swept");
        Ok(swept)
    }

    pub(crate) async fn open_rows(&self, until: Option<Timestamp>) -> Result<Vec<OpenRow>, PortError> {
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

    pub(crate) async fn look_at_rows(&self, sweep: &Sweep, rows: &[OpenRow], until: Timestamp) -> usize {
        self.look_at_all_of(sweep, rows.iter().map(|row| (&row.session_id, &[][..])), until).await
    }

    /// Looks at these in this order, several at once, until then; how many of them had their turn, counted from the first.
    async fn look_at_all_of<'a>(
        &self,
        sweep: &Sweep,
        sessions: impl Iterator<Item = (&'a SessionId, &'a [TaskArn])>,
        until: Timestamp,
    ) -> usize {
        let begun = Mutex::new((0_usize, false));
        let looks = futures_util::stream::iter(sessions);
        let look = async |(id, hints): (&SessionId, &[TaskArn])| {
            {
                let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                if begun.1 || (self.clock)() >= until.min(sweep.deadline) {
                    begun.1 = true; // nobody after the first that had to wait
                    return;
                }
                begun.0 += 1;
            }
            self.look_once(sweep, id, hints).await;
        };
        looks.for_each_concurrent(AT_ONCE, look).await;
        begun.into_inner().unwrap_or_else(PoisonError::into_inner).0
    }

    async fn look_once(&self, sweep: &Sweep, id: &SessionId, hints: &[TaskArn]) {
        let leave = {
            let mut state = sweep.lock();
            if hints.is_empty() && state.done.contains(id) {
                return;
            }
            state.done.insert(id.clone());
            state.swept.looked += 1;
            state.lanes.take() // one look at a time may begin a handover
        };
        let before = self.memory.handovers();
        let result = self.look_knowing(id, hints, Knowing::TheQueue { lanes: leave.unwrap_or_default() }).await;
        let began = self.memory.handovers() != before;
        let lanes = match leave {
            // Whatever has become of it since: the next sweep counts again.
            Some(lanes) if began => Some(lanes.and_one()),
            Some(lanes) if result.is_err() => self.counted_again(id, lanes).await,
            Some(_) | None => leave,
        };
        let mut state = sweep.lock();
        if leave.is_some() {
            state.lanes = lanes;
        }
        if let Err(error) = result {
            state.swept.failed += 1;
            state.failed.insert(id.clone());
            self.memory.count(|metrics| metrics.look_errors += 1);
            log_failure(id, &error);
        }
    }

    /// How many hand over after a look that failed, and may have begun one; unknown when the row cannot be read.
    async fn counted_again(&self, id: &SessionId, before: Lanes) -> Option<Lanes> {
        match self.workers.read(id).await {
            Ok(row) if row.as_ref().is_some_and(handover::is_under_way) => Some(before.and_one()),
            Ok(_) => Some(before),
            Err(_) => None,
        }
    }
}

/// The rows whose worker may be in need by urgency, beginning behind the last that the sweep before had looked at when it was
/// cut short (what it had looked at is due again only when the look failed); then the queue in the order of its wishes.
pub(crate) fn in_order(mut rows: Vec<OpenRow>, before: &Cursor) -> Vec<OpenRow> {
    rows.sort_by_cached_key(|row| match (row.phase, &before.due) {
        (Some(Phase::Queued), _) => (2, row.wanted_since.unwrap_or(row.next_look_at), row.session_id.clone()),
        (Some(_) | None, Some(last)) if (row.next_look_at, &row.session_id) <= (last.0, &last.1) => {
            (1, row.next_look_at, row.session_id.clone())
        }
        (Some(_) | None, _) => (0, row.next_look_at, row.session_id.clone()),
    });
    rows
}

/// Where the next sweep goes on, when these were looked at: behind the last of those in need.
fn cursor_of(looked: &[OpenRow]) -> Option<(Timestamp, SessionId)> {
    let last = looked.iter().rfind(|row| row.phase != Some(Phase::Queued))?;
    Some((last.next_look_at, last.session_id.clone()))
}
