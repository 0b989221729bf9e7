//! Translations that come late, or for some only: what goes out meanwhile, what follows, what waits, and what is paid.

use crate::world::{Talk, World, config, language, prompt_translator};
use schemas::ids::Language;
use schemas::session::CaptionMode;
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::TranslateFailure;

type Answer = (u64, Result<String, TranslateFailure>);

/// Finals alone, so that nothing but they is translated.
fn finals_of(sentences: &[&str], translate: fn(&str, &Language, u64) -> Answer) -> World {
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Finals, ..config() }, Talk::of(sentences));
    world.translate = translate;
    world
}

fn asked(world: &World, begin: &str) -> usize {
    world.asked.iter().filter(|(_, _, text)| text.starts_with(begin)).count()
}

fn slow_one(text: &str, to: &Language, now: u64) -> Answer {
    (if text.starts_with("one") { 4_000 } else { 100 }, prompt_translator(text, to, now).1)
}

#[test]
fn the_original_goes_out_and_its_translation_follows_as_a_revision_of_the_same_final() {
    let mut world = finals_of(&["one two three", "four five six", "seven eight"], slow_one);
    world.listener("eva", "es");
    world.run_until(20_000);
    world.check_contract();
    let eva = world.seat("eva");
    let (first, revised) = (eva.first_finals()[0], eva.revisions());
    assert!(first.degraded && !first.translated && first.stable_words == 0 && first.lag_ms < 4_100, "{first:?}");
    assert_eq!(revised.len(), 1);
    assert_eq!((revised[0].text.as_str(), revised[0].translated), ("es:one es:two es:three", true));
    assert_eq!((&revised[0].segment_id, revised[0].cursor), (&first.segment_id, first.cursor));
    assert_eq!(revised[0].source_text.as_deref(), Some("one two three"));
    assert!(revised[0].revision > first.revision && (4_000..5_500).contains(&revised[0].lag_ms), "{revised:?}");
    let erasure = world.writes.last().unwrap().1.status.languages[&language("es")].erasure.unwrap();
    assert_eq!(erasure, 3.0 / 8.0, "the original was taken back, and the row says so");
}

#[test]
fn a_late_answer_is_remembered_and_never_paid_for_again() {
    let mut world =
        finals_of(&["one two three", "four five six", "seven eight", "nine ten", "one two three"], slow_one);
    world.listener("eva", "es");
    world.run_until(40_000);
    world.check_contract();
    let finals = world.seat("eva").first_finals();
    assert!(finals[0].degraded && finals[4].translated);
    assert_eq!(asked(&world, "one"), 2, "asked, and once more when it was late");
}

#[test]
fn a_translation_after_more_than_ten_seconds_is_told_to_nobody_but_remembered() {
    let mut world = finals_of(
        &["one two three", "four", "five", "six", "seven", "eight", "nine", "one two three"],
        |text, to, now| (if text.starts_with("one") { 10_500 } else { 100 }, prompt_translator(text, to, now).1),
    );
    world.listener("eva", "es");
    world.run_until(40_000);
    world.check_contract();
    assert!(world.seat("eva").finals()[0].degraded && world.seat("eva").revisions().is_empty());
    assert!(world.seat("eva").finals()[7].translated);
    assert_eq!(asked(&world, "one"), 2);
}

#[test]
fn a_translation_that_never_comes_does_not_hold_up_the_finals_for_ever() {
    let mut world = World::new(Talk::long(5));
    world.translate = |text, to, now| (if now < 10_000 { 600_000 } else { 150 }, prompt_translator(text, to, now).1);
    world.listener("eva", "es");
    world.run_until(50_000);
    world.check_contract();
    assert_eq!(world.seat("eva").finals().len(), 5);
}

#[test]
fn a_service_that_fails_for_two_seconds_costs_no_listener_the_translation() {
    let mut world = finals_of(&["one two three", "four five six", "seven eight"], |text, to, now| match now {
        0..4_600 => (50, Err(TranslateFailure::Throttled)),
        _ => prompt_translator(text, to, now),
    });
    world.listener("eva", "es");
    world.run_until(20_000);
    world.check_contract();
    assert!(world.seat("eva").first_finals()[0].degraded, "it failed three times");
    assert!(world.seat("eva").finals().iter().all(|c| c.translated), "{:?}", world.seat("eva").finals());
}

#[test]
fn a_translate_that_is_slow_for_one_language_delays_no_other_language() {
    let lags = |slow: bool| {
        let translate: fn(&str, &Language, u64) -> Answer = if slow {
            |text, to, now| (if to.as_str() == "es" { 2_800 } else { 150 }, prompt_translator(text, to, now).1)
        } else {
            prompt_translator
        };
        let mut world = finals_of(&["one two three", "four five", "six", "seven eight nine ten", "eleven"], translate);
        for spoken in ["ca", "es", "it"] {
            world.listener(spoken, spoken);
        }
        world.run_until(30_000);
        world.check_contract();
        assert_eq!(world.seat("es").finals().len(), 5);
        ["ca", "it"].map(|seat| world.seat(seat).captions().iter().map(|c| c.lag_ms).collect::<Vec<_>>())
    };
    assert_eq!(lags(true), lags(false), "to the millisecond");
}

#[test]
fn a_translate_that_is_slow_for_one_text_delays_no_other_final() {
    let run = |translate: fn(&str, &Language, u64) -> Answer| {
        let mut world = finals_of(&["one two three", "four five", "six", "seven eight nine ten"], translate);
        world.listener("eva", "es");
        world.run_until(30_000);
        world.check_contract();
        world
    };
    let (slow, prompt) = (run(slow_one), run(|text, to, now| (100, prompt_translator(text, to, now).1)));
    let later = |world: &World| world.seat("eva").first_finals()[1..].iter().map(|c| c.lag_ms).collect::<Vec<_>>();
    // Two finals that go out at once are two posts to the same connection.
    let post_ms = slow.seat("eva").latency_ms;
    assert!(
        later(&slow).iter().zip(later(&prompt)).all(|(slow, prompt)| *slow <= prompt + post_ms),
        "{:?}",
        later(&slow)
    );
    assert_eq!(slow.seat("eva").text(), prompt.seat("eva").text(), "and in the end everything is translated");
}

#[test]
fn a_slow_final_waits_for_its_translation_while_nobody_waits_for_it() {
    let mut world = finals_of(&["one two three"], |text, to, now| (2_500, prompt_translator(text, to, now).1));
    world.listener("eva", "es");
    world.run_until(15_000);
    world.check_contract();
    assert!(world.seat("eva").captions().iter().all(|c| c.translated), "no original in between");
}

#[test]
fn translations_that_overtake_each_other_do_not_overtake_the_finals() {
    let mut world = finals_of(&["a b c", "d", "e", "f", "g"], |text, to, now| {
        (if text.starts_with('a') { 2_400 } else { 50 }, prompt_translator(text, to, now).1)
    });
    world.listener("eva", "es");
    world.run_until(20_000);
    world.check_contract();
    assert!(world.seat("eva").first_finals()[0].degraded, "nobody waits for it");
    assert_eq!(world.seat("eva").text(), "es:a es:b es:c es:d es:e es:f es:g");
}

#[test]
fn a_translation_that_is_late_is_asked_for_once_more_and_delays_nothing_else() {
    // The first request of a text hangs, the second does not; in Italian nothing hangs.
    let mut world =
        finals_of(&["one two three", "four five six", "seven eight nine", "one two three"], |text, to, now| {
            let hangs = to.as_str() == "es" && now < 3_000;
            (if hangs { 60_000 } else { 100 }, prompt_translator(text, to, now).1)
        });
    world.listener("eva", "es");
    world.listener("ugo", "it");
    world.run_until(40_000);
    world.check_contract();
    let finals = world.seat("eva").first_finals();
    assert!(finals.len() == 4 && finals.iter().all(|c| c.translated && c.lag_ms < 2_000), "{finals:?}");
    let ugo = world.seat("ugo").finals();
    assert!(ugo.iter().all(|c| c.translated && c.lag_ms < 1_200), "no language waits for another");
}

#[test]
fn who_comes_between_the_original_and_its_translation_gets_what_was_known_then_and_the_revision() {
    let mut world = finals_of(&["one two three", "four five six", "seven eight", "nine", "ten"], slow_one);
    world.listener("eva", "es");
    // The original goes out when the second final is ready, about 5 s; the translation comes at about 7 s.
    world.at(5_400, |w| {
        w.listener("ana", "es");
    });
    world.at(9_500, |w| {
        w.listener("late", "es");
    });
    world.run_until(25_000);
    world.check_contract();
    let ana = world.seat("ana");
    assert!(ana.first_finals()[0].degraded && ana.first_finals()[0].catch_up, "{:?}", ana.captions());
    assert_eq!(ana.revisions().len(), 1);
    let late = world.seat("late");
    assert!(late.revisions().is_empty() && late.first_finals().iter().all(|c| c.translated), "{:?}", late.captions());
}

#[test]
fn nobody_gets_the_revision_of_a_final_that_they_were_not_sent() {
    let mut world = finals_of(&["one two three", "a", "b", "c", "d", "e"], |text, to, now| {
        (if text.starts_with("one") { 8_000 } else { 100 }, prompt_translator(text, to, now).1)
    });
    world.listener("eva", "es");
    // The last two finals are given to who comes; the first is not among them any more.
    world.at(9_500, |w| {
        w.listener("late", "es");
    });
    world.run_until(25_000);
    world.check_contract();
    assert_eq!(world.seat("eva").revisions().len(), 1);
    let late = world.seat("late").captions();
    assert!(late.len() >= 2 && late.iter().all(|c| c.cursor > 1), "{late:?}");
}

#[test]
fn a_listener_who_reads_slowly_gets_the_translation_in_the_place_of_the_original() {
    let mut world = finals_of(&["zero", "one two three", "four five six", "seven eight"], slow_one);
    world.listener("eva", "es");
    world.listener("slow", "es").latency_ms = 8_000;
    world.run_until(60_000);
    world.check_contract();
    assert_eq!(world.seat("eva").revisions().len(), 1);
    let slow = world.seat("slow");
    assert!(slow.revisions().is_empty() && slow.finals().iter().all(|c| c.translated), "{:?}", slow.captions());
}

#[test]
fn who_changes_the_language_gets_no_revision_in_the_former_one() {
    let mut world = finals_of(&["one two three", "four five six", "seven eight", "nine", "ten"], slow_one);
    world.listener("eva", "es");
    world.at(6_000, |w| {
        let row = &mut w.seats.get_mut("eva").unwrap().row;
        (row.language, row.connected_at) = (language("ca"), row.connected_at.map(|at| at.plus_ms(6_000)));
    });
    world.run_until(25_000);
    world.check_contract();
    let eva = world.seat("eva");
    assert!(eva.captions().iter().any(|c| c.degraded && c.language.as_str() == "es"), "the original came before");
    assert!(eva.revisions().iter().all(|c| c.language.as_str() == "ca"), "{:?}", eva.revisions());
}

#[test]
fn a_sentence_on_its_way_for_a_partial_is_not_asked_for_again_by_its_final() {
    let talk = Talk::of(&["we pray. then we sing."]);
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Clauses, ..config() }, talk);
    world.translate = |text, to, now| (650, prompt_translator(text, to, now).1);
    world.listener("eva", "es");
    world.run_until(15_000);
    world.check_contract();
    let mut asked: Vec<&str> = world.asked.iter().map(|(_, _, text)| text.as_str()).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["then we sing.", "we pray."]);
}

#[test]
fn a_final_whose_words_are_on_their_way_for_the_one_before_waits_for_the_same_answer() {
    let mut world = finals_of(&["amen", "amen"], |text, to, now| (1_200, prompt_translator(text, to, now).1));
    for word in &mut world.speaker.talk.words[1..] {
        (word.start_ms, word.end_ms) = (word.start_ms - 350, word.end_ms - 350);
    }
    world.listener("eva", "es");
    world.run_until(15_000);
    world.check_contract();
    assert_eq!(world.seat("eva").finals().len(), 2);
    assert_eq!(world.asked.len(), 2, "asked, and once more when it was late: {:?}", world.asked);
}

/// How long a text takes, by the text alone.
fn mood(text: &str) -> u64 {
    let seed = text.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(131).wrapping_add(u64::from(byte)));
    *fastrand::Rng::with_seed(seed).choice(&[60, 60, 400, 900, 1_500, 3_500, 8_000, 20_000]).unwrap_or(&60)
}

#[test]
fn however_late_each_translation_is_every_final_is_told_once_and_no_text_is_paid_for_more_than_twice() {
    for seed in 0..40 {
        let sentences: Vec<String> =
            (0..12).map(|n| format!("s{seed}x{n} and, so {seed}x{n}. t{seed}x{n} ends.")).collect();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let mut world = World::new(Talk::of(&sentences));
        world.translate = |text, to, now| (mood(text), prompt_translator(text, to, now).1);
        world.listener("eva", "es");
        world.listener("ugo", "it").latency_ms = 700;
        world.reader("fast", "es", CaptionMode::Fast);
        world.at(9_000 + seed * 100, |w| {
            w.listener("late", "es");
        });
        world.run_until(90_000);
        world.check_contract();
        for seat in ["eva", "ugo", "fast"] {
            assert_eq!(world.seat(seat).finals().len(), 12, "{seat}, seed {seed}");
        }
        let slow = |text: &str| mood(text) > 700;
        for (_, to, text) in &world.asked {
            let times = world.asked.iter().filter(|(_, of, other)| of == to && other == text).count();
            assert!(times <= 1 + usize::from(slow(text)), "{times} times {text:?} to {to}, seed {seed}");
        }
    }
}
