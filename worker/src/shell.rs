//! Executes what the engine wants. Nothing here decides, waits or retries: every effect is a task that reports back as an [`Event`].

use crate::config::Config;
use crate::ingest::Start;
use crate::io::gateway::Gateway;
use crate::io::getmedia::{Connection, MediaMessage, MediaStream};
use crate::io::model::Model;
use crate::io::peer::{Peer, PeerMessage};
use crate::io::signaling::{Channel, Signaling};
use crate::io::table::{Table, Written};
use crate::io::transcribe::Stream;
use crate::io::translate::Translator;
use crate::io::{resources, signaling, transcribe, translate};
use crate::metrics::Metrics;
use crate::telemetry;
use aws_config::SdkConfig;
use kvs_signaling::Outgoing;
use schemas::ids::{ChannelArn, ConnectionId, Language, StreamArn, Timestamp, viewer_client_id};
use schemas::worker::WorkerRow;
use std::collections::HashMap;
use tokio::sync::mpsc::UnboundedSender;
use worker_core::config::{CarriedOptions, EmotionMode};
use worker_core::input::{
    Control, Input, MediaStreamEnd, MediaStreamEvent, PostId, SignalingEvent, StreamEnd, StreamId, TranscribeEvent,
    TranslationId, WriteId,
};
use worker_core::output::{Fact, Output, StatusWrite};
use worker_core::time::MediaInstant;

/// Something that happened, before the loop has seen whether it still matters.
#[derive(Debug)]
pub enum Event {
    /// For the engine as it is.
    Input(Input),
    /// From the signaling connection with this number.
    Signaling(u64, SignalingEvent),
    /// From the peer with this number.
    Peer(u64, PeerMessage),
    /// From the connection to the KVS stream with this number.
    Media(u64, MediaMessage),
    /// The row, as this write has left it.
    Row(Box<WorkerRow>, WriteId),
}

/// Where the speaker is to be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// On a signaling channel.
    Channel(ChannelArn),
    /// On a KVS stream.
    Stream(StreamArn),
}

/// The way to the speaker, ready to be opened.
#[derive(Debug)]
enum Way {
    Channel(Channel),
    Stream(MediaStream),
}

/// How the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// There may be more to do.
    Continue,
    /// Nothing more until then, unless something happens.
    Wait(MediaInstant),
    /// The process ends with this code.
    Exit(u8),
}

/// The handles of everything that runs.
#[derive(Debug)]
pub struct Shell {
    sdk: SdkConfig,
    config: Config,
    table: Table,
    gateway: Gateway,
    translator: Translator,
    way: Way,
    events: UnboundedSender<Event>,
    /// Numbers connections and peers, so that what an old one still says is known as such.
    number: u64,
    signaling: Option<(u64, Signaling)>,
    peer: Option<(u64, Peer)>,
    media: Option<(u64, Connection)>,
    /// Where the next connection to the KVS stream begins.
    place: Start,
    streams: HashMap<StreamId, Stream>,
    /// The user's own model of the voice, while it is asked.
    model: Option<Model>,
    row: WorkerRow,
    /// Absent where nobody collects them.
    metrics: Option<Metrics>,
}

impl Shell {
    /// Nothing runs yet. `row` is the row as it was read at the start.
    #[must_use]
    pub fn new(
        sdk: SdkConfig,
        config: Config,
        table: Table,
        speaker: Speaker,
        row: WorkerRow,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            model: start_model(&config, events.clone()),
            gateway: Gateway::new(&sdk, &config.websocket_endpoint),
            translator: Translator::new(&sdk, translate_options(&config)),
            way: match speaker {
                Speaker::Channel(arn) => Way::Channel(Channel::new(&sdk, arn, viewer_client_id(&config.session))),
                Speaker::Stream(arn) => Way::Stream(MediaStream::new(&sdk, arn)),
            },
            metrics: config.environment.clone().map(|name| Metrics::new(name, config.session.clone())),
            sdk,
            config,
            table,
            events,
            number: 0,
            signaling: None,
            peer: None,
            media: None,
            place: Start::Now,
            streams: HashMap::new(),
            row,
        }
    }

    /// Does one thing and says how the loop goes on.
    pub fn execute(&mut self, output: Output) -> Flow {
        match output {
            Output::Wait(until) => return Flow::Wait(until),
            Output::Exit { code, why } => {
                tracing::info!(event = "exit", code, cause = ?why.cause, detail = why.text);
                return Flow::Exit(code);
            }
            Output::OpenSignaling => self.open_signaling(),
            Output::CloseSignaling => self.signaling = None,
            Output::NewPeer => self.new_peer(),
            Output::RestartIce => self.with_peer(Peer::restart),
            Output::ClosePeer => self.close_peer(),
            Output::SendOffer(sdp) => self.send_offer(sdp),
            Output::ApplyAnswer(sdp) => self.with_peer(|peer| peer.answer(sdp)),
            Output::AddCandidate(json) => self.with_peer(|peer| peer.candidate(json)),
            Output::OpenMedia(_) => self.open_media(),
            Output::CloseMedia => self.media = None,
            Output::OpenStream { id, language, options } => self.open_stream(id, &language, options),
            Output::SendAudio { id, pcm } => self.send_audio(id, pcm),
            Output::EndStream(id) => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.end();
                }
            }
            Output::DropStream(id) => {
                self.streams.remove(&id);
            }
            Output::Translate { id, text, from, to, options } => self.translate(id, text, from, to, options),
            Output::Post { id, connection, data } => self.post(id, connection, data),
            Output::ReadAudience => self.read_audience(),
            Output::ForgetListener { connection, connected_at } => self.forget_listener(connection, connected_at),
            Output::WriteStatus(write) => self.write_status(write),
            Output::Judge { id, pcm } => {
                if let Some(model) = &self.model {
                    model.judge(id, pcm);
                }
            }
            Output::DropModel => self.model = None,
            Output::MeasureResources => self.measure(),
            Output::Log(fact) => log(&fact),
        }
        Flow::Continue
    }

    /// What an event means to the engine; `None` when it comes from something that was replaced, or is the shell's own.
    pub fn admit(&mut self, event: Event) -> Option<Admitted> {
        match event {
            Event::Input(Input::Transcribe(id, event)) => {
                if matches!(event, TranscribeEvent::Closed(_)) {
                    self.streams.remove(&id);
                }
                Some(Admitted::Input(Input::Transcribe(id, event)))
            }
            Event::Input(input) => Some(Admitted::Input(input)),
            Event::Signaling(number, event) => {
                let current = self.signaling.as_ref().is_some_and(|(n, _)| *n == number);
                current.then_some(Admitted::Input(Input::Signaling(event)))
            }
            Event::Peer(number, message) => {
                let current = self.peer.as_ref().is_some_and(|(n, _)| *n == number);
                current.then(|| match message {
                    PeerMessage::Event(event) => Admitted::Input(Input::Peer(event)),
                    PeerMessage::Rtp(packet) => Admitted::Rtp(packet),
                    PeerMessage::Path(path) => Admitted::Path(path),
                })
            }
            Event::Media(number, message) => {
                let current = self.media.as_ref().is_some_and(|(n, _)| *n == number);
                current.then(|| match message {
                    MediaMessage::Event(event) => Admitted::Input(Input::MediaStream(event)),
                    MediaMessage::Bytes(bytes) => Admitted::Media(bytes),
                })
            }
            Event::Row(row, write) => {
                let control = control(&row, Some(write));
                self.row = *row;
                control.map(|control| Admitted::Input(Input::Control(control)))
            }
        }
    }

    /// Closes what must not be dropped.
    pub async fn finish(mut self) {
        self.streams.clear();
        (self.signaling, self.media) = (None, None);
        if let Some((_, peer)) = self.peer.take() {
            peer.close().await;
        }
    }

    fn report<T>(&self, event: impl Fn(T) -> Event + Send + Sync + 'static) -> impl Fn(T) + Send + Sync + 'static {
        let events = self.events.clone();
        // The loop that has ended hears nothing more.
        move |t| drop(events.send(event(t)))
    }

    fn open_signaling(&mut self) {
        self.number += 1;
        let number = self.number;
        let Way::Channel(channel) = &self.way else { return };
        let report = self.report(move |event| Event::Signaling(number, event));
        self.signaling = Some((number, signaling::open(channel.clone(), report)));
    }

    /// Where the next connection to the KVS stream begins.
    pub fn begin_at(&mut self, place: Start) {
        self.place = place;
    }

    fn open_media(&mut self) {
        self.number += 1;
        let number = self.number;
        let Way::Stream(stream) = &self.way else { return };
        let report = self.report(move |message| Event::Media(number, message));
        self.media = Some((number, stream.open(std::mem::take(&mut self.place), report)));
    }

    /// Ends the connection to the KVS stream, and reports how.
    pub fn end_media(&mut self, end: MediaStreamEnd) {
        self.media = None;
        drop(self.events.send(Event::Input(Input::MediaStream(MediaStreamEvent::Closed(end)))));
    }

    fn send_offer(&self, sdp: String) {
        if let Some((_, signaling)) = &self.signaling {
            signaling.send(Outgoing::Offer { sdp, to: None });
        }
    }

    fn new_peer(&mut self) {
        self.number += 1;
        let number = self.number;
        let Way::Channel(channel) = &self.way else { return };
        let (channel, old) = (channel.clone(), self.peer.take());
        let loopback = self.config.ice_bind.is_loopback();
        let servers = async move {
            // The old one must give its port back first.
            if let Some((_, old)) = old {
                old.close().await;
            }
            let mut servers = channel.ice_servers().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "no relay servers: the speaker must be reachable directly");
                Vec::new()
            });
            if !loopback {
                // From loopback nothing outside can be asked for our address.
                servers.push(channel.stun_server());
            }
            servers
        };
        let report = self.report(move |message| Event::Peer(number, message));
        let peer = Peer::start(self.config.ice_bind, self.config.ice_ports.clone(), servers, report);
        self.peer = Some((number, peer));
    }

    fn close_peer(&mut self) {
        if let Some((_, peer)) = self.peer.take() {
            tokio::spawn(peer.close());
        }
    }

    fn with_peer(&self, act: impl FnOnce(&Peer)) {
        if let Some((_, peer)) = &self.peer {
            act(peer);
        }
    }

    fn open_stream(&mut self, id: StreamId, language: &Language, options: CarriedOptions) {
        let report = self.report(move |event| Event::Input(Input::Transcribe(id, event)));
        self.streams.insert(id, transcribe::open(&self.sdk, language, self.transcribe_options(options), report));
    }

    /// The filter stays whatever is refused: words that nobody should read are not shown for want of it.
    fn transcribe_options(&self, options: CarriedOptions) -> transcribe::Options {
        let Config { vocabulary, vocabulary_filter, identify_languages, variants, .. } = &self.config;
        let plain = transcribe::Options {
            filter: vocabulary_filter.clone(),
            variants: variants.clone(),
            ..transcribe::Options::default()
        };
        match options {
            CarriedOptions::Plain => plain,
            CarriedOptions::All => {
                transcribe::Options { vocabulary: vocabulary.clone(), identify: identify_languages.clone(), ..plain }
            }
        }
    }

    fn send_audio(&mut self, id: StreamId, pcm: Vec<i16>) {
        let Some(stream) = self.streams.get(&id) else { return };
        if let Err(backlog) = stream.send(pcm) {
            self.streams.remove(&id);
            let end = TranscribeEvent::Closed(StreamEnd::Fault(backlog.to_string()));
            drop(self.events.send(Event::Input(Input::Transcribe(id, end))));
        }
    }

    fn translate(&self, id: TranslationId, text: String, from: Language, to: Language, options: CarriedOptions) {
        let (translator, events) = (self.translator.clone(), self.events.clone());
        tokio::spawn(async move {
            let answer = translator.translate(text, &from, &to, options).await;
            drop(events.send(Event::Input(Input::Translated(id, answer))));
        });
    }

    fn post(&self, id: PostId, connection: ConnectionId, data: String) {
        let (gateway, events) = (self.gateway.clone(), self.events.clone());
        tokio::spawn(async move {
            let outcome = gateway.post(&connection, data).await;
            drop(events.send(Event::Input(Input::Posted(id, outcome))));
        });
    }

    fn read_audience(&self) {
        let (table, events) = (self.table.clone(), self.events.clone());
        tokio::spawn(async move {
            let input = match table.audience().await {
                Ok(audience) => Input::Audience(audience),
                Err(error) => Input::AudienceFailed(error.to_string()),
            };
            drop(events.send(Event::Input(input)));
        });
    }

    fn forget_listener(&self, connection: ConnectionId, connected_at: Option<Timestamp>) {
        let table = self.table.clone();
        tokio::spawn(async move {
            if let Err(error) = table.forget(&connection, connected_at).await {
                // Its time to live ends the row at last.
                tracing::debug!(%error, "the row of a connection that is gone stays");
            }
        });
    }

    fn write_status(&mut self, write: Box<StatusWrite>) {
        let lines = self.metrics.as_mut().map(|metrics| metrics.lines(write.phase, &write.status, write.unwritten_ms));
        lines.into_iter().flatten().for_each(|line| telemetry::line(&line));
        let (table, events, row, id) = (self.table.clone(), self.events.clone(), self.row.clone(), write.id);
        tokio::spawn(async move {
            let event = match table.write(&write, Some(row)).await {
                Ok(Written::Row(row)) => Event::Row(row, id),
                Ok(Written::LeaseLost) => Event::Input(Input::LeaseLost),
                Err(error) => Event::Input(Input::ControlFailed(id, error.into())),
            };
            drop(events.send(event));
        });
    }

    fn measure(&self) {
        let resources::Resources { cpu_ms, peak_memory_bytes } = resources::measure();
        drop(self.events.send(Event::Input(Input::Resources { cpu_ms, peak_memory_bytes })));
    }
}

/// An event that matters.
#[derive(Debug)]
pub enum Admitted {
    /// For the engine.
    Input(Input),
    /// For the audio receiver.
    Rtp(crate::media::RtpAudio),
    /// For the receiver of the KVS stream.
    Media(bytes::Bytes),
    /// For the state of the media path.
    Path(crate::io::peer::Path),
}

/// The controller's part of the row, and the write that it answers; `None` when it holds no intent, which a row with a worker always does.
#[must_use]
pub fn control(row: &WorkerRow, answers: Option<WriteId>) -> Option<Control> {
    row.intent.as_ref().map(|intent| Control {
        answers,
        generation: row.generation,
        desired: intent.desired,
        why: row.why.clone(),
        source_language: intent.source_language.clone(),
        expires_at: intent.expires_at,
        speaker: intent.speaker_connection.clone(),
    })
}

/// Begins the model, where one is given and judgements are wanted.
fn start_model(config: &Config, events: UnboundedSender<Event>) -> Option<Model> {
    let file = config.emotion_model.as_ref()?;
    if config.emotion != EmotionMode::Emotion {
        tracing::info!(
            event = "model_not_asked",
            detail = "EMOTION_MODEL is set, and judgements are not wanted: EMOTION is not emotion"
        );
        return None;
    }
    let report = move |input| drop(events.send(Event::Input(input)));
    match std::env::current_exe() {
        Ok(program) => Some(Model::start(&program, file, config.emotion_model_library.as_deref(), report)),
        Err(error) => {
            report(Input::ModelEnded(format!("what runs it cannot be found: {error}")));
            None
        }
    }
}

fn translate_options(config: &Config) -> translate::Options {
    translate::Options {
        variants: config.variants.clone(),
        terminology: config.terminology.clone(),
        formality: config.formality,
        profanity: config.profanity,
        brevity: config.brevity,
    }
}

fn log(fact: &Fact) {
    if fact.warn {
        tracing::warn!(event = fact.event, detail = fact.detail);
    } else {
        tracing::info!(event = fact.event, detail = fact.detail);
    }
}
