//! Decides what one session needs now. Pure: no runtime, SDK, clock, environment or randomness.
//!
//! | module | what |
//! |---|---|
//! | [`triggers`] | any event that Lambda hands us → the sessions to look at |
//! | [`model`] | the facts: one session read afresh, and the policy |
//! | [`action`] | the plan: what to do, and when to look again |
//! | [`reconcile`](mod@reconcile) | composes the rules below into the one decision |
//! | [`run_rule`] | what the session row wishes |
//! | [`launch`] | the first and the next generation; what RunTask's answer means |
//! | [`liveness`] | a worker that runs, or is silent for too long |
//! | [`restart`] | how often, and how soon, a worker is replaced |
//! | [`settle`] | a task that has ended |
//! | [`drain`] | a worker that is asked to end |
//! | [`finished`] | a row in a final phase, and the new run that reopens it |
//! | [`orphans`] | tasks that no row speaks of any more |

pub mod action;
pub mod drain;
pub mod finished;
pub mod launch;
pub mod liveness;
pub mod model;
pub mod orphans;
pub mod reconcile;
pub mod restart;
pub mod run_rule;
pub mod settle;
pub mod triggers;

pub use reconcile::reconcile;

#[cfg(test)]
mod fixtures;
