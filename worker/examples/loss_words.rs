//! What loss costs in words: speech through a simulated network, the worker's jitter buffer and decoder, and the local stack's recogniser.
//!
//! `cargo run --release -p worker --example loss_words -- PYTHON SEEDS` (a Python that has PocketSphinx; 4 seeds) prints JSON: for each
//! network and seed what was dropped, what the decoder had to make up, and the words that are wrong against the script and against
//! what was recognised without loss. The same each time: the network is a seed, and the recogniser hears the whole talk from a pipe.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench"
)]
#![allow(clippy::disallowed_methods, reason = "it starts the recogniser")]

#[path = "../tests/lossy/mod.rs"]
mod lossy;

use local_stack::network::Network;
use lossy::{carry, encode, hear, send, speech};
use serde_json::{Value, json};
use sessionctl::rehearse::wer::{Unit, compare, words};
use std::io::Write;
use std::process::{Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The words that are understood, by the recogniser of the local stack.
fn recognise(python: &str, pcm: &[i16]) -> String {
    let mut child = Command::new(python)
        .arg(format!("{ROOT}/infra/local/py/recognise.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a Python with PocketSphinx: scripts/setup");
    let mut audio = child.stdin.take().unwrap();
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let said = std::thread::spawn(move || audio.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    said.join().unwrap().expect("the recogniser heard it all");
    assert!(output.status.success(), "the recogniser failed");
    let told = String::from_utf8(output.stdout).unwrap();
    let events = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let finals = events.filter(|event| event["event"] == "final");
    let spoken = finals.flat_map(|event| event["words"].as_array().cloned().unwrap_or_default());
    spoken.map(|word| word[0].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
}

/// Share lost, packets lost together, RED. Without RED, as a browser that does not offer it, the random ones.
fn networks() -> [(f64, u32, bool); 9] {
    [
        (0.05, 1, true),
        (0.1, 1, true),
        (0.2, 1, true),
        (0.05, 3, true),
        (0.1, 3, true),
        (0.2, 3, true),
        (0.05, 1, false),
        (0.1, 1, false),
        (0.2, 1, false),
    ]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let python = arguments.next().unwrap_or_else(|| format!("{ROOT}/.local/venv/bin/python"));
    let seeds: u64 = arguments.next().map_or(4, |text| text.parse().expect("a number of seeds"));
    let script = std::fs::read_to_string(format!("{ROOT}/samples/welcome.txt")).expect("the sample talk");
    let speech = speech();
    let packets = encode(&speech);
    let row = |(network, red): (Network, bool), seed: u64, whole: Option<&str>| {
        let (arrivals, dropped) = carry(&send(&packets, red), network, seed);
        let heard = hear(&arrivals);
        let text = recognise(&python, &heard.pcm);
        let changed = whole.map_or(0, |whole| compare(whole, &text, Unit::Words).errors);
        let row = json!({
            "loss": network.loss, "burst": network.burst, "red": red, "seed": seed, "dropped": dropped,
            "packets": packets.len(), "madeUpMs": heard.concealed_ms, "redRecovered": heard.media.red_recovered,
            "fecRecovered": heard.media.fec_recovered, "wrong": compare(&script, &text, Unit::Words).errors, "changed": changed,
        });
        eprintln!("{row}");
        (row, text)
    };
    let (none, whole) = row((Network { burst: 1, ..Network::default() }, true), 0, None);
    let mut runs = vec![none];
    for (loss, burst, red) in networks() {
        let network = (Network { loss, burst, ..Network::default() }, red);
        runs.extend((1..=seeds).map(|seed| row(network, seed, Some(&whole)).0));
    }
    let of = json!({"script": words(&script).len(), "withoutLoss": words(&whole).len()});
    println!("{}", json!({"speechMs": speech.len() / 16, "words": of, "runs": runs}));
}
