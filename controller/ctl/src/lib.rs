//! The operator's tool: what runs, why, and a rehearsal of a whole session.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`commands`] | the verbs: read, ask the pure modules below, print |
//! | [`error`] | what can go wrong, with exit code and remedy |
//! | [`aws`] | clients and names |
//! | [`store`] | the rows of `SessionWorkers-{env}` |
//! | [`definitions`] | task definitions: the current one, old workers, sizes |
//! | [`board`], [`filter`] | `list`: one line per session, and which |
//! | [`concerns`] | what is not fine about a session |
//! | [`show`], [`why`] | one session, in full and in one paragraph |
//! | [`orders`] | operators' orders: what is written, and what became of it |
//! | [`versions`] | `rollout`: what is known of the versions of the worker |
//! | [`replay`] | a stored decision, decided again |
//! | [`money`], [`bill`] | what a generation has cost, and `cost` |
//! | [`preflight`] | what must be in place, looked at without a change |
//! | [`voice`] | how the speaker sounds, in a line |
//! | [`evaluate`] | how good the judgements of the voice are on your corpus |
//! | [`text`] | durations and widths for people |
//! | [`rehearse`] | a whole session with a speaker and listeners, and its report card |

pub mod aws;
pub mod bill;
pub mod board;
pub mod cli;
pub mod commands;
pub mod concerns;
pub mod definitions;
pub mod error;
pub mod evaluate;
pub mod filter;
pub mod money;
pub mod orders;
pub mod preflight;
pub mod rehearse;
pub mod replay;
pub mod show;
pub mod store;
pub mod text;
pub mod versions;
pub mod voice;
pub mod why;
