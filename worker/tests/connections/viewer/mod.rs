//! A viewer with nothing left out but AWS: the engine, the shell, signaling over a real socket to the stand-in, a real peer connection, and the
//! rehearsal's speaker as its master. Only the row, the listeners and Transcribe are not there.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "it plays the parts of the outside that a test is about; the others are passed on whole"
)]

pub mod sound;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use kvs_signaling::Role;
use local_stack::kvs::{KvsConfig, Limits, Running, serve};
use local_stack::network::Roads;
use schemas::ids::{ChannelArn, Generation, Language, SessionId, StreamArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Desired, Intent, Media, Phase, Restarts, WorkerRow, WorkerStatus};
use serde_json::{Value, json};
use sessionctl::rehearse::speaker::{Network, Speaker};
use sessionctl::rehearse::{microphone, record};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use worker::config::Config;
use worker::io::aws::http_client;
use worker::io::peer::Path;
use worker::io::table::Table;
use worker::media::AudioReceiver;
use worker::shell::{self, Admitted, Flow, Shell};
use worker_core::input::{AudienceRows, AudioKind, Control, Input};
use worker_core::output::{Fact, Output};
use worker_core::time::MediaInstant;
use worker_core::{Engine, EngineConfig};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const SESSION: &str = "blessed-shepherd-123";
const ACCOUNT: &str = "111122223333";
/// No step takes nearly as long; a step that hangs fails here instead of for ever.
const PATIENCE: Duration = Duration::from_secs(40);

/// The stand-in with one channel.
pub struct Service {
    running: Running,
    http: reqwest::Client,
    pub arn: ChannelArn,
}

impl Service {
    pub async fn start(limits: Limits) -> Self {
        Self::start_behind(limits, None).await
    }

    /// With these between the viewers and the speaker.
    pub async fn start_behind(limits: Limits, roads: Option<Arc<Roads>>) -> Self {
        let config = KvsConfig { limits, roads, ..KvsConfig::new("us-east-1", ACCOUNT, ACCOUNT, "secret") };
        let running = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
        let arn = ChannelArn::try_new("arn:aws:kinesisvideo:us-east-1:111122223333:channel/session-none/1700000000000")
            .unwrap();
        let mut service = Self { running, http: reqwest::Client::new(), arn };
        let made =
            service.call("/createSignalingChannel", json!({ "ChannelName": format!("session-{SESSION}") })).await;
        service.arn = ChannelArn::try_new(made["ChannelARN"].as_str().unwrap()).unwrap();
        service
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        let signed = format!("AWS4-HMAC-SHA256 Credential={ACCOUNT}/x");
        let request =
            self.http.post(format!("{}{path}", self.running.url())).header("authorization", signed).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    pub async fn fault(&self, body: Value) {
        self.call("/_local/faults", body).await;
    }

    pub async fn sdk(&self) -> aws_config::SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.running.url())
            .credentials_provider(Credentials::new(ACCOUNT, "secret", None, None, "test"))
            .http_client(http_client())
            .load()
            .await
    }

    /// The control plane, for a master that is none of ours; the account is the key's id, too.
    pub fn master_arguments(&self) -> Vec<String> {
        let url = self.running.url();
        let named = [
            ("--endpoint", url.as_str()),
            ("--channel", self.arn.as_str()),
            ("--region", "us-east-1"),
            ("--key", ACCOUNT),
            ("--secret", "secret"),
        ];
        named.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect()
    }

    pub async fn master(&self) -> kvs_signaling::Connection {
        let ask = json!({ "ChannelARN": self.arn.as_str(), "SingleMasterChannelEndpointConfiguration":
            { "Protocols": ["WSS"], "Role": "MASTER" } });
        let endpoint = self.call("/getSignalingChannelEndpoint", ask).await;
        let endpoint = endpoint["ResourceEndpointList"][0]["ResourceEndpoint"].as_str().unwrap().to_owned();
        let credentials = Credentials::new(ACCOUNT, "secret", None, None, "test");
        let now = SystemTime::now();
        let url = kvs_signaling::presign(&endpoint, &self.arn, &Role::Master, "us-east-1", &credentials, now).unwrap();
        kvs_signaling::connect(&url).await.unwrap()
    }

    /// A tab of the speaker's browser that plays this, 48 kHz mono.
    pub async fn tab(&self, speech: Vec<i16>, patched: bool) -> Tab {
        let network = Network { ice_servers: Vec::new(), bind: Some(LOOPBACK), patched };
        let (events_in, events) = mpsc::unbounded_channel();
        let (lines_in, mut lines) = watch::channel(None);
        let (socket, plugged) = watch::channel(None);
        let (speak, spoken) = watch::channel(false);
        let (gone, leave) = watch::channel(false);
        let microphone = tokio::spawn(microphone::run(speech, plugged, spoken, events_in.clone()));
        let browser = tokio::spawn(Speaker::new(network, self.master().await, lines_in, events_in).run(leave));
        let (cable, line) = (socket.clone(), lines.clone());
        let wired = tokio::spawn(async move {
            while lines.changed().await.is_ok() {
                cable.send_replace(lines.borrow_and_update().clone());
            }
        });
        Tab { events, speak, gone, browser, tasks: [microphone, wired], socket, line }
    }
}

/// A tab that is open.
pub struct Tab {
    pub events: mpsc::UnboundedReceiver<record::Event>,
    pub speak: watch::Sender<bool>,
    gone: watch::Sender<bool>,
    browser: tokio::task::JoinHandle<()>,
    tasks: [tokio::task::JoinHandle<()>; 2],
    /// What the microphone is plugged into, and what the browser has for it.
    socket: watch::Sender<Option<microphone::Line>>,
    line: watch::Receiver<Option<microphone::Line>>,
}

impl Tab {
    /// It is closed: nobody is told.
    pub async fn close(self) {
        self.gone.send_replace(true);
        self.browser.await.unwrap();
        self.tasks.iter().for_each(|task| task.abort());
    }

    /// No packets any more; the connection stays.
    pub fn unplug(&self) {
        self.socket.send_replace(None);
    }

    /// Packets again.
    pub fn plug(&self) {
        self.socket.send_replace(self.line.borrow().clone());
    }
}

/// What the viewer did and heard.
#[derive(Default)]
pub struct Seen {
    /// The names of the facts, in order.
    pub facts: Vec<&'static str>,
    /// Offers that went out, and when.
    pub offers: Vec<(Instant, String)>,
    pub peers: usize,
    pub restarts: usize,
    /// 16 kHz, all of it.
    pub pcm: Vec<i16>,
    /// Of it, made up or silent, samples.
    pub made_up: usize,
    pub path: Option<Path>,
    pub media: Media,
    /// Our section of the row, as it was last written.
    pub row: Option<WorkerStatus>,
    /// The last packet.
    pub rtp_at: Option<Instant>,
}

impl Seen {
    pub fn count(&self, fact: &str) -> usize {
        self.facts.iter().filter(|f| **f == fact).count()
    }

    /// Whether packets come, now.
    pub fn flows(&self) -> bool {
        self.rtp_at.is_some_and(|at| at.elapsed() < Duration::from_millis(200))
    }
}

pub struct Viewer {
    engine: Engine,
    shell: Shell,
    events: mpsc::UnboundedReceiver<shell::Event>,
    receiver: AudioReceiver,
    zero: Instant,
    until: MediaInstant,
    pub seen: Seen,
}

impl Viewer {
    /// Offers each 0.5 s. Without RTP for `stall_ms` the speaker is missed: long where that must not happen on a machine that is busy.
    pub async fn start(service: &Service, stall_ms: u64) -> Self {
        Self::start_as(SESSION, service, stall_ms).await
    }

    /// The same with another client id, as a stranger on the channel.
    pub async fn start_as(session: &str, service: &Service, stall_ms: u64) -> Self {
        let variables = [
            ("SESSION_ID", session),
            ("GENERATION", "1"),
            ("WORKERS_TABLE", "W"),
            ("CONNECTIONS_TABLE", "C"),
            ("WEBSOCKET_ENDPOINT", "http://127.0.0.1:1/prod"),
            ("ICE_BIND", "127.0.0.1"),
            ("ICE_PORTS", "43000-43999"),
        ];
        let read = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let config = Config::read(read).unwrap();
        let session = SessionId::try_new(session).unwrap();
        let sdk = service.sdk().await;
        let (sender, events) = mpsc::unbounded_channel();
        let table = Table::new(&sdk, "W".into(), "C".into(), session.clone(), Generation(1));
        let speaker = shell::Speaker::Channel(service.arn.clone());
        let shell = Shell::new(sdk, config, table, speaker, row(&session, &service.arn), sender);
        let mut engine = EngineConfig::new(session, Generation(1), "test");
        engine.timing.offer_retry_ms = 500;
        engine.timing.stall_ms = stall_ms;
        let mut viewer = Self {
            engine: Engine::new(engine, Timestamp(0)),
            shell,
            events,
            receiver: AudioReceiver::new().unwrap(),
            zero: Instant::now(),
            until: MediaInstant(0),
            seen: Seen::default(),
        };
        viewer.feed(Input::Control(control()));
        viewer
    }

    fn now(&self) -> MediaInstant {
        MediaInstant(self.zero.elapsed().as_millis() as u64)
    }

    /// Lives until this is so.
    pub async fn until(&mut self, what: &str, mut done: impl FnMut(&Seen) -> bool) {
        let begin = Instant::now();
        while !done(&self.seen) {
            assert!(begin.elapsed() < PATIENCE, "{what}: not in time; {:?} {:?}", self.seen.facts, self.seen.media);
            self.step().await;
        }
    }

    /// Lives for so long.
    pub async fn live(&mut self, span: Duration) {
        let end = Instant::now() + span;
        self.until("time passes", |_| Instant::now() >= end).await;
    }

    async fn step(&mut self) {
        let due = [Some(self.until), self.receiver.deadline()].into_iter().flatten().min().unwrap();
        // Whoever waits for something else than our events looks every 20 ms.
        let due = (self.zero + Duration::from_millis(due.0)).min(Instant::now() + Duration::from_millis(20));
        tokio::select! {
            Some(event) = self.events.recv() => self.admit(event),
            () = tokio::time::sleep_until(due.into()) => {
                self.hear();
                self.feed(Input::Tick);
            }
        }
    }

    fn admit(&mut self, event: shell::Event) {
        match self.shell.admit(event) {
            None => {}
            Some(Admitted::Input(input)) => self.feed(input),
            Some(Admitted::Rtp(packet)) => {
                self.seen.rtp_at = Some(Instant::now());
                self.receiver.push(&packet, self.now());
                self.hear();
            }
            Some(Admitted::Path(path)) => self.seen.path = Some(path),
            Some(Admitted::Media(_)) => panic!("there is no stream"),
        }
    }

    fn hear(&mut self) {
        let now = self.now();
        while let Some(frame) = self.receiver.poll(now) {
            assert_eq!(frame.start_ms, self.seen.pcm.len() as u64 / 16, "media time has no gap and never runs back");
            self.seen.made_up += if frame.kind == AudioKind::Decoded { 0 } else { frame.pcm.len() };
            self.seen.pcm.extend(&frame.pcm);
            self.feed(Input::Audio(frame));
        }
        self.seen.media = self.receiver.media();
        self.feed(Input::Media(self.seen.media.clone()));
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.engine.handle(input, now);
        loop {
            match self.engine.poll() {
                Output::WriteStatus(write) => {
                    self.seen.row = Some(write.status);
                    self.engine.handle(Input::Control(control()), now);
                }
                Output::ReadAudience => self.engine.handle(Input::Audience(AudienceRows::default()), now),
                Output::MeasureResources => {}
                Output::Log(Fact { event, .. }) => self.seen.facts.push(event),
                output => {
                    if let Flow::Wait(until) = self.execute(output) {
                        self.until = until;
                        return;
                    }
                }
            }
        }
    }

    fn execute(&mut self, output: Output) -> Flow {
        let output = match output {
            Output::SendOffer(sdp) => {
                self.seen.offers.push((Instant::now(), sdp.clone()));
                Output::SendOffer(sdp)
            }
            Output::NewPeer => {
                self.seen.peers += 1;
                output
            }
            Output::RestartIce => {
                self.seen.restarts += 1;
                output
            }
            other => other,
        };
        self.shell.execute(output)
    }

    /// What the row would say.
    pub fn media(&mut self) -> Media {
        self.seen.media = self.receiver.media();
        self.seen.media.clone()
    }

    pub async fn finish(self) {
        self.shell.finish().await;
    }
}

fn control() -> Control {
    Control {
        answers: None,
        generation: Generation(1),
        desired: Desired::Run,
        why: Why::new(Cause::SessionActive, "wanted", Timestamp(0)),
        source_language: Language::try_new("en").unwrap(),
        expires_at: Timestamp(i64::MAX),
        speaker: None,
    }
}

fn row(session: &SessionId, channel: &ChannelArn) -> WorkerRow {
    let none: Option<StreamArn> = None;
    WorkerRow {
        session_id: session.clone(),
        schema: 1,
        revision: 1,
        generation: Generation(1),
        phase: Phase::Launching,
        phase_since: Timestamp(0),
        why: Why::new(Cause::SessionActive, "wanted", Timestamp(0)),
        next_look_at: None,
        intent: Some(Intent {
            desired: Desired::Run,
            channel_arn: Some(channel.clone()),
            stream_arn: none,
            source_language: Language::try_new("en").unwrap(),
            expires_at: Timestamp(i64::MAX),
            decided_at: Timestamp(0),
            wanted_since: None,
            task_definition: None,
            options: Default::default(),
            speaker_connection: None,
        }),
        task: None,
        restarts: Restarts::default(),
        worker: None,
        operator: schemas::operator::Operator::default(),
        published: None,
        channel_deleted_at: None,
    }
}
