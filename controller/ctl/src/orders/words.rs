//! Orders in words: what was ordered, what became of it, what happens next.

use super::Change;
use super::fate::{Fate, fate, held, pending};
use crate::text::{age, duration, utc};
use schemas::ids::Timestamp;
use schemas::operator::{Operator, Order, Signed, Verb};
use schemas::worker::WorkerRow;

/// The verb as it is typed.
#[must_use]
pub fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Drain => "drain",
        Verb::Unknown => "order of a newer release, which this one does not carry out",
    }
}

/// Marks for a table: `held 1h59m`, `stop pending 4s`.
#[must_use]
pub fn marks(row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(hold) = held(row, now).filter(|_| !row.phase.is_final()) {
        marks.push(format!("held for {} by {}{}", duration(hold.until.since(now)), hold.signed.by, note(&hold.signed)));
    }
    if let Some((order, fate)) = pending(row) {
        let state = match fate {
            Fate::Pending => "pending",
            Fate::UnderWay => "under way",
            Fate::Done => "done",
        };
        let signed = &order.signed;
        marks.push(format!(
            "{} {state} since {}, by {}{}",
            verb(order.verb),
            age(signed.at, now),
            signed.by,
            note(signed)
        ));
    }
    marks
}

/// ` ("the note")`, or nothing.
#[must_use]
pub fn note(signed: &Signed) -> String {
    if signed.note.is_empty() { String::new() } else { format!(" ({:?})", signed.note) }
}

/// How many drains there may be at once.
fn turns(order: &Order) -> String {
    match order.at_once.unwrap_or(1) {
        0 | 1 => "one session at a time".to_owned(),
        n => format!("{n} sessions at a time"),
    }
}

/// The whole section, one sentence per line, past orders too.
#[must_use]
pub fn sentences(row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(hold) = &row.operator.hold {
        let signed = &hold.signed;
        let (when, by, note) = (utc(signed.at), &signed.by, note(signed));
        said.push(if hold.until <= signed.at {
            format!("released {when} by {by}{note}")
        } else if hold.until > now {
            format!(
                "held since {when} by {by}{note}, until {} ({} left)",
                utc(hold.until),
                duration(hold.until.since(now))
            )
        } else {
            format!("was held from {when} to {} by {by}{note}", utc(hold.until))
        });
    }
    if let Some(order) = &row.operator.order {
        let signed = &order.signed;
        let state = match fate(row, order) {
            Fate::Pending if held(row, now).is_some() => "waits until the hold ends".to_owned(),
            Fate::Pending if order.verb == Verb::Drain => format!("waits for its turn, {}", turns(order)),
            Fate::Pending => "not acted on yet".to_owned(),
            Fate::UnderWay => "under way".to_owned(),
            Fate::Done => "done".to_owned(),
        };
        said.push(format!("{} ordered {} by {}{}: {state}", verb(order.verb), utc(signed.at), signed.by, note(signed)));
    }
    said
}

/// The orders that the row no longer knows, a sentence each: a release takes the place of its hold there, an order that of
/// the one before.
#[must_use]
pub fn past(row: &WorkerRow, orders: &[Operator]) -> Vec<String> {
    let mut said = Vec::new();
    for order in orders {
        if let Some(hold) = order.hold.as_ref().filter(|hold| row.operator.hold.as_ref() != Some(*hold)) {
            let (when, by, note) = (utc(hold.signed.at), &hold.signed.by, note(&hold.signed));
            said.push(if hold.until <= hold.signed.at {
                format!("released {when} by {by}{note}")
            } else {
                format!("hold ordered {when} by {by}{note}, until {}", utc(hold.until))
            });
        }
        if let Some(order) = order.order.as_ref().filter(|order| row.operator.order.as_ref() != Some(*order)) {
            let signed = &order.signed;
            said.push(format!("{} ordered {} by {}{}", verb(order.verb), utc(signed.at), signed.by, note(signed)));
        }
    }
    said
}

/// What happens next, for the person who has just given the order.
#[must_use]
pub fn forecast(row: &WorkerRow, change: &Change, now: Timestamp) -> String {
    let looks = "The controller looks at once, within 60 s at the latest,";
    let instead = match pending(row) {
        Some((order, _)) if order.verb == Verb::Stop => {
            format!(" It takes the place of the stop of {}.", order.signed.by)
        }
        Some(_) | None => String::new(),
    };
    let hold = held(row, now);
    match change {
        Change::Hold(new) if new.until <= new.signed.at => match hold {
            Some(_) => format!("{looks} and then it may stop or replace the worker again."),
            None => "It was not held; nothing changes.".to_owned(),
        },
        Change::Hold(new) => format!(
            "Until {} no plan stops or replaces its worker; if the worker ends by itself, the next one follows. The hold ends by itself.",
            utc(new.until)
        ),
        Change::Order(_) if hold.is_some() => format!(
            "It is held{}: the order waits until the hold ends or `sessionctl release {}`.",
            hold.map(|h| format!(" by {} for another {}", h.signed.by, duration(h.until.since(now))))
                .unwrap_or_default(),
            row.session_id
        ),
        Change::Order(order) => match order.verb {
            Verb::Stop => format!(
                "{looks} and asks the worker to end; it flushes the last words, tells the listeners and exits (60 s at most). The run stays ended."
            ),
            Verb::Restart if row.phase.is_final() => {
                format!("{looks} and begins the run again, if the session's own row still wants it.")
            }
            Verb::Restart => {
                format!(
                    "{looks} and lets the worker hand over at once; captions pause for the time of a launch.{instead}"
                )
            }
            Verb::Drain => format!(
                "{looks} and when its turn comes, {}, the worker is replaced at a silence of the speaker, within a minute.",
                turns(order)
            ),
            Verb::Unknown => "Nobody carries it out.".to_owned(),
        },
    }
}

/// `blessed-shepherd-123: stop ordered by alice ("note").`, and what happens next.
#[must_use]
pub fn receipt(row: &WorkerRow, change: &Change, now: Timestamp) -> (String, String) {
    let (what, signed) = match change {
        Change::Hold(hold) if hold.until <= hold.signed.at => ("released".to_owned(), &hold.signed),
        Change::Hold(hold) => (format!("held for {}", duration(hold.until.since(hold.signed.at))), &hold.signed),
        Change::Order(order) => (format!("{} ordered", verb(order.verb)), &order.signed),
    };
    (format!("{}: {what} by {}{}.", row.session_id, signed.by, note(signed)), forecast(row, change, now))
}

/// A drained session is between two workers for so long, about, ms: up to 30 s until a silence, up to 45 s of a launch, and the wait for the
/// controller's next minute.
const DRAIN_MS: i64 = 120_000;

/// What a drain of so many sessions asks of whoever orders it.
#[must_use]
pub fn drain_question(sessions: usize, at_once: u32) -> String {
    let rounds = sessions.div_ceil(usize::try_from(at_once.max(1)).unwrap_or(1));
    let about = duration(i64::try_from(rounds).unwrap_or(i64::MAX).saturating_mul(DRAIN_MS));
    format!(
        "Replace the workers of {sessions} session(s), {at_once} at a time? That takes about {about}; captions of each pause for a launch."
    )
}

/// What a stop would end: `a-b-001 is Live since 7s, 2 listener(s)`.
#[must_use]
pub fn stakes(row: &WorkerRow, now: Timestamp) -> String {
    let listeners: u32 = row.worker.iter().flat_map(|w| w.languages.values()).map(|l| l.listeners).sum();
    let held =
        held(row, now).map_or_else(String::new, |hold| format!(", held by {}{}", hold.signed.by, note(&hold.signed)));
    format!("{} is {:?} since {}, {listeners} listener(s){held}", row.session_id, row.phase, age(row.phase_since, now))
}
