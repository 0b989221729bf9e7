//! "ECS Task State Change": built as AWS builds it, and delivered along the rules that the template put into the emulator,
//! which (as AWS) takes no `aws.*` events from anybody.

use schemas::ids::Timestamp;
use serde_json::{Value, json};

use super::model::{Task, iso};
use super::pattern;
use crate::emulator::{Api, ApiError};

/// The event of a task's newest version.
pub fn state_change(task: &Task, region: &str, account: &str, now: Timestamp) -> Value {
    let mut detail = task.detail();
    detail["updatedAt"] = json!(iso(now));
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": account,
        "time": iso(now),
        "region": region,
        "resources": [task.arn],
        "detail": detail,
    })
}

/// Gives the event to the functions of every enabled rule that it matches; how many took it.
///
/// # Errors
/// When the emulator can't be asked for its rules.
pub async fn deliver(api: &Api, event: &Value) -> Result<usize, ApiError> {
    let rules = api.call("AWSEvents.ListRules", &json!({})).await?;
    let mut taken = 0;
    for rule in rules["Rules"].as_array().into_iter().flatten().filter(|rule| wants(rule, event)) {
        let targets = api.call("AWSEvents.ListTargetsByRule", &json!({"Rule": rule["Name"]})).await?;
        for target in targets["Targets"].as_array().into_iter().flatten() {
            match invoke(api, target, event).await {
                Ok(()) => taken += 1,
                Err(error) => tracing::warn!(rule = %rule["Name"], %error, "a task event was not delivered"),
            }
        }
    }
    Ok(taken)
}

fn wants(rule: &Value, event: &Value) -> bool {
    let text = rule["EventPattern"].as_str().unwrap_or_default();
    if text.is_empty() || rule["State"] == "DISABLED" {
        return false;
    }
    let matched = serde_json::from_str(text).map(|pattern: Value| pattern::matches(&pattern, event));
    match matched {
        Ok(Ok(matched)) => matched,
        Ok(Err(error)) => {
            tracing::error!(rule = %rule["Name"], %error, "a rule was left out");
            false
        }
        Err(error) => {
            tracing::error!(rule = %rule["Name"], %error, "a rule's pattern is not JSON");
            false
        }
    }
}

/// A target that the stand-in cannot serve, or an invocation that failed.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("target {0}: only plain Lambda functions are served here")]
    Target(String),
    #[error(transparent)]
    Invoke(#[from] ApiError),
}

async fn invoke(api: &Api, target: &Value, event: &Value) -> Result<(), Undelivered> {
    let arn = target["Arn"].as_str().unwrap_or_default();
    let plain =
        ["Input", "InputPath", "InputTransformer"].iter().all(|key| target.get(*key).is_none_or(Value::is_null));
    if !arn.contains(":lambda:") || !plain {
        return Err(Undelivered::Target(arn.to_owned()));
    }
    Ok(api.invoke_event(arn, event).await?)
}
