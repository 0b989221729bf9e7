//! What a worker does beside its captions: it heartbeats, learns its orders, and ends.

use super::broken::Broken;
use super::releases::Release;
use super::rows::row_story;
use super::schedule::{Event, Happening};
use super::world::{Process, Task, World};
use crate::exit::Exit;
use crate::obey;
use schemas::ids::Timestamp;
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Phase};

/// A worker heartbeats so often, ms.
pub const BEAT_MS: i64 = 2_000;
/// A worker speaks for so long after its last heartbeat, ms.
pub const LEASE_MS: i64 = 30_000;
/// A worker that cannot reach the table goes on for so long after its last heartbeat, ms.
pub const STAY_MS: i64 = 300_000;

impl Task {
    /// Whether its process may still act.
    #[must_use]
    pub fn awake(&self) -> bool {
        matches!(self.process, Process::Serving | Process::CutOff | Process::Flushing)
    }

    /// Whether its process speaks past its lease, because it cannot reach the table.
    #[must_use]
    pub fn stays(&self, now: Timestamp) -> bool {
        self.process == Process::CutOff && self.confirmed.is_some_and(|at| now.since(at) >= LEASE_MS)
    }

    /// Whether its process can write its row.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self.process, Process::Serving | Process::Flushing)
    }
}

impl World {
    /// The heartbeats since the last look at this session.
    pub fn beat_until_now(&mut self, n: usize) {
        let now = self.now;
        let session = &mut self.sessions[n];
        let Some(row) = session.row.as_mut().filter(|row| obey::holds(row, row.generation)) else { return };
        let holder = session.tasks.iter_mut().find(|task| task.lease == row.generation && task.writes());
        let (Some(task), Some(worker)) = (holder, &mut row.worker) else { return };
        if let (Some(booted), Some(confirmed)) = (task.booted_at, task.confirmed) {
            let at = booted.plus_ms(now.since(booted) / BEAT_MS * BEAT_MS).max(confirmed);
            task.confirmed = Some(at);
            worker.heartbeat_at = worker.heartbeat_at.max(at.plus_ms(task.skew_ms));
        }
    }

    /// Every worker learns of the row with its next heartbeat.
    pub fn wake_workers(&mut self, n: usize) {
        for t in 0..self.sessions[n].tasks.len() {
            let task = &self.sessions[n].tasks[t];
            if let (true, Some(booted)) = (task.writes(), task.booted_at) {
                let ms = BEAT_MS - self.now.since(booted).rem_euclid(BEAT_MS);
                self.after(ms, Event::Task(n, t, Happening::Beats));
            }
        }
    }

    /// A heartbeat of the nth task by which the row and the worker learn of each other.
    pub fn beat(&mut self, n: usize, t: usize) {
        let now = self.now;
        let session = &mut self.sessions[n];
        let generation = session.tasks[t].lease;
        if !session.tasks[t].writes() {
            return;
        }
        let unfenced = self.broken_rule == Broken::WorkerWithoutFence;
        let holder = session.row.as_mut();
        let holder = holder.filter(|row| unfenced || obey::holds(row, generation));
        let Some(row) = holder else { return self.exit(n, t, Exit::LeaseLost) };
        let begun = row.worker.as_ref().and_then(|worker| worker.start_up.process_at).or(Some(session.tasks[t].began));
        let mut status = row.worker.take().unwrap_or_else(|| crate::model::worker::TEMPLATE.clone());
        status.heartbeat_at = now.plus_ms(session.tasks[t].skew_ms);
        status.start_up.process_at = begun;
        status.start_up.first_audio_at.get_or_insert(now);
        row.worker = Some(status);
        session.tasks[t].confirmed = Some(now);
        let release = Release::of(session.tasks[t].generation.0);
        if obey::obey(row, now) {
            let phase = row.phase;
            session.writers.worker = release;
            session.between_workers = false;
            self.tell(n, row_story(phase), generation.0);
        }
        let desired = self.as_read(n, release).as_ref().map_or(Desired::Stop, obey::desired);
        if desired.is_to_leave() && self.sessions[n].tasks[t].process == Process::Serving {
            self.sessions[n].tasks[t].process = Process::Flushing;
            let ms = self.rng.between(500, 8_000);
            self.after(ms, Event::Task(n, t, Happening::Finishes));
        }
        self.check(n);
    }

    /// The worker ends the run: with the reason that it was given, or with its own.
    pub fn finish(&mut self, n: usize, t: usize, own: Option<Cause>) {
        let now = self.now;
        let session = &mut self.sessions[n];
        if !session.tasks[t].writes() {
            return;
        }
        let generation = session.tasks[t].lease;
        if let Some(row) = session.row.as_mut().filter(|row| obey::holds(row, generation)) {
            let is_handover = matches!(obey::desired(row), Desired::HandOver { .. });
            if row.phase != Phase::Draining {
                row.why = Why::new(own.unwrap_or(Cause::SpeakerGone), "the worker says so", now);
                session.ended_by = session.version;
            }
            if !is_handover {
                row.phase = Phase::Stopped;
                row.phase_since = now;
                row.next_look_at = None;
                session.between_workers = false;
                session.given_up = session.given_up.max(generation);
                self.tell(n, row_story(Phase::Stopped), generation.0);
            }
        }
        self.exit(n, t, Exit::Clean);
    }
}
