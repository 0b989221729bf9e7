//! `soak [--hours N] [--seed S] [--runs N] [--broken RULE]`: the simulation for as long as wanted, or one seed again, with a
//! rule broken on purpose if wanted.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

use proof::sim::broken::Broken;
use proof::sim::run::run;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: soak [--hours SESSION-HOURS] [--seed FIRST-SEED] [--runs RUNS] [--broken RULE]";

struct Wanted {
    hours: i64,
    seed: u64,
    runs: u64,
    broken: Broken,
}

fn wanted() -> Option<Wanted> {
    let mut wanted = Wanted { hours: 1_000_000, seed: 1, runs: u64::MAX, broken: Broken::Nothing };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--hours" => wanted.hours = value.parse().ok()?,
            "--seed" => wanted.seed = value.parse().ok()?,
            "--runs" => wanted.runs = value.parse().ok()?,
            "--broken" => wanted.broken = Broken::named(&value)?,
            _ => return None,
        }
    }
    Some(wanted)
}

fn main() -> ExitCode {
    let Some(wanted) = wanted() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (began, mut hours, mut sessions) = (Instant::now(), 0_i64, 0_usize);
    for n in 0..wanted.runs {
        let seed = wanted.seed.wrapping_add(n);
        match run(wanted.broken.setup(seed)) {
            Ok(seen) => {
                hours += seen.session_ms / 3_600_000;
                sessions += seen.sessions;
                let seconds = began.elapsed().as_secs_f64();
                println!(
                    "seed {seed}: {} tasks, {} looks, {} orders, {} handovers, {} channels deleted; in all {hours} session-hours of {sessions} sessions in {seconds:.1} s",
                    seen.tasks, seen.looks, seen.orders, seen.rolled, seen.deleted_channels
                );
            }
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
        if hours >= wanted.hours {
            break;
        }
    }
    ExitCode::SUCCESS
}
