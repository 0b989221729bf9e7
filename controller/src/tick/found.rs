//! What a tick finds in its facts.

use crate::look::Hints;
use controller_core::action::{Action, Plan};
use controller_core::capacity::Lanes;
use controller_core::verdict::Evidence;
use controller_core::{handover, order, rollout};
use schemas::ids::SessionId;
use schemas::operator::Verb;
use schemas::session::SessionRecord;
use schemas::worker::WorkerRow;
use std::collections::{BTreeMap, BTreeSet};

/// Who needs a look, and what was counted.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sessions that need a look, with what is known of their tasks.
    pub(super) looks: BTreeMap<SessionId, Hints>,
    /// Of these, those that were found only in the session service's table.
    pub(super) missed: BTreeMap<SessionId, SessionRecord>,
    /// Sessions that a drain or a rollout waits for.
    pub(super) candidates: BTreeMap<SessionId, Candidate>,
    /// Open rows.
    pub(super) open: usize,
    /// Whether a worker says that Transcribe gives it no stream.
    pub(super) without_stream: bool,
    /// Whether some rows could not be read: then nobody has counted.
    pub(super) is_partial: bool,
    /// Versions that a session was found to speak for: the others need not say the same.
    baked: BTreeSet<String>,
    rolling: u32,
    draining: u32,
}

/// What lets a session hand over when there is a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// A drain that lets so many go at once.
    Drain(u32),
    /// A rollout.
    Rollout,
}

impl Candidate {
    /// What this row waits for, if anything: `rolls` says whether its version is not the one that is wanted.
    pub(super) fn of(row: &WorkerRow, rolls: bool) -> Option<Self> {
        let drain = order::pending(row, Verb::Drain).map(|order| Self::Drain(order.at_once.unwrap_or(1).max(1)));
        drain.or(rolls.then_some(Self::Rollout))
    }

    pub(super) fn has_a_place(self, lanes: Lanes) -> bool {
        match self {
            Self::Drain(at_once) => lanes.drains.is_some_and(|others| others < at_once),
            Self::Rollout => lanes.rollout == Some(0),
        }
    }
}

impl Found {
    /// Nobody yet, among so many open rows.
    pub(super) fn among(open: usize) -> Self {
        Self { open, ..Self::default() }
    }

    /// Counts an open row.
    pub(super) fn count(&mut self, row: &WorkerRow) {
        self.rolling += u32::from(rollout::counts(row.phase, row.why.cause));
        self.draining += u32::from(handover::takes_a_place(row.phase, row.why.cause));
    }

    /// Whether this plan does anything that no plan before it does for all.
    pub(super) fn has_something_new(&mut self, plan: &Plan) -> bool {
        match &plan.actions[..] {
            [] => false,
            [Action::Judge(Evidence::Baked { version })] => self.baked.insert(version.clone()),
            _ => true,
        }
    }

    /// This session needs a look.
    pub(super) fn look(&mut self, id: SessionId) -> &mut Hints {
        self.looks.entry(id).or_default()
    }

    pub(super) fn lanes(&self) -> Lanes {
        if self.is_partial {
            return Lanes::default();
        }
        Lanes { rollout: Some(self.rolling), drains: Some(self.draining) }
    }
}
