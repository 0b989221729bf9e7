//! Everything that can happen to a worker. The shell reports; it never decides.

use crate::time::MediaInstant;
use schemas::ids::{ConnectionId, Generation, Language, Timestamp};
use schemas::session::ListenerRow;
use schemas::worker::{Desired, Media};
use worker_emotion::Affect;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Time has passed; nothing else.
    Tick,
    /// The platform asks the process to end (SIGTERM): at most two minutes remain.
    Terminate,
    /// Our row was read or written: what it says now.
    Control(Control),
    /// This write of our row failed.
    ControlFailed(WriteId, RowFailure),
    /// Another generation owns the session (a conditional write was refused).
    LeaseLost,
    /// The listeners, read anew and completely, and the speaker's connections that were found beside them.
    Audience(AudienceRows),
    /// The listeners could not be read this time; the last list stands.
    AudienceFailed(String),
    /// From the signaling channel.
    Signaling(SignalingEvent),
    /// From the peer connection.
    Peer(PeerEvent),
    /// From the connection that reads the KVS stream.
    MediaStream(MediaStreamEvent),
    /// The next stretch of audio, in order and without a gap.
    Audio(AudioFrame),
    /// The state of the media path.
    Media(Media),
    /// From a transcription stream.
    Transcribe(StreamId, TranscribeEvent),
    /// The answer of a translation.
    Translated(TranslationId, Result<String, TranslateFailure>),
    /// The outcome of a post.
    Posted(PostId, PostOutcome),
    /// What the user's model says of an utterance, or why it says nothing.
    Judged(UtteranceId, Result<Affect, String>),
    /// The user's model is gone: it could not be loaded, or what ran it has ended.
    ModelEnded(String),
    /// Processor time and memory of this process.
    Resources {
        /// Processor time so far, ms.
        cpu_ms: u64,
        /// Highest resident memory, bytes.
        peak_memory_bytes: u64,
    },
}

/// One read of the index of the session's connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudienceRows {
    /// All listeners.
    pub listeners: Vec<ListenerRow>,
    /// Connections of the speaker; most stand in no index.
    pub speakers: Vec<ConnectionId>,
}

impl From<Vec<ListenerRow>> for AudienceRows {
    fn from(listeners: Vec<ListenerRow>) -> Self {
        Self { listeners, speakers: Vec::new() }
    }
}

/// Why our row was not written this time, by what it says of the session. That another generation holds it is none of these:
/// [`Input::LeaseLost`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFailure {
    /// The table does not answer: a time-out, a fault of the service or of the network, throttling. Nothing is known of the session.
    Outage(String),
    /// The table answers, and the row cannot be written all the same: a missing right, a row that cannot be read.
    Refused(String),
}

impl std::fmt::Display for RowFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Outage(detail) | Self::Refused(detail) => f.write_str(detail),
        }
    }
}

/// The controller's part of our row, and the fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The write that it answers; `None` of a row that was only read.
    pub answers: Option<WriteId>,
    /// The generation that the row speaks of.
    pub generation: Generation,
    /// What is wanted.
    pub desired: Desired,
    /// Why, when the controller wants it to leave.
    pub why: schemas::reason::Why,
    /// The speaker's language now.
    pub source_language: Language,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
    /// The speaker's own connection, where the session's row names it.
    pub speaker: Option<ConnectionId>,
}

/// From the signaling channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalingEvent {
    /// The WebSocket is open.
    Connected,
    /// It could not be opened, or it ended.
    Closed {
        /// What was seen, for the log and the row.
        detail: String,
        /// True when the service says that the channel does not exist.
        gone: bool,
    },
    /// The master answered our offer with this SDP.
    Answer(String),
    /// A candidate of the master, as the JSON that came.
    Candidate(String),
    /// The service will close this connection within a minute.
    GoAway,
    /// The relay is going away: fetch new servers before the next offer.
    ReconnectIceServer,
    /// A message of ours was refused.
    Refused(String),
}

/// From the peer connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// Gathering is complete; this is the whole offer.
    OfferReady(String),
    /// ICE and DTLS are up.
    Connected,
    /// ICE lost its pair; it may come back by itself.
    Disconnected,
    /// The connection is lost for good.
    Failed(String),
    /// It cannot be made here, or not with what the speaker answered: why, and what helps. No network is to blame for it.
    Unable(String),
}

/// From the connection that reads the KVS stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaStreamEvent {
    /// The service accepted it; fragments follow when there are any.
    Opened,
    /// Something that an operator should know of the stream; the connection goes on.
    Notice(String),
    /// It could not be opened, or it ended.
    Closed(MediaStreamEnd),
}

/// How a connection to a KVS stream ended, by what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaStreamEnd {
    /// The service ended it, which it does now and then.
    Clean,
    /// The stream does not exist.
    Gone(String),
    /// Too many openings or connections: wait.
    Busy(String),
    /// Missing rights or a key that cannot be used: somebody must change that.
    Refused(String),
    /// The place to go on from is not known any more.
    PlaceLost(String),
    /// A fault of the service or the network.
    Fault(String),
}

/// How a stretch of audio came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioKind {
    /// Decoded from a packet (or its redundant copy).
    Decoded,
    /// Made up by the decoder for a lost packet.
    Concealed,
    /// Silence that fills a gap in RTP.
    Filled,
}

/// 16 kHz mono audio. Frames join without gap or overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFrame {
    /// Begin in media time, ms since the first packet of the session.
    pub start_ms: u64,
    /// Samples at 16 kHz.
    pub pcm: Vec<i16>,
    /// How it came about.
    pub kind: AudioKind,
}

/// Names one write of our row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WriteId(pub u64);
/// Names one transcription stream of this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);
/// Names one translation request of this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TranslationId(pub u64);
/// Names one utterance that the user's model is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub u64);
/// Names one post of this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostId(pub u64);

/// From a transcription stream.
#[derive(Debug, Clone, PartialEq)]
pub enum TranscribeEvent {
    /// The service accepted the stream.
    Opened,
    /// Words.
    Result(TranscriptResult),
    /// The result stream ended, cleanly or not. Never the end of the session.
    Closed(StreamEnd),
}

/// How a transcription stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// Without an error.
    Clean,
    /// The stream quota or the longest duration was reached.
    LimitExceeded(String),
    /// Too many calls at once: there may be room, and the next try tells.
    Throttled(String),
    /// The service refuses these parameters; a retry does not help.
    Refused(String),
    /// No audio came for 15 s.
    Idle(String),
    /// A fault of the service or the network.
    Fault(String),
}

/// One result of Transcribe. Times are seconds from the begin of its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptResult {
    /// The same through all partials and the final of a segment; not unique across streams.
    pub result_id: String,
    /// Begin, seconds.
    pub start: f64,
    /// End, seconds.
    pub end: f64,
    /// Whether more of it will come.
    pub is_partial: bool,
    /// The language that was found, where the stream identifies it.
    pub language: Option<Language>,
    /// The text as the service writes it; empty where it gives none.
    pub transcript: String,
    /// The words and punctuation.
    pub items: Vec<TranscriptItem>,
}

/// A word or a punctuation mark.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptItem {
    /// As written.
    pub content: String,
    /// A mark joins the word before it.
    pub punctuation: bool,
    /// Begin, seconds.
    pub start: f64,
    /// End, seconds.
    pub end: f64,
    /// Will not change any more.
    pub stable: bool,
}

/// Why a translation failed, by what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranslateFailure {
    /// Try later.
    Throttled,
    /// Try again.
    Unavailable(String),
    /// The service does not translate from the one language into the other.
    UnsupportedPair,
    /// The terminology does not exist.
    UnknownTerminology,
    /// The text or the settings cannot be translated, or a right is missing.
    Refused(String),
}

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostOutcome {
    /// Accepted.
    Delivered,
    /// 410: the connection is gone, or not yet there.
    Gone,
    /// 429: the rate, or this client's buffer, is full.
    Throttled,
    /// Anything else.
    Failed(String),
}

/// A moment and what happened then, as the loop hands it over.
pub type Timed = (MediaInstant, Input);
