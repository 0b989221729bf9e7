//! Compares the policies for partials on the text of a talk: lag, erasure and characters billed, in virtual time.
//!
//! `cargo run -p worker-core --example policies -- samples/welcome.txt`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity,
    clippy::print_stdout,
    dead_code,
    missing_docs,
    reason = "a bench over the test world"
)]
#![allow(clippy::disallowed_methods, reason = "it reads a talk and asks Apertium, as the local stack does")]

#[path = "../tests/sessions/world/mod.rs"]
mod world;

use schemas::ids::Language;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::TranslateFailure;
use world::{Talk, World, config};

static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// A real translation, so that words change their places as they do in real ones.
fn apertium(text: &str, _to: &Language, _now: u64) -> (u64, Result<String, TranslateFailure>) {
    let mut known = KNOWN.lock().unwrap();
    if !known.contains_key(text) {
        let mut child = Command::new("apertium")
            .args(["-u", "eng-spa"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("apertium");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        known.insert(text.to_owned(), out.trim().to_owned());
    }
    (150, Ok(known[text].clone()))
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "samples/welcome.txt".into());
    let text = std::fs::read_to_string(path).expect("a talk");
    let sentences: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let spoken = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().count();
    println!("| policy | first words p50, ms | finals p50, ms | captions | erasure | characters billed per spoken |");
    println!("|---|---|---|---|---|---|");
    let rows = [
        ("finals", PartialPolicy::Finals, 0),
        ("clauses", PartialPolicy::Clauses, 0),
        ("live, mask 0", PartialPolicy::Live, 0),
        ("live, mask 3", PartialPolicy::Live, 3),
        ("live, mask 5", PartialPolicy::Live, 5),
    ];
    for (name, partials, mask_words) in rows {
        let talk = Talk::of(&sentences);
        let end = talk.end_ms() + 8_000;
        let mut world = World::with(EngineConfig { partials, mask_words, ..config() }, talk);
        world.translate = apertium;
        world.listener("eva", "es");
        world.run_until(end);
        let captions = world.seat("eva").captions();
        // From the begin of a segment to the first that is shown of it.
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for caption in &captions {
            let waited = caption.end_ms + caption.lag_ms - caption.start_ms;
            first.entry(&caption.segment_id).or_insert(waited);
        }
        let median = |mut all: Vec<u64>| {
            all.sort_unstable();
            all[all.len() / 2]
        };
        let finals: Vec<u64> = captions.iter().filter(|c| c.is_final).map(|c| c.lag_ms).collect();
        let status = &world.writes.last().unwrap().1.status;
        let erasure = status.languages[&world::language("es")].erasure.unwrap_or(0.0);
        let billed = status.usage.translated_characters as f64 / spoken as f64;
        println!(
            "| {name} | {} | {} | {} | {erasure:.2} | {billed:.2} |",
            median(first.into_values().collect()),
            median(finals),
            captions.len()
        );
    }
}
