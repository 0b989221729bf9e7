//! Whose turn it is: the queue is read as a whole, and its first are admitted in one decision.
//!
//! **Guarantees.** Of passes that know of the same one before them, one begins, in a conditional write: no two take leave for the same sessions. A timer that
//! comes when another pass has begun since it was set leaves the queue to that one, whatever clocks say. While somebody waits every pass sets the timer of the next, also one that fails; a tick that finds the queue unattended begins anew.

use crate::handler::Controller;
use crate::look::{Hints, Knowing, log_failure};
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Timer, Workers};
use crate::timer::{FOLLOW_MS, Timers};
use controller_core::admission::{self, Waiting};
use controller_core::capacity::{Bucket, Capacity};
use controller_core::launch;
use futures_util::StreamExt as _;
use schemas::ids::{SessionId, Timestamp};
use std::collections::BTreeSet;

/// Launches of one pass under way at once: RunTask takes a third of a second, and twenty are to be started in one.
const ADMITTED_AT_ONCE: usize = 16;
/// A queue that nobody has looked at for so many of its waits is unattended.
const UNATTENDED: i64 = 4;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Timers have come for the queue, each to follow one of these passes. When another has begun since, its own timer goes on.
    pub(crate) async fn admit_the_queue(
        &self,
        after: &BTreeSet<Option<Timestamp>>,
        deadline: Timestamp,
        timers: &Timers,
    ) -> Result<(), PortError> {
        let known = match self.workers.capacity().await {
            Ok(known) if after.contains(&known.pass_at) => known,
            Ok(_) => return Ok(()),
            Err(error) => {
                self.wake_the_queue_again(after.iter().next_back().copied().flatten()).await;
                return Err(error);
            }
        };
        let last = known.pass_at;
        let admitted = self.admit(known, deadline, timers).await;
        if admitted.is_err() {
            self.wake_the_queue_again(last).await;
        }
        admitted
    }

    async fn wake_the_queue_again(&self, after: Option<Timestamp>) {
        self.wake_the_queue((self.clock)().plus_ms(self.policy.admission_wait_ms), after).await;
    }

    /// The queue as a tick finds it: left to its timers, if they do their work.
    pub(crate) async fn attend_the_queue(
        &self,
        known: Capacity,
        deadline: Timestamp,
        timers: &Timers,
    ) -> Result<(), PortError> {
        let since = |at: Timestamp| (self.clock)().since(at);
        let attended = known.pass_at.is_some_and(|at| since(at) < self.policy.admission_wait_ms * UNATTENDED);
        if attended { Ok(()) } else { self.admit(known, deadline, timers).await }
    }

    async fn admit(&self, known: Capacity, deadline: Timestamp, timers: &Timers) -> Result<(), PortError> {
        let queue = self.queue(&known).await?;
        let now = (self.clock)();
        // All of them wait until they are launched, whatever becomes of this pass. One pass more follows the last: somebody may have queued meanwhile
        // because others did.
        let waiting = queue.len();
        self.memory.count(|metrics| metrics.queue_depth = Some(waiting as u64));
        if waiting == 0 && known.waiting(now) == 0 {
            return Ok(());
        }
        let (first, _) = admission::admitted(queue, known.launches_left(&self.policy, now));
        let count = u32::try_from(waiting).unwrap_or(u32::MAX);
        if !self.workers.begin_pass(&known, count, now).await? {
            return Ok(()); // another has begun meanwhile, with the same sessions
        }
        // Before the launches, some of which may take long: the next pass finds in their rows that they were begun.
        let room = known.no_room_at.map(|at| at.plus_ms(self.policy.capacity_wait_ms));
        // These are still being begun until then, twice as fast as the rate: the next pass would only meet them.
        let launches_ms = Bucket::step_ms(&self.policy) * i64::try_from(first.len()).unwrap_or(0) / 2;
        let wait_ms = launches_ms.max(self.policy.admission_wait_ms);
        self.wake_the_queue(room.unwrap_or(now).max(now.plus_ms(wait_ms)), Some(now)).await;
        let admit = async |Waiting { since, session }: Waiting| {
            if (self.clock)() >= deadline {
                return;
            }
            match self.look_knowing(&session, Hints::default(), Knowing::ItsTurn(since)).await {
                Ok(rest) => timers.note(&session, rest, (self.clock)(), now.plus_ms(FOLLOW_MS)),
                Err(error) => {
                    self.memory.count(|metrics| metrics.look_errors += 1);
                    log_failure(&session, &error);
                }
            }
        };
        futures_util::stream::iter(first).for_each_concurrent(ADMITTED_AT_ONCE, admit).await;
        Ok(())
    }

    /// Who waits for nothing but a turn. While Transcribe gives no stream, only those wait for one that have had theirs.
    async fn queue(&self, known: &Capacity) -> Result<Vec<Waiting>, PortError> {
        let ids: Vec<SessionId> = self.workers.queued().await?.into_iter().map(|row| row.session_id).collect();
        let rows = if ids.is_empty() { Vec::new() } else { self.workers.read_many(&ids).await? };
        let now = (self.clock)();
        let full = known.streams_are_full(now);
        let may = rows.iter().filter(|row| !full || !launch::adds_a_session(row));
        Ok(may.filter_map(|row| admission::waits(row, now)).collect())
    }
}
