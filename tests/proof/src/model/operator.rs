//! What operators order, as `sessionctl` writes it: the section `operator` and the time of the next look, on the condition that
//! the row stands. It raises no revision, so a controller that is at work may not have seen it.

use super::TICK;
use super::state::{State, age};
use crate::invariants::is_held;
use schemas::ids::Timestamp;
use schemas::operator::{Hold, Order, Signed, Verb};
use schemas::worker::WorkerRow;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hash;
use std::sync::Arc;

/// A hold lasts so long, ms.
pub const HOLD: i64 = 2 * TICK;

/// One order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ordered {
    /// Hands off, for [`HOLD`].
    Hold,
    /// The hold ends now.
    Release,
    /// End the worker; the run stays ended.
    Stop,
    /// Replace the worker now.
    Restart,
    /// Replace the worker at a silence.
    Drain,
}

/// What may be ordered of this row now.
pub fn orders(row: &WorkerRow, now: Timestamp) -> impl Iterator<Item = Ordered> {
    let hands = if is_held(row, now) { Ordered::Release } else { Ordered::Hold };
    [hands, Ordered::Stop, Ordered::Restart, Ordered::Drain].into_iter()
}

/// Writes an order into the row of the nth session.
pub fn give(state: &mut State, n: usize, order: Ordered) {
    let now = state.now;
    let Some(row) = &mut state.sessions[n].row else { return };
    set(Arc::make_mut(row), order, now, HOLD);
}

/// Writes an order into a row, a hold for so long. It is signed after the decision that it is meant to change.
pub fn set(row: &mut WorkerRow, order: Ordered, now: Timestamp, hold_ms: i64) {
    let decided = row.intent.as_ref().map_or(Timestamp(0), |intent| intent.decided_at);
    let signed = Signed { by: "ann".to_owned(), at: now.max(decided.plus_ms(1)), note: String::new() };
    let until = |ms| Some(Hold { until: now.plus_ms(ms), signed: signed.clone() });
    let of = |verb| Some(Order { verb, at_once: None, signed: signed.clone() });
    match order {
        Ordered::Hold => row.operator.hold = until(hold_ms),
        Ordered::Release => row.operator.hold = until(0),
        Ordered::Stop => row.operator.order = of(Verb::Stop),
        Ordered::Restart => row.operator.order = of(Verb::Restart),
        Ordered::Drain => row.operator.order = of(Verb::Drain),
    }
    if !row.phase.is_final() {
        row.next_look_at = Some(now);
    }
}

/// Everything of the operators' section that decisions depend on.
pub fn hash(row: &WorkerRow, now: Timestamp, hasher: &mut DefaultHasher) {
    let hold = row.operator.hold.as_ref().map(|hold| hold.until);
    age(hold, now, 0).hash(hasher);
    let Some(order) = &row.operator.order else { return };
    let at = order.signed.at;
    let since_then = |intent: &schemas::worker::Intent| {
        let wanted = intent.wanted_since.unwrap_or(intent.decided_at);
        (at > intent.decided_at, at >= wanted, age(Some(intent.decided_at), now, 0))
    };
    (order.verb, at > row.phase_since, age(Some(at), now, 3)).hash(hasher);
    row.intent.as_ref().map(since_then).hash(hasher);
}
