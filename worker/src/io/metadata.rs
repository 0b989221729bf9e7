//! What ECS tells a task about itself: the task metadata endpoint, version 4. Without it a worker cannot know whether a row is of its
//! own task, so one that was started again in place leaves the session to the controller.

use schemas::ids::TaskArn;
use serde::Deserialize;
use std::time::Duration;

/// Longest time for the endpoint, which is on the same host.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Task {
    #[serde(rename = "TaskARN")]
    arn: String,
}

/// The ARN of the task that this process runs in; `base` is `ECS_CONTAINER_METADATA_URI_V4`.
pub async fn task_arn(base: &str) -> Option<TaskArn> {
    let read = async {
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        client.get(format!("{base}/task")).send().await?.error_for_status()?.json::<Task>().await
    };
    match read.await {
        Ok(task) => TaskArn::try_new(task.arn).inspect_err(|error| tracing::warn!(%error, "ECS task metadata")).ok(),
        Err(error) => {
            tracing::warn!(%error, "the ECS task metadata cannot be read; after a crash the session goes to a new task");
            None
        }
    }
}
