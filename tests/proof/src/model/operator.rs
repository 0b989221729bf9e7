//! What operators wish, as `sessionctl` writes it: the section `operator` and the time of the next look, on the condition that
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

/// One wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wished {
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

/// What may be wished of this row now.
pub fn wishes(row: &WorkerRow, now: Timestamp) -> impl Iterator<Item = Wished> {
    let hands = if is_held(row, now) { Wished::Release } else { Wished::Hold };
    [hands, Wished::Stop, Wished::Restart, Wished::Drain].into_iter()
}

/// Writes a wish into the row of the nth session.
pub fn wish(state: &mut State, n: usize, wished: Wished) {
    let now = state.now;
    let Some(row) = &mut state.sessions[n].row else { return };
    set(Arc::make_mut(row), wished, now, HOLD);
}

/// Writes a wish into a row, a hold for so long. It is signed after the decision that it is meant to change.
pub fn set(row: &mut WorkerRow, wished: Wished, now: Timestamp, hold_ms: i64) {
    let decided = row.intent.as_ref().map_or(Timestamp(0), |intent| intent.decided_at);
    let signed = Signed { by: "ann".to_owned(), at: now.max(decided.plus_ms(1)), note: String::new() };
    let until = |ms| Some(Hold { until: now.plus_ms(ms), signed: signed.clone() });
    let order = |verb| Some(Order { verb, at_once: None, signed: signed.clone() });
    match wished {
        Wished::Hold => row.operator.hold = until(hold_ms),
        Wished::Release => row.operator.hold = until(0),
        Wished::Stop => row.operator.order = order(Verb::Stop),
        Wished::Restart => row.operator.order = order(Verb::Restart),
        Wished::Drain => row.operator.order = order(Verb::Drain),
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
