//! The knobs of the mapping, below `/mapping` of the admin endpoint.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ttl::{self, Removal};
use super::{Faults, Shared};
use crate::standin::merged;

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/faults", post(set_faults).get(show))
        .route("/replay", post(replay))
        .route("/ttl", post(expire))
        .with_state(shared)
}

async fn show(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (faults, counts) = (shared.faults().clone(), shared.counts().clone());
    Json(json!({"faults": faults, "counts": counts}))
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

async fn replay(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.replay.notify_one();
    Json(json!({"replay": true}))
}

/// `{}`: all that have expired. `{"session": ID}`: this one, if it has. With `"force": true` even if it has not.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expire {
    session: Option<String>,
    force: bool,
}

async fn expire(State(shared): State<Arc<Shared>>, Json(asked): Json<Expire>) -> Response {
    let removed = match &asked.session {
        Some(session) => ttl::remove(&shared, session, asked.force).await.map(|removal| match removal {
            Removal::Removed => vec![session.clone()],
            Removal::Kept => Vec::new(),
        }),
        None => ttl::sweep(&shared).await,
    };
    match removed {
        Ok(removed) => Json(json!({"removed": removed})).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
