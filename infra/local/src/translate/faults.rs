//! How to break it: `POST /_local/faults`.
//!
//! | body | effect |
//! |---|---|
//! | `{"refuse": {"exception": "ThrottlingException", "times": 3}}` | the next three calls fail so |
//! | `{"refuse": {"exception": "TooManyRequestsException"}}` | … or so, once |
//! | `{"latency_ms": 300}` | each call takes so much longer, until it is set again |
//! | `{"cut": 2}` | the next two calls get no answer, only a broken connection |
//!
//! `GET` tells what is set, and under `asked` which kinds of requests came: pair, settings, terminology.

use serde::{Deserialize, Serialize};

/// What is set; in a request, what is to be set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// The next calls to fail.
    pub refuse: Option<Refuse>,
    /// Until it is set again.
    pub latency_ms: Option<u64>,
    /// The next calls to leave without an answer.
    pub cut: Option<u32>,
}

/// Which calls fail, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// With what.
    pub exception: Exception,
    /// So many.
    #[serde(default = "once")]
    pub times: u32,
}

/// What can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exception {
    /// The generic one of AWS.
    #[serde(rename = "ThrottlingException")]
    Throttling,
    /// Translate's own.
    #[serde(rename = "TooManyRequestsException")]
    TooManyRequests,
    /// Their fault.
    #[serde(rename = "InternalServerException")]
    InternalServer,
    /// Later.
    #[serde(rename = "ServiceUnavailableException")]
    ServiceUnavailable,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is served.
    Served,
    /// It fails.
    Refused(Exception),
    /// The connection breaks.
    Cut,
}

fn once() -> u32 {
    1
}

impl Faults {
    /// Takes a request over.
    pub fn set(&mut self, wanted: Self) {
        let Self { refuse, latency_ms, cut } = wanted;
        self.refuse = refuse.or(self.refuse.take());
        self.latency_ms = latency_ms.or(self.latency_ms);
        self.cut = cut.or(self.cut);
    }

    /// The next call's fate.
    pub fn fate(&mut self) -> Fate {
        if let Some(cut) = self.cut.as_mut().filter(|cut| **cut > 0) {
            *cut -= 1;
            return Fate::Cut;
        }
        match self.refuse.as_mut().filter(|refuse| refuse.times > 0) {
            Some(refuse) => {
                refuse.times -= 1;
                Fate::Refused(refuse.exception)
            }
            None => Fate::Served,
        }
    }
}
