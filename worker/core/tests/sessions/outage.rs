//! A table that cannot be reached while everything else works.

use crate::world::{BEGIN, Talk, World, config};
use schemas::message::Message;
use schemas::reason::Cause;
use worker_core::config::{EngineConfig, Source};
use worker_core::input::{Input, RowFailure, SignalingEvent};

/// What ann reads of a talk of so many sentences, while the row cannot be written between these moments.
fn talk_over(sentences: usize, from: u64, until: u64) -> World {
    let mut world = World::new(Talk::long(sentences));
    world.listener("ann", "en");
    world.table_down = vec![(from, until)];
    world
}

fn closed() -> Input {
    Input::Signaling(SignalingEvent::Closed { detail: "1000".into(), gone: false })
}

fn left(world: &World) -> (u64, u8, Cause) {
    let (at, code, why) = world.exit.clone().unwrap();
    (at, code, why.cause)
}

fn said(world: &World, event: &str) -> Vec<u64> {
    world.facts.iter().filter(|(_, fact)| fact.event == event).map(|(at, _)| *at).collect()
}

#[test]
fn a_minute_without_the_table_costs_no_word() {
    let mut world = talk_over(30, 10_000, 70_000);
    world.run_until(150_000);
    assert_eq!(world.exit, None);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    world.check_contract();
}

#[test]
fn a_worker_that_stayed_past_its_lease_says_so_with_its_first_write_and_for_ten_minutes() {
    let mut world = talk_over(30, 10_000, 70_000);
    world.run_until(900_000);
    let note = |at: u64| {
        let write = world.writes.iter().find(|(written, _)| *written >= at).unwrap();
        write.1.status.notes.iter().find(|note| note.contains("could not be written")).cloned()
    };
    assert_eq!(note(5_000), None);
    assert!(note(70_000).unwrap().contains("for 62 s; the worker went on meanwhile: timeout"), "{:?}", note(70_000));
    assert!(note(200_000).unwrap().contains("2 min ago"), "{:?}", note(200_000));
    assert_eq!(note(680_000), None);
    assert_eq!(said(&world, "lease_unconfirmed").len(), 1);
    assert!((38_000..=40_000).contains(&said(&world, "lease_unconfirmed")[0]));
    assert_eq!(said(&world, "row_written_again").len(), 1);
    let longest = world.writes.iter().map(|(_, write)| write.unwritten_ms).max().unwrap();
    assert!((60_000..64_000).contains(&longest), "{longest}");
}

#[test]
fn a_table_that_stays_away_ends_the_worker_after_five_minutes_in_silence() {
    let mut world = talk_over(100, 10_000, u64::MAX);
    world.run_until(900_000);
    let (at, code, cause) = left(&world);
    assert_eq!((code, cause), (3, Cause::LeaseLost));
    assert!((308_000..=310_000).contains(&at), "five minutes after the last write: {at}");
    assert!(!world.seat("ann").ended(), "another worker may serve the session");
}

#[test]
fn a_failure_that_is_no_outage_ends_the_worker_with_its_lease() {
    let mut world = talk_over(30, 10_000, u64::MAX);
    world.at(20_000, |w| w.table_failure = RowFailure::Refused("AccessDeniedException".into()));
    world.at(22_000, |w| w.table_failure = RowFailure::Outage("timeout".into()));
    world.run_until(200_000);
    assert!((38_000..=40_000).contains(&left(&world).0), "{:?}", world.exit);
}

#[test]
fn a_condition_that_is_refused_ends_a_worker_that_stayed_at_once() {
    for refusal in [Input::LeaseLost, closed()] {
        let mut world = talk_over(30, 10_000, u64::MAX);
        world.at(60_000, move |w| w.push(0, refusal));
        world.run_until(200_000);
        let (at, code, cause) = left(&world);
        assert_eq!((at, code, cause), (60_000, 3, Cause::LeaseLost));
        assert!(world.seat("ann").received.iter().all(|(posted, _)| *posted <= at + 10), "not another word");
    }
    let mut world = talk_over(30, 10_000, 60_000);
    world.at(50_000, |w| w.generation = 2);
    world.run_until(200_000);
    assert!((60_000..63_000).contains(&left(&world).0), "the first look at the row: {:?}", world.exit);
}

#[test]
fn past_its_lease_a_worker_that_was_displaced_opens_no_signaling_again_and_within_it_does() {
    let opened = |closed_at: u64| {
        let mut world = talk_over(30, 10_000, 70_000);
        world.at(closed_at, |w| w.push(0, closed()));
        world.run_until(100_000);
        (world.wanted("OpenSignaling"), world.exit.is_some())
    };
    assert_eq!(opened(25_000), (2, false), "the lease stands: nobody can have taken the place");
    assert_eq!(opened(45_000), (1, true));
    assert_eq!(opened(75_000), (2, false), "confirmed again");
}

#[test]
fn signaling_is_neither_renewed_nor_given_up_at_a_go_away_while_the_lease_is_not_confirmed() {
    let mut world = talk_over(30, 10_000, 100_000);
    world.at(60_000, |w| w.push(0, Input::Signaling(SignalingEvent::GoAway)));
    world.run_until(90_000);
    assert_eq!((world.wanted("OpenSignaling"), &world.exit), (1, &None));

    let mut config = config();
    config.timing.signaling_renew_ms = 60_000;
    let mut world = World::with(config, Talk::long(30));
    world.table_down = vec![(10_000, 100_000)];
    world.run_until(99_000);
    assert_eq!((world.wanted("OpenSignaling"), &world.exit), (1, &None));
    world.run_until(110_000);
    assert_eq!(
        (world.wanted("OpenSignaling"), &world.exit),
        (2, &None),
        "what was due is done when the row is written again"
    );
}

#[test]
fn a_session_without_signaling_has_no_witness_and_stays_all_the_same() {
    let mut world = World::with(EngineConfig { source: Source::Stream, ..config() }, Talk::long(30));
    world.listener("ann", "en");
    world.table_down = vec![(10_000, 70_000)];
    world.run_until(150_000);
    assert_eq!(world.exit, None);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn past_its_lease_a_worker_tells_nobody_that_the_session_ended() {
    let mut world = talk_over(30, 10_000, u64::MAX);
    world.expires_at = BEGIN + 60_000;
    world.run_until(200_000);
    assert_eq!(left(&world), (60_000, 3, Cause::LeaseLost));
    assert!(!world.seat("ann").ended());
}

#[test]
fn a_sigterm_past_the_lease_still_flushes_the_last_words() {
    let mut world = talk_over(30, 10_000, u64::MAX);
    world.at(60_000, |w| w.push(0, Input::Terminate));
    world.run_until(200_000);
    let (at, code, cause) = left(&world);
    assert_eq!((code, cause), (143, Cause::TaskInterrupted));
    assert!(at < 68_000, "{at}");
    assert!(matches!(world.seat("ann").received.last(), Some((_, Message::CaptionStatus(_)))));
}

#[test]
fn every_message_names_the_worker_that_says_it() {
    let mut world = talk_over(8, 1_000_000, 1_000_001);
    world.at(20_000, World::end_session);
    world.run_until(60_000);
    assert!(world.seat("ann").ended());
    assert!(
        world.seat("ann").received.iter().all(|(_, message)| message.generation() == Some(schemas::ids::Generation(1)))
    );
}

#[test]
fn nothing_is_due_early_or_left_undone_during_an_outage() {
    let mut world = talk_over(20, 10_000, 70_000);
    world.restless = true;
    world.run_until(100_000);
    assert_eq!(world.exit, None);
}
