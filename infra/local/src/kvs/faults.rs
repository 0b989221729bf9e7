//! How to break it: `POST /_local/faults`.
//!
//! | body | effect |
//! |---|---|
//! | `{"cut": "clean"}`, `{"cut": "unclean", "of": "master"}` | sockets end with or without a close frame; `of`: `all` (default), `master`, `viewers` |
//! | `{"go_away": true}` | `GO_AWAY` to all; they are closed after the grace period |
//! | `{"reconnect_ice_server": true}` | `RECONNECT_ICE_SERVER` to all |
//! | `{"swallow": 2}` | on every channel, the next two messages to the master vanish |
//! | `{"refuse_messages": 2}` | the next two messages of viewers fail: `STATUS_RESPONSE` |
//! | `{"double_answers": 2}` | the next two answers reach their viewer twice |
//! | `{"stale_answers": 2}` | before each of the next two answers, the viewer gets its last one once more |
//! | `{"candidates_first": 1}` | the next answer waits until a candidate of the master has overtaken it |
//! | `{"noise": true}` | viewers get an unknown type, a text that is no message, one that is too large, and bytes |
//! | `{"refuse": {"exception": "ClientLimitExceededException", "times": 3}}` | the next three calls and connects fail |
//! | `{"latency_ms": 200}` | control calls take so much longer, until it is set again |
//!
//! `GET` tells what is set, the channels, and who is connected.

use serde::{Deserialize, Serialize};

/// What is to be broken.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Sockets to end now.
    pub cut: Option<Cut>,
    /// Whose.
    pub of: Of,
    /// Announce the end of all connections.
    pub go_away: bool,
    /// Announce new ICE servers.
    pub reconnect_ice_server: bool,
    /// Messages to masters that vanish.
    pub swallow: Option<u32>,
    /// Messages of viewers that fail.
    pub refuse_messages: Option<u32>,
    /// Answers that are delivered twice.
    pub double_answers: Option<u32>,
    /// Answers that come behind the one before them.
    pub stale_answers: Option<u32>,
    /// Answers that a candidate overtakes.
    pub candidates_first: Option<u32>,
    /// What is no message, to viewers.
    pub noise: bool,
    /// Calls and connects to refuse.
    pub refuse: Option<Refuse>,
    /// Until it is set again.
    pub latency_ms: Option<u64>,
}

/// How many messages of one channel are still to be spoiled, each in its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spoiled {
    /// To masters: vanish.
    pub swallow: u32,
    /// Of viewers: fail.
    pub refuse: u32,
    /// Answers: twice.
    pub double: u32,
    /// Answers: behind the last.
    pub stale: u32,
    /// Answers: behind the next candidate.
    pub candidates_first: u32,
}

impl Spoiled {
    /// Sets what the faults name.
    pub fn set(&mut self, faults: &Faults) {
        let pairs = [
            (&mut self.swallow, faults.swallow),
            (&mut self.refuse, faults.refuse_messages),
            (&mut self.double, faults.double_answers),
            (&mut self.stale, faults.stale_answers),
            (&mut self.candidates_first, faults.candidates_first),
        ];
        for (knob, wanted) in pairs {
            *knob = wanted.unwrap_or(*knob);
        }
    }
}

/// Whether one more is to be spoiled; it counts.
pub fn due(knob: &mut u32) -> bool {
    let due = *knob > 0;
    *knob = knob.saturating_sub(1);
    due
}

/// How a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// With a close frame.
    Clean,
    /// Without.
    Unclean,
}

/// Whose sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// Everybody's.
    #[default]
    All,
    /// The masters'.
    Master,
    /// The viewers'.
    Viewers,
}

impl Of {
    /// Whether it concerns a master (or a viewer).
    pub fn concerns(self, is_master: bool) -> bool {
        match self {
            Self::All => true,
            Self::Master => is_master,
            Self::Viewers => !is_master,
        }
    }
}

/// What to refuse, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// With what.
    pub exception: Exception,
    /// So often.
    #[serde(default = "once")]
    pub times: u32,
}

/// What can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exception {
    /// HTTP 400: too many calls.
    #[serde(rename = "ClientLimitExceededException")]
    ClientLimitExceeded,
    /// HTTP 401, or 403 for a WebSocket.
    #[serde(rename = "NotAuthorizedException")]
    NotAuthorized,
    /// HTTP 404.
    #[serde(rename = "ResourceNotFoundException")]
    ResourceNotFound,
    /// HTTP 500.
    #[serde(rename = "InternalFailure")]
    InternalFailure,
}

impl Exception {
    /// Its name and HTTP status.
    pub fn parts(self) -> (&'static str, u16) {
        match self {
            Self::ClientLimitExceeded => ("ClientLimitExceededException", 400),
            Self::NotAuthorized => ("NotAuthorizedException", 403),
            Self::ResourceNotFound => ("ResourceNotFoundException", 404),
            Self::InternalFailure => ("InternalFailure", 500),
        }
    }
}

fn once() -> u32 {
    1
}

/// What is set.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Knobs {
    /// Latency of control calls, ms.
    pub latency_ms: u64,
    /// What to refuse.
    pub refuse: Option<Refuse>,
}

impl Knobs {
    /// Whether the next call fails.
    pub fn refusal(&mut self) -> Option<Exception> {
        let refuse = self.refuse.as_mut().filter(|refuse| refuse.times > 0)?;
        refuse.times -= 1;
        Some(refuse.exception)
    }
}
