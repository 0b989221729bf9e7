//! A deployment whose version cannot run: what it costs before it is found bad.

use super::broken::Broken;
use super::schedule::{Event, Happening};
use super::world::World;
use crate::exit::Exit;
use crate::invariants::{self, Damage};
use schemas::ids::Timestamp;
use schemas::worker::Phase;
use std::collections::{BTreeMap, BTreeSet};

/// A launch that was decided before the verdict may still be under way for so long, ms.
const UNDER_WAY_MS: i64 = 60_000;

/// A version whose workers end with an error.
#[derive(Debug)]
pub struct BadVersion {
    /// The task definition.
    pub version: String,
    /// Each does so long after its process began, ms.
    pub crashes_after_ms: i64,
    /// When the controllers found it bad.
    pub found_at: Option<Timestamp>,
    /// Workers that it cost, by session.
    failures: BTreeMap<usize, u32>,
    /// Sessions that it cost a worker although they had run on another version before: without the deployment they would have lost nothing.
    moved: BTreeSet<usize>,
}

impl BadVersion {
    /// Nobody has met it yet.
    #[must_use]
    pub fn new(version: String, crashes_after_ms: i64) -> Self {
        Self { version, crashes_after_ms, found_at: None, failures: BTreeMap::new(), moved: BTreeSet::new() }
    }
}

impl World {
    /// The process of a task has begun: one of a bad version ends by itself.
    pub fn may_crash_by_itself(&mut self, n: usize, t: usize) {
        let version = self.sessions[n].tasks[t].version.as_ref();
        let bad = self.bad_version.as_ref().filter(|bad| Some(&bad.version) == version);
        if let Some(ms) = bad.map(|bad| bad.crashes_after_ms) {
            self.after(ms, Event::Task(n, t, Happening::FailsByItself));
        }
    }

    /// It does.
    pub fn fail_by_itself(&mut self, n: usize, t: usize) {
        let session = &self.sessions[n];
        let task = &session.tasks[t];
        // Whoever was asked to leave, or is not the session's any more, costs nobody anything.
        let serves = session
            .row
            .as_ref()
            .is_some_and(|row| row.generation == task.lease && !row.phase.is_final() && row.phase != Phase::Draining);
        if !task.lives() {
            return;
        }
        let moved = session.tasks[..t]
            .iter()
            .any(|earlier| earlier.wanted_since == task.wanted_since && earlier.version != task.version);
        self.tell(n, "its version cannot run, launch", task.generation.0);
        self.exit(n, t, Exit::Crashed);
        if serves && let Some(bad) = &mut self.bad_version {
            *bad.failures.entry(n).or_insert(0) += 1;
            bad.moved.extend(moved.then_some(n));
            self.count_the_damage(n, None);
        }
    }

    /// A task was started: not from a version that was found bad before.
    pub fn starts_from(&mut self, n: usize, decided_at: Option<Timestamp>) {
        let version = self.sessions[n].tasks.last().and_then(|task| task.version.as_ref());
        if self.bad_version.as_ref().is_some_and(|bad| Some(&bad.version) == version) {
            self.count_the_damage(n, decided_at);
        }
    }

    fn count_the_damage(&mut self, n: usize, decided_at: Option<Timestamp>) {
        let Some(bad) = &self.bad_version else { return };
        let damage = Damage {
            sessions: bad.moved.len(),
            of_this_session: bad.failures.get(&n).copied().unwrap_or(0),
            launched_after: decided_at.zip(bad.found_at).is_some_and(|(at, found)| at.since(found) > UNDER_WAY_MS),
        };
        let holds = invariants::bad_version_costs_one_session(damage);
        self.hold(n, holds);
    }

    /// Whether verdicts are noted here.
    #[must_use]
    pub fn judges(&self) -> bool {
        self.broken_rule != Broken::VersionsAreNotJudged
    }
}
