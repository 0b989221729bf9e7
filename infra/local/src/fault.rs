//! `local-stack fault …`: breaks things in a running stack, through its admin endpoint.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::admin::VARIABLE;

/// What to break.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Fault {
    /// Kill the worker of a session (or of all) by SIGKILL, as a host that fails.
    KillWorker {
        /// The session.
        session: Option<String>,
    },
    /// Let the worker of a session (or all) hang by SIGSTOP.
    HangWorker {
        /// The session.
        session: Option<String>,
    },
    /// Kill the controller's processes by SIGKILL, whatever they are doing.
    KillController,
    /// Deliver the Sessions stream again from its start.
    Replay,
    /// Remove a session's row as TTL does, or all rows that have expired.
    Ttl {
        /// The session.
        session: Option<String>,
        /// Even if it has not expired.
        #[arg(long, requires = "session")]
        force: bool,
    },
    /// Set knobs of ECS, for example `noCapacity=2`, `hiddenThrottle=3`, `killCaller=1`, `loseAnswers=1`.
    Ecs {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Set knobs of the stream mapping, for example `duplicate=1`, `hold=true`, `poison=["blessed-shepherd-123"]`.
    Mapping {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Set knobs of KVS, for example `cut=unclean`, `go_away=true`.
    Kvs {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Set knobs of Transcribe, for example `cut=unclean`, `latency_ms=500`, `hostile=worst`.
    Transcribe {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Set knobs of Translate.
    Translate {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Make the network between speakers and workers bad, for example `loss=0.2 burst=3`, `jitter_ms=50`; `loss=0` mends it.
    Network {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Take DynamoDB away for a while, for example `seconds=60`, `how=fault`, `session=blessed-shepherd-123`; `seconds=0` brings it back.
    Table {
        /// The knobs.
        knobs: Vec<String>,
    },
    /// Set knobs of the posts to listeners, for example `refuse={"status":429,"times":9,"connection":"abc="}`.
    Gateway {
        /// The knobs.
        knobs: Vec<String>,
    },
}

/// Why nothing was broken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says itself what it is")]
pub enum Error {
    #[error(
        "{VARIABLE} is not set: run this within `local-stack run`, or with the variables that `local-stack up` prints"
    )]
    NoStack,
    #[error("{0:?} is no knob: write NAME=VALUE")]
    Knob(String),
    #[error("the stack did not answer; does it still run? ({0})")]
    Unreachable(#[from] reqwest::Error),
    #[error("the stack refused: {0}")]
    Refused(String),
}

/// A call of the admin endpoint: without a body it only asks.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    path: String,
    body: Option<Value>,
}

impl Fault {
    fn call(&self) -> Result<Call, Error> {
        let of = |session: Option<&String>| session.map_or(json!({}), |session| json!({"session": session}));
        let post = |path: &str, body: Value| Call { path: path.to_owned(), body: Some(body) };
        Ok(match self {
            Self::KillWorker { session } => post("ecs/kill", of(session.as_ref())),
            Self::HangWorker { session } => post("ecs/hang", of(session.as_ref())),
            Self::KillController => post("functions/kill", json!({})),
            Self::Replay => post("mapping/replay", json!({})),
            Self::Ttl { session: Some(session), force } => {
                post("mapping/ttl", json!({"session": session, "force": force}))
            }
            Self::Ttl { session: None, force: _ } => post("mapping/ttl", json!({})),
            Self::Ecs { knobs } => set("ecs", knobs)?,
            Self::Mapping { knobs } => set("mapping", knobs)?,
            Self::Kvs { knobs } => set("kvs", knobs)?,
            Self::Transcribe { knobs } => set("transcribe", knobs)?,
            Self::Translate { knobs } => set("translate", knobs)?,
            Self::Network { knobs } => set("kvs/network", knobs)?,
            Self::Table { knobs } => set("table", knobs)?,
            Self::Gateway { knobs } => set("gateway", knobs)?,
        })
    }
}

/// Without knobs: what is set.
fn set(stand_in: &str, knobs: &[String]) -> Result<Call, Error> {
    let path = format!("{stand_in}/faults");
    let mut body = Map::new();
    for knob in knobs {
        let (name, value) = knob.split_once('=').ok_or_else(|| Error::Knob(knob.clone()))?;
        // What is not JSON is a word.
        body.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| json!(value)));
    }
    Ok(Call { path, body: (!body.is_empty()).then_some(Value::Object(body)) })
}

/// Breaks it; what the stack answered.
///
/// # Errors
/// When there is no stack, or it refuses.
pub async fn inject(fault: &Fault) -> Result<String, Error> {
    let admin = std::env::var(VARIABLE).map_err(|_| Error::NoStack)?;
    inject_at(&admin, fault).await
}

/// The same, at the endpoint `admin`.
///
/// # Errors
/// When there is no stack, or it refuses.
pub async fn inject_at(admin: &str, fault: &Fault) -> Result<String, Error> {
    let call = fault.call()?;
    let (http, url) = (reqwest::Client::new(), format!("{admin}/{}", call.path));
    let request = match &call.body {
        Some(body) => http.post(url).json(body),
        None => http.get(url),
    };
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if status.is_success() { Ok(text) } else { Err(Error::Refused(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_are_json_where_they_can_be_and_words_otherwise() {
        let fault = Fault::Ecs { knobs: vec!["noCapacity=2".to_owned(), "failureReason=RESOURCE:ENI".to_owned()] };
        let call = fault.call().unwrap();
        assert_eq!(call.path, "ecs/faults");
        assert_eq!(call.body, Some(json!({"noCapacity": 2, "failureReason": "RESOURCE:ENI"})));
    }

    #[test]
    fn a_recogniser_is_made_hostile_by_a_word_or_by_switches() {
        let body = |knob: &str| Fault::Transcribe { knobs: vec![knob.to_owned()] }.call().unwrap().body.unwrap();
        assert_eq!(body("hostile=worst"), json!({"hostile": "worst"}));
        assert_eq!(
            body(r#"hostile={"retimeMs":150,"shrink":0.1}"#),
            json!({"hostile": {"retimeMs": 150, "shrink": 0.1}})
        );
    }

    #[test]
    fn no_knobs_ask_what_is_set_and_half_a_knob_is_refused() {
        assert_eq!(Fault::Kvs { knobs: Vec::new() }.call().unwrap().body, None);
        assert!(matches!(Fault::Kvs { knobs: vec!["cut".to_owned()] }.call(), Err(Error::Knob(_))));
    }
}
