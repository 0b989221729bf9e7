use super::super::commits::Commits;
use super::super::segments::Segments;
use super::super::tests::{items, snapshot};
use super::*;
use crate::config::Timing;
use crate::hearing::TimedResult;
use crate::input::StreamId;
use crate::time::MediaInstant;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The texts that are committed of one snapshot after another: items, and how many of them are stable.
fn committed(language: &str, cuts: Cuts, snapshots: &[(&str, usize)]) -> Vec<String> {
    let mut committer = Committer::default();
    let commit = |(text, stable): &(&str, usize)| committer.commit(&snapshot(text, *stable, language), cuts);
    snapshots.iter().flat_map(commit).map(|commit| commit.text).collect()
}

fn last(text: &str) -> Snapshot {
    Snapshot { is_final: true, ..snapshot(text, 0, "en") }
}

#[test]
fn a_clause_and_a_sentence_are_committed_when_their_marks_have_settled_and_never_again() {
    let snapshots = [
        ("good evening", 1),
        ("good evening, dear", 3),
        ("good evening, dear friends. we", 4),
        ("good evening, dear friends. we come", 7),
    ];
    assert_eq!(committed("en", Cuts::Clauses, &snapshots), ["good evening,", "dear friends."]);
    assert_eq!(committed("en", Cuts::Sentences, &snapshots), ["good evening, dear friends."]);
    assert!(committed("en", Cuts::Finals, &snapshots).is_empty());
}

#[test]
fn a_sentence_that_settles_at_once_is_one_commit() {
    let snapshots = [("good evening, dear friends. yes, we", 8)];
    assert_eq!(committed("en", Cuts::Clauses, &snapshots), ["good evening, dear friends.", "yes,"]);
}

#[test]
fn sentences_and_clauses_of_every_script_are_committed() {
    let of = |text: &str, stable: usize, language: &str| committed(language, Cuts::Clauses, &[(text, stable)]);
    assert_eq!(of("今日は、 皆さん。 私たちは、 ここ で", 6, "ja"), ["今日は、皆さん。", "私たちは、"]);
    assert_eq!(of("我们 来， 然后", 3, "zh"), ["我们来，"]);
    assert_eq!(of("هل جئت؟ نعم، أنا", 5, "ar"), ["هل جئت؟", "نعم،"]);
    assert_eq!(of("वह आया। फिर वह", 3, "hi"), ["वह आया।"]);
    assert_eq!(of("وہ آیا۔ پھر", 3, "ur"), ["وہ آیا۔"]);
}

/// Words, each with the silence before it.
fn paused(words: &[(&str, u64)], language: &str) -> Snapshot {
    let mut shown = snapshot(&words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" "), words.len(), language);
    let mut at = 0;
    for (item, (_, gap_ms)) in shown.items.iter_mut().zip(words) {
        (item.start_ms, item.end_ms) = (at + gap_ms, at + gap_ms + 200);
        at = item.end_ms;
    }
    shown
}

#[test]
fn without_a_mark_a_clause_ends_at_a_pause_when_it_says_enough() {
    let said = [("we", 0), ("come", 300), ("from", 20), ("afar", 20), ("then", 400), ("stay", 20)];
    let texts = |shown: &Snapshot, cuts: Cuts| {
        Committer::default().commit(shown, cuts).into_iter().map(|commit| commit.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(&paused(&said, "en"), Cuts::Clauses), ["we come from afar"]);
    assert!(texts(&paused(&said, "en"), Cuts::Sentences).is_empty());
    assert!(texts(&paused(&said, "ja"), Cuts::Clauses).is_empty(), "its verb is still to come");
    let mut hasty = said;
    hasty[4].1 = 240;
    assert!(texts(&paused(&hasty, "en"), Cuts::Clauses).is_empty());
}

#[test]
fn without_mark_and_pause_a_clause_ends_where_the_longest_gap_is() {
    let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let mut said = words.map(|word| (word, 20));
    let texts = |shown: &Snapshot| {
        Committer::default().commit(shown, Cuts::Clauses).into_iter().map(|commit| commit.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(&paused(&said, "en")), ["a b c d e f g h"]);
    said[5].1 = 100;
    assert_eq!(texts(&paused(&said, "en")), ["a b c d e"]);
    assert!(texts(&paused(&said[..7], "en")).is_empty(), "six have settled");
    let slow = said[..5].iter().map(|(word, _)| (*word, 700)).collect::<Vec<_>>();
    let contiguous = |mut shown: Snapshot| {
        (1..shown.items.len()).for_each(|n| shown.items[n - 1].end_ms = shown.items[n].start_ms);
        shown
    };
    assert_eq!(texts(&contiguous(paused(&slow, "en"))), ["a b c d"], "3.6 s");
}

#[test]
fn without_a_mark_a_clause_of_some_words_ends_before_the_next_phrase() {
    let texts = |text: &str, stable: usize, language: &str| committed(language, Cuts::Clauses, &[(text, stable)]);
    assert_eq!(texts("we come from afar and we stay", 6, "en"), ["we come from afar"]);
    assert!(texts("we come from afar and we stay", 4, "en").is_empty(), "three have settled");
    assert_eq!(texts("all of us come here and because of it", 7, "en"), ["all of us come here"]);
    assert!(texts("we come from afar and we stay", 6, "fi").is_empty(), "there is no list");
    assert!(texts("we come from afar and we stay, all", 6, "en").is_empty(), "a mark is in sight");
}

#[test]
fn the_rest_of_a_final_is_committed_sentence_by_sentence_or_as_a_whole() {
    let texts = |cuts: Cuts| {
        let mut committer = Committer::default();
        committer.commit(&snapshot("we come, all. then", 3, "en"), cuts);
        let commits = committer.commit(&last("we come, all. then, we. go"), cuts);
        commits.into_iter().map(|commit| (commit.index, commit.text, commit.begins_sentence)).collect::<Vec<_>>()
    };
    let commit = |index: usize, text: &str, begins: bool| (index, text.to_owned(), begins);
    let (then, go) = ("then, we.", "go");
    assert_eq!(texts(Cuts::Clauses), [commit(1, "all.", false), commit(2, then, true), commit(3, go, true)]);
    assert_eq!(texts(Cuts::Sentences), [commit(0, "we come, all.", true), commit(1, then, true), commit(2, go, true)]);
    assert_eq!(texts(Cuts::Finals), [commit(0, "we come, all. then, we. go", true)]);
}

#[test]
fn a_commit_tells_where_and_when_it_was_said() {
    let commit = Committer::default().commit(&snapshot("good evening, dear", 3, "en"), Cuts::Clauses).remove(0);
    assert_eq!((commit.segment, commit.index, commit.items), (1, 0, 0..3));
    assert_eq!((commit.start_ms, commit.end_ms, commit.end), (0, 700, End::Clause));
}

#[test]
fn what_is_coming_is_what_will_be_committed_at_its_mark() {
    let mut committer = Committer::default();
    committer.commit(&snapshot("good evening, dear friends, we", 3, "en"), Cuts::Clauses);
    let coming = |cuts: Cuts| committer.coming(&snapshot("good evening, dear friends, we come. and", 3, "en"), cuts);
    assert_eq!(coming(Cuts::Clauses), ["dear friends,", "we come."]);
    assert_eq!(coming(Cuts::Sentences), ["dear friends, we come."]);
    assert!(coming(Cuts::Finals).is_empty());
}

/// What a hostile recogniser makes of a talk: per look how many words it has heard, forgets, holds for stable, changes, and marks.
fn looks() -> impl Strategy<Value = Vec<(usize, usize, usize, bool, bool)>> {
    prop::collection::vec((1..4_usize, 0..3_usize, 0..4_usize, any::<bool>(), any::<bool>()), 1..60)
}

/// Every snapshot of a talk that is revised again and again, is cut into results, and whose stream is lost once.
fn told(looks: &[(usize, usize, usize, bool, bool)], gaps: &[u64]) -> Vec<Arc<Snapshot>> {
    let english = Language::try_new("en").unwrap();
    let (mut segments, timing, mut shown) = (Segments::default(), Timing::default(), Vec::new());
    let (mut heard, mut from, mut now) = (0, 0, MediaInstant(0));
    for (n, (more, forgets, unstable, changes, ends)) in looks.iter().enumerate() {
        heard += more;
        now = now.plus_ms(*more as u64 * 400);
        shown.extend(segments.advance(now, &timing));
        let until = heard - (*forgets).min(heard - from - 1);
        let word = |n: usize| format!("w{n}{}", ["", "", "", ",", "", "."][n * 7 % 6]);
        let mut revision = items(&(from..until).map(word).collect::<Vec<_>>().join(" "), from as u64 * 400, 0);
        let stable = revision.len().saturating_sub(*unstable);
        revision.iter_mut().take(stable).for_each(|item| item.stable = true);
        for (item, gap_ms) in revision.iter_mut().zip(gaps.iter().cycle().skip(n)) {
            item.end_ms = item.end_ms.saturating_sub(*gap_ms).max(item.start_ms);
        }
        if *changes && let Some(last) = revision.last_mut().filter(|last| !last.stable && !last.mark) {
            last.text.push_str("-or-so");
        }
        let is_final = *ends && n % 5 == 4;
        let stream = StreamId(if n < looks.len() / 2 { 1 } else { 2 });
        let result = TimedResult {
            stream,
            result_id: format!("r{from}"),
            is_final,
            language: None,
            items: revision,
            shared: Some(0..u64::MAX),
        };
        shown.extend(segments.hear(result, &english, now, &timing));
        if is_final {
            (from, heard) = (until, until);
        }
    }
    shown.extend(segments.flush());
    shown
}

proptest! {
    #[test]
    fn the_commits_of_a_final_cover_its_items_exactly_once_in_their_order_whatever_the_recogniser_does(
        looks in looks(),
        gaps in prop::collection::vec(0..300_u64, 7),
        policy in 0..3_usize,
        strained in prop::collection::vec(any::<bool>(), 9),
    ) {
        let mut commits = Commits::default();
        let mut made: BTreeMap<u64, Vec<Arc<Commit>>> = BTreeMap::new();
        for (n, shown) in told(&looks, &gaps).into_iter().enumerate() {
            let policy = [PartialPolicy::Finals, PartialPolicy::Sentences, PartialPolicy::Clauses][policy];
            let new = commits.make(&shown, Cuts::of(policy, strained[n % strained.len()]));
            let of_it = made.entry(shown.segment).or_default();
            of_it.extend(new);
            for commit in of_it.iter() {
                prop_assert_eq!(&commit.text, &join(&shown.items[commit.items.clone()]), "what is committed stands");
            }
            let mut covered = 0;
            for (index, commit) in of_it.iter().enumerate() {
                prop_assert!(commit.index == index && commit.items.start == covered && !commit.items.is_empty());
                prop_assert!(commit.start_ms <= commit.end_ms);
                covered = commit.items.end;
            }
            prop_assert!(covered <= shown.settled() && (covered == shown.items.len() || !shown.is_final));
        }
    }
}
