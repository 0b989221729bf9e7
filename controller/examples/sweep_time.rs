//! What a sweep of many sessions takes of the controller itself: the real binary, with one stand-in for AWS that answers from a table at once.
//!
//! ```text
//! cargo build --release -p controller --bins --example sweep_time
//! target/release/examples/sweep_time target/release/controller 10000 [RUNS]
//! ```
//!
//! Every session is live and healthy. `complete`: none needs a look, and all are read and compared (rows, tasks, the Sessions table). `due`: the same,
//! and of each there is something to be told, so that it is looked at. Each run is a new process with one invocation; each gives one line of JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement")]

mod stand_in;

use schemas::ids::{Generation, SessionId, started_by};
use schemas::table::workers::{OPEN_VALUE, open_shards};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// Keys in a page of the index (1 MB of 120 bytes each), rows of theirs (1 kB), and tasks of a ListTasks (ECS API reference).
const OUR_PAGE: usize = 8_000;
const THEIR_PAGE: usize = 1_000;
const TASK_PAGE: usize = 100;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("the path of the controller's binary");
    let sessions: usize = arguments.next().map_or(10_000, |n| n.parse().expect("a number of sessions"));
    let runs: usize = arguments.next().map_or(1, |n| n.parse().expect("a number of runs"));
    for due in [false, true] {
        let table = Arc::new(Table::new(sessions, due));
        for _ in 0..runs {
            println!("{}", measure(&program, &table));
        }
    }
}

/// One process, one sweep.
fn measure(program: &str, table: &Arc<Table>) -> Value {
    let (seen, sights) = channel();
    let polled = seen.clone();
    let calls: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let (counts, rows, asked) = (Arc::clone(&calls), Arc::clone(table), AtomicBool::new(false));
    let answer = move |path: &str, target: &str, input: &Value| {
        if path.ends_with("/response") {
            let _ended = seen.send((input.clone(), Instant::now()));
        }
        if !target.is_empty() {
            *counts.lock().unwrap().entry(target.to_owned()).or_default() += 1;
        }
        if !path.ends_with("/next") {
            return rows.answer(target, input);
        }
        while asked.swap(true, Ordering::Relaxed) {
            std::thread::park(); // there is one event
        }
        json!({ "sweep": true }).to_string()
    };
    let after = move |path: &str| {
        if path.ends_with("/next") {
            let _ended = polled.send((Value::Null, Instant::now()));
        }
    };
    let mut process = stand_in::start(program, Arc::new(answer), Arc::new(after));
    let (_, begun) = sights.recv_timeout(Duration::from_secs(10)).expect("the controller polls");
    let before = cpu_ms(process.id());
    let (swept, ended) = sights.recv_timeout(Duration::from_secs(600)).expect("the controller answers");
    let (after, peak) = (cpu_ms(process.id()), peak_kib(process.id()));
    process.kill().unwrap();
    process.wait().unwrap();
    json!({
        "scenario": if table.due { "due" } else { "complete" },
        "sessions": table.sessions.len(),
        "wall_ms": ended.duration_since(begun).as_millis() as u64,
        "cpu_ms": after - before,
        "peak_kib": peak,
        "swept": swept,
        "calls": *calls.lock().unwrap(),
    })
}

/// What AWS knows, rendered once: a stand-in that is slow would be measured, too.
struct Table {
    due: bool,
    sessions: BTreeMap<String, String>,
    workers: BTreeMap<String, String>,
    tasks: BTreeMap<String, String>,
    /// Keys of the pages' ends, by the table.
    names: Vec<String>,
    index: Vec<String>,
}

impl Table {
    fn new(count: usize, due: bool) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        let look = now + 3_600_000;
        let names: Vec<String> = (0..count).map(|n| format!("calm-river-{n:05}")).collect();
        let mut table = Self {
            due,
            sessions: BTreeMap::new(),
            workers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            index: names.iter().map(|name| index_row(name, look)).collect(),
            names: names.clone(),
        };
        for (n, name) in names.into_iter().enumerate() {
            let arn = format!("arn:aws:ecs:us-east-1:000000000000:task/workers/{n:032x}");
            table.sessions.insert(name.clone(), session(&name).to_string());
            table.workers.insert(name.clone(), worker(&name, &arn, now, due).to_string());
            table.tasks.insert(arn.clone(), task(&name, &arn).to_string());
        }
        table
    }

    fn answer(&self, target: &str, input: &Value) -> String {
        let key = |place: &str| input.pointer(place).and_then(Value::as_str).unwrap_or_default();
        match target {
            "GetItem" => {
                let rows = if input["TableName"] == "Sessions-x" { &self.sessions } else { &self.workers };
                let found = rows.get(key("/Key/sessionId/S"));
                found.map_or_else(|| "{}".into(), |row| format!(r#"{{"Item":{row}}}"#))
            }
            "BatchGetItem" => {
                let keys = input.pointer("/RequestItems/SessionWorkers-x/Keys").and_then(Value::as_array);
                let names = keys.into_iter().flatten().filter_map(|key| key.pointer("/sessionId/S")?.as_str());
                let rows: Vec<&str> = names.filter_map(|name| self.workers.get(name)).map(String::as_str).collect();
                format!(r#"{{"Responses":{{"SessionWorkers-x":[{}]}},"UnprocessedKeys":{{}}}}"#, rows.join(","))
            }
            "Query" if input["IndexName"].is_string() && self.is_asked_for(input) => {
                self.page(&self.index, OUR_PAGE, key("/ExclusiveStartKey/sessionId/S"), |name| {
                    self.index[self.names.binary_search(name).unwrap()].clone()
                })
            }
            "Query" => r#"{"Items":[],"Count":0,"ScannedCount":0}"#.into(),
            "Scan" => {
                let rows: Vec<String> = self.sessions.values().cloned().collect();
                self.page(&rows, THEIR_PAGE, key("/ExclusiveStartKey/sessionId/S"), |name| {
                    json!({ "sessionId": { "S": name } }).to_string()
                })
            }
            "ListTasks" => {
                let begin: usize = key("/nextToken").parse().unwrap_or(0);
                let arns: Vec<&String> = self.tasks.keys().skip(begin).take(TASK_PAGE).collect();
                let next = (begin + TASK_PAGE < self.tasks.len()).then(|| (begin + TASK_PAGE).to_string());
                json!({ "taskArns": arns, "nextToken": next }).to_string()
            }
            "DescribeTasks" => {
                let asked = input["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let found: Vec<&str> = asked.filter_map(|arn| self.tasks.get(arn)).map(String::as_str).collect();
                format!(r#"{{"tasks":[{}],"failures":[]}}"#, found.join(","))
            }
            "PutEvents" => json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }).to_string(),
            _ => "{}".into(),
        }
    }

    /// Open rows, as if all were in the first shard. Nobody waits to be told, or for a turn.
    fn is_asked_for(&self, input: &Value) -> bool {
        let asked = input.pointer("/ExpressionAttributeValues/:key/S").and_then(Value::as_str);
        asked.map(str::to_owned) == open_shards().next()
    }

    fn page(&self, rows: &[String], size: usize, after: &str, key: impl Fn(&String) -> String) -> String {
        let begin = if after.is_empty() { 0 } else { self.names.binary_search(&after.to_owned()).unwrap() + 1 };
        let end = (begin + size).min(rows.len());
        let page = rows[begin..end].join(",");
        let count = end - begin;
        let next = if end < rows.len() {
            format!(r#","LastEvaluatedKey":{}"#, key(&self.names[end - 1]))
        } else {
            String::new()
        };
        format!(r#"{{"Items":[{page}],"Count":{count},"ScannedCount":{count}{next}}}"#)
    }
}

fn session(name: &str) -> Value {
    let channel = format!("arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-{name}/1795365000000");
    stand_in::item(
        &json!({ "sessionId": name, "status": "active", "sourceLanguage": "en", "expiresAt": 99_999_999_999_i64,
        "kvsChannelArn": channel }),
    )
}

/// What the index holds: its keys.
fn index_row(name: &str, look: i64) -> String {
    stand_in::item(
        &json!({ "sessionId": name, "record": "current", "shard": open_shards().next(), "nextLookAt": look }),
    )
    .to_string()
}

/// The sample of the contract, live and healthy now, without an operator's order.
fn worker(name: &str, arn: &str, now: i64, due: bool) -> Value {
    let mut row: Value = serde_json::from_str(include_str!("../../schemas/golden/worker-row.json")).unwrap();
    row["sessionId"] = json!(name);
    row["record"] = json!("current");
    row["open"] = json!(OPEN_VALUE);
    row["nextLookAt"] = json!(99_999_999_999_000_i64);
    if due {
        row["published"] = Value::Null;
    }
    row["operator"] = json!({});
    row["intent"]["channelArn"] =
        json!(format!("arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-{name}/1795365000000"));
    row["intent"]["expiresAt"] = json!(99_999_999_999_000_i64);
    row["intent"]["taskDefinition"] = json!("worker:1");
    row["task"]["arn"] = json!(arn);
    row["worker"]["taskArn"] = json!(arn);
    row["worker"]["heartbeatAt"] = json!(now + 60_000);
    let at = now + 60_000;
    row["worker"]["progress"] = json!({ "rtpAt": at, "speechAt": at, "transcriptAt": at, "translationAt": at, "deliveryAt": at,
        "waiting": { "speechSince": null, "transcriptSince": null, "captionSince": null } });
    stand_in::item(&row)
}

fn task(name: &str, arn: &str) -> Value {
    let launch = started_by(&SessionId::try_new(name).unwrap(), Generation(2));
    json!({ "taskArn": arn, "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "startedBy": launch, "startedAt": 1_795_365_171,
        "containers": [{ "name": "worker", "lastStatus": "RUNNING" }], "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/worker:1" })
}

/// Processor time of a process so far, ms.
fn cpu_ms(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
