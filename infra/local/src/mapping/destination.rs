//! The failure destination: metadata into a queue; into a bucket with the records themselves (Lambda developer guide,
//! "Retain discarded records for a DynamoDB event source").

use reqwest::Method;
use schemas::ids::Timestamp;
use serde_json::{Value, json};

use super::Shared;
use super::decide::{Batch, Condition};
use crate::ecs::{iso, now};
use crate::emulator::ApiError;

/// The emulator's only shard.
const SHARD: &str = "shardId-00000000000000000000-00000000";

/// Tells of a batch that was given up.
pub async fn send(shared: &Shared, batch: &Batch, condition: Condition) -> Result<(), ApiError> {
    let Some(destination) = &shared.mapping.destination else {
        tracing::error!("the mapping has no failure destination: nobody will hear of these records");
        return Ok(());
    };
    let at = now();
    let mut message = document(shared, batch, condition, at);
    let name = destination.rsplit(':').next().unwrap_or_default();
    if destination.contains(":sqs:") {
        let queue = shared.api.call("AmazonSQS.GetQueueUrl", &json!({"QueueName": name})).await?;
        let input = json!({"QueueUrl": queue["QueueUrl"], "MessageBody": message.to_string()});
        return shared.api.call("AmazonSQS.SendMessage", &input).await.map(drop);
    }
    let records: Vec<&Value> = batch.records.iter().map(|record| &record.body).collect();
    message["payload"] = json!(json!({"Records": records}).to_string());
    let (stamp, id) = (iso(at), uuid::Uuid::new_v4());
    let day = stamp.get(..10).unwrap_or_default().replace('-', "/");
    let key = format!("aws/lambda/{}/{SHARD}/{day}/{stamp}-{id}", shared.mapping.uuid);
    shared.api.rest("s3", Method::PUT, &format!("/{name}/{key}"), message.to_string()).await.map(drop)
}

fn document(shared: &Shared, batch: &Batch, condition: Condition, at: Timestamp) -> Value {
    let (first, last) = (batch.records.first(), batch.records.last());
    let sequence = |record: Option<&super::decide::Record>| record.map(|record| record.sequence.clone());
    let arrival = |record: Option<&super::decide::Record>| record.map(|record| iso(Timestamp(record.written_ms)));
    json!({
        "version": "1.0",
        "timestamp": iso(at),
        "requestContext": {
            "requestId": uuid::Uuid::new_v4().to_string(),
            "functionArn": shared.mapping.function,
            "condition": condition.name(),
            "approximateInvokeCount": batch.retries + 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": sequence(first),
            "endSequenceNumber": sequence(last),
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": batch.records.len(),
            "streamArn": shared.mapping.stream,
        },
    })
}
