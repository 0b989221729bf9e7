//! The operator's tool: what runs, why, and a rehearsal of a whole session.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`error`] | what can go wrong, with exit code and remedy |
//! | [`aws`] | clients and names |
//! | [`store`] | the rows of `SessionWorkers-{env}` |
//! | [`board`] | `list`: one line per session |
//! | [`show`], [`why`] | one session, in full and in one paragraph |
//! | [`money`] | what a session has cost |
//! | [`text`] | durations and widths for people |
//! | [`rehearse`] | a whole session with a speaker and listeners, and its report card |

pub mod aws;
pub mod board;
pub mod cli;
pub mod commands;
pub mod error;
pub mod money;
pub mod rehearse;
pub mod show;
pub mod store;
pub mod text;
pub mod why;
