//! Looks at the worker's row and its ECS task twice a second, and reports what has changed.

use super::record::{Event, TaskSeen};
use crate::aws::Aws;
use crate::error::refused;
use crate::store::{self, Record};
use schemas::ids::{SessionId, TaskArn};
use std::time::Duration;
use tokio::sync::mpsc;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Runs until nobody listens.
pub async fn run(aws: Aws, session: SessionId, events: mpsc::UnboundedSender<Event>) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut row, mut task) = (None, None);
    while !events.is_closed() {
        tick.tick().await;
        let arn = match store::current_row(&aws, &session).await {
            Ok(Some(Record::Row(seen))) => {
                let arn = seen.task.as_ref().map(|t| t.arn.clone());
                if row.as_ref() != Some(&seen) {
                    row = Some(seen.clone());
                    let _ = events.send(Event::Row(seen));
                }
                arn
            }
            Ok(Some(Record::Unreadable { problem, .. })) => {
                let _ = events.send(Event::Trouble(format!("the worker's row cannot be read: {problem}")));
                None
            }
            Ok(None) => None,
            Err(e) => {
                let _ = events.send(Event::Trouble(e.to_string()));
                None
            }
        };
        let Some(arn) = arn else { continue };
        match describe(&aws, &arn).await {
            Ok(seen) if task.as_ref() == Some(&seen) => {}
            Ok(seen) => {
                task = Some(seen.clone());
                let _ = events.send(Event::Task(seen));
            }
            Err(trouble) => drop(events.send(Event::Trouble(trouble))),
        }
    }
}

async fn describe(aws: &Aws, arn: &TaskArn) -> Result<TaskSeen, String> {
    let answer = aws
        .ecs
        .describe_tasks()
        .cluster(aws.cluster())
        .tasks(arn.as_str())
        .send()
        .await
        .map_err(|e| refused("describe the worker's task", &aws.place, &e).to_string())?;
    let Some(task) = answer.tasks().first() else {
        return Ok(TaskSeen { status: "unknown to ECS".into(), ..TaskSeen::default() });
    };
    Ok(TaskSeen {
        status: task.last_status().unwrap_or("UNKNOWN").to_owned(),
        exit_code: task.containers().iter().find_map(aws_sdk_ecs::types::Container::exit_code),
        reason: task.stopped_reason().map(str::to_owned),
    })
}
