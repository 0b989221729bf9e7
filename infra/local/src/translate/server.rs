//! The HTTP side: awsJson1.1 and RPC v2 CBOR, limits, faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TranslateConfig;
use super::apertium::{self, Engine};
use super::cbor;
use super::faults::{Exception, Fate, Faults};
use super::languages::{Mode, is_known, route};
use super::models::Models;
use super::neural::Neural;
use super::text::mend;

/// The operation, as awsJson1.1 names it.
const TARGET: &str = "AWSShineFrontendService_20170701.TranslateText";
/// Longest answer, bytes: a text has 10,000 at most.
const ANSWER_BYTES: usize = 1 << 20;

/// What answers.
pub struct Service {
    engine: String,
    config: TranslateConfig,
    modes: BTreeSet<Mode>,
    engines: BTreeMap<Mode, Engine>,
    models: Option<(Models, Neural)>,
    faults: Mutex<Faults>,
    /// The kinds of requests that came: all of them but the text, each once.
    asked: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ask {
    text: String,
    source_language_code: String,
    target_language_code: String,
    #[serde(default)]
    settings: Option<Value>,
    #[serde(default)]
    terminology_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    translated_text: String,
    source_language_code: String,
    target_language_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_settings: Option<Value>,
}

/// An error of the API.
struct Failure {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Failure {
    fn client(kind: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind, message: message.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "__type": self.kind, "message": self.message });
        (self.status, [("content-type", "application/x-amz-json-1.1")], body.to_string()).into_response()
    }
}

impl From<Exception> for Failure {
    fn from(exception: Exception) -> Self {
        match exception {
            Exception::Throttling => Self::client("ThrottlingException", "Rate exceeded"),
            Exception::TooManyRequests => Self::client(
                "TooManyRequestsException",
                "You have made too many requests within a short period of time.",
            ),
            Exception::InternalServer => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                kind: "InternalServerException",
                message: "An internal server error occurred. Retry your request.".to_owned(),
            },
            Exception::ServiceUnavailable => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: "ServiceUnavailableException",
                message: "The service is temporarily unavailable. Retry your request later.".to_owned(),
            },
        }
    }
}

impl Service {
    /// Knows the engines of Apertium, but starts none.
    pub fn new(
        engine: String,
        config: TranslateConfig,
        modes: BTreeSet<Mode>,
        models: Option<(Models, Neural)>,
    ) -> Self {
        let start = |mode: &Mode| (mode.clone(), Engine::new(&config.modes, mode, config.patience));
        let engines = modes.iter().map(start).collect();
        let (faults, asked) = (Mutex::new(Faults::default()), Mutex::default());
        Self { engine, config, modes, engines, models, faults, asked }
    }

    /// Starts what a pair needs; a pair without an engine needs nothing.
    pub async fn warm(&self, source: &str, target: &str) -> Result<(), apertium::Error> {
        for mode in route(&self.modes, source, target).unwrap_or_default() {
            if let Some(engine) = self.engines.get(&mode) {
                engine.warm().await?;
            }
        }
        Ok(())
    }

    async fn translate(&self, ask: &Ask) -> Result<String, Failure> {
        let Ask { text, source_language_code: source, target_language_code: target, .. } = ask;
        if text.is_empty() {
            return Err(Failure::client("ValidationException", "Text must have at least one character"));
        }
        if text.len() > self.config.text_bytes {
            let message = format!(
                "Input text size exceeds limit. Max length of request text allowed is {} bytes while in this request \
                 the text size is {} bytes",
                self.config.text_bytes,
                text.len()
            );
            return Err(Failure::client("TextSizeLimitExceededException", message));
        }
        if source == "auto" {
            let message = "the local translator does not detect languages: name the source language";
            return Err(Failure::client("DetectedLanguageLowConfidenceException", message));
        }
        if !is_known(source) || !is_known(target) {
            let message = format!("Unsupported language pair: {source} to {target}.");
            return Err(Failure::client("UnsupportedLanguagePairException", message));
        }
        if source == target {
            return Ok(text.clone());
        }
        self.engines_translate(source, target, text).await.map_err(|error| {
            tracing::error!(error, source, target, "no translation");
            Failure::from(Exception::InternalServer)
        })
    }

    /// By the user's models, else by Apertium, else not at all, openly.
    async fn engines_translate(&self, source: &str, target: &str, text: &str) -> Result<String, String> {
        if let Some((models, neural)) = &self.models
            && let Some(way) = models.way(source, target)
        {
            return neural.translate(&way, text, target).await.map_err(|error| error.to_string());
        }
        let Some(chain) = route(&self.modes, source, target) else {
            return Ok(format!("⟦{target}⟧ {text}"));
        };
        let mut current = text.to_owned();
        for engine in chain.iter().filter_map(|mode| self.engines.get(mode)) {
            let translated = engine.translate(&current).await.map_err(|error| error.to_string())?;
            current = mend(&current, &translated);
        }
        Ok(current)
    }

    fn note(&self, ask: &Ask) {
        let kind = json!({
            "source": ask.source_language_code, "target": ask.target_language_code,
            "settings": ask.settings, "terminologyNames": ask.terminology_names,
        });
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.to_string());
    }

    fn faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The routes.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", post(call))
        .route(cbor::PATH, post(call_in_cbor))
        .route("/_local/faults", get(state).post(break_it))
        .layer(DefaultBodyLimit::max(1 << 20))
        .with_state(service)
}

async fn call(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Response {
    let (fate, latency) = service.faults(|faults| (faults.fate(), faults.latency_ms.unwrap_or(0)));
    tokio::time::sleep(Duration::from_millis(latency)).await;
    match fate {
        Fate::Served => {}
        Fate::Refused(exception) => return Failure::from(exception).into_response(),
        Fate::Cut => {
            let broken = Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
            return Body::from_stream(futures_util::stream::iter([broken])).into_response();
        }
    }
    // A task of its own: a caller that hangs up must not stop a pipeline between question and answer.
    let served = tokio::spawn(async move { serve(&service, &headers, &body).await }).await;
    served.map_or_else(
        |_panicked| Failure::from(Exception::InternalServer).into_response(),
        |served| served.map_or_else(IntoResponse::into_response, IntoResponse::into_response),
    )
}

/// The same call in RPC v2 CBOR.
async fn call_in_cbor(service: State<Arc<Service>>, mut headers: HeaderMap, body: Bytes) -> Response {
    headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
    // What cannot be read is refused below, as JSON that cannot be read is.
    let body = cbor::read(&body).map_or_else(|_unreadable| Bytes::new(), |ask| Bytes::from(ask.to_string()));
    let (mut parts, body) = call(service, headers, body).await.into_parts();
    let Ok(bytes) = to_bytes(body, ANSWER_BYTES).await else {
        let broken = Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
        return Body::from_stream(futures_util::stream::iter([broken])).into_response();
    };
    let answer = cbor::write(&serde_json::from_slice(&bytes).unwrap_or_default());
    parts.headers.clear();
    parts.headers.insert("content-type", HeaderValue::from_static("application/cbor"));
    parts.headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    Response::from_parts(parts, Body::from(answer))
}

async fn serve(service: &Service, headers: &HeaderMap, body: &[u8]) -> Result<Response, Failure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !header("authorization").starts_with("AWS4-HMAC-SHA256 ") {
        return Err(Failure::client("MissingAuthenticationTokenException", "Missing Authentication Token"));
    }
    if header("x-amz-target") != TARGET {
        return Err(Failure::client("UnknownOperationException", "only TranslateText is stood in for"));
    }
    let ask: Ask = serde_json::from_slice(body)
        .map_err(|error| Failure::client("SerializationException", format!("the request is not readable: {error}")))?;
    service.note(&ask);
    let translated_text = service.translate(&ask).await?;
    let answer = Answer {
        translated_text,
        source_language_code: ask.source_language_code,
        target_language_code: ask.target_language_code,
        // No engine here knows formality or brevity: nothing is applied, and said so as AWS does.
        applied_settings: ask.settings.map(|_wanted| json!({})),
    };
    Ok(([("content-type", "application/x-amz-json-1.1")], Json(answer)).into_response())
}

async fn break_it(State(service): State<Arc<Service>>, Json(wanted): Json<Faults>) -> Json<Value> {
    service.faults(|faults| faults.set(wanted));
    state(State(service)).await
}

async fn state(State(service): State<Arc<Service>>) -> Json<Value> {
    let modes: Vec<String> = service.modes.iter().map(|(from, to)| format!("{from}-{to}")).collect();
    let asked = service.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let asked: Vec<Value> = asked.iter().filter_map(|kind| serde_json::from_str(kind).ok()).collect();
    let set = service.faults(|faults| faults.clone());
    let models =
        service.models.as_ref().map(|(models, neural)| json!({ "engine": neural.name, "models": models.names() }));
    Json(json!({ "engine": service.engine, "modes": modes, "models": models, "set": set, "asked": asked }))
}
