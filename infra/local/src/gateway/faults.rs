//! How to break it: `POST /_local/faults`.
//!
//! | body | effect |
//! |---|---|
//! | `{"refuse": {"status": 429, "times": 5, "connection": "abc="}}` | the next five posts to this connection are refused |
//! | `{"refuse": {"status": 500}}` | … one post to anybody |
//! | `{"stall": {"ms": 4000, "connection": "abc="}}` | every post to this connection takes so much longer (0: as ever) |
//! | `{"clear": true}` | everything works again |
//!
//! Each adds to what is set. 410 stands for a client that is gone, 429 for a rate that is spent or a client's buffer that is
//! full, 5xx for a fault of theirs; a refused post does not arrive. `GET` tells what is set, and how many posts were refused.

use serde::{Deserialize, Serialize};

/// What a request to break may hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Added to the refusals.
    pub refuse: Option<Refuse>,
    /// Added to the connections that are stuck.
    pub stall: Option<Stall>,
    /// First of all, forget what was set.
    pub clear: bool,
}

/// Posts that are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// With this HTTP status.
    pub status: u16,
    /// So many.
    #[serde(default = "once")]
    pub times: u32,
    /// To this connection only.
    #[serde(default)]
    pub connection: Option<String>,
}

/// Posts that take long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// So much longer.
    pub ms: u64,
    /// To this connection only.
    #[serde(default)]
    pub connection: Option<String>,
}

/// What is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    refuse: Vec<Refuse>,
    stall: Vec<Stall>,
    refused: u32,
}

/// What becomes of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// It waits so long first.
    pub stall_ms: u64,
    /// Then it is refused.
    pub status: Option<u16>,
}

fn once() -> u32 {
    1
}

fn meets(rule: Option<&String>, connection: &str) -> bool {
    rule.is_none_or(|named| named == connection)
}

impl Faults {
    /// Takes a request to break over.
    pub fn set(&mut self, wanted: Wanted) {
        if wanted.clear {
            (self.refuse, self.stall) = (Vec::new(), Vec::new());
        }
        self.refuse.extend(wanted.refuse);
        if let Some(stall) = wanted.stall {
            self.stall.retain(|known| known.connection != stall.connection);
            self.stall.push(stall);
        }
    }

    /// The fate of the next post to this connection.
    pub fn fate(&mut self, connection: &str) -> Fate {
        let stalls = self.stall.iter().filter(|stall| meets(stall.connection.as_ref(), connection));
        let stall_ms = stalls.map(|stall| stall.ms).max().unwrap_or(0);
        let rule = self.refuse.iter_mut().find(|rule| meets(rule.connection.as_ref(), connection) && rule.times > 0);
        let status = rule.map(|rule| {
            rule.times -= 1;
            rule.status
        });
        self.refuse.retain(|rule| rule.times > 0);
        self.refused += u32::from(status.is_some());
        Fate { stall_ms, status }
    }
}
