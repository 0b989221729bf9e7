//! A task that has ended, as the event of its end tells it.

use aws_sdk_ecs::primitives::{DateTime, DateTimeFormat};
use controller_core::model::{Task, status_is_stopped};
use schemas::ids::{SessionId, TaskArn, Timestamp, parse_started_by};
use serde_json::Value;

/// The session and its task, when this event tells of the end of a task of ours, and all of it. That is final, so ECS needs not be asked: a call for each end
/// would be more than its rate has for others.
#[must_use]
pub fn ended(event: &Value) -> Option<(SessionId, Task)> {
    let detail = event.get("detail")?;
    let text = |name: &str| detail.get(name).and_then(Value::as_str);
    let last_status = text("lastStatus").filter(|status| status_is_stopped(status))?;
    let (session, generation) = parse_started_by(text("startedBy")?)?;
    // With more than one nobody here knows which is the worker's.
    let [container] = &detail.get("containers")?.as_array()?[..] else { return None };
    let exit_code = container.get("exitCode").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
    let at = |name: &str| {
        let time = DateTime::from_str(text(name)?, DateTimeFormat::DateTimeWithOffset).ok()?;
        time.to_millis().ok().map(Timestamp)
    };
    let task = Task {
        arn: TaskArn::try_new(text("taskArn")?).ok()?,
        generation,
        last_status: last_status.to_owned(),
        desired_status: text("desiredStatus").unwrap_or_default().to_owned(),
        started_at: at("startedAt"),
        stopped_at: Some(at("stoppedAt")?),
        stop_code: text("stopCode").map(str::to_owned),
        stopped_reason: text("stoppedReason").map(str::to_owned),
        exit_code,
    };
    Some((session, task))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        json!({"detail-type": "ECS Task State Change", "detail": {
            "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/workers/abc", "startedBy": "a-b-1/3",
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
            "startedAt": "2026-12-01T10:00:00.500Z", "stoppedAt": "2026-12-01T10:00:01Z",
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "worker", "exitCode": 137}]}})
    }

    #[test]
    fn an_end_is_read_whole() {
        let (session, task) = ended(&event()).unwrap();
        assert_eq!((session.as_str(), task.generation.0, task.exit_code), ("a-b-1", 3, Some(137)));
        assert_eq!(task.stopped_at.unwrap().since(task.started_at.unwrap()), 500);
        assert_eq!(task.stop_code.as_deref(), Some("EssentialContainerExited"));
        assert!(task.is_stopped());
    }

    #[test]
    fn ecs_is_asked_where_the_event_is_no_end_or_does_not_tell_it_whole() {
        let without = |pointer: &str, value: Value| {
            let mut event = event();
            *event.pointer_mut(pointer).unwrap() = value;
            ended(&event)
        };
        assert_eq!(without("/detail/lastStatus", json!("RUNNING")), None, "it may be late, and told after its end");
        assert_eq!(without("/detail/startedBy", json!("somebody")), None);
        assert_eq!(without("/detail/stoppedAt", Value::Null), None);
        assert_eq!(without("/detail/containers", json!([{"name": "worker"}, {"name": "another"}])), None);
        assert_eq!(without("/detail/taskArn", json!("?")), None);
        let never_started = without("/detail/startedAt", Value::Null).unwrap();
        assert_eq!(never_started.1.started_at, None);
    }
}
