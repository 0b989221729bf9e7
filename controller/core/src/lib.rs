//! Decides what one session needs now. Pure: no runtime, SDK, clock, environment or randomness.
//!
//! | module | what |
//! |---|---|
//! | [`triggers`] | any event that Lambda hands us → the sessions to look at |
//! | [`model`] | the facts: one session read afresh, and the policy |
//! | [`action`] | the plan: what to do, and when to look again |
//! | [`reconcile`](mod@reconcile) | composes the rules below into the one decision |
//! | [`rule`] | which rule decided, for people |
//! | [`run_rule`] | what the session row wishes |
//! | [`order`] | what operators order: stop, restart, drain |
//! | [`hold`] | hands off what runs, on every path |
//! | [`capacity`] | what there is room for: the fleet as one dated value |
//! | [`admission`] | whose turn it is to launch |
//! | [`launch`] | the first and the next generation; what RunTask's answer means |
//! | [`liveness`] | a worker that runs, or is silent for too long |
//! | [`progress`] | a stage that does not take up what waits for it |
//! | [`interruption`] | a task that AWS takes away |
//! | [`handover`] | one worker ends its part, the next takes over |
//! | [`rollout`] | workers of an old task definition, one at a time |
//! | [`verdict`] | whether a version is good |
//! | [`relaunch`] | a restart of a launch whose worker has not spoken |
//! | [`restart`] | how often, and how soon, a worker is replaced |
//! | [`settle`] | a task that has ended |
//! | [`drain`] | a worker that is asked to end |
//! | [`finished`] | a row in a final phase, and the new run that reopens it |
//! | [`sight`] | what a decision has to read |
//! | [`strays`] | tasks that are nobody's: fenced ones, and two strikes for those that no row speaks of |
//! | [`batch`] | how rows are read by the hundred |
//! | [`channel`] | the signaling channel of a run that has ended |
//! | [`happening`] | what the bus is told |
//!
//! **A lease is not a launch.** A worker's identity is its lease `(session, generation)`: nothing here takes a task's ARN, its
//! `startedBy` or its token for the session's. What a task belongs to is read from `row.task` first ([`model::generation_of`]), and
//! every write of a worker is fenced by the generation alone. So a worker that crashed and was started again within its task takes the
//! next generation by one conditional write of its own, and every rule holds for it unchanged. (A standby task that claims a session
//! would need no more than that: generation + 1, and its own ARN as `task`.)

pub mod action;
pub mod admission;
pub mod batch;
pub mod capacity;
pub mod channel;
pub mod drain;
pub mod finished;
pub mod handover;
pub mod happening;
pub mod hold;
pub mod interruption;
pub mod launch;
pub mod liveness;
pub mod model;
pub mod order;
pub mod progress;
pub mod reconcile;
pub mod relaunch;
pub mod restart;
pub mod rollout;
pub mod rule;
pub mod run_rule;
pub mod settle;
pub mod sight;
pub mod strays;
pub mod triggers;
pub mod verdict;

pub use reconcile::reconcile;

#[cfg(test)]
mod fixtures;
