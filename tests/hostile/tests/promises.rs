//! What the service promises is kept whatever is switched on: what a worker loses under them is the worker's fault.
#![allow(clippy::unwrap_used, reason = "tests")]

use hostile_recogniser::hostile::events;
use hostile_recogniser::kind::{Spoken, results, talk};
use hostile_recogniser::spelled::{Place, SPELLINGS, Spelling};
use hostile_recogniser::wire::{Item, TranscriptResult, ms};
use hostile_recogniser::{Misbehaviour, Switches};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Run {
    spelling: Spelling,
    switches: Switches,
    places: Vec<Place>,
    words: Vec<Spoken>,
    /// When the kind recogniser told the final of each sentence.
    finals_at: Vec<u64>,
    results: Vec<(u64, TranscriptResult)>,
}

fn run(spelling: Spelling, sentences: &[usize], switches: Switches, seed: u64) -> Run {
    let sentences: Vec<_> = sentences.iter().map(|words| (*words, 1_000)).collect();
    let (words, places) = talk(&spelling, &sentences);
    let kind = results(&words);
    let finals_at = kind.iter().filter(|(_, result)| !result.is_partial).map(|(at, _)| *at).collect();
    let (events, _) = events(switches, seed, kind);
    let results = events.into_iter().flat_map(|(at, event)| event.results.into_iter().map(move |result| (at, result)));
    Run { spelling, switches, places, words, finals_at, results: results.collect() }
}

/// One segment as it was told: from its first result to the last, its repeats included.
type Segment<'a> = Vec<&'a TranscriptResult>;

impl Run {
    /// The segments, in the order of their begin. After a final, an id names the same final again or a new segment.
    fn segments(&self) -> Vec<Segment<'_>> {
        let mut all: Vec<Segment> = Vec::new();
        let mut current: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, result) in &self.results {
            let known = current.get(result.result_id.as_str()).copied();
            let goes_on = known.filter(|at| {
                let last = all[*at].last().unwrap();
                last.is_partial || *last == result
            });
            let at = goes_on.unwrap_or_else(|| {
                all.push(Vec::new());
                all.len() - 1
            });
            all[at].push(result);
            current.insert(&result.result_id, at);
        }
        all
    }

    /// The words that each segment stands for: those of its final, or those that were stable when the final has none.
    fn stands_for(segment: &Segment) -> Vec<String> {
        let mut words: Vec<Item> = Vec::new();
        for result in segment {
            let items = result.items();
            if !result.is_partial && !items.is_empty() {
                words = items.to_vec();
            } else {
                let stable: Vec<Item> = items.iter().filter(|item| item.stable == Some(true)).cloned().collect();
                words = if stable.len() >= words.len() { stable } else { words };
            }
        }
        words.into_iter().filter(Item::is_word).map(|item| item.content).collect()
    }

    fn rate(&self, what: Misbehaviour) -> f64 {
        self.switches.rate(what)
    }

    fn each_word_is_in_exactly_one_segment(&self) {
        let mut segments: Vec<Segment> = self.segments();
        segments.retain(|segment| !Self::stands_for(segment).is_empty());
        segments.sort_by_key(|segment| ms(segment.iter().map(|result| result.start_time).fold(0.0, f64::max)));
        let text = segments.iter().flat_map(Self::stands_for).collect::<Vec<_>>().join(" ");
        let score = self.spelling.score(&self.places, &text);
        assert!(score.is_whole(), "{score:?}");
        if self.rate(Misbehaviour::Contradict) == 0.0 {
            assert!(score.changed.is_empty(), "{score:?}");
        }
    }

    fn a_stable_item_stands(&self) {
        for segment in self.segments() {
            let mut promised: Vec<&Item> = Vec::new();
            for result in segment {
                let items = result.items();
                for (before, now) in promised.iter().zip(items) {
                    assert_eq!(before.kind, now.kind, "{promised:?} then {items:?}");
                    if self.rate(Misbehaviour::Contradict) == 0.0 {
                        assert_eq!(before.content, now.content, "{promised:?} then {items:?}");
                    }
                }
                let stable: Vec<&Item> = items.iter().take_while(|item| item.stable == Some(true)).collect();
                assert!(
                    items.iter().skip(stable.len()).all(|item| item.stable == Some(false)),
                    "a stable prefix: {items:?}"
                );
                let fewer = items.len() < promised.len() && !items.is_empty();
                assert!(
                    !fewer || self.rate(Misbehaviour::ShrinkStable) > 0.0 && result.is_partial,
                    "{promised:?} then {items:?}"
                );
                promised = if stable.len() >= promised.len() { stable } else { promised };
            }
        }
    }

    fn each_segment_ends_with_one_final(&self) {
        let told: BTreeSet<usize> = (0..self.finals_at.len()).collect();
        let segments = self.segments();
        let spoken = segments.iter().filter(|segment| !Self::stands_for(segment).is_empty());
        assert_eq!(spoken.count(), told.len());
        for segment in &segments {
            let last = segment.iter().position(|result| !result.is_partial).unwrap();
            assert!(segment[last..].iter().all(|result| result == &segment[last]), "only the same final again");
        }
    }

    fn times_move_so_far_at_most_and_begins_never_go_back(&self) {
        let most = if self.rate(Misbehaviour::Retime) > 0.0 { self.switches.retime_ms } else { 0 };
        let begins: BTreeMap<String, u64> = self.words.iter().map(|word| (word.text.clone(), word.start_ms)).collect();
        for (_, result) in &self.results {
            let starts: Vec<u64> = result.items().iter().filter_map(|item| item.start_time).map(ms).collect();
            assert!(starts.is_sorted(), "{starts:?}");
            for item in result.items().iter().filter(|item| item.is_word()) {
                if let Some((start, true)) = item.start_time.zip(Some(begins.contains_key(&item.content))) {
                    assert!(ms(start).abs_diff(begins[&item.content]) <= most, "{item:?}");
                }
                assert!(item.end_time >= item.start_time);
            }
        }
    }

    fn nothing_comes_later_than_it_may(&self) {
        let sum = |what: Misbehaviour, ms: u64| if self.rate(what) > 0.0 { ms } else { 0 };
        let most = sum(Misbehaviour::LateFinal, self.switches.late_final_ms)
            + sum(Misbehaviour::Reorder, 2_000)
            + sum(Misbehaviour::Several, 1_000)
            + sum(Misbehaviour::Repeat, 2_500)
            + sum(Misbehaviour::Overtake, 6_000);
        let latest = self.results.iter().map(|(at, _)| *at).max().unwrap();
        assert!(latest <= self.finals_at.last().unwrap() + most, "{latest} {:?}", self.finals_at.last());
    }

    fn finals_keep_their_order(&self) {
        if self.rate(Misbehaviour::Overtake) > 0.0 {
            return;
        }
        let mut seen = BTreeSet::new();
        let firsts = self.results.iter().filter(|(_, result)| !result.is_partial && !result.items().is_empty());
        let words: Vec<&str> =
            firsts.map(|(_, result)| result.items()[0].content.as_str()).filter(|word| seen.insert(*word)).collect();
        let place = |word: &str| {
            self.words.iter().position(|spoken| spoken.text.starts_with(word) || word.starts_with(&spoken.text))
        };
        let places: Vec<usize> = words.into_iter().filter_map(place).collect();
        assert!(places.is_sorted(), "{places:?}");
    }

    fn check(&self) {
        self.each_word_is_in_exactly_one_segment();
        self.a_stable_item_stands();
        self.each_segment_ends_with_one_final();
        self.times_move_so_far_at_most_and_begins_never_go_back();
        self.nothing_comes_later_than_it_may();
        self.finals_keep_their_order();
    }
}

fn switches() -> impl Strategy<Value = Switches> {
    let rate = prop_oneof![2 => Just(0.0), 2 => 0.0..0.3, 1 => 0.3..=1.0];
    let any = (prop::collection::vec(rate, Misbehaviour::all().count()), 0..=400_u64).prop_map(|(rates, retime_ms)| {
        let mut off = Switches::off();
        off.retime_ms = retime_ms;
        Misbehaviour::all().zip(rates).fold(off, |all, (what, rate)| all.with(what, rate))
    });
    prop_oneof![
        1 => Just(Switches::gentle()),
        2 => Just(Switches::hostile()),
        2 => Just(Switches::worst()),
        6 => any,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_the_service_promises_is_kept_whatever_is_switched_on(
        spelling in prop::sample::select(SPELLINGS.to_vec()),
        sentences in prop::collection::vec(1..14_usize, 1..8),
        switches in switches(),
        seed in any::<u64>(),
    ) {
        run(spelling, &sentences, switches, seed).check();
    }

    #[test]
    fn the_same_seed_says_the_same(switches in switches(), seed in any::<u64>()) {
        let once = || run(SPELLINGS[0], &[5, 9, 2], switches, seed).results;
        prop_assert_eq!(once(), once());
    }
}
