//! What a generation has cost: its usage times list prices (us-east-1, USD). An estimate, not a bill.
//!
//! Sources are those of the project's AWS fact sheet, section 9 (public pages of 2026, no live price list); check them
//! against the AWS price list before quoting.

use crate::definitions::Size;
use schemas::ids::Timestamp;
use schemas::limits::TRANSCRIBE_LEAST_BILLED;
use schemas::reason::Cause;
use schemas::worker::{Phase, WorkerRow};
use serde::Serialize;
use std::ops::AddAssign;

/// Transcribe streaming, per minute of audio. Sources conflict (0.010 in two comparisons of 2026, 0.024 in AWS's own
/// live-subtitling sample); the dearer one is used.
pub const TRANSCRIBE_PER_MINUTE: f64 = 0.024;
/// Translate standard text, per source character (15.00 per million).
pub const TRANSLATE_PER_CHARACTER: f64 = 15.0 / 1e6;
/// API Gateway WebSocket, per message (1.00 per million in the first billion).
pub const WEBSOCKET_PER_MESSAGE: f64 = 1.0 / 1e6;
/// Fargate Linux arm64, per vCPU-hour (vantage.sh, 2026).
pub const ARM_VCPU_HOUR: f64 = 0.032_38;
/// Fargate Linux arm64, per GB-hour (vantage.sh, 2026).
pub const ARM_GB_HOUR: f64 = 0.003_56;
/// Fargate Linux x86_64, per vCPU-hour (vantage.sh, wring.co, 2026).
pub const X86_VCPU_HOUR: f64 = 0.040_48;
/// Fargate Linux x86_64, per GB-hour (vantage.sh, wring.co, 2026).
pub const X86_GB_HOUR: f64 = 0.004_445;
/// One public IPv4 address, per hour (from memory, unconfirmed).
pub const ADDRESS_HOUR: f64 = 0.005;
/// KVS TURN, per minute of one allocation (0.12 per 1,000).
pub const RELAY_PER_MINUTE: f64 = 0.12 / 1e3;
/// DynamoDB on demand, per write unit of 1 KB (0.625 per million).
pub const WRITE_UNIT: f64 = 0.625 / 1e6;
/// Write units of one heartbeat: a row of up to 3 KB, in the table and in its index.
pub const HEARTBEAT_UNITS: f64 = 6.0;
/// A worker writes its row so often, ms.
pub const HEARTBEAT_MS: f64 = 2_000.0;
/// Fargate bills a task for a minute at least.
pub const FARGATE_LEAST_MS: i64 = 60_000;

/// Cost of one generation, or of several, USD.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The task's processor and memory.
    pub fargate: f64,
    /// The task's public address.
    pub address: f64,
    /// Transcribe.
    pub transcribe: f64,
    /// Translate.
    pub translate: f64,
    /// Messages to listeners.
    pub posts: f64,
    /// The TURN relay, where the media went over it.
    pub relay: f64,
    /// The worker's writes to its row.
    pub rows: f64,
    /// All of it.
    pub total: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.fargate += other.fargate;
        self.address += other.address;
        self.transcribe += other.transcribe;
        self.translate += other.translate;
        self.posts += other.posts;
        self.relay += other.relay;
        self.rows += other.rows;
        self.total += other.total;
    }
}

/// Fargate's price of a task of this size, per hour.
#[must_use]
pub fn fargate_hour(size: Size) -> f64 {
    let (vcpu, gb) = if size.arm64 { (ARM_VCPU_HOUR, ARM_GB_HOUR) } else { (X86_VCPU_HOUR, X86_GB_HOUR) };
    size.vcpu * vcpu + size.gb * gb
}

/// Reckons what the row's generation has cost until now.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn cost(row: &WorkerRow, size: Size, now: Timestamp) -> Cost {
    let task_ms = row.task.as_ref().map_or(0, |task| match claimed_at(row) {
        // Of a task that two generations share, each pays for its own time, and the first for the least.
        Some(at) => ended(row, now).since(at).max(0),
        None => ended(row, now).since(task.launched_at).max(FARGATE_LEAST_MS),
    }) as f64;
    let (minutes, hours) = (task_ms / 60_000.0, task_ms / 3_600_000.0);
    let usage = row.worker.as_ref().map(|w| w.usage.clone()).unwrap_or_default();
    let least = u64::try_from(TRANSCRIBE_LEAST_BILLED.as_millis()).unwrap_or(u64::MAX);
    let billed_ms = usage.transcribed_ms.max(usage.transcribe_streams.saturating_mul(least));
    let relayed = row.worker.as_ref().is_some_and(|w| w.media.candidate_type.as_deref() == Some("relay"));
    let worked_ms = row.worker.as_ref().map_or(0, |w| {
        let began = w.start_up.process_at.unwrap_or(w.heartbeat_at);
        w.heartbeat_at.since(began).max(0)
    });
    let mut cost = Cost {
        fargate: hours * fargate_hour(size),
        address: hours * ADDRESS_HOUR,
        transcribe: billed_ms as f64 / 60_000.0 * TRANSCRIBE_PER_MINUTE,
        translate: usage.translated_characters as f64 * TRANSLATE_PER_CHARACTER,
        posts: (usage.posts + usage.posts_failed) as f64 * WEBSOCKET_PER_MESSAGE,
        relay: if relayed { minutes * RELAY_PER_MINUTE } else { 0.0 },
        rows: worked_ms as f64 / HEARTBEAT_MS * HEARTBEAT_UNITS * WRITE_UNIT,
        total: 0.0,
    };
    cost.total = cost.fargate + cost.address + cost.transcribe + cost.translate + cost.posts + cost.relay + cost.rows;
    cost
}

/// When this generation began within the task of an earlier one, whose worker had crashed; `None` for a launch. (The generation
/// before a launch has ended when RunTask is called; one that ended later shares its task.)
#[must_use]
pub fn claimed_at(row: &WorkerRow) -> Option<Timestamp> {
    let (task, last) = (row.task.as_ref()?, row.restarts.last.as_ref()?);
    // A row that waits for its backoff, and the history of one, names its own failure, which no heartbeat of it outlived.
    let outlived = row.worker.as_ref().map_or(row.phase == Phase::Joining, |worker| worker.heartbeat_at >= last.at);
    (last.cause == Cause::WorkerCrashed && last.at > task.launched_at && outlived).then_some(last.at)
}

/// When the task ended; a row that has ended without ECS saying so ended when it said so itself.
fn ended(row: &WorkerRow, now: Timestamp) -> Timestamp {
    let said = row.task.as_ref().and_then(|task| task.stopped_at);
    said.unwrap_or(if row.phase.is_final() { row.phase_since } else { now })
}

/// `$0.0123`, `$1.23`.
#[must_use]
pub fn dollars(amount: f64) -> String {
    if amount < 1.0 { format!("${amount:.4}") } else { format!("${amount:.2}") }
}

/// The assumptions, one per line, with their sources.
#[must_use]
pub fn assumptions() -> Vec<String> {
    vec![
        "List prices of us-east-1 in USD as public pages gave them in 2026; an estimate, not a bill.".to_owned(),
        format!(
            "Fargate per vCPU-h/GB-h: arm64 {ARM_VCPU_HOUR}/{ARM_GB_HOUR}, x86_64 {X86_VCPU_HOUR}/{X86_GB_HOUR} (vantage.sh), a minute at least; size from the task definition."
        ),
        format!("Public IPv4 {ADDRESS_HOUR} per hour (unconfirmed)."),
        format!(
            "Transcribe {TRANSCRIBE_PER_MINUTE} per minute, 15 s at least per stream (AWS's live-subtitling sample; two comparisons of 2026 say 0.010)."
        ),
        "Translate 15 per million source characters, per target language; posts 1 per million; TURN 0.12 per 1,000 minutes.".to_owned(),
        "Rows: a heartbeat every 2 s of 6 write units at 0.625 per million. Not counted: logs, Lambda, data transfer, the speaker's channel.".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::row;
    use schemas::reason::Why;
    use schemas::worker::Usage;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_session_that_never_launched_costs_nothing() {
        let mut row = row("a-b-001");
        row.task = None;
        row.worker = None;
        assert!(close(cost(&row, Size::STATED, Timestamp(1)).total, 0.0));
    }

    #[test]
    fn a_short_stream_costs_its_fifteen_seconds() {
        let mut row = row("a-b-001");
        if let Some(worker) = &mut row.worker {
            worker.usage = Usage { transcribed_ms: 2_000, transcribe_streams: 2, ..Usage::default() };
        }
        assert!(close(cost(&row, Size::STATED, row.phase_since).transcribe, 0.5 * TRANSCRIBE_PER_MINUTE));
    }

    #[test]
    fn a_task_of_ten_seconds_costs_its_minute() {
        let mut row = row("a-b-001");
        if let Some(task) = &mut row.task {
            task.stopped_at = Some(task.launched_at.plus_ms(10_000));
        }
        let spent = cost(&row, Size::STATED, Timestamp(i64::MAX));
        assert!(close(spent.fargate, fargate_hour(Size::STATED) / 60.0));
        assert!(close(spent.address, ADDRESS_HOUR / 60.0));
    }

    #[test]
    fn an_ended_row_does_not_go_on_costing_because_ecs_said_nothing() {
        let mut row = row("a-b-001");
        row.phase = Phase::Failed;
        let (soon, late) = (row.phase_since.plus_ms(1_000), row.phase_since.plus_ms(86_400_000));
        assert!(close(cost(&row, Size::STATED, soon).total, cost(&row, Size::STATED, late).total));
    }

    #[test]
    fn the_parts_are_the_total_and_totals_add_up() {
        let one = cost(&row("a-b-001"), Size::STATED, Timestamp(crate::store::samples::T0 + 600_000));
        let parts = one.fargate + one.address + one.transcribe + one.translate + one.posts + one.relay + one.rows;
        assert!(close(one.total, parts) && one.rows > 0.0);
        let mut two = one;
        two += one;
        assert!(close(two.total, 2.0 * one.total));
    }

    #[test]
    fn two_generations_that_share_a_task_pay_for_it_once() {
        let at = |row: &WorkerRow, ms| row.task.as_ref().unwrap().launched_at.plus_ms(ms);
        let mut first = row("a-b-001");
        let (crash, end) = (at(&first, 300_000), at(&first, 900_000));
        let mut second = first.clone();
        second.restarts.last = Some(Why::new(Cause::WorkerCrashed, "restarted within its task", crash));
        second.worker.as_mut().unwrap().heartbeat_at = end;
        first.phase = Phase::Failed;
        first.phase_since = crash;
        first.restarts = schemas::worker::Restarts::default();
        let whole = {
            let mut row = row("a-b-001");
            row.worker.as_mut().unwrap().heartbeat_at = end;
            row
        };
        let fargate = |row: &WorkerRow| cost(row, Size::STATED, end).fargate;
        assert!(close(fargate(&first) + fargate(&second), fargate(&whole)));
        // One that failed by itself, and waited for its backoff, is no such generation.
        let mut failed = first.clone();
        failed.restarts.last = Some(Why::new(Cause::WorkerCrashed, "exit code 101", crash));
        assert_eq!(claimed_at(&failed), None);
    }

    #[test]
    fn x86_costs_a_quarter_more_than_arm() {
        let x86 = Size { arm64: false, ..Size::STATED };
        assert!(fargate_hour(x86) / fargate_hour(Size::STATED) > 1.2);
    }
}
