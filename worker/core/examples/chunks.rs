//! Compares lengths of audio events to Transcribe: what each costs in lag, and how many events it makes, in virtual time.
//!
//! `cargo run -p worker-core --example chunks -- samples/welcome.txt`
#![allow(clippy::print_stdout, missing_docs, reason = "a bench")]

mod talk;

use talk::world::config;
use talk::{Script, percentile};
use worker_core::EngineConfig;

fn main() {
    let script = Script::read();
    println!("| chunk, ms | partials p50 / p95, ms | finals p50 / p95, ms | events per minute |");
    println!("|---|---|---|---|");
    for chunk_ms in [50, 80, 100, 150, 200] {
        let mut timing = config().timing;
        timing.chunk_ms = chunk_ms;
        let world = talk::run(EngineConfig { timing, ..config() }, script.talk(1), "en", |_| ());
        let captions = world.seat("en").captions();
        let lags = |is_final: bool| {
            let all = || captions.iter().filter(|c| c.is_final == is_final).map(|c| c.lag_ms).collect();
            format!("{} / {}", percentile(all(), 50), percentile(all(), 95))
        };
        let events = u64::from(world.wanted("SendAudio")) * 60_000 / world.recogniser.heard_ms;
        println!("| {chunk_ms} | {} | {} | {events} |", lags(false), lags(true));
    }
}
