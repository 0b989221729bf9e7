//! What the speaker is told, and that nobody else pays for it.

use crate::world::{Talk, World, config};
use schemas::ids::ConnectionId;
use schemas::speaker::Notice;
use worker_core::EngineConfig;
use worker_core::input::{PostOutcome, StreamEnd};

fn speaker() -> Option<ConnectionId> {
    ConnectionId::try_new("speaker=").ok()
}

fn break_off(world: &mut World, from: u64, until: u64) {
    world.recogniser.refuses = vec![(from, until, StreamEnd::Fault("unavailable".into()))];
    world.at(from, |w| w.recogniser.cut(StreamEnd::Fault("unavailable".into()), w.now));
}

/// A session in which no stream opens between two moments.
fn with_an_outage(sentences: usize, from: u64, until: u64) -> World {
    let mut world = World::new(Talk::long(sentences));
    world.listener("ann", "en");
    break_off(&mut world, from, until);
    world
}

#[test]
fn the_speaker_is_told_that_captions_pause_and_that_they_are_back() {
    for in_index in [false, true] {
        let mut world = with_an_outage(10, 8_000, 20_000);
        let line = &mut world.speakers_line;
        *(if in_index { &mut line.in_index } else { &mut line.in_row }) = speaker();
        world.run_until(45_000);
        world.check_contract();
        assert_eq!(world.speakers_line.notices(), [Notice::CaptionsPaused, Notice::CaptionsComplete], "{in_index}");
    }
}

#[test]
fn the_speaker_is_no_listener_and_costs_none_of_them_a_moment() {
    let run = |known: Option<ConnectionId>, refuses: Option<PostOutcome>| {
        let mut world = with_an_outage(10, 8_000, 20_000);
        world.listener("eva", "es");
        let line = &mut world.speakers_line;
        (line.in_row, line.latency_ms, line.refuses) = (known, 20_000, refuses);
        world.at(50_000, World::end_session);
        world.run_until(80_000);
        world.check_contract();
        let status = world.writes.last().unwrap().1.status.clone();
        let received: Vec<_> = ["ann", "eva"].iter().map(|name| world.seat(name).received.clone()).collect();
        (received, status.languages, status.usage.posts_failed, world.exit.clone().unwrap().0)
    };
    let alone = run(None, None);
    let fates = [None, Some(PostOutcome::Throttled), Some(PostOutcome::Failed("500".into())), Some(PostOutcome::Gone)];
    for refuses in fates {
        assert!(alone == run(speaker(), refuses.clone()), "{refuses:?}: the same, to the millisecond");
    }
}

#[test]
fn a_notice_waits_until_listeners_leave_a_place_free() {
    let mut world = World::with(EngineConfig { posts_in_flight: 1, ..config() }, Talk::long(10));
    world.listener("ann", "en");
    world.speakers_line.in_row = speaker();
    break_off(&mut world, 8_000, 20_000);
    world.run_until(45_000);
    world.check_contract();
    assert_eq!(world.speakers_line.notices(), [Notice::CaptionsPaused, Notice::CaptionsComplete]);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn a_speaker_who_is_not_heard_is_told_so_once_and_so_is_their_return() {
    let mut world = World::new(Talk::long(12));
    world.listener("ann", "en");
    world.speakers_line.in_row = speaker();
    world.speaker.silent_line = vec![(6_000, 9_000), (12_000, 30_000)];
    world.run_until(60_000);
    assert_eq!(world.speakers_line.notices(), [Notice::NotHeard, Notice::HeardAgain]);
    let told: Vec<u64> = world.speakers_line.received.iter().map(|(at, _)| *at).collect();
    assert!((16_900..19_500).contains(&told[0]) && (30_000..31_000).contains(&told[1]), "{told:?}");
}

#[test]
fn a_speaker_of_whom_nothing_ever_came_is_told_after_half_a_minute_and_never_in_a_pause() {
    let notices = |paused: bool| {
        let mut world = World::new(Talk::long(2));
        world.speaker.present_from = 50_000;
        world.speakers_line.in_row = speaker();
        if paused {
            world.desired = (schemas::worker::Desired::Pause, None);
        }
        world.run_until(49_000);
        world.speakers_line.notices()
    };
    assert_eq!(notices(false), [Notice::NotHeard]);
    assert_eq!(notices(true), []);
}

#[test]
fn a_speaker_who_connects_in_the_middle_of_trouble_is_told_of_it() {
    let mut world = with_an_outage(10, 8_000, 25_000);
    world.at(15_000, |w| w.speakers_line.in_row = speaker());
    world.run_until(45_000);
    assert_eq!(world.speakers_line.notices(), [Notice::CaptionsPaused, Notice::CaptionsComplete]);
    assert!(world.speakers_line.received[0].0 >= 15_000);
}

#[test]
fn nothing_is_told_to_a_speaker_once_the_lease_is_lost() {
    let mut world = with_an_outage(10, 8_000, 30_000);
    world.speakers_line.in_row = speaker();
    world.at(9_000, |w| w.generation = 2);
    world.run_until(45_000);
    assert_eq!(world.speakers_line.attempts, 0);
}
