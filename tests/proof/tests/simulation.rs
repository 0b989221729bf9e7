//! The simulation: thousands of sessions in virtual time, seed by seed. (More: `cargo run -p proof --bin soak`.)
#![allow(clippy::print_stdout, clippy::expect_used, reason = "tests that print their numbers")]
#![cfg(feature = "shell")]

use proof::invariants::Invariant;
use proof::sim::broken::Broken;
use proof::sim::faults::Weather;
use proof::sim::run::{Failure, Setup, run};
use proof::sim::tick::Fleet;
use std::collections::HashSet;
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
fn operators_rollouts_channels_and_restarts_in_place_are_part_of_every_run() {
    let seen = run(Setup::of(7)).map_err(|e| e.to_string()).expect("a run like any other");
    assert!(seen.claimed > 100, "{seen:?}");
    assert!(seen.wishes > 50 && seen.rolled > 1 && seen.deleted_channels > 100, "{seen:?}");
}

#[test]
fn a_version_that_cannot_run_is_met_in_every_third_run_and_found_bad() {
    for seed in [3, 6, 9, 12] {
        let seen = run(Setup::of(seed)).map_err(|e| e.to_string()).expect("one session pays for it");
        assert!(seen.found_bad, "seed {seed}: {} tasks", seen.tasks);
    }
}

/// 100 at once and 20 in a second, from the first tick on: what the rate allows. Then a tick of up to 65 s, and one look at the
/// queue, every 5 s.
#[test]
fn a_surge_of_a_thousand_sessions_is_admitted_at_the_rate_of_run_task_none_lost_and_in_order() {
    const SURGE: i64 = 1_000;
    let (rate, burst) = (20, 100);
    let weather = Weather::calm();
    let surge = Setup {
        seed: 3,
        sessions: 1_000,
        arrivals_ms: 1_000,
        lasts_ms: 19 * 60_000,
        weather,
        waits: true,
        broken: Broken::Nothing,
    };
    let seen = run(surge).map_err(|e| e.to_string()).expect("every session is served, or has ended");
    let first: Vec<(i64, usize, i64)> = first_of_each(&seen.launches);
    assert_eq!(first.len(), 1_000, "nobody is lost");
    let last = first.last().map_or(0, |launch| launch.0);
    println!("the last of {SURGE} was launched after {:.1} s", f64::from(u32::try_from(last).unwrap_or(0)) / 1_000.0);
    let by_the_rate = (SURGE - burst) * 1_000 / rate;
    assert!(last >= by_the_rate, "faster than RunTask's rate: {last} ms");
    assert!(last <= 65_000 + by_the_rate + 5_000, "slower than a tick and RunTask's rate: {last} ms");
    for (n, launch) in first.iter().enumerate() {
        let since = first.iter().position(|earlier| launch.0 - earlier.0 < 1_000).unwrap_or(n);
        assert!(n - since <= 120, "more than the burst and the rate within a second, before {launch:?}");
    }
    // From the first tick on, those that wait are served in the order of their wishes.
    let queued: Vec<i64> = first.iter().filter(|launch| launch.0 >= 60_000).map(|launch| launch.2).collect();
    assert!(queued.len() > 500, "{}", queued.len());
    assert!(queued.is_sorted(), "somebody was overtaken");
}

fn first_of_each(launches: &[(i64, usize, i64)]) -> Vec<(i64, usize, i64)> {
    let mut known = HashSet::new();
    launches.iter().filter(|launch| known.insert(launch.1)).copied().collect()
}

#[test]
fn a_tick_over_ten_thousand_sessions_reads_only_what_is_due() {
    let mut fleet = Fleet::live(10_000, |n| if n < 37 { 1 } else { 20_000 });
    let first = fleet.tick();
    assert!(
        first.rows_listed >= 10_000 && first.scans == 20,
        "a process that knows nothing sweeps everything: {first:?}"
    );
    assert_eq!(first.swept.looked, 0, "nobody is due yet: {first:?}");
    fleet.later(1);
    let tick = fleet.tick();
    println!("{tick:?}");
    assert_eq!((tick.swept.looked, tick.swept.left, tick.scans), (37, 0, 0));
    assert!(tick.rows_listed <= 2 * 37 && tick.rows_read <= 2 * 37, "{tick:?}");
}

#[test]
fn ticks_that_run_out_of_time_go_on_where_they_stopped_and_nobody_starves() {
    let mut fleet = Fleet::live(10_000, |_| 0);
    fleet.calls_take(25);
    let mut before = fleet.looked();
    let (mut ticks, mut at_most) = (0, 0);
    while before.contains(&0) {
        let tick = fleet.tick();
        println!("{tick:?}");
        assert!(tick.took_ms <= 60_000, "within the limit of an invocation: {tick:?}");
        assert!(tick.swept.looked > 0, "{tick:?}");
        fleet.later(60_000 - tick.took_ms);
        let after = fleet.looked();
        at_most = at_most.max(after.iter().copied().max().unwrap_or(0));
        before = after;
        ticks += 1;
        assert!(ticks <= 12, "somebody starves");
    }
    assert!(ticks > 1, "one tick is not enough for all");
    println!("{ticks} ticks for 10,000 sessions, none looked at more than {at_most} times");
}

// ── a simulation that cannot fail proves nothing ──

const SEEDS: u64 = 24;

/// The first seed, from the last one on, in which that invariant is the first to notice it.
fn first_failure(broken: Broken, invariant: Invariant) -> Option<Box<Failure>> {
    let noticed = |seed| run(Setup { broken, ..Setup::of(seed) }).err();
    (1..=SEEDS).rev().filter_map(noticed).find(|failure| failure.violation.invariant == invariant)
}

#[test]
fn every_broken_rule_is_noticed_within_a_few_seeds_and_its_seed_replays() {
    for (broken, invariant) in Broken::ALL {
        let failure =
            first_failure(broken, invariant).unwrap_or_else(|| panic!("{broken:?} was not noticed in {SEEDS} seeds"));
        println!("{broken:?}: seed {}, {}", failure.seed, failure.violation);
        let again = run(Setup { broken, ..Setup::of(failure.seed) }).err().map(|again| again.to_string());
        assert_eq!(again, Some(failure.to_string()), "the seed replays to the word");
        assert!(failure.to_string().contains(&format!("--seed {} --runs 1 --broken {broken:?}", failure.seed)));
    }
}

#[test]
fn every_invariant_has_a_broken_rule_that_it_notices() {
    for invariant in Invariant::ALL {
        assert!(Broken::ALL.iter().any(|(_, noticed)| *noticed == invariant), "{invariant} cannot fail here");
    }
}
