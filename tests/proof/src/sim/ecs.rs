//! What ECS does with its tasks: slowly, out of order, and with room that ends.

use super::broken::Broken;
use super::schedule::{Event, Happening};
use super::workers::{BEAT_MS, LEASE_MS, STAY_MS};
use super::world::{Process, Task, World, name};
use crate::exit::Exit;
use crate::invariants::{self, Violation};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use controller_core::launch::Answer;
use controller_core::model;
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::reason::Cause;
use schemas::worker::WorkerRow;
use std::collections::HashSet;

/// ECS forgets a stopped task after about an hour.
const REMEMBERED_MS: i64 = 3_600_000;
/// Reasons of tasks that were launched and did not get their place.
const SHORTAGES: [&str; 4] = [
    "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    "ResourceInitializationError: InsufficientFreeAddressesInSubnet",
    "Timeout waiting for network interface provisioning to complete.",
    "CannotPullContainerError: toomanyrequests: Rate exceeded",
];
/// RunTask calls that ECS takes in a second, in the long run and at once.
const RATE: i64 = 20;
const BURST: i64 = 100;

impl World {
    /// RunTask.
    pub fn run_task(&mut self, n: usize, generation: Generation) -> Answer {
        let holds = invariants::intent_before_launch(self.sessions[n].announced, generation);
        self.hold(n, holds);
        if self.rng.chance(self.weather.call_lost) {
            return Answer::Retry("timed out".into());
        }
        if !self.may_call() {
            self.bill.run_throttled += u64::from(self.limits.is_some());
            return Answer::Throttled("Rate exceeded".into());
        }
        if self.rng.chance(self.weather.refused) {
            return match self.rng.between(0, 3) {
                0 => Answer::NoCapacity("RESOURCE:ENI".into()),
                1 => Answer::NoCapacity("Capacity is unavailable at this time".into()),
                _ => Answer::Throttled("ClientException: Request was throttled".into()),
            };
        }
        let failing = self.incident.is_some_and(|until| until > self.now);
        if failing && self.rng.chance(20_000) {
            return Answer::NoCapacity("Capacity is unavailable at this time".into());
        }
        let fresh = self.broken_rule == Broken::FreshTokenPerCall;
        let known = self.sessions[n].tasks.iter().position(|task| task.generation == generation && !fresh);
        let holds = self.old_worker_leaves_first(n);
        self.hold(n, holds);
        let full = known.is_none() && self.running >= self.room;
        if full && self.rng.chance(50_000) {
            return Answer::NoCapacity("the limit on the number of vCPUs".into());
        }
        let t = known.unwrap_or_else(|| self.start(n, generation, full));
        if failing && known.is_none() {
            self.after(8_000, Event::Task(n, t, Happening::Exits(Exit::NotStarted)));
        }
        let task = &self.sessions[n].tasks[t];
        let arn = task.arn.clone();
        let last_status = status(task, self.now).to_owned();
        if self.rng.chance(self.weather.answer_lost) {
            return Answer::Retry("the connection was reset".into());
        }
        if self.rng.chance(self.weather.conflict) {
            return Answer::Existing { arn };
        }
        Answer::Launched { arn, last_status }
    }

    /// Whoever has handed over has left before its successor is started.
    fn old_worker_leaves_first(&self, n: usize) -> Result<(), Violation> {
        let session = &self.sessions[n];
        let left = |task: &&Task| session.handed_over == Some(task.lease) && task.lives();
        let older = session.tasks.iter().filter(left).count();
        session.row.as_ref().map_or(Ok(()), |row| invariants::old_worker_leaves_first(row, older))
    }

    fn may_call(&mut self) -> bool {
        let earned = self.now.since(self.bucket_at).max(0) * RATE;
        self.bucket = (self.bucket + earned).min(BURST * 1_000);
        self.bucket_at = self.now;
        let may = self.bucket >= 1_000;
        self.bucket -= if may { 1_000 } else { 0 };
        may
    }

    /// A task begins; when there is no room, only in the answer of RunTask: it stops after some seconds, and its reason tells why.
    fn start(&mut self, n: usize, generation: Generation, full: bool) -> usize {
        let t = self.sessions[n].tasks.len();
        let intent = self.sessions[n].row.as_ref().and_then(|row| row.intent.as_ref());
        let (version, decided_at) = (intent.and_then(|i| i.task_definition.clone()), intent.map(|i| i.decided_at));
        let wanted_since = intent.and_then(|intent| intent.wanted_since);
        let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/workers/{n:08}{generation:024}");
        let listed_at = self.now.plus_ms(self.rng.between(0, 8_000));
        self.sessions[n].tasks.push(Task {
            arn: TaskArn::try_new(arn).expect("an ARN"),
            generation,
            wanted_since,
            version,
            lease: generation,
            began: self.now,
            skew_ms: if self.limits.is_some() { self.rng.between(-1_000, 1_001) } else { 0 },
            listed_at,
            booted_at: None,
            process: Process::Booting,
            confirmed: None,
            shortage: full.then(|| SHORTAGES[usize::try_from(generation.0).unwrap_or(0) % SHORTAGES.len()]),
            stopping: None,
            told_at: None,
            replaced_at: None,
            outlived: 0,
        });
        self.running += 1;
        self.nobody_is_passed(n, decided_at);
        self.launches.push((self.now, n, wanted_since));
        self.tell(n, "a task starts, generation", generation.0);
        self.one_task_per_generation(n);
        self.starts_from(n, decided_at);
        let ms =
            if self.limits.is_some() { self.rng.between(15_000, 40_000) } else { self.rng.between(12_000, 45_000) };
        if full {
            self.after(8_000, Event::Task(n, t, Happening::Exits(Exit::NotStarted)));
        } else if self.rng.chance(self.weather.not_started) {
            self.after(ms, Event::Task(n, t, Happening::Exits(Exit::NotStarted)));
        } else if !self.rng.chance(self.weather.stuck) {
            self.after(ms, Event::Task(n, t, Happening::Boots));
        }
        t
    }

    /// StopTask, by the controller or by AWS.
    pub fn stop_task(&mut self, n: usize, t: usize, code: &'static str) {
        if self.sessions[n].tasks[t].stopping.is_some() || !self.sessions[n].tasks[t].lives() {
            return;
        }
        self.tell(n, "ECS is asked to stop generation", self.sessions[n].tasks[t].generation.0);
        self.sessions[n].tasks[t].stopping = Some(code);
        let (ms, exit) = match self.sessions[n].tasks[t].process {
            Process::Booting => (self.rng.between(1_000, 10_000), Exit::NotStarted),
            Process::Restarted | Process::Serving | Process::CutOff => {
                (self.rng.between(500, 10_000), Exit::Interrupted)
            }
            Process::Hung | Process::Flushing | Process::Exited(_) => (30_000, Exit::Killed),
        };
        self.after(ms, Event::Task(n, t, Happening::Exits(exit)));
    }

    /// StopTask by the name of the task.
    pub fn stop_named(&mut self, arn: &TaskArn, invocation: usize) {
        let Some((n, t)) = self.place_of(arn) else { return };
        if self.sessions[n].tasks[t].stopping.is_none() && self.sessions[n].tasks[t].lives() {
            let session = &self.sessions[n];
            let stopped = session.tasks[t].lease;
            let holds = invariants::intent_before_stop(session.given_up, stopped);
            let stands = session.row.as_ref().is_some_and(|row| invariants::is_held(row, self.now));
            let was_read = session.holds_read.get(&invocation).is_some_and(|until| *until > self.now);
            let held = invariants::held_task_untouched(stands, was_read, stopped);
            let newest = session.row.as_ref().map(|row| row.generation);
            let (older, current) = (newest > Some(stopped), newest == Some(stopped));
            self.hold(n, holds);
            self.hold(n, held);
            if (older && self.broken_rule == Broken::OrphansAreNotStopped)
                || (current && self.broken_rule == Broken::DrainsAreNotStopped)
            {
                return;
            }
        }
        self.stop_task(n, t, "UserInitiated");
    }

    /// The process of a task ends.
    pub fn exit(&mut self, n: usize, t: usize, exit: Exit) {
        if !self.sessions[n].tasks[t].lives() {
            return;
        }
        self.beat_until_now(n);
        self.tell(
            n,
            "a worker ends (0 clean, 1 lease lost, 2 interrupted, 3 crashed, 4 killed, 5 not started)",
            exit as u64,
        );
        self.sessions[n].tasks[t].process = Process::Exited(exit);
        self.running -= 1;
        let ms = self.rng.between(500, 20_000);
        self.after(ms, Event::Task(n, t, Happening::IsTold));
    }

    /// Something happens to a task.
    pub fn happen(&mut self, n: usize, t: usize, happening: Happening) {
        match happening {
            Happening::Boots => self.boot(n, t),
            Happening::Reads => self.begin_again(n, t),
            Happening::Claims => self.claim(n, t),
            Happening::Beats => self.beat(n, t),
            Happening::Finishes => self.finish(n, t, None),
            Happening::SpeakerLeaves => {
                if self.sessions[n].tasks[t].process == Process::Serving {
                    self.finish(n, t, Some(Cause::SpeakerGone));
                }
            }
            Happening::Exits(exit) => self.exit(n, t, exit),
            Happening::IsTold => {
                self.sessions[n].tasks[t].told_at = Some(self.now);
                self.trigger(Event::TaskEvent(n, t));
            }
            Happening::MeetsChance => self.meet_chance(n, t),
            Happening::Recovers => self.recover(n, t),
            Happening::FailsByItself => self.fail_by_itself(n, t),
        }
    }

    fn boot(&mut self, n: usize, t: usize) {
        let now = self.now;
        let task = &mut self.sessions[n].tasks[t];
        if !task.lives() || task.stopping.is_some() {
            return;
        }
        task.booted_at = Some(now);
        task.began = now;
        task.listed_at = task.listed_at.min(now);
        task.process = Process::Serving;
        let lease = task.lease;
        if t == 0 {
            let began = self.sessions[n].began;
            self.started_after.push(now.since(began));
        }
        self.displace(n, lease);
        self.trigger(Event::TaskEvent(n, t));
        self.after(BEAT_MS, Event::Task(n, t, Happening::Beats));
        self.may_crash_by_itself(n, t);
        let ms = self.rng.between(1_000, 300_000);
        self.after(ms, Event::Task(n, t, Happening::MeetsChance));
    }

    /// A worker joins with the client id of the session: an older one that cannot reach the table sees that, unless it reads a KVS stream.
    fn displace(&mut self, n: usize, lease: Generation) {
        for older in 0..self.sessions[n].tasks.len() {
            let task = &self.sessions[n].tasks[older];
            if task.lease < lease && task.stays(self.now) && self.rng.chance(50_000) {
                self.exit(n, older, Exit::LeaseLost);
            }
        }
    }

    /// The accidents of a worker's life.
    fn meet_chance(&mut self, n: usize, t: usize) {
        if !self.sessions[n].tasks[t].lives() {
            return;
        }
        self.after(300_000, Event::Task(n, t, Happening::MeetsChance));
        if !self.rng.chance(self.weather.accident) {
            return;
        }
        self.beat_until_now(n);
        let generation = self.sessions[n].tasks[t].generation.0;
        let kind = self.rng.between(0, 5);
        let serves = self.sessions[n].tasks[t].process == Process::Serving;
        match kind {
            0 => self.crash(n, t, Exit::Crashed),
            1 => self.stop_task(n, t, "SpotInterruption"),
            2 | 3 if serves => {
                self.tell(
                    n,
                    if kind == 2 { "a worker hangs, generation" } else { "a worker is cut off, generation" },
                    generation,
                );
                self.sessions[n].tasks[t].process = if kind == 2 { Process::Hung } else { Process::CutOff };
                let most = if kind == 3 { 400_000 } else { 120_000 };
                let left = STAY_MS - self.sessions[n].tasks[t].confirmed.map_or(0, |at| self.now.since(at));
                let ms = self.rng.between(5_000, most).min(if kind == 3 { left } else { most });
                if kind == 3 || self.rng.chance(50_000) {
                    self.after(ms, Event::Task(n, t, Happening::Recovers));
                }
            }
            _ => self.crash(n, t, Exit::Killed),
        }
    }

    /// A hung process goes on, or a cut-off one reaches the table again. As the real worker does, the one looks at its lease first, which
    /// ends it 30 s after its last heartbeat; the other has stayed past it, for five minutes at most, and its next write tells.
    fn recover(&mut self, n: usize, t: usize) {
        let task = &self.sessions[n].tasks[t];
        if !matches!(task.process, Process::Hung | Process::CutOff) {
            return;
        }
        let most = if task.process == Process::CutOff { STAY_MS } else { LEASE_MS };
        let lease_is_over = task.confirmed.is_none_or(|at| self.now.since(at) >= most);
        if lease_is_over && self.broken_rule != Broken::WorkerWithoutLease {
            self.exit(n, t, Exit::LeaseLost);
        } else {
            self.sessions[n].tasks[t].process = Process::Serving;
            self.beat(n, t);
        }
    }

    /// What ListTasks and DescribeTasks show of a session to a look with these hints.
    #[must_use]
    pub fn tasks(&self, n: usize, row: Option<&WorkerRow>, hints: &[TaskArn]) -> Vec<model::Task> {
        let recorded = row.and_then(|row| row.task.as_ref());
        let named = |task: &Task| match recorded {
            Some(facts) => facts.arn == task.arn,
            None => row.is_some_and(|row| row.generation == task.generation) && is_listed_running(task, self.now),
        };
        let known = self.sessions[n].tasks.iter().filter(|task| is_known(task, self.now));
        let seen = known.filter(|task| named(task) || hints.contains(&task.arn));
        let says = row.filter(|_| self.broken_rule != Broken::TasksAreTheirLaunches);
        seen.map(|task| self.described(task, says)).collect()
    }

    fn described(&self, task: &Task, row: Option<&WorkerRow>) -> model::Task {
        let mut seen = describe(task, self.now);
        seen.generation = model::generation_of(row, &task.arn, Some(task.generation)).unwrap_or(task.generation);
        if self.broken_rule == Broken::EndsAreToldEarly && task.process == Process::Flushing {
            seen.last_status = "STOPPED".to_owned();
        }
        seen
    }

    /// How many tasks ECS lists as running.
    #[must_use]
    pub fn running_tasks(&self) -> usize {
        let (first, last) = self.active(0);
        let tasks = self.sessions[first..last].iter().flat_map(|session| &session.tasks);
        tasks.filter(|task| is_listed_running(task, self.now)).count()
    }

    /// Every task that ECS lists as running.
    #[must_use]
    pub fn all_running(&self) -> HashSet<TaskArn> {
        let (first, last) = self.active(0);
        let all = self.sessions[first..last].iter().flat_map(|session| &session.tasks);
        let early = self.broken_rule == Broken::EndsAreToldEarly;
        let runs = |task: &&Task| is_listed_running(task, self.now) && !(early && task.process == Process::Flushing);
        all.filter(runs).map(|task| task.arn.clone()).collect()
    }

    /// What ECS says of the task of this name.
    #[must_use]
    pub fn described_by_name(&self, arn: &TaskArn) -> Option<(SessionId, model::Task)> {
        let (n, t) = self.place_of(arn)?;
        let task = self.sessions.get(n)?.tasks.get(t).filter(|task| is_known(task, self.now))?;
        Some((name(n), self.described(task, None)))
    }

    /// Whose task has this name, and which it is.
    fn place_of(&self, arn: &TaskArn) -> Option<(usize, usize)> {
        let n = arn.as_str().rsplit('/').next().and_then(|name| name.get(..8)?.parse::<usize>().ok())?;
        Some((n, self.sessions.get(n)?.tasks.iter().position(|task| task.arn == *arn)?))
    }

    /// What an event of this task says.
    #[must_use]
    pub fn task_event(&self, n: usize, t: usize) -> serde_json::Value {
        let task = describe(&self.sessions[n].tasks[t], self.now);
        serde_json::json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {
            "startedBy": format!("{}/{}", name(n), task.generation), "taskArn": task.arn.as_str(),
            "lastStatus": task.last_status, "desiredStatus": task.desired_status,
            "startedAt": task.started_at.map(iso), "stoppedAt": task.stopped_at.map(iso),
            "stopCode": task.stop_code, "stoppedReason": task.stopped_reason,
            "containers": [{"name": "worker", "exitCode": task.exit_code}]}})
    }
}

/// As an event has it.
fn iso(at: Timestamp) -> String {
    DateTime::from_millis(at.0).fmt(Format::DateTime).expect("a time of this century")
}

fn is_known(task: &Task, now: Timestamp) -> bool {
    task.listed_at <= now && task.told_at.is_none_or(|at| now.since(at) < REMEMBERED_MS)
}

/// Whether ListTasks with the desired status RUNNING shows it.
#[must_use]
pub fn is_listed_running(task: &Task, now: Timestamp) -> bool {
    is_known(task, now) && task.stopping.is_none() && task.told_at.is_none()
}

fn status(task: &Task, now: Timestamp) -> &'static str {
    if task.told_at.is_some_and(|at| at <= now) {
        "STOPPED"
    } else if task.booted_at.is_some() {
        "RUNNING"
    } else {
        "PROVISIONING"
    }
}

fn describe(task: &Task, now: Timestamp) -> model::Task {
    let last_status = status(task, now).to_owned();
    let ended = match task.process {
        Process::Exited(exit) if task.told_at.is_some() => Some(exit),
        Process::Booting
        | Process::Restarted
        | Process::Serving
        | Process::CutOff
        | Process::Hung
        | Process::Flushing
        | Process::Exited(_) => None,
    };
    let stop_code = task.stopping.or_else(|| ended.map(Exit::stop_code));
    let desired_status = if task.stopping.is_some() || ended.is_some() { "STOPPED" } else { "RUNNING" };
    model::Task {
        arn: task.arn.clone(),
        generation: task.generation,
        last_status,
        desired_status: desired_status.to_owned(),
        started_at: task.booted_at,
        stopped_at: task.told_at,
        stop_code: stop_code.map(str::to_owned),
        stopped_reason: task.shortage.filter(|_| ended.is_some()).map(str::to_owned),
        exit_code: ended.and_then(Exit::code),
    }
}
