//! Mistakes that others have made, on the real controller with its capabilities in memory (the rest: docs/proofs.md).
#![allow(clippy::expect_used, reason = "tests")]
#![cfg(feature = "shell")]

use proof::sim::tick::Fleet;
use schemas::reason::Cause;
use schemas::worker::Phase;

const MINUTE: i64 = 60_000;

#[test]
fn stale_generation_write_is_rejected() {
    let mut fleet = Fleet::live(1, |_| 60_000);
    let read = fleet.row(0);
    fleet.crash(0);
    fleet.task_has_stopped(0);
    let newer = fleet.row(0);
    assert_eq!((newer.generation.0, newer.phase), (2, Phase::Launching));
    assert!(!fleet.writes_stopped(&read), "a controller that has read generation 1 is told to read again");
    assert_eq!(fleet.row(0), newer, "and has changed nothing");
    fleet.late_heartbeat(0, 0);
    assert_eq!(fleet.row(0), newer, "nor has a worker of generation 1 that comes back");
}

#[test]
fn a_drain_of_many_sessions_takes_one_at_a_time_or_as_many_as_it_says() {
    for (at_once, places) in [(None, 1), (Some(3), 3)] {
        let mut fleet = Fleet::live(6, |_| 60_000);
        fleet.drain_all(at_once);
        for _ in 0..3 {
            fleet.tick();
            let leaving = (0..6).filter(|n| fleet.row(*n).phase == Phase::Draining).count();
            assert_eq!(leaving, places, "{at_once:?}");
            fleet.later(1_000);
        }
    }
}

#[test]
fn a_run_that_has_ended_by_itself_is_not_looked_at_each_minute_for_ever() {
    let mut fleet = Fleet::live(1, |_| 60_000);
    fleet.speaker_leaves(0);
    fleet.look(0);
    assert_eq!((fleet.row(0).phase, fleet.row(0).why.cause), (Phase::Stopped, Cause::SpeakerGone));
    let before = fleet.looked()[0];
    for _ in 0..12 * 60 {
        fleet.tick();
        fleet.later(MINUTE);
    }
    let looks = fleet.looked()[0] - before;
    assert!(
        (1..=30).contains(&looks),
        "{looks} looks in twelve hours at a run that has ended, and that its session's row still wants"
    );
}

#[test]
fn the_longest_duration_is_enforced_by_the_schedule_alone() {
    let mut fleet = Fleet::live(1, |_| 0);
    for _ in 0..22 * 60 + 58 {
        fleet.tick();
        fleet.later(MINUTE);
    }
    assert_eq!(fleet.row(0).phase, Phase::Live, "{:?}", fleet.row(0).why);
    fleet.later(2 * MINUTE);
    let tick = fleet.tick();
    assert_eq!(
        (fleet.row(0).phase, fleet.row(0).why.cause),
        (Phase::Draining, Cause::MaxDuration),
        "{tick:?} {:?}",
        fleet.row(0)
    );
}
