//! Listeners who chose how settled a text must be before they see it.

use crate::world::{Hostility, Talk, World, config, prompt_translator};
use hostile_recogniser::Switches;
use schemas::session::{AskedMode, CaptionMode};
use std::collections::BTreeSet;
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::StreamEnd;

const SENTENCES: [&str; 3] = [
    "we come, all of us. we pray, and we sing together again. then we go home, in peace.",
    "do you know the way? it is not far from the old town, and the river is near.",
    "when we come to the river, we will rest.",
];

/// A talk before readers in one language who chose each mode, and one in the speaker's own language for each.
fn room(policy: PartialPolicy) -> World {
    let mut world = World::with(EngineConfig { partials: policy, ..config() }, Talk::of(&SENTENCES));
    for (name, mode) in [("usual", CaptionMode::Usual), ("stable", CaptionMode::Stable), ("fast", CaptionMode::Fast)] {
        world.reader(name, "es", mode);
        world.reader(&format!("en-{name}"), "en", mode);
    }
    world
}

fn partials<'a>(world: &'a World, seat: &str) -> Vec<&'a str> {
    world.seat(seat).captions().iter().filter(|c| !c.is_final).map(|c| c.text.as_str()).collect()
}

#[test]
fn no_translated_word_is_ever_taken_back_but_from_who_chose_fast() {
    let mut world = room(PartialPolicy::Clauses);
    world.recogniser.fickle = true;
    // A translator to whom a clause is another thing than its sentence.
    world.translate = |text, to, now| {
        let said = prompt_translator(text, to, now).1.unwrap();
        (150, Ok(if text.ends_with(',') { format!("{to}:so {said}") } else { said }))
    };
    world.run_until(40_000);
    world.check_contract();
    for seat in ["usual", "stable"] {
        let shown = partials(&world, seat);
        assert!(shown.contains(&"es:so es:we es:come, es:all es:of es:us."), "{shown:?}");
        for caption in world.seat(seat).captions() {
            assert_eq!(caption.stable_words as usize, caption.text.split(' ').count(), "all of it stays");
        }
        assert_eq!(world.seat(seat).erasure(), 0.0);
    }
    assert_eq!(world.seat("en-stable").erasure(), 0.0);
    assert!(world.seat("fast").erasure() > 0.0 && world.seat("en-fast").erasure() > 0.0, "others pay for speed");
}

#[test]
fn who_chose_stable_in_the_speakers_language_reads_settled_words_long_before_the_final() {
    let mut world = room(PartialPolicy::Clauses);
    world.run_until(40_000);
    world.check_contract();
    let seat = world.seat("en-stable");
    let first = seat.captions()[0];
    assert!(!first.is_final && first.text == "we come," && first.stable_words == 2, "{first:?}");
    assert!(partials(&world, "en-stable").len() > 15);
    assert_eq!(seat.text(), world.speaker.talk.text());
}

#[test]
fn who_chose_fast_reads_words_that_may_still_change_and_reads_them_first() {
    let mut world = room(PartialPolicy::Clauses);
    world.run_until(40_000);
    world.check_contract();
    let when = |seat: &str, word: &str| {
        let captions = world.seat(seat).captions();
        captions.iter().find(|c| c.text.contains(word)).map(|c| c.timestamp).unwrap()
    };
    for word in ["es:come", "es:river", "es:peace", "es:near"] {
        let [fast, usual, stable] = ["fast", "usual", "stable"].map(|seat| when(seat, word));
        assert!(fast <= usual && usual == stable, "{word}");
    }
    assert!(when("fast", "es:it") < when("usual", "es:it"));
    assert!(partials(&world, "fast").len() > partials(&world, "usual").len());
}

#[test]
fn finals_are_the_same_for_everybody_whatever_they_chose() {
    let mut world = room(PartialPolicy::Clauses);
    world.run_until(40_000);
    let finals = |seat: &str| world.seat(seat).finals().iter().map(|c| (c.cursor, c.text.clone())).collect::<Vec<_>>();
    assert!(finals("usual") == finals("stable") && finals("stable") == finals("fast"));
    assert_eq!(finals("usual").len(), 3);
}

#[test]
fn the_same_text_is_translated_once_however_many_choices_there_are() {
    let mut world = room(PartialPolicy::Clauses);
    world.translate = |text, to, now| (600, prompt_translator(text, to, now).1);
    world.run_until(40_000);
    world.check_contract();
    let texts: BTreeSet<&str> = world.asked.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts.len(), world.asked.len(), "{:?}", world.asked);
    // Who chose stable costs nothing beside the others.
    let mut without = room(PartialPolicy::Clauses);
    without.translate = world.translate;
    for seat in ["stable", "en-stable"] {
        without.seats.remove(seat);
    }
    without.run_until(40_000);
    assert_eq!(without.asked.len(), world.asked.len());
}

#[test]
fn without_a_choice_a_listener_reads_the_same_and_no_later_whoever_listens_beside_them() {
    let told = |world: &World| {
        let told = |c: &&schemas::message::Caption| ((c.text.clone(), c.stable_words, c.cursor), c.timestamp);
        world.seat("usual").captions().iter().map(told).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let mut mixed = room(PartialPolicy::Clauses);
    let mut alone = room(PartialPolicy::Clauses);
    alone.seats.retain(|name, _| name == "usual");
    mixed.run_until(40_000);
    alone.run_until(40_000);
    let ((mixed, mixed_at), (alone, alone_at)) = (told(&mixed), told(&alone));
    assert_eq!(mixed, alone);
    // What was translated for who chose fast is known already.
    assert!(mixed_at.iter().zip(&alone_at).all(|(mixed, alone)| mixed <= alone));
}

#[test]
fn where_the_session_pays_for_finals_only_no_choice_buys_more() {
    let mut world = room(PartialPolicy::Finals);
    world.run_until(40_000);
    world.check_contract();
    for seat in ["usual", "stable", "fast"] {
        assert!(partials(&world, seat).is_empty(), "{seat}");
    }
    assert!(!partials(&world, "en-fast").is_empty(), "what needs no translation costs nothing");
    assert_eq!(world.asked.len(), 3);
}

#[test]
fn a_choice_that_does_not_exist_is_the_usual_one_and_is_noted_in_the_row() {
    let mut world = World::new(Talk::of(&SENTENCES));
    world.listener("eva", "es");
    for n in 0..5 {
        world.listener(&format!("odd{n}"), "es").row.mode = AskedMode::Unknown(format!("slow{n}"));
    }
    world.run_until(40_000);
    world.check_contract();
    assert_eq!(partials(&world, "odd0"), partials(&world, "eva"));
    let notes = &world.writes.last().unwrap().1.status.notes;
    assert_eq!(notes.len(), 3, "anybody can ask for anything: {notes:?}");
    assert!(notes[0].contains("captionMode \"slow0\"") && notes[0].contains("stable, fast"), "{notes:?}");
}

#[test]
fn a_choice_may_change_in_the_middle_and_counts_from_then_on() {
    let mut world = World::new(Talk::of(&SENTENCES));
    world.reader("eva", "es", CaptionMode::Fast);
    world.at(12_000, |w| w.seats.get_mut("eva").unwrap().row.mode = AskedMode::Known(CaptionMode::Stable));
    world.run_until(40_000);
    let later = |c: &&schemas::message::Caption| c.timestamp.0 > crate::world::BEGIN + 13_000 && !c.is_final;
    let captions = world.seat("eva").captions();
    let whole = |c: &&schemas::message::Caption| c.stable_words as usize == c.text.split(' ').count();
    assert!(captions.iter().any(later) && captions.iter().filter(|c| later(c)).all(whole), "{captions:?}");
    assert_eq!(world.seat("eva").finals().len(), 3, "and no final is lost or told twice");
}

#[test]
fn before_a_hostile_recogniser_nothing_that_who_chose_stable_has_read_is_taken_back() {
    for seed in 1..=12 {
        let mut world = World::new(Talk::of(&SENTENCES));
        world.recogniser.hostility = Some(Hostility::new(Switches::worst(), seed));
        world.reader("stable", "es", CaptionMode::Stable);
        world.reader("en-stable", "en", CaptionMode::Stable);
        world.reader("fast", "es", CaptionMode::Fast);
        world.at(9_000, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
        world.run_until(60_000);
        world.check_contract();
        for seat in ["stable", "en-stable"] {
            assert_eq!(world.seat(seat).erasure(), 0.0, "{seat}, seed {seed}: {:#?}", world.seat(seat).captions());
        }
    }
}
