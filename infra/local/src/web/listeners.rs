//! What a listener's page needs, and nothing else: its folder, what can be read, and the WebSocket API behind one address.
//!
//! On loopback it is a part of the page's server. With `--web-bind` it is all that the network can reach. The WebSocket is passed on
//! rather than pointed at, because the emulator answers loopback only, and because there a speaker enters by the same door:
//! of what a browser sends, only a listener's two messages and three parameters pass.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message as Upstream;
use tower_http::services::ServeDir;
use url::Url;

/// Listeners at the same time; more would be no demonstration.
const SEATS: usize = 200;
/// Longest message of a listener, bytes: a joinSession has a hundred.
const MESSAGE_BYTES: usize = 2_048;
/// A listener sends a heartbeat each minute; who has sent none twice is gone.
const IDLE: Duration = Duration::from_secs(150);

/// What all listeners share.
pub(super) struct Hall {
    /// What can be read, and what translates.
    offer: Value,
    /// The WebSocket API.
    socket: Url,
    seats: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Hall {
    pub(super) fn new(offer: Value, socket: Url, stop: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self { offer, socket, seats: Arc::new(Semaphore::new(SEATS)), stop })
    }
}

/// The routes of a listener.
pub(super) fn routes(hall: Arc<Hall>) -> Router {
    Router::new().route("/api/listen", get(offer)).route("/api/listen/socket", get(socket)).with_state(hall)
}

/// All that the network is shown, under `address` alone.
pub(super) fn open(hall: Arc<Hall>, page: &Path, address: SocketAddr) -> Router {
    let files = ServeDir::new(page);
    routes(hall)
        .route("/", get(|| async { Redirect::temporary("/listen/") }))
        .route("/listen", get(|| async { Redirect::temporary("/listen/") }))
        .route_service("/listen/", files.clone())
        .route_service("/listen/{file}", files)
        .layer(from_fn_with_state(address, this_address_only))
}

/// Another site's name that leads to this address would let that site's page read ours.
async fn this_address_only(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !names(host, address) {
        return (StatusCode::FORBIDDEN, format!("this page answers under http://{address}/ only")).into_response();
    }
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    answer
}

/// Browsers leave out port 80.
pub(super) fn names(host: &str, address: SocketAddr) -> bool {
    let plain = address.to_string();
    host == plain || (address.port() == 80 && plain.strip_suffix(":80") == Some(host))
}

async fn offer(State(hall): State<Arc<Hall>>) -> Json<Value> {
    Json(hall.offer.clone())
}

async fn socket(
    State(hall): State<Arc<Hall>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !own_origin(&headers) {
        return (StatusCode::FORBIDDEN, "only the page of this address may listen here").into_response();
    }
    let Ok(seat) = hall.seats.clone().try_acquire_owned() else {
        let full = format!("{SEATS} listeners are here already; a local stack takes no more");
        return (StatusCode::SERVICE_UNAVAILABLE, full).into_response();
    };
    let (url, stop) = (upstream(&hall.socket, &query), hall.stop.clone());
    upgrade.max_message_size(MESSAGE_BYTES).on_upgrade(move |browser| pass_on(browser, url, stop, seat))
}

/// A browser says whose page opens the connection; another kind of client does not.
fn own_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.strip_prefix("http://") == Some(host),
        (Some(_), None) => false,
    }
}

/// A listener's parameters and no others: a `token` would make it the speaker.
pub(super) fn upstream(socket: &Url, query: &HashMap<String, String>) -> Url {
    let mut url = socket.clone();
    let own =
        ["sessionId", "targetLanguage", "captionMode"].into_iter().filter_map(|name| Some((name, query.get(name)?)));
    url.query_pairs_mut().clear().extend_pairs(own);
    url
}

/// What a listener may say, said again in our words.
pub(super) fn listeners_word(text: &str) -> Option<String> {
    let message: Value = serde_json::from_str(text).ok()?;
    match message["action"].as_str()? {
        "heartbeat" => Some(json!({ "action": "heartbeat" }).to_string()),
        "joinSession" => {
            let (session, language) = (message["sessionId"].as_str()?, message["targetLanguage"].as_str()?);
            let mut word = json!({ "action": "joinSession", "sessionId": session, "targetLanguage": language });
            if let Some(mode) = message["captionMode"].as_str() {
                word["captionMode"] = mode.into();
            }
            Some(word.to_string())
        }
        _other => None,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stop| *stop).await;
}

/// Until either side leaves, the stack stops, or nothing was heard of the listener for too long.
async fn pass_on(browser: WebSocket, url: Url, mut stop: watch::Receiver<bool>, _seat: OwnedSemaphorePermit) {
    let api = match connect_async(url.as_str()).await {
        Ok((api, _response)) => api,
        Err(error) => {
            // The browser's end closes with this, and it tries again by itself.
            tracing::warn!(%error, "the WebSocket API cannot be reached for a listener");
            return;
        }
    };
    let ((mut to_browser, mut of_browser), (mut to_api, mut of_api)) = (browser.split(), api.split());
    let mut idle_at = Instant::now() + IDLE;
    loop {
        let passed = tokio::select! {
            said = of_browser.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    idle_at = Instant::now() + IDLE;
                    match listeners_word(&text) {
                        Some(word) => to_api.send(Upstream::text(word)).await.is_ok(),
                        None => true,
                    }
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => true,
                Some(Ok(Message::Close(_)) | Err(_)) | None => false,
            },
            told = of_api.next() => match told {
                Some(Ok(Upstream::Text(text))) => to_browser.send(Message::Text(text.as_str().into())).await.is_ok(),
                Some(Ok(Upstream::Binary(_) | Upstream::Ping(_) | Upstream::Pong(_) | Upstream::Frame(_))) => true,
                Some(Ok(Upstream::Close(_)) | Err(_)) | None => false,
            },
            () = sleep_until(idle_at) => false,
            () = stopped(&mut stop) => false,
        };
        if !passed {
            break;
        }
    }
    let (_browser_gone, _api_gone) = (to_browser.close().await, to_api.close().await);
}
