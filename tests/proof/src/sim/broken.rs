//! Rules broken on purpose, in the world around the real handler: a simulation that cannot fail proves nothing.

use super::run::Setup;
use crate::invariants::Invariant;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Broken {
    /// Nothing.
    #[default]
    Nothing,
    /// A worker's write does not demand its generation.
    WorkerWithoutFence,
    /// A worker speaks whether or not its lease has been confirmed.
    WorkerWithoutLease,
    /// Listeners take the words of any worker.
    ListenersFollowAnybody,
    /// RunTask gets a new token with each call.
    FreshTokenPerCall,
    /// The schedule does not find who is wanted.
    WantedAreForgotten,
    /// A worker that does not end when asked is never stopped.
    DrainsAreNotStopped,
    /// Older tasks are never stopped.
    OrphansAreNotStopped,
    /// The controller's writes demand nothing of the row.
    WriteWithoutLock,
    /// RunTask starts the generation after the one that the row announces.
    LaunchAheadOfTheRow,
    /// Decisions do not know of holds.
    HoldsAreNotRead,
    /// A write is taken although a hold was written since its decision.
    HoldIsNoLock,
    /// Sweeps do not count who hands over.
    HandoversAreNotCounted,
    /// ECS calls a task STOPPED while its worker says its last words.
    EndsAreToldEarly,
    /// A task is taken for what its launch says, also when its worker has claimed a later generation.
    TasksAreTheirLaunches,
    /// That a session's worker failed is not held against its version.
    VersionsAreNotJudged,
    /// A word that is not known makes a row unreadable.
    WordsAreRefused,
    /// A session that is parked is never looked at again.
    ParkedAreForgotten,
    /// Nobody is told that others wait.
    NewcomersPass,
    /// The index of open rows has one key, and holds what heartbeats change.
    HeartbeatsInTheIndex,
    /// ECS is asked for each task that runs.
    EcsIsAskedForEach,
}

impl Broken {
    /// Those that are shown to be noticed, each with the invariant that must notice it.
    pub const ALL: [(Self, Invariant); 20] = [
        (Self::WorkerWithoutFence, Invariant::AtMostOneWriter),
        (Self::WorkerWithoutLease, Invariant::AtMostOneWriter),
        (Self::ListenersFollowAnybody, Invariant::ListenersFollowTheNewest),
        (Self::FreshTokenPerCall, Invariant::AtMostOneTaskPerGeneration),
        (Self::WantedAreForgotten, Invariant::LiveSessionEventuallyServed),
        (Self::DrainsAreNotStopped, Invariant::EndedSessionEventuallyEmpty),
        (Self::OrphansAreNotStopped, Invariant::NoOrphanOutlivesTwoSweeps),
        (Self::WriteWithoutLock, Invariant::ReasonNeverWorsens),
        (Self::LaunchAheadOfTheRow, Invariant::IntentBeforeEffect),
        (Self::HoldsAreNotRead, Invariant::HeldSessionUntouched),
        (Self::HoldIsNoLock, Invariant::HeldSessionUntouched),
        (Self::HandoversAreNotCounted, Invariant::OneHandoverAtATime),
        (Self::EndsAreToldEarly, Invariant::OldWorkerLeavesFirst),
        (Self::TasksAreTheirLaunches, Invariant::IntentBeforeEffect),
        (Self::VersionsAreNotJudged, Invariant::BadVersionCostsOneSession),
        (Self::WordsAreRefused, Invariant::RowsReadForward),
        (Self::ParkedAreForgotten, Invariant::FaultsOfOthersHeal),
        (Self::NewcomersPass, Invariant::QueueIsFair),
        (Self::HeartbeatsInTheIndex, Invariant::NoQuotaIsExceeded),
        (Self::EcsIsAskedForEach, Invariant::NoQuotaIsExceeded),
    ];

    /// The run in which it shows: with what AWS allows, if it is about that.
    #[must_use]
    pub fn setup(self, seed: u64) -> Setup {
        let setup = match self {
            Self::HeartbeatsInTheIndex | Self::EcsIsAskedForEach => Setup::fleet(seed, 1_200, 12 * 60_000),
            // For a minute more come than can be launched: whoever comes later finds a launch left now and then.
            Self::NewcomersPass => Setup { arrivals_ms: 60_000, ..Setup::fleet(seed, 2_000, 5 * 60_000) },
            Self::Nothing
            | Self::WorkerWithoutFence
            | Self::WorkerWithoutLease
            | Self::ListenersFollowAnybody
            | Self::FreshTokenPerCall
            | Self::WantedAreForgotten
            | Self::DrainsAreNotStopped
            | Self::OrphansAreNotStopped
            | Self::WriteWithoutLock
            | Self::LaunchAheadOfTheRow
            | Self::HoldsAreNotRead
            | Self::HoldIsNoLock
            | Self::HandoversAreNotCounted
            | Self::EndsAreToldEarly
            | Self::TasksAreTheirLaunches
            | Self::VersionsAreNotJudged
            | Self::WordsAreRefused
            | Self::ParkedAreForgotten => Setup::of(seed),
        };
        Setup { broken: self, ..setup }
    }

    /// By the name that a failing run prints.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().map(|(broken, _)| *broken).find(|broken| format!("{broken:?}") == name)
    }
}
