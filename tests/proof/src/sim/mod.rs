//! Thousands of sessions in virtual time, under seeded faults: the real handler, looks and sweeps of `controller`, with its
//! three capabilities in memory.
//!
//! | module | what |
//! |---|---|
//! | [`rng`] | the one source of chance |
//! | [`faults`] | how often AWS misbehaves, and how |
//! | [`broken`] | rules broken on purpose, to show that each invariant can fail |
//! | [`schedule`] | what happens next |
//! | [`tick`] | one tick over many sessions, call by call |
//! | [`shared`] | what controllers share beside the rows |
//! | [`world`] | what there is: sessions, rows, tasks, workers |
//! | [`lives`] | what is planned for a session when it begins |
//! | [`rows`] | what happens to the rows, with the table's conditions |
//! | [`workers`] | heartbeats, orders and ends of workers |
//! | [`again`] | a worker that is started again within its task, and claims the next generation |
//! | [`goals`] | what must hold of a session, always and in the end |
//! | [`releases`] | two releases side by side, and what the older one reads |
//! | [`ecs`] | what ECS does with its tasks |
//! | [`ports`] | the controller's capabilities; each call may fail, wait, or be the last of its invocation |
//! | [`physics`] | what AWS's calls take, cost and allow |
//! | [`aws`] | ECS, the bus, the channels and the timers |
//! | [`invocation`] | the invocations that are under way, call by call |
//! | [`run`] | one seed from its first session to its last |
//!
//! **Guarantees.** The same seed gives the same run, event by event. Two invocations interleave at each of their calls.
//!
//! **Abstractions.** The table's conditions are restated here (the real update expression has its own tests); a heartbeat is
//! computed when somebody reads it; a worker is Live from its first heartbeat; RunTask's answers are the classified ones.

pub mod again;
pub mod aws;
pub mod broken;
pub mod ecs;
pub mod faults;
pub mod goals;
pub mod invocation;
pub mod lives;
pub mod physics;
pub mod ports;
pub mod releases;
pub mod rng;
pub mod rows;
pub mod run;
pub mod schedule;
pub mod shared;
pub mod tick;
pub mod versions;
pub mod workers;
pub mod world;
