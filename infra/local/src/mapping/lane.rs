//! One lane: batches in order, each delivered until it is done or given up. What is behind waits, as it does on AWS.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout_at};

use super::decide::{Batch, Condition, Record, Reply, after, expire, read_answer};
use super::{Shared, destination};
use crate::ecs::take;
use crate::emulator::ApiError;

/// Longest pause between two deliveries of one batch.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Delivers what comes, until the sender is gone.
pub async fn run(shared: Arc<Shared>, mut from: UnboundedReceiver<Record>) {
    while let Some(first) = from.recv().await {
        let batch = gather(&shared, first, &mut from).await;
        let twice = take(&mut shared.faults().duplicate);
        for _ in 0..1 + usize::from(twice) {
            finish(&shared, batch.clone()).await;
        }
    }
}

/// Up to a batch of records: what is there, and what comes within the window.
async fn gather(shared: &Shared, first: Record, from: &mut UnboundedReceiver<Record>) -> Batch {
    let mapping = &shared.mapping;
    let mut records = vec![first];
    let end = Instant::now() + Duration::from_millis(mapping.window_ms);
    while records.len() < mapping.batch_size {
        let next = match from.try_recv() {
            Ok(record) => Some(record),
            Err(_) if mapping.window_ms == 0 => None,
            Err(_) => timeout_at(end, from.recv()).await.ok().flatten(),
        };
        let Some(record) = next else { break };
        records.push(record);
    }
    Batch::new(records)
}

/// Delivers a batch, and what it is cut into, to the end.
async fn finish(shared: &Shared, batch: Batch) {
    let rules = &shared.mapping.rules;
    let (mut pending, mut pauses) = (VecDeque::from([batch]), 0);
    while let Some(batch) = pending.pop_front() {
        let (fresh, old) = expire(batch, rules, crate::ecs::now().0);
        if let Some(old) = old {
            give_up(shared, &old, Condition::Age, "older than the mapping delivers").await;
        }
        let Some(batch) = fresh else { continue };
        let reply = deliver(shared, &batch).await;
        let before = batch.records.len();
        let next = after(batch, &reply, rules);
        let left: usize = next.again.iter().map(|batch| batch.records.len()).sum();
        tell(shared, before, left, &reply, next.again.len());
        if let Some((batch, condition)) = next.given_up {
            give_up(shared, &batch, condition, &format!("{reply:?}")).await;
        }
        for batch in next.again.into_iter().rev() {
            pending.push_front(batch);
        }
        pauses = if next.pause { pauses + 1 } else { 0 };
        if next.pause {
            let first_ms = shared.faults().retry_ms;
            sleep(pause(first_ms, pauses)).await;
        }
    }
}

/// One invocation.
async fn deliver(shared: &Shared, batch: &Batch) -> Reply {
    if let Some(reply) = broken(shared, batch) {
        return reply;
    }
    let records: Vec<&Value> = batch.records.iter().map(|record| &record.body).collect();
    match shared.api.invoke(&shared.mapping.function, &json!({"Records": records})).await {
        Ok(answer) => read_answer(batch, answer.failed, &answer.body, &shared.mapping.rules),
        Err(error @ (ApiError::Unreachable { .. } | ApiError::Refused { .. })) => Reply::NotInvoked(error.to_string()),
    }
}

/// What is broken on purpose.
fn broken(shared: &Shared, batch: &Batch) -> Option<Reply> {
    let mut faults = shared.faults();
    if take(&mut faults.throttle) {
        return Some(Reply::NotInvoked("Rate exceeded (on purpose)".to_owned()));
    }
    let session = |record: &Record| record.body.pointer("/dynamodb/Keys/sessionId/S").cloned();
    let poison = |id: &Value| faults.poison.iter().any(|poison| id == poison.as_str());
    let kills = batch.records.iter().filter_map(session).any(|id| poison(&id));
    kills.then(|| Reply::Failed("Runtime.ExitError".to_owned()))
}

fn tell(shared: &Shared, before: usize, left: usize, reply: &Reply, batches: usize) {
    let mut counts = shared.counts();
    match reply {
        Reply::Succeeded => {
            counts.done += u64::try_from(before).unwrap_or_default();
            tracing::info!(records = before, "a stream batch is done");
        }
        Reply::From(done) => {
            counts.done += u64::try_from(*done).unwrap_or_default();
            counts.failed += 1;
            tracing::warn!(records = before, done, left, "the function reported a record of a stream batch as failed");
        }
        Reply::Failed(why) => {
            counts.failed += 1;
            tracing::warn!(records = before, why, batches, "a stream batch failed");
        }
        Reply::NotInvoked(why) => {
            counts.failed += 1;
            tracing::warn!(records = before, why, "a stream batch did not reach the function");
        }
    }
}

async fn give_up(shared: &Shared, batch: &Batch, condition: Condition, why: &str) {
    let records = batch.records.len();
    tracing::error!(records, condition = condition.name(), why, "records of the stream are given up");
    match destination::send(shared, batch, condition).await {
        Ok(()) => {}
        Err(error) => tracing::error!(%error, "the failure destination did not take them"),
    }
    shared.counts().given_up += u64::try_from(records).unwrap_or_default();
}

fn pause(first_ms: u64, pauses: u32) -> Duration {
    let doubled = first_ms.saturating_mul(1_u64.checked_shl(pauses.saturating_sub(1)).unwrap_or(u64::MAX));
    Duration::from_millis(doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_half_a_minute() {
        let ms = |pauses| pause(500, pauses).as_millis();
        assert_eq!([ms(1), ms(2), ms(3), ms(20), ms(200)], [500, 1_000, 2_000, 30_000, 30_000]);
    }
}
