//! Long sessions, and random ones.

use crate::world::{Talk, World};
use proptest::prelude::*;
use worker_core::input::{Input, PostOutcome, SignalingEvent, StreamEnd, TranslateFailure};

const HOUR: u64 = 3_600_000;

#[test]
fn an_hour_of_session_runs_in_seconds() {
    let mut world = World::new(Talk::long((HOUR / 4_200) as usize - 2));
    for (name, language) in [("ann", "en"), ("eva", "es"), ("cat", "ca")] {
        world.listener(name, language);
    }
    world.at(HOUR, World::end_session);
    world.run_until(HOUR + 60_000);
    world.check_contract();
    assert_eq!(world.exit.as_ref().unwrap().1, 0);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert_eq!(world.seat("eva").finals().len(), world.seat("ann").finals().len());
    assert_eq!(world.recogniser.opened.len(), 1);
    assert_eq!(world.wanted("OpenSignaling"), 2, "its hour is renewed");
    let usage = &world.writes.last().unwrap().1.status.usage;
    assert!(usage.transcribed_ms.abs_diff(HOUR) < 10_000, "{usage:?}");
}

#[test]
fn four_hours_are_bridged_at_a_silence_without_losing_a_word() {
    let mut config = crate::world::config();
    config.timing.rotate_after_ms = 60_000;
    let mut world = World::with(config, Talk::long(60));
    world.listener("ann", "en");
    world.run_until(260_000);
    world.check_contract();
    assert_eq!(world.recogniser.opened.len(), 5);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn more_than_four_hours_cost_one_renewal_and_no_word() {
    const END: u64 = 4 * HOUR + HOUR / 20;
    let mut world = World::new(Talk::long((END / 4_200) as usize - 2));
    world.listener("ann", "en");
    world.at(END, World::end_session);
    world.run_until(END + 60_000);
    world.check_contract();
    assert_eq!(world.recogniser.opened.len(), 2);
    assert!(world.recogniser.opened[1].0 < 4 * HOUR, "before Transcribe ends it");
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    let usage = &world.writes.last().unwrap().1.status.usage;
    assert!(usage.transcribed_ms.abs_diff(END) < 10_000, "no second is paid for twice: {usage:?}");
}

#[derive(Debug, Clone)]
enum Fault {
    CutStream,
    SignalingLost,
    PostsFail(bool),
    PostsThrottled(bool),
    TranslateFails(bool),
    Join(u8, u8),
    Leave(u8),
    Switch(u8, u8),
    DeadLine(u16),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::CutStream),
        1 => Just(Fault::SignalingLost),
        1 => any::<bool>().prop_map(Fault::PostsFail),
        2 => any::<bool>().prop_map(Fault::PostsThrottled),
        2 => any::<bool>().prop_map(Fault::TranslateFails),
        4 => (0..6_u8, 0..3_u8).prop_map(|(who, language)| Fault::Join(who, language)),
        2 => (0..6_u8).prop_map(Fault::Leave),
        1 => (0..6_u8, 0..3_u8).prop_map(|(who, language)| Fault::Switch(who, language)),
        1 => (100..9_000_u16).prop_map(Fault::DeadLine),
    ]
}

fn apply(world: &mut World, fault: Fault) {
    let name = |who: u8| format!("c{who}");
    let language = |n: u8| ["en", "es", "ca"][usize::from(n)];
    match fault {
        Fault::CutStream => {
            let now = world.now;
            world.recogniser.cut(StreamEnd::Fault("random".into()), now);
        }
        Fault::SignalingLost => {
            world.push(0, Input::Signaling(SignalingEvent::Closed { detail: "random".into(), gone: false }));
        }
        // Two failures in a row are within the retries of a final only while they are short.
        Fault::PostsFail(on) => set_outcome(world, on.then_some(PostOutcome::Throttled)),
        Fault::PostsThrottled(on) => set_outcome(world, on.then_some(PostOutcome::Throttled)),
        Fault::TranslateFails(on) => {
            world.translate =
                if on { |_, _, _| (100, Err(TranslateFailure::Throttled)) } else { crate::world::prompt_translator };
        }
        Fault::Join(who, n) => {
            world.listener(&name(who), language(n));
        }
        Fault::Leave(who) => {
            if let Some(seat) = world.seats.get_mut(&name(who)) {
                seat.listed = !seat.listed;
            }
        }
        Fault::Switch(who, n) => {
            if let Some(seat) = world.seats.get_mut(&name(who)) {
                seat.row.language = crate::world::language(language(n));
            }
        }
        Fault::DeadLine(ms) => {
            let now = world.now;
            world.speaker.silent_line.push((now, now + u64::from(ms)));
        }
    }
}

fn set_outcome(world: &mut World, outcome: Option<PostOutcome>) {
    for seat in world.seats.values_mut() {
        seat.refuses.clone_from(&outcome);
    }
}

/// A session with these faults, which is stopped at 75 s; everything works again 13 s before.
fn troubled(faults: Vec<(u64, Fault)>) -> World {
    in_trouble(World::new(Talk::long(14)), faults)
}

fn in_trouble(mut world: World, faults: Vec<(u64, Fault)>) -> World {
    world.recogniser.fickle = true;
    world.listener("always", "en");
    for (at, fault) in faults {
        world.at(at, move |w| apply(w, fault));
    }
    world.at(62_000, |w| {
        set_outcome(w, None);
        w.translate = crate::world::prompt_translator;
    });
    world.at(75_000, World::end_session);
    world.run_until(120_000);
    world
}

#[test]
fn nothing_follows_the_exit_not_even_good_news() {
    // Posts work again, and the rung is left at the moment at which the last write is answered.
    let world = troubled(vec![(0, Fault::Join(0, 0)), (45_036, Fault::PostsFail(true)), (0, Fault::Join(1, 0))]);
    assert_eq!(world.exit.as_ref().map(|e| e.1), Some(0));
    assert!(world.seat("always").ended());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_due_before_the_wait_is_over_and_nothing_when_all_was_done(faults in prop::collection::vec((0..60_000_u64, fault()), 0..25)) {
        let mut world = World::new(Talk::long(14));
        world.restless = true;
        let world = in_trouble(world, faults);
        prop_assert_eq!(world.exit.as_ref().map(|e| e.1), Some(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn cursors_are_dense_and_monotone_whatever_happens(faults in prop::collection::vec((0..60_000_u64, fault()), 0..25)) {
        let world = troubled(faults);
        world.check_stays();
        prop_assert_eq!(world.exit.as_ref().map(|e| e.1), Some(0));
        prop_assert!(world.seat("always").ended());
    }
}
