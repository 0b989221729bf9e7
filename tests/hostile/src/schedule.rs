//! When each result is sent, and with which others.

use crate::switches::Misbehaviour;
use crate::telling::Dice;
use crate::wire::{Event, TranscriptResult};
use std::collections::BTreeMap;

/// A result waits so long for another one that shares its event, ms.
const COMPANY_MS: u64 = 500;
/// A final that lets others pass waits so long, ms: the next segment's first partials come in between.
const REORDER_MS: std::ops::RangeInclusive<u64> = 1_000..=2_000;
/// A final that is to be overtaken waits so long for the next one, ms.
const OVERTAKE_MS: u64 = 6_000;
/// A final comes again within so long, ms.
const AGAIN_MS: u64 = 2_500;

/// For what a result waits, beside its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    No,
    /// For another one, whose event it shares.
    Company,
    /// For partials of the next segment.
    Partials,
    /// For the next segment's final.
    Final,
}

#[derive(Debug)]
struct Sent {
    /// None: an event without results.
    result: Option<TranscriptResult>,
    waits: Waits,
}

/// What is on its way in one stream.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// By when they are due; the number keeps the order of those that are due at once.
    queue: BTreeMap<(u64, u64), Sent>,
    sequence: u64,
    /// When the last result of an id is due: none of its results comes before another.
    last_due: BTreeMap<String, u64>,
    last_final_due: u64,
}

impl Schedule {
    pub(crate) fn due(&self) -> Option<u64> {
        self.queue.keys().next().map(|(due, _)| *due)
    }

    pub(crate) fn last_due(&self) -> Option<u64> {
        self.queue.keys().next_back().map(|(due, _)| *due)
    }

    /// What is past is of no more use.
    pub(crate) fn forget_before(&mut self, now: u64) {
        self.last_due.retain(|_, due| *due >= now);
    }

    /// Whether nothing under this id is still to come.
    pub(crate) fn is_free(&self, id: &str) -> bool {
        !self.last_due.contains_key(id)
    }

    /// An event without results.
    pub(crate) fn nothing(&mut self, now: u64) {
        self.insert(now, Sent { result: None, waits: Waits::No });
    }

    /// A result that no other one waits for.
    pub(crate) fn tell(&mut self, result: TranscriptResult, now: u64, dice: &mut Dice) {
        let joins = dice.fall(Misbehaviour::Several);
        let (wait, waits) = if joins { (COMPANY_MS, Waits::Company) } else { (0, Waits::No) };
        let due = self.due_of(&result.result_id, now + wait);
        self.plan(due, result, waits);
    }

    /// The final of a segment; only one that was told before may be overtaken.
    pub(crate) fn tell_final(&mut self, result: TranscriptResult, told_before: bool, now: u64, dice: &mut Dice) {
        let late = if dice.does(Misbehaviour::LateFinal) { dice.switches.late_final_ms } else { 0 };
        let again = dice.does(Misbehaviour::Repeat).then(|| (result.clone(), dice.rng.u64(0..=AGAIN_MS)));
        let mut due = self.due_of(&result.result_id, (now + late).max(self.last_final_due));
        let one_waits = self.queue.values().any(|sent| sent.waits == Waits::Final);
        let waits = if told_before && !one_waits && dice.fall(Misbehaviour::Overtake) {
            due += OVERTAKE_MS;
            Waits::Final
        } else if dice.fall(Misbehaviour::Reorder) {
            due = due.max(now + dice.rng.u64(REORDER_MS));
            Waits::Partials
        } else {
            Waits::No
        };
        if waits != Waits::Final {
            self.last_final_due = due;
        }
        self.plan(due, result, waits);
        if let Some((result, after)) = again {
            self.plan(due + after, result, Waits::No);
        }
    }

    /// Not before what was told under this id.
    fn due_of(&self, id: &str, due: u64) -> u64 {
        self.last_due.get(id).map_or(due, |last| due.max(*last))
    }

    fn plan(&mut self, due: u64, result: TranscriptResult, waits: Waits) {
        self.last_due.insert(result.result_id.clone(), due);
        self.insert(due, Sent { result: Some(result), waits });
    }

    fn insert(&mut self, due: u64, sent: Sent) {
        self.sequence += 1;
        self.queue.insert((due, self.sequence), sent);
    }

    /// The next event, if it is to be sent by now.
    pub(crate) fn take(&mut self, now: u64, dice: &mut Dice) -> Option<Event> {
        let first = self.pop(now)?;
        let alone = first.waits != Waits::Company;
        let mut results: Vec<TranscriptResult> = first.result.into_iter().collect();
        // One that waits for company goes with this one, before or behind it: nothing lies between that it must not pass.
        let next = self.queue.first_key_value().map(|((due, _), next)| (*due <= now, next.waits == Waits::Company));
        let shares = next.is_some_and(|(is_due, joins)| joins || (is_due && !alone));
        if shares && !results.is_empty() {
            results.extend(self.queue.pop_first().and_then(|(_, sent)| sent.result));
        }
        if results.len() > 1 {
            dice.count(Misbehaviour::Several);
        }
        for result in &results {
            self.release(result, now, dice);
        }
        Some(Event { results })
    }

    fn pop(&mut self, now: u64) -> Option<Sent> {
        let key = self.queue.keys().next().copied().filter(|(due, _)| *due <= now)?;
        self.queue.remove(&key)
    }

    /// What has gone is what some wait for.
    fn release(&mut self, gone: &TranscriptResult, now: u64, dice: &mut Dice) {
        let other = |sent: &Sent| sent.result.as_ref().is_some_and(|waits| waits.result_id != gone.result_id);
        if gone.is_partial {
            for sent in self.queue.values_mut().filter(|sent| sent.waits == Waits::Partials && other(sent)) {
                sent.waits = Waits::No;
                dice.count(Misbehaviour::Reorder);
            }
        } else if !gone.items().is_empty() {
            let passed =
                self.queue.iter().find(|(_, sent)| sent.waits == Waits::Final && other(sent)).map(|(key, _)| *key);
            if let Some(sent) = passed.and_then(|key| self.queue.remove(&key)) {
                dice.count(Misbehaviour::Overtake);
                self.insert(now, Sent { waits: Waits::No, ..sent });
            }
        }
    }
}
