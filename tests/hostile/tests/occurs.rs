//! Each misbehaviour occurs, alone, and looks as it should.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use hostile_recogniser::hostile::{Counts, events};
use hostile_recogniser::kind::{Spoken, results, talk};
use hostile_recogniser::spelled::ENGLISH;
use hostile_recogniser::wire::{Event, Item, TranscriptResult};
use hostile_recogniser::{Misbehaviour, Switches};

/// The events of a talk of four sentences with eight words each.
fn told(switches: Switches) -> (Vec<(u64, Event)>, Counts) {
    let (words, _) = talk(&ENGLISH, &[(8, 1_000); 4]);
    events(switches, 1, results(&words))
}

/// Its results, if nothing but this is wrong, whenever it can be.
fn only(what: Misbehaviour) -> Vec<TranscriptResult> {
    let (events, counts) = told(Switches::only(what));
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [what], "it occurs, and nothing else");
    events.into_iter().flat_map(|(_, event)| event.results).collect()
}

fn kind() -> Vec<TranscriptResult> {
    let (words, _) = talk(&ENGLISH, &[(8, 1_000); 4]);
    results(&words).into_iter().map(|(_, result)| result).collect()
}

fn finals(results: &[TranscriptResult]) -> Vec<&TranscriptResult> {
    results.iter().filter(|result| !result.is_partial).collect()
}

fn words(result: &TranscriptResult) -> Vec<&str> {
    result.items().iter().filter(|item| item.is_word()).map(|item| item.content.as_str()).collect()
}

#[test]
fn a_recogniser_with_nothing_switched_on_is_kind() {
    let (events, counts) = told(Switches::off());
    let results: Vec<TranscriptResult> = events.into_iter().flat_map(|(_, event)| event.results).collect();
    assert_eq!(results, kind());
    assert!(counts.is_empty());
}

#[test]
fn words_are_retimed_in_each_telling_anew() {
    let results = only(Misbehaviour::Retime);
    let first_word =
        |result: &TranscriptResult| (result.result_id == "r0").then(|| result.items()[0].start_time.unwrap());
    let starts: Vec<f64> = results.iter().filter_map(first_word).collect();
    assert!(starts.windows(2).filter(|pair| pair[0] != pair[1]).count() > 3, "{starts:?}");
    assert!(starts.iter().all(|start| (0.35..=0.65).contains(start)), "{starts:?}");
}

#[test]
fn a_partial_shrinks_below_what_was_told_and_the_final_is_whole() {
    let results = only(Misbehaviour::Shrink);
    let fewer = |pair: &[TranscriptResult]| {
        pair[0].result_id == pair[1].result_id && pair[1].items().len() < pair[0].items().len()
    };
    assert!(results.windows(2).any(fewer));
    assert!(finals(&results).iter().all(|result| words(result).len() == 8));
}

#[test]
fn a_partial_may_lack_words_that_were_stable() {
    let results = only(Misbehaviour::ShrinkStable);
    let stable = |result: &TranscriptResult| result.items().iter().filter(|item| item.stable == Some(true)).count();
    let fewer =
        |pair: &[TranscriptResult]| pair[0].result_id == pair[1].result_id && stable(&pair[1]) < stable(&pair[0]);
    assert!(results.windows(2).any(fewer));
    assert!(finals(&results).iter().all(|result| words(result).len() == 8));
}

#[test]
fn two_words_are_one() {
    let results = only(Misbehaviour::Merge);
    assert_eq!(words(finals(&results)[0])[..2], ["w0x0w0x1", "w0x2w0x3"]);
}

#[test]
fn can_not_becomes_cannot() {
    let word = |text: &str, start_ms: u64, ends| Spoken {
        text: text.into(),
        mark: None,
        start_ms,
        end_ms: start_ms + 300,
        ends,
    };
    let said = results(&[word("can", 0, false), word("not", 400, true)]);
    let (events, _) = events(Switches::only(Misbehaviour::Merge), 1, said);
    assert_eq!(events.last().unwrap().1.results[0].transcript(), "cannot");
}

#[test]
fn one_word_is_two_and_they_share_its_time() {
    let results = only(Misbehaviour::Split);
    let items: &[Item] = finals(&results)[0].items();
    assert_eq!((items[0].content.as_str(), items[1].content.as_str()), ("w0", "x0"));
    assert_eq!((items[0].start_time, items[0].end_time, items[1].start_time), (Some(0.5), Some(0.65), Some(0.65)));
}

#[test]
fn a_mark_stands_one_word_off() {
    let at = |result: &TranscriptResult| result.items().iter().position(|item| item.content == ",");
    let moved = only(Misbehaviour::MovePunctuation);
    let places: Vec<usize> = moved.iter().filter_map(at).collect();
    assert!(places.iter().any(|place| *place != 4) && places.iter().all(|place| (3..=5).contains(place)), "{places:?}");
    assert!(finals(&moved).iter().all(|result| result.transcript().ends_with('.')), "the end of a final stays");
}

#[test]
fn an_unstable_word_is_another_one_until_it_is_stable() {
    let results = only(Misbehaviour::Revise);
    assert!(results.iter().any(|result| result.transcript().contains("v0x1")));
    let stable =
        results.iter().flat_map(|result| result.items()).filter(|item| item.is_word() && item.stable == Some(true));
    assert!(stable.into_iter().all(|item| item.content.starts_with('w')));
}

#[test]
fn a_stable_word_is_contradicted_and_stays_so() {
    let results = only(Misbehaviour::Contradict);
    let first: Vec<&str> =
        results.iter().filter(|result| result.result_id == "r0").map(|result| words(result)[0]).collect();
    assert!(first.contains(&"w0x0") && first.ends_with(&["u0x0"]), "{first:?}");
    assert!(finals(&results).iter().all(|result| words(result).len() == 8), "never in number");
}

#[test]
fn a_late_final_comes_three_seconds_later() {
    let (words, _) = talk(&ENGLISH, &[(2, 1_000)]);
    let kind = results(&words).last().unwrap().0;
    let (events, counts) = events(Switches::only(Misbehaviour::LateFinal), 1, results(&words));
    assert_eq!(events.last().unwrap().0, kind + 3_000);
    assert_eq!(counts[&Misbehaviour::LateFinal], 1);
}

#[test]
fn each_result_comes_again_as_it_was() {
    let results = only(Misbehaviour::Repeat);
    let last = finals(&results);
    assert_eq!(last.len(), 8);
    for result in &results {
        assert!(results.iter().filter(|other| *other == result).count() >= 2);
    }
}

#[test]
fn a_final_waits_while_the_next_segment_is_told() {
    let results = only(Misbehaviour::Reorder);
    let last = results.iter().position(|result| !result.is_partial && result.result_id == "r0").unwrap();
    assert_eq!((results[last - 1].result_id.as_str(), results[last - 1].is_partial), ("r1", true));
    let order: Vec<&str> = finals(&results).iter().map(|result| result.result_id.as_str()).collect();
    assert_eq!(order, ["r0", "r1", "r2", "r3"]);
}

#[test]
fn a_final_comes_after_the_final_of_the_next_segment() {
    let results = only(Misbehaviour::Overtake);
    let order: Vec<&str> = finals(&results).iter().map(|result| result.result_id.as_str()).collect();
    assert_eq!(order, ["r1", "r0", "r3", "r2"]);
}

#[test]
fn an_id_returns_with_other_words() {
    let results = only(Misbehaviour::ReturningId);
    let first: Vec<&str> =
        finals(&results).iter().filter(|result| result.result_id == "r0").map(|result| words(result)[0]).collect();
    assert_eq!(first, ["w0x0", "w1x0", "w2x0", "w3x0"]);
}

#[test]
fn an_event_has_several_results_or_none() {
    let (events, counts) = told(Switches::only(Misbehaviour::Several));
    assert!(events.iter().any(|(_, event)| event.results.len() > 1));
    assert_eq!(counts.len(), 1);
    let (events, counts) = told(Switches::only(Misbehaviour::EmptyEvent));
    assert!(events.iter().any(|(_, event)| event.results.is_empty()));
    assert_eq!(counts.len(), 1);
}

#[test]
fn an_alternative_has_a_text_and_no_items() {
    let results = only(Misbehaviour::Itemless);
    let itemless = |result: &&TranscriptResult| result.alternatives[0].items.is_none();
    assert!(results.iter().filter(itemless).all(|result| !result.transcript().is_empty()));
    let last = results.iter().position(|result| !result.is_partial).unwrap();
    assert!(itemless(&&results[last]));
    let settled = &results[last - 1];
    assert!(words(settled).len() == 8 && settled.items().iter().all(|item| item.stable == Some(true)));
}

#[test]
fn items_have_no_times() {
    let results = only(Misbehaviour::Timeless);
    assert!(
        results
            .iter()
            .flat_map(|result| result.items())
            .all(|item| item.start_time.is_none() && item.end_time.is_none())
    );
    assert!(results.iter().all(|result| result.end_time > 0.0), "the result has");
}

#[test]
fn a_final_is_empty_once_all_its_words_are_stable() {
    let results = only(Misbehaviour::EmptyFinal);
    let last = results.iter().position(|result| !result.is_partial).unwrap();
    assert_eq!((results[last].transcript(), results[last].items().len()), ("", 0));
    let settled = &results[last - 1];
    assert!(settled.is_partial && words(settled).len() == 8);
    assert!(settled.items().iter().all(|item| item.stable == Some(true)));
}

#[test]
fn noise_is_an_empty_final_of_its_own() {
    let results = only(Misbehaviour::Noise);
    let noise: Vec<_> = results.iter().filter(|result| result.result_id.starts_with("noise")).collect();
    assert_eq!(noise.len(), 4);
    assert!(
        noise.iter().all(|result| !result.is_partial && result.items().is_empty() && result.transcript().is_empty())
    );
}

#[test]
fn a_segment_is_told_by_its_final_alone() {
    let results = only(Misbehaviour::Unannounced);
    assert_eq!(results.len(), 4);
    assert!(results.iter().all(|result| !result.is_partial && words(result).len() == 8));
}

#[test]
fn in_the_worst_case_everything_occurs() {
    let (words, _) = talk(&ENGLISH, &[(8, 1_000); 400]);
    let (_, counts) = events(Switches::worst(), 1, results(&words));
    for what in Misbehaviour::all() {
        assert!(counts.contains_key(&what), "{what:?} has not occurred");
    }
}
