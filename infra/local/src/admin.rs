//! One endpoint for everything that can be broken while the stack runs. `local-stack fault` is its client; by hand, curl is.
//!
//! | path | what |
//! |---|---|
//! | `/mapping/faults`, `/mapping/replay`, `/mapping/ttl` | the event source mapping of the Sessions table, and its TTL |
//! | `/rows/faults`, `/rows/replay` | the event source mapping of our own table; `GET /rows/faults` counts what its filter drops |
//! | `/functions/kill` | kills the processes of the compiled functions (the controller) |
//! | `/ecs/…`, `/kvs/…`, `/transcribe/…`, `/translate/…`, `/gateway/…`, `/table/…` | that stand-in's own `/_local/…` |

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::emulator::Functions;
use crate::mapping::Poller;
use crate::standin::Running;

/// The name of the variable that tells clients where the endpoint is.
pub const VARIABLE: &str = "LOCAL_STACK_ADMIN";

struct Admin {
    http: reqwest::Client,
    stand_ins: BTreeMap<&'static str, String>,
    functions: Functions,
}

/// Serves the endpoint; `stand_ins` are their names and URLs.
///
/// # Errors
/// When the listener is unusable.
pub fn serve(
    listener: TcpListener,
    [sessions, rows]: &[Poller; 2],
    functions: Functions,
    stand_ins: BTreeMap<&'static str, String>,
) -> std::io::Result<Running> {
    let admin = Arc::new(Admin { http: reqwest::Client::new(), stand_ins, functions });
    let own = Router::new()
        .route("/functions/kill", post(kill_functions))
        .route("/{stand_in}/{*path}", any(pass_on))
        .with_state(admin);
    let mut running = Running::new(listener.local_addr()?);
    running.serve(listener, Router::new().nest("/mapping", sessions.router()).nest("/rows", rows.router()).merge(own));
    Ok(running)
}

async fn kill_functions(State(admin): State<Arc<Admin>>) -> Json<Value> {
    Json(json!({"killed": admin.functions.kill()}))
}

/// The stand-in answers itself.
async fn pass_on(
    State(admin): State<Arc<Admin>>,
    Path((stand_in, path)): Path<(String, String)>,
    method: Method,
    body: Bytes,
) -> Response {
    let Some(url) = admin.stand_ins.get(stand_in.as_str()) else {
        let known: Vec<&str> = admin.stand_ins.keys().copied().collect();
        let text = format!("no stand-in {stand_in}; there are mapping, functions, {}", known.join(", "));
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let request = admin.http.request(method, format!("{url}/_local/{path}"));
    let request = request.header("content-type", "application/json").body(body);
    match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            (status, [("content-type", "application/json")], answer.bytes().await.unwrap_or_default()).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
