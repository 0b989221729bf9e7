//! The controller's shell: reads one session, lets `controller_core` decide, and acts, intent first.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | the environment, parsed once |
//! | [`clients`] | the AWS clients, built once |
//! | [`ports`] | the capabilities that the handler asks for |
//! | [`remedy`] | what the errors of AWS mean, and what helps |
//! | `lease` | one sweep at a time |
//! | [`memory`] | what a process remembers, and nothing rests on |
//! | [`handler`] | event → sessions → look → response |
//! | [`look`] | one session: view → plan |
//! | [`act`] | a plan: its effects, intent first |
//! | [`tick`] | the schedule: bulk facts → the sessions that need a look |
//! | [`admit`] | whose turn it is to launch |
//! | [`timer`] | what cannot wait for the next tick |
//! | [`sqs`] | messages that come back after a delay |
//! | [`store`] | DynamoDB |
//! | [`ecs`] | ECS, and the one table of what RunTask's answers mean |
//! | [`events`] | EventBridge: what happened, for whoever wants to know |
//! | [`channels`] | KVS: signaling channels of ended runs |
//! | [`metrics`] | CloudWatch metrics as log lines |
//! | [`telemetry`] | JSON logs |
//!
//! **What wakes it.** The Sessions table's stream; our own table's stream, which the mapping filters to operators' orders (a
//! record of their own beside the row) and rows that end; ECS's task events; the schedule. Why a filtered stream and not a call
//! of `sessionctl`: the order and its trigger are one thing, whoever writes it needs no right on the function, a lost delivery is
//! retried and kept in the failure destination, and it costs nothing: Lambda's reads of a stream are free, and what a filter
//! drops is no invocation. An order within the row could not be told from a heartbeat by a filter, which compares with constants.
//!
//! The schedule alone suffices: every tick reads the open rows, the running tasks and the Sessions table in bulk, and looks at whoever needs it.
//! The scan reads each session row once a minute (half a read unit per 4 kB): at 10,000 rows of 1 kB about 1,250 read units a minute.

pub mod act;
pub mod admit;
pub mod channels;
pub mod clients;
pub mod config;
pub mod ecs;
pub mod events;
pub mod handler;
mod lease;
pub mod look;
pub mod memory;
pub mod metrics;
pub mod ports;
pub mod remedy;
pub mod sqs;
pub mod store;
pub mod telemetry;
pub mod tick;
pub mod timer;
