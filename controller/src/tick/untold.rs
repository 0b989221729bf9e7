//! Ends that nobody was told: the bus was missing, or failed, at the moment of a session's last event.
//!
//! **Guarantees.** A mark is tried again with every tick, a page of them at a time and the oldest first, until the end was
//! told, the row is gone, or [`GIVE_UP_MS`] have passed, which is said at ERROR.

use super::Tick;
use crate::handler::Controller;
use crate::look::{Hints, Knowing};
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Timer, Workers};
use controller_core::happening;
use schemas::ids::{SessionId, Timestamp};

/// An end that could not be told for so long is news for nobody, ms: as long as EventBridge itself tries a target.
pub const GIVE_UP_MS: i64 = 24 * 3_600_000;
/// The next try follows after so long, ms: the next tick.
const AGAIN_MS: i64 = 50_000;

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Tries them again, one after another: a bus that fails still, fails for all.
    pub(super) async fn tell_the_untold(&self, tick: &Tick<'_>) {
        let marks = match self.workers.untold((self.clock)()).await {
            Ok(marks) => marks,
            Err(error) => {
                tracing::warn!(%error, "the ends that nobody was told could not be listed; the next tick tries again");
                return;
            }
        };
        for (id, since) in marks {
            let now = (self.clock)();
            if now >= tick.deadline {
                return;
            }
            self.look_once(tick, &id, Hints::default(), Knowing::Nothing).await;
            if let Err(error) = self.settle_mark(&id, since, now).await {
                tracing::warn!(session = %id, %error, "the mark of an untold end could not be moved");
            }
        }
    }

    async fn settle_mark(&self, id: &SessionId, since: Timestamp, now: Timestamp) -> Result<(), PortError> {
        let row = match self.workers.read(id).await {
            Err(error) if error.is_poison() => None, // nobody will ever read what it would tell
            read => read?,
        };
        let untold = row.as_ref().is_some_and(|row| row.phase.is_final() && happening::news(row, now).is_some());
        let give_up = untold && now.since(since) >= GIVE_UP_MS;
        if give_up {
            tracing::error!(session = %id, hours = now.since(since) / 3_600_000, "the end of a session could not be told; given up");
        }
        let again = (untold && !give_up).then(|| now.plus_ms(AGAIN_MS));
        self.workers.try_again_at(id, again).await
    }
}
