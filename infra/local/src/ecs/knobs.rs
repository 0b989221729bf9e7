//! What tests and demos may do to ECS, below `/_local`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::faults::Faults;
use super::lifecycle::Shared;
use super::model::Stop;
use super::server::{refuse, stop};
use crate::standin::merged;

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/faults", post(set_faults).get(show_faults))
        .route("/stop", post(stop_as_aws))
        .route("/kill", post(kill))
        .route("/hang", post(hang))
        .route("/tasks", get(all_tasks))
        .with_state(shared)
}

async fn set_faults(State(shared): State<Arc<Shared>>, Json(change): Json<Value>) -> Response {
    let faults = shared.faults().clone();
    match merged::<Faults>(&faults, &change) {
        Ok(faults) => {
            *shared.faults() = faults.clone();
            Json(faults).into_response()
        }
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, problem).into_response(),
    }
}

async fn show_faults(State(shared): State<Arc<Shared>>) -> Json<Faults> {
    Json(shared.faults().clone())
}

/// A stop that is AWS's own: `{"task": ARN, "stopCode": "SpotInterruption", "reason": "Your Spot Task was interrupted."}`.
async fn stop_as_aws(State(shared): State<Arc<Shared>>, Json(input): Json<Value>) -> Response {
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    let cluster = shared.store().task(text("task")).map(|task| task.cluster_arn.clone()).unwrap_or_default();
    match stop(&shared, &cluster, text("task"), Stop::new(text("stopCode"), text("reason"))) {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

/// `{"session": ID}` or `{}`: SIGKILL to the containers of the session's tasks, or of all; as a host that fails.
async fn kill(State(shared): State<Arc<Shared>>, Json(input): Json<Value>) -> Json<Value> {
    let killed = signal(&shared, &input, Signal::SIGKILL);
    tracing::info!(?killed, "containers were killed on purpose");
    Json(json!({"killed": killed}))
}

/// The same with SIGSTOP: a process that hangs, which only SIGKILL ends.
async fn hang(State(shared): State<Arc<Shared>>, Json(input): Json<Value>) -> Json<Value> {
    let hung = signal(&shared, &input, Signal::SIGSTOP);
    tracing::info!(?hung, "containers hang on purpose");
    Json(json!({"hung": hung}))
}

fn signal(shared: &Shared, input: &Value, signal: Signal) -> Vec<String> {
    let prefix = input["session"].as_str().map(|session| format!("{session}/"));
    let of_session = |task: &&super::model::Task| {
        let by = task.started_by.as_deref().unwrap_or_default();
        prefix.as_ref().is_none_or(|prefix| by.starts_with(prefix.as_str()))
    };
    let arns: Vec<String> = shared.store().tasks().filter(of_session).map(|task| task.arn.clone()).collect();
    arns.into_iter().filter(|arn| shared.signal(arn, signal)).collect()
}

/// All tasks that were ever started, as DescribeTasks shows them, so that tests can count them.
async fn all_tasks(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.store().tasks().map(|task| task.shown(false)).collect())
}
