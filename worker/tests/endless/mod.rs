//! Hours of a session, as fast as the processor allows: speech over a bad network into the receive path and the engine, and a stream's fragments
//! into the reader, with services that answer at once. Shared by the test of growth and by the example that measures.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use local_stack::kvs::mkv::{AudioTrack, Fragment, head, tail};
use schemas::ids::{ConnectionId, Generation, Language, SessionId, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::session::{AskedMode, ListenerRow};
use schemas::worker::Desired;
use std::collections::VecDeque;
use worker::ingest::StreamReceiver;
use worker::media::{AudioReceiver, RtpAudio};
use worker_core::input::{Control, Input, PeerEvent, SignalingEvent, StreamEnd, StreamId, TranscribeEvent};
use worker_core::input::{PostOutcome, TranscriptItem, TranscriptResult};
use worker_core::output::Output;
use worker_core::time::MediaInstant;
use worker_core::{Engine, EngineConfig};

/// Wall time of the begin, epoch ms.
const BEGIN: i64 = 1_800_000_000_000;
/// Packets of a minute.
const PACKETS: u64 = 3_000;
/// Between two finals of the recogniser, samples: 4 s.
const SENTENCE: u64 = 64_000;

fn language(text: &str) -> Language {
    Language::try_new(text).unwrap()
}

/// The sample in Opus, 20 ms a packet.
pub fn speech() -> Vec<Bytes> {
    let mut reader = hound::WavReader::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/short.wav")).unwrap();
    let pcm: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(10).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    pcm.chunks_exact(320).map(|pcm| Bytes::from(encoder.encode_vec(pcm, 1_200).unwrap())).collect()
}

/// A packet of 20 ms without content, as DTX has it (RFC 6716, section 3.1): it takes its time, and nothing to decode.
pub fn nothing() -> Bytes {
    Bytes::from_static(&[1 << 3])
}

/// A speaker over RTP, over and over: 2 % lost, some packets in the wrong order, some twice.
pub struct Rtp {
    packets: Vec<Bytes>,
    pub receiver: AudioReceiver,
    sent: u64,
}

impl Rtp {
    pub fn new(packets: Vec<Bytes>) -> Self {
        Self { packets, receiver: AudioReceiver::new().unwrap(), sent: 0 }
    }

    fn packet(&self, n: u64) -> RtpAudio {
        RtpAudio {
            ssrc: 7,
            sequence: n as u16,
            timestamp: (n as u32).wrapping_mul(960),
            red: false,
            payload: self.packets[n as usize % self.packets.len()].clone(),
        }
    }

    /// The next minute.
    pub fn minute(&mut self, mut heard: impl FnMut(worker_core::input::AudioFrame, u64)) {
        (0..PACKETS).for_each(|_| self.step(&mut heard));
    }

    /// The next packet: what is heard then, and when that is.
    pub fn step(&mut self, mut heard: impl FnMut(worker_core::input::AudioFrame, u64)) {
        let (n, now) = (self.sent, self.sent * 20);
        self.sent += 1;
        let arrives = match n {
            _ if n % 50 == 7 => vec![],
            _ if n % 37 == 3 => vec![n + 1, n],
            _ if n % 37 == 4 => vec![],
            _ if n % 29 == 0 => vec![n, n],
            _ => vec![n],
        };
        for n in arrives {
            self.receiver.push(&self.packet(n), MediaInstant(now));
        }
        while let Some(frame) = self.receiver.poll(MediaInstant(now)) {
            heard(frame, now);
        }
    }
}

/// A stream of fragments of 2 s, over and over, in pieces as they come from a socket.
pub struct Stream {
    packets: Vec<Vec<u8>>,
    pub receiver: StreamReceiver,
    sent: u64,
}

impl Stream {
    pub fn new(packets: &[Bytes]) -> Self {
        let mut receiver = StreamReceiver::default();
        receiver.connected();
        Self { packets: packets.iter().map(|packet| packet.to_vec()).collect(), receiver, sent: 0 }
    }

    /// The next 2 s: what is heard then.
    pub fn step(&mut self, mut heard: impl FnMut(worker_core::input::AudioFrame, u64)) {
        let at = BEGIN + self.sent as i64 * 2_000;
        let frame = |i: u64| (i as i16 * 20, self.packets[(self.sent * 100 + i) as usize % self.packets.len()].clone());
        let number = self.sent + 1;
        let fragment = Fragment { number, server_ms: at, producer_ms: at, frames: (0..100).map(frame).collect() };
        let track = AudioTrack { codec: "A_OPUS", private: Vec::new(), rate: 48_000.0, channels: 1, bits: 16 };
        let bytes = [head(&fragment, &track).unwrap(), tail(0, &number.to_string()).unwrap()].concat();
        let now = self.sent * 2_000;
        self.sent += 1;
        for part in bytes.chunks(1_400) {
            assert_eq!(self.receiver.push(part, MediaInstant(now)), []);
        }
        while let Some(at) = self.receiver.deadline().filter(|at| at.0 < now + 2_000) {
            if let Some(frame) = self.receiver.poll(at) {
                heard(frame, at.0);
            }
        }
    }
}

/// The engine and the services around it.
pub struct Session {
    engine: Engine,
    inputs: VecDeque<Input>,
    stream: Option<StreamId>,
    samples: u64,
    results: u64,
    pub finals: u64,
    pub posts: u64,
}

impl Session {
    pub fn new() -> Self {
        let config = EngineConfig::new(SessionId::try_new("steady-harbour-001").unwrap(), Generation(1), "test");
        let engine = Engine::new(config, Timestamp(BEGIN));
        let mut session =
            Self { engine, inputs: VecDeque::new(), stream: None, samples: 0, results: 0, finals: 0, posts: 0 };
        session.feed(run(), 0);
        session
    }

    /// Hands something over and does what is wanted then.
    pub fn feed(&mut self, input: Input, now: u64) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            self.engine.handle(input, MediaInstant(now));
            while !self.execute() {}
        }
    }

    /// Does one thing; true when there is nothing more to do.
    fn execute(&mut self) -> bool {
        let answer = match self.engine.poll() {
            Output::Wait(_) => return true,
            Output::Exit { why, .. } => panic!("the worker ends: {}", why.text),
            Output::OpenSignaling => Input::Signaling(SignalingEvent::Connected),
            Output::NewPeer | Output::RestartIce => Input::Peer(PeerEvent::OfferReady("v=0".into())),
            Output::SendOffer(_) => Input::Signaling(SignalingEvent::Answer("v=0".into())),
            Output::ApplyAnswer(_) => Input::Peer(PeerEvent::Connected),
            Output::OpenStream { id, .. } => {
                (self.stream, self.samples, self.results) = (Some(id), 0, 0);
                Input::Transcribe(id, TranscribeEvent::Opened)
            }
            Output::SendAudio { id, pcm } => return self.recognise(id, pcm.len() as u64),
            Output::EndStream(id) => Input::Transcribe(id, TranscribeEvent::Closed(StreamEnd::Clean)),
            Output::Translate { id, text, .. } => Input::Translated(id, Ok(text)),
            Output::Post { id, .. } => {
                self.posts += 1;
                Input::Posted(id, PostOutcome::Delivered)
            }
            Output::ReadAudience => Input::Audience(audience().into()),
            Output::WriteStatus(_) => run(),
            Output::MeasureResources => Input::Resources { cpu_ms: 0, peak_memory_bytes: 0 },
            Output::CloseSignaling
            | Output::ClosePeer
            | Output::AddCandidate(_)
            | Output::OpenMedia(_)
            | Output::CloseMedia
            | Output::DropStream(_)
            | Output::Judge { .. }
            | Output::DropModel
            | Output::ForgetListener { .. }
            | Output::Log(_) => return false,
        };
        self.inputs.push_back(answer);
        false
    }

    /// A final every four seconds, with as many words as one says then.
    fn recognise(&mut self, id: StreamId, samples: u64) -> bool {
        if self.stream != Some(id) {
            return false;
        }
        self.samples += samples;
        if self.samples >= (self.results + 1) * SENTENCE {
            let start = (self.results * 4) as f64;
            let word = |n: u64| TranscriptItem {
                // No sentence comes twice: the translations that are remembered must be forgotten in time.
                content: format!("word{:06}", self.finals * 10 + n),
                punctuation: false,
                start: start + n as f64 * 0.4,
                end: start + n as f64 * 0.4 + 0.3,
                stable: true,
            };
            let result = TranscriptResult {
                result_id: format!("{}-{}", id.0, self.results),
                start,
                end: start + 4.0,
                is_partial: false,
                language: None,
                transcript: String::new(),
                items: (0..10).map(word).collect(),
            };
            (self.results, self.finals) = (self.results + 1, self.finals + 1);
            self.inputs.push_back(Input::Transcribe(id, TranscribeEvent::Result(result)));
        }
        false
    }
}

/// Ten listeners in each of three languages.
fn audience() -> Vec<ListenerRow> {
    let listener = |n: usize| ListenerRow {
        connection_id: ConnectionId::try_new(format!("listener{n}=")).unwrap(),
        language: language(["en", "es", "fr"][n % 3]),
        connected_at: Some(Timestamp(BEGIN)),
        mode: AskedMode::default(),
    };
    (0..30).map(listener).collect()
}

fn run() -> Input {
    Input::Control(Control {
        answers: None,
        generation: Generation(1),
        desired: Desired::Run,
        why: Why::new(Cause::SessionActive, "wanted", Timestamp(BEGIN)),
        source_language: language("en"),
        expires_at: Timestamp(BEGIN + 86_400_000),
        speaker: None,
    })
}

/// A session over RTP, whole.
pub struct Whole {
    pub rtp: Rtp,
    pub session: Session,
}

impl Whole {
    pub fn new(packets: Vec<Bytes>) -> Self {
        Self { rtp: Rtp::new(packets), session: Session::new() }
    }

    pub fn minute(&mut self) {
        for _ in 0..PACKETS {
            let session = &mut self.session;
            self.rtp.step(|frame, now| session.feed(Input::Audio(frame), now));
            let now = self.rtp.sent * 20;
            if now.is_multiple_of(1_000) {
                session.feed(Input::Media(self.rtp.receiver.media()), now);
                session.feed(Input::Tick, now);
            }
        }
    }
}
