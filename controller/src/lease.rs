//! One sweep at a time, whoever begins it: the schedule, Lambda's retry of one that failed, or an operator by hand.
//!
//! **Guarantee.** A sweep holds the lease until Lambda ends its invocation and for as long after that as clocks may differ; it gives it back when it ends
//! sooner. So no two sweeps overlap, and one whose process died keeps nobody out for longer: the function's limit is shorter than the schedule's
//! minute by more than that (infra/lib/constructs/controller.ts), so the next tick finds the lease free.
//!
//! **Errors.** Without the table there is no lease, and no sweep: the next tick tries again.

use crate::handler::{Controller, DEADLINE_MARGIN_MS, Response};
use crate::ports::{Bus, Channels, Lease, Orchestrator, PortError, Sessions, Timer, Workers};
use crate::timer::Timers;
use schemas::ids::Timestamp;

/// Clocks of two controllers differ by so much at most, ms.
const CLOCKS_APART_MS: i64 = 2_000;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Sweeps until `deadline`, unless another sweep is under way: says whose.
    pub(crate) async fn sweep_alone(&self, deadline: Timestamp, timers: &Timers) -> Result<Response, PortError> {
        let until = deadline.plus_ms(DEADLINE_MARGIN_MS + CLOCKS_APART_MS);
        if let Lease::HeldBy { held_by, until } = self.workers.take_sweep(until, (self.clock)()).await? {
            tracing::info!(held_by, until = until.0, "another sweep is under way: this one ends");
            return Ok(Response::Held { held_by, until });
        }
        let swept = self.tick(deadline, timers).await;
        if let Err(error) = self.workers.give_sweep_back().await {
            tracing::warn!(%error, until = until.0, "the lease of the sweep could not be given back; it ends by itself");
        }
        swept.map(Response::Swept)
    }
}
