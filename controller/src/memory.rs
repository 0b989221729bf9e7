//! What a process remembers from one invocation to the next: nothing that a decision's truth rests on. A process that begins
//! anew, or beside another, is as right as this one; it only knows less of the queue.

use crate::metrics::Metrics;
use controller_core::admission::Bucket;
use controller_core::model::{Fleet, Policy};
use schemas::ids::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A count of the queue is good for so long, ms: two sweeps.
const QUEUE_IS_KNOWN_MS: i64 = 120_000;

/// The memory of one process.
#[derive(Debug)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    waiting: (u32, Timestamp),
    metrics: Metrics,
    session: Session,
    full_sweep_rows: usize,
}

/// Which session an invocation was about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Session {
    None,
    One(String),
    Many,
}

impl Memory {
    /// Of a process that has just begun.
    #[must_use]
    pub fn new(policy: &Policy, now: Timestamp) -> Self {
        let (bucket, metrics) = (Bucket::full(policy, now), Metrics::default());
        let inner = Inner { bucket, waiting: (0, now), metrics, session: Session::None, full_sweep_rows: 0 };
        Self { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a session that nobody has queued yet is told of the fleet: those that wait go first.
    pub(crate) fn fleet(&self, policy: &Policy, now: Timestamp) -> Fleet {
        let mut inner = self.lock();
        let (waiting, counted_at) = inner.waiting;
        let ahead = if now.since(counted_at) < QUEUE_IS_KNOWN_MS { waiting } else { 0 };
        Fleet { launches_left: inner.bucket.left(policy, now), ahead, handing_over: None }
    }

    /// What a session in the queue is told, when it is looked at in the order of the wishes.
    pub(crate) fn fleet_in_order(&self, handing_over: Option<u32>, policy: &Policy, now: Timestamp) -> Fleet {
        Fleet { launches_left: self.lock().bucket.left(policy, now), ahead: 0, handing_over }
    }

    /// RunTask was called.
    pub(crate) fn launch_was_asked(&self) {
        self.lock().bucket.take();
    }

    /// RunTask was throttled.
    pub(crate) fn launch_was_throttled(&self) {
        self.lock().bucket.empty();
    }

    /// So many sessions wait for their turn.
    pub(crate) fn queue_is(&self, waiting: usize, now: Timestamp) {
        let mut inner = self.lock();
        inner.waiting = (u32::try_from(waiting).unwrap_or(u32::MAX), now);
        inner.metrics.queue_depth = Some(waiting as u64);
    }

    /// How many rows the last complete sweep read.
    pub(crate) fn full_sweep_rows(&self) -> usize {
        self.lock().full_sweep_rows
    }

    /// A complete sweep read so many rows.
    pub(crate) fn full_sweep_read(&self, rows: usize) {
        self.lock().full_sweep_rows = rows;
    }

    /// Counts something.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Metrics)) {
        change(&mut self.lock().metrics);
    }

    /// A session is looked at.
    pub(crate) fn looks_at(&self, session: &str) {
        let mut inner = self.lock();
        inner.metrics.looks += 1;
        inner.session = match &inner.session {
            Session::None => Session::One(session.to_owned()),
            Session::One(known) if known == session => return,
            Session::One(_) | Session::Many => Session::Many,
        };
    }

    /// The metrics of the invocation that ends; the next one begins with none.
    pub fn take_metrics(&self) -> (Metrics, Option<String>) {
        let mut inner = self.lock();
        let session = match std::mem::replace(&mut inner.session, Session::None) {
            Session::One(session) => Some(session),
            Session::None | Session::Many => None,
        };
        (std::mem::take(&mut inner.metrics), session)
    }
}
