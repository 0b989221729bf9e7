//! What has become of an order, and which a row can take.

use super::Change;
use super::words::verb;
use crate::text::utc;
use schemas::ids::Timestamp;
use schemas::operator::{Hold, Operator, Order, Verb};
use schemas::worker::{Phase, WorkerRow};

/// The hold that is in force.
#[must_use]
pub fn held(row: &WorkerRow, now: Timestamp) -> Option<&Hold> {
    row.operator.hold.as_ref().filter(|hold| hold.until > now)
}

/// What has become of the last order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has acted on it yet.
    Pending,
    /// The worker is asked to end because of it.
    UnderWay,
    /// A later decision satisfies it.
    Done,
}

/// What has become of this order, by the controller's own rules: a stop is done by a final phase or a newer run, a
/// replacement by a newer generation. A restart of an ended session waits to be begun again.
#[must_use]
pub fn fate(row: &WorkerRow, order: &Order) -> Fate {
    let ended = row.phase.is_final();
    let asked = row.phase == Phase::Draining || row.intent.as_ref().is_some_and(|i| i.desired.is_to_leave());
    let run = row.intent.as_ref().map(|intent| intent.wanted_since.unwrap_or(intent.decided_at));
    let done = match order.verb {
        Verb::Stop => ended || run.is_some_and(|since| since > order.signed.at),
        Verb::Restart => decided(row) >= order.signed.at || (ended && order.signed.at <= row.phase_since),
        Verb::Drain => ended || decided(row) >= order.signed.at,
        Verb::Unknown => ended,
    };
    if done {
        Fate::Done
    } else if asked && !ended {
        Fate::UnderWay
    } else {
        Fate::Pending
    }
}

/// When the generation was decided; a row without an intent has had none.
fn decided(row: &WorkerRow) -> Timestamp {
    row.intent.as_ref().map_or(Timestamp(0), |intent| intent.decided_at)
}

/// When an order for this row is signed: never before the generation that it is meant for, whatever this clock says.
#[must_use]
pub fn signed_at(row: &WorkerRow, now: Timestamp) -> Timestamp {
    now.max(decided(row).plus_ms(1))
}

/// The last order, while it is not carried out.
#[must_use]
pub fn pending(row: &WorkerRow) -> Option<(&Order, Fate)> {
    let order = row.operator.order.as_ref()?;
    Some((order, fate(row, order))).filter(|(_, fate)| *fate != Fate::Done)
}

/// When the order of a record was signed.
#[must_use]
pub fn signed_when(order: &Operator) -> Option<Timestamp> {
    let hold = order.hold.as_ref().map(|hold| hold.signed.at);
    hold.max(order.order.as_ref().map(|order| order.signed.at))
}

/// Why this row cannot take the order. A drain never takes the place of a stop or a restart, which ask for more; a restart
/// may take the place of a stop, and is how one is called back.
#[must_use]
pub fn refusal(row: &WorkerRow, change: &Change) -> Option<String> {
    let ended = row.phase.is_final();
    let given = pending(row).map(|(order, _)| order);
    match change {
        Change::Hold(_) => ended.then(|| "there is no worker to hold".to_owned()),
        Change::Order(order) => match order.verb {
            Verb::Stop => ended.then(|| "there is nothing to stop".to_owned()),
            Verb::Restart | Verb::Unknown => None,
            Verb::Drain if ended => Some("there is no worker to replace".to_owned()),
            Verb::Drain => given
                .filter(|given| given.verb != Verb::Drain)
                .map(|given| format!("the {} of {} asks for more than a drain", verb(given.verb), given.signed.by)),
        },
    }
}

/// How far an order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not done; the words change with each step.
    Waiting(String),
    /// Done.
    Done(String),
    /// It will not be done.
    Otherwise(String),
}

/// Compares the row with the order that somebody waits for.
#[must_use]
pub fn outcome(row: &WorkerRow, order: &Order, now: Timestamp) -> Outcome {
    if let Some(other) =
        row.operator.order.as_ref().filter(|other| *other != order && other.signed.at >= order.signed.at)
    {
        return Outcome::Otherwise(format!("{} of {} took its place", verb(other.verb), other.signed.by));
    }
    let replaced = decided(row) >= order.signed.at;
    let state = format!("generation {} is {:?}: {}", row.generation, row.phase, row.why.text);
    let ended = row.phase.is_final();
    let works = matches!(row.phase, Phase::WaitingForSpeaker | Phase::Live | Phase::Paused);
    match order.verb {
        Verb::Stop if ended => Outcome::Done(state),
        Verb::Restart | Verb::Drain if ended && fate(row, order) == Fate::Done => Outcome::Otherwise(state),
        Verb::Restart | Verb::Drain if replaced && works => Outcome::Done(state),
        Verb::Stop | Verb::Restart | Verb::Drain | Verb::Unknown => match held(row, now) {
            Some(hold) => Outcome::Waiting(format!("{state} (held by {} until {})", hold.signed.by, utc(hold.until))),
            None => Outcome::Waiting(state),
        },
    }
}
