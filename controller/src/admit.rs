//! Whose turn it is: the queue in the order of its wishes, again and again while somebody waits.

use crate::handler::Controller;
use crate::ports::{Bus, Channels, Cursor, Orchestrator, PortError, Sessions, Workers};
use crate::tick::{Sweep, in_order};
use schemas::ids::Timestamp;
use schemas::worker::Phase;
use std::time::Duration;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels> Controller<S, W, O, B, C> {
    /// The queue again and again while sessions wait for their turn.
    pub(crate) async fn admit_the_queue(&self, sweep: &Sweep) -> Result<(), PortError> {
        let wait_ms = self.policy.admission_wait_ms;
        loop {
            let now = (self.clock)();
            let mut queue = self.open_rows(Some(now.plus_ms(wait_ms))).await?;
            queue.retain(|row| row.phase == Some(Phase::Queued));
            self.tell_the_queue(queue.len(), now).await?;
            if queue.is_empty() || now.plus_ms(wait_ms) >= sweep.deadline {
                return Ok(());
            }
            (self.pause)(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))).await;
            if (self.clock)() <= now {
                return Ok(()); // nobody can wait here: the next tick goes on
            }
            sweep.lock().done.retain(|id| queue.iter().all(|row| row.session_id != *id));
            let queue = in_order(queue, &Cursor::default());
            self.look_at_rows(sweep, &queue, sweep.deadline).await;
        }
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
