//! The API over HTTP (awsJson1.1), and what containers ask: metadata and credentials.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::events;
use super::faults::take;
use super::knobs;
use super::lifecycle::{Shared, live, now};
use super::model::{Definition, Stop, iso};
use super::request::{Refusal, RunTask};
use super::store::Launch;
use crate::emulator::ApiError;

const SERVICE: &str = "AmazonEC2ContainerServiceV20141113.";

/// What Fargate says of a zone that is full.
const NO_CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", post(call))
        .route("/v4/{task}/task", get(task_metadata))
        .route("/v4/{task}", get(container_metadata))
        .route("/v2/credentials/{task}", get(credentials))
        .with_state(Arc::clone(&shared))
        .nest("/_local", knobs::router(shared))
}

/// Delivers one event as EventBridge does: at least once, when it is not lost.
pub async fn deliver(shared: &Shared, event: &Value) {
    let copies = {
        let mut faults = shared.faults();
        if take(&mut faults.lose_events) { 0 } else { 1 + usize::from(faults.duplicate_events) }
    };
    for _copy in 0..copies {
        if let Err(error) = events::deliver(&shared.config.api, event).await {
            tracing::warn!(%error, "a task event could not be delivered");
        }
    }
}

async fn call(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|t| t.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix(SERVICE).unwrap_or_default();
    let input: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if take(&mut shared.faults().throttle) {
        return refuse(&Refusal::new("ThrottlingException", "Rate exceeded"));
    }
    let result = match operation {
        "RunTask" => run_task(&shared, &input).await,
        "ListTasks" => list_tasks(&shared, &input).await,
        "DescribeTasks" => describe_tasks(&shared, &input).await,
        "StopTask" => stop_task(&shared, &input).await,
        _ => forward(&shared, target, &input).await,
    };
    if operation == "RunTask" && result.is_ok() && take(&mut shared.faults().lose_answers) {
        let lost = json!({"__type": "ServerException", "message": "Service Unavailable. Please try again later."});
        return (StatusCode::INTERNAL_SERVER_ERROR, amz_json(lost)).into_response();
    }
    match result {
        Ok(answer) => amz_json(answer).into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

/// RunTask with the faults around it.
async fn run_task(shared: &Arc<Shared>, input: &Value) -> Result<Value, Refusal> {
    let (kill, throttle) = {
        let mut faults = shared.faults();
        let kill = take(&mut faults.kill_caller);
        (kill, !kill && take(&mut faults.hidden_throttle))
    };
    if kill {
        return Err(dead(shared).await);
    }
    if throttle {
        return Err(Refusal::new("InvalidParameterException", "Rate exceeded while launching the task."));
    }
    let answer = launch(shared, input).await?;
    let (kill, conflict) = {
        let mut faults = shared.faults();
        (take(&mut faults.kill_caller_after), take(&mut faults.conflict))
    };
    if kill {
        return Err(dead(shared).await);
    }
    if conflict {
        let arns = answer["tasks"].as_array().into_iter().flatten().filter_map(|task| task["taskArn"].as_str());
        let message = "The provided client token was used in a previous request with other parameters.";
        let resource_ids = arns.map(str::to_owned).collect();
        return Err(Refusal { resource_ids, ..Refusal::new("ConflictException", message) });
    }
    Ok(answer)
}

/// Kills the caller, and gives nobody an answer that could be mistaken for one.
async fn dead(shared: &Shared) -> Refusal {
    shared.config.functions.kill();
    // Its connection ends with it; the answer below reaches nobody.
    sleep(Duration::from_millis(200)).await;
    Refusal::new("ServerException", "The caller was killed on purpose.")
}

async fn launch(shared: &Arc<Shared>, input: &Value) -> Result<Value, Refusal> {
    let request = RunTask::parse(input)?;
    let cluster = cluster(shared, &request.cluster).await?;
    // A statement of its own: within `if let` the lock would be held to the end of the block.
    let repeated = shared.store().repeated(&cluster, &request, now())?;
    if let Some(launch) = repeated {
        return Ok(launched(shared, &launch));
    }
    let no_capacity = {
        let mut faults = shared.faults();
        take(&mut faults.no_capacity).then(|| faults.failure_reason.clone())
    };
    if let Some(reason) = no_capacity {
        let reason = if reason.is_empty() { NO_CAPACITY } else { reason.as_str() };
        return Ok(json!({"tasks": [], "failures": [{"reason": reason}]}));
    }
    let definition = definition(shared, &request.task_definition).await?;
    request.check_overrides(&definition)?;
    let ids: Vec<String> = (0..request.count).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    let launch = {
        let mut store = shared.store();
        // Asked again: another call with the same token may have come first while the definition was looked up.
        match store.repeated(&cluster, &request, now())? {
            Some(launch) => launch,
            None => store.launch(&cluster, &request, &definition, &ids, now()),
        }
    };
    if let Launch::New(arns) = &launch {
        for arn in arns {
            tokio::spawn(live(Arc::clone(shared), arn.clone()));
        }
    }
    Ok(launched(shared, &launch))
}

fn launched(shared: &Shared, launch: &Launch) -> Value {
    let (Launch::New(arns) | Launch::Same(arns)) = launch;
    let store = shared.store();
    let shown = |task: &super::model::Task| {
        if task.stopped_at.is_some() { task.reduced() } else { task.shown(true) }
    };
    let tasks: Vec<Value> = arns.iter().filter_map(|arn| store.task(arn)).map(shown).collect();
    json!({"tasks": tasks, "failures": []})
}

async fn list_tasks(shared: &Shared, input: &Value) -> Result<Value, Refusal> {
    let cluster = cluster(shared, input["cluster"].as_str().unwrap_or("default")).await?;
    shared.store().list(&cluster, input, now())
}

async fn describe_tasks(shared: &Shared, input: &Value) -> Result<Value, Refusal> {
    let cluster = cluster(shared, input["cluster"].as_str().unwrap_or("default")).await?;
    let invisible = i64::from(shared.faults().invisible_ms);
    Ok(shared.store().describe(&cluster, input, invisible, now()))
}

async fn stop_task(shared: &Shared, input: &Value) -> Result<Value, Refusal> {
    let cluster = cluster(shared, input["cluster"].as_str().unwrap_or("default")).await?;
    let reason = input["reason"].as_str().unwrap_or("Task stopped by user");
    stop(shared, &cluster, input["task"].as_str().unwrap_or_default(), Stop::new("UserInitiated", reason))
}

/// The wish, and its announcement.
pub fn stop(shared: &Shared, cluster: &str, task: &str, why: Stop) -> Result<Value, Refusal> {
    let task = shared.store().stop(cluster, task, why)?;
    shared.announce(&task);
    shared.wish();
    Ok(json!({"task": task.shown(false)}))
}

/// A cluster's ARN, if the emulator has the cluster.
async fn cluster(shared: &Shared, cluster: &str) -> Result<String, Refusal> {
    let answer = forward(shared, &format!("{SERVICE}DescribeClusters"), &json!({"clusters": [cluster]})).await?;
    let found = answer["clusters"][0]["clusterArn"].as_str().map(str::to_owned);
    found.ok_or_else(|| Refusal::new("ClusterNotFoundException", "Cluster not found."))
}

async fn definition(shared: &Shared, name: &str) -> Result<Definition, Refusal> {
    let target = format!("{SERVICE}DescribeTaskDefinition");
    let answer = forward(shared, &target, &json!({"taskDefinition": name})).await;
    let unknown = |_| Refusal::new("ClientException", format!("TaskDefinition not found: {name}"));
    let answer = answer.map_err(unknown)?;
    Definition::parse(&answer["taskDefinition"]).map_err(|problem| Refusal::new("ClientException", problem))
}

/// What is not ours to stand in: the emulator answers.
async fn forward(shared: &Shared, target: &str, input: &Value) -> Result<Value, Refusal> {
    shared.config.api.call(target, input).await.map_err(|error| match error {
        ApiError::Unreachable { .. } => Refusal::new("ServerException", error.to_string()),
        ApiError::Refused { message, .. } => Refusal::new("ClientException", message),
    })
}

async fn task_metadata(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let store = shared.store();
    let Some(task) = store.tasks().find(|task| task.id() == id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let metadata = json!({
        "Cluster": task.cluster_arn,
        "TaskARN": task.arn,
        "Family": task.definition.family,
        "Revision": task.definition.revision.to_string(),
        "DesiredStatus": task.desired(),
        "KnownStatus": task.status.as_str(),
        "LaunchType": "FARGATE",
        "AvailabilityZone": "",
        "PullStartedAt": task.pulled.0.map(iso),
        "PullStoppedAt": task.pulled.1.map(iso),
        "Containers": [container_shown(task)],
    });
    Json(metadata).into_response()
}

async fn container_metadata(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let store = shared.store();
    let Some(task) = store.tasks().find(|task| task.id() == id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    Json(container_shown(task)).into_response()
}

fn container_shown(task: &super::model::Task) -> Value {
    let mut shown = json!({
        "DockerId": task.id(), "Name": task.definition.container, "Image": task.definition.image, "Type": "NORMAL",
    });
    // As on ECS: there with a restart policy only.
    if task.definition.restart.is_some() {
        shown["RestartCount"] = json!(task.restarts);
    }
    shown
}

/// Credentials of a role always have a session token; who leaves it out of a presigned query is found out on AWS only.
const SESSION_TOKEN: &str = "local-task-role";

/// The task role's credentials. They last: nothing here rotates.
async fn credentials(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    if !shared.store().tasks().any(|task| task.id() == id) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let config = &shared.config;
    let in_six_hours = iso(now().plus_ms(6 * 3_600_000));
    Json(json!({
        "AccessKeyId": config.access_key_id, "SecretAccessKey": config.secret_access_key,
        "Token": SESSION_TOKEN, "Expiration": in_six_hours,
    }))
    .into_response()
}

/// HTTP 400.
pub fn refuse(refusal: &Refusal) -> Response {
    (StatusCode::BAD_REQUEST, amz_json(refusal.body())).into_response()
}

fn amz_json(body: Value) -> impl IntoResponse {
    ([("content-type", "application/x-amz-json-1.1")], body.to_string())
}
