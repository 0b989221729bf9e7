//! Five hundred listeners in five languages: from a final of the recogniser to the last post, through the real engine, shell and
//! clients, against what an HTTP client alone does with as many posts in the same run; and the worker's own time in each stage.
//!
//! `cargo run --release -p worker --example fan_out -- 100` (sentences). Gateway and Translate are one server on loopback that answers at
//! once; the audio is real, and its time is skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::wildcard_enum_match_arm, missing_docs, reason = "a bench")]

#[path = "../tests/endless/mod.rs"]
mod endless;
#[path = "fan_out/sink.rs"]
mod sink;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use schemas::ids::{ChannelArn, ConnectionId, Generation, Language, Timestamp};
use schemas::session::{AskedMode, ListenerRow};
use schemas::worker::{Desired, WorkerRow};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use worker::config::Config;
use worker::io::table::Table;
use worker::io::{aws, gateway::Gateway};
use worker::media::{AudioReceiver, RtpAudio};
use worker::shell::{Admitted, Event, Shell, Speaker, control};
use worker_core::config::EmotionMode;
use worker_core::input::{Input, PostId, PostOutcome, StreamId, TranscribeEvent, TranscriptItem, TranscriptResult};
use worker_core::output::Output;
use worker_core::time::MediaInstant;
use worker_core::{Engine, EngineConfig};

const LISTENERS: usize = 500;
const LANGUAGES: [&str; 5] = ["en", "es", "ca", "fr", "de"];
const IN_FLIGHT: usize = 100;
const SENTENCE_MS: u64 = 4_000;
const WORDS: u64 = 8;
const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-a-b-1/1700000000000";

/// From a packet to an audio event, from a result to a post, and so on.
#[derive(Clone, Copy)]
enum Stage {
    Audio,
    Partial,
    Final,
    Translation,
    Outcome,
}

const STAGES: [&str; 5] = [
    "RTP packet → audio event handed to Transcribe's client",
    "partial result → first post",
    "final result → last request to Translate",
    "answer of Translate → queued for 100 listeners (all places are taken)",
    "outcome of a post → next post",
];

/// The worker, on a clock that skips the time in which somebody speaks.
struct Bench {
    engine: Engine,
    shell: Shell,
    inbox: mpsc::UnboundedReceiver<Event>,
    row: WorkerRow,
    zero: Instant,
    skipped_ms: u64,
    receiver: AudioReceiver,
    speech: Vec<bytes::Bytes>,
    packets: u64,
    stream: Option<StreamId>,
    stages: [Vec<Duration>; STAGES.len()],
    /// Captions that were posted, and their bytes.
    bodies: (usize, usize),
    /// What is under way: requests to Translate, posts, and which of them are finals.
    translating: usize,
    posting: usize,
    most_posting: usize,
    finals: HashSet<PostId>,
    /// Finals that have their outcome.
    delivered: usize,
    wait: MediaInstant,
}

impl Bench {
    fn new(sdk: &SdkConfig, endpoint: &str) -> Self {
        let variables = [
            ("SESSION_ID", "a-b-1"),
            ("GENERATION", "1"),
            ("WORKERS_TABLE", "W"),
            ("CONNECTIONS_TABLE", "C"),
            ("WEBSOCKET_ENDPOINT", endpoint),
        ];
        let read = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let config = Config::read(read).unwrap();
        let (session, generation) = (config.session.clone(), config.generation);
        let engine =
            EngineConfig { emotion: EmotionMode::Off, ..EngineConfig::new(session.clone(), generation, "bench") };
        assert_eq!(engine.posts_in_flight, IN_FLIGHT);
        let (events, inbox) = mpsc::unbounded_channel();
        let table = Table::new(sdk, "W".into(), "C".into(), session, generation);
        let speaker = Speaker::Channel(ChannelArn::try_new(ARN).unwrap());
        Self {
            engine: Engine::new(engine, Timestamp(0)),
            shell: Shell::new(sdk.clone(), config, table, speaker, row(), events),
            inbox,
            row: row(),
            zero: Instant::now(),
            skipped_ms: 0,
            receiver: AudioReceiver::new().unwrap(),
            speech: endless::speech(),
            packets: 0,
            stream: None,
            stages: Default::default(),
            bodies: (0, 0),
            translating: 0,
            posting: 0,
            most_posting: 0,
            finals: HashSet::new(),
            delivered: 0,
            wait: MediaInstant(0),
        }
    }

    fn now(&self) -> MediaInstant {
        MediaInstant(self.skipped_ms + u64::try_from(self.zero.elapsed().as_millis()).unwrap())
    }

    /// Hands something in and does what is wanted then; when the first output of this kind was done.
    fn hand(&mut self, input: Input, awaited: fn(&Output) -> bool) -> Option<Instant> {
        let now = self.now();
        self.engine.handle(input, now);
        let mut done = None;
        loop {
            let output = self.engine.poll();
            let is_awaited = awaited(&output);
            match output {
                Output::Wait(until) => {
                    self.wait = until;
                    return done.or(is_awaited.then(Instant::now));
                }
                Output::OpenStream { id, .. } => {
                    self.stream = Some(id);
                    self.engine.handle(Input::Transcribe(id, TranscribeEvent::Opened), now);
                }
                Output::ReadAudience => self.engine.handle(Input::Audience(listeners().into()), now),
                Output::WriteStatus(write) => {
                    self.engine.handle(Input::Control(control(&self.row, Some(write.id)).unwrap()), now);
                }
                Output::Post { id, ref data, .. } => {
                    self.posting += 1;
                    self.most_posting = self.most_posting.max(self.posting);
                    if data.contains("\"isFinal\":true") {
                        self.bodies = (self.bodies.0 + 1, self.bodies.1 + data.len());
                        self.finals.insert(id);
                    }
                    self.shell.execute(output);
                }
                Output::Translate { .. } => {
                    self.translating += 1;
                    self.shell.execute(output);
                }
                Output::SendAudio { .. } => drop(self.shell.execute(output)),
                Output::Log(fact) => assert!(!fact.event.contains("failed"), "{fact:?}"),
                // Signaling and peers are none of what is measured.
                _ => {}
            }
            if is_awaited {
                done.get_or_insert_with(Instant::now);
            }
        }
    }

    fn clocked(&mut self, stage: Stage, input: Input, awaited: fn(&Output) -> bool) {
        let begun = Instant::now();
        let done = self.hand(input, awaited);
        self.stages[stage as usize].extend(done.map(|done| done - begun));
    }

    /// A sentence is spoken, a packet every 20 ms.
    fn speak(&mut self) {
        for _ in 0..SENTENCE_MS / 20 {
            self.skipped_ms += 20;
            let n = self.packets;
            self.packets += 1;
            let packet = RtpAudio {
                ssrc: 7,
                sequence: (n % 65_536) as u16,
                timestamp: (n as u32).wrapping_mul(960),
                red: false,
                payload: self.speech[n as usize % self.speech.len()].clone(),
            };
            let begun = Instant::now();
            self.receiver.push(&packet, self.now());
            while let Some(frame) = self.receiver.poll(self.now()) {
                let done = self.hand(Input::Audio(frame), |output| matches!(output, Output::SendAudio { .. }));
                self.stages[Stage::Audio as usize].extend(done.map(|done| done - begun));
            }
        }
    }

    fn result(&self, round: u64, is_partial: bool) -> Input {
        let begin = (round * SENTENCE_MS) as f64 / 1_000.0;
        let item = |n: u64| TranscriptItem {
            content: format!("r{round}w{n}"),
            punctuation: false,
            start: begin + 0.4 * n as f64,
            end: begin + 0.4 * n as f64 + 0.3,
            stable: true,
        };
        let result = TranscriptResult {
            result_id: format!("r{round}"),
            start: begin,
            end: begin + 3.5,
            is_partial,
            language: None,
            transcript: String::new(),
            items: (0..WORDS).map(item).collect(),
        };
        Input::Transcribe(self.stream.unwrap(), TranscribeEvent::Result(result))
    }

    /// The next answer of a service, or the next time that the engine wants to be woken.
    async fn next(&mut self) {
        let wait = Duration::from_millis(self.wait.since(self.now()));
        let Ok(event) = tokio::time::timeout(wait, self.inbox.recv()).await else {
            self.hand(Input::Tick, |_| false);
            return;
        };
        let Some(Admitted::Input(input)) = self.shell.admit(event.unwrap()) else { return };
        let stage = match &input {
            Input::Posted(id, outcome) => {
                assert_eq!(*outcome, PostOutcome::Delivered);
                self.posting -= 1;
                self.delivered += usize::from(self.finals.remove(id));
                Stage::Outcome
            }
            Input::Translated(..) => {
                self.translating -= 1;
                return self.clocked(Stage::Translation, input, |output| matches!(output, Output::Wait(_)));
            }
            other => panic!("{other:?}"),
        };
        self.clocked(stage, input, |output| matches!(output, Output::Post { .. }));
    }

    async fn settle(&mut self) {
        while self.posting + self.translating > 0 {
            self.next().await;
        }
    }

    /// From the final result of a sentence to the last post.
    async fn sentence(&mut self, round: u64) -> Duration {
        self.speak();
        let partial = self.result(round, true);
        self.clocked(Stage::Partial, partial, |output| matches!(output, Output::Post { .. }));
        self.settle().await;
        let whole = self.result(round, false);
        let begun = Instant::now();
        self.clocked(
            Stage::Final,
            whole,
            |output| matches!(output, Output::Translate { to, .. } if to.as_str() == "fr"),
        );
        while self.delivered < LISTENERS {
            self.next().await;
        }
        let took = begun.elapsed();
        self.settle().await;
        self.delivered = 0;
        took
    }
}

/// The sample of the contract, whose speaker speaks English, as a row that wants a worker for as long as the bench lasts.
fn row() -> WorkerRow {
    let mut row: WorkerRow = serde_json::from_str(include_str!("../../schemas/golden/worker-row.json")).unwrap();
    row.generation = Generation(1);
    let intent = row.intent.as_mut().unwrap();
    (intent.desired, intent.expires_at) = (Desired::Run, Timestamp(i64::MAX / 2));
    row
}

fn listeners() -> Vec<ListenerRow> {
    let row = |n: usize| ListenerRow {
        connection_id: ConnectionId::try_new(format!("L0SM9cOFvHcCIhw{n}=")).unwrap(),
        language: Language::try_new(LANGUAGES[n % LANGUAGES.len()]).unwrap(),
        connected_at: Some(Timestamp(0)),
        mode: AskedMode::default(),
    };
    (0..LISTENERS).map(row).collect()
}

/// As many posts, as many at a time, through `post` alone.
async fn alone<F: Future<Output = ()> + Send + 'static>(post: impl Fn(usize) -> F) -> Duration {
    let begun = Instant::now();
    let mut flying = JoinSet::new();
    for n in 0..LISTENERS {
        if flying.len() >= IN_FLIGHT {
            flying.join_next().await;
        }
        flying.spawn(post(n));
    }
    while flying.join_next().await.is_some() {}
    begun.elapsed()
}

fn percentiles(all: &mut [Duration]) -> (f64, f64) {
    all.sort_unstable();
    let at = |hundredths: usize| all[(all.len() * hundredths).div_ceil(100).max(1) - 1].as_secs_f64() * 1_000.0;
    (at(50), at(99))
}

fn print(bench: &mut Bench, runs: &mut [(&str, Vec<Duration>); 3]) {
    let mut percent = runs.each_mut().map(|(_, all)| percentiles(all));
    let ceiling = percent[2].0;
    let size = bench.bodies.1 / bench.bodies.0;
    println!(
        "{LISTENERS} posts of {size} bytes, {IN_FLIGHT} in flight (the worker: {} at most):\n",
        bench.most_posting
    );
    println!("| | p50, ms | p99, ms | p50 to the bare client |\n|---|---|---|---|");
    for ((name, _), (p50, p99)) in runs.iter().zip(&mut percent) {
        println!("| {name} | {p50:.1} | {p99:.1} | {:.2} |", *p50 / ceiling);
    }
    println!("\n| stage | p50, µs | p99, µs |\n|---|---|---|");
    for (name, all) in STAGES.iter().zip(&mut bench.stages) {
        let (p50, p99) = percentiles(all);
        println!("| {name} | {:.0} | {:.0} |", p50 * 1_000.0, p99 * 1_000.0);
    }
    // All of it, for a plot.
    let all = runs.each_ref().map(|(_, all)| all.iter().map(|took| took.as_micros() as u64).collect::<Vec<_>>());
    println!("\n{}", serde_json::json!({ "us": { "worker": all[0], "sdk": all[1], "bare": all[2] } }));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds: u64 = std::env::args().nth(1).map_or(100, |text| text.parse().unwrap());
    let base = format!("http://{}", sink::start());
    let endpoint = format!("{base}/prod");
    let sdk = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .credentials_provider(Credentials::new("id", "secret", None, None, "bench"))
        .region("us-east-1")
        .endpoint_url(&base)
        .http_client(aws::http_client())
        .load()
        .await;
    let (gateway, http) = (Gateway::new(&sdk, &endpoint), reqwest::Client::new());
    let mut bench = Bench::new(&sdk, &endpoint);
    let orders = Input::Control(control(&bench.row, None).unwrap());
    bench.hand(orders, |_| false);
    let mut runs = [
        ("final → last post, worker", Vec::new()),
        ("the same posts, gateway client of the SDK alone", Vec::new()),
        ("the same posts, bare HTTP client", Vec::new()),
    ];
    for round in 0..rounds {
        runs[0].1.push(bench.sentence(round).await);
        let size = bench.bodies.1 / bench.bodies.0;
        let sdk = |n| {
            let (gateway, connection) = (gateway.clone(), ConnectionId::try_new(format!("c{n}=")).unwrap());
            async move { drop(gateway.post(&connection, "x".repeat(size)).await) }
        };
        runs[1].1.push(alone(sdk).await);
        let bare = |n| {
            let request = http.post(format!("{endpoint}/@connections/c{n}")).body("x".repeat(size));
            async move { drop(request.send().await) }
        };
        runs[2].1.push(alone(bare).await);
    }
    print(&mut bench, &mut runs);
}
