//! How to take it away: `POST /_local/faults`.
//!
//! | body | effect |
//! |---|---|
//! | `{"seconds": 60}` | for a minute from now no worker and no function gets an answer: their calls time out |
//! | `{"seconds": 60, "how": "fault"}` | … they get 500 (`InternalServerError`) |
//! | `{"seconds": 60, "how": "throttle"}` | … they get `ProvisionedThroughputExceededException` |
//! | `{"seconds": 60, "session": "blessed-shepherd-123"}` | the worker of this session alone; the controller goes on reading its row |
//! | `{"seconds": 0}` | it is there again |
//!
//! Each takes the place of the one before. Nothing that was taken away is done: no write of an outage shows later. `GET` tells how many
//! seconds are left, and how many calls were hit.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

use super::Caller;

/// What a request to break may hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// From now.
    pub seconds: u32,
    /// What callers see.
    #[serde(default)]
    pub how: How,
    /// The worker of this session alone.
    #[serde(default)]
    pub session: Option<String>,
}

/// What a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Nothing, until its patience is over.
    #[default]
    Silence,
    /// 500.
    Fault,
    /// Throttling.
    Throttle,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The emulator answers.
    Answered,
    /// Nobody answers before that.
    Silence { until: Instant },
    /// 500.
    Fault,
    /// Throttling.
    Throttled,
}

/// What is set.
#[derive(Debug, Default)]
pub struct Outage {
    wanted: Option<(Wanted, Instant)>,
    hit: u32,
}

impl Outage {
    /// Takes a request to break over.
    pub fn set(&mut self, wanted: Wanted, now: Instant) {
        let until = now + Duration::from_secs(wanted.seconds.into());
        self.wanted = Some((wanted, until));
    }

    /// The fate of this call.
    pub fn fate(&mut self, caller: Caller, body: &[u8], now: Instant) -> Fate {
        let Some((Wanted { how, session, .. }, until)) = self.wanted.as_ref().filter(|(_, until)| now < *until) else {
            return Fate::Answered;
        };
        if !session.as_ref().is_none_or(|session| caller == Caller::Worker && names(body, session)) {
            return Fate::Answered;
        }
        self.hit += 1;
        match how {
            How::Silence => Fate::Silence { until: *until },
            How::Fault => Fate::Fault,
            How::Throttle => Fate::Throttled,
        }
    }

    /// For whoever asks.
    pub fn describe(&self, now: Instant) -> Value {
        let left =
            self.wanted.as_ref().map(|(wanted, until)| (wanted, until.saturating_duration_since(now).as_secs_f64()));
        let set = left.filter(|(_, left)| *left > 0.0);
        let set = set.map(|(wanted, left)| json!({"secondsLeft": left, "how": wanted.how, "session": wanted.session}));
        json!({"set": set, "hit": self.hit})
    }
}

/// Whether a request names this session: as a key, or as a value of a condition.
fn names(body: &[u8], session: &str) -> bool {
    let value = format!("\"{session}\"");
    body.windows(value.len()).any(|window| window == value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] = br#"{"Key":{"sessionId":{"S":"calm-river-1"}}}"#;

    fn wanted(body: Value) -> Wanted {
        serde_json::from_value(body).unwrap()
    }

    #[tokio::test]
    async fn everybody_is_without_the_table_until_the_time_is_over() {
        let (mut outage, now) = (Outage::default(), Instant::now());
        outage.set(wanted(json!({"seconds": 60})), now);
        let until = now + Duration::from_secs(60);
        for caller in [Caller::Worker, Caller::Function] {
            assert_eq!(outage.fate(caller, ROW, now), Fate::Silence { until });
            assert_eq!(outage.fate(caller, ROW, until), Fate::Answered);
        }
        assert_eq!(outage.describe(now)["hit"], 2);
        outage.set(wanted(json!({"seconds": 0})), now);
        assert_eq!(outage.fate(Caller::Worker, ROW, now), Fate::Answered);
        assert!(outage.describe(now)["set"].is_null());
    }

    #[tokio::test]
    async fn one_worker_is_cut_off_while_the_controller_and_others_are_not() {
        let (mut outage, now) = (Outage::default(), Instant::now());
        outage.set(wanted(json!({"seconds": 60, "how": "fault", "session": "calm-river-1"})), now);
        assert_eq!(outage.fate(Caller::Worker, ROW, now), Fate::Fault);
        assert_eq!(outage.fate(Caller::Function, ROW, now), Fate::Answered);
        assert_eq!(outage.fate(Caller::Worker, br#"{"S":"calm-river-11"}"#, now), Fate::Answered);
        outage.set(wanted(json!({"seconds": 60, "how": "throttle"})), now);
        assert_eq!(outage.fate(Caller::Function, ROW, now), Fate::Throttled);
    }
}
