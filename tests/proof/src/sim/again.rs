//! A worker that crashes and is started again within its task: it reads its row, and claims the next generation.

use super::rows::row_story;
use super::schedule::{Event, Happening};
use super::world::{Process, World};
use crate::exit::Exit;
use crate::invariants::{self, Basis};
use worker_core::start::{self, Budget, Start};

/// ECS starts a container again that has run for so long, ms.
const ATTEMPT_PERIOD_MS: i64 = 300_000;

impl World {
    /// The process ends with an error. ECS starts it again in place, unless it had not run for long or is to be stopped.
    pub fn crash(&mut self, n: usize, t: usize, exit: Exit) {
        let task = &self.sessions[n].tasks[t];
        let ran = task.booted_at.is_some() && self.now.since(task.began) >= ATTEMPT_PERIOD_MS;
        if !ran || task.stopping.is_some() || !task.lives() {
            return self.exit(n, t, exit);
        }
        self.beat_until_now(n);
        self.tell(n, "a worker crashes and is started again in place, launch", self.sessions[n].tasks[t].generation.0);
        let task = &mut self.sessions[n].tasks[t];
        task.process = Process::Restarted;
        task.confirmed = None;
        task.began = self.now;
        let ms = self.rng.between(300, 5_000);
        self.after(ms, Event::Task(n, t, Happening::Reads));
    }

    /// It reads its row.
    pub fn begin_again(&mut self, n: usize, t: usize) {
        let session = &mut self.sessions[n];
        let task = &mut session.tasks[t];
        if task.process != Process::Restarted {
            return;
        }
        let process =
            start::Process { launched: task.generation, task: Some(task.arn.clone()), budget: Budget::default() };
        match start::decide(session.row.clone(), &process, self.now) {
            Start::Serve(row) => {
                task.lease = row.generation;
                task.process = Process::Serving;
                self.after(100, Event::Task(n, t, Happening::Beats));
            }
            Start::Claim(claim) => {
                session.claims.insert(t, *claim);
                let ms = self.rng.between(5, 4_000);
                self.after(ms, Event::Task(n, t, Happening::Claims));
            }
            Start::Leave { code: 0, .. } => self.exit(n, t, Exit::Clean),
            Start::Leave { .. } => self.exit(n, t, Exit::LeaseLost),
        }
    }

    /// The conditional write of its claim. One that is refused is followed by another look at the row; so is one whose answer was
    /// lost.
    pub fn claim(&mut self, n: usize, t: usize) {
        let session = &mut self.sessions[n];
        let Some(claim) = session.claims.remove(&t) else { return };
        if session.tasks[t].process != Process::Restarted {
            return;
        }
        let (fails, is_lost) = (self.weather.table_throttled, self.weather.table_answer_lost);
        let throttled = self.rng.chance(fails);
        let written = self.sessions[n].row.clone().filter(|row| claim.stands(row) && !throttled);
        let Some(before) = written else {
            let ms = self.rng.between(20, 1_000);
            return self.after(ms, Event::Task(n, t, Happening::Reads));
        };
        let after = claim.over(&before);
        let session = &mut self.sessions[n];
        let basis = Basis { read: session.version, ended_by: session.ended_by };
        let holds = invariants::reason_never_worsens(&before, &after, basis);
        session.between_workers = invariants::is_between_workers(session.between_workers, Some(&before), &after);
        session.announced = session.announced.max(after.generation);
        session.given_up = session.given_up.max(invariants::given_up(&after));
        let (phase, generation) = (after.phase, after.generation);
        session.row = Some(after);
        session.tasks[t].lease = generation;
        self.claimed += 1;
        if self.rng.chance(is_lost) {
            self.after(500, Event::Task(n, t, Happening::Reads));
        } else {
            self.sessions[n].tasks[t].process = Process::Serving;
            self.sessions[n].tasks[t].confirmed = Some(self.now);
            self.after(100, Event::Task(n, t, Happening::Beats));
        }
        self.hold(n, holds);
        self.one_task_per_generation(n);
        self.tell(n, row_story(phase), generation.0);
        self.check(n);
    }

    /// No generation is that of two tasks: neither by their launches nor by what their workers serve as.
    pub fn one_task_per_generation(&mut self, n: usize) {
        let launches = self.sessions[n].tasks.iter().map(|task| task.generation);
        let launched = invariants::at_most_one_task_per_generation(launches);
        let leases = invariants::at_most_one_task_per_generation(self.sessions[n].tasks.iter().map(|task| task.lease));
        self.hold(n, launched);
        self.hold(n, leases);
    }
}
