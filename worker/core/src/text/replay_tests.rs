//! What a stream that was lost had told, and had not, is told again by the next one.

use super::super::tests::items;
use super::tests::Page;
use super::*;

/// Words with a begin and an end, ms. One that is written with a `!` is stable; one with a `?` before it has times that were guessed.
fn timed(words: &[(&str, u64, u64)]) -> Vec<Item> {
    let mut all = Vec::new();
    for (text, start_ms, end_ms) in words {
        let (bare, stable) = text.strip_suffix('!').map_or((*text, false), |bare| (bare, true));
        let (bare, guessed) = bare.strip_prefix('?').map_or((bare, false), |bare| (bare, true));
        let said = items(bare, 0, 0).into_iter();
        all.extend(said.map(|item| Item { start_ms: *start_ms, end_ms: *end_ms, guessed, stable, ..item }));
    }
    all
}

fn texts(page: &Page) -> Vec<String> {
    page.finals().into_iter().map(|(_, text)| text).collect()
}

/// Of a sentence the final was late, and the stream was cut before it came: the next sentence had been told, and this one had not.
#[test]
fn what_nobody_had_told_before_a_segment_that_was_left_behind_is_a_segment_before_it() {
    let mut page = Page::new();
    page.hear(1, "a", true, items("let us pray", 0, 0)).hear(1, "c", false, items("the second sentence", 5_000, 2));
    let replay = [items("pray", 800, 0), items("amen.", 3_000, 0), items("the second sentence goes on", 5_000, 0)];
    for is_final in [false, true] {
        page.hear(2, "a", is_final, replay.concat());
    }
    page.wait(20_000);
    assert_eq!(texts(&page), ["let us pray", "amen.", "the second sentence goes on"]);
}

#[test]
fn a_first_word_that_is_told_as_beginning_earlier_stays_in_the_segment_that_was_left_behind() {
    for by in [0, 150, 300] {
        let mut page = Page::new();
        page.hear(1, "a", true, items("let us pray", 0, 0)).hear(1, "b", false, items("the second", 5_000, 1));
        let replay = [items("pray", 800, 0), items("the second sentence", 5_000 - by, 0)];
        page.hear(2, "a", true, replay.concat());
        assert_eq!(texts(&page), ["let us pray", "the second sentence"], "{by} ms");
    }
}

/// The last word's time was a guess, 150 ms and more before it was spoken: by its time it was another word in some revisions, and the same in others.
#[test]
fn words_with_which_a_replay_begins_letter_by_letter_were_told_whatever_their_times_are_now() {
    let mut page = Page::new();
    page.hear(1, "a", true, timed(&[("let", 0, 300), ("?us", 320, 520)]));
    for at in [680, 600, 520, 700] {
        let replay = [items("us", at, 1), items("pray together with me now", 1_000, 2)];
        page.hear(2, "a", at == 700, replay.concat());
    }
    assert_eq!(texts(&page), ["let us", "pray together with me now"]);
}

/// A word may be half of one, and resemble another.
#[test]
fn the_first_word_of_a_segment_that_was_left_behind_in_two_halves_is_known_again_in_one() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("let us pray", 0, 1));
    page.hear(1, "b", false, timed(&[("some", 5_000, 5_050), ("body", 5_050, 5_300), ("comes", 5_400, 5_700)]));
    let rest = [("comes!", 5_400, 5_700), ("to", 5_800, 6_100), ("us", 6_200, 6_500)];
    // Its time is a guess at first.
    for (first, start_ms, is_final) in
        [("?somebody!", 1_200, false), ("somebody!", 5_000, false), ("somebody!", 5_000, true)]
    {
        let replay = [items("let us pray", 0, 3), timed(&[(first, start_ms, start_ms + 400)]), timed(&rest)];
        page.hear(2, "a", is_final, replay.concat());
    }
    assert_eq!(
        texts(&page),
        ["let us pray", "some body comes to us"].map(|text| text.replace("some body", "somebody"))
    );
}

#[test]
fn a_stable_word_stays_in_the_segment_in_which_it_was_counted_whatever_its_time_is_now() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("let us pray", 0, 0)).hear(1, "b", false, items("nobody comes", 5_000, 0));
    // The first word of the second segment was heard as another one.
    for (first, start_ms, is_final) in
        [("?somebody!", 1_200, false), ("somebody!", 5_000, false), ("somebody!", 5_000, true)]
    {
        let first = timed(&[(first, start_ms, start_ms + 300)]);
        let replay = [items("let us pray", 0, 3), first, items("comes to us", 5_400, 1)];
        page.hear(2, "a", is_final, replay.concat());
    }
    let said = texts(&page).join(" ");
    assert_eq!(said, "let us pray somebody comes to us");
}

/// The one word that was left behind was half of one, and is told again with the next one, and later.
#[test]
fn a_word_that_a_replay_hears_behind_its_time_is_told_again_all_the_same() {
    let mut page = Page::new();
    page.hear(1, "a", true, items("let us", 0, 0)).hear(1, "b", false, timed(&[("to", 5_000, 5_150)]));
    let replay = |rest: &[(&str, u64, u64)]| [items("us", 400, 1), timed(rest)].concat();
    page.hear(2, "a", false, replay(&[("togetherwith", 5_200, 5_900)]));
    page.hear(2, "a", true, replay(&[("together", 5_000, 5_400), ("with", 5_500, 5_800), ("us", 5_900, 6_100)]));
    assert_eq!(texts(&page), ["let us", "together with us"]);
}

/// A word without times was guessed to be spoken before the segment that was left behind, until it was known that it was its first one.
#[test]
fn a_final_takes_back_what_it_counts_to_another_segment() {
    let mut page = Page::new();
    page.hear(1, "a", true, items("let us", 0, 0)).hear(1, "b", false, items("nobody", 5_000, 0));
    page.hear(2, "a", false, [items("us", 400, 1), timed(&[("?somebody", 700, 1_100)])].concat());
    page.hear(2, "a", true, [items("us", 400, 1), items("somebody comes", 5_000, 0)].concat());
    assert_eq!(texts(&page), ["let us", "", "somebody comes"], "what was shown has an empty final");
}

/// The word resembles the last one that a final has brought, and was guessed to be spoken just behind it.
#[test]
fn no_word_of_a_segment_that_was_left_behind_is_taken_for_one_that_a_final_covers() {
    let mut page = Page::new();
    page.hear(1, "a", true, items("let us pray", 0, 0));
    page.hear(1, "b", false, timed(&[("no!", 1_110, 1_150)])).hear(1, "c", false, items("play with me", 3_000, 2));
    let rest = |stable| items("with me and with him", 3_400, stable);
    for (first, start_ms, stable) in [("play!", 3_000, 1), ("?play!", 1_150, 3), ("play!", 3_000, 5)] {
        let first = timed(&[("no!", 1_110, 1_150), (first, start_ms, start_ms + 300)]);
        page.hear(2, "a", stable == 5, [items("pray", 800, 1), first, rest(stable)].concat());
    }
    page.wait(20_000);
    assert_eq!(texts(&page), ["let us pray", "no", "play with me and with him"]);
}

#[test]
fn of_two_words_that_were_told_as_one_the_second_is_known_again() {
    let mut page = Page::new();
    page.hear(1, "a", true, timed(&[("let", 0, 300), ("ussing", 400, 1_000), ("song", 1_050, 1_200)]));
    for (start_ms, is_final) in [(1_110, false), (700, false), (700, true)] {
        let replay =
            [timed(&[("sing!", start_ms, start_ms + 20), ("song!", 1_150, 1_200)]), items("and then", 2_000, 1)];
        page.hear(2, "a", is_final, replay.concat());
    }
    assert_eq!(texts(&page), ["let ussing song", "and then"]);
}
