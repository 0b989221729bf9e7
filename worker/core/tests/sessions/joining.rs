//! The way to the speaker.

use crate::world::{Talk, World};
use schemas::worker::Phase;
use worker_core::input::{Input, SignalingEvent};

#[test]
fn nothing_is_joined_before_the_lease_is_confirmed() {
    let mut world = World::new(Talk::long(1));
    world.table_down = vec![(0, 4_000)];
    world.run_until(3_900);
    assert_eq!(world.wanted("OpenSignaling"), 0);
    world.run_until(10_000);
    assert_eq!(world.wanted("OpenSignaling"), 1);
}

#[test]
fn the_phases_and_the_start_up_are_written_as_they_are_reached() {
    let mut world = World::new(Talk::long(2));
    world.listener("ann", "en");
    world.speaker.present_from = 7_000;
    world.run_until(25_000);
    let mut phases: Vec<Phase> = world.writes.iter().map(|(_, w)| w.phase).collect();
    phases.dedup();
    assert_eq!(phases, [Phase::Joining, Phase::WaitingForSpeaker, Phase::Live]);
    assert!(world.writes.iter().all(|(_, w)| w.why.is_some() || w.phase != Phase::Joining));
    let start_up = &world.writes.last().unwrap().1.status.start_up;
    let order = [start_up.process_at, start_up.joined_at, start_up.first_audio_at, start_up.first_caption_at];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
}

#[test]
fn a_speaker_who_comes_late_is_found_within_an_offers_interval() {
    let mut world = World::new(Talk::long(2));
    world.listener("ann", "en");
    world.speaker.present_from = 300_000;
    world.run_until(330_000);
    let first = world.begin_of_audio();
    assert!(first < 311_000, "{first}");
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn a_speaker_who_vanishes_and_returns_is_heard_again() {
    let mut world = World::new(Talk::long(20));
    world.listener("ann", "en");
    world.speaker.silent_line = vec![(10_000, 24_000)];
    world.run_until(100_000);
    world.check_contract();
    assert!(world.wanted("NewPeer") >= 2);
    let text = world.seat("ann").text();
    assert!(text.starts_with("w0x0") && text.ends_with("w19x7"), "{text}");
}

#[test]
fn signaling_loss_does_not_touch_media() {
    let mut world = World::new(Talk::long(12));
    world.listener("ann", "en");
    for second in [5, 6, 9, 20] {
        world.at(second * 1_000, |w| {
            w.push(0, Input::Signaling(SignalingEvent::Closed { detail: "reset".into(), gone: false }));
        });
    }
    world.at(30_000, |w| w.push(0, Input::Signaling(SignalingEvent::GoAway)));
    world.run_until(60_000);
    assert_eq!((world.wanted("NewPeer"), world.recogniser.opened.len()), (1, 1));
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert!(world.wanted("OpenSignaling") >= 5);
}
