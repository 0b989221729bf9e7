//! Sessions on a KVS stream instead of a signaling channel.

use crate::world::{Talk, World, config};
use schemas::reason::Cause;
use schemas::worker::Phase;
use worker_core::config::Source;
use worker_core::input::{Input, MediaStreamEnd, MediaStreamEvent};

fn world(sentences: usize) -> World {
    let mut config = config();
    config.source = Source::Stream;
    let mut world = World::with(config, Talk::long(sentences as _));
    world.listener("ann", "en");
    world
}

#[test]
fn a_session_on_a_stream_is_captioned_like_any_other_and_never_touches_signaling() {
    let mut world = world(6);
    world.at(40_000, World::end_session);
    world.run_until(80_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    assert_eq!((world.wanted("OpenMedia"), world.wanted("OpenSignaling"), world.wanted("NewPeer")), (1, 0, 0));
    assert_eq!(world.wanted("CloseMedia"), 1);
    let mut phases: Vec<Phase> = world.writes.iter().map(|(_, w)| w.phase).collect();
    phases.dedup();
    assert_eq!(phases.first(), Some(&Phase::Joining));
    assert_eq!(phases.last(), Some(&Phase::Stopped));
    assert_eq!(world.exit.as_ref().unwrap().1, 0);
}

#[test]
fn a_break_of_the_connection_costs_no_word() {
    let mut world = world(10);
    for second in [5, 9, 10] {
        world.at(second * 1_000, |w| {
            w.push(0, Input::MediaStream(MediaStreamEvent::Closed(MediaStreamEnd::Clean)));
        });
    }
    world.run_until(80_000);
    assert_eq!(world.wanted("OpenMedia"), 4);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn a_stream_that_was_deleted_ends_the_session_and_says_so() {
    let mut world = world(30);
    for second in [8, 16] {
        world.at(second * 1_000, |w| {
            let gone = MediaStreamEnd::Gone("ResourceNotFoundException".into());
            w.push(0, Input::MediaStream(MediaStreamEvent::Closed(gone)));
        });
    }
    world.deleted_at = 20_000;
    world.at(20_000, |w| w.push(0, Input::MediaStream(MediaStreamEvent::Closed(MediaStreamEnd::Clean))));
    world.run_until(90_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::SessionDeleted));
    assert!((35_000..50_000).contains(&at), "{at}");
}

#[test]
fn a_producer_that_never_comes_back_ends_the_session_after_the_grace() {
    let mut world = world(60);
    world.speaker.present_until = 20_000;
    world.run_until(400_000);
    let (at, _, why) = world.exit.clone().unwrap();
    assert_eq!(why.cause, Cause::SpeakerGone);
    assert!((318_000..335_000).contains(&at), "{at}");
    assert!(world.wanted("OpenMedia") >= 3, "it was looked for in between");
}
