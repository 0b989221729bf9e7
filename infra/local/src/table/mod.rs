//! DynamoDB as workers and functions reach it: everything is passed on to the emulator, unless it was taken away from the caller for a
//! while. Whoever looks at the stack from outside (an operator, a test) asks the emulator itself, and always gets an answer.

mod faults;

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

use self::faults::{Fate, Outage, Wanted};
use crate::standin::Running;

/// Who calls; each has a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A task.
    Worker,
    /// The controller.
    Function,
}

impl Caller {
    fn path(self) -> &'static str {
        match self {
            Self::Worker => "/worker",
            Self::Function => "/function",
        }
    }
}

/// The variable by which a caller finds the tables at this port.
pub fn endpoint(port: u16, caller: Caller) -> (String, String) {
    ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), format!("http://127.0.0.1:{port}{}", caller.path()))
}

struct Service {
    emulator: String,
    http: reqwest::Client,
    outage: Mutex<Outage>,
}

impl Service {
    fn outage<T>(&self, change: impl FnOnce(&mut Outage) -> T) -> T {
        change(&mut self.outage.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves every path but `/_local/faults` (see `faults.rs`) by asking `emulator` the same.
///
/// # Errors
/// When the listener is unusable.
pub fn serve(listener: TcpListener, emulator: String) -> std::io::Result<Running> {
    let mut running = Running::new(listener.local_addr()?);
    let service = Service { emulator, http: reqwest::Client::new(), outage: Mutex::default() };
    let router = Router::new().route("/_local/faults", get(state).post(break_it)).fallback(pass_on);
    running.serve(listener, router.with_state(Arc::new(service)));
    Ok(running)
}

async fn pass_on(State(service): State<Arc<Service>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let caller = if uri.path().starts_with(Caller::Worker.path()) { Caller::Worker } else { Caller::Function };
    match service.outage(|outage| outage.fate(caller, &body, Instant::now())) {
        Fate::Answered => {}
        Fate::Silence { until } => {
            // Whoever still waits then learns that nothing was done.
            sleep_until(until).await;
            return refused(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
        }
        Fate::Fault => return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        Fate::Throttled => return refused(StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException"),
    }
    ask(&service, headers, body).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the emulator does not answer");
        refused(StatusCode::BAD_GATEWAY, "InternalServerError")
    })
}

async fn ask(service: &Service, headers: HeaderMap, body: Bytes) -> Result<Response, reqwest::Error> {
    let of_the_connection =
        |name: &HeaderName| [header::HOST, header::CONTENT_LENGTH, header::CONNECTION].contains(name);
    let passed = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
    let passed: HeaderMap = passed.filter(|(name, _)| !of_the_connection(name)).collect();
    let answer = service.http.post(&service.emulator).headers(passed).body(body).send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = (status, answer.bytes().await?).into_response();
    for (name, value) in
        headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz") || **name == header::CONTENT_TYPE)
    {
        response.headers_mut().insert(name, value.clone());
    }
    Ok(response)
}

fn refused(status: StatusCode, kind: &str) -> Response {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
    let body = Json(json!({"__type": kind, "message": "The table was taken away (local-stack fault table)."}));
    (status, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}

async fn break_it(State(service): State<Arc<Service>>, Json(wanted): Json<Wanted>) -> Json<Value> {
    service.outage(|outage| outage.set(wanted, Instant::now()));
    state(State(service)).await
}

async fn state(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(service.outage(|outage| outage.describe(Instant::now())))
}
