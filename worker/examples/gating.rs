//! What an hour costs with and without gating: the real engine in virtual time before a talk with pauses and stretches without listeners.
//!
//! `cargo run --release -p worker --example gating` prints JSON: seconds transcribed, characters translated and the price by the model of
//! `sessionctl cost`, with a stream always, only while somebody listens, only while the speaker is not silent for long, and by
//! both rules, which is the default. Without the rule of the listeners, one imagined listener of each language is there all the
//! time, so that everything is translated as well. The same each time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, reason = "a bench")]

#[path = "../core/examples/talk/mod.rs"]
mod talk;

use schemas::ids::Timestamp;
use schemas::worker::{WorkerRow, WorkerStatus};
use serde_json::{Value, json};
use sessionctl::definitions::Size;
use sessionctl::money::cost;
use talk::world::{BEGIN, Talk, World, config};
use worker_core::EngineConfig;
use worker_core::config::ListenPolicy;

const MINUTE: u64 = 60_000;
/// A row as tables hold it; only what the price is reckoned from is replaced.
const ROW: &str = include_str!("../../schemas/golden/worker-row.json");
/// A word of which so much was heard is recognised (ms).
const HEARD_MS: u64 = 150;

/// A stretch of the hour: until this minute, whether the speaker speaks, and whether anybody listens.
struct Stretch(u64, bool, bool);

const HOUR: [Stretch; 6] = [
    Stretch(5, false, false),
    Stretch(20, true, true),
    Stretch(25, false, true),
    Stretch(40, true, true),
    Stretch(50, true, false),
    Stretch(60, true, true),
];
/// Listeners of each language.
const LISTENERS: [(&str, usize); 3] = [("en", 10), ("es", 15), ("ca", 5)];

/// The stretches with their begins, ms.
fn stretches() -> impl Iterator<Item = (u64, &'static Stretch)> {
    HOUR.iter().scan(0, |from, stretch| Some((std::mem::replace(from, stretch.0 * MINUTE), stretch)))
}

/// The talk; each sentence begins with its number, so that none is remembered from before.
fn hour() -> Talk {
    let text = include_str!("../../samples/clauses.txt");
    let mut sentences = text.lines().filter(|line| !line.is_empty()).cycle().zip(1..);
    let mut talk = Talk::default();
    for (from, Stretch(until, ..)) in stretches().filter(|(_, stretch)| stretch.1) {
        let mut at = from;
        for (sentence, number) in sentences.by_ref() {
            let spoken = Talk::of(&[&format!("{number}, {sentence}")]);
            if at + spoken.end_ms() > until * MINUTE - 1_000 {
                break;
            }
            let end = at + spoken.end_ms() + 500;
            talk.words.extend(spoken.words.into_iter().map(|mut word| {
                word.start_ms += at;
                word.end_ms += at;
                word
            }));
            at = end;
        }
    }
    talk
}

/// Listeners come and go with the stretches; where that must not count, one of each language stays for the whole hour.
fn audience(world: &mut World, by_listeners: bool) {
    for (language, _) in LISTENERS.iter().filter(|_| !by_listeners) {
        world.listener(&format!("{language}-always"), language);
    }
    for (from, Stretch(until, ..)) in stretches().filter(|(_, stretch)| stretch.2) {
        let until = until * MINUTE;
        let names: Vec<(String, &str)> = LISTENERS
            .iter()
            .flat_map(|(language, count)| (0..*count).map(move |n| (format!("{language}-{n}-{from}"), *language)))
            .collect();
        let leaving = names.clone();
        world.at(from, move |world| {
            for (name, language) in &names {
                world.listener(name, language);
            }
        });
        world.at(until, move |world| {
            for (name, _) in &leaving {
                world.seats.get_mut(name).unwrap().listed = false;
            }
        });
    }
}

/// Words that were said while somebody listened, and how many of them the recogniser heard.
fn words(world: &World) -> (usize, usize) {
    let begin = world.begin_of_audio();
    let listened = |ms: u64| stretches().any(|(from, s)| s.2 && (from..s.0 * MINUTE).contains(&(begin + ms)));
    let said = world.speaker.talk.words.iter().enumerate().filter(|(_, word)| listened(word.start_ms));
    let heard = |n: usize| world.recogniser.word_ms.get(&(n as i16)).is_some_and(|ms| *ms >= HEARD_MS);
    said.fold((0, 0), |(said, all), (n, _)| (said + 1, all + usize::from(heard(n))))
}

/// The price of the whole task, by the model of `sessionctl cost`.
fn price(status: WorkerStatus, ended: u64) -> Value {
    let mut row: WorkerRow = serde_json::from_str(ROW).unwrap();
    let at = |ms: u64| Timestamp(BEGIN).plus_ms(i64::try_from(ms).unwrap());
    let task = row.task.as_mut().unwrap();
    (task.launched_at, task.stopped_at) = (at(0), Some(at(ended)));
    row.worker = Some(status);
    serde_json::to_value(cost(&row, Size::STATED, at(ended))).unwrap()
}

fn run(by_listeners: bool, by_silence: bool) -> Value {
    let listen = if by_listeners { ListenPolicy::WhenHeard } else { ListenPolicy::Always };
    let mut timing = config().timing;
    if !by_silence {
        timing.silence_close_ms = 24 * 60 * MINUTE;
    }
    let silence_close_ms = by_silence.then_some(timing.silence_close_ms);
    let mut world = World::with(EngineConfig { listen, timing, ..config() }, hour());
    audience(&mut world, by_listeners);
    let last = HOUR.last().unwrap().0 * MINUTE;
    world.run_until(last);
    world.end_session();
    world.run_until(last + MINUTE);
    let (ended, _, _) = world.exit.clone().expect("the session has ended");
    let status = world.writes.last().unwrap().1.status.clone();
    let usage = status.usage.clone();
    let (said, heard) = words(&world);
    json!({
        "byListeners": by_listeners, "bySilence": by_silence, "silenceCloseMs": silence_close_ms,
        "transcribedS": usage.transcribed_ms as f64 / 1_000.0, "streams": usage.transcribe_streams,
        "translatedCharacters": usage.translated_characters, "posts": usage.posts,
        "wordsBeforeListeners": said, "wordsHeard": heard, "usd": price(status, ended),
    })
}

fn main() {
    let hour: Vec<Value> = stretches()
        .map(|(from, s)| json!({"fromMin": from / MINUTE, "untilMin": s.0, "speaks": s.1, "listened": s.2}))
        .collect();
    let runs = [(false, false), (true, false), (false, true), (true, true)].map(|(by, silence)| run(by, silence));
    let listeners: serde_json::Map<String, Value> =
        LISTENERS.iter().map(|(l, n)| ((*l).to_owned(), json!(n))).collect();
    println!("{}", json!({"hour": hour, "listeners": listeners, "runs": runs}));
}
