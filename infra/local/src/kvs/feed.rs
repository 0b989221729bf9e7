//! The fragments of one stream, and what is wrong with them.

use std::sync::Arc;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::control::{Refusal, refuse};
use super::faults::Refuse;

/// One fragment as it is sent: its number, when it came, and its bytes with the tags after it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its number, which is its continuation token too.
    pub number: u64,
    /// When it came, epoch ms.
    pub server_ms: i64,
    /// The document.
    pub bytes: Bytes,
}

/// What a stream holds.
#[derive(Debug, Default)]
pub struct Content {
    pub(super) fragments: Vec<Stored>,
    /// Ends every connection after so many more bytes.
    pub(super) cut_after: Option<usize>,
    breaks: Breaks,
    /// Tokens of fragments up to this number are not valid.
    forgotten: u64,
    /// How often the endpoint of readers has moved.
    pub(super) endpoint: u64,
}

/// What is wrong, each until it has happened. A body that does not name one of them mends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Breaks {
    /// The connection ends after so many bytes of the next fragment.
    cut_next: Option<usize>,
    /// This error comes in its place.
    fail_next: Option<u32>,
    /// `GetMedia` fails.
    pub(super) refuse_media: Option<Refuse>,
    /// `GetDataEndpoint` fails.
    pub(super) refuse_endpoint: Option<Refuse>,
    /// Fragments that never come.
    lose_next: u32,
    /// The tokens given so far are not valid.
    forget_tokens: bool,
    /// The endpoint moves.
    move_endpoint: bool,
}

/// A stream that a test or a producer feeds.
#[derive(Debug, Clone)]
pub struct Feed(pub(super) Arc<watch::Sender<Content>>);

impl Default for Feed {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Content::default())))
    }
}

impl Feed {
    /// A fragment came in.
    pub fn push(&self, fragment: Stored) {
        self.0.send_modify(|content| {
            let lost = content.breaks.lose_next > 0;
            content.breaks.lose_next = content.breaks.lose_next.saturating_sub(1);
            if !lost {
                content.fragments.push(fragment);
            }
        });
    }

    /// The next connection breaks off after so many bytes.
    pub fn cut_after(&self, bytes: usize) {
        self.0.send_modify(|content| content.cut_after = Some(bytes));
    }

    /// The number that the next fragment gets.
    pub(super) fn next_number(&self) -> u64 {
        self.0.borrow().fragments.last().map_or(1, |last| last.number + 1)
    }

    pub(super) fn readers(&self) -> usize {
        self.0.receiver_count()
    }

    /// What is wrong with the fragment that is sent now: where it is cut, and the error in its place.
    pub(super) fn take_breaks(&self) -> (Option<usize>, Option<u32>) {
        self.quietly(|content| (content.breaks.cut_next.take(), content.breaks.fail_next.take()))
    }

    /// The error with which a call fails, if one does.
    pub(super) fn refusal(&self, which: fn(&mut Breaks) -> &mut Option<Refuse>) -> Result<(), Refusal> {
        let due = self.quietly(|content| {
            let refuse = which(&mut content.breaks).as_mut().filter(|refuse| refuse.times > 0)?;
            refuse.times -= 1;
            Some(refuse.exception.parts())
        });
        due.map_or(Ok(()), |(kind, status)| Err(refuse(status, kind, "injected by a fault")))
    }

    pub(super) fn set(&self, breaks: &Breaks) {
        self.0.send_modify(|content| {
            content.breaks = breaks.clone();
            content.endpoint += u64::from(breaks.move_endpoint);
            if breaks.forget_tokens {
                content.forgotten = content.fragments.last().map_or(0, |last| last.number);
            }
        });
    }

    /// Changes it without waking the readers.
    pub(super) fn quietly<T: Default>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        let mut changed = T::default();
        self.0.send_if_modified(|content| {
            changed = change(content);
            false
        });
        changed
    }
}

/// Where a reader begins: the index of its first fragment.
pub(super) fn begin(content: &Content, selector: &Value) -> Result<usize, Refusal> {
    let invalid = |why: &str| Err(refuse(400, "InvalidArgumentException", why));
    let all = &content.fragments;
    match selector["StartSelectorType"].as_str() {
        Some("NOW") => Ok(all.len().saturating_sub(1)),
        Some("EARLIEST") => Ok(0),
        Some("CONTINUATION_TOKEN") => {
            let token = selector["ContinuationToken"].as_str().and_then(|token| token.parse::<u64>().ok());
            let token = token.filter(|token| *token > content.forgotten);
            let place = token.and_then(|token| all.iter().position(|fragment| fragment.number == token));
            place.map_or_else(|| invalid("the continuation token is not valid"), |place| Ok(place + 1))
        }
        Some("SERVER_TIMESTAMP") => {
            let Some(at) = selector["StartTimestamp"].as_f64() else { return invalid("StartTimestamp is missing") };
            let later = |fragment: &Stored| {
                std::time::Duration::from_millis(fragment.server_ms.unsigned_abs()).as_secs_f64() >= at - 0.000_5
            };
            Ok(all.iter().position(later).unwrap_or(all.len()))
        }
        Some(_) | None => invalid("StartSelectorType is not one that stands in here"),
    }
}
