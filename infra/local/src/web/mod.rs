//! The page: speaker, listeners, emotion and operator in a browser, for demonstrations and for the test in a real one.
//!
//! | path | what |
//! |---|---|
//! | `/`, `/samples/…` | the page (`infra/local/web/dist`) and the recordings |
//! | `GET /api/config` | the WebSocket URL, the region, the languages (those that something translates into first), what translates, the addresses at which a browser meets the worker, where telephones reach the listener's page |
//! | `/listen/`, `GET /api/listen`, `/api/listen/socket` | a listener's page, what it needs to know, and the WebSocket API (`listeners.rs`) |
//! | `POST /api/sessions`, `PATCH /api/sessions/{id}` | the session service's HTTP side: create, pause, resume, end |
//! | `GET /api/sessions/{id}/speaker` | what the speaker's browser fetches at its start: credentials, endpoints, ICE servers |
//! | `GET /api/operator/…`, `POST /api/operator/{id}/{verb}` | `sessionctl`, run as an operator would |
//! | `POST /api/faults/{name}` | the knobs of [`crate::admin`] that a demonstration needs |
//! | `GET /api/faults` | what is set of the network ([`crate::network`]), and what came of it |
//!
//! Only loopback is answered, and only under a loopback name, so that no page of another site can reach it. With `--web-bind` the
//! listener's page alone is also served on that address of the network, under that address alone.

mod listeners;
mod operator;
mod service;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

use crate::emulator::Api;
use crate::fault::{self, Fault};
use crate::network::own::{MeetingPoints, meeting_points};
use crate::standin::Running;
use crate::translate::Offer;
use listeners::Hall;
use service::Service;
use url::Url;

/// The name of the variable that tells where the page is.
pub const VARIABLE: &str = "LOCAL_STACK_WEB";

/// What the page needs of the stack.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// The built page.
    pub page: PathBuf,
    /// The recordings that it may play.
    pub samples: PathBuf,
    /// The real `sessionctl`.
    pub sessionctl: PathBuf,
    /// What a client of the stack has in its environment.
    pub environment: Vec<(String, String)>,
    /// DynamoDB, for the session service's table.
    pub api: Api,
    /// The control plane of KVS.
    pub kvs: String,
    /// The secret of the only key.
    pub secret_access_key: String,
    /// Where the WebSocket API is.
    pub socket: Url,
    /// The endpoint of the knobs.
    pub admin: String,
    /// What translates, and into which languages.
    pub offer: Offer,
    /// What the recogniser understands.
    pub spoken: Vec<String>,
    /// Where workers bind their media, if not on loopback.
    pub ice_bind: Option<Ipv4Addr>,
}

/// Something that the page asked for and did not get; the text is for its user.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Refused {
    status: StatusCode,
    text: String,
}

impl Refused {
    fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    fn upstream(text: impl ToString) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, text: text.to_string() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.text }))).into_response()
    }
}

type Answer = Result<Json<Value>, Refused>;

struct Web {
    config: WebConfig,
    service: Service,
    /// Where the network reaches the listener's page.
    open: Option<SocketAddr>,
}

/// The path of the listener's page.
pub const LISTEN: &str = "/listen/";

/// Serves the page on `listener`, and the listener's part of it on `open`, whoever asks there.
///
/// # Errors
/// When a listener is unusable.
pub fn serve(listener: TcpListener, open: Option<TcpListener>, config: WebConfig) -> std::io::Result<Running> {
    let mut running = Running::new(listener.local_addr()?);
    let hall = Hall::new(told(&config.offer, &config.spoken), config.socket.clone(), running.stop_signal());
    let mut shared = None;
    if let Some(open) = open {
        let address = open.local_addr()?;
        shared = Some(address);
        running.serve_all(open, listeners::open(hall.clone(), &config.page, address));
    }
    running.serve(listener, router(config, hall, shared));
    Ok(running)
}

fn router(config: WebConfig, hall: Arc<Hall>, open: Option<SocketAddr>) -> Router {
    let files = ServeDir::new(&config.page);
    let samples = ServeDir::new(&config.samples);
    let service = Service::new(&config);
    Router::new()
        .route("/api/config", get(configuration))
        .route("/api/sessions", post(create))
        .route("/api/sessions/{session}", patch(change))
        .route("/api/sessions/{session}/speaker", get(speaker))
        .route("/api/operator/list", get(list))
        .route("/api/operator/{session}/{what}", get(look).post(wish))
        .route("/api/faults", get(network))
        .route("/api/faults/{name}", post(break_it))
        .nest_service("/samples", samples)
        .with_state(Arc::new(Web { config, service, open }))
        .merge(listeners::routes(hall))
        .fallback_service(files)
        .layer(from_fn(own_name_only))
}

/// A name that resolves to loopback but is somebody else's would let their page read ours.
async fn own_name_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_own_name(host) {
        return (StatusCode::FORBIDDEN, "this page answers under 127.0.0.1 and localhost only").into_response();
    }
    let mut answer = next.run(request).await;
    // A page that was built anew is shown anew.
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    answer
}

fn is_own_name(host: &str) -> bool {
    let name = host.parse::<SocketAddr>().map(|address| address.ip().to_string());
    let name = name.unwrap_or_else(|_| host.split(':').next().unwrap_or_default().to_owned());
    matches!(name.as_str(), "127.0.0.1" | "localhost" | "::1")
}

async fn configuration(State(web): State<Arc<Web>>) -> Json<Value> {
    let WebConfig { api, socket, ice_bind, offer, spoken, .. } = &web.config;
    let MeetingPoints { loopback, own } = meeting_points(*ice_bind);
    let meeting: Vec<_> = loopback.into_iter().chain(own).collect();
    let mut answer = told(offer, spoken);
    answer["socket"] = json!(socket.as_str());
    answer["region"] = json!(api.region());
    answer["meeting"] = json!(meeting);
    answer["share"] = json!(web.open.map(|address| format!("http://{address}{LISTEN}")));
    Json(answer)
}

/// What translates, for its reader; the languages with an engine come first.
fn told(offer: &Offer, spoken: &[String]) -> Value {
    let translation = json!({ "says": offer.says(), "source": offer.source, "engines": offer.engines, "untranslated": offer.untranslated });
    json!({ "sourceLanguages": spoken, "languages": offer.languages(), "translation": translation })
}

async fn create(State(web): State<Arc<Web>>, Json(ask): Json<Value>) -> Answer {
    let language = ask["sourceLanguage"].as_str().unwrap_or("en");
    let judged = ask["judged"].as_bool().unwrap_or_default();
    web.service.create(language, judged).await.map(|session| Json(json!({ "sessionId": session })))
}

async fn change(State(web): State<Arc<Web>>, Path(session): Path<String>, Json(ask): Json<Value>) -> Answer {
    let status = ask["status"].as_str().unwrap_or_default();
    web.service.set_status(&session, status).await.map(|()| Json(json!({ "sessionId": session, "status": status })))
}

async fn speaker(State(web): State<Arc<Web>>, Path(session): Path<String>) -> Answer {
    web.service.speaker(&session).await.map(Json)
}

async fn list(State(web): State<Arc<Web>>) -> Answer {
    operator::ask(&web.config, &["list", "--all", "--json"]).await.map(Json)
}

async fn look(State(web): State<Arc<Web>>, Path((session, what)): Path<(String, String)>) -> Answer {
    let session = operator::session(&session)?;
    match what.as_str() {
        "show" | "why" => operator::ask(&web.config, &[&what, session.as_str(), "--json"]).await.map(Json),
        _ => Err(Refused::bad(format!("sessionctl {what} is not offered here"))),
    }
}

async fn wish(
    State(web): State<Arc<Web>>,
    Path((session, verb)): Path<(String, String)>,
    _json: Json<Value>,
) -> Answer {
    let session = operator::session(&session)?;
    let arguments = operator::wish(&verb, session.as_str())?;
    operator::say(&web.config, &arguments).await.map(|said| Json(json!({ "said": said })))
}

async fn network(State(web): State<Arc<Web>>) -> Answer {
    inject(&web, &Fault::Network { knobs: Vec::new() }).await
}

async fn break_it(State(web): State<Arc<Web>>, Path(name): Path<String>, Json(ask): Json<Value>) -> Answer {
    inject(&web, &fault_named(&name, ask["session"].as_str())?).await
}

async fn inject(web: &Web, fault: &Fault) -> Answer {
    let done = fault::inject_at(&web.config.admin, fault).await.map_err(Refused::upstream)?;
    Ok(Json(serde_json::from_str(&done).unwrap_or_else(|_| json!({ "said": done }))))
}

/// A button's fault.
fn fault_named(name: &str, session: Option<&str>) -> Result<Fault, Refused> {
    let knobs = |knob: &str| vec![knob.to_owned()];
    Ok(match (name, session) {
        ("kill-worker", Some(session)) => Fault::KillWorker { session: Some(session.to_owned()) },
        ("cut-transcribe", _) => Fault::Transcribe { knobs: knobs("cut=unclean") },
        ("throttle-translate", _) => {
            Fault::Translate { knobs: knobs(r#"refuse={"exception":"ThrottlingException","times":12}"#) }
        }
        ("cut-signaling", _) => Fault::Kvs { knobs: knobs("cut=unclean") },
        ("drop-none", _) => lossy("0", "1"),
        ("drop-10", _) => lossy("0.1", "1"),
        ("drop-20", _) => lossy("0.2", "1"),
        ("drop-20-bursts", _) => lossy("0.2", "3"),
        ("kill-worker", None) => return Err(Refused::bad("kill-worker needs a session")),
        _ => return Err(Refused::bad(format!("no fault is named {name}"))),
    })
}

fn lossy(loss: &str, burst: &str) -> Fault {
    Fault::Network { knobs: vec![format!("loss={loss}"), format!("burst={burst}")] }
}
