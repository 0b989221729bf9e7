//! The poller against a few lines as the emulator: ten records, and a function that says which of them fail.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::*;

/// What the function answers, delivery by delivery (then always success), and what it and the queue were given.
#[derive(Debug, Default)]
struct World {
    answers: VecDeque<Value>,
    deliveries: Vec<Vec<String>>,
    letters: Vec<Value>,
    configured: Value,
}

type Watched = Arc<Mutex<World>>;

fn record(number: u32) -> Value {
    let (session, sequence) = (format!("calm-river-{number:03}"), number.to_string());
    json!({"eventName": "INSERT", "dynamodb": {
        "ApproximateCreationDateTime": crate::ecs::now().0 / 1_000,
        "Keys": {"sessionId": {"S": session}}, "SequenceNumber": sequence}})
}

async fn call(State(world): State<Watched>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let input: Value = serde_json::from_slice(&body).unwrap();
    Json(match headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap() {
        "DescribeStream" => json!({"StreamDescription": {"Shards": [{"ShardId": "s"}]}}),
        "GetShardIterator" => json!({"ShardIterator": input["ShardIteratorType"]}),
        "GetRecords" if input["ShardIterator"] == "TRIM_HORIZON" => {
            json!({"NextShardIterator": "end", "Records": (1..=10).map(record).collect::<Vec<_>>()})
        }
        "GetRecords" => json!({"NextShardIterator": "end", "Records": []}),
        "GetQueueUrl" => json!({"QueueUrl": "url"}),
        "SendMessage" => {
            let letter = serde_json::from_str(input["MessageBody"].as_str().unwrap()).unwrap();
            world.lock().unwrap().letters.push(letter);
            json!({})
        }
        other => panic!("{other} was not expected"),
    })
}

async fn invoke(State(world): State<Watched>, Json(event): Json<Value>) -> Json<Value> {
    let mut world = world.lock().unwrap();
    let records = event["Records"].as_array().unwrap().iter();
    world.deliveries.push(records.map(|r| r["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()).collect());
    Json(world.answers.pop_front().unwrap_or_else(|| json!({"batchItemFailures": []})))
}

async fn start(answers: &[Value]) -> (Poller, Watched) {
    let world = Watched::default();
    world.lock().unwrap().answers = answers.iter().cloned().collect();
    let mapping = json!({"EventSourceMappings": [{
        "UUID": "u", "EventSourceArn": "arn:aws:dynamodb:us-east-1:0:table/Sessions-local/stream/1",
        "FunctionArn": "function", "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 2,
        "BisectBatchOnFunctionError": true, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:0:queue"}},
    }]});
    let configure = async |State(world): State<Watched>, Json(change): Json<Value>| {
        world.lock().unwrap().configured = change;
        Json(json!({}))
    };
    let app = Router::new()
        .route("/", post(call))
        .route("/2015-03-31/functions/function/invocations", post(invoke))
        .route("/2015-03-31/event-source-mappings/", get(async || Json(mapping)))
        .route("/2015-03-31/event-source-mappings/u", axum::routing::put(configure))
        .with_state(Arc::clone(&world));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let poller = Poller::take_over(&Api::new(&url, "us-east-1", "000000000000"), "Sessions-local").await.unwrap();
    poller.shared.faults().retry_ms = 1;
    poller.shared.faults().poll_ms = 10;
    (poller, world)
}

/// The counts once so many records are done or given up.
async fn settled(poller: &Poller, records: u64) -> Counts {
    for _ in 0..2_000 {
        let counts = poller.shared.counts().clone();
        if counts.done + counts.given_up >= records {
            return counts;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not settled: {:?}", poller.shared.counts());
}

fn numbers(from: u32, to: u32) -> Vec<String> {
    (from..=to).map(|number| number.to_string()).collect()
}

fn failed(number: &str) -> Value {
    json!({"batchItemFailures": [{"itemIdentifier": number}]})
}

#[tokio::test]
async fn when_record_seven_of_ten_fails_six_are_done_and_seven_comes_again_before_the_rest() {
    let (poller, world) = start(&[failed("7")]).await;
    let counts = settled(&poller, 10).await;
    assert_eq!((counts.done, counts.failed, counts.given_up), (10, 1, 0));
    assert_eq!(world.lock().unwrap().deliveries, [numbers(1, 10), numbers(7, 10)]);
}

#[tokio::test]
async fn a_record_that_is_reported_again_and_again_goes_to_the_destination_with_those_behind_it() {
    let (poller, world) = start(&[failed("7"), failed("7"), failed("7"), failed("7")]).await;
    let counts = settled(&poller, 10).await;
    assert_eq!((counts.done, counts.given_up), (6, 4));
    let letters = world.lock().unwrap().letters.clone();
    let batch = &letters[0]["DDBStreamBatchInfo"];
    assert_eq!((letters.len(), &letters[0]["requestContext"]["condition"]), (1, &json!("RetryAttemptsExhausted")));
    assert_eq!((&batch["startSequenceNumber"], &batch["endSequenceNumber"]), (&json!("7"), &json!("10")));
}

#[tokio::test]
async fn a_replay_delivers_everything_again_and_a_duplicate_twice() {
    let (poller, world) = start(&[]).await;
    settled(&poller, 10).await;
    poller.shared.faults().duplicate = 1;
    poller.shared.replay.notify_one();
    let counts = settled(&poller, 30).await;
    assert_eq!((counts.read, counts.replays), (20, 1));
    assert_eq!(world.lock().unwrap().deliveries, [numbers(1, 10), numbers(1, 10), numbers(1, 10)]);
}

#[tokio::test]
async fn the_emulators_own_mapping_is_switched_off() {
    let (_poller, world) = start(&[]).await;
    assert_eq!(world.lock().unwrap().configured, json!({"Enabled": false}));
}
