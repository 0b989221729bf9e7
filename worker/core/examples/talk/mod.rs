//! What the benches over the test world share: the talk, a run of it, percentiles.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity,
    dead_code,
    reason = "a bench over the test world"
)]
#![allow(clippy::disallowed_methods, reason = "it reads a talk")]

#[path = "../../tests/sessions/world/mod.rs"]
pub mod world;

use worker_core::EngineConfig;
use world::{Talk, World};

/// A file of sentences, one a line; each is followed by a pause.
pub struct Script(String);

impl Script {
    /// The file that the first argument names.
    pub fn read() -> Self {
        let path = std::env::args().nth(1).unwrap_or_else(|| "samples/welcome.txt".into());
        Self(std::fs::read_to_string(path).expect("a talk"))
    }

    /// Characters that are spoken.
    pub fn characters(&self) -> usize {
        self.0.split_whitespace().collect::<Vec<_>>().join(" ").chars().count()
    }

    /// The talk, with a pause only after so many sentences.
    pub fn talk(&self, sentences: usize) -> Talk {
        let lines: Vec<&str> = self.0.lines().filter(|line| !line.is_empty()).collect();
        let said: Vec<String> = lines.chunks(sentences).map(|lines| lines.join(" ")).collect();
        Talk::of(&said.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The talk to its end before one listener, whose name is that of the language.
pub fn run(config: EngineConfig, talk: Talk, language: &str, prepare: impl FnOnce(&mut World)) -> World {
    let end = talk.end_ms() + 8_000;
    let mut world = World::with(config, talk);
    prepare(&mut world);
    world.listener(language, language);
    world.run_until(end);
    world
}

/// The value that so many hundredths of all do not exceed.
pub fn percentile(mut all: Vec<u64>, hundredths: usize) -> u64 {
    all.sort_unstable();
    all[(all.len() * hundredths).div_ceil(100).max(1) - 1]
}
