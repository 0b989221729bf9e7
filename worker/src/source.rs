//! Where audio comes from: RTP packets of a peer, or the bytes of a KVS stream. One session has one of them.

use crate::ingest::StreamReceiver;
use crate::io::peer::Path;
use crate::media::AudioReceiver;
use crate::media::opus::OpusError;
use crate::shell::Speaker;
use schemas::worker::Media;
use worker_core::input::AudioFrame;
use worker_core::time::MediaInstant;

/// The audio of one session, in frames at the pace of speech.
#[derive(Debug)]
pub enum AudioSource {
    /// A peer's packets, and by which path they come.
    Peer(Box<AudioReceiver>, Option<Path>),
    /// What GetMedia sends.
    Stream(Box<StreamReceiver>),
}

impl AudioSource {
    /// The source of this speaker; nothing has been heard yet.
    ///
    /// # Errors
    /// [`OpusError`] when there is no Opus decoder.
    pub fn of(speaker: &Speaker) -> Result<Self, OpusError> {
        Ok(match speaker {
            Speaker::Channel(_) => Self::Peer(Box::new(AudioReceiver::new()?), None),
            Speaker::Stream(_) => Self::Stream(Box::default()),
        })
    }

    /// The frame whose moment has come.
    pub fn poll(&mut self, now: MediaInstant) -> Option<AudioFrame> {
        match self {
            Self::Peer(receiver, _) => receiver.poll(now),
            Self::Stream(stream) => stream.poll(now),
        }
    }

    /// When the next frame's moment comes, although nothing arrives.
    #[must_use]
    pub fn deadline(&self) -> Option<MediaInstant> {
        match self {
            Self::Peer(receiver, _) => receiver.deadline(),
            Self::Stream(stream) => stream.deadline(),
        }
    }

    /// Whether anything has been heard.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        match self {
            Self::Peer(receiver, _) => receiver.counts().packets > 0,
            Self::Stream(stream) => stream.frames() > 0,
        }
    }

    /// The state of the media path.
    #[must_use]
    pub fn media(&self) -> Media {
        match self {
            Self::Peer(receiver, path) => Media {
                candidate_type: path.as_ref().map(|path| path.candidate_type.clone()),
                remote_candidate_type: path.as_ref().map(|path| path.remote_candidate_type.clone()),
                round_trip_ms: path.as_ref().and_then(|path| path.round_trip_ms),
                ..receiver.media()
            },
            Self::Stream(stream) => stream.media(),
        }
    }

    /// The receiver of packets; `None` of a session on a KVS stream.
    pub fn peer(&mut self) -> Option<(&mut AudioReceiver, &mut Option<Path>)> {
        match self {
            Self::Peer(receiver, path) => Some((receiver, path)),
            Self::Stream(_) => None,
        }
    }

    /// The receiver of a KVS stream; `None` of a session on a signaling channel.
    pub fn stream(&mut self) -> Option<&mut StreamReceiver> {
        match self {
            Self::Peer(..) => None,
            Self::Stream(stream) => Some(stream),
        }
    }
}
