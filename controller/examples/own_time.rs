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

use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
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
    // A stand-in of its own for each process: what an earlier one still does is not seen here.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = &listener.local_addr().unwrap().to_string();
    let (seen, sights): (_, Receiver<Sight>) = channel();
    std::thread::spawn(move || serve(&listener, &seen));
    let url = format!("http://{address}");
    let began = Instant::now();
    let mut process = Command::new(program)
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "us-east-1"),
        ])
        .envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local"), ("AWS_LAMBDA_FUNCTION_NAME", "c")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"), ("AWS_LAMBDA_FUNCTION_VERSION", "1"), ("EVENT_BUS", "bus")])
        .envs([("AWS_LAMBDA_LOG_STREAM_NAME", "s"), ("AWS_LAMBDA_LOG_GROUP_NAME", "g"), ("SUBNETS", "subnet-a")])
        .envs([("SESSIONS_TABLE", "Sessions-x"), ("WORKERS_TABLE", "SessionWorkers-x"), ("CLUSTER", "workers")])
        .envs([("TASK_DEFINITION", "worker:1"), ("CONTAINER", "worker"), ("SECURITY_GROUPS", "sg-a")])
        .envs([("ASSIGN_PUBLIC_IP", "ENABLED"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .stdout(Stdio::null())
        .spawn()
        .expect("the controller starts");
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

fn serve(listener: &TcpListener, seen: &Sender<Sight>) {
    for stream in listener.incoming().flatten() {
        let seen = seen.clone();
        std::thread::spawn(move || drop(converse(stream, &seen)));
    }
}

/// One connection, kept alive.
fn converse(stream: TcpStream, seen: &Sender<Sight>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let (mut line, mut target, mut length) = (String::new(), String::new(), 0);
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        if path.is_empty() {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "x-amz-target" => target = value.trim().rsplit('.').next().unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = answer(&path, &target, &serde_json::from_slice(&body).unwrap_or_default(), seen).to_string();
        let deadline = "lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 99999999999999\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:c\r\n";
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{deadline}content-length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all(format!("{head}{answer}").as_bytes())?;
        if path.ends_with("/next") {
            let _ended = seen.send((Seen::Next, Instant::now()));
        }
    }
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
