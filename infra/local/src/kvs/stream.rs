//! Streams, as `GetMedia` reads them: named, fed with fragments in process, sent to at most three readers at once.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::control::{Refusal, refuse};
use super::service::Service;

/// Readers of one stream at once (KVS limits).
const READERS: usize = 3;

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

    fn readers(&self) -> usize {
        self.0.receiver_count()
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
    Router::new().route("/getDataEndpoint", post(endpoint))
}

/// The routes of the data endpoint.
pub fn data() -> Router<Arc<Service>> {
    Router::new().route("/getMedia", post(get_media))
}

fn find(service: &Service, ask: &Value) -> Result<Feed, Refusal> {
    let arn = ask["StreamARN"].as_str().unwrap_or_default();
    let feed = service.with(|state| state.streams.get(arn).cloned());
    feed.ok_or_else(|| refuse(404, "ResourceNotFoundException", "The requested stream is not found or not active."))
}

async fn endpoint(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Json<Value>, Refusal> {
    if ask["APIName"] != "GET_MEDIA" {
        return Err(refuse(400, "InvalidArgumentException", "only GET_MEDIA stands in here"));
    }
    find(&service, &ask)?;
    Ok(Json(json!({ "DataEndpoint": format!("http://{}", service.viewers) })))
}

async fn get_media(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Result<Response, Refusal> {
    let feed = find(&service, &ask)?;
    if feed.readers() >= READERS {
        return Err(refuse(400, "ConnectionLimitExceededException", "three readers are connected to the stream"));
    }
    let content = feed.0.subscribe();
    let first = begin(&content.borrow(), &ask["StartSelector"])?;
    let mut left = None;
    feed.0.send_modify(|content| left = content.cut_after.take());
    let body = stream::unfold((content, first, left), |(mut content, mut at, mut left)| async move {
        if left == Some(0) {
            return None;
        }
        let mut bytes = loop {
            let found = content.borrow_and_update().fragments.get(at).map(|fragment| fragment.bytes.clone());
            match found {
                Some(bytes) => break bytes,
                None => content.changed().await.ok()?,
            }
        };
        at += 1;
        if let Some(rest) = &mut left {
            bytes.truncate(*rest);
            *rest -= bytes.len();
        }
        Some((Ok::<_, std::io::Error>(bytes), (content, at, left)))
    });
    Ok(([("content-type", "video/webm")], Body::from_stream(body)).into_response())
}
