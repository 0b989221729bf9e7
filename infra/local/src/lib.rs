//! AWS on one machine: small stand-ins that misbehave as AWS does, reached through the SDK's endpoint variables.

pub mod admin;
pub mod ecs;
pub mod emulator;
pub mod fault;
pub mod gateway;
pub mod guard;
pub mod kvs;
pub mod mapping;
pub mod network;
pub mod run;
pub mod standin;
pub mod table;
pub mod transcribe;
pub mod translate;
pub mod web;
