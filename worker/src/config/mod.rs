//! What a worker is told: by its environment, and by its session.
//!
//! | module | what |
//! |---|---|
//! | [`environment`] | the environment, parsed once |
//! | [`options`] | what one session asks of its captions, laid over it |
//! | [`settings`] | the values that both write |

pub mod environment;
pub mod options;
pub mod settings;

pub use environment::{Config, ConfigError};
