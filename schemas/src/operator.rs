//! What operators have ordered for one session: desired state in our row, audited, never a direct side effect.
//!
//! The section `operator` of the row is written by `sessionctl` alone (conditional on the row's existence, and it sets
//! `nextLookAt` to now so that the next sweep looks); the controller reads it like any other fact. An order is carried out
//! when a later decision satisfies it: a restart by an `intent.decidedAt` after its `at`, a stop by a final phase.

use crate::forward;
use crate::ids::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operators' section of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Operator {
    /// While it lasts, no plan stops or replaces anything of this session.
    pub hold: Option<Hold>,
    /// The last order.
    pub order: Option<Order>,
}

/// Hands off this session until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The hold ends by itself then.
    pub until: Timestamp,
    /// Who, when and why.
    #[serde(flatten)]
    pub signed: Signed,
}

/// Something that an operator wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// What.
    pub verb: Verb,
    /// Of a drain: so many sessions may hand over at the same time; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// Who, when and why.
    #[serde(flatten)]
    pub signed: Signed,
}

/// What an operator can order. A word of a newer release is read as [`Verb::Unknown`]: not carried out, and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum Verb {
    /// End the session's worker; the run stays ended.
    Stop,
    /// Replace the worker now.
    Restart,
    /// Replace the worker at a silence, or when the drain deadline has passed.
    Drain,
    /// An order that this version does not know; nobody gives it.
    #[schemars(skip)]
    Unknown,
}

forward::reads!(Verb, Unknown);

/// Who asked, when, and with which note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// Who asked: an AWS identity or a login name.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The note, possibly empty.
    pub note: String,
}
