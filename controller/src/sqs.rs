//! SQS: messages that come back to the controller after a delay. What is said in them is not its concern.
//!
//! **Guarantees.** Best effort, and at least once: a message that is lost costs no more than the wait for the next tick, and one that comes
//! twice wakes whoever is awake already.

use crate::ports::{PortError, Timer};
use crate::remedy::{Remedy, aws};
use controller_core::triggers::Wake;
use schemas::ids::Timestamp;

/// The longest delay of a message, s (SQS API reference, SendMessage). What is due later is told then; the next tick comes long before.
pub const LONGEST_DELAY_S: i64 = 900;

/// The queue of timers, or none: then everything waits for the next tick.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: Option<String>,
}

impl Queue {
    /// The queue at this URL.
    #[must_use]
    pub fn new(client: aws_sdk_sqs::Client, url: Option<String>) -> Self {
        Self { client, url }
    }

    /// Sends `body`, to be delivered at `when`, or within a second after.
    ///
    /// # Errors
    /// [`PortError`] when SQS does not take it.
    pub async fn send(&self, when: Timestamp, body: String, now: Timestamp) -> Result<(), PortError> {
        let Some(url) = &self.url else { return Ok(()) };
        let request = self.client.send_message().queue_url(url).message_body(body).delay_seconds(delay_s(when, now));
        request.send().await.map_err(aws("SendMessage to the queue of timers")).map(drop)
    }
}

/// Whole seconds from now to then, not less: a message that comes early is for nothing. From 0 to [`LONGEST_DELAY_S`].
fn delay_s(when: Timestamp, now: Timestamp) -> i32 {
    let seconds = (when.since(now).saturating_add(999)).div_euclid(1_000).clamp(0, LONGEST_DELAY_S);
    i32::try_from(seconds).unwrap_or_default()
}

impl Timer for Queue {
    async fn at(&self, when: Timestamp, wake: &Wake, now: Timestamp) -> Result<(), PortError> {
        let body = serde_json::to_string(wake).map_err(|error| PortError::Aws {
            operation: "SendMessage to the queue of timers",
            remedy: Remedy::Repair,
            detail: error.to_string(),
        })?;
        self.send(when, body, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_no_earlier_than_it_is_due_and_at_most_a_second_later() {
        let now = Timestamp(1_800_000_000_000);
        let delays =
            [(-5_000, 0), (0, 0), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60), (900_000, 900), (i64::MAX / 2, 900)];
        for (ms, seconds) in delays {
            assert_eq!(delay_s(now.plus_ms(ms), now), seconds, "{ms} ms");
        }
    }
}
