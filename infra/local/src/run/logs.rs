//! What functions say goes to CloudWatch Logs; here it is copied into files, for people.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::emulator::Api;

const EVERY: Duration = Duration::from_secs(1);

/// A running copy of one log group.
#[derive(Debug)]
pub struct Copy {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Copy {
    /// Copies what `group` gets into `file` from now on.
    pub fn start(api: Api, group: &str, file: PathBuf) -> Self {
        let stop = watch::Sender::new(false);
        let (mut stopped, group) = (stop.subscribe(), group.to_owned());
        let task = tokio::spawn(async move {
            let mut tail = Tail { api, group, file, seen: HashSet::new(), until: 0 };
            loop {
                let last = timeout(EVERY, stopped.wait_for(|stop| *stop)).await.is_ok();
                if let Err(error) = tail.copy().await {
                    tracing::debug!(group = tail.group, %error, "a log could not be copied");
                }
                if last {
                    return;
                }
            }
        });
        Self { stop, task }
    }

    /// Copies the last lines and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ended = timeout(Duration::from_secs(2), self.task).await;
    }
}

struct Tail {
    api: Api,
    group: String,
    file: PathBuf,
    seen: HashSet<String>,
    /// Everything before this has been copied, ms.
    until: i64,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Api(#[from] crate::emulator::ApiError),
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl Tail {
    async fn copy(&mut self) -> Result<(), Error> {
        // Events of the last second may still be joined by others of the same time.
        let input = json!({"logGroupName": self.group, "limit": 10_000, "startTime": self.until});
        let answer = self.api.call("Logs_20140328.FilterLogEvents", &input).await?;
        let mut lines = String::new();
        for event in answer["events"].as_array().into_iter().flatten() {
            let id = event["eventId"].as_str().map_or_else(|| event.to_string(), str::to_owned);
            if self.seen.insert(id) {
                lines.push_str(event["message"].as_str().unwrap_or_default().trim_end());
                lines.push('\n');
                self.until = self.until.max(event["timestamp"].as_i64().unwrap_or(0) - 1_000);
            }
        }
        if !lines.is_empty() {
            std::fs::OpenOptions::new().create(true).append(true).open(&self.file)?.write_all(lines.as_bytes())?;
        }
        Ok(())
    }
}
