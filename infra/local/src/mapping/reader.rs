//! Reads the stream, four times per second as Lambda does, and hands each record to the lane of its item.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::decide::Record;
use super::{Shared, lane};
use crate::ecs::pattern;
use crate::emulator::ApiError;

const STREAMS: &str = "DynamoDBStreams_20120810.";
/// Wait after the stream could not be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts the reader and its lanes.
pub fn start(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let mut lanes = Vec::new();
    for _ in 0..shared.mapping.lanes {
        let (to, from) = mpsc::unbounded_channel();
        lanes.push(to);
        tasks.spawn(lane::run(Arc::clone(shared), from));
    }
    tasks.spawn(read(Arc::clone(shared), lanes));
    tasks
}

async fn read(shared: Arc<Shared>, lanes: Vec<UnboundedSender<Record>>) {
    let mut position = if shared.mapping.from_the_start { "TRIM_HORIZON" } else { "LATEST" };
    loop {
        tokio::select! {
            ended = follow(&shared, &lanes, position) => {
                if let Err(error) = ended {
                    tracing::warn!(%error, "the stream could not be read; it is begun again");
                    sleep(PATIENCE).await;
                }
            }
            () = shared.replay.notified() => {
                tracing::info!("the stream is delivered again from its start");
                shared.counts().replays += 1;
            }
        }
        // Whatever happened: rather deliver again than leave out.
        position = "TRIM_HORIZON";
    }
}

/// Reads from `position` on, until the shard is closed.
async fn follow(shared: &Shared, lanes: &[UnboundedSender<Record>], position: &str) -> Result<(), ApiError> {
    let call = async |operation: &str, input: Value| shared.api.call(&format!("{STREAMS}{operation}"), &input).await;
    let stream = &shared.mapping.stream;
    let described = call("DescribeStream", json!({"StreamArn": stream})).await?;
    let shard = described.pointer("/StreamDescription/Shards/0/ShardId").cloned().unwrap_or_default();
    let from = json!({"StreamArn": stream, "ShardId": shard, "ShardIteratorType": position});
    let mut iterator = call("GetShardIterator", from).await?["ShardIterator"].take();
    while iterator.is_string() {
        let (hold, poll) = {
            let faults = shared.faults();
            (faults.hold, Duration::from_millis(faults.poll_ms.max(10)))
        };
        if !hold {
            let mut page = call("GetRecords", json!({"ShardIterator": iterator})).await?;
            iterator = page["NextShardIterator"].take();
            if let Value::Array(records) = page["Records"].take() {
                records.into_iter().for_each(|record| hand_on(shared, lanes, record));
            }
        }
        sleep(poll).await;
    }
    Ok(())
}

fn hand_on(shared: &Shared, lanes: &[UnboundedSender<Record>], mut record: Value) {
    shared.counts().read += 1;
    record["eventSourceARN"] = json!(shared.mapping.stream);
    shared.removals().sign(&mut record);
    if !wanted(&shared.mapping.filters, &record) {
        shared.counts().filtered += 1;
        return;
    }
    let written = record.pointer("/dynamodb/ApproximateCreationDateTime").and_then(Value::as_f64).unwrap_or_default();
    let sequence = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str).unwrap_or_default().to_owned();
    let lane = lane_of(&record["dynamodb"]["Keys"], lanes.len());
    // Whole ms are exact in an f64 for far longer than streams live.
    #[expect(clippy::cast_possible_truncation, reason = "epoch ms fit")]
    let written_ms = (written * 1_000.0) as i64;
    if let Some(lane) = lanes.get(lane) {
        let _stopped = lane.send(Record { sequence, written_ms, body: record });
    }
}

fn wanted(filters: &[Value], record: &Value) -> bool {
    let matched = |filter: &Value| match pattern::matches(filter, record) {
        Ok(matched) => matched,
        Err(error) => {
            tracing::error!(%error, "a filter is not known; the record is delivered");
            true
        }
    };
    filters.is_empty() || filters.iter().any(matched)
}

/// Records of one item always share a lane.
fn lane_of(keys: &Value, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    keys.to_string().hash(&mut hasher);
    let lanes = u64::try_from(lanes.max(1)).unwrap_or(1);
    usize::try_from(hasher.finish() % lanes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_item_share_a_lane() {
        let keys = |id: &str| json!({"sessionId": {"S": id}});
        for lanes in 1..=10 {
            assert!(lane_of(&keys("a-b-1"), lanes) < lanes);
            assert_eq!(lane_of(&keys("a-b-1"), lanes), lane_of(&keys("a-b-1"), lanes));
        }
    }

    #[test]
    fn a_record_is_delivered_when_one_filter_matches_and_without_filters_always() {
        let record = json!({"eventName": "INSERT"});
        let of = |name: &str| json!({"eventName": [name]});
        assert!(wanted(&[], &record));
        assert!(wanted(&[of("REMOVE"), of("INSERT")], &record));
        assert!(!wanted(&[of("REMOVE")], &record));
    }
}
