//! Virtual hours before a hostile recogniser: what of the spoken words was lost, doubled or contradicted, and how late the
//! last words of a session come beside its first. Prints JSON.
//!
//! `cargo run --release -p worker-core --example hostile -- '{"hours": 10000, "minutes": 60, "switches": "worst", "seed": 1}'`:
//! all of them may be left out. `cuts` (1 by default) is how often a stream is cut at least.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a bench")]
#![allow(clippy::disallowed_methods, reason = "it uses all processors")]

mod talk;

use hostile_recogniser::Switches;
use hostile_recogniser::spelled::{SPELLINGS, Score, Spelling};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use talk::world::hostile_session::HostileSession;

/// The end of a session is late when its words come so much later than those of the begin, ms.
const LATE_MS: u64 = 750;
/// So many seeds of sessions that were not whole are told.
const TOLD: usize = 20;

#[derive(Default)]
struct Sum {
    sessions: u64,
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
    fn add(&mut self, wish: &Wish, spelling: Spelling, seed: u64) {
        let session = HostileSession::random(spelling, wish.switches, seed, wish.minutes * 60_000, wish.cuts);
        let ran = session.run();
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
            self.failed.push(json!({"language": spelling.language, "seed": seed}));
        }
    }

    fn join(&mut self, other: Self) {
        self.sessions += other.sessions;
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
    let (first, sessions) = (number("seed", 1), (number("hours", 1) * 60).div_ceil(wish.minutes));
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut mine = Sum::default();
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= sessions {
                        break;
                    }
                    mine.add(&wish, SPELLINGS[(nth % SPELLINGS.len() as u64) as usize], first + nth);
                }
                sum.lock().unwrap().join(mine);
            });
        }
    });
    println!("{}", sum.into_inner().unwrap().json());
}
