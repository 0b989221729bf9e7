//! The control plane: channels and endpoints, as restJson1.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::faults::Faults;
use super::service::{Entry, Service};

/// An error as restJson1 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP.
    pub status: u16,
    /// The exception's name.
    pub kind: &'static str,
    /// For people.
    pub why: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [("x-amzn-errortype", self.kind)], Json(json!({ "Message": self.why }))).into_response()
    }
}

/// An answer, or an error.
type Answer = Result<Json<Value>, Refusal>;

/// A refusal.
pub fn refuse(status: u16, kind: &'static str, why: impl Into<String>) -> Refusal {
    Refusal { status, kind, why: why.into() }
}

/// The routes of the control plane.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/createSignalingChannel", post(create))
        .route("/deleteSignalingChannel", post(delete))
        .route("/describeSignalingChannel", post(describe))
        .route("/listSignalingChannels", post(list))
        .route("/describeMediaStorageConfiguration", post(storage))
        .route("/getSignalingChannelEndpoint", post(endpoint))
        .route("/v1/get-ice-server-config", post(ice))
        .merge(super::stream::control())
        .layer(from_fn_with_state(service.clone(), gate))
        .route("/_local/faults", get(state).post(break_it))
        .route("/_local/network/faults", get(network).post(worsen))
        .merge(super::stream::knobs())
        .with_state(service)
}

/// The route of `GetIceServerConfig`, which the HTTPS endpoints of a channel serve too.
pub fn ice_router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/get-ice-server-config", post(ice))
        .merge(super::stream::data())
        .layer(from_fn_with_state(service.clone(), gate))
        .with_state(service)
}

/// What every call meets first: latency, faults, and whether it is signed by our key.
async fn gate(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let (latency, refusal) = service.with(|state| (state.knobs.latency_ms, state.knobs.refusal()));
    tokio::time::sleep(Duration::from_millis(latency)).await;
    if let Some((kind, status)) = refusal.map(super::faults::Exception::parts) {
        return refuse(status, kind, "injected by a fault").into_response();
    }
    let signed = format!("AWS4-HMAC-SHA256 Credential={}/", service.key.id);
    if !header(request.headers(), "authorization").starts_with(&signed) {
        let why = "The security token included in the request is invalid.";
        return refuse(403, "UnrecognizedClientException", why).into_response();
    }
    next.run(request).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn create(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Answer {
    let name = ask["ChannelName"].as_str().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.is_empty() || name.len() > 256 || !name.bytes().all(plain) {
        return Err(refuse(400, "InvalidArgumentException", "ChannelName must have 1 to 256 of [a-zA-Z0-9_.-]"));
    }
    let ttl = ask["SingleMasterConfiguration"]["MessageTtlSeconds"].as_u64().unwrap_or(60);
    if !(5..=120).contains(&ttl) {
        return Err(refuse(400, "InvalidArgumentException", "MessageTtlSeconds must be between 5 and 120"));
    }
    match service.create(name, ttl) {
        Some(arn) => Ok(Json(json!({ "ChannelARN": arn }))),
        None => Err(refuse(400, "ResourceInUseException", "there is a channel of that name")),
    }
}

async fn delete(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Answer {
    match service.delete(ask["ChannelARN"].as_str().unwrap_or_default()) {
        true => Ok(Json(json!({}))),
        false => Err(not_found()),
    }
}

async fn describe(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Answer {
    limited(&service, &ask, |entry| json!({ "ChannelInfo": info(entry) }))
}

async fn storage(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Answer {
    limited(&service, &ask, |_entry| json!({ "MediaStorageConfiguration": { "Status": "DISABLED" } }))
}

async fn list(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Json<Value> {
    let prefix = ask["ChannelNameCondition"]["ComparisonValue"].as_str().unwrap_or_default();
    let all = service.with(|state| {
        let entries = state.channels.values().filter(|entry| entry.name.starts_with(prefix));
        entries.map(info).collect::<Vec<_>>()
    });
    Json(json!({ "ChannelInfoList": all }))
}

fn info(entry: &Entry) -> Value {
    json!({
        "ChannelName": entry.name,
        "ChannelARN": entry.arn,
        "ChannelType": "SINGLE_MASTER",
        "ChannelStatus": "ACTIVE",
        "CreationTime": entry.created,
        "SingleMasterConfiguration": { "MessageTtlSeconds": entry.ttl_seconds },
        "Version": "1",
    })
}

async fn endpoint(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Answer {
    let wanted = &ask["SingleMasterChannelEndpointConfiguration"];
    let address = match wanted["Role"].as_str() {
        Some("MASTER") => service.masters,
        Some("VIEWER") => service.viewers,
        Some(_) | None => return Err(refuse(400, "InvalidArgumentException", "Role must be MASTER or VIEWER")),
    };
    let mut list = Vec::new();
    for protocol in wanted["Protocols"].as_array().into_iter().flatten() {
        let scheme = match protocol.as_str() {
            Some("WSS") => "ws",
            Some("HTTPS") => "http",
            Some("WEBRTC") => {
                let why = "the channel has no media storage: WEBRTC endpoints need one";
                return Err(refuse(400, "InvalidArgumentException", why));
            }
            Some(_) | None => return Err(refuse(400, "InvalidArgumentException", "unknown protocol")),
        };
        list.push(json!({ "Protocol": protocol, "ResourceEndpoint": format!("{scheme}://{address}") }));
    }
    find(&service, &ask, |_entry| Ok(Json(json!({ "ResourceEndpointList": list }))))
}

async fn ice(State(service): State<Arc<Service>>, Json(ask): Json<Value>) -> Answer {
    let client = ask["ClientId"].as_str().unwrap_or("master");
    let servers: Vec<Value> =
        service.config.relay.iter().map(|relay| relay.server(client, SystemTime::now())).collect();
    limited(&service, &ask, |_entry| json!({ "IceServerList": servers }))
}

/// Answers about a channel, so often as the quota allows.
fn limited(service: &Service, ask: &Value, answer: impl FnOnce(&Entry) -> Value) -> Answer {
    let (now, most) = (service.now(), service.config.limits.calls);
    find(service, ask, |entry| match entry.calls.allow(now, most) {
        true => Ok(Json(answer(entry))),
        false => Err(refuse(400, "ClientLimitExceededException", "too many calls per second for this channel")),
    })
}

/// The channel that is asked for, by ARN or name.
fn find(service: &Service, ask: &Value, answer: impl FnOnce(&mut Entry) -> Answer) -> Answer {
    let (arn, name) = (ask["ChannelARN"].as_str(), ask["ChannelName"].as_str());
    service.with(|state| {
        let mut entries = state.channels.values_mut();
        let found = entries.find(|entry| arn.map_or(name == Some(&entry.name), |arn| arn == entry.arn));
        found.map_or_else(|| Err(not_found()), answer)
    })
}

fn not_found() -> Refusal {
    refuse(404, "ResourceNotFoundException", "The requested channel is not found or not active.")
}

async fn break_it(State(service): State<Arc<Service>>, Json(faults): Json<Faults>) -> Json<Value> {
    service.set(&faults);
    state(State(service)).await
}

async fn state(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(service.with(|state| {
        let channels = state.channels.values().map(|entry| {
            let masters = entry.channel.everyone().filter(|(_, master)| *master).count();
            let viewers = entry.channel.everyone().count() - masters;
            json!({ "name": entry.name, "arn": entry.arn, "masters": masters, "viewers": viewers })
        });
        json!({ "channels": channels.collect::<Vec<_>>(), "set": state.knobs })
    }))
}

async fn network(State(service): State<Arc<Service>>) -> Response {
    match &service.config.roads {
        Some(roads) => Json(roads.told()).into_response(),
        None => {
            let why = "nothing stands between speakers and workers here: their media is not on loopback";
            (StatusCode::CONFLICT, why).into_response()
        }
    }
}

async fn worsen(State(service): State<Arc<Service>>, Json(change): Json<Value>) -> Response {
    match service.config.roads.as_ref().map(|roads| roads.change(&change)) {
        Some(Err(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
        Some(Ok(())) | None => network(State(service)).await,
    }
}
