//! Sessions, rows, tasks and workers.

use super::broken::Broken;
use super::faults::Weather;
use super::rng::Rng;
use super::schedule::{Edit, Event, Exit, Happening, Schedule};
use crate::invariants::{self, Basis, Invariant, Seen, Violation};
use crate::model::operator::{self, Wished};
use controller_core::action::RowWrite;
use controller_core::model::Strike;
use schemas::ids::{ChannelArn, Generation, SessionId, TaskArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::session::{SessionRecord, read_session};
use schemas::worker::{Desired, Phase, WorkerRow};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

/// A worker heartbeats so often, ms.
pub const BEAT_MS: i64 = 2_000;
/// A worker speaks for so long after its last heartbeat, ms.
pub const LEASE_MS: i64 = 30_000;
/// Lines kept of each session's story.
const STORY: usize = 60;

/// Everything but the controllers.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub now: Timestamp,
    /// Chance.
    pub rng: Rng,
    /// How bad it is.
    pub weather: Weather,
    /// What comes next.
    pub schedule: Schedule,
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Tasks that ECS has room for; none at times.
    pub room: usize,
    /// Tasks that take room.
    pub running: usize,
    /// Leave to call RunTask, in thousandths, as of `bucket_at`.
    pub bucket: i64,
    /// When the bucket was last filled.
    pub bucket_at: Timestamp,
    /// The invocation that is being polled is shaky.
    pub shaky: bool,
    /// What the invocation that just paused waits for.
    pub pause: Option<Pause>,
    /// Whoever stands still; all are woken when any goes on.
    pub wakers: Vec<Waker>,
    /// The invocation that is being polled.
    pub invocation: usize,
    /// Reads of our rows by looks so far.
    pub looks: u64,
    /// Listings of all tasks that failed so far.
    pub blind_listings: u64,
    /// What the controllers share beside the rows.
    pub common: super::shared::Common,
    /// Every call takes so long, ms; 0 when only the shaky ones wait.
    pub call_ms: i64,
    /// Pages of open rows that were read so far.
    pub listings: u64,
    /// Open rows that were listed so far.
    pub rows_listed: u64,
    /// Pages of the Sessions table that were read so far.
    pub scans: u64,
    /// Every task in the order of the launches: when, whose, and since when it was wanted.
    pub launches: Vec<(Timestamp, usize, Option<Timestamp>)>,
    /// What is broken on purpose.
    pub broken_rule: Broken,
    /// Wishes of operators that were written so far.
    pub wishes: u64,
    /// Handovers that a rollout has begun so far.
    pub rolled: u64,
    /// Channels that were deleted so far.
    pub deleted_channels: u64,
    /// What went wrong first.
    pub broken: Option<(usize, Violation)>,
}

/// Why an invocation stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// For so long, ms.
    For(i64),
    /// It has died.
    Died,
}

/// One session.
#[derive(Debug, Default)]
pub struct Session {
    /// Their row.
    pub record: Option<SessionRecord>,
    /// How often it has changed.
    pub version: u64,
    /// Which channel it names.
    pub run: u32,
    /// Whether it wants a worker by its own words (`expiresAt` apart).
    pub wanted: bool,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Our row.
    pub row: Option<WorkerRow>,
    /// Tasks that were ever started.
    pub tasks: Vec<Task>,
    /// The newest generation that was ever written.
    pub announced: Generation,
    /// The newest generation that was ever given up.
    pub given_up: Generation,
    /// The version that the ending rests on.
    pub ended_by: u64,
    /// When it was created.
    pub began: Timestamp,
    /// When it stopped being wanted.
    pub over: Option<Timestamp>,
    /// Marks on its strays.
    pub strikes: Vec<Strike>,
    /// The version that each invocation has read last.
    pub reads: BTreeMap<usize, u64>,
    /// The end of the hold that each invocation has read or written around last; none is over long since.
    pub holds_read: BTreeMap<usize, Timestamp>,
    /// How often a look has read its session row.
    pub looked: u64,
    /// Whether it is between two workers because of a rollout.
    pub between_workers: bool,
    /// The generation that was asked to hand over last.
    pub handed_over: Option<Generation>,
    /// The last that happened, for people.
    pub story: VecDeque<(Timestamp, &'static str, u64)>,
}

/// One task.
#[derive(Debug)]
pub struct Task {
    /// Its name.
    pub arn: TaskArn,
    /// Its launch.
    pub generation: Generation,
    /// Since when ECS lists it.
    pub listed_at: Timestamp,
    /// Since when its process runs.
    pub booted_at: Option<Timestamp>,
    /// What the process does.
    pub process: Process,
    /// When it last confirmed its lease.
    pub confirmed: Option<Timestamp>,
    /// Since when ECS wants it stopped, and why.
    pub stopping: Option<&'static str>,
    /// When ECS began to say that it is STOPPED.
    pub told_at: Option<Timestamp>,
    /// Since when another generation has its place.
    pub replaced_at: Option<Timestamp>,
    /// Whole sweeps that it has outlived since.
    pub outlived: u32,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// On its way.
    Booting,
    /// It serves.
    Serving,
    /// It serves, and cannot reach the table.
    CutOff,
    /// It does nothing.
    Hung,
    /// It flushes its last words.
    Flushing,
    /// It has ended.
    Exited(Exit),
}

/// The end of the hold that stands in a row.
#[must_use]
pub fn hold_of(row: Option<&WorkerRow>) -> Timestamp {
    row.and_then(|row| row.operator.hold.as_ref()).map_or(Timestamp(0), |hold| hold.until)
}

impl Task {
    /// Whether its process has not ended.
    #[must_use]
    pub fn lives(&self) -> bool {
        !matches!(self.process, Process::Exited(_))
    }
    fn awake(&self) -> bool {
        matches!(self.process, Process::Serving | Process::CutOff | Process::Flushing)
    }
    fn writes(&self) -> bool {
        matches!(self.process, Process::Serving | Process::Flushing)
    }
}

/// The name of the nth session.
#[must_use]
pub fn name(n: usize) -> SessionId {
    SessionId::try_new(format!("calm-river-{n:06}")).expect("a session id")
}

/// Which session has this name.
#[must_use]
pub fn number(id: &SessionId) -> usize {
    id.as_str().rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

impl World {
    /// A world of so many sessions that have not begun.
    #[must_use]
    pub fn of(sessions: usize, seed: u64, weather: Weather, now: Timestamp) -> Self {
        Self {
            now,
            rng: Rng::new(seed),
            weather,
            schedule: Schedule::default(),
            sessions: (0..sessions).map(|_| Session::default()).collect(),
            room: usize::MAX,
            running: 0,
            bucket: 0,
            bucket_at: now.plus_ms(-60_000),
            shaky: false,
            pause: None,
            wakers: Vec::new(),
            invocation: 0,
            looks: 0,
            blind_listings: 0,
            call_ms: 0,
            listings: 0,
            rows_listed: 0,
            scans: 0,
            launches: Vec::new(),
            broken_rule: Broken::Nothing,
            wishes: 0,
            rolled: 0,
            deleted_channels: 0,
            common: super::shared::Common::default(),
            broken: None,
        }
    }

    /// Remembers what happened to a session.
    pub fn tell(&mut self, n: usize, what: &'static str, number: u64) {
        let now = self.now;
        let story = &mut self.sessions[n].story;
        if story.len() == STORY {
            story.pop_front();
        }
        story.push_back((now, what, number));
    }

    /// This happens after so long.
    pub fn after(&mut self, ms: i64, event: Event) {
        self.schedule.at(self.now.plus_ms(ms), event);
    }

    /// Remembers the first invariant that did not hold.
    pub fn hold(&mut self, n: usize, holds: Result<(), Violation>) {
        if let Err(violation) = holds
            && self.broken.is_none()
        {
            self.broken = Some((n, violation));
        }
    }

    /// The invariants of one session's state.
    pub fn check(&mut self, n: usize) {
        self.beat_until_now(n);
        let now = self.now;
        let session = &self.sessions[n];
        let current = session.row.as_ref().filter(|row| !row.phase.is_final()).map(|row| row.generation);
        let workers = session.tasks.iter().filter(|task| task.lives() && task.booted_at.is_some()).map(|task| Seen {
            generation: task.generation,
            can_write: current == Some(task.generation) || self.broken_rule == Broken::WorkerWithoutFence,
            may_speak: task.awake()
                && (task.confirmed.is_some_and(|at| now.since(at) < LEASE_MS)
                    || self.broken_rule == Broken::WorkerWithoutLease),
        });
        let holds = invariants::at_most_one_writer(workers);
        self.hold(n, holds);
    }

    /// A trigger for a session sets out: it may be lost, late, or come twice.
    pub fn trigger(&mut self, event: Event) {
        if !self.rng.chance(self.weather.trigger_lost) {
            let ms = self.rng.between(50, 1_500);
            self.after(ms, event);
        }
        if self.rng.chance(self.weather.trigger_repeated) {
            let ms = self.rng.between(1_000, 600_000);
            self.after(ms, event);
        }
    }

    /// A session row changes.
    pub fn edit(&mut self, n: usize, edit: Edit) {
        self.tell(n, "the session row changes", edit as u64);
        let now = self.now;
        let session = &mut self.sessions[n];
        session.version += 1;
        let status = match edit {
            Edit::End => "ended",
            Edit::Pause => "paused",
            Edit::Deactivate | Edit::Resume | Edit::Replace | Edit::Delete => "active",
        };
        if edit == Edit::Replace {
            session.run += 1;
            session.expires_at = now.plus_ms(24 * 3_600_000);
        }
        session.wanted = match edit {
            Edit::Pause | Edit::Resume | Edit::Replace => true,
            Edit::End | Edit::Deactivate | Edit::Delete => false,
        };
        session.over = if session.wanted { None } else { session.over.or(Some(now)) };
        let channel =
            format!("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-{}/{}", name(n), session.run);
        let row = json!({
            "sessionId": name(n).as_str(), "status": status, "sourceLanguage": "en", "kvsChannelArn": channel,
            "isActive": edit != Edit::Deactivate, "createdAt": session.began.0, "expiresAt": session.expires_at.0 / 1_000,
        });
        session.record = row.as_object().filter(|_| edit != Edit::Delete).map(read_session);
        self.trigger(Event::Record(n));
    }

    /// A channel is deleted: of a run whose row is final and whose task has ended, and that its session row does not want.
    pub fn channel_goes(&mut self, arn: &ChannelArn) {
        let run = |arn: &str| arn.rsplit('/').next().and_then(|run| run.parse::<u32>().ok());
        let of = arn.as_str().rsplit('/').nth(1).and_then(|channel| channel.strip_prefix("session-"));
        let Some(n) = of.and_then(|id| SessionId::try_new(id).ok()).map(|id| number(&id)) else { return };
        let Some(session) = self.sessions.get(n) else { return };
        let wanted = run(arn.as_str()) == Some(session.run) && session.wanted && session.expires_at > self.now;
        let is_final = session.row.as_ref().is_some_and(|row| row.phase.is_final());
        self.deleted_channels += 1;
        self.tell(n, "its channel is deleted, run", u64::from(run(arn.as_str()).unwrap_or(0)));
        if wanted || !is_final {
            let seen = format!("the channel {arn} was deleted while its run was wanted, or not ended");
            self.hold(n, Err(Violation::of(Invariant::IntentBeforeEffect, seen)));
        }
    }

    /// An operator's wish is written into the row, if there is one.
    pub fn wish(&mut self, n: usize, wished: Wished, hold_ms: i64) {
        let now = self.now;
        let Some(row) = &mut self.sessions[n].row else { return };
        operator::set(row, wished, now, hold_ms);
        self.wishes += 1;
        self.tell(n, "an operator wishes (0 hold, 1 release, 2 stop, 3 restart, 4 drain)", wished as u64);
        self.trigger(Event::Record(n));
    }

    /// The heartbeats since the last look at this session.
    pub fn beat_until_now(&mut self, n: usize) {
        let now = self.now;
        let session = &mut self.sessions[n];
        let Some(row) = session.row.as_mut().filter(|row| !row.phase.is_final()) else { return };
        let holder = session.tasks.iter_mut().find(|task| task.generation == row.generation && task.writes());
        let (Some(task), Some(worker)) = (holder, &mut row.worker) else { return };
        if let (Some(booted), Some(confirmed)) = (task.booted_at, task.confirmed) {
            let at = booted.plus_ms(now.since(booted) / BEAT_MS * BEAT_MS).max(confirmed);
            task.confirmed = Some(at);
            worker.heartbeat_at = worker.heartbeat_at.max(at);
        }
    }

    /// The conditional write of the real table.
    pub fn write(
        &mut self,
        n: usize,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        version: u64,
        now: Timestamp,
    ) -> Option<WorkerRow> {
        self.beat_until_now(n);
        let hold_locks = !matches!(self.broken_rule, Broken::HoldsAreNotRead | Broken::HoldIsNoLock);
        let lock = |row: &WorkerRow| {
            let heartbeat = row.worker.as_ref().map(|worker| worker.heartbeat_at).filter(|_| write.gives_up(row));
            let hold = row.operator.hold.as_ref().map(|hold| hold.until).filter(|_| hold_locks);
            (row.revision, row.phase, heartbeat, hold)
        };
        let session = &mut self.sessions[n];
        if session.row.as_ref().map(lock) != read.map(lock) && self.broken_rule != Broken::WriteWithoutLock {
            return None;
        }
        let after = write.applied(session.row.as_ref(), &name(n), now);
        let ends = |row: &WorkerRow| row.phase.is_final() || row.phase == Phase::Draining;
        let mut held = Ok(());
        let basis = Basis { read: version, ended_by: session.ended_by };
        let holds =
            session.row.as_ref().map_or(Ok(()), |before| invariants::reason_never_worsens(before, &after, basis));
        if ends(&after) && session.row.as_ref().is_none_or(|row| !ends(row) || row.generation != after.generation) {
            session.ended_by = version;
        }
        if let Some(before) = &session.row {
            let lives = |task: &Task| task.generation == before.generation && task.lives();
            // A row that was told that there is no room knows of no task, even if another call has started one.
            let waits = before.phase == Phase::Queued && before.task.is_none();
            let lives = !waits && session.tasks.iter().any(lives);
            held = invariants::held_row_untouched(before, &after, lives, now);
        }
        let rolls = after.phase == Phase::Draining && after.why.text.contains(" takes the place of ");
        self.rolled += u64::from(rolls && !session.between_workers);
        let was = session.between_workers;
        session.between_workers = invariants::is_between_workers(was, session.row.as_ref(), &after) && (was || rolls);
        if after.phase == Phase::Draining && after.why.cause == Cause::Handover {
            session.handed_over = Some(after.generation);
        }
        session.announced = session.announced.max(after.generation);
        session.given_up = session.given_up.max(invariants::given_up(&after));
        for task in session.tasks.iter_mut().filter(|task| task.generation < after.generation) {
            task.replaced_at.get_or_insert(now);
        }
        session.row = Some(after.clone());
        self.hold(n, holds);
        self.hold(n, held);
        let rolled = self.sessions.iter().filter(|session| session.between_workers).count();
        self.hold(n, invariants::one_handover_at_a_time(rolled));
        self.tell(n, row_story(after.phase), after.generation.0);
        self.wake_workers(n);
        self.check(n);
        Some(after)
    }

    /// Every worker learns of the row with its next heartbeat.
    fn wake_workers(&mut self, n: usize) {
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
        let generation = session.tasks[t].generation;
        if !session.tasks[t].writes() {
            return;
        }
        let unfenced = self.broken_rule == Broken::WorkerWithoutFence;
        let holder = session.row.as_mut();
        let holder = holder.filter(|row| unfenced || (row.generation == generation && !row.phase.is_final()));
        let Some(row) = holder else { return self.exit(n, t, Exit::LeaseLost) };
        let begun = row.worker.as_ref().and_then(|worker| worker.start_up.process_at).or(session.tasks[t].booted_at);
        let mut status = row.worker.take().unwrap_or_else(|| crate::model::worker::TEMPLATE.clone());
        status.heartbeat_at = now;
        status.start_up.process_at = begun;
        row.worker = Some(status);
        session.tasks[t].confirmed = Some(now);
        let desired = row.intent.as_ref().map_or(Desired::Stop, |intent| intent.desired);
        let (phase, cause) = match desired {
            Desired::Run | Desired::Stop => (Phase::Live, Cause::SessionActive),
            Desired::Pause => (Phase::Paused, Cause::SessionPaused),
        };
        if row.phase != phase && row.phase != Phase::Draining {
            row.phase = phase;
            row.phase_since = now;
            row.why = Why::new(cause, "the worker says so", now);
            session.between_workers = false;
            self.tell(n, row_story(phase), generation.0);
        }
        if desired == Desired::Stop && self.sessions[n].tasks[t].process == Process::Serving {
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
        let generation = session.tasks[t].generation;
        if let Some(row) = session.row.as_mut().filter(|row| row.generation == generation && !row.phase.is_final()) {
            let is_handover = row.why.cause == Cause::Handover;
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
            let serves = |task: &&&Task| task.generation == row.generation && task.process == Process::Serving;
            matches!(row.phase, Phase::Live | Phase::Paused) && live.len() == 1 && live.iter().any(|task| serves(&task))
        });
        let ended = row.is_some_and(|row| {
            let by_itself = !invariants::the_session_row_ended_it(row.why.cause) || session.ended_by == session.version;
            at_rest && by_itself
        });
        if served || ended { Ok(()) } else { Err(Violation::of(Invariant::LiveSessionEventuallyServed, seen())) }
    }
}

fn row_story(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "the row is Queued, generation",
        Phase::Launching => "the row is Launching, generation",
        Phase::Joining => "the row is Joining, generation",
        Phase::WaitingForSpeaker => "the row is WaitingForSpeaker, generation",
        Phase::Live => "the row is Live, generation",
        Phase::Paused => "the row is Paused, generation",
        Phase::Draining => "the row is Draining, generation",
        Phase::Stopped => "the row is Stopped, generation",
        Phase::Failed => "the row is Failed, generation",
    }
}
