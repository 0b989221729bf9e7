//! One session's worker, without a socket or a clock.
//!
//! | module | what |
//! |---|---|
//! | [`input`] | everything that can happen |
//! | [`output`] | everything that can be wanted |
//! | [`time`] | the clock, which is an input |

pub mod input;
pub mod output;
pub mod time;
