//! What the engine takes for the outcome of a post and the next post, by the number of listeners.
//!
//! `cargo run --release -p worker-core --example outcomes`: of many runs the least, so that other work on the machine does not count.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::wildcard_enum_match_arm, missing_docs, reason = "a bench")]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use schemas::ids::{ConnectionId, Generation, Language, SessionId, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::session::{AskedMode, ListenerRow};
use schemas::worker::Desired;
use std::collections::VecDeque;
use std::time::Instant;
use worker_core::input::{Control, Input, PostId, PostOutcome};
use worker_core::output::Output;
use worker_core::time::MediaInstant;
use worker_core::{Engine, EngineConfig};

const NOW: MediaInstant = MediaInstant(1_000);

fn control(desired: Desired) -> Input {
    Input::Control(Control {
        answers: None,
        generation: Generation(1),
        desired,
        why: Why::new(Cause::SessionActive, "bench", Timestamp(0)),
        source_language: Language::try_new("en").unwrap(),
        expires_at: Timestamp(i64::MAX / 2),
        speaker: None,
    })
}

/// Hands something in; the posts that are wanted then.
fn hand(engine: &mut Engine, input: Input, posts: &mut VecDeque<PostId>) {
    engine.handle(input, NOW);
    loop {
        match engine.poll() {
            Output::Wait(_) => return,
            Output::Post { id, .. } => posts.push_back(id),
            _ => {}
        }
    }
}

/// Everybody is told the end, a hundred at a time; nanoseconds for each outcome.
fn run(listeners: usize) -> u128 {
    let session = SessionId::try_new("blessed-shepherd-123").unwrap();
    let mut engine = Engine::new(EngineConfig::new(session, Generation(1), "bench"), Timestamp(0));
    let row = |n: usize| ListenerRow {
        connection_id: ConnectionId::try_new(format!("L0SM9cOFvHcCIhw{n}=")).unwrap(),
        language: Language::try_new(["en", "es", "ca", "fr", "de"][n % 5]).unwrap(),
        connected_at: Some(Timestamp(0)),
        mode: AskedMode::default(),
    };
    let mut posts = VecDeque::new();
    hand(&mut engine, control(Desired::Run), &mut posts);
    hand(&mut engine, Input::Audience((0..listeners).map(row).collect::<Vec<_>>().into()), &mut posts);
    hand(&mut engine, control(Desired::Stop), &mut posts);
    let (begun, mut told) = (Instant::now(), 0);
    while let Some(id) = posts.pop_front() {
        hand(&mut engine, Input::Posted(id, PostOutcome::Delivered), &mut posts);
        told += 1;
    }
    let took = begun.elapsed().as_nanos();
    assert_eq!(told, listeners);
    took / listeners as u128
}

fn main() {
    println!("| listeners | µs for an outcome and the next post |\n|---|---|");
    for listeners in [50, 500, 5_000] {
        let least = (0..30).map(|_| run(listeners)).min().unwrap();
        println!("| {listeners} | {:.1} |", least as f64 / 1_000.0);
    }
}
