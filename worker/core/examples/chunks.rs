//! Compares lengths of audio events to Transcribe: what each costs in lag, and how many events it makes, in virtual time.
//!
//! `cargo run -p worker-core --example chunks -- samples/welcome.txt`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity,
    clippy::print_stdout,
    dead_code,
    missing_docs,
    reason = "a bench over the test world"
)]
#![allow(clippy::disallowed_methods, reason = "it reads a talk")]

#[path = "../tests/sessions/world/mod.rs"]
mod world;

use worker_core::EngineConfig;
use world::{Talk, World, config};

fn percentile(sorted: &[u64], hundredths: usize) -> u64 {
    sorted[(sorted.len() * hundredths).div_ceil(100).max(1) - 1]
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "samples/welcome.txt".into());
    let text = std::fs::read_to_string(path).expect("a talk");
    let sentences: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    println!("| chunk, ms | partials p50 / p95, ms | finals p50 / p95, ms | events per minute |");
    println!("|---|---|---|---|");
    for chunk_ms in [50, 80, 100, 150, 200] {
        let talk = Talk::of(&sentences);
        let end = talk.end_ms() + 8_000;
        let mut timing = config().timing;
        timing.chunk_ms = chunk_ms;
        let mut world = World::with(EngineConfig { timing, ..config() }, talk);
        world.listener("ann", "en");
        world.run_until(end);
        let captions = world.seat("ann").captions();
        let lags = |is_final: bool| {
            let mut lags: Vec<u64> = captions.iter().filter(|c| c.is_final == is_final).map(|c| c.lag_ms).collect();
            lags.sort_unstable();
            format!("{} / {}", percentile(&lags, 50), percentile(&lags, 95))
        };
        let events = u64::from(world.wanted("SendAudio")) * 60_000 / world.recogniser.heard_ms;
        println!("| {chunk_ms} | {} | {} | {events} |", lags(false), lags(true));
    }
}
