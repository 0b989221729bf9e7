//! The gate before real speech at −70 to −20 dBFS over made-up sounds, in virtual time: sentences heard and missed after pauses, and seconds
//! billed; and what an hour of each sound without speech costs. Prints JSON; the same each time.
//!
//! `cargo run --release -p worker-core --example hearing_levels`; with `quick`, one case of each sound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a bench")]
#![allow(clippy::disallowed_methods, reason = "it uses all processors")]

mod talk;

use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use talk::world::hall::{Case, bill_s};
use talk::world::sounds::Sound;

const LEVELS: [f64; 6] = [-70.0, -60.0, -50.0, -40.0, -30.0, -20.0];
const SNRS: [f64; 3] = [0.0, 10.0, 20.0];
const PAUSES_S: [usize; 4] = [20, 60, 180, 600];
const HOUR_S: usize = 3_600;

#[derive(Debug, Clone, Copy)]
enum Job {
    Talk(Case),
    Alone(Sound, f64, usize),
}

impl Job {
    fn run(self) -> Value {
        match self {
            Self::Talk(case) => {
                let found = case.run();
                json!({
                    "sound": case.sound.name(), "dbfs": case.dbfs, "snrDb": case.snr_db, "pauseS": case.pause_s,
                    "said": found.said, "heard": found.heard, "firstMissed": found.first_missed, "missed": found.missed,
                    "billedS": found.billed_s, "speechS": found.speech_s, "streams": found.streams,
                })
            }
            Self::Alone(sound, dbfs, seconds) => {
                json!({"sound": sound.name(), "dbfs": dbfs, "seconds": seconds, "billedS": bill_s(sound, dbfs, seconds)})
            }
        }
    }
}

fn all(jobs: &[Job]) -> Vec<Value> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(n) else { break };
            let result = job.run();
            done.lock().unwrap().push((n, result));
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(scope.spawn(work)));
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

fn main() {
    let quick = std::env::args().nth(1).is_some_and(|word| word == "quick");
    let talk = |dbfs, snr_db, pause_s| Sound::ALL.map(|sound| Job::Talk(Case { sound, dbfs, snr_db, pause_s }));
    let hush = |dbfs, seconds| Sound::ALL.map(|sound| Job::Alone(sound, dbfs, seconds));
    let (talks, alone): (Vec<Job>, Vec<Job>) = if quick {
        (talk(-50.0, 10.0, 60).into(), hush(-50.0, 300).into())
    } else {
        let snrs = LEVELS.iter().flat_map(|dbfs| SNRS.map(|snr_db| (*dbfs, snr_db)));
        let cases = snrs.flat_map(|(dbfs, snr_db)| PAUSES_S.map(|pause_s| (dbfs, snr_db, pause_s)));
        let talks = cases.flat_map(|(dbfs, snr_db, pause_s)| talk(dbfs, snr_db, pause_s)).collect();
        (talks, LEVELS.iter().flat_map(|dbfs| hush(*dbfs, HOUR_S)).collect())
    };
    println!("{}", json!({"talks": all(&talks), "alone": all(&alone)}));
}
