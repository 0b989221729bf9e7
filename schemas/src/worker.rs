//! Our own row: one per session in `SessionWorkers-{env}`, and one kept per generation.
//!
//! Ownership: the controller writes `intent`, `task`, `restarts` and the phases Queued, Launching, Draining, Stopped,
//! Failed; the worker of the current generation writes `worker` and the phases Joining, WaitingForSpeaker, Live,
//! Paused, Stopped; `sessionctl` alone writes `operator`; `published` is the controller's own note, which locks nothing. One write is
//! of both: a worker that ECS has started again within its task takes the next generation as the controller would, with `restarts`
//! counted and the revision raised. Each write is conditional, so that none can undo another's later word.

use crate::forward;
use crate::ids::{ChannelArn, ConnectionId, Generation, Language, SessionId, StreamArn, TaskArn, Timestamp};
use crate::lifecycle::Published;
use crate::operator::Operator;
use crate::reason::{Cause, Why};
use crate::session::CaptionOptions;
use crate::voice::{AudioQuality, ModelStatus, Voice};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Where a session's worker is in its life. A word of a newer release is read as [`Phase::Joining`]: a worker may be at work, and its heartbeat
/// decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub enum Phase {
    /// Wanted, but waiting for capacity or a backoff.
    Queued,
    /// The intent is written; the task is being started.
    Launching,
    /// The worker runs and joins the channel.
    Joining,
    /// Joined; no audio yet.
    WaitingForSpeaker,
    /// Audio flows.
    Live,
    /// The session is paused: the worker stays, nothing is transcribed.
    Paused,
    /// The worker was asked to end and flushes the last words.
    Draining,
    /// Ended as asked.
    Stopped,
    /// Ended by a fault that is not retried.
    Failed,
}

forward::reads!(Phase, Joining);

impl Phase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Launching,
        Self::Joining,
        Self::WaitingForSpeaker,
        Self::Live,
        Self::Paused,
        Self::Draining,
        Self::Stopped,
        Self::Failed,
    ];

    /// Whether nothing more happens in this run.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Stopped | Self::Failed => true,
            Self::Queued
            | Self::Launching
            | Self::Joining
            | Self::WaitingForSpeaker
            | Self::Live
            | Self::Paused
            | Self::Draining => false,
        }
    }
}

/// What the controller wants of the worker; the worker reads it with every heartbeat. A word of a newer release is read as [`Desired::Run`]: nobody
/// ends by a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Wanted", into = "Wanted")]
#[schemars(with = "Wanted")]
pub enum Desired {
    /// Transcribe and deliver.
    Run,
    /// Stay connected, transcribe nothing.
    Pause,
    /// The session is over: flush the last words, tell the listeners so, exit 0.
    Stop,
    /// The session goes on with the next generation: flush the last words, tell the listeners that captions move, exit 143.
    HandOver {
        /// At the speaker's next silence, and by this moment at the latest; `None`: at once.
        leave_by: Option<Timestamp>,
    },
}

impl Desired {
    /// Whether the worker is to leave, for whichever reason.
    #[must_use]
    pub fn is_to_leave(self) -> bool {
        match self {
            Self::Stop | Self::HandOver { .. } => true,
            Self::Run | Self::Pause => false,
        }
    }
}

/// What the controller wants of the worker, in a word; the worker reads it with every heartbeat. A word of a newer release is read as `run`: nobody
/// ends by a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[schemars(rename = "Desired")]
enum Word {
    /// Transcribe and deliver.
    Run,
    /// Stay connected, transcribe nothing.
    Pause,
    /// The session is over: flush the last words, tell the listeners so, exit 0.
    Stop,
    /// The session goes on with the next generation: flush the last words, tell the listeners that captions move, exit 143.
    HandOver,
}

forward::reads!(Word, Run);

/// [`Desired`] as it stands in the row: a word, and beside it what belongs to one of the words.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    /// What the worker shall do.
    desired: Word,
    /// Of a handover: the worker leaves at the speaker's next silence, and by this moment at the latest. Absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leave_by: Option<Timestamp>,
}

impl From<Wanted> for Desired {
    fn from(wanted: Wanted) -> Self {
        match (wanted.desired, wanted.leave_by) {
            (Word::Run, _) => Self::Run,
            (Word::Pause, _) => Self::Pause,
            (Word::Stop, None) => Self::Stop,
            // Of an older release, which gave only a worker that hands over the time for a silence.
            (Word::Stop, by @ Some(_)) | (Word::HandOver, by) => Self::HandOver { leave_by: by },
        }
    }
}

impl From<Desired> for Wanted {
    fn from(desired: Desired) -> Self {
        let word = |desired| Self { desired, leave_by: None };
        match desired {
            Desired::Run => word(Word::Run),
            Desired::Pause => word(Word::Pause),
            Desired::Stop => word(Word::Stop),
            Desired::HandOver { leave_by } => Self { desired: Word::HandOver, leave_by },
        }
    }
}

/// What the controller decided, written before it acts. Every RunTask parameter is derived from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// What the worker shall do.
    #[serde(flatten)]
    pub desired: Desired,
    /// The signaling channel of this run; together with the session id it identifies the run.
    pub channel_arn: Option<ChannelArn>,
    /// The stream of this run, for sessions that are consumed by GetMedia.
    pub stream_arn: Option<StreamArn>,
    /// The speaker's language.
    pub source_language: Language,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
    /// When this generation was decided.
    pub decided_at: Timestamp,
    /// Since when this run has been wanted: the same for all of its generations.
    pub wanted_since: Option<Timestamp>,
    /// The task definition (ARN with revision) that this generation is launched from; absent in rows of older controllers.
    pub task_definition: Option<String>,
    /// What this session asks of its captions, where it differs from its environment; a worker reads it when it begins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: CaptionOptions,
    /// The speaker's own connection, where the session's row names it: for notices, best effort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker_connection: Option<ConnectionId>,
}

/// Exit code of a worker that cannot begin: its row cannot be read, or names nobody to hear.
pub const EXIT_NOT_STARTED: u8 = 1;
/// Exit code of a worker whose configuration is wrong.
pub const EXIT_MISCONFIGURED: u8 = 2;
/// Exit code of a worker that found that it no longer holds the session.
pub const EXIT_LEASE_LOST: u8 = 3;
/// Exit code of a worker that the platform interrupted: 128 + SIGTERM, as a shell would say it.
pub const EXIT_INTERRUPTED: u8 = 143;
/// Every exit code that a worker chooses itself. ECS ends the task with it; any other end of the process is a crash, after which ECS
/// may start the container again within the same task.
pub const CHOSEN_EXITS: [u8; 5] = [0, EXIT_NOT_STARTED, EXIT_MISCONFIGURED, EXIT_LEASE_LOST, EXIT_INTERRUPTED];

/// Failures in a row after which a session is given up: launches that fail, and workers that crash.
pub const RESTART_BUDGET: u32 = 5;
/// A worker that served for so long was healthy: its end is the first failure of a new count, ms.
pub const HEALTHY_AFTER_MS: i64 = 300_000;

/// What ECS last said of the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskFacts {
    /// The task.
    pub arn: TaskArn,
    /// ECS `lastStatus`, as ECS spells it.
    pub last_status: String,
    /// When RunTask answered.
    pub launched_at: Timestamp,
    /// When ECS saw the container start.
    pub started_at: Option<Timestamp>,
    /// When the task was STOPPED.
    pub stopped_at: Option<Timestamp>,
    /// ECS `stopCode`.
    pub stop_code: Option<String>,
    /// ECS `stoppedReason`.
    pub stopped_reason: Option<String>,
    /// Exit code of the worker's container.
    pub exit_code: Option<i32>,
}

/// Failures in a row: launches that did not lead to a healthy worker, and crashes, also those that ECS mended within the task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restarts {
    /// How many, since the last healthy stretch.
    pub consecutive: u32,
    /// No launch before this.
    pub not_before: Option<Timestamp>,
    /// Why the last generation ended.
    pub last: Option<Why>,
}

/// When each step of a start-up was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartUp {
    /// The worker process began.
    pub process_at: Option<Timestamp>,
    /// The signaling channel was joined.
    pub joined_at: Option<Timestamp>,
    /// The first RTP packet came.
    pub first_audio_at: Option<Timestamp>,
    /// The first caption was posted.
    pub first_caption_at: Option<Timestamp>,
}

/// When each stage last moved. Health is progress, not heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Last RTP packet.
    pub rtp_at: Option<Timestamp>,
    /// Last speech in the audio.
    pub speech_at: Option<Timestamp>,
    /// Last transcript event.
    pub transcript_at: Option<Timestamp>,
    /// Last translation.
    pub translation_at: Option<Timestamp>,
    /// Last post that a listener's connection accepted.
    pub delivery_at: Option<Timestamp>,
    /// What waits for its next stage.
    #[serde(default)]
    pub waiting: Waiting,
    /// Since when audio sounds in which nobody is heard to speak, so that no stream is open but for trials; absent while one is, and in
    /// digital silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_since: Option<Timestamp>,
}

/// Since when something waits for the stage that should take it up; absent while nothing does. A long silence is no wait.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Speech without a transcript event since.
    pub speech_since: Option<Timestamp>,
    /// Transcripts without a translation since, while somebody listens in another language.
    pub transcript_since: Option<Timestamp>,
    /// Transcripts without a delivery since, while somebody listens.
    pub caption_since: Option<Timestamp>,
}

/// Where the connection to the speaker's browser stands. A word of a newer release is read as if it were absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MediaState {
    /// The worker looks for its own addresses and relays.
    Gathering,
    /// Its offer waits for the speaker's answer, and is repeated.
    Offering,
    /// The speaker has answered; a path is being looked for.
    Connecting,
    /// A path is there.
    Connected,
    /// Packets stopped; another path is being looked for on the same connection.
    Restarting,
    /// It failed and begins anew in a moment.
    Failed,
}

/// State of the media path.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// Where the connection stands; absent before the first, and on a KVS stream.
    #[serde(default, deserialize_with = "forward::known")]
    pub state: Option<MediaState>,
    /// Type of the chosen local ICE candidate (`host`, `srflx`, `prflx`, `relay`).
    pub candidate_type: Option<String>,
    /// Type of the speaker's candidate in the same pair; `prflx` when it was learned from a check, as with a browser whose candidates never arrive.
    #[serde(default)]
    pub remote_candidate_type: Option<String>,
    /// RTP packets received.
    pub packets: u64,
    /// RTP packets lost.
    pub lost: u64,
    /// Interarrival jitter, ms.
    pub jitter_ms: f64,
    /// Audio that had to be made up (concealed or silent), ms.
    pub concealed_ms: u64,
    /// Media time, ms since the first packet.
    pub media_ms: u64,
    /// Of the lost packets: heard all the same from the copy in a RED packet (RFC 2198).
    #[serde(default)]
    pub red_recovered: u64,
    /// Of the lost packets: heard all the same from the copy that Opus keeps in the next one (in-band FEC).
    #[serde(default)]
    pub fec_recovered: u64,
    /// Packets that came after their time; they are among the lost.
    #[serde(default)]
    pub late: u64,
    /// Packets that came twice.
    #[serde(default)]
    pub duplicates: u64,
    /// Of the audio that had to be made up: silence, because the gap was too long to be concealed, ms.
    #[serde(default)]
    pub silent_ms: u64,
    /// Round trip on the pair of candidates that carries the audio, ms; absent before it was measured.
    #[serde(default)]
    pub round_trip_ms: Option<f64>,
    /// RTP payload over the last second, bits per second.
    #[serde(default)]
    pub bitrate: u64,
    /// How long packets waited for others lately, ms: what order costs in delay.
    #[serde(default)]
    pub buffer_ms: f64,
    /// How far the speaker's RTP clock has fallen behind the wall clock since its stream began, ms; negative when it is ahead.
    #[serde(default)]
    pub clock_drift_ms: f64,
    /// Peer connections that were made.
    #[serde(default)]
    pub peers: u32,
    /// ICE restarts that were tried.
    #[serde(default)]
    pub ice_restarts: u32,
    /// Times that the audio went to somebody else: another viewer of the channel, or a second tab of the speaker.
    #[serde(default)]
    pub stolen: u32,
}

/// One language that somebody listens to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LanguageStatus {
    /// Listeners now.
    pub listeners: u32,
    /// Cursor of the last final caption; cursors begin at 1 and have no gap.
    pub last_cursor: u64,
    /// Median of spoken → posted over the last captions, ms.
    pub lag_p50_ms: Option<u64>,
    /// 95th percentile of the same, ms.
    pub lag_p95_ms: Option<u64>,
    /// Normalised erasure (Arivazhagan et al. 2020): words retracted per final word.
    pub erasure: Option<f64>,
}

/// What the session has used, to be paid for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Audio sent to Transcribe, ms.
    pub transcribed_ms: u64,
    /// Streams opened at Transcribe (each costs 15 s at least).
    pub transcribe_streams: u64,
    /// Source characters sent to Translate.
    pub translated_characters: u64,
    /// Calls of TranslateText.
    pub translations: u64,
    /// Messages posted to connections.
    pub posts: u64,
    /// Posts that failed for good.
    pub posts_failed: u64,
}

/// How much of the service the listeners get now. A word of a newer release is read as [`Rung::Paused`]: the least is expected of such a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum Rung {
    /// Partials and finals, translated.
    #[default]
    Full,
    /// Finals only.
    FinalsOnly,
    /// The original without translation.
    OriginalOnly,
    /// No captions for now.
    Paused,
}

forward::reads!(Rung, Paused);

/// Why listeners get less than everything. A word of a newer release is read as if it were absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RungCause {
    /// No transcription stream is open although one is wanted.
    TranscriptionInterrupted,
    /// Translation into a language fails again and again.
    TranslationFails,
    /// Translate asks to slow down.
    TranslationThrottled,
    /// The session's budget of characters is spent, or nearly.
    BudgetSpent,
    /// Most listeners cannot take the posts: the rate of the account is spent, or their networks are slow.
    PostsThrottled,
    /// The session moves to another worker.
    Handover,
}

/// The worker's own section of the row, written whole with every heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// Version of the worker binary.
    pub version: String,
    /// The task that the worker runs in, when ECS tells it.
    pub task_arn: Option<TaskArn>,
    /// When this section was written.
    pub heartbeat_at: Timestamp,
    /// The start-up.
    pub start_up: StartUp,
    /// The stages.
    pub progress: Progress,
    /// The media path.
    pub media: Media,
    /// Per language that somebody listens to.
    #[serde(deserialize_with = "forward::known_of_map")]
    pub languages: BTreeMap<Language, LanguageStatus>,
    /// What was used.
    pub usage: Usage,
    /// How much of the service is given.
    pub rung: Rung,
    /// What keeps the worker from giving all of it, such as an AWS limit; absent when nothing does.
    pub trouble: Option<Why>,
    /// Options that are not fulfilled, a sentence each: an option that cannot be read, a vocabulary that does not exist, a
    /// language that cannot be translated. The session runs without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How the speaker sounded last; absent before there was speech, or when the mode is `off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// The quality of the speaker's audio; absent before there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_quality: Option<AudioQuality>,
    /// The model of the voice that whoever runs the service has added; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_model: Option<ModelStatus>,
    /// Processor time of the process so far, ms.
    pub cpu_ms: u64,
    /// Highest resident memory of the process, bytes.
    pub peak_memory_bytes: u64,
}

/// The row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct WorkerRow {
    /// The session.
    pub session_id: SessionId,
    /// Version of this format: 1.
    pub schema: u32,
    /// Rises with each of the controller's writes and with each claim of a restarted worker: the optimistic lock of both.
    pub revision: u64,
    /// The worker that this row speaks of: a launch, or a process that was started again within the task of one.
    pub generation: Generation,
    /// Where the session is.
    pub phase: Phase,
    /// Since when.
    pub phase_since: Timestamp,
    /// Why.
    pub why: Why,
    /// When somebody must look again; absent in a final phase.
    pub next_look_at: Option<Timestamp>,
    /// What the controller decided; absent when the row could never be served.
    pub intent: Option<Intent>,
    /// What ECS said.
    pub task: Option<TaskFacts>,
    /// Failures in a row.
    #[serde(default)]
    pub restarts: Restarts,
    /// What the worker says.
    pub worker: Option<WorkerStatus>,
    /// What operators have ordered.
    #[serde(default)]
    pub operator: Operator,
    /// What the bus has been told.
    pub published: Option<Published>,
    /// When the signaling channel of the ended run was deleted.
    pub channel_deleted_at: Option<Timestamp>,
}

impl Serialize for WorkerRow {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for WorkerRow {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::deserialize(from).map(Self::with_handovers_of_older_releases)
    }
}

impl WorkerRow {
    /// An older release has no word for a handover: it says `stop`, and by the cause that the session goes on.
    fn with_handovers_of_older_releases(mut self) -> Self {
        let hands_over = matches!(self.why.cause, Cause::Handover | Cause::StageStuck);
        if let Some(intent) = self.intent.as_mut().filter(|_| self.phase == Phase::Draining && hands_over)
            && intent.desired == Desired::Stop
        {
            intent.desired = Desired::HandOver { leave_by: None };
        }
        self
    }

    /// Whether this generation's worker served long enough (ms) to be called healthy.
    #[must_use]
    pub fn was_healthy(&self, healthy_after_ms: i64) -> bool {
        let Some(worker) = &self.worker else { return false };
        let began = worker.start_up.process_at.or(self.intent.as_ref().map(|intent| intent.decided_at));
        began.is_some_and(|began| worker.heartbeat_at.since(began) >= healthy_after_ms)
    }

    /// Whether the row names this task as the one that its worker runs in.
    #[must_use]
    pub fn names(&self, task: &TaskArn) -> bool {
        self.task.as_ref().is_some_and(|facts| facts.arn == *task)
    }
}

/// One phase that a generation went through: the row itself knows only the last one. Whoever writes a phase leaves its step
/// beside the row, under [`crate::table::workers::step`], for people; nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The generation.
    pub generation: Generation,
    /// The phase.
    pub phase: Phase,
    /// When it began, or when its reason became another.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
}

impl Step {
    /// The step that a write made: `before` is the row that it replaced. `None` when phase and cause stayed as they were.
    #[must_use]
    pub fn between(before: Option<&WorkerRow>, after: &WorkerRow) -> Option<Self> {
        let told = |row: &WorkerRow| (row.generation, row.phase, row.why.cause);
        if before.map(told) == Some(told(after)) {
            return None;
        }
        let at = after.phase_since.max(after.why.at);
        Some(Self { generation: after.generation, phase: after.phase, at, why: after.why.clone() })
    }
}
