//! The HTTP side: the same request to the emulator, unless a fault says otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::faults::{Faults, Wanted};

/// What the emulator must see of a request.
const PASSED_ON: [&str; 4] = ["authorization", "content-type", "x-amz-date", "x-amz-security-token"];

struct Service {
    emulator: String,
    http: reqwest::Client,
    faults: Mutex<Faults>,
}

impl Service {
    fn faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(
        &self,
        method: Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{uri}", self.emulator)).body(body);
        for (name, value) in PASSED_ON.iter().filter_map(|name| Some((*name, headers.get(*name)?))) {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = (status, answer.bytes().await?).into_response();
        for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz")) {
            response.headers_mut().insert(name, value.clone());
        }
        Ok(response)
    }
}

/// The routes.
pub fn router(emulator: String) -> Router {
    let service = Service { emulator, http: reqwest::Client::new(), faults: Mutex::default() };
    Router::new().route("/_local/faults", get(state).post(break_it)).fallback(pass_on).with_state(Arc::new(service))
}

async fn pass_on(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fate = service.faults(|faults| faults.fate(&connection(uri.path())));
    tokio::time::sleep(Duration::from_millis(fate.stall_ms)).await;
    if let Some(status) = fate.status {
        return refused(status);
    }
    service.ask(method, &uri, &headers, body).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the emulator does not answer");
        refused(StatusCode::BAD_GATEWAY.as_u16())
    })
}

/// The connection of a path such as `/prod/@connections/abc%3D`.
pub fn connection(path: &str) -> String {
    let id = path.rsplit('/').next().unwrap_or_default();
    // A query's rules decode what a path's rules encoded: `+`, which they treat differently, is in no connection id.
    let pair = url::form_urlencoded::parse(id.as_bytes()).next();
    pair.map(|(key, value)| if value.is_empty() { key.into_owned() } else { format!("{key}={value}") })
        .unwrap_or_default()
}

fn refused(status: u16) -> Response {
    let (kind, message) = match status {
        403 => ("ForbiddenException", "Forbidden"),
        410 => ("GoneException", "Gone"),
        413 => ("PayloadTooLargeException", "Payload too large"),
        429 => ("LimitExceededException", "Too many requests, or the client's buffer is full"),
        _ => ("InternalServerErrorException", "Internal server error"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("x-amzn-errortype", kind)], Json(json!({ "message": message }))).into_response()
}

async fn break_it(State(service): State<Arc<Service>>, Json(wanted): Json<Wanted>) -> Json<Value> {
    service.faults(|faults| faults.set(wanted));
    state(State(service)).await
}

async fn state(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!(service.faults(|faults| faults.clone())))
}
