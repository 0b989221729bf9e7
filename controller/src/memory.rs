//! What a process remembers from one invocation to the next: nothing that a decision's truth rests on. A process that begins
//! anew, or beside another, is as right as this one.

mod rest;

use crate::metrics::Metrics;
use rest::Resting;
use schemas::ids::{SessionId, Timestamp};
use schemas::rollout::Rollout;
use schemas::session::SessionRecord;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is remembered of the versions is good for so long, ms: whatever is decided from it is decided again with what the table says.
const VERSIONS_LAST_MS: i64 = 60_000;

/// The memory of one process.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    metrics: Metrics,
    session: Session,
    versions: Option<(Rollout, Timestamp)>,
    resting: Resting,
    handovers: u64,
}

/// Which session an invocation was about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Session {
    #[default]
    None,
    One(String),
    Many,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was known of the versions when they were last read, unless that is long ago.
    pub(crate) fn versions(&self, now: Timestamp) -> Option<Rollout> {
        let inner = self.lock();
        let (known, _) = inner.versions.as_ref().filter(|(_, at)| now.since(*at) < VERSIONS_LAST_MS)?;
        Some(known.clone())
    }

    /// The versions were read.
    pub(crate) fn versions_are(&self, known: &Rollout, now: Timestamp) {
        self.lock().versions = Some((known.clone(), now));
    }

    /// Whether the last net has seen that a session of this record needs nothing for now.
    pub(crate) fn rests(&self, id: &SessionId, record: &SessionRecord, now: Timestamp) -> bool {
        self.lock().resting.rests(id, record, now)
    }

    /// The last net has looked at a session of this record, and it went well.
    pub(crate) fn looked_at(&self, id: &SessionId, record: &SessionRecord, now: Timestamp) {
        self.lock().resting.looked_at(id, record, now);
    }

    /// A row was written whose worker hands over.
    pub(crate) fn count_handover(&self) {
        self.lock().handovers += 1;
    }

    /// How many such rows were written so far.
    pub(crate) fn handovers(&self) -> u64 {
        self.lock().handovers
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
