//! How long the controller itself takes: from the start of its process to its first poll of the Lambda runtime API (the init
//! time that it can do something about), and from the delivery of a stream record to RunTask.
//!
//! ```text
//! cargo build --release -p controller && cargo run -p controller --example own_time -- target/release/controller [RUNS]
//! ```
//!
//! One stand-in on loopback plays the runtime API, DynamoDB, ECS and EventBridge, and answers at once: what is left is the
//! controller's own time. Each run is a new process with two invocations; the second finds its connections open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement")]

mod stand_in;

use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// What the stand-in saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A poll for the next event.
    Next,
    /// RunTask.
    RunTask,
    /// The answer to an event.
    Answered,
}

type Sight = (Seen, Instant);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("the path of the controller's binary");
    let runs: usize = arguments.next().map_or(30, |runs| runs.parse().expect("a number of runs"));
    let (mut init, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..=runs {
        let times = measure(&program);
        if run > 0 {
            // The first fills the page cache, which Lambda's own snapshot of the code does there.
            init.push(times.0);
            cold.push(times.1);
            warm.push(times.2);
        }
    }
    println!("process start → first poll   {}", summary(&mut init));
    println!("record → RunTask, first      {}", summary(&mut cold));
    println!("record → RunTask, warm       {}", summary(&mut warm));
}

/// One process: its init time, and the times of two invocations.
fn measure(program: &str) -> (Duration, Duration, Duration) {
    let (seen, sights): (_, Receiver<Sight>) = channel();
    let polled = seen.clone();
    let began = Instant::now();
    let mut process = stand_in::start(
        program,
        Arc::new(move |path, target, input| answer(path, target, input, &seen).to_string()),
        Arc::new(move |path| {
            if path.ends_with("/next") {
                let _ended = polled.send((Seen::Next, Instant::now()));
            }
        }),
    );
    let wait = |wanted: Seen| loop {
        let (seen, at) = sights.recv_timeout(Duration::from_secs(10)).expect("the controller goes on");
        if seen == wanted {
            return at;
        }
    };
    let first = wait(Seen::Next);
    let cold = wait(Seen::RunTask).duration_since(first);
    wait(Seen::Answered);
    let second = wait(Seen::Next);
    let warm = wait(Seen::RunTask).duration_since(second);
    wait(Seen::Answered);
    process.kill().unwrap();
    process.wait().unwrap();
    (first.duration_since(began), cold, warm)
}

fn summary(times: &mut [Duration]) -> String {
    times.sort();
    let ms = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    format!("median {:6.1} ms, p5 {:.1}, p95 {:.1}, most {:.1} ({} runs)", ms(50), ms(5), ms(95), ms(100), times.len())
}

fn answer(path: &str, target: &str, input: &Value, seen: &Sender<Sight>) -> Value {
    if path.ends_with("/next") {
        return record();
    }
    if path.ends_with("/response") {
        let _ended = seen.send((Seen::Answered, Instant::now()));
        return json!({});
    }
    match target {
        "GetItem" if input["TableName"] == "Sessions-x" => json!({"Item": session()}),
        "UpdateItem" => json!({"Attributes": written(input)}),
        "RunTask" => {
            let _ended = seen.send((Seen::RunTask, Instant::now()));
            let arn = "arn:aws:ecs:us-east-1:000000000000:task/workers/0123456789abcdef";
            json!({"tasks": [{"taskArn": arn, "lastStatus": "PROVISIONING"}], "failures": []})
        }
        "PutEvents" => json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}),
        _ => json!({}),
    }
}

/// A new session each time: nobody has a row of it.
fn record() -> Value {
    json!({"Records": [{"eventName": "INSERT", "dynamodb": {
        "Keys": {"sessionId": {"S": "calm-river-123"}}, "SequenceNumber": "1"}}]})
}

fn session() -> Value {
    json!({"sessionId": {"S": "calm-river-123"}, "status": {"S": "active"}, "sourceLanguage": {"S": "en"},
        "expiresAt": {"N": "99999999999"},
        "kvsChannelArn": {"S": "arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-x/1"}})
}

/// The row after an update whose expression sets `#name = :name`.
fn written(input: &Value) -> Value {
    let names = input["ExpressionAttributeNames"].as_object().cloned().unwrap_or_default();
    let set = names.iter().filter_map(|(place, name)| {
        let value = input["ExpressionAttributeValues"].get(place.replacen('#', ":", 1))?;
        Some((name.as_str()?.to_owned(), value.clone()))
    });
    let mut row: Map<String, Value> = set.collect();
    row.extend(input["Key"].as_object().cloned().unwrap_or_default());
    Value::Object(row)
}
