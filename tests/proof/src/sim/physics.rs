//! What AWS's calls take, cost and allow.
//!
//! Every call is counted ([`Bill`]). With [`Limits`] it also takes its time (lognormal, the 99th percentile ten times the median; one in 10,000
//! never answers, and is given up and sent again by the client), and meets what AWS allows: tokens of ECS, units of a second and a key of DynamoDB.
//!
//! **Abstractions.** Heartbeats are not calls here; their units are reckoned by the minute. A key of a table or of an index is a partition.

use super::broken::Broken;
use super::rng::Rng;
use super::world::World;
use crate::invariants::{Invariant, Violation};
use controller::remedy::Remedy;
use schemas::ids::Timestamp;
use std::collections::HashMap;

/// A client gives up a call after so long, ms, and sends it again; RunTask, which is slow, after longer, and the next
/// look sends it again.
const GIVES_UP_MS: i64 = 3_000;
const RUN_TASK_GIVES_UP_MS: i64 = 5_000;
/// Processor time of the function for a call, and for a row of it, with a whole core (measured: docs/benchmarks.md, a sweep of 10,000 sessions), µs.
const CALL_US: i64 = 130;
const ROW_US: i64 = 10;
/// MB of the function as deployed, and those that have a whole core (Lambda: "At 1,769 MB, a function has the equivalent of one vCPU").
const MEMORY_MB: i64 = 512;
const MB_OF_A_CORE: i64 = 1_769;
/// Units that a key of DynamoDB gives in a second.
const WRITES: u64 = 1_000;
const READS: u64 = 3_000;
/// Keys that the index of open rows is spread over, and a row of ours in kB: a write unit each; a heartbeat writes all of it.
const SHARDS: usize = 16;
const ROW_KB: u64 = 3;
/// ECS reads of one account in a second, in the long run: half of them are others'.
const ECS_READS: i64 = 20;
/// The window in which ECS reads are held against their share, s.
const WINDOW_S: i64 = 300;

/// A call, as far as its cost and its time go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// GetItem of a session row.
    ReadSession,
    /// A page of the Sessions table.
    ScanSessions,
    /// A consistent GetItem of this session's row.
    ReadRow(usize),
    /// An UpdateItem of this session's row that moves it in the index.
    WriteRow(usize),
    /// A write beside this session's row.
    WriteBeside(usize),
    /// A page of the index.
    QueryIndex,
    /// A BatchGetItem of rows.
    BatchGetRows,
    /// A read of what controllers share.
    ReadShared,
    /// A write of it.
    WriteShared,
    /// ListTasks or DescribeTasks.
    ReadTasks,
    /// RunTask.
    RunTask,
    /// StopTask.
    StopTask,
    /// PutEvents.
    PutEvents,
    /// DeleteSignalingChannel.
    DeleteChannel,
    /// SendMessage.
    SendMessage,
}

impl Call {
    /// The API's name.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::ReadSession | Self::ReadRow(_) | Self::ReadShared => "GetItem",
            Self::ScanSessions => "Scan",
            Self::WriteRow(_) | Self::WriteBeside(_) | Self::WriteShared => "UpdateItem",
            Self::QueryIndex => "Query",
            Self::BatchGetRows => "BatchGetItem",
            Self::ReadTasks => "DescribeTasks",
            Self::RunTask => "RunTask",
            Self::StopTask => "StopTask",
            Self::PutEvents => "PutEvents",
            Self::DeleteChannel => "DeleteSignalingChannel",
            Self::SendMessage => "SendMessage",
        }
    }

    /// The median of its time, ms.
    const fn median_ms(self) -> f64 {
        match self {
            Self::RunTask => 350.0,
            Self::ReadTasks | Self::StopTask => 60.0,
            Self::ReadSession
            | Self::ScanSessions
            | Self::ReadRow(_)
            | Self::WriteRow(_)
            | Self::WriteBeside(_)
            | Self::QueryIndex
            | Self::BatchGetRows
            | Self::ReadShared
            | Self::WriteShared
            | Self::PutEvents
            | Self::DeleteChannel
            | Self::SendMessage => 12.0,
        }
    }

    /// Read units in halves, and write units, of so many rows.
    fn units(self, rows: usize) -> (u64, u64) {
        let rows = rows as u64;
        match self {
            Self::ReadSession | Self::ReadRow(_) | Self::ReadShared => (2, 0),
            Self::ScanSessions => (rows.div_ceil(4), 0), // 1 kB each
            Self::BatchGetRows => (rows, 0),
            Self::QueryIndex => (rows.div_ceil(32), 0), // keys of 120 bytes
            Self::WriteRow(_) => (0, ROW_KB + 2),       // out of one place of the index and into another
            Self::WriteBeside(_) => (0, ROW_KB),
            Self::WriteShared => (0, 1),
            Self::ReadTasks
            | Self::RunTask
            | Self::StopTask
            | Self::PutEvents
            | Self::DeleteChannel
            | Self::SendMessage => (0, 0),
        }
    }
}

/// What was used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// Calls of any kind.
    pub calls: u64,
    /// Read units, in halves.
    pub half_read_units: u64,
    /// Write units of the controllers.
    pub write_units: u64,
    /// Write units of heartbeats.
    pub beat_units: u64,
    /// What the function computed, µs.
    pub cpu_us: u64,
    /// ListTasks and DescribeTasks.
    pub ecs_reads: u64,
    /// RunTask calls.
    pub run_tasks: u64,
    /// StopTask calls.
    pub stops: u64,
    /// Timers.
    pub messages: u64,
    /// Invocations of the function, and for how long they ran, ms.
    pub invocations: u64,
    /// See there.
    pub lambda_ms: u64,
    /// Reads that ECS throttled, and RunTask calls.
    pub ecs_throttled: u64,
    /// See there.
    pub run_throttled: u64,
    /// Calls that DynamoDB throttled.
    pub table_throttled: u64,
    /// Calls that never answered.
    pub unanswered: u64,
    /// The most units that a key wrote, or read, in a second.
    pub hottest_write: u64,
    /// See there.
    pub hottest_read: u64,
}

/// What AWS allows.
#[derive(Debug, Clone)]
pub struct Limits {
    reads: Tokens,
    stops: Tokens,
    /// Key → second, and the write units and half read units in it.
    keys: HashMap<Key, (i64, u64, u64)>,
    window: (Timestamp, u64),
    /// Place of an invocation → until when its processor is taken, µs.
    processors: HashMap<usize, i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Session(usize),
    Index(usize),
    Shared,
}

#[derive(Debug, Clone, Copy)]
struct Tokens {
    thousandths: i64,
    at: Timestamp,
    per_second: i64,
}

impl Tokens {
    const BURST: i64 = 100;

    fn take(&mut self, now: Timestamp) -> bool {
        self.thousandths += now.since(self.at).max(0) * self.per_second;
        self.thousandths = self.thousandths.min(Self::BURST * 1_000);
        self.at = self.at.max(now);
        let may = self.thousandths >= 1_000;
        self.thousandths -= if may { 1_000 } else { 0 };
        may
    }
}

impl Limits {
    /// Full buckets.
    #[must_use]
    pub fn of_aws(now: Timestamp) -> Self {
        let full = |per_second| Tokens { thousandths: Tokens::BURST * 1_000, at: now, per_second };
        Self {
            reads: full(ECS_READS),
            stops: full(40),
            keys: HashMap::new(),
            window: (now, 0),
            processors: HashMap::new(),
        }
    }

    /// An invocation computes for a call of so many rows, one call after another: when it is done, ms from now, and what that took, µs.
    fn compute(&mut self, invocation: usize, now: Timestamp, rows: usize) -> (i64, u64) {
        let us = (CALL_US + ROW_US * i64::try_from(rows).unwrap_or(0)) * MB_OF_A_CORE / MEMORY_MB;
        let taken = self.processors.entry(invocation).or_insert(0);
        *taken = (*taken).max(now.0 * 1_000) + us;
        ((*taken - now.0 * 1_000) / 1_000, u64::try_from(us).unwrap_or(0))
    }

    /// The most that one of these keys has used in this second, with these units on top: writes, and half reads.
    fn use_key(&mut self, key: Key, now: Timestamp, units: (u64, u64)) -> (u64, u64) {
        let second = now.0.div_euclid(1_000);
        let used = self.keys.entry(key).or_insert((second, 0, 0));
        if used.0 != second {
            *used = (second, 0, 0);
        }
        used.1 += units.0;
        used.2 += units.1;
        (used.1, used.2)
    }
}

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// It takes so long.
    pub takes_ms: Option<i64>,
    /// It fails, and this helps.
    pub fails: Option<Remedy>,
}

impl World {
    /// A call goes out.
    pub fn ask(&mut self, call: Call, rows: usize) -> Asked {
        let (reads, writes) = call.units(rows);
        self.bill.calls += 1;
        self.bill.half_read_units += reads;
        self.bill.write_units += writes;
        match call {
            Call::ReadTasks => self.bill.ecs_reads += 1,
            Call::RunTask => self.bill.run_tasks += 1,
            Call::StopTask => self.bill.stops += 1,
            Call::SendMessage => self.bill.messages += 1,
            Call::ReadSession
            | Call::ScanSessions
            | Call::ReadRow(_)
            | Call::WriteRow(_)
            | Call::WriteBeside(_)
            | Call::QueryIndex
            | Call::BatchGetRows
            | Call::ReadShared
            | Call::WriteShared
            | Call::PutEvents
            | Call::DeleteChannel => {}
        }
        let Some(mut limits) = self.limits.take() else { return Asked::default() };
        let fails = self.meets_a_limit(&mut limits, call, (writes, reads));
        let computes = limits.compute(self.invocation, self.now, rows);
        self.limits = Some(limits);
        self.bill.cpu_us += computes.1;
        let computes = computes.0;
        let most = if call == Call::RunTask { RUN_TASK_GIVES_UP_MS } else { GIVES_UP_MS };
        let ms = if self.rng.chance(10) { i64::MAX } else { latency(&mut self.rng, call.median_ms()) };
        if ms >= most {
            self.bill.unanswered += 1;
            if call == Call::RunTask {
                return Asked { takes_ms: Some(computes + most), fails: Some(Remedy::Again) }; // the next look repeats it
            }
            let again = latency(&mut self.rng, call.median_ms());
            return Asked { takes_ms: Some(computes + most + again.min(most)), fails };
        }
        Asked { takes_ms: Some(computes + ms), fails }
    }

    fn meets_a_limit(&mut self, limits: &mut Limits, call: Call, units: (u64, u64)) -> Option<Remedy> {
        let now = self.now;
        match call {
            Call::ReadTasks => {
                self.count_reads(limits);
                if limits.reads.take(now) {
                    return None;
                }
                self.bill.ecs_throttled += 1;
                return Some(Remedy::Wait);
            }
            Call::StopTask => return (!limits.stops.take(now)).then_some(Remedy::Wait),
            Call::ReadRow(n) | Call::WriteBeside(n) => self.hold_key(limits, Key::Session(n), units),
            Call::WriteRow(n) => {
                self.hold_key(limits, Key::Session(n), (ROW_KB, 0));
                self.hold_key(limits, Key::Index(n % SHARDS), (2, 0));
            }
            Call::ReadShared | Call::WriteShared => self.hold_key(limits, Key::Shared, units),
            Call::ReadSession
            | Call::ScanSessions
            | Call::QueryIndex
            | Call::BatchGetRows
            | Call::RunTask
            | Call::PutEvents
            | Call::DeleteChannel
            | Call::SendMessage => {}
        }
        None
    }

    fn hold_key(&mut self, limits: &mut Limits, key: Key, units: (u64, u64)) {
        let (written, halves_read) = limits.use_key(key, self.now, units);
        self.bill.hottest_write = self.bill.hottest_write.max(written);
        self.bill.hottest_read = self.bill.hottest_read.max(halves_read / 2);
        if written > WRITES || halves_read / 2 > READS {
            self.bill.table_throttled += 1;
            let seen = format!("{key:?}: {written} write units and {} read units in a second", halves_read / 2);
            self.hold(0, Err(Violation::of(Invariant::NoQuotaIsExceeded, seen)));
        }
    }

    /// [`Invariant::NoQuotaIsExceeded`] of ECS: half of what an account may read, over five minutes.
    fn count_reads(&mut self, limits: &mut Limits) {
        let now = self.now;
        if now.since(limits.window.0) >= WINDOW_S * 1_000 {
            limits.window = (now, 0);
        }
        limits.window.1 += 1;
        let share = u64::try_from(ECS_READS * WINDOW_S / 2).unwrap_or(0);
        if limits.window.1 > share && self.incident.is_none() {
            let seen = format!("{} ECS reads within {WINDOW_S} s, of {share}", limits.window.1);
            self.hold(0, Err(Violation::of(Invariant::NoQuotaIsExceeded, seen)));
        }
    }

    /// A minute of heartbeats: each worker writes its row every two seconds; no index holds anything that they change.
    pub fn beats_of_a_minute(&mut self) {
        let (first, last) = self.active(0);
        let serving =
            self.sessions[first..last].iter().flat_map(|session| &session.tasks).filter(|task| task.writes()).count();
        let per_second = serving as u64 * ROW_KB / 2;
        self.bill.beat_units += per_second * 60;
        if self.broken_rule == Broken::HeartbeatsInTheIndex
            && let Some(mut limits) = self.limits.take()
        {
            self.hold_key(&mut limits, Key::Index(0), (per_second, 0));
            self.limits = Some(limits);
        }
    }
}

/// A lognormal time whose 99th percentile is ten times its median, ms.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of a call")]
fn latency(rng: &mut Rng, median_ms: f64) -> i64 {
    // The sum of twelve is normal enough, and the same on every machine.
    let sum: f64 = (0..12).map(|_| rng.between(0, 1_000_000) as f64 / 1_000_000.0).sum();
    let sigma = 10_f64.ln() / 2.326;
    (median_ms * ((sum - 6.0) * sigma).exp()).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_calls_take_the_median_and_one_in_a_hundred_ten_times_that() {
        let mut rng = Rng::new(1);
        let mut times: Vec<i64> = (0..100_000).map(|_| latency(&mut rng, 100.0)).collect();
        times.sort_unstable();
        assert!((98..=102).contains(&times[50_000]), "{}", times[50_000]);
        assert!((900..=1_100).contains(&times[99_000]), "{}", times[99_000]);
    }

    #[test]
    fn tokens_give_a_burst_and_then_their_rate() {
        let now = Timestamp(0);
        let mut limits = Limits::of_aws(now);
        let taken = |limits: &mut Limits, ms| (0..1_000).filter(|_| limits.reads.take(now.plus_ms(ms))).count();
        assert_eq!([taken(&mut limits, 0), taken(&mut limits, 1_000), taken(&mut limits, 60_000)], [100, 20, 100]);
    }
}
