//! Virtual hours before a hostile recogniser: what of the spoken words was lost, doubled or contradicted, whether the contract of captions held, and
//! how late the last words of a session come beside its first. Prints a line of JSON after every `every` sessions (100 by default), of all so far, so
//! that a run that is broken off counts for what it did; the last line is the result.
//!
//! `cargo run --release -p worker-core --example hostile -- '{"hours": 10000, "minutes": 60, "switches": "worst", "seed": 1}'`:
//! all of them may be left out, `threads` too (as many as there are processors). `cuts` (1 by default) is how often a stream is cut at least. A session that breaks the contract ends the run; built
//! with `CARGO_PROFILE_RELEASE_PANIC=unwind` the run tells its seed on standard error, counts it, and goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench"
)]
#![allow(clippy::disallowed_methods, reason = "it uses all processors")]

mod talk;

use hostile_recogniser::Switches;
use hostile_recogniser::spelled::{SPELLINGS, Score, Spelling};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use talk::world::hostile_session::{HostileSession, Ran};

/// The end of a session is late when its words come so much later than those of the begin, ms.
const LATE_MS: u64 = 750;
/// So many seeds of sessions that were not whole are told.
const TOLD: usize = 20;

#[derive(Default, Clone)]
struct Sum {
    sessions: u64,
    /// Sessions in which captions or the engine broke what they promise.
    broken: u64,
    spoken_ms: u64,
    words: u64,
    counts: BTreeMap<&'static str, u64>,
    lag_begin_ms: Vec<u64>,
    lag_end_ms: Vec<u64>,
    late_ends: u64,
    unread: u64,
    failed: Vec<Value>,
}

struct Wish {
    minutes: u64,
    switches: Switches,
    cuts: u64,
}

impl Sum {
    /// One session.
    fn of(wish: &Wish, spelling: Spelling, seed: u64) -> Self {
        let session = HostileSession::random(spelling, wish.switches, seed, wish.minutes * 60_000, wish.cuts);
        let (mut sum, id) = (Self::default(), json!({"language": spelling.language, "seed": seed}));
        let ran = std::panic::catch_unwind(|| {
            let ran = session.run();
            ran.world.check_contract();
            ran
        });
        match ran {
            Ok(ran) => sum.add(&ran, spelling, id),
            Err(_) => {
                eprintln!("broken: {id}");
                (sum.sessions, sum.broken, sum.failed) = (1, 1, vec![id]);
            }
        }
        sum
    }

    fn add(&mut self, ran: &Ran, spelling: Spelling, id: Value) {
        self.sessions += 1;
        self.spoken_ms += ran.world.speaker.talk.end_ms();
        let mut whole = true;
        for listener in [spelling.language, "es", "ca"] {
            let score = ran.score(listener);
            whole &= score.is_whole();
            self.words += ran.said.len() as u64;
            let Score { lost, doubled, changed, displaced, strange } = score;
            let counts = [
                ("lost", lost.len()),
                ("doubled", doubled.len()),
                ("contradicted", changed.len()),
                ("displaced", displaced.len()),
                ("strange", strange.len()),
            ];
            for (name, count) in counts {
                *self.counts.entry(name).or_default() += count as u64;
            }
        }
        match ran.lag_at_begin_and_end() {
            Some((begin, end)) => {
                self.lag_begin_ms.push(begin);
                self.lag_end_ms.push(end);
                if end > begin + LATE_MS {
                    self.late_ends += 1;
                    whole = false;
                }
            }
            None => self.unread += 1,
        }
        if !whole {
            self.failed.push(id);
        }
    }

    fn join(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.broken += other.broken;
        self.spoken_ms += other.spoken_ms;
        self.words += other.words;
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
        self.lag_begin_ms.extend(other.lag_begin_ms);
        self.lag_end_ms.extend(other.lag_end_ms);
        self.late_ends += other.late_ends;
        self.unread += other.unread;
        self.failed.extend(other.failed);
    }

    fn json(mut self) -> Value {
        self.failed.sort_by_key(|failed| failed["seed"].as_u64());
        let failed = self.failed.len();
        self.failed.truncate(TOLD);
        let lag = |all: &[u64]| match all.iter().max() {
            None => Value::Null,
            Some(worst) => {
                let [p50, p99] = [50, 99].map(|hundredths| talk::percentile(all.to_vec(), hundredths));
                json!({"p50": p50, "p99": p99, "worst": worst})
            }
        };
        json!({
            "hours": self.spoken_ms as f64 / 3_600_000.0,
            "sessions": self.sessions,
            "broken": self.broken,
            "words": self.words,
            "counts": self.counts,
            "lagBeginMs": lag(&self.lag_begin_ms),
            "lagEndMs": lag(&self.lag_end_ms),
            "lateEnds": self.late_ends,
            "unread": self.unread,
            "failed": failed,
            "first": self.failed,
        })
    }
}

fn main() {
    let wished: Value = std::env::args().nth(1).map_or(json!({}), |text| serde_json::from_str(&text).expect("JSON"));
    let number = |name: &str, default: u64| wished.get(name).map_or(default, |value| value.as_u64().expect("a number"));
    let switches = wished.get("switches").cloned().unwrap_or_else(|| "worst".into());
    let wish = Wish {
        minutes: number("minutes", 60),
        switches: Switches::try_from(&switches).expect("switches"),
        cuts: number("cuts", 1),
    };
    let (first, spoken_ms, every) = (number("seed", 1), number("hours", 1) * 3_600_000, number("every", 100));
    let threads = number("threads", std::thread::available_parallelism().map_or(1, |all| all.get() as u64));
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let work = || {
        while sum.lock().unwrap().spoken_ms < spoken_ms {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let one = Sum::of(&wish, SPELLINGS[(nth % SPELLINGS.len() as u64) as usize], first + nth);
            let mut sum = sum.lock().unwrap();
            sum.join(one);
            if sum.sessions % every == 0 {
                println!("{}", sum.clone().json());
            }
        }
    };
    std::thread::scope(|scope| {
        // This thread works too; alone, it saves the allocator its locks.
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    println!("{}", sum.into_inner().unwrap().json());
}
