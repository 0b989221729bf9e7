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

const MINUTE: i64 = 60_000;

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
    let log = |setup: Setup| run(setup).map(|seen| seen.log).map_err(|e| e.to_string()).expect("a run like any other");
    assert_eq!(log(Setup::of(7)), log(Setup::of(7)), "every event, and every line of every session's story");
    assert_ne!(log(Setup::of(7)), log(Setup::of(8)));
    let fleet = |seed| log(Setup::fleet(seed, 300, 10 * MINUTE));
    assert_eq!(fleet(7), fleet(7), "with calls that take their time, too");
}

#[test]
fn operators_rollouts_channels_and_restarts_in_place_are_part_of_every_run() {
    let seen = run(Setup::of(7)).map_err(|e| e.to_string()).expect("a run like any other");
    assert!(seen.claimed > 100, "{seen:?}");
    assert!(seen.orders > 50 && seen.rolled > 1 && seen.deleted_channels > 100, "{seen:?}");
}

#[test]
fn a_version_that_cannot_run_is_met_in_every_third_run_and_found_bad() {
    for seed in [3, 6, 9, 12] {
        let seen = run(Setup::of(seed)).map_err(|e| e.to_string()).expect("one session pays for it");
        assert!(seen.found_bad, "seed {seed}: {} tasks", seen.tasks);
    }
}

/// 20 in a second: what the rate allows, and a tenth of it, from the first wish on; in order, as `QueueIsFair` says. The wishes come within a second, and their records 1.5 s later.
#[test]
fn a_surge_of_a_thousand_sessions_is_launched_at_the_rate_of_run_task_none_lost_and_in_order() {
    const SURGE: i64 = 1_000;
    let (rate, burst) = (20, 100);
    let surge = Setup { sessions: 1_000, arrivals_ms: 1_000, ..Setup::fleet(3, 1_000, 5 * MINUTE) };
    let seen = run(surge).map_err(|e| e.to_string()).expect("every session is served");
    let first: Vec<(i64, usize, i64)> = first_of_each(&seen.launches);
    assert_eq!(first.len(), 1_000, "nobody is lost");
    let last = first.last().map_or(0, |launch| launch.0);
    println!("the last of {SURGE} was launched after {last} ms; {:?}", seen.bill);
    for five in 0..20 {
        let launched = first.iter().filter(|launch| launch.0 / 5_000 == five).count();
        print!("{launched} ");
    }
    println!("launched in each five seconds");
    let by_the_rate = (SURGE - burst) * 1_000 / rate;
    assert!(last >= by_the_rate, "faster than RunTask's rate: {last} ms");
    assert!(last <= SURGE * 1_000 / rate * 11 / 10, "slower than RunTask's rate: {last} ms");
    for (n, launch) in first.iter().enumerate() {
        let since = first.iter().position(|earlier| launch.0 - earlier.0 < 1_000).unwrap_or(n);
        assert!(n - since <= 120, "more than the burst and the rate within a second, before {launch:?}");
    }
}

#[test]
fn a_fleet_under_what_aws_allows_meets_no_limit_and_loses_no_lease() {
    let seen = run(Setup::fleet(1, 10_000, 30 * MINUTE)).map_err(|e| e.to_string()).expect("every session is served");
    println!("{:?}; {} session-hours", seen.bill, seen.session_ms / 3_600_000);
    assert_eq!(seen.bill.table_throttled, 0);
    assert!(seen.bill.ecs_throttled * 100 <= seen.bill.ecs_reads, "no storm: {:?}", seen.bill);
    // Clocks that are apart take more than the burst at times.
    assert!(seen.bill.run_throttled <= 50, "{:?}", seen.bill);
    assert_eq!(seen.tasks, 10_000, "each session has had one worker");
    assert_eq!(seen.replaced_after, [] as [i64; 0]);
}

/// 10,000 for 24 hours: `fleet day 10000 24` (docs/proofs.md).
#[test]
fn sessions_that_come_in_bursts_of_ten_times_as_many_and_live_an_hour_meet_no_limit_and_lose_no_lease() {
    let seen = run(Setup::day(5, 1_000, 4)).map_err(|e| e.to_string()).expect("every session is served");
    println!("{:?}; {} session-hours", seen.bill, seen.session_ms / 3_600_000);
    assert_eq!((seen.bill.table_throttled, seen.bill.ecs_throttled), (0, 0), "{:?}", seen.bill);
    assert_eq!((seen.tasks, seen.replaced_after.len()), (4_000, 0), "each session has had one worker");
    let mut started = seen.started_after;
    started.sort_unstable();
    assert!(started[started.len() * 99 / 100] <= 50_000, "{:?}", started.last());
}

#[test]
fn a_hung_worker_is_replaced_within_35_seconds_of_its_last_sign_of_life() {
    let weather = Weather { accident: 20_000, ..Weather::calm() };
    let seen =
        run(Setup { weather, ..Setup::fleet(2, 1_000, 40 * MINUTE) }).map_err(|e| e.to_string()).expect("served");
    let mut after = seen.replaced_after;
    after.sort_unstable();
    assert!(after.len() > 100, "{after:?}");
    println!("{} were replaced, {} ms after their last sign of life at the most", after.len(), after[after.len() - 1]);
    // A worker's clock and a controller's are up to 2 s apart, timers have whole seconds, and every hundredth call takes ten times as long.
    let within = |ms: i64| after.iter().filter(|at| **at <= ms).count() * 100 / after.len();
    println!("within 35 s {} %, within 37 s {} %", within(35_000), within(37_000));
    assert!(within(35_000) >= 95 && within(37_000) >= 98 && within(45_000) >= 100, "{after:?}");
}

#[test]
fn an_incident_of_an_hour_heals_within_five_minutes_of_its_end_without_a_hand() {
    let (begins, ends) = (5 * MINUTE, 65 * MINUTE);
    let sessions = Setup { arrivals_ms: 40 * MINUTE, ..Setup::fleet(4, 600, 75 * MINUTE) };
    let seen = run(Setup { incident: Some((begins, ends)), ..sessions }).map_err(|e| e.to_string()).expect("served");
    let last = seen.launches.last().map_or(0, |launch| launch.0);
    println!("the last launch came {} s after the end of the incident; {:?}", (last - ends) / 1_000, seen.bill);
    assert!(last > ends && last + 40_000 <= ends + 5 * MINUTE, "{last}");
}

fn first_of_each(launches: &[(i64, usize, i64)]) -> Vec<(i64, usize, i64)> {
    let mut known = HashSet::new();
    launches.iter().filter(|launch| known.insert(launch.1)).copied().collect()
}

#[test]
fn a_tick_over_ten_thousand_healthy_sessions_takes_at_most_300_calls_and_writes_nothing_but_its_lease() {
    let mut fleet = Fleet::live(10_000, |_| 3_600_000);
    fleet.tick(); // what happened is told once
    fleet.tick(); // and what ECS says is written once
    fleet.later(MINUTE);
    let tick = fleet.tick();
    println!("{tick:?}");
    assert_eq!((tick.swept.looked, tick.swept.left, tick.rows_read, tick.write_units), (0, 0, 0, 2));
    assert!(tick.calls <= 300 && tick.ecs_reads <= 101, "{tick:?}");
}

#[test]
fn ticks_that_run_out_of_time_go_on_where_they_stopped_and_nobody_starves() {
    let mut fleet = Fleet::live(10_000, |_| 3_600_000);
    fleet.calls_take(25);
    fleet.end_all();
    let mut before = fleet.looked();
    let (mut ticks, mut at_most) = (0, 0);
    while before.contains(&0) {
        let tick = fleet.tick();
        println!("{tick:?}");
        assert!(tick.took_ms <= 60_000, "within the limit of an invocation: {tick:?}");
        assert!(tick.swept.looked > 0, "{tick:?}");
        fleet.later((60_000 - tick.took_ms).max(1));
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
    let noticed = |seed| run(broken.setup(seed)).err();
    (1..=SEEDS).rev().filter_map(noticed).find(|failure| failure.violation.invariant == invariant)
}

#[test]
fn every_broken_rule_is_noticed_within_a_few_seeds_and_its_seed_replays() {
    for (broken, invariant) in Broken::ALL {
        let failure =
            first_failure(broken, invariant).unwrap_or_else(|| panic!("{broken:?} was not noticed in {SEEDS} seeds"));
        println!("{broken:?}: seed {}, {}", failure.seed, failure.violation);
        let again = run(broken.setup(failure.seed)).err().map(|again| again.to_string());
        assert_eq!(again, Some(failure.to_string()), "the seed replays to the word");
        assert!(failure.to_string().contains(&format!("--seed {} --runs 1 --broken {broken:?}", failure.seed)));
        let kept = run(Setup { broken: Broken::Nothing, ..broken.setup(failure.seed) });
        assert!(kept.is_ok(), "it is the rule, and not the seed: {:?}", kept.err().map(|kept| kept.to_string()));
    }
}

#[test]
fn every_invariant_has_a_broken_rule_that_it_notices() {
    for invariant in Invariant::ALL {
        assert!(Broken::ALL.iter().any(|(_, noticed)| *noticed == invariant), "{invariant} cannot fail here");
    }
}
