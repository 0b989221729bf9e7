//! The world around one engine: the shell and the services behind it, on a clock that jumps from event to event.

mod recogniser;
mod speakers_line;
mod talk;

pub use recogniser::Recogniser;
pub use speakers_line::SpeakersLine;
pub use talk::Talk;

use schemas::ids::{ConnectionId, Generation, Language, SessionId, Timestamp};
use schemas::message::{Caption, Message};
use schemas::reason::{Cause, Why};
use schemas::session::ListenerRow;
use schemas::worker::Desired;
use std::collections::{BTreeMap, BTreeSet};
use worker_core::config::{EngineConfig, Wishes};
use worker_core::engine::Engine;
use worker_core::input::*;
use worker_core::output::{Fact, Output, StatusWrite};
use worker_core::time::MediaInstant;

/// Wall time of the process's begin.
pub const BEGIN: i64 = 1_800_000_000_000;

pub fn language(text: &str) -> Language {
    Language::try_new(text).unwrap()
}

/// A listener's end of the line.
#[derive(Debug, Clone)]
pub struct Seat {
    pub row: ListenerRow,
    pub listed: bool,
    /// A post takes so long.
    pub latency_ms: u64,
    /// What becomes of a post, when it is not delivered.
    pub refuses: Option<PostOutcome>,
    pub received: Vec<(u64, Message)>,
}

impl Seat {
    pub fn captions(&self) -> Vec<&Caption> {
        let caption = |m: &'_ (u64, Message)| matches!(m.1, Message::Transcription(_));
        self.received.iter().filter(|m| caption(m)).filter_map(|(_, m)| as_caption(m)).collect()
    }
    pub fn finals(&self) -> Vec<&Caption> {
        self.captions().into_iter().filter(|c| c.is_final).collect()
    }
    pub fn text(&self) -> String {
        self.finals().iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" ")
    }
    pub fn ended(&self) -> bool {
        matches!(self.received.last(), Some((_, Message::SessionEnded(_))))
    }
}

fn as_caption(message: &Message) -> Option<&Caption> {
    match message {
        Message::Transcription(caption) => Some(caption),
        Message::Emotion(_) | Message::CaptionStatus(_) | Message::SessionEnded(_) => None,
    }
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
    pub leave_by: Option<Timestamp>,
    pub source: Language,
    pub generation: u64,
    /// The row can not be written between these, process time.
    pub table_down: Vec<(u64, u64)>,
    pub expires_at: i64,
    /// A translation takes so long; `Err` is what it fails with.
    pub translate: fn(&str, &Language, u64) -> (u64, Result<String, TranslateFailure>),
    /// The terminology that the session wishes does not exist.
    pub terminology_is_unknown: bool,
    pub asked: Vec<(u64, Language, String)>,
    pub writes: Vec<(u64, StatusWrite)>,
    pub outputs: BTreeMap<&'static str, u32>,
    pub facts: Vec<(u64, Fact)>,
    pub exit: Option<(u64, u8, Why)>,
    script: Vec<(u64, Box<dyn FnOnce(&mut World)>)>,
    in_flight: BTreeMap<PostId, String>,
    pub most_in_flight: usize,
}

pub fn config() -> EngineConfig {
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
            leave_by: None,
            source: language("en"),
            generation: 1,
            table_down: Vec::new(),
            expires_at: BEGIN + 86_400_000,
            translate: prompt_translator,
            terminology_is_unknown: false,
            asked: Vec::new(),
            writes: Vec::new(),
            outputs: BTreeMap::new(),
            facts: Vec::new(),
            exit: None,
            script: Vec::new(),
            in_flight: BTreeMap::new(),
            most_in_flight: 0,
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
            if moment > end {
                self.now = end;
                break;
            }
            self.now = moment;
            self.step();
        }
        self
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
                assert!(until.0 > self.handled || self.exit.is_some(), "the engine must not spin");
                return until.0;
            }
            self.serve(output);
        }
    }

    fn serve(&mut self, output: Output) {
        assert!(self.exit.is_none(), "nothing follows the exit: {output:?}");
        let mut count = |what| *self.outputs.entry(what).or_insert(0) += 1;
        match output {
            Output::OpenSignaling => {
                count("OpenSignaling");
                self.push(30, Input::Signaling(SignalingEvent::Connected));
            }
            Output::CloseSignaling => count("CloseSignaling"),
            Output::NewPeer => {
                count("NewPeer");
                self.next_frame = None;
                self.push(50, Input::Peer(PeerEvent::OfferReady("offer".into())));
            }
            Output::RestartIce => {
                count("RestartIce");
                self.push(50, Input::Peer(PeerEvent::OfferReady("restart".into())));
            }
            Output::ClosePeer => {
                count("ClosePeer");
                self.next_frame = None;
            }
            Output::SendOffer(_) => {
                count("SendOffer");
                if self.present() {
                    self.push(40, Input::Signaling(SignalingEvent::Answer("answer".into())));
                }
            }
            Output::ApplyAnswer(_) => {
                count("ApplyAnswer");
                if self.now >= self.speaker.walled_until {
                    self.push(100, Input::Peer(PeerEvent::Connected));
                }
            }
            Output::AddCandidate(_) => count("AddCandidate"),
            Output::OpenMedia(_) => {
                count("OpenMedia");
                self.push(60, Input::MediaStream(MediaStreamEvent::Opened));
                self.next_frame = Some(self.now + 100);
            }
            Output::CloseMedia => {
                count("CloseMedia");
                self.next_frame = None;
            }
            Output::OpenStream { id, language, wishes } => {
                count("OpenStream");
                self.recogniser.open(id, language, wishes, self.now, &self.speaker.talk);
            }
            Output::SendAudio { id, pcm } => {
                count("SendAudio");
                assert!(pcm.len() <= 16_000, "at most one second");
                self.recogniser.hear(id, &pcm, self.now);
            }
            Output::EndStream(id) => {
                count("EndStream");
                self.recogniser.end(id, self.now);
            }
            Output::DropStream(id) => {
                count("DropStream");
                self.recogniser.forget(id);
            }
            Output::Translate { id, text, from, to, wishes } => {
                count("Translate");
                assert_ne!(from, to);
                let known = wishes == Wishes::Plain || !self.terminology_is_unknown;
                let (latency, answer) = if known {
                    (self.translate)(&text, &to, self.now)
                } else {
                    (50, Err(TranslateFailure::UnknownTerminology))
                };
                self.asked.push((self.now, to, text));
                self.push(latency, Input::Translated(id, answer));
            }
            Output::Post { id, connection, data } => {
                count("Post");
                self.deliver(id, connection.as_str(), &data);
            }
            Output::ReadAudience => {
                count("ReadAudience");
                let listeners = self.seats.values().filter(|s| s.listed).map(|s| s.row.clone()).collect();
                let speakers = self.speakers_line.in_index.iter().cloned().collect();
                self.push(15, Input::Audience(AudienceRows { listeners, speakers }));
            }
            Output::ForgetListener { connection, connected_at } => {
                count("ForgetListener");
                let seat = self.seats.get_mut(connection.as_str()).unwrap();
                seat.listed &= seat.row.connected_at != connected_at;
            }
            Output::WriteStatus(write) => {
                count("WriteStatus");
                self.write(*write);
            }
            Output::MeasureResources => {
                self.push(1, Input::Resources { cpu_ms: self.now / 50, peak_memory_bytes: 9 << 20 })
            }
            Output::Log(fact) => self.facts.push((self.now, fact)),
            Output::Exit { code, why } => self.exit = Some((self.now, code, why)),
            Output::Wait(_) => unreachable!("polled above"),
        }
    }

    fn write(&mut self, write: StatusWrite) {
        if self.table_down.iter().any(|(from, until)| (*from..*until).contains(&self.now)) {
            self.push(15, Input::ControlFailed("timeout".into()));
            return;
        }
        self.writes.push((self.now, write));
        let why = Why::new(self.desired.1.unwrap_or(Cause::SessionActive), "as scripted", Timestamp(BEGIN));
        let control = Control {
            generation: Generation(self.generation),
            desired: self.desired.0,
            leave_by: self.leave_by,
            why,
            source_language: self.source.clone(),
            expires_at: Timestamp(self.expires_at),
            speaker: self.speakers_line.in_row.clone(),
        };
        self.push(15, Input::Control(control));
    }

    fn deliver(&mut self, id: PostId, connection: &str, data: &str) {
        assert!(!self.in_flight.values().any(|c| c == connection), "one post per connection");
        self.in_flight.insert(id, connection.to_owned());
        self.most_in_flight = self.most_in_flight.max(self.in_flight.len());
        let now = self.now;
        assert!(data.len() < schemas::limits::WEBSOCKET_FRAME_BYTES, "a message fits one frame: {}", data.len());
        if let Some((latency, outcome)) = self.speakers_line.take(connection, data, now) {
            self.push(latency, Input::Posted(id, outcome));
            return;
        }
        let Some(seat) = self.seats.get_mut(connection) else { panic!("posted to a stranger") };
        let (latency, outcome) = match &seat.refuses {
            Some(outcome) => (seat.latency_ms, outcome.clone()),
            None => {
                let message: Message = serde_json::from_str(data).expect("a message of our schema");
                seat.received.push((now + seat.latency_ms, message));
                (seat.latency_ms, PostOutcome::Delivered)
            }
        };
        self.push(latency, Input::Posted(id, outcome));
    }

    /// The contract of captions, for every listener: cursors dense from the first that they saw, each final once and in
    /// the order of media time, revisions rising, nothing of a segment after its final, stable words never changed.
    pub fn check_contract(&self) {
        for (name, seat) in &self.seats {
            check(name, &seat.captions(), Gaps::Never);
        }
    }

    /// The same for listeners who come and go: who was away may have missed finals, but gets none twice or out of order.
    pub fn check_stays(&self) {
        for (name, seat) in &self.seats {
            check(name, &seat.captions(), if name == "always" { Gaps::Never } else { Gaps::WhileAway });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gaps {
    Never,
    WhileAway,
}

fn check(name: &str, captions: &[&Caption], gaps: Gaps) {
    let mut last_final: BTreeMap<&Language, &Caption> = BTreeMap::new();
    let mut finished = BTreeSet::new();
    let mut stable: BTreeMap<(&Language, &str), Vec<&str>> = BTreeMap::new();
    let mut revisions: BTreeMap<(&Language, &str), u32> = BTreeMap::new();
    for caption in captions {
        let key = (&caption.language, caption.segment_id.as_str());
        assert!(!finished.contains(&key), "{name}: a caption of {key:?} follows its final");
        let revision = revisions.insert(key, caption.revision).unwrap_or(0);
        assert!(caption.revision > revision, "{name}: revision {} after {revision}", caption.revision);
        let words: Vec<&str> = caption.text.split_whitespace().collect();
        let promised = stable.get(&key).cloned().unwrap_or_default();
        assert!(words.starts_with(&promised), "{name}: {promised:?} was stable, then came {words:?}");
        stable.insert(key, words[..(caption.stable_words as usize).min(words.len())].to_vec());
        if caption.is_final {
            finished.insert(key);
            if let Some(before) = last_final.insert(&caption.language, caption) {
                let dense = caption.cursor == before.cursor + 1;
                let rises = gaps == Gaps::WhileAway && caption.cursor > before.cursor;
                assert!(dense || rises, "{name}: cursor {} after {}", caption.cursor, before.cursor);
                assert!(caption.start_ms >= before.start_ms, "{name}: finals are in the order of media time");
            }
        }
    }
}
