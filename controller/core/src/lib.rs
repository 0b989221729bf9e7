//! Decides what one session needs now.

pub mod action;
pub mod model;
