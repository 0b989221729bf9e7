//! Proofs about the controller: the real decisions, in worlds where everything happens that AWS documents.
//!
//! | module | what |
//! |---|---|
//! | [`invariants`] | what always holds, by name |
//! | [`checker`] | explores every state of a small world |
//! | [`model`] | the small world |
//! | [`exit`], `obey` | what a worker's process does in both worlds |
//! | `sim` | thousands of sessions in virtual time (feature `shell`) |
#![allow(clippy::expect_used, reason = "a proof that cannot set up its world has failed")]

pub mod checker;
pub mod exit;
pub mod invariants;
pub mod model;
mod obey;
#[cfg(feature = "shell")]
pub mod sim;
