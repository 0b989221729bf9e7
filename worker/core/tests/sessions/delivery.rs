//! Listeners: late, slow, gone, many.

use crate::world::{Talk, World};
use worker_core::input::PostOutcome;

#[test]
fn whole_session_delivers_every_final_once() {
    let mut world = World::new(Talk::long(6));
    for (name, language) in [("ann", "en"), ("eva", "es"), ("eli", "es"), ("cat", "ca")] {
        world.listener(name, language);
    }
    world.at(28_000, World::end_session);
    world.run_until(60_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    for name in ["ann", "eva", "eli", "cat"] {
        let cursors: Vec<u64> = world.seat(name).finals().iter().map(|c| c.cursor).collect();
        assert_eq!(cursors, [1, 2, 3, 4, 5, 6], "{name}");
        assert!(world.seat(name).ended());
    }
    assert_eq!(world.seat("eva").text(), world.seat("eli").text());
    let (_, code, _) = world.exit.unwrap();
    assert_eq!(code, 0);
}

#[test]
fn a_late_joiner_gets_the_last_sentences_at_once_then_the_live_ones() {
    let mut world = World::new(Talk::long(8));
    world.listener("eva", "es");
    world.at(21_000, |w| {
        w.listener("late", "es");
    });
    world.run_until(24_500);
    let early: Vec<(u64, bool)> = world.seat("late").finals().iter().map(|c| (c.cursor, c.catch_up)).collect();
    assert_eq!(early[..2], [(4, true), (5, true)]);
    world.run_until(50_000);
    world.check_contract();
    assert_eq!(world.seat("late").finals().last().unwrap().cursor, 8);
    assert!(!world.seat("late").finals().last().unwrap().catch_up);
}

#[test]
fn the_first_listener_of_a_language_has_the_last_sentences_translated_for_them() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(21_000, |w| {
        w.listener("cat", "ca");
    });
    world.run_until(50_000);
    world.check_contract();
    let finals = world.seat("cat").finals();
    assert_eq!((finals[0].cursor, finals[0].catch_up), (1, true));
    assert!(finals[0].text.starts_with("ca:w3x0"), "{}", finals[0].text);
    assert_eq!(finals.len(), 5);
}

#[test]
fn the_only_listener_of_a_language_who_comes_back_can_tell_by_the_cursors_what_they_missed() {
    let mut world = World::new(Talk::long(12));
    world.listener("ann", "en");
    world.listener("eva", "es");
    world.at(12_300, |w| w.seats.get_mut("eva").unwrap().listed = false);
    world.at(40_000, |w| {
        w.listener("telephone", "es");
    });
    world.run_until(70_000);
    let cursors = |name: &str| world.seat(name).finals().iter().map(|c| c.cursor).collect::<Vec<_>>();
    let sentence = |name: &str, at: usize| world.seat(name).finals()[at].source_text.clone().unwrap();
    let spoken: Vec<&str> = world.seat("ann").finals().iter().map(|c| c.text.as_str()).collect();
    for (name, at) in [("eva", 0), ("telephone", 0)] {
        let place = spoken.iter().position(|text| *text == sentence(name, at)).unwrap();
        assert_eq!(cursors(name)[at], place as u64 + 1, "{name}: the cursor counts what was said");
    }
    assert!(cursors("telephone")[0] > cursors("eva").last().unwrap() + 1, "sentences are missing between them");
}

#[test]
fn one_slow_listener_never_delays_another() {
    let received = |slow_ms: u64| {
        let mut world = World::new(Talk::long(8));
        world.listener("ann", "en");
        world.listener("slow", "en").latency_ms = slow_ms;
        world.run_until(120_000);
        world.check_contract();
        assert_eq!(world.seat("slow").text(), world.speaker.talk.text(), "finals are never dropped");
        (world.seat("ann").received.clone(), world.seat("slow").captions().len())
    };
    let (beside_fast, _) = received(10);
    let (beside_slow, captions) = received(4_000);
    assert_eq!(beside_fast, beside_slow);
    assert!(captions < 20, "superseded partials are dropped: {captions}");
}

#[test]
fn a_throttled_listener_gets_every_final_when_it_reads_again() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(6_000, |w| w.seats.get_mut("ann").unwrap().refuses = Some(PostOutcome::Throttled));
    world.at(20_000, |w| w.seats.get_mut("ann").unwrap().refuses = None);
    world.run_until(19_000);
    let posts = world.wanted("Post");
    world.run_until(60_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert!(posts < 60, "it is not hammered: {posts}");
}

#[test]
fn an_api_that_fails_for_seconds_costs_no_sentence() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(7_000, |w| w.seats.get_mut("ann").unwrap().refuses = Some(PostOutcome::Failed("503".into())));
    world.at(12_500, |w| w.seats.get_mut("ann").unwrap().refuses = None);
    world.run_until(12_400);
    let posts = world.wanted("Post");
    world.run_until(50_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert!(posts < 60, "it is not hammered: {posts}");
    let status = &world.writes.last().unwrap().1.status;
    assert!(status.usage.posts_failed <= 40, "only partials are given up: {}", status.usage.posts_failed);
}

#[test]
fn many_stuck_listeners_leave_half_of_the_posts_to_the_others() {
    let mut world = World::new(Talk::long(10));
    for n in 0..150 {
        world.listener(&format!("stuck{n}"), "en").latency_ms = 5_000;
    }
    for n in 0..50 {
        world.listener(&format!("quick{n}"), "en");
    }
    world.run_until(60_000);
    world.check_contract();
    assert!(world.most_in_flight <= 100, "{}", world.most_in_flight);
    for n in 0..50 {
        let quick = world.seat(&format!("quick{n}"));
        // The first posts teach who is slow.
        let late = quick.finals().iter().filter(|c| c.start_ms > 10_000).map(|c| c.lag_ms).max().unwrap();
        assert!(late < 1_200, "{late}");
        assert_eq!(quick.text(), world.speaker.talk.text());
    }
}

#[test]
fn a_listener_who_looks_into_another_language_and_returns_misses_no_sentence_of_it() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en").latency_ms = 3_000;
    world.at(12_300, |w| w.seats.get_mut("ann").unwrap().row.language = crate::world::language("es"));
    world.at(14_000, |w| w.seats.get_mut("ann").unwrap().row.language = crate::world::language("en"));
    world.run_until(90_000);
    world.check_stays();
    let english: Vec<u64> =
        world.seat("ann").finals().iter().filter(|c| c.language.as_str() == "en").map(|c| c.cursor).collect();
    assert_eq!(english, (1..=8).collect::<Vec<_>>(), "within the catch-up nothing is lost");
}

#[test]
fn a_failed_post_is_tried_again() {
    let mut world = World::new(Talk::of(&["one two three four", "five", "six"]));
    world.listener("ann", "en");
    world.at(3_500, |w| w.seats.get_mut("ann").unwrap().refuses = Some(PostOutcome::Failed("500".into())));
    world.at(3_900, |w| w.seats.get_mut("ann").unwrap().refuses = None);
    world.run_until(12_000);
    world.check_contract();
    assert_eq!(world.seat("ann").finals().len(), 3);
    assert_eq!(world.writes.last().unwrap().1.status.usage.posts_failed, 0);
}

#[test]
fn a_young_connection_that_is_not_ready_is_tried_again_and_an_old_one_is_gone() {
    let mut world = World::new(Talk::long(6));
    world.listener("old", "en");
    world.at(12_000, |w| {
        w.seats.get_mut("old").unwrap().refuses = Some(PostOutcome::Gone);
        w.listener("young", "en").refuses = Some(PostOutcome::Gone);
    });
    world.at(16_000, |w| {
        w.seats.get_mut("young").unwrap().refuses = None;
        w.seats.get_mut("old").unwrap().refuses = None;
    });
    world.run_until(40_000);
    world.check_contract();
    assert_eq!(world.seat("young").finals().last().unwrap().cursor, 6);
    assert!(world.seat("old").finals().last().unwrap().cursor < 4, "its row is still listed, and it is left alone");
}

#[test]
fn a_listener_who_flickers_in_the_index_gets_nothing_twice() {
    let mut world = World::new(Talk::long(10));
    world.listener("ann", "en");
    for second in [8, 10, 20, 34] {
        world.at(second * 1_000, |w| w.seats.get_mut("ann").unwrap().listed = false);
        world.at(second * 1_000 + 1_500, |w| w.seats.get_mut("ann").unwrap().listed = true);
    }
    world.run_until(60_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn a_change_of_language_takes_effect_with_the_last_sentences_in_the_new_one() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(18_000, |w| {
        let seat = w.seats.get_mut("ann").unwrap();
        seat.row.language = crate::world::language("es");
    });
    world.run_until(50_000);
    world.check_contract();
    let finals = world.seat("ann").finals();
    let spanish: Vec<_> = finals.iter().filter(|c| c.language.as_str() == "es").collect();
    assert!(spanish[0].catch_up && spanish[0].cursor == 1);
    assert!(spanish.last().unwrap().text.starts_with("es:w7"));
}

#[test]
fn five_hundred_listeners_in_five_languages_never_exceed_a_hundred_posts_in_flight() {
    let mut world = World::new(Talk::long(3));
    for n in 0..500 {
        let language = ["en", "es", "ca", "fr", "de"][n % 5];
        world.listener(&format!("c{n}"), language).latency_ms = 20;
    }
    world.run_until(25_000);
    world.check_contract();
    assert!(world.most_in_flight <= 100, "{}", world.most_in_flight);
    for seat in world.seats.values() {
        assert_eq!(seat.finals().len(), 3);
        let final_lag = seat.finals().iter().map(|c| c.lag_ms).max().unwrap();
        assert!(final_lag < 2_000, "{final_lag}");
    }
}

#[test]
fn a_join_and_a_change_of_language_are_served_within_a_second() {
    for joins_at in (21_000..22_000).step_by(90) {
        let mut world = World::new(Talk::long(8));
        world.listener("ann", "en");
        world.at(joins_at, |w| {
            w.listener("late", "en");
        });
        world.at(joins_at + 5_000, |w| {
            w.seats.get_mut("late").unwrap().row.language = crate::world::language("es");
        });
        world.run_until(40_000);
        let late = world.seat("late");
        let first = |language: &str| {
            let caption = |m: &&(u64, schemas::message::Message)| matches!(&m.1, schemas::message::Message::Transcription(c) if c.language.as_str() == language);
            late.received.iter().find(caption).unwrap().0
        };
        assert!(first("en") <= joins_at + 1_000, "{joins_at}");
        assert!(first("es") <= joins_at + 6_000, "{joins_at}");
    }
}

#[test]
fn a_connection_that_is_gone_leaves_the_table_too() {
    let mut world = World::new(Talk::long(6));
    world.listener("old", "en");
    world.listener("ann", "en");
    world.at(12_000, |w| w.seats.get_mut("old").unwrap().refuses = Some(PostOutcome::Gone));
    world.run_until(40_000);
    assert_eq!(world.wanted("ForgetListener"), 1);
    assert!(!world.seat("old").listed && world.seat("ann").listed);
}

#[test]
fn when_everything_is_throttled_finals_still_come_and_everybody_is_told() {
    let mut world = World::new(Talk::long(16));
    let names: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    names.iter().for_each(|name| {
        world.listener(name, "en");
    });
    world.listener("eva", "es");
    world.at(10_000, |w| {
        w.seats.values_mut().for_each(|seat| seat.refuses = Some(PostOutcome::Throttled));
        w.translate = |_, _, _| (100, Err(worker_core::input::TranslateFailure::Throttled));
    });
    world.at(30_000, |w| {
        w.seats.values_mut().for_each(|seat| seat.refuses = None);
        w.translate = crate::world::prompt_translator;
    });
    world.run_until(100_000);
    world.check_contract();
    use schemas::worker::Rung;
    for name in &names {
        assert_eq!(world.seat(name).text(), world.speaker.talk.text(), "no final is lost");
    }
    assert_eq!(world.seat("eva").finals().len(), 16);
    let rungs: Vec<Rung> = world.writes.iter().map(|(_, w)| w.status.rung).collect();
    assert!(rungs.contains(&Rung::FinalsOnly) || rungs.contains(&Rung::OriginalOnly));
    assert_eq!(rungs.last(), Some(&Rung::Full), "it recovers by itself");
    let told = |m: &&(u64, schemas::message::Message)| matches!(m.1, schemas::message::Message::CaptionStatus(_));
    let notices = world.seat("c0").received.iter().filter(told).count();
    assert!((2..=6).contains(&notices), "{notices}");
}

#[test]
fn the_listeners_are_read_seldom_while_there_is_nothing_to_hear() {
    let mut world = World::new(Talk::long(2));
    world.speaker.present_from = 60_000;
    world.listener("ann", "en");
    world.run_until(60_000);
    assert!(world.wanted("ReadAudience") <= 31, "{}", world.wanted("ReadAudience"));
}
