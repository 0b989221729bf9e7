//! The simulation: thousands of sessions in virtual time, seed by seed. (More: `cargo run -p proof --bin soak`.)
#![allow(clippy::print_stdout, clippy::expect_used, reason = "tests that print their numbers")]
#![cfg(feature = "shell")]

use proof::sim::faults::Weather;
use proof::sim::run::{Setup, run};
use std::time::Instant;

/// Runs seeds until their sessions have lived so many hours.
fn simulate(first: u64, hours: i64) {
    let (began, mut lived, mut sessions, mut seed) = (Instant::now(), 0, 0, first);
    while lived < hours * 3_600_000 {
        match run(Setup::of(seed)) {
            Ok(seen) => {
                lived += seen.session_ms;
                sessions += seen.sessions;
            }
            Err(failure) => panic!("{failure}"),
        }
        seed += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(sessions).unwrap_or(u32::MAX)) / seconds;
    println!(
        "{} session-hours of {sessions} sessions in {seconds:.1} s: {rate:.0} sessions a second",
        lived / 3_600_000
    );
}

#[test]
fn fifty_thousand_session_hours_of_faults_break_no_invariant() {
    simulate(1, 50_000);
}

#[test]
fn fifty_thousand_more_session_hours_break_none_either() {
    simulate(1_000_001, 50_000);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let story =
        |seed| run(Setup::of(seed)).map(|seen| (seen.looks, seen.tasks, seen.session_ms)).map_err(|e| e.to_string());
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn a_surge_of_a_thousand_sessions_against_the_rate_of_run_task_loses_none() {
    let surge = Setup { seed: 3, sessions: 1_000, arrivals_ms: 1_000, lasts_ms: 19 * 60_000, weather: Weather::calm() };
    match run(surge) {
        Ok(seen) => {
            println!("all served after {} s, {} tasks", seen.all_served_ms / 1_000, seen.tasks);
            assert!((1_000..1_100).contains(&seen.tasks), "one task each, and one for each new run of an id");
            assert!(seen.all_served_ms > 0, "somebody was lost");
        }
        Err(failure) => panic!("{failure}"),
    }
}
