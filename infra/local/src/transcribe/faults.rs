//! How to break it: `POST /_local/faults`.
//!
//! | body | effect |
//! |---|---|
//! | `{"cut": "clean"}` | all open streams end without an error, as the service does now and then |
//! | `{"cut": "unclean"}` | all open connections break |
//! | `{"cut": {"exception": "InternalFailureException"}}` | all open streams end with that exception |
//! | `{"refuse": {"exception": "LimitExceededException", "times": 3}}` | the next three streams are refused |
//! | `{"refuse": {…, "how": "http"}}` | … before the stream opens, rather than in it |
//! | `{"latency_ms": 500}` | results come so much later, until it is set again |
//! | `{"hostile": "worst"}` | what is said goes wrong in every way that the service may, until it is set again: `off`, `gentle`, `hostile`, `worst` |
//! | `{"hostile": {"retimeMs": 150, "shrink": 0.1, "seed": 7}}` | … in these ways alone (`tests/hostile/src/switches.rs`); `{"preset": "worst", "realTime": false}` is the preset but for that |
//!
//! `GET` tells what is set, how many streams are open, and under `asked` the headers of the last streams.

use serde::{Deserialize, Serialize};

use super::hostile::Setting;

/// What a request to break may hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Once, now.
    pub cut: Option<Cut>,
    /// For the next streams.
    pub refuse: Option<Refuse>,
    /// Until it is set again.
    pub latency_ms: Option<u64>,
    /// Until it is set again.
    pub hostile: Option<Setting>,
}

/// How streams end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Without an error.
    Clean,
    /// The connection breaks.
    Unclean,
    /// With an exception.
    Exception(Exception),
}

/// The exceptions of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exception {
    /// Not to be retried as it is.
    #[serde(rename = "BadRequestException")]
    BadRequest,
    /// Too many streams, or one too long.
    #[serde(rename = "LimitExceededException")]
    LimitExceeded,
    /// Their fault.
    #[serde(rename = "InternalFailureException")]
    InternalFailure,
    /// A second stream of the same session.
    #[serde(rename = "ConflictException")]
    Conflict,
    /// Later.
    #[serde(rename = "ServiceUnavailableException")]
    ServiceUnavailable,
}

impl Exception {
    /// As it is named in `:exception-type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequestException",
            Self::LimitExceeded => "LimitExceededException",
            Self::InternalFailure => "InternalFailureException",
            Self::Conflict => "ConflictException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
        }
    }

    /// Its HTTP status, where it comes before the stream.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::LimitExceeded => 429,
            Self::InternalFailure => 500,
            Self::Conflict => 409,
            Self::ServiceUnavailable => 503,
        }
    }
}

/// Which of the next streams to refuse, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// With what.
    pub exception: Exception,
    /// So many streams.
    #[serde(default = "once")]
    pub times: u32,
    /// In the stream or before it.
    #[serde(default)]
    pub how: How,
}

/// Where a refusal is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// As an event after HTTP 200: the developer guide's way.
    #[default]
    InBand,
    /// As an HTTP error.
    Http,
}

fn once() -> u32 {
    1
}

/// What is set.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Knobs {
    /// Results come so much later.
    pub latency_ms: u64,
    /// The next streams to refuse.
    pub refuse: Option<Refuse>,
    /// What goes wrong with what is said.
    pub hostile: Setting,
}

impl Knobs {
    /// Takes a request to break over.
    pub fn set(&mut self, faults: &Faults) {
        if let Some(latency) = faults.latency_ms {
            self.latency_ms = latency;
        }
        if let Some(refuse) = &faults.refuse {
            self.refuse = Some(refuse.clone());
        }
        if let Some(hostile) = &faults.hostile {
            self.hostile = hostile.clone();
        }
    }

    /// Whether to refuse this stream.
    pub fn refusal(&mut self) -> Option<(Exception, How)> {
        let refuse = self.refuse.as_mut().filter(|refuse| refuse.times > 0)?;
        refuse.times -= 1;
        Some((refuse.exception, refuse.how))
    }
}
