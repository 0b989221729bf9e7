//! Whose turn it is: the queue is read as a whole, and its first are admitted in one decision.
//!
//! **Guarantees.** One pass at a time, as far as clocks agree: a pass that comes soon after another leaves the queue to that one. While somebody waits
//! every pass sets the timer of the next, also one that fails; a tick that finds the queue unattended begins anew.

use crate::handler::Controller;
use crate::look::{Hints, Knowing, log_failure};
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Timer, Workers};
use crate::timer::{FOLLOW_MS, Timers};
use controller_core::admission::{self, Waiting};
use controller_core::capacity::{Bucket, Capacity};
use controller_core::launch;
use futures_util::StreamExt as _;
use schemas::ids::{SessionId, Timestamp};

/// Launches under way at once: RunTask may take a second, and twenty are to be started in one.
const ADMITTED_AT_ONCE: usize = 32;
/// A queue that nobody has looked at for so many of its waits is unattended.
const UNATTENDED: i64 = 4;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// A timer has come for the queue.
    pub(crate) async fn admit_the_queue(&self, deadline: Timestamp, timers: &Timers) -> Result<(), PortError> {
        let soon = (self.clock)().plus_ms(self.policy.admission_wait_ms);
        let known = self.workers.capacity().await;
        let admitted = match known {
            Ok(known) if self.looked_within(&known, self.policy.admission_wait_ms / 2) => {
                if known.waiting(soon) > 0 {
                    self.wake_the_queue(soon).await;
                }
                return Ok(()); // another pass is at it
            }
            Ok(known) => self.admit(known, deadline, timers).await,
            Err(error) => Err(error),
        };
        if admitted.is_err() {
            self.wake_the_queue(soon).await;
        }
        admitted
    }

    /// The queue as a tick finds it: left to its timers, if they do their work.
    pub(crate) async fn attend_the_queue(
        &self,
        known: Capacity,
        deadline: Timestamp,
        timers: &Timers,
    ) -> Result<(), PortError> {
        let attended =
            known.waiting((self.clock)()) > 0 && self.looked_within(&known, self.policy.admission_wait_ms * UNATTENDED);
        if attended { Ok(()) } else { self.admit(known, deadline, timers).await }
    }

    fn looked_within(&self, known: &Capacity, ms: i64) -> bool {
        known.waiting.is_some_and(|(_, at)| (self.clock)().since(at) < ms)
    }

    async fn admit(&self, known: Capacity, deadline: Timestamp, timers: &Timers) -> Result<(), PortError> {
        let queue = self.queue(&known).await?;
        let now = (self.clock)();
        // All of them wait until they are launched, whatever becomes of this pass. One pass more follows the last: somebody may have queued meanwhile
        // because others did.
        let waiting = queue.len();
        let others_waited = known.waiting(now) > 0;
        let (first, _) = admission::admitted(queue, known.launches_left(&self.policy, now));
        self.tell_the_queue(waiting, now).await?;
        // Before the launches, some of which may take long: the next pass finds in their rows that they were begun.
        if waiting > 0 || others_waited {
            let room = known.no_room_at.map(|at| at.plus_ms(self.policy.capacity_wait_ms));
            // These are still being begun until then, twice as fast as the rate: the next pass would only meet them.
            let launches_ms = Bucket::step_ms(&self.policy) * i64::try_from(first.len()).unwrap_or(0) / 2;
            let wait_ms = launches_ms.max(self.policy.admission_wait_ms);
            self.wake_the_queue(room.unwrap_or(now).max(now.plus_ms(wait_ms))).await;
        }
        let admit = async |session: SessionId| {
            if (self.clock)() >= deadline {
                return;
            }
            match self.look_knowing(&session, Hints::default(), Knowing::ItsTurn).await {
                Ok(rest) => timers.note(&session, rest, (self.clock)(), now.plus_ms(FOLLOW_MS)),
                Err(error) => {
                    self.memory.count(|metrics| metrics.look_errors += 1);
                    log_failure(&session, &error);
                }
            }
        };
        let first = first.into_iter().map(|waiting| waiting.session);
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

    /// Tells all controllers how many wait: who comes anew goes behind them. An empty queue is told once.
    async fn tell_the_queue(&self, waiting: usize, now: Timestamp) -> Result<(), PortError> {
        let known = self.memory.queue_is(waiting);
        if waiting > 0 || known != Some(0) {
            self.workers.queue_is(u32::try_from(waiting).unwrap_or(u32::MAX), now).await?;
        }
        Ok(())
    }
}
