//! Which rule decided a plan: for people, who ask why nothing (or something) was done.

/// A rule of [`crate::reconcile`](mod@crate::reconcile), in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A session without a row of ours ([`crate::launch`], [`crate::strays`]).
    FirstSight,
    /// A row in a final phase ([`crate::finished`], [`crate::channel`]).
    Finished,
    /// The task has ended ([`crate::settle`], [`crate::restart`]).
    TaskEnded,
    /// A worker that was asked to end is waited for ([`crate::drain`]).
    Draining,
    /// A stop came while the worker handed over ([`crate::handover`]).
    HandoverEnds,
    /// Nothing is wanted any more: the worker is asked to end ([`crate::run_rule`], [`crate::drain`]).
    Stop,
    /// The id was given to another run ([`crate::run_rule`]).
    Replaced,
    /// An operator's restart of a launch ([`crate::order`]).
    Restart,
    /// The turn of a session that waits ([`crate::admission`], [`crate::launch`]).
    Queue,
    /// A launch under way ([`crate::launch`]).
    Launch,
    /// A worker that runs, or is silent for too long ([`crate::liveness`]).
    Liveness,
    /// AWS takes the task away ([`crate::interruption`]).
    Interruption,
    /// An order, a rollout or a stuck stage lets the worker hand over ([`crate::handover`]).
    Handover,
    /// What the worker is told, pause and expiry, differs from what the row wants ([`crate::liveness`]).
    Intent,
    /// ECS says something new of the task ([`crate::settle`]).
    Facts,
    /// What the session says of its version is noted first ([`crate::verdict`]).
    Verdict,
    /// Something would have been stopped or replaced, and a hold forbids it ([`crate::hold`]).
    Hold,
}

impl Rule {
    /// The rule as a noun, for a sentence.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::FirstSight => "first sight",
            Self::Finished => "finished run",
            Self::TaskEnded => "ended task",
            Self::Draining => "drain",
            Self::HandoverEnds => "handover that becomes an end",
            Self::Stop => "stop",
            Self::Replaced => "replaced session",
            Self::Restart => "restart",
            Self::Queue => "queue",
            Self::Launch => "launch",
            Self::Liveness => "liveness",
            Self::Interruption => "interruption",
            Self::Handover => "handover",
            Self::Intent => "run rule",
            Self::Facts => "task facts",
            Self::Verdict => "verdict on a version",
            Self::Hold => "hold",
        }
    }
}
