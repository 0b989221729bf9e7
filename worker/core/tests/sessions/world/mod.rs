//! The world around one engine: the shell and the services behind it, on a clock that jumps from event to event.

mod contract;
pub mod delay;
pub mod hall;
mod hostile;
pub mod hostile_session;
mod recogniser;
mod seat;
mod services;
pub mod sounds;
mod speakers_line;
pub mod talk;

pub use hostile::Hostility;
pub use recogniser::Recogniser;
pub use seat::Seat;
pub use speakers_line::SpeakersLine;
pub use talk::{Spoken, Talk};

use schemas::ids::{ConnectionId, Generation, Language, SessionId, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::session::{AskedMode, CaptionMode, ListenerRow};
use schemas::worker::Desired;
use std::collections::BTreeMap;
use worker_core::Affect;
use worker_core::config::{EmotionMode, EngineConfig};
use worker_core::engine::Engine;
use worker_core::input::*;
use worker_core::output::{Fact, Output, StatusWrite};
use worker_core::time::MediaInstant;

/// Wall time of the process's begin.
pub const BEGIN: i64 = 1_800_000_000_000;

pub fn language(text: &str) -> Language {
    Language::try_new(text).unwrap()
}

/// How the speaker's side behaves.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// Answers offers from here on, process time.
    pub present_from: u64,
    pub present_until: u64,
    /// No packets between these, process time, while the connection stands.
    pub silent_line: Vec<(u64, u64)>,
    /// Answers, but nothing gets through to them before this, process time.
    pub walled_until: u64,
    pub talk: Talk,
}

pub struct World {
    pub engine: Engine,
    pub now: u64,
    /// When the engine was last handed something.
    handled: u64,
    queue: BTreeMap<(u64, u64), Input>,
    sequence: u64,
    pub seats: BTreeMap<String, Seat>,
    pub speaker: Speaker,
    pub speakers_line: SpeakersLine,
    pub recogniser: Recogniser,
    /// The next frame of audio: process time, when the peer is connected.
    next_frame: Option<u64>,
    first_packet: Option<u64>,
    media_end: u64,
    pub desired: (Desired, Option<Cause>),
    pub source: Language,
    pub generation: u64,
    /// The row can not be written between these, process time.
    pub table_down: Vec<(u64, u64)>,
    /// What its writes fail with then.
    pub table_failure: RowFailure,
    /// Writes between these, process time, are answered after so long.
    pub table_slow: Vec<(u64, u64, u64)>,
    pub expires_at: i64,
    /// From then on, process time, there is no channel and no stream to connect to.
    pub deleted_at: u64,
    /// A translation takes so long; `Err` is what it fails with.
    pub translate: fn(&str, &Language, u64) -> (u64, Result<String, TranslateFailure>),
    /// The terminology that the session wishes does not exist.
    pub terminology_is_unknown: bool,
    pub asked: Vec<(u64, Language, String)>,
    /// How long the user's model takes over so many ms of speech, and what it says.
    pub model: fn(usize) -> (u64, Result<Affect, String>),
    pub writes: Vec<(u64, StatusWrite)>,
    pub outputs: BTreeMap<&'static str, u32>,
    pub facts: Vec<(u64, Fact)>,
    pub exit: Option<(u64, u8, Why)>,
    script: Vec<(u64, Box<dyn FnOnce(&mut World)>)>,
    in_flight: BTreeMap<PostId, String>,
    pub most_in_flight: usize,
    /// Looks at the engine again and again before its wait is over, and finds nothing to do.
    pub restless: bool,
}

/// The defaults, without the voice: hours of audio that spells words are nothing to measure (see `voice`).
pub fn config() -> EngineConfig {
    EngineConfig { emotion: EmotionMode::Off, audio_quality: false, ..with_voice() }
}

/// The defaults.
pub fn with_voice() -> EngineConfig {
    EngineConfig::new(SessionId::try_new("blessed-shepherd-123").unwrap(), Generation(1), "test")
}

pub fn prompt_translator(text: &str, to: &Language, _now: u64) -> (u64, Result<String, TranslateFailure>) {
    (150, Ok(text.split(' ').map(|w| format!("{to}:{w}")).collect::<Vec<_>>().join(" ")))
}

impl World {
    pub fn new(talk: Talk) -> Self {
        Self::with(config(), talk)
    }

    pub fn with(config: EngineConfig, talk: Talk) -> Self {
        Self {
            engine: Engine::new(config, Timestamp(BEGIN)),
            now: 0,
            handled: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            seats: BTreeMap::new(),
            speaker: Speaker {
                present_from: 0,
                present_until: u64::MAX,
                silent_line: Vec::new(),
                walled_until: 0,
                talk,
            },
            speakers_line: SpeakersLine::default(),
            recogniser: Recogniser::default(),
            next_frame: None,
            first_packet: None,
            media_end: 0,
            desired: (Desired::Run, None),
            source: language("en"),
            generation: 1,
            table_down: Vec::new(),
            table_failure: RowFailure::Outage("timeout".into()),
            table_slow: Vec::new(),
            expires_at: BEGIN + 86_400_000,
            deleted_at: u64::MAX,
            translate: prompt_translator,
            terminology_is_unknown: false,
            asked: Vec::new(),
            model: |_| (300, Ok(Affect::default())),
            writes: Vec::new(),
            outputs: BTreeMap::new(),
            facts: Vec::new(),
            exit: None,
            script: Vec::new(),
            in_flight: BTreeMap::new(),
            most_in_flight: 0,
            restless: false,
        }
    }

    /// Something that happens at this moment.
    pub fn at(&mut self, ms: u64, what: impl FnOnce(&mut Self) + 'static) {
        self.script.push((ms, Box::new(what)));
        self.script.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    }

    /// A listener takes a seat.
    pub fn listener(&mut self, name: &str, lang: &str) -> &mut Seat {
        let row = ListenerRow {
            connection_id: ConnectionId::try_new(name).unwrap(),
            language: language(lang),
            connected_at: Some(Timestamp(BEGIN + self.now as i64)),
            mode: AskedMode::default(),
        };
        let seat = Seat { row, listed: true, latency_ms: 10, refuses: None, received: Vec::new() };
        self.seats.entry(name.into()).or_insert(seat)
    }

    pub fn seat(&self, name: &str) -> &Seat {
        &self.seats[name]
    }

    pub fn end_session(&mut self) {
        self.desired = (Desired::Stop, Some(Cause::SessionEnded));
    }

    pub fn push(&mut self, in_ms: u64, input: Input) {
        self.sequence += 1;
        self.queue.insert((self.now + in_ms, self.sequence), input);
    }

    pub fn wanted(&self, what: &str) -> u32 {
        self.outputs.get(what).copied().unwrap_or(0)
    }

    /// The same, who chose how to read.
    pub fn reader(&mut self, name: &str, lang: &str, mode: CaptionMode) -> &mut Seat {
        let seat = self.listener(name, lang);
        seat.row.mode = AskedMode::Known(mode);
        seat
    }

    /// Process time of the first packet.
    pub fn begin_of_audio(&self) -> u64 {
        self.first_packet.unwrap()
    }

    /// Lets time pass up to this moment, or the exit.
    pub fn run_until(&mut self, end: u64) -> &mut Self {
        while self.exit.is_none() {
            let wait = self.poll();
            if self.exit.is_some() {
                break;
            }
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let scripted = self.script.last().map(|(at, _)| *at);
            let moments = [Some(wait), next, self.next_frame, scripted, self.recogniser.next_event()];
            let moment = moments.into_iter().flatten().min().unwrap_or(end).max(self.now);
            if self.restless {
                self.look_before(moment.min(end), wait);
            }
            if moment > end {
                self.now = end;
                break;
            }
            self.now = moment;
            self.step();
        }
        self
    }

    /// Nothing is due before the wait is over, at whatever moment one looks.
    fn look_before(&mut self, moment: u64, wait: u64) {
        let span = moment.saturating_sub(self.now);
        let between = [self.now + 1, self.now + span / 3, self.now + span / 2, moment.saturating_sub(1)];
        let mut looks: Vec<u64> = between.into_iter().filter(|at| (self.now + 1..moment).contains(at)).collect();
        looks.sort_unstable();
        for at in looks {
            self.now = at;
            self.hand(Input::Tick);
            let output = self.engine.poll();
            let Output::Wait(until) = output else { panic!("at {at}, before {wait}: {output:?}") };
            assert!(until.0 >= wait, "at {at} of {wait}: now it waits until {}", until.0);
        }
    }

    fn step(&mut self) {
        if self.script.last().is_some_and(|(at, _)| *at <= self.now) {
            let (_, what) = self.script.pop().unwrap();
            what(self);
        } else if let Some((id, event)) = self.recogniser.take_due(self.now) {
            self.hand(Input::Transcribe(id, event));
        } else if let Some(key) = self.queue.keys().next().copied().filter(|(at, _)| *at <= self.now) {
            let input = self.queue.remove(&key).unwrap();
            self.before(&input);
            self.hand(input);
        } else if self.next_frame.is_some_and(|at| at <= self.now) {
            self.frame();
        } else {
            self.hand(Input::Tick);
        }
    }

    fn hand(&mut self, input: Input) {
        self.handled = self.now;
        self.engine.handle(input, MediaInstant(self.now));
    }

    fn before(&mut self, input: &Input) {
        if *input == Input::Peer(PeerEvent::Connected) {
            self.next_frame = Some(self.now + 20);
        }
        if let Input::Posted(id, _) = input {
            self.in_flight.remove(id);
        }
    }

    /// The next 20 ms of the speaker's audio; a gap before them is filled first, as the shell does.
    fn frame(&mut self) {
        self.next_frame = Some(self.now + 20);
        let dead = self.speaker.silent_line.iter().any(|(from, until)| (*from..*until).contains(&self.now));
        if dead || !self.present() {
            return;
        }
        let first = *self.first_packet.get_or_insert(self.now - 20);
        let start_ms = (self.now - 20 - first) / 20 * 20;
        if start_ms > self.media_end {
            let pcm = vec![0; ((start_ms - self.media_end) * 16) as usize];
            let filled = AudioFrame { start_ms: self.media_end, pcm, kind: AudioKind::Filled };
            self.hand(Input::Audio(filled));
            self.poll();
        }
        let pcm = self.speaker.talk.audio(start_ms, 20);
        self.media_end = start_ms + 20;
        let frame = AudioFrame { start_ms, pcm, kind: AudioKind::Decoded };
        self.hand(Input::Audio(frame));
    }

    fn present(&self) -> bool {
        (self.speaker.present_from..self.speaker.present_until).contains(&self.now)
    }

    /// Does what the engine wants, until it waits.
    fn poll(&mut self) -> u64 {
        loop {
            let output = self.engine.poll();
            if let Output::Wait(until) = output {
                let overdue = self.engine.overdue();
                assert!(overdue.is_empty(), "the engine must not spin: {overdue:?} at {}", self.now);
                assert!(until.0 > self.handled || self.exit.is_some(), "the engine must not spin");
                return until.0;
            }
            self.serve(output);
        }
    }
}
