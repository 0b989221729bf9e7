//! What must hold of a session: at every moment, and when it is left alone.

use super::broken::Broken;
use super::workers::{LEASE_MS, STAY_MS};
use super::world::{Process, Task, World};
use crate::invariants::{self, Invariant, Seen, Violation};
use schemas::follow::Following;
use schemas::worker::Phase;

impl World {
    /// The invariants of one session's state.
    pub fn check(&mut self, n: usize) {
        self.beat_until_now(n);
        let now = self.now;
        let session = &self.sessions[n];
        let current = session.row.as_ref().filter(|row| !row.phase.is_final()).map(|row| row.generation);
        let workers = session.tasks.iter().filter(|task| task.lives() && task.booted_at.is_some()).map(|task| Seen {
            generation: task.lease,
            can_write: current == Some(task.lease) || self.broken_rule == Broken::WorkerWithoutFence,
            may_speak: task.awake()
                && (task.confirmed.is_some_and(|at| now.since(at) < LEASE_MS)
                    || self.broken_rule == Broken::WorkerWithoutLease),
            stays: task.stays(now),
            overstays: task.stays(now) && task.confirmed.is_none_or(|at| now.since(at) > STAY_MS),
        });
        let spoken = session.tasks.iter().filter(|task| task.confirmed.is_some()).map(|task| task.lease);
        let anybody = self.broken_rule == Broken::ListenersFollowAnybody;
        let holds = invariants::at_most_one_writer(workers.clone()).and_then(|()| {
            let takes = |following: &mut Following, generation| following.takes(Some(generation)) || anybody;
            invariants::listeners_follow_the_newest(workers, spoken, takes)
        });
        self.hold(n, holds);
    }

    /// What a session comes to when it is left alone.
    ///
    /// # Errors
    /// [`Violation`] when it does not.
    pub fn goal(&self, n: usize) -> Result<(), Violation> {
        let session = &self.sessions[n];
        let live: Vec<&Task> = session.tasks.iter().filter(|task| task.lives()).collect();
        let row = session.row.as_ref();
        let at_rest = live.is_empty() && row.is_none_or(|row| row.phase.is_final());
        let seen = || format!("{:?}, tasks {live:?}", row.map(|row| (row.phase, row.generation, &row.why)));
        if !session.wanted || session.expires_at <= self.now {
            let holds = Violation::of(Invariant::EndedSessionEventuallyEmpty, seen());
            return if at_rest { Ok(()) } else { Err(holds) };
        }
        let served = row.is_some_and(|row| {
            let serves = |task: &&&Task| task.lease == row.generation && task.process == Process::Serving;
            matches!(row.phase, Phase::Live | Phase::Paused) && live.len() == 1 && live.iter().any(|task| serves(&task))
        });
        let ended = row.is_some_and(|row| {
            let by_itself = !invariants::the_session_row_ended_it(row.why.cause) || session.ended_by == session.version;
            at_rest && by_itself && !invariants::is_a_fault_of_others(row)
        });
        // A rollout goes on while all else rests: it waits for each version to bake, and may be about to move this session.
        let moves = session.between_workers && row.is_some_and(|row| !row.phase.is_final());
        if served || ended || moves { Ok(()) } else { Err(invariants::not_served(row, seen())) }
    }
}
