//! Orchestration: `local-stack run`, `up` and `doctor`.

pub mod command;
mod deploy;
pub mod doctor;
pub mod layout;
mod logs;
mod ports;
pub mod progress;
pub mod stack;
