//! Endings, announced and not.

use crate::world::{BEGIN, Talk, World, config};
use schemas::ids::{Generation, Timestamp};
use schemas::message::Message;
use schemas::reason::Cause;
use schemas::worker::{Desired, Phase, Rung};
use worker_core::input::{Input, RowFailure, SignalingEvent};

fn gone() -> Input {
    Input::Signaling(SignalingEvent::Closed { detail: "404".into(), gone: true })
}

#[test]
fn a_channel_that_is_said_once_not_to_exist_is_tried_again() {
    let mut world = World::new(Talk::long(4));
    world.listener("ann", "en");
    world.at(60, |w| w.push(0, gone()));
    world.run_until(30_000);
    assert_eq!(world.exit, None);
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
}

#[test]
fn a_channel_that_is_not_known_everywhere_for_ten_seconds_ends_no_session() {
    let mut world = World::new(Talk::long(4));
    world.listener("ann", "en");
    world.deleted_at = 0;
    world.at(10_000, |w| w.deleted_at = u64::MAX);
    world.run_until(90_000);
    assert_eq!(world.exit, None);
    assert!(!world.seat("ann").text().is_empty());
}

#[test]
fn a_channel_that_was_deleted_ends_the_session_within_a_minute() {
    let mut world = World::new(Talk::long(4));
    world.deleted_at = 0;
    world.run_until(90_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::SessionDeleted));
    assert!((15_000..40_000).contains(&at), "{at}");
}

fn last_phase(world: &World) -> Phase {
    world.writes.last().unwrap().1.phase
}

#[test]
fn last_words_are_flushed_before_the_end() {
    let mut world = World::new(Talk::of(&["one two three four five six seven eight nine ten eleven twelve"]));
    world.listener("ann", "en");
    world.listener("eva", "es");
    world.at(4_600, World::end_session);
    world.run_until(60_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause, last_phase(&world)), (0, Cause::SessionEnded, Phase::Stopped));
    let said = world.seat("ann").text();
    assert!(said.starts_with("one two three") && said.split(' ').count() >= 8, "{said}");
    assert!(world.seat("eva").text().contains("es:eight"));
    for name in ["ann", "eva"] {
        assert!(world.seat(name).ended(), "{:?}", world.seat(name).received.last());
    }
    assert!(at < 9_000, "{at}");
    world.check_contract();
}

#[test]
fn a_row_that_answers_late_keeps_the_worker_until_its_last_write_is_answered() {
    let mut world = World::new(Talk::long(10));
    world.listener("ann", "en");
    world.table_slow = vec![(20_000, u64::MAX, 3_000)];
    world.at(25_000, World::end_session);
    world.run_until(60_000);
    let written = world.writes.iter().find(|(_, w)| w.phase == Phase::Stopped).map(|(at, _)| *at);
    let (at, code, _) = world.exit.clone().unwrap();
    assert_eq!((code, Some(at)), (0, written.map(|at| at + 3_000)), "the answer to the write before it is not its own");
}

#[test]
fn an_end_with_everything_stuck_still_ends_in_time_and_in_the_original() {
    let mut world = World::new(Talk::long(8));
    world.listener("eva", "es");
    world.listener("stuck", "es").latency_ms = 1_000_000;
    world.translate = |_, _, _| (1_000_000, Ok("never".into()));
    world.at(16_000, World::end_session);
    world.run_until(60_000);
    let (at, code, _) = world.exit.clone().unwrap();
    assert!(at < 16_000 + 2_000 + 9_000, "{at}");
    assert_eq!((code, last_phase(&world)), (0, Phase::Stopped));
    assert!(world.seat("eva").ended());
    assert!(world.seat("eva").finals().iter().all(|c| c.degraded));
    world.check_contract();
}

#[test]
fn listeners_whose_rows_were_deleted_long_before_the_stop_are_told_the_end_all_the_same() {
    // HTTP DELETE removes the rows first; the controller may hear of it only with its schedule.
    for stop_after in [1_000, 4_900, 20_000, 70_000] {
        let mut world = World::new(Talk::long(40));
        world.listener("ann", "en");
        world.listener("eva", "es");
        world.at(12_000, |w| w.seats.values_mut().for_each(|seat| seat.listed = false));
        world.at(12_000 + stop_after, World::end_session);
        world.run_until(120_000);
        assert_eq!(world.exit.as_ref().map(|e| e.1), Some(0));
        for name in ["ann", "eva"] {
            assert!(world.seat(name).ended(), "{name}, stopped after {stop_after}");
        }
    }
}

#[test]
fn a_listener_who_left_is_not_told_of_an_end_minutes_later() {
    let mut world = World::new(Talk::long(60));
    world.listener("ann", "en");
    world.listener("eva", "es");
    world.at(12_000, |w| w.seats.get_mut("eva").unwrap().listed = false);
    world.at(150_000, World::end_session);
    world.run_until(200_000);
    assert!(world.seat("ann").ended() && !world.seat("eva").ended());
}

#[test]
fn nobody_gets_a_word_after_the_end() {
    for joins_at in (11_500..14_500).step_by(60) {
        let mut world = World::new(Talk::long(8));
        world.listener("ann", "en");
        world.at(12_000, World::end_session);
        world.at(joins_at, |w| {
            w.listener("late", "en");
        });
        world.run_until(60_000);
        for seat in world.seats.values() {
            let end = seat.received.iter().position(|(_, m)| matches!(m, Message::SessionEnded(_)));
            assert!(end.is_none_or(|at| at + 1 == seat.received.len()), "{joins_at}: {:?}", seat.received);
        }
    }
}

#[test]
fn a_session_that_is_stopped_before_anything_came_ends_at_once() {
    let mut world = World::new(Talk::long(1));
    world.end_session();
    world.run_until(60_000);
    let (at, code, _) = world.exit.clone().unwrap();
    assert!(at < 3_000 && code == 0);
    assert_eq!(world.wanted("OpenSignaling"), 0);
}

#[test]
fn the_row_may_be_unreachable_at_the_end() {
    let mut world = World::new(Talk::long(4));
    world.listener("ann", "en");
    world.deleted_at = 10_000;
    world.at(10_000, |w| w.push(0, gone()));
    world.table_down = vec![(10_000, 1_000_000)];
    world.run_until(90_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::SessionDeleted));
    assert!(world.seat("ann").ended() && (25_000..40_000).contains(&at), "{at}");
}

#[test]
fn a_worker_that_cannot_confirm_its_lease_falls_silent() {
    let mut world = World::new(Talk::long(30));
    world.listener("ann", "en");
    world.table_down = vec![(10_000, 1_000_000)];
    world.table_failure = RowFailure::Refused("AccessDeniedException".into());
    world.run_until(200_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (3, Cause::LeaseLost));
    assert!((38_000..=40_000).contains(&at), "30 s after the last write: {at}");
    assert!(!world.seat("ann").ended(), "another worker may serve the session");
    assert_ne!(last_phase(&world), Phase::Stopped);
}

#[test]
fn a_worker_whose_row_belongs_to_another_generation_says_nothing_more() {
    let mut world = World::new(Talk::long(30));
    world.listener("ann", "en");
    world.at(10_000, |w| w.generation = 2);
    world.run_until(60_000);
    let (at, code, _) = world.exit.clone().unwrap();
    assert!(at < 12_100 && code == 3);
    assert!(world.seat("ann").received.iter().all(|(posted, _)| *posted <= at + 10));
}

#[test]
fn an_interrupted_worker_flushes_and_tells_nobody_that_the_session_ended() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(12_000, |w| w.push(0, Input::Terminate));
    world.run_until(60_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (143, Cause::TaskInterrupted));
    assert!(at < 16_000);
    assert!(matches!(world.seat("ann").received.last(), Some((_, Message::CaptionStatus(_)))));
    assert_eq!(last_phase(&world), Phase::Live, "a Stopped row would end the session");
    assert!(world.seat("ann").text().starts_with("w0x0"));
}

#[test]
fn a_worker_that_hands_over_flushes_and_tells_nobody_that_the_session_ended() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(12_000, |w| w.desired = (Desired::HandOver { leave_by: None }, Some(Cause::Handover)));
    world.run_until(60_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (143, Cause::Handover));
    assert!(at < 18_000 && !world.seat("ann").ended());
    assert!(matches!(world.seat("ann").received.last(), Some((_, Message::CaptionStatus(_)))));
    assert_ne!(last_phase(&world), Phase::Stopped, "the row is the next generation's");
}

#[test]
fn whether_the_session_goes_on_is_told_by_what_is_wanted_and_not_by_its_cause() {
    for (wanted, cause, code) in [
        (Desired::Stop, Cause::Unknown, 0),
        (Desired::Stop, Cause::StageStuck, 0),
        (Desired::HandOver { leave_by: None }, Cause::Unknown, 143),
    ] {
        let mut world = World::new(Talk::long(8));
        world.listener("ann", "en");
        world.at(12_000, move |w| w.desired = (wanted, Some(cause)));
        world.run_until(60_000);
        assert_eq!(world.exit.as_ref().map(|exit| exit.1), Some(code), "{wanted:?} {cause:?}");
        assert_eq!(world.seat("ann").ended(), code == 0, "{wanted:?} {cause:?}");
    }
}

/// What ann was told of the service, and how many captions she had before it.
fn notices(world: &World) -> Vec<(usize, Rung)> {
    let mut captions = 0;
    let status = |(_, message): &(u64, Message)| match message {
        Message::CaptionStatus(status) => Some((captions, status.rung)),
        Message::Transcription(_) => {
            captions += 1;
            None
        }
        Message::Emotion(_) | Message::SessionEnded(_) => None,
    };
    world.seat("ann").received.iter().filter_map(status).collect()
}

#[test]
fn what_the_worker_before_told_listeners_of_the_service_is_taken_back_with_the_first_caption() {
    // It may have said that captions move to another machine, or have died while they were reduced.
    for (generation, told) in [(1, vec![]), (2, vec![(0, Rung::Full)])] {
        let mut world = World::with(
            worker_core::config::EngineConfig { generation: Generation(generation), ..config() },
            Talk::long(8),
        );
        world.generation = generation;
        world.listener("ann", "en");
        world.run_until(40_000);
        assert_eq!(notices(&world), told, "generation {generation}");
        assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    }
}

fn hands_over_by(world: &mut World, wished: u64, by: u64) -> u64 {
    world.listener("ann", "en");
    world.at(wished, move |w| {
        let leave_by = Some(Timestamp(BEGIN + i64::try_from(by).unwrap()));
        w.desired = (Desired::HandOver { leave_by }, Some(Cause::Handover));
    });
    world.run_until(90_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (143, Cause::Handover));
    assert!(at > wished && !world.seat("ann").ended());
    at
}

#[test]
fn a_handover_waits_for_a_silence_and_cuts_no_sentence() {
    // Whenever it is wished within a sentence of 3.2 s and its pause of 1 s.
    for wished in (12_000..16_200).step_by(300) {
        let mut world = World::new(Talk::long(12));
        let at = hands_over_by(&mut world, wished, 80_000);
        assert!(at < wished + 12_000, "wished at {wished}, left at {at}");
        let words = world.seat("ann").text().split_whitespace().count();
        assert!(words > 0 && words.is_multiple_of(8), "wished at {wished}: {words} words of sentences of 8");
    }
}

#[test]
fn a_handover_from_somebody_who_never_pauses_happens_in_time_all_the_same() {
    let endless: Vec<String> = (0..150).map(|n| format!("w{n}")).collect();
    let mut world = World::new(Talk::of(&[&endless.join(" ")]));
    let at = hands_over_by(&mut world, 12_000, 30_000);
    assert!((30_000..45_000).contains(&at), "left at {at}");
}

#[test]
fn a_sigterm_after_the_stop_changes_nothing_of_its_cause() {
    let mut world = World::new(Talk::long(8));
    world.listener("ann", "en");
    world.at(12_000, World::end_session);
    world.at(14_100, |w| w.push(0, Input::Terminate));
    world.run_until(60_000);
    let (_, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::SessionEnded));
    assert!(world.seat("ann").ended());
}

#[test]
fn a_session_ends_when_it_expires() {
    let mut world = World::new(Talk::long(30));
    world.listener("ann", "en");
    world.expires_at = BEGIN + 20_000;
    world.run_until(60_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::SessionExpired));
    assert!((20_000..26_000).contains(&at));
}

#[test]
fn a_speaker_who_never_comes_ends_the_session_after_ten_minutes() {
    let mut world = World::new(Talk::default());
    world.listener("ann", "en");
    world.speaker.present_from = u64::MAX;
    world.run_until(3_600_000);
    let (at, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::SpeakerNeverCame));
    assert!(at.abs_diff(600_000) < 5_000, "{at}");
    assert!(world.seat("ann").ended());
}

#[test]
fn a_speaker_who_answers_behind_a_wall_is_not_one_who_never_came() {
    let mut world = World::new(Talk::default());
    world.listener("ann", "en");
    world.speaker.walled_until = u64::MAX;
    world.run_until(30_000);
    let trouble = world.writes.last().unwrap().1.status.trouble.clone().unwrap();
    assert_eq!(trouble.cause, Cause::NoMediaPath);
    assert!(trouble.text.contains("UDP") && !trouble.text.contains('\n'), "{}", trouble.text);
    world.run_until(3_600_000);
    let (_, code, why) = world.exit.clone().unwrap();
    assert_eq!((code, why.cause), (0, Cause::NoMediaPath), "{}", why.text);
}

#[test]
fn a_wall_that_falls_is_forgotten() {
    let mut world = World::new(Talk::long(20));
    world.listener("ann", "en");
    world.speaker.walled_until = 40_000;
    world.run_until(90_000);
    assert!(world.writes.iter().any(|(_, write)| write.status.trouble.is_some()));
    assert_eq!(world.writes.last().unwrap().1.status.trouble, None);
    assert!(!world.seat("ann").text().is_empty());
}

#[test]
fn a_speaker_who_left_ends_the_session_after_five_minutes_and_in_a_pause_after_thirty() {
    let gone = |paused: bool| {
        let mut world = World::new(Talk::long(3));
        world.speaker.present_until = 20_000;
        if paused {
            world.at(15_000, |w| w.desired = (Desired::Pause, Some(Cause::SessionPaused)));
        }
        world.run_until(3_600_000);
        let (at, code, why) = world.exit.clone().unwrap();
        assert_eq!((code, why.cause), (0, Cause::SpeakerGone));
        at
    };
    assert!(gone(false).abs_diff(320_000) < 3_000);
    assert!(gone(true).abs_diff(1_820_000) < 3_000);
}
