//! The one loop: whatever happens goes into the engine, whatever the engine wants goes to the shell.

use crate::begin::{self, Orders};
use crate::config::Config;
use crate::config::options;
use crate::config::settings::Switch;
use crate::ingest::receiver::Notice;
use crate::io::table::{Table, TableError};
use crate::io::{aws, getmedia, metadata, signals};
use crate::media::opus::OpusError;
use crate::shell::{Admitted, Event, Flow, Shell, Speaker, control};
use crate::source::AudioSource;
use schemas::ids::{TaskArn, Timestamp};
use schemas::worker::{Desired, WorkerRow};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use worker_core::config::{CarriedOptions, ModelSetting, Source};
use worker_core::input::{Input, MediaStreamEvent};
use worker_core::output::{MediaStart, Output};
use worker_core::time::MediaInstant;
use worker_core::{Engine, EngineConfig};

/// Between two reports of the media path.
const MEDIA_REPORT: Duration = Duration::from_secs(1);
/// For closing the peer at the end.
const FINISH: Duration = Duration::from_secs(2);

/// Why a worker could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The row cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no Opus decoder.
    #[error(transparent)]
    Opus(#[from] OpusError),
}

/// Runs one session to its end and gives the exit code.
///
/// # Errors
/// [`StartError`] when it cannot even begin; the controller launches another generation then.
pub async fn run(config: Config) -> Result<u8, StartError> {
    let clock = Clock::start();
    let (events, inbox) = mpsc::unbounded_channel();
    // First of all: as the first process of a container this one would not even notice an unhandled SIGTERM.
    watch_signals(events.clone());
    let sdk = aws::load().await;
    let (workers, connections) = (config.workers_table.clone(), config.connections_table.clone());
    let mut table = Table::new(&sdk, workers, connections, config.session.clone(), config.generation);
    let task = own_task(&config).await;
    let (row, speaker) = match begin::orders(&mut table, &config, task.clone(), || clock.wall()).await? {
        Orders::Serve(row, speaker) => (*row, speaker),
        Orders::Leave(code, why) => {
            tracing::warn!(event = "not_started", detail = why, code);
            return Ok(code);
        }
    };
    let mut config = config;
    config.generation = row.generation;
    let notes = options_of(&row, &mut config);
    let mut engine = engine(&config, notes, &speaker, task, &clock);
    if let Some(control) = control(&row, None) {
        engine.handle(Input::Control(control), clock.now());
    }
    let source = AudioSource::of(&speaker)?;
    let shell = Shell::new(sdk, config, table, speaker, row, events);
    Ok(Worker { engine, shell, source, clock }.live(inbox).await)
}

/// What the session asks of its captions; gives what could not be read of it.
fn options_of(row: &WorkerRow, config: &mut Config) -> Vec<String> {
    let Some(intent) = &row.intent else { return Vec::new() };
    let mut notes = options::lay_over(config, &intent.options, &intent.source_language);
    notes.extend(options::reconcile(config, &intent.source_language));
    notes.iter().for_each(|note| tracing::warn!(event = "option_left_out", detail = note));
    notes
}

/// The task that this process runs in, when ECS tells it.
async fn own_task(config: &Config) -> Option<TaskArn> {
    metadata::task_arn(config.metadata_uri.as_ref()?).await
}

fn engine(config: &Config, notes: Vec<String>, speaker: &Speaker, task: Option<TaskArn>, clock: &Clock) -> Engine {
    let version = env!("CARGO_PKG_VERSION");
    let mut engine = EngineConfig::new(config.session.clone(), config.generation, version);
    engine.source = match speaker {
        Speaker::Channel(_) => Source::Channel,
        Speaker::Stream(_) => Source::Stream,
    };
    engine.partials = config.partials;
    engine.emotion = config.emotion;
    engine.model = config.emotion_model.as_ref().map(|file| ModelSetting {
        name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        longest_ms: worker_model::LONGEST_MS,
    });
    engine.agc_on = config.agc == Switch::On;
    engine.audio_quality = config.audio_quality == Switch::On;
    engine.listen = config.listen;
    engine.mask_words = config.mask_words;
    engine.posts_in_flight = config.posts_in_flight;
    engine.translate_characters_per_minute = config.translate_characters_per_minute;
    engine.notes = notes;
    engine.stream_options = if config.options_for_streams() { CarriedOptions::All } else { CarriedOptions::Plain };
    engine.translation_options = if config.terminology.is_some() { CarriedOptions::All } else { CarriedOptions::Plain };
    engine.timing.chunk_ms = config.chunk_ms;
    engine.timing.silence_close_ms = config.silence_close_s.map_or(u64::MAX, |seconds| seconds * 1_000);
    engine.task_arn = task;
    Engine::new(engine, clock.wall_at_zero)
}

fn watch_signals(events: mpsc::UnboundedSender<Event>) {
    tokio::spawn(async move {
        match signals::terminate().await {
            Ok(()) => drop(events.send(Event::Input(Input::Terminate))),
            Err(error) => tracing::warn!(%error, "SIGTERM cannot be heard: a stop will be abrupt"),
        }
    });
}

/// Time since the process began.
#[derive(Debug, Clone, Copy)]
struct Clock {
    zero: Instant,
    wall_at_zero: Timestamp,
}

impl Clock {
    fn start() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall_at_zero = Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX));
        Self { zero: Instant::now(), wall_at_zero }
    }
    /// The time of day.
    fn wall(&self) -> Timestamp {
        self.wall_at_zero.plus_ms(i64::try_from(self.zero.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
    fn now(&self) -> MediaInstant {
        MediaInstant(u64::try_from(self.zero.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
    fn at(&self, instant: MediaInstant) -> tokio::time::Instant {
        (self.zero + Duration::from_millis(instant.0)).into()
    }
}

struct Worker {
    engine: Engine,
    shell: Shell,
    source: AudioSource,
    clock: Clock,
}

impl Worker {
    async fn live(mut self, mut inbox: mpsc::UnboundedReceiver<Event>) -> u8 {
        let mut report = tokio::time::interval(MEDIA_REPORT);
        report.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut next = self.settle();
        loop {
            let until = match next {
                Next::Exit(code) => {
                    if tokio::time::timeout(FINISH, self.shell.finish()).await.is_err() {
                        tracing::warn!(event = "unclean_finish", detail = "the peer connection did not close in time");
                    }
                    return code;
                }
                Next::Wait(until) => self.source.deadline().map_or(until, |at| at.min(until)),
            };
            next = tokio::select! {
                Some(event) = inbox.recv() => self.take(event),
                _ = report.tick(), if self.source.has_begun() => self.report_media(),
                () = tokio::time::sleep_until(self.clock.at(until)) => self.tick(),
            };
        }
    }

    fn take(&mut self, event: Event) -> Next {
        match self.shell.admit(event) {
            None => self.settle(),
            Some(Admitted::Input(input)) => {
                if ends_the_session(&input) {
                    // A fragment comes at once and is heard at the speaker's pace: its rest must not be lost.
                    if let Some(stream) = self.source.stream() {
                        stream.release();
                    }
                    if let exit @ Next::Exit(_) = self.hear() {
                        return exit;
                    }
                }
                self.feed(input)
            }
            Some(Admitted::Rtp(packet)) => {
                if let Some((receiver, _)) = self.source.peer() {
                    receiver.push(&packet, self.clock.now());
                }
                self.hear()
            }
            Some(Admitted::Media(bytes)) => {
                let now = self.clock.now();
                let notices = self.source.stream().map(|stream| stream.push(&bytes, now));
                notices.into_iter().flatten().for_each(|notice| self.notice(notice));
                self.hear()
            }
            Some(Admitted::Path(path)) => {
                if let Some((_, of)) = self.source.peer() {
                    *of = Some(path);
                }
                self.report_media()
            }
        }
    }

    fn tick(&mut self) -> Next {
        match self.hear() {
            Next::Wait(_) => self.feed(Input::Tick),
            exit @ Next::Exit(_) => exit,
        }
    }

    /// Hands over the audio that can be played now.
    fn hear(&mut self) -> Next {
        let now = self.clock.now();
        while let Some(frame) = self.source.poll(now) {
            if let exit @ Next::Exit(_) = self.feed(Input::Audio(frame)) {
                return exit;
            }
        }
        self.settle()
    }

    /// What the stream says of itself besides its audio.
    fn notice(&mut self, notice: Notice) {
        let text = match notice {
            Notice::Error(code) => {
                self.shell.end_media(getmedia::end_of_code(code));
                return;
            }
            Notice::NoAudio(what) => format!("the stream has no audio that can be decoded: {what}"),
            Notice::Skipped(bytes) => format!("{bytes} bytes of the stream were malformed and left out"),
        };
        self.engine.handle(Input::MediaStream(MediaStreamEvent::Notice(text)), self.clock.now());
    }

    fn report_media(&mut self) -> Next {
        self.feed(Input::Media(self.source.media()))
    }

    fn feed(&mut self, input: Input) -> Next {
        self.engine.handle(input, self.clock.now());
        self.settle()
    }

    /// The next connection to the stream begins there.
    fn connect(&mut self, start: MediaStart) {
        let Some(stream) = self.source.stream() else { return };
        match start {
            MediaStart::Now => stream.forget_place(),
            MediaStart::Near => stream.forget_token(),
            MediaStart::Resume => {}
        }
        stream.connected();
        self.shell.begin_at(stream.start());
    }

    /// Does what the engine wants until it wants nothing more.
    fn settle(&mut self) -> Next {
        loop {
            let output = self.engine.poll();
            if let Output::OpenMedia(start) = output {
                self.connect(start);
            }
            match self.shell.execute(output) {
                Flow::Continue => {}
                Flow::Wait(until) => return Next::Wait(until),
                Flow::Exit(code) => return Next::Exit(code),
            }
        }
    }
}

/// Whether nothing that comes later is captioned.
fn ends_the_session(input: &Input) -> bool {
    match input {
        Input::Terminate => true,
        // One that leaves at a silence still has words to come.
        Input::Control(control) => match control.desired {
            Desired::Stop => true,
            Desired::HandOver { leave_by } => leave_by.is_none(),
            Desired::Run | Desired::Pause => false,
        },
        Input::Tick
        | Input::ControlFailed(..)
        | Input::LeaseLost
        | Input::Audience(_)
        | Input::AudienceFailed(_)
        | Input::Signaling(_)
        | Input::Peer(_)
        | Input::MediaStream(_)
        | Input::Audio(_)
        | Input::Media(_)
        | Input::Transcribe(..)
        | Input::Translated(..)
        | Input::Posted(..)
        | Input::Judged(..)
        | Input::ModelEnded(_)
        | Input::Resources { .. } => false,
    }
}

/// How the loop goes on.
enum Next {
    Wait(MediaInstant),
    Exit(u8),
}
