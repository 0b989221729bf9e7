//! What the world's recogniser says, made hostile on its way to the worker: each stream by itself, from one seed.

use hostile_recogniser::wire::{Alternative, Event, Item, ItemType, TranscriptResult as Wire, transcript};
use hostile_recogniser::{Hostile, Pace, Switches};
use std::collections::{BTreeMap, VecDeque};
use worker_core::input::{StreamId, TranscriptItem, TranscriptResult};

/// A hostile service.
#[derive(Debug)]
pub struct Hostility {
    switches: Switches,
    seed: u64,
    streams: BTreeMap<StreamId, (Hostile, Pace)>,
    /// Results of one event, of which one comes after another.
    ready: VecDeque<(StreamId, TranscriptResult)>,
}

impl Hostility {
    pub fn new(switches: Switches, seed: u64) -> Self {
        Self { switches, seed, streams: BTreeMap::new(), ready: VecDeque::new() }
    }

    fn stream(&mut self, id: StreamId) -> &mut (Hostile, Pace) {
        let (switches, seed) = (self.switches, self.seed.wrapping_add(id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        self.streams.entry(id).or_insert_with(|| (Hostile::new(switches, seed), Pace::default()))
    }

    /// So much audio comes; when it is understood.
    pub fn hears(&mut self, id: StreamId, len_ms: u64, now: u64) -> u64 {
        let real_time = self.switches.real_time;
        let (_, pace) = self.stream(id);
        if real_time { pace.take(len_ms, now) } else { now }
    }

    pub fn tell(&mut self, id: StreamId, kind: &TranscriptResult, now: u64) {
        self.stream(id).0.hear(to_wire(kind), now);
    }

    pub fn due(&self) -> Option<u64> {
        let ready = self.ready.front().map(|_| 0);
        self.streams.values().filter_map(|(hostile, _)| hostile.due()).chain(ready).min()
    }

    /// When the last of what a stream still says is due.
    pub fn last_due(&self, id: StreamId) -> Option<u64> {
        self.streams.get(&id).and_then(|(hostile, _)| hostile.last_due())
    }

    pub fn take(&mut self, now: u64) -> Option<(StreamId, TranscriptResult)> {
        while self.ready.is_empty() {
            let next = self.streams.iter_mut().find_map(|(id, (hostile, _))| Some((*id, hostile.take(now)?)));
            let (id, Event { results }) = next?;
            self.ready.extend(results.into_iter().map(|result| (id, from_wire(result))));
        }
        self.ready.pop_front()
    }

    pub fn forget(&mut self, id: StreamId) {
        self.streams.remove(&id);
        self.ready.retain(|(of, _)| *of != id);
    }
}

fn to_wire(kind: &TranscriptResult) -> Wire {
    let item = |item: &TranscriptItem| Item {
        content: item.content.clone(),
        kind: if item.punctuation { ItemType::Punctuation } else { ItemType::Pronunciation },
        start_time: Some(item.start),
        end_time: Some(item.end),
        stable: Some(item.stable),
        more: Default::default(),
    };
    let items: Vec<Item> = kind.items.iter().map(item).collect();
    Wire {
        result_id: kind.result_id.clone(),
        start_time: kind.start,
        end_time: kind.end,
        is_partial: kind.is_partial,
        alternatives: vec![Alternative { transcript: transcript(&items), items: Some(items) }],
        more: Default::default(),
    }
}

/// As the shell reads it: the SDK gives 0 where the service gives no time.
fn from_wire(result: Wire) -> TranscriptResult {
    let item = |item: &Item| TranscriptItem {
        content: item.content.clone(),
        punctuation: item.kind == ItemType::Punctuation,
        start: item.start_time.unwrap_or(0.0),
        end: item.end_time.unwrap_or(0.0),
        stable: item.stable.unwrap_or(!result.is_partial),
    };
    TranscriptResult {
        items: result.items().iter().map(item).collect(),
        transcript: result.transcript().to_owned(),
        result_id: result.result_id,
        start: result.start_time,
        end: result.end_time,
        is_partial: result.is_partial,
        language: None,
    }
}
