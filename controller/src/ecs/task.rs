//! A task as ECS describes it → the facts that decisions are made from.

use controller_core::model::Task;
use schemas::ids::{Generation, TaskArn, Timestamp};

/// The facts of a task; `None` without a readable ARN.
pub(super) fn read(task: &aws_sdk_ecs::types::Task, generation: Generation, container: &str) -> Option<Task> {
    let worker = task.containers().iter().find(|c| c.name() == Some(container));
    let at = |time: Option<&aws_sdk_ecs::primitives::DateTime>| time.and_then(|t| t.to_millis().ok()).map(Timestamp);
    Some(Task {
        arn: TaskArn::try_new(task.task_arn()?).ok()?,
        generation,
        last_status: task.last_status().unwrap_or_default().to_owned(),
        desired_status: task.desired_status().unwrap_or_default().to_owned(),
        started_at: at(task.started_at()),
        stopped_at: at(task.stopped_at()),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        exit_code: worker.and_then(|c| c.exit_code()),
    })
}
