//! What a session has cost: its usage times list prices (us-east-1, USD). An estimate, not a bill.
//!
//! Sources are those of the project's AWS fact sheet, section 9; check them against the AWS price list before quoting.

use schemas::ids::Timestamp;
use schemas::limits::TRANSCRIBE_LEAST_BILLED;
use schemas::worker::WorkerRow;
use serde::Serialize;

/// Transcribe streaming, per minute of audio. Sources conflict (0.010 in two comparisons of 2026, 0.024 in AWS's own
/// live-subtitling sample); the dearer one is used.
pub const TRANSCRIBE_PER_MINUTE: f64 = 0.024;
/// Translate standard text, per source character (15.00 per million).
pub const TRANSLATE_PER_CHARACTER: f64 = 15.0 / 1e6;
/// API Gateway WebSocket, per message (1.00 per million in the first billion).
pub const WEBSOCKET_PER_MESSAGE: f64 = 1.0 / 1e6;
/// Fargate Linux arm64, per vCPU-hour (vantage.sh, 2026).
pub const FARGATE_VCPU_HOUR: f64 = 0.032_38;
/// Fargate Linux arm64, per GB-hour (vantage.sh, 2026).
pub const FARGATE_GB_HOUR: f64 = 0.003_56;
/// One public IPv4 address, per hour.
pub const ADDRESS_HOUR: f64 = 0.005;
/// Fargate bills a task for a minute at least.
pub const FARGATE_LEAST_MS: i64 = 60_000;
/// Size of the worker's task that is reckoned with, vCPU.
pub const TASK_VCPU: f64 = 0.25;
/// Size of the worker's task that is reckoned with, GB.
pub const TASK_GB: f64 = 0.5;

/// Cost of the current generation, USD.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The task and its address.
    pub compute: f64,
    /// Transcribe.
    pub transcribe: f64,
    /// Translate.
    pub translate: f64,
    /// Messages to listeners.
    pub delivery: f64,
    /// All of it.
    pub total: f64,
}

/// Reckons what the row's generation has cost until now.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn cost(row: &WorkerRow, now: Timestamp) -> Cost {
    let hours = row.task.as_ref().map_or(0, |t| t.stopped_at.unwrap_or(now).since(t.launched_at).max(FARGATE_LEAST_MS))
        as f64
        / 3_600_000.0;
    let compute = hours * (TASK_VCPU * FARGATE_VCPU_HOUR + TASK_GB * FARGATE_GB_HOUR + ADDRESS_HOUR);
    let usage = row.worker.as_ref().map(|w| w.usage.clone()).unwrap_or_default();
    let least = u64::try_from(TRANSCRIBE_LEAST_BILLED.as_millis()).unwrap_or(u64::MAX);
    let billed_ms = usage.transcribed_ms.max(usage.transcribe_streams.saturating_mul(least));
    let transcribe = billed_ms as f64 / 60_000.0 * TRANSCRIBE_PER_MINUTE;
    let translate = usage.translated_characters as f64 * TRANSLATE_PER_CHARACTER;
    let delivery = (usage.posts + usage.posts_failed) as f64 * WEBSOCKET_PER_MESSAGE;
    Cost { compute, transcribe, translate, delivery, total: compute + transcribe + translate + delivery }
}

/// `$0.0123`, `$1.23`.
#[must_use]
pub fn dollars(amount: f64) -> String {
    if amount < 1.0 { format!("${amount:.4}") } else { format!("${amount:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::row;
    use schemas::worker::Usage;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_session_that_never_launched_costs_nothing() {
        let mut row = row("a-b-001");
        row.task = None;
        row.worker = None;
        assert!(close(cost(&row, Timestamp(1)).total, 0.0));
    }

    #[test]
    fn a_short_stream_costs_its_fifteen_seconds() {
        let mut row = row("a-b-001");
        if let Some(worker) = &mut row.worker {
            worker.usage = Usage { transcribed_ms: 2_000, transcribe_streams: 2, ..Usage::default() };
        }
        assert!(close(cost(&row, row.phase_since).transcribe, 0.5 * TRANSCRIBE_PER_MINUTE));
    }

    #[test]
    fn a_task_of_ten_seconds_costs_its_minute() {
        let mut row = row("a-b-001");
        if let Some(task) = &mut row.task {
            task.stopped_at = Some(task.launched_at.plus_ms(10_000));
        }
        let minute = (TASK_VCPU * FARGATE_VCPU_HOUR + TASK_GB * FARGATE_GB_HOUR + ADDRESS_HOUR) / 60.0;
        assert!(close(cost(&row, Timestamp(i64::MAX)).compute, minute));
    }
}
