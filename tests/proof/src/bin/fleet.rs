//! `fleet SESSIONS MINUTES [SEED]`: what a fleet costs, with all that AWS's calls take and allow, as one line of JSON. The sessions come as fast as
//! they can be launched; what is counted is from the first to the end, and the hours that they lived.
//! `fleet day LIVE HOURS [SEED]`: so many live ones for so many hours, which come in bursts and live for an hour each.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

use proof::sim::run::{Setup, run};
use serde_json::json;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let is_day = words.next_if(|word| word == "day").is_some();
    let mut words = words.map(|word| word.parse::<i64>().ok());
    let (Some(Some(sessions)), Some(Some(minutes))) = (words.next(), words.next()) else {
        eprintln!("usage: fleet SESSIONS MINUTES [SEED], or fleet day LIVE HOURS [SEED]");
        return ExitCode::from(2);
    };
    let seed = words.next().flatten().and_then(|seed| u64::try_from(seed).ok()).unwrap_or(1);
    let number = usize::try_from(sessions).unwrap_or(1);
    let setup = if is_day { Setup::day(seed, number, minutes) } else { Setup::fleet(seed, number, minutes * 60_000) };
    let lasts_ms = setup.lasts_ms;
    match run(setup) {
        Ok(seen) => {
            let mut started = seen.started_after;
            started.sort_unstable();
            let at = |percent: usize| started.get((started.len() * percent / 100).min(started.len().saturating_sub(1)));
            let bill = seen.bill;
            println!(
                "{}",
                json!({
                    "sessions": sessions, "minutes": lasts_ms / 60_000, "sessionMs": seen.served_ms,
                    "calls": bill.calls, "readUnits": bill.half_read_units / 2, "writeUnits": bill.write_units,
                    "beatUnits": bill.beat_units, "ecsReads": bill.ecs_reads, "runTasks": bill.run_tasks,
                    "stops": bill.stops, "tasks": seen.tasks, "replaced": seen.replaced_after.len(), "messages": bill.messages, "invocations": bill.invocations,
                    "lambdaMs": bill.lambda_ms, "ecsThrottled": bill.ecs_throttled, "runThrottled": bill.run_throttled,
                    "tableThrottled": bill.table_throttled, "unanswered": bill.unanswered,
                    "hottestWrite": bill.hottest_write, "hottestRead": bill.hottest_read,
                    "startP50": at(50), "startP99": at(99),
                })
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
