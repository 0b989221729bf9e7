//! What there is: sessions, rows, tasks and workers. What they do is told by the modules beside this one.

use super::broken::Broken;
use super::faults::Weather;
use super::physics::{Bill, Limits};
use super::releases::{Release, Writers};
use super::rng::Rng;
use super::schedule::{Event, Schedule};
use super::versions::BadVersion;
use crate::exit::Exit;
use crate::invariants::Violation;
use controller_core::model::Strike;
use controller_core::triggers::Wake;
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::SessionRecord;
use schemas::worker::WorkerRow;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _};
use std::task::Waker;
use worker_core::start::Claim;

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
    /// Sessions before this one are over for good and at rest, where they come in their order and nothing brings them back; and one after the last that has
    /// begun. A day's run looks at no others.
    pub settled: usize,
    /// See there.
    pub begun_sessions: usize,
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
    /// The release of the invocation that is being polled.
    pub release: Release,
    /// Invocations that have begun so far.
    pub begun: u64,
    /// Rows that the older release has read so far.
    pub rows_read: u64,
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
    /// A deployed version that cannot run.
    pub bad_version: Option<BadVersion>,
    /// What is broken on purpose.
    pub broken_rule: Broken,
    /// Generations that were claimed by restarted workers so far.
    pub claimed: u64,
    /// Orders of operators that were written so far.
    pub orders: u64,
    /// Handovers that a rollout has begun so far.
    pub rolled: u64,
    /// Channels that were deleted so far.
    pub deleted_channels: u64,
    /// What was used so far.
    pub bill: Bill,
    /// What AWS allows; without it every call is answered at once.
    pub limits: Option<Limits>,
    /// Until when launches fail.
    pub incident: Option<Timestamp>,
    /// Timers that were set; none once it has come.
    pub wakes: Vec<Option<Wake>>,
    /// When workers that had fallen silent were replaced, ms after their last sign of life.
    pub replaced_after: Vec<i64>,
    /// When first workers spoke, ms after their sessions were created.
    pub started_after: Vec<i64>,
    /// Everything that was told and every event, in one number.
    pub log: DefaultHasher,
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
    /// Of which release who wrote it is.
    pub writers: Writers,
    /// Tasks that were ever started.
    pub tasks: Vec<Task>,
    /// What restarted processes have read and are about to write, by the number of their task.
    pub claims: BTreeMap<usize, Claim>,
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
    /// When one last did.
    pub looked_at: Timestamp,
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
    /// Since when it is wanted what it was started for: the same for all tasks of a session that is served without an end in between.
    pub wanted_since: Option<Timestamp>,
    /// Its task definition.
    pub version: Option<String>,
    /// The generation that its process serves as: its launch's, or a later one that it claimed when it was started again in place.
    pub lease: Generation,
    /// When its process began last.
    pub began: Timestamp,
    /// How far its clock is ahead, ms.
    pub skew_ms: i64,
    /// Since when ECS lists it.
    pub listed_at: Timestamp,
    /// Since when its process runs.
    pub booted_at: Option<Timestamp>,
    /// What the process does.
    pub process: Process,
    /// When it last confirmed its lease.
    pub confirmed: Option<Timestamp>,
    /// Why it does not get its place, although RunTask said 200.
    pub shortage: Option<&'static str>,
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
    /// It crashed, and ECS starts it again in place.
    Restarted,
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
    /// The sessions from this one on that may have anything to be looked at: the first of them, and the one after the last.
    #[must_use]
    pub fn active(&self, first: usize) -> (usize, usize) {
        let last = self.begun_sessions.min(self.sessions.len());
        (first.max(self.settled).min(last), last)
    }

    /// Moves on the first session that may have anything to be looked at.
    pub fn settle(&mut self) {
        let is_settled = |session: &Session| {
            let at_rest = session.row.as_ref().is_some_and(|row| row.phase.is_final());
            session.over.is_some() && at_rest && !session.tasks.iter().any(Task::lives)
        };
        while self.sessions.get(self.settled).is_some_and(is_settled) {
            self.settled += 1;
        }
    }

    /// A world of so many sessions that have not begun.
    #[must_use]
    pub fn of(sessions: usize, seed: u64, weather: Weather, now: Timestamp) -> Self {
        Self {
            now,
            rng: Rng::new(seed),
            weather,
            schedule: Schedule::default(),
            sessions: (0..sessions).map(|_| Session::default()).collect(),
            settled: 0,
            begun_sessions: sessions,
            room: usize::MAX,
            running: 0,
            bucket: 0,
            bucket_at: now.plus_ms(-60_000),
            shaky: false,
            pause: None,
            wakers: Vec::new(),
            release: Release::Older,
            begun: 0,
            rows_read: 0,
            invocation: 0,
            looks: 0,
            blind_listings: 0,
            call_ms: 0,
            listings: 0,
            rows_listed: 0,
            scans: 0,
            launches: Vec::new(),
            bad_version: None,
            broken_rule: Broken::Nothing,
            claimed: 0,
            orders: 0,
            rolled: 0,
            deleted_channels: 0,
            common: super::shared::Common::default(),
            bill: Bill::default(),
            limits: None,
            incident: None,
            wakes: Vec::new(),
            replaced_after: Vec::new(),
            started_after: Vec::new(),
            log: DefaultHasher::new(),
            broken: None,
        }
    }

    /// Remembers what happened to a session.
    pub fn tell(&mut self, n: usize, what: &'static str, number: u64) {
        let now = self.now;
        (now.0, n, what, number).hash(&mut self.log);
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
}
