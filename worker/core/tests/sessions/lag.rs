//! How late translated words are read: from the end of a spoken clause or sentence to the first caption that holds its last word,
//! with Transcribe's own latency.

#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use crate::world::delay::{Delay, FINAL_AFTER_SPEECH, Quantiles};
use crate::world::{Spoken, Talk, World, config, prompt_translator};
use schemas::ids::Language;
use schemas::session::CaptionMode;
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::TranslateFailure;

/// Assumed: AWS publishes nothing of it.
const TRANSLATE: Quantiles = Quantiles(&[(0.0, 80), (0.5, 150), (0.95, 350), (0.99, 700), (1.0, 1_500)]);
/// From the API's acceptance of a post to the listener.
const POST_MS: u64 = 50;
const SEEDS: u64 = 8;
const TALK_MS: u64 = 240_000;

fn translator(text: &str, to: &Language, now: u64) -> (u64, Result<String, TranslateFailure>) {
    let seed = text.bytes().fold(now, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (TRANSLATE.at(fastrand::Rng::with_seed(seed).f64()), prompt_translator(text, to, now).1)
}

/// A talk of sentences with clauses, about 160 words a minute. Every word is another, so that it can be found again.
fn talk(seed: u64) -> Talk {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut talk, mut at) = (Talk::default(), 500);
    while at < TALK_MS {
        let clauses = rng.usize(1..=4);
        for clause in 1..=clauses {
            let words = rng.usize(3..=9);
            for word in 1..=words {
                let mark = match (word == words, clause == clauses) {
                    (true, true) => ".",
                    (true, false) => ",",
                    (false, _) => "",
                };
                let length = rng.u64(220..=420);
                let text = format!("w{}{mark}", talk.words.len());
                talk.words.push(Spoken { text, start_ms: at, end_ms: at + length });
                at += length + rng.u64(10..=60);
            }
            at += rng.u64(0..=250);
        }
        // A breath, or a pause in which the recogniser ends its result.
        at += *rng.choice(&[200, 500, 800, 1_200]).unwrap_or(&800);
    }
    talk
}

/// Which marks end what is measured.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Clause,
    Sentence,
}

impl Unit {
    fn ends(self, word: &str) -> bool {
        word.ends_with('.') || (matches!(self, Self::Clause) && word.ends_with(','))
    }
}

/// From the end of each unit's last word until a listener first reads it, ms.
fn lags(world: &World, seat: &str, unit: Unit) -> Vec<u64> {
    let begin = world.begin_of_audio();
    let seat = world.seat(seat);
    let words = world.speaker.talk.words.iter().filter(|word| unit.ends(&word.text));
    let lag = |word: &Spoken| {
        let bare = |text: &str| text.trim_end_matches([',', '.']).to_owned();
        let wanted = format!("es:{}", bare(&word.text));
        let holds = |text: &str| text.split(' ').any(|shown| bare(shown) == wanted);
        let read = seat.received.iter().zip(seat.captions()).find(|(_, caption)| holds(&caption.text));
        read.map(|((at, _), _)| at - begin - word.end_ms)
    };
    words.filter_map(lag).collect()
}

fn percentile(lags: &mut [u64], hundredths: usize) -> u64 {
    lags.sort_unstable();
    lags[(lags.len() * hundredths).div_ceil(100) - 1]
}

/// The lags at p50, p95 and p99 over all seeds.
fn measured(policy: PartialPolicy, mode: CaptionMode, unit: Unit) -> [u64; 3] {
    let mut all = Vec::new();
    for seed in 1..=SEEDS {
        let mut world = World::with(EngineConfig { partials: policy, ..config() }, talk(seed));
        world.recogniser.delay = Some(Delay::new(seed));
        world.translate = translator;
        world.reader("es", "es", mode).latency_ms = POST_MS;
        world.run_until(TALK_MS + 20_000);
        world.check_contract();
        let of_seed = lags(&world, "es", unit);
        let spoken = world.speaker.talk.words.iter().filter(|word| unit.ends(&word.text)).count();
        assert_eq!(of_seed.len(), spoken, "every one was read");
        all.extend(of_seed);
    }
    [50, 95, 99].map(|hundredths| percentile(&mut all, hundredths))
}

#[test]
fn the_modelled_finals_are_as_late_as_transcribes_own() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut drawn: Vec<u64> = (0..10_000).map(|_| FINAL_AFTER_SPEECH.at(rng.f64())).collect();
    for (hundredths, measured) in [(50, 1_136), (95, 1_527), (99, 1_897)] {
        let drawn = percentile(&mut drawn, hundredths);
        assert!(drawn.abs_diff(measured) < 30, "p{hundredths} {drawn}, measured were {measured}");
    }
}

/// The product's aim.
const AIM_MS: u64 = 2_000;

/// At p95 within the aim; what was measured stands in the failure, and in the output of the test.
fn in_time(policy: PartialPolicy, mode: CaptionMode, unit: Unit) {
    let [p50, p95, p99] = measured(policy, mode, unit);
    println!("{policy:?}, {mode:?}, {unit:?}: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms");
    assert!(p95 <= AIM_MS, "{policy:?}, {mode:?}, {unit:?}: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms");
}

#[test]
fn a_translated_clause_is_read_within_two_seconds_of_its_last_word_with_transcribes_latency() {
    in_time(PartialPolicy::Clauses, CaptionMode::Usual, Unit::Clause);
}

#[test]
fn a_translated_sentence_is_read_within_two_seconds_of_its_last_word_with_transcribes_latency() {
    in_time(PartialPolicy::Clauses, CaptionMode::Usual, Unit::Sentence);
}

#[test]
fn who_chose_stable_reads_a_translated_sentence_within_two_seconds_of_its_last_word() {
    in_time(PartialPolicy::Clauses, CaptionMode::Stable, Unit::Sentence);
}

#[test]
fn who_chose_fast_reads_a_translated_clause_within_two_seconds_of_its_last_word() {
    in_time(PartialPolicy::Clauses, CaptionMode::Fast, Unit::Clause);
}

#[test]
fn with_finals_alone_translated_clauses_are_not_read_in_time_so_the_measure_can_fail() {
    let [p50, p95, p99] = measured(PartialPolicy::Finals, CaptionMode::Usual, Unit::Clause);
    println!("Finals, Usual, Clause: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms");
    assert!(p95 > 2 * AIM_MS, "{p95}");
}
