//! Whole sessions in virtual time: a scripted world answers everything that the engine wants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity, reason = "tests")]

mod delivery;
mod ending;
mod endurance;
mod joining;
mod streams;
mod text;
mod transcription;
mod world;
