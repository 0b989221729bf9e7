//! Streams: made by name, fed by `PutMedia` or in process, sent by `GetMedia` to at most three readers at once.
//!
//! `GET /_local/streams` tells what is there; `POST` breaks it:
//!
//! | body | effect |
//! |---|---|
//! | `{"cut_next": BYTES}` | the connection ends in the middle of the next fragment that is sent |
//! | `{"fail_next": CODE}` | this error comes in its place |
//! | `{"refuse_media": {"exception": "ClientLimitExceededException", "times": 2}}` | the next two `GetMedia` calls fail |
//! | `{"refuse_endpoint": {…}}` | the same for readers' `GetDataEndpoint` |
//! | `{"forget_tokens": true}` | continuation tokens that were given so far are not valid any more |
//! | `{"move_endpoint": true}` | readers are cut off, and find the stream at another endpoint only |
//! | `{"lose_next": 2}` | the next two fragments of the producer never come: he paused |

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::channel::Rate;
use super::control::{Refusal, refuse};
use super::feed::{Breaks, Content, begin};
pub use super::feed::{Feed, Stored};
use super::mkv;
use super::service::Service;

/// Readers of one stream at once (KVS limits).
const READERS: usize = 3;
/// `GetMedia`, `PutMedia`, `GetDataEndpoint` and `DescribeStream` calls per second and stream (KVS limits).
const CALLS: usize = 5;

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
    Router::new()
        .route("/at/{endpoint}/getMedia", post(get_media))
        .route("/putMedia", post(super::put_media::put_media))
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
    let reads = match ask["APIName"].as_str() {
        Some("GET_MEDIA") => true,
        Some("PUT_MEDIA") => false,
        Some(_) | None => {
            return Err(refuse(400, "InvalidArgumentException", "only GET_MEDIA and PUT_MEDIA stand in here"));
        }
    };
    let data = format!("http://{}", service.viewers);
    find(
        &service,
        named(&ask),
        |entry| &mut entry.calls,
        |_arn, entry| {
            if !reads {
                return Ok(Json(json!({ "DataEndpoint": data })));
            }
            entry.feed.refusal(|breaks| &mut breaks.refuse_endpoint)?;
            let endpoint = entry.feed.0.borrow().endpoint;
            Ok(Json(json!({ "DataEndpoint": format!("{data}/at/{endpoint}") })))
        },
    )
}

/// A reader, if there is a place for one: where it begins.
fn admit(entry: &mut Entry, endpoint: u64, selector: &Value) -> Result<Reading, Refusal> {
    entry.feed.refusal(|breaks| &mut breaks.refuse_media)?;
    if entry.feed.readers() >= READERS {
        return Err(refuse(400, "ConnectionLimitExceededException", "three readers are connected to the stream"));
    }
    let content = entry.feed.0.subscribe();
    if content.borrow().endpoint != endpoint {
        return Err(refuse(400, "InvalidEndpointException", "the stream is at another endpoint"));
    }
    let at = begin(&content.borrow(), selector)?;
    let mut opened = selector.clone();
    opened["first"] = json!(at);
    entry.opened.push(opened);
    Ok(Reading { feed: entry.feed.clone(), content, at, endpoint, left: None, ends: false })
}

async fn get_media(
    State(service): State<Arc<Service>>,
    Path(endpoint): Path<u64>,
    Json(ask): Json<Value>,
) -> Result<Response, Refusal> {
    let mut reading = find(
        &service,
        named(&ask),
        |entry| &mut entry.media,
        |_arn, entry| admit(entry, endpoint, &ask["StartSelector"]),
    )?;
    reading.left = reading.feed.quietly(|content| content.cut_after.take());
    let body = stream::unfold(reading, |reading| async move { reading.next().await });
    Ok(([("content-type", "video/webm")], Body::from_stream(body)).into_response())
}

/// One connection.
struct Reading {
    feed: Feed,
    content: watch::Receiver<Content>,
    at: usize,
    endpoint: u64,
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
            let (moved, found) = {
                let content = self.content.borrow_and_update();
                (content.endpoint != self.endpoint, content.fragments.get(self.at).map(|found| found.bytes.clone()))
            };
            match found {
                _ if moved => return None,
                Some(bytes) => break bytes,
                None => self.content.changed().await.ok()?,
            }
        };
        self.at += 1;
        let (cut_next, fail_next) = self.feed.take_breaks();
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
            entry.feed.set(&breaks);
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
