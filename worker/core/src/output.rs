//! Everything that a worker can want of its shell.

use crate::config::CarriedOptions;
use crate::input::{PostId, StreamId, TranslationId, UtteranceId, WriteId};
use crate::time::MediaInstant;
use schemas::ids::{ConnectionId, Language, Timestamp};
use schemas::reason::Why;
use schemas::worker::{Phase, WorkerStatus};

/// One thing to do. [`Output::Wait`] says that there is nothing more for now.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open the signaling channel as viewer (a fresh presigned URL).
    OpenSignaling,
    /// Close it.
    CloseSignaling,
    /// Drop the peer connection if there is one, fetch fresh ICE servers, make a new one and gather;
    /// [`crate::input::PeerEvent::OfferReady`] follows.
    NewPeer,
    /// Restart ICE on the peer connection that there is; [`crate::input::PeerEvent::OfferReady`] follows.
    RestartIce,
    /// Close the peer connection.
    ClosePeer,
    /// Send this offer over signaling.
    SendOffer(String),
    /// Give the peer connection the master's answer.
    ApplyAnswer(String),
    /// Give the peer connection a candidate of the master.
    AddCandidate(String),
    /// Read the KVS stream; [`crate::input::MediaStreamEvent::Opened`] and audio follow.
    OpenMedia(MediaStart),
    /// Stop reading it, and forget whatever the connection might still say.
    CloseMedia,
    /// Open a transcription stream.
    OpenStream {
        /// Its name.
        id: StreamId,
        /// The speaker's language.
        language: Language,
        /// With which of the session's options.
        options: CarriedOptions,
    },
    /// Send audio, at most one second of it.
    SendAudio {
        /// To which stream.
        id: StreamId,
        /// 16 kHz mono.
        pcm: Vec<i16>,
    },
    /// End the stream's audio; its last results still come.
    EndStream(StreamId),
    /// Forget the stream and whatever it might still say.
    DropStream(StreamId),
    /// Translate.
    Translate {
        /// Names the answer.
        id: TranslationId,
        /// What to translate.
        text: String,
        /// From.
        from: Language,
        /// To.
        to: Language,
        /// With which of the session's options.
        options: CarriedOptions,
    },
    /// Post to a connection.
    Post {
        /// Names the outcome.
        id: PostId,
        /// To whom.
        connection: ConnectionId,
        /// JSON.
        data: String,
    },
    /// Read the listeners.
    ReadAudience,
    /// The connection answered 410: delete its row, unless it was written anew since.
    ForgetListener {
        /// Whose row.
        connection: ConnectionId,
        /// The row's `connectedAt` as it was read.
        connected_at: Option<Timestamp>,
    },
    /// Write our section of the row (conditional on the generation) and read the controller's.
    WriteStatus(Box<StatusWrite>),
    /// Ask the user's model about an utterance; [`crate::input::Input::Judged`] follows. Never while it is still asked about another.
    Judge {
        /// Names the answer.
        id: UtteranceId,
        /// 16 kHz mono, at most [`crate::config::ModelSetting::longest_ms`].
        pcm: Vec<i16>,
    },
    /// Let go of the user's model: it will not be asked any more.
    DropModel,
    /// Measure the process; [`crate::input::Input::Resources`] follows.
    MeasureResources,
    /// A fact for the log, one line.
    Log(Fact),
    /// End the process with this code. Nothing follows.
    Exit {
        /// 0 when the session ended as it should.
        code: u8,
        /// Why.
        why: Why,
    },
    /// Nothing to do until then, unless something happens.
    Wait(MediaInstant),
}

/// Where reading a KVS stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaStart {
    /// At the newest fragment.
    Now,
    /// Where the last connection left off.
    Resume,
    /// At the fragment that was read last, by its time: the service does not know the place itself any more.
    Near,
}

/// One write of our section.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusWrite {
    /// Names the answer.
    pub id: WriteId,
    /// The phase that the worker sees; the shell does not write it over Draining, Stopped or Failed, save that
    /// Stopped may follow Draining.
    pub phase: Phase,
    /// Why, when the phase is new.
    pub why: Option<Why>,
    /// The section.
    pub status: WorkerStatus,
    /// How long the row has not been written when this is, ms; for the metrics.
    pub unwritten_ms: u64,
}

/// A fact for the log: what a user would notice at INFO, what would wake somebody at WARN.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Whether somebody should look.
    pub warn: bool,
    /// What happened, as a short constant (`joined`, `first_audio`, `stream_reopened` …).
    pub event: &'static str,
    /// Particulars. Never caption text, connection ids or user ids.
    pub detail: String,
}
