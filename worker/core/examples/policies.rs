//! Compares the policies for partials on the text of a talk: lag, erasure and characters billed, in virtual time.
//!
//! `cargo run -p worker-core --example policies -- samples/clauses.txt 3`: with a pause only after every third sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a bench")]
#![allow(clippy::disallowed_methods, reason = "it asks Apertium, as the local stack does")]

mod talk;

use schemas::ids::Language;
use schemas::session::CaptionMode;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use talk::world::{config, language};
use talk::{Script, percentile};
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::TranslateFailure;

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

fn row(
    name: &str,
    (partials, mode): (PartialPolicy, CaptionMode),
    mask_words: usize,
    script: &Script,
    sentences: usize,
) {
    let config = EngineConfig { partials, mask_words, ..config() };
    let world = talk::run(config, script.talk(sentences), "es", |world| {
        world.translate = apertium;
        world.reader("es", "es", mode);
    });
    let captions = world.seat("es").captions();
    // From the begin of a segment to the first that is shown of it.
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for caption in &captions {
        let waited = caption.end_ms + caption.lag_ms - caption.start_ms;
        first.entry(&caption.segment_id).or_insert(waited);
    }
    let first = percentile(first.into_values().collect(), 50);
    let finals = || captions.iter().filter(|c| c.is_final).map(|c| c.lag_ms).collect();
    let (p50, p95) = (percentile(finals(), 50), percentile(finals(), 95));
    let status = &world.writes.last().unwrap().1.status;
    let erasure = status.languages[&language("es")].erasure.unwrap_or(0.0);
    let billed = status.usage.translated_characters as f64 / script.characters() as f64;
    println!("| {name} | {first} | {p50} / {p95} | {} | {erasure:.2} | {billed:.2} |", captions.len());
}

fn main() {
    let script = Script::read();
    let sentences = std::env::args().nth(2).map_or(1, |text| text.parse().expect("a number of sentences"));
    println!(
        "| policy | first words p50, ms | finals p50 / p95, ms | captions | erasure | characters billed per spoken |"
    );
    println!("|---|---|---|---|---|---|");
    let usual = |partials: PartialPolicy| (partials, CaptionMode::Usual);
    row("finals", usual(PartialPolicy::Finals), 0, &script, sentences);
    row("sentences", usual(PartialPolicy::Sentences), 0, &script, sentences);
    row("clauses", usual(PartialPolicy::Clauses), 0, &script, sentences);
    row("a listener's stable", (PartialPolicy::Clauses, CaptionMode::Stable), 0, &script, sentences);
    row("a listener's fast", (PartialPolicy::Clauses, CaptionMode::Fast), 3, &script, sentences);
    row("live, mask 0", usual(PartialPolicy::Live), 0, &script, sentences);
    row("live, mask 3", usual(PartialPolicy::Live), 3, &script, sentences);
    row("live, mask 5", usual(PartialPolicy::Live), 5, &script, sentences);
}
