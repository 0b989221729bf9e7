//! Kind results in, hostile events out. Time is what the caller says it is.
//!
//! *Flow*: [`Hostile::hear`] takes a kind result and decides how it is told (`telling`), under which id and when (`schedule`);
//! [`Hostile::due`] says when the next event is to be sent, [`Hostile::take`] gives it. One [`Hostile`] serves one stream.

use crate::schedule::Schedule;
use crate::switches::{Misbehaviour, Switches};
use crate::telling::{Dice, Mode, Telling};
use crate::wire::{Alternative, Event, Item, TranscriptResult, transcript};
use std::collections::{BTreeMap, VecDeque};

pub use crate::telling::Counts;

/// A segment that lasts longer is told before its final, whatever is switched on.
const UNANNOUNCED_S: f64 = 3.0;
/// So many ids are remembered that may return.
const FINISHED: usize = 8;

/// A segment that is being told.
#[derive(Debug)]
struct Open {
    /// Its id, as it is told.
    name: String,
    telling: Telling,
    /// Partials told.
    partials: u64,
    unannounced: bool,
}

/// One stream.
#[derive(Debug)]
pub struct Hostile {
    dice: Dice,
    open: BTreeMap<String, Open>,
    schedule: Schedule,
    /// Ids whose final has come.
    finished: VecDeque<String>,
    noises: u64,
}

impl Hostile {
    /// The same seed and the same results give the same events.
    #[must_use]
    pub fn new(switches: Switches, seed: u64) -> Self {
        Self {
            dice: Dice { switches, rng: fastrand::Rng::with_seed(seed), counts: Counts::new() },
            open: BTreeMap::new(),
            schedule: Schedule::default(),
            finished: VecDeque::new(),
            noises: 0,
        }
    }

    /// What is switched on.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.dice.switches
    }

    /// Other switches from now on: what was told as stable stands.
    pub fn set(&mut self, switches: Switches) {
        self.dice.switches = switches;
    }

    /// How often each misbehaviour has occurred.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.dice.counts
    }

    /// When the next event is to be sent, ms.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.schedule.due()
    }

    /// When the last one of those that wait is to be sent, ms.
    #[must_use]
    pub fn last_due(&self) -> Option<u64> {
        self.schedule.last_due()
    }

    /// Takes in a kind result.
    pub fn hear(&mut self, kind: TranscriptResult, now_ms: u64) {
        self.schedule.forget_before(now_ms);
        let mut open = self.open.remove(&kind.result_id).unwrap_or_else(|| self.begin(&kind.result_id));
        if self.dice.does(Misbehaviour::EmptyEvent) {
            self.schedule.nothing(now_ms);
        }
        if kind.is_partial {
            self.partial(&kind, &mut open, now_ms);
            self.open.insert(kind.result_id, open);
        } else {
            self.last(&kind, open, now_ms);
        }
    }

    /// A segment that was not told of before.
    fn begin(&mut self, kind_id: &str) -> Open {
        let returns = if self.finished.is_empty() { false } else { self.dice.fall(Misbehaviour::ReturningId) };
        // Nothing of the earlier segment is still to come.
        let free = self.finished.iter().position(|id| self.schedule.is_free(id)).filter(|_| returns);
        let name = free.and_then(|at| self.finished.remove(at));
        if name.is_some() {
            self.dice.count(Misbehaviour::ReturningId);
        }
        Open {
            name: name.unwrap_or_else(|| kind_id.to_owned()),
            telling: Telling::default(),
            partials: 0,
            unannounced: self.dice.fall(Misbehaviour::Unannounced),
        }
    }

    fn partial(&mut self, kind: &TranscriptResult, open: &mut Open, now: u64) {
        if open.unannounced && kind.end_time - kind.start_time < UNANNOUNCED_S {
            self.dice.count(Misbehaviour::Unannounced);
            return;
        }
        if self.dice.does(Misbehaviour::Itemless) {
            // What was not told is not stable: the segment stays as it was.
            let items = open.telling.clone().tell(kind.items(), Mode::Partial, &mut self.dice);
            self.send(told(kind, &open.name, &items, Items::Left), now);
            return;
        }
        let items = open.telling.tell(kind.items(), Mode::Partial, &mut self.dice);
        open.partials += 1;
        let result = told(kind, &open.name, &items, Items::Told);
        let again = self.dice.does(Misbehaviour::Repeat).then(|| result.clone());
        self.send(result, now);
        if let Some(result) = again {
            self.send(result, now);
        }
    }

    fn last(&mut self, kind: &TranscriptResult, mut open: Open, now: u64) {
        if self.dice.does(Misbehaviour::Noise) {
            self.noises += 1;
            let (id, nothing) =
                (format!("noise-{}", self.noises), TranscriptResult { end_time: kind.start_time, ..kind.clone() });
            self.send(told(&nothing, &id, &[], Items::Told), now);
        }
        // Without flags nothing can be told as stable.
        let settles = !open.unannounced && kind.items().iter().all(|item| item.stable.is_some());
        let (empty, itemless) = (Misbehaviour::EmptyFinal, Misbehaviour::Itemless);
        let how = [empty, itemless].into_iter().find(|what| settles && self.dice.does(*what));
        let result = if let Some(how) = how {
            let items = open.telling.tell(kind.items(), Mode::Settling, &mut self.dice);
            let partial = TranscriptResult { is_partial: true, ..kind.clone() };
            self.send(told(&partial, &open.name, &items, Items::Told), now);
            let left =
                if how == empty { Vec::new() } else { open.telling.tell(kind.items(), Mode::Final, &mut self.dice) };
            told(kind, &open.name, &left, if how == empty { Items::Told } else { Items::Left })
        } else {
            let items = open.telling.tell(kind.items(), Mode::Final, &mut self.dice);
            told(kind, &open.name, &items, Items::Told)
        };
        self.schedule.tell_final(result, open.partials > 0, now, &mut self.dice);
        self.finished.push_back(open.name);
        if self.finished.len() > FINISHED {
            self.finished.pop_front();
        }
    }

    fn send(&mut self, result: TranscriptResult, now: u64) {
        self.schedule.tell(result, now, &mut self.dice);
    }

    /// The next event, if it is to be sent by now.
    pub fn take(&mut self, now_ms: u64) -> Option<Event> {
        self.schedule.take(now_ms, &mut self.dice)
    }
}

/// All events that one stream sends for these kind results, each with its moment, and what occurred.
#[must_use]
pub fn events(switches: Switches, seed: u64, kind: Vec<(u64, TranscriptResult)>) -> (Vec<(u64, Event)>, Counts) {
    let (mut hostile, mut all) = (Hostile::new(switches, seed), Vec::new());
    for (at, result) in kind {
        drain(&mut hostile, at, &mut all);
        hostile.hear(result, at);
    }
    drain(&mut hostile, u64::MAX, &mut all);
    (all, hostile.dice.counts)
}

fn drain(hostile: &mut Hostile, until: u64, all: &mut Vec<(u64, Event)>) {
    while let Some(due) = hostile.due().filter(|due| *due <= until) {
        all.extend(hostile.take(due).map(|event| (due, event)));
    }
}

/// Whether an alternative has its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Items {
    Told,
    Left,
}

/// The kind result, told with these items.
fn told(kind: &TranscriptResult, id: &str, items: &[Item], how: Items) -> TranscriptResult {
    let start = items.iter().find_map(|item| item.start_time).unwrap_or(kind.start_time);
    let end = items.iter().filter_map(|item| item.end_time).fold(kind.end_time, f64::max);
    let listed = match how {
        Items::Told => Some(items.to_vec()),
        Items::Left => None,
    };
    TranscriptResult {
        result_id: id.to_owned(),
        start_time: start,
        end_time: end,
        is_partial: kind.is_partial,
        alternatives: vec![Alternative { transcript: transcript(items), items: listed }],
        more: kind.more.clone(),
    }
}
