//! Streams: made by name, fed by `PutMedia` or in process, sent by `GetMedia` to at most three readers at once.
//!
//! `GET /_local/streams` tells what is there; `POST` breaks the next fragment that is sent: `{"cut_next": BYTES}` ends the connection in the
//! middle of it, `{"fail_next": CODE}` sends the error in its place.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::channel::Rate;
use super::control::{Refusal, refuse};
use super::mkv;
use super::service::Service;

/// Readers of one stream at once (KVS limits).
const READERS: usize = 3;
/// `GetMedia`, `PutMedia`, `GetDataEndpoint` and `DescribeStream` calls per second and stream (KVS limits).
const CALLS: usize = 5;

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
    fragments: Vec<Stored>,
    /// Ends every connection after so many more bytes.
    cut_after: Option<usize>,
    breaks: Breaks,
}

/// What is wrong with the next fragment that is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Breaks {
    /// The connection ends after so many of its bytes.
    cut_next: Option<usize>,
    /// This error comes in its place.
    fail_next: Option<u32>,
}

/// A stream that a test or a producer feeds.
#[derive(Debug, Clone)]
pub struct Feed(Arc<watch::Sender<Content>>);

impl Default for Feed {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Content::default())))
    }
}

impl Feed {
    /// A fragment came in.
    pub fn push(&self, fragment: Stored) {
        self.0.send_modify(|content| content.fragments.push(fragment));
    }

    /// The next connection breaks off after so many bytes.
    pub fn cut_after(&self, bytes: usize) {
        self.0.send_modify(|content| content.cut_after = Some(bytes));
    }

    /// The number that the next fragment gets.
    pub(super) fn next_number(&self) -> u64 {
        self.0.borrow().fragments.last().map_or(1, |last| last.number + 1)
    }

    fn readers(&self) -> usize {
        self.0.receiver_count()
    }

    /// What is to be broken, once.
    fn take_breaks(&self) -> Breaks {
        let mut breaks = Breaks::default();
        self.0.send_if_modified(|content| {
            breaks = std::mem::take(&mut content.breaks);
            false
        });
        breaks
    }
}

/// A stream and what the control plane knows of it.
#[derive(Debug, Default)]
pub struct Entry {
    /// Its fragments.
    pub feed: Feed,
    /// Its name.
    pub name: String,
    media: Rate,
    puts: Rate,
    calls: Rate,
    /// Where each reader wanted to begin, in their order.
    opened: Vec<Value>,
}

impl Entry {
    /// A stream with this ARN.
    pub fn new(arn: &str, feed: Feed) -> Self {
        Self { feed, name: arn.split('/').nth(1).unwrap_or_default().to_owned(), ..Self::default() }
    }
}

/// Where a reader begins: the index of its first fragment.
fn begin(content: &Content, selector: &Value) -> Result<usize, Refusal> {
    let invalid = |why: &str| Err(refuse(400, "InvalidArgumentException", why));
    let all = &content.fragments;
    match selector["StartSelectorType"].as_str() {
        Some("NOW") => Ok(all.len().saturating_sub(1)),
        Some("EARLIEST") => Ok(0),
        Some("CONTINUATION_TOKEN") => {
            let token = selector["ContinuationToken"].as_str().and_then(|token| token.parse::<u64>().ok());
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

/// The routes of the control plane that concern streams.
pub fn control() -> Router<Arc<Service>> {
    Router::new()
        .route("/createStream", post(create))
        .route("/describeStream", post(describe))
        .route("/deleteStream", post(delete))
        .route("/getDataEndpoint", post(endpoint))
}

/// The routes of the data endpoint.
pub fn data() -> Router<Arc<Service>> {
    Router::new().route("/getMedia", post(get_media)).route("/putMedia", post(super::put_media::put_media))
}

/// The knobs.
pub fn knobs() -> Router<Arc<Service>> {
    Router::new().route("/_local/streams", get(look).post(break_it))
}

/// The stream that is meant by ARN or name, so often as the quota allows.
pub(super) fn find<T>(
    service: &Service,
    (arn, name): (Option<&str>, Option<&str>),
    rate: fn(&mut Entry) -> &mut Rate,
    act: impl FnOnce(&str, &mut Entry) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let now = service.now();
    service.with(|state| {
        let mut streams = state.streams.iter_mut();
        let found = streams.find(|(known, entry)| arn.map_or(name == Some(&entry.name), |arn| arn == *known));
        let Some((arn, entry)) = found else {
            // A signaling channel is no stream: AWS's words for it were not seen, its 404 is documented.
            let why = "The requested stream is not found or not active.";
            return Err(refuse(404, "ResourceNotFoundException", why));
        };
        if !rate(entry).allow(now, CALLS) {
            return Err(refuse(400, "ClientLimitExceededException", "five calls per second and stream are allowed"));
        }
        act(arn, entry)
    })
}

/// `PutMedia` calls are counted for themselves.
pub(super) fn puts(entry: &mut Entry) -> &mut Rate {
    &mut entry.puts
}

fn named(ask: &Value) -> (Option<&str>, Option<&str>) {
    (ask["StreamARN"].as_str(), ask["StreamName"].as_str())
}

async fn create(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Json<Value>, Refusal> {
    let name = ask["StreamName"].as_str().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.is_empty() || name.len() > 256 || !name.bytes().all(plain) {
        return Err(refuse(400, "InvalidArgumentException", "StreamName must have 1 to 256 of [a-zA-Z0-9_.-]"));
    }
    let (region, account) = (&service.config.region, &service.config.account);
    let arn = format!("arn:aws:kinesisvideo:{region}:{account}:stream/{name}/{}", service.epoch_ms());
    service.with(|state| {
        if state.streams.values().any(|entry| entry.name == name) {
            return Err(refuse(400, "ResourceInUseException", "there is a stream of that name"));
        }
        state.streams.insert(arn.clone(), Entry::new(&arn, Feed::default()));
        Ok(Json(json!({ "StreamARN": arn })))
    })
}

async fn describe(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Json<Value>, Refusal> {
    find(
        &service,
        named(&ask),
        |entry| &mut entry.calls,
        |arn, entry| {
            let info = json!({ "StreamARN": arn, "StreamName": entry.name, "Status": "ACTIVE", "Version": "1", "DataRetentionInHours": 1 });
            Ok(Json(json!({ "StreamInfo": info })))
        },
    )
}

async fn delete(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Json<Value>, Refusal> {
    let arn = ask["StreamARN"].as_str().unwrap_or_default();
    match service.with(|state| state.streams.remove(arn)) {
        Some(_) => Ok(Json(json!({}))),
        None => Err(refuse(404, "ResourceNotFoundException", "The requested stream is not found or not active.")),
    }
}

async fn endpoint(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Json<Value>, Refusal> {
    if !matches!(ask["APIName"].as_str(), Some("GET_MEDIA" | "PUT_MEDIA")) {
        return Err(refuse(400, "InvalidArgumentException", "only GET_MEDIA and PUT_MEDIA stand in here"));
    }
    let answer = json!({ "DataEndpoint": format!("http://{}", service.viewers) });
    find(&service, named(&ask), |entry| &mut entry.calls, |_arn, _entry| Ok(Json(answer)))
}

async fn get_media(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Response, Refusal> {
    let (feed, content, first) = find(
        &service,
        named(&ask),
        |entry| &mut entry.media,
        |_arn, entry| {
            if entry.feed.readers() >= READERS {
                return Err(refuse(
                    400,
                    "ConnectionLimitExceededException",
                    "three readers are connected to the stream",
                ));
            }
            let content = entry.feed.0.subscribe();
            let first = begin(&content.borrow(), &ask["StartSelector"])?;
            entry.opened.push(ask["StartSelector"].clone());
            Ok((entry.feed.clone(), content, first))
        },
    )?;
    let mut left = None;
    feed.0.send_modify(|content| left = content.cut_after.take());
    let reading = Reading { feed, content, at: first, left, ends: false };
    let body = stream::unfold(reading, |reading| async move { reading.next().await });
    Ok(([("content-type", "video/webm")], Body::from_stream(body)).into_response())
}

/// One connection.
struct Reading {
    feed: Feed,
    content: watch::Receiver<Content>,
    at: usize,
    /// So many bytes are still sent.
    left: Option<usize>,
    ends: bool,
}

impl Reading {
    async fn next(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        if self.ends || self.left == Some(0) {
            return None;
        }
        let mut bytes = loop {
            let found = self.content.borrow_and_update().fragments.get(self.at).map(|found| found.bytes.clone());
            match found {
                Some(bytes) => break bytes,
                None => self.content.changed().await.ok()?,
            }
        };
        self.at += 1;
        let Breaks { cut_next, fail_next } = self.feed.take_breaks();
        if let Some(most) = cut_next {
            bytes.truncate(most);
            self.ends = true;
        }
        if let Some(code) = fail_next {
            bytes = mkv::failure(code).unwrap_or_default().into();
            self.ends = true;
        }
        if let Some(rest) = &mut self.left {
            bytes.truncate(*rest);
            *rest -= bytes.len();
        }
        Some((Ok(bytes), self))
    }
}

async fn break_it(State(service): State<Arc<Service>>, Json(breaks): Json<Breaks>) -> Json<Value> {
    service.with(|state| {
        for entry in state.streams.values() {
            entry.feed.0.send_modify(|content| content.breaks = breaks.clone());
        }
    });
    look(State(service)).await
}

async fn look(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(service.with(|state| {
        let streams = state.streams.iter().map(|(arn, entry)| {
            let fragments = entry.feed.0.borrow().fragments.len();
            json!({ "arn": arn, "name": entry.name, "fragments": fragments, "readers": entry.feed.readers(), "opened": entry.opened })
        });
        json!({ "streams": streams.collect::<Vec<_>>() })
    }))
}
