//! The HTTP side: opening streams, refusing them, and the faults.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, watch};

use super::TranscribeConfig;
use super::engine::Engine;
use super::faults::{Cut, Exception, Faults, How, Knobs};
use super::frames::{Frames, authorization, exception};
use super::request::{Request, asked, response_headers};
use super::result::Teller;
use super::stream::{End, Stream};
use crate::standin::Running;

struct Service {
    engine: Engine,
    config: TranscribeConfig,
    places: Arc<Semaphore>,
    cuts: broadcast::Sender<Cut>,
    knobs: Arc<watch::Sender<Knobs>>,
    /// What the last streams asked for, the newest last.
    asked: Mutex<VecDeque<BTreeMap<String, String>>>,
}

/// So many streams are remembered.
const REMEMBERED: usize = 16;

/// The routes.
pub fn router(engine: Engine, config: TranscribeConfig, running: &Running) -> Router {
    let places = Arc::new(Semaphore::new(config.limits.streams));
    let cuts = broadcast::Sender::new(16);
    let (stopped, cut) = (running.stopped(), cuts.clone());
    tokio::spawn(async move {
        stopped.await;
        // No streams, nobody to tell.
        let _none = cut.send(Cut::Unclean);
    });
    let knobs = Arc::new(watch::Sender::new(Knobs::default()));
    let service = Arc::new(Service { engine, config, places, cuts, knobs, asked: Mutex::default() });
    Router::new()
        .route("/stream-transcription", post(open))
        .route("/_local/faults", get(state).post(break_it))
        .with_state(service)
}

/// `StartStreamTranscription`.
async fn open(State(service): State<Arc<Service>>, http: HttpRequest) -> Response {
    let (parts, body) = http.into_parts();
    let Some(seed) = service.seed(&parts.headers) else {
        let message = "The security token included in the request is invalid.";
        return refuse(StatusCode::FORBIDDEN, "UnrecognizedClientException", message);
    };
    service.note(asked(&parts.headers));
    let request = match Request::read(&parts.headers) {
        Ok(request) => request,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, "BadRequestException", &message),
    };
    let id = uuid::Uuid::new_v4().to_string();
    let session = request.session.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let headers = response_headers(&parts.headers, &session, &id);
    if let Some(objection) = service.engine.objection(&request) {
        tracing::warn!(engine = service.engine.name(), "{objection}");
        return (headers, Body::from(exception(Exception::BadRequest.name(), &objection))).into_response();
    }
    let permit = match service.admit() {
        Ok(permit) => permit,
        Err((kind, message, How::InBand)) => {
            return (headers, Body::from(exception(kind.name(), &message))).into_response();
        }
        Err((kind, message, How::Http)) => {
            let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return refuse(status, kind.name(), &message);
        }
    };
    let ears = match service.engine.open(&request).await {
        Ok(ears) => ears,
        Err(error) => {
            tracing::error!(%error, "no recogniser for a stream");
            let kind = Exception::InternalFailure.name();
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, kind, &error.to_string());
        }
    };
    let (out, frames_out) = mpsc::unbounded_channel();
    let config = &service.config;
    let stream = Stream {
        body: body.into_data_stream(),
        frames: Frames::new(&config.access_key_id, &config.secret_access_key, &config.region, &seed),
        ears,
        teller: Teller::new(request.stability),
        out,
        limits: config.limits.clone(),
        cuts: service.cuts.subscribe(),
        knobs: service.knobs.clone(),
        permit,
    };
    tokio::spawn(tell_end(stream, service.engine.name().to_owned(), request));
    let body = stream::unfold(frames_out, async |mut frames| frames.recv().await.map(|frame| (frame, frames)));
    (headers, Body::from_stream(body)).into_response()
}

async fn tell_end(stream: Stream, engine: String, request: Request) {
    tracing::info!(engine, language = ?request.language, "a stream opened");
    match stream.run().await {
        End::Told => tracing::info!("a stream ended"),
        End::Exception(kind, message) => tracing::info!(kind, message, "a stream ended with an exception"),
        End::ClientGone => tracing::info!("a stream ended: the client went away"),
        End::Cut(how) => tracing::info!(?how, "a stream was cut by a fault"),
    }
}

impl Service {
    /// The signature of a request of ours, which begins the chain of the frames' signatures.
    fn seed(&self, headers: &HeaderMap) -> Option<String> {
        let header = headers.get("authorization")?.to_str().ok()?;
        let (key, signature) = authorization(header)?;
        (key == self.config.access_key_id).then(|| signature.to_owned())
    }

    fn note(&self, asked: BTreeMap<String, String>) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(asked);
    }

    /// A place for a stream, or why not.
    fn admit(&self) -> Result<OwnedSemaphorePermit, (Exception, String, How)> {
        let mut refusal = None;
        self.knobs.send_modify(|knobs| refusal = knobs.refusal());
        if let Some((kind, how)) = refusal {
            return Err((kind, "injected by a fault".to_owned(), how));
        }
        Arc::clone(&self.places).try_acquire_owned().map_err(|_full| {
            let message = "You have reached your account limit of concurrent streams. Try again later.".to_owned();
            (Exception::LimitExceeded, message, How::InBand)
        })
    }
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], Json(json!({ "Message": message }))).into_response()
}

async fn break_it(State(service): State<Arc<Service>>, Json(faults): Json<Faults>) -> Json<Value> {
    service.knobs.send_modify(|knobs| knobs.set(&faults));
    if let Some(cut) = faults.cut {
        // Without open streams there is nobody to cut.
        let _none = service.cuts.send(cut);
    }
    state(State(service)).await
}

async fn state(State(service): State<Arc<Service>>) -> Json<Value> {
    let open = service.config.limits.streams - service.places.available_permits();
    let asked = service.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Json(json!({ "engine": service.engine.name(), "open": open, "set": *service.knobs.borrow(), "asked": asked }))
}
