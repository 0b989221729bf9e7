//! The whole API over HTTP, with `/bin/sh` as the container and a few lines as the emulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/session-workers-local";

type Delivered = Arc<Mutex<Vec<Value>>>;

/// Task definition, cluster, one rule and one function: what our template puts into the emulator.
async fn emulator(script: &str, delivered: Delivered) -> String {
    let definition = json!({"taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/session-worker-local:1",
        "family": "session-worker-local", "revision": 1, "cpu": "256", "memory": "512",
        "containerDefinitions": [{
            "name": "worker", "image": "session-worker:local", "stopTimeout": 2, "command": ["-c", script],
            "restartPolicy": {"enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 300},
            "environment": [{"name": "WORKERS_TABLE", "value": "SessionWorkers-local"}],
        }],
    }});
    let pattern = json!({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [CLUSTER], "group": ["family:session-worker-local"]},
    });
    let call = async move |headers: HeaderMap, body: Bytes| {
        let input: Value = serde_json::from_slice(&body).unwrap();
        Json(match headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap() {
            "DescribeTaskDefinition" => definition.clone(),
            "DescribeClusters" if input["clusters"][0] == "session-workers-local" => {
                json!({"clusters": [{"clusterArn": CLUSTER}]})
            }
            "DescribeClusters" => json!({"clusters": [], "failures": [{"reason": "MISSING"}]}),
            "ListRules" => json!({"Rules": [
                {"Name": "tasks", "State": "ENABLED", "EventPattern": pattern.to_string()},
                {"Name": "sweep", "State": "ENABLED", "ScheduleExpression": "rate(1 minute)"},
            ]}),
            "ListTargetsByRule" => {
                json!({"Targets": [{"Id": "0", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:c"}]})
            }
            other => panic!("{other} was not expected"),
        })
    };
    let invoke = async |State(delivered): State<Delivered>, Path(_function): Path<String>, Json(event): Json<Value>| {
        delivered.lock().unwrap().push(event);
        Json(json!({}))
    };
    let app = Router::new()
        .route("/", post(call))
        .route("/2015-03-31/functions/{function}/invocations", post(invoke))
        .with_state(delivered);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

struct Rig {
    ecs: Ecs,
    http: reqwest::Client,
    delivered: Delivered,
    logs: PathBuf,
}

impl Rig {
    /// A container that runs `script`, on a ladder without waits.
    async fn new(script: &str) -> Self {
        let delivered = Delivered::default();
        let api = Api::new(&emulator(script, Arc::clone(&delivered)).await, "us-east-1", "000000000000");
        let logs = std::env::temp_dir().join(format!("ecs-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&logs).unwrap();
        let shell = Program { path: "/bin/sh".into(), arguments: Vec::new() };
        let config = EcsConfig {
            api,
            images: [("session-worker:local".to_owned(), shell)].into(),
            endpoints: vec![("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:1".to_owned())],
            access_key_id: "000000000000".to_owned(),
            secret_access_key: "secret".to_owned(),
            functions: Functions::default(),
            pace: Pace::default().scaled(0.0),
            logs: logs.clone(),
            guard: Guard::none(),
        };
        let ecs = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).unwrap();
        Self { ecs, http: reqwest::Client::new(), delivered, logs }
    }

    async fn call(&self, operation: &str, input: Value) -> (u16, Value) {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        let request = self.http.post(self.ecs.url()).header("x-amz-target", target).body(input.to_string());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn faults(&self, faults: Value) {
        let url = format!("{}/_local/faults", self.ecs.url());
        assert!(self.http.post(url).json(&faults).send().await.unwrap().status().is_success());
    }

    async fn run(&self) -> String {
        let (status, answer) = self.call("RunTask", request("token")).await;
        assert_eq!(status, 200, "{answer}");
        arn_of(&answer)
    }

    async fn describe(&self, arn: &str) -> Value {
        let (_, answer) = self.call("DescribeTasks", json!({"cluster": "session-workers-local", "tasks": [arn]})).await;
        answer["tasks"][0].clone()
    }

    /// Looks until the task is so.
    async fn until(&self, arn: &str, status: &str) -> Value {
        for _ in 0..2_000 {
            let task = self.describe(arn).await;
            if task["lastStatus"] == status {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{arn} is not {status}: {}", self.describe(arn).await);
    }

    /// `lastStatus` of the events, in order of their versions, once the task's STOPPED has come.
    async fn told(&self) -> Vec<Value> {
        for _ in 0..2_000 {
            let mut events = self.delivered.lock().unwrap().clone();
            events.sort_by_key(|event| event["detail"]["version"].as_u64());
            if events.iter().any(|event| event["detail"]["lastStatus"] == "STOPPED") {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no STOPPED was told");
    }

    fn output(&self, arn: &str) -> String {
        let id = arn.rsplit('/').next().unwrap();
        std::fs::read_to_string(self.logs.join(format!("worker-{id}.log"))).unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.logs);
    }
}

fn request(token: &str) -> Value {
    json!({
        "cluster": "session-workers-local", "taskDefinition": "session-worker-local:1", "launchType": "FARGATE",
        "clientToken": token, "startedBy": "blessed-shepherd-123/1",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}},
        "overrides": {"containerOverrides": [{"name": "worker", "environment": [{"name": "GENERATION", "value": "1"}]}]},
    })
}

fn arn_of(answer: &Value) -> String {
    answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_same_token_gives_the_same_task_even_after_its_end() {
    let rig = Rig::new("exit 0").await;
    let arn = rig.run().await;
    rig.until(&arn, "STOPPED").await;
    let (_, again) = rig.call("RunTask", request("token")).await;
    assert_eq!(again["tasks"][0], json!({"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}));
    let (_, other) = rig.call("RunTask", request("another")).await;
    assert_ne!(arn_of(&other), arn);
}

#[tokio::test]
async fn the_same_token_with_other_parameters_names_the_task_that_is_there() {
    let rig = Rig::new("sleep 60").await;
    let arn = rig.run().await;
    let mut changed = request("token");
    changed["overrides"]["containerOverrides"][0]["environment"][0]["value"] = json!("2");
    let (status, answer) = rig.call("RunTask", changed).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("ConflictException")));
    assert_eq!(answer["resourceIds"], json!([arn]));
}

#[tokio::test]
async fn a_lost_answer_is_found_again_with_its_token() {
    let rig = Rig::new("sleep 60").await;
    rig.faults(json!({"loseAnswers": 1})).await;
    assert_eq!(rig.call("RunTask", request("token")).await.0, 500);
    let arn = rig.run().await;
    let (_, listed) = rig.call("ListTasks", json!({"cluster": "session-workers-local"})).await;
    assert_eq!(listed["taskArns"], json!([arn]));
}

#[tokio::test]
async fn no_capacity_is_a_failure_in_an_answer_that_succeeded_and_uses_no_token() {
    let rig = Rig::new("sleep 60").await;
    rig.faults(json!({"noCapacity": 1, "throttle": 1})).await;
    let (status, throttled) = rig.call("RunTask", request("token")).await;
    assert_eq!((status, &throttled["__type"]), (400, &json!("ThrottlingException")));
    let (status, answer) = rig.call("RunTask", request("token")).await;
    assert_eq!((status, answer["tasks"].as_array().unwrap().len()), (200, 0));
    assert!(answer["failures"][0]["reason"].as_str().unwrap().starts_with("Capacity is unavailable"));
    rig.run().await;
}

#[tokio::test]
async fn a_container_sees_its_definition_its_overrides_the_platform_and_nothing_else() {
    let rig = Rig::new("env").await;
    let arn = rig.run().await;
    rig.until(&arn, "STOPPED").await;
    let output = rig.output(&arn);
    let mut names: Vec<&str> = output.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    let expected = [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "ECS_CONTAINER_METADATA_URI_V4",
        "GENERATION",
        "WORKERS_TABLE",
    ];
    assert_eq!(names, expected);
    let uri = output.lines().find_map(|line| line.strip_prefix("ECS_CONTAINER_METADATA_URI_V4=")).unwrap();
    let metadata: Value = rig.http.get(format!("{uri}/task")).send().await.unwrap().json().await.unwrap();
    assert_eq!(metadata["TaskARN"], json!(arn));
    let uri = output.lines().find_map(|line| line.strip_prefix("AWS_CONTAINER_CREDENTIALS_FULL_URI=")).unwrap();
    let credentials: Value = rig.http.get(uri).send().await.unwrap().json().await.unwrap();
    assert_eq!(credentials["AccessKeyId"], "000000000000");
}

#[tokio::test]
async fn a_container_that_ends_takes_its_task_along_and_every_step_is_told() {
    let rig = Rig::new("sleep 0.2; exit 3").await;
    let arn = rig.run().await;
    let task = rig.until(&arn, "STOPPED").await;
    assert_eq!(
        (&task["stopCode"], &task["containers"][0]["exitCode"]),
        (&json!("EssentialContainerExited"), &json!(3))
    );
    let events = rig.told().await;
    let told: Vec<&str> = events.iter().filter_map(|event| event["detail"]["lastStatus"].as_str()).collect();
    let mut steps = told.clone();
    steps.dedup();
    let ladder = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "DEPROVISIONING", "STOPPED"];
    assert_eq!(steps, ladder);
    let versions: Vec<u64> = events.iter().filter_map(|event| event["detail"]["version"].as_u64()).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let last = &events.last().unwrap();
    assert_eq!(last["resources"], json!([arn]));
    assert_eq!(last["detail"]["startedBy"], "blessed-shepherd-123/1");
    assert!(last["detail"]["stoppedAt"].as_str().unwrap().ends_with('Z'));
    assert!(last["detail"].get("tags").is_none());
}

#[tokio::test]
async fn stop_asks_by_sigterm_and_the_code_is_the_containers_own() {
    let rig = Rig::new("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done").await;
    let arn = rig.run().await;
    rig.until(&arn, "RUNNING").await;
    while !rig.output(&arn).contains("up") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stop = json!({"cluster": "session-workers-local", "task": arn, "reason": "it is late"});
    let (_, answer) = rig.call("StopTask", stop).await;
    assert_eq!(answer["task"]["desiredStatus"], "STOPPED");
    let task = rig.until(&arn, "STOPPED").await;
    assert_eq!((&task["stopCode"], &task["stoppedReason"]), (&json!("UserInitiated"), &json!("it is late")));
    assert_eq!(task["containers"][0]["exitCode"], 0);
}

#[tokio::test]
async fn sigterm_that_is_not_handled_is_143_and_sigterm_that_is_ignored_ends_in_137() {
    let (weak, deaf) =
        tokio::join!(Rig::new("exec sleep 60"), Rig::new("trap '' TERM; echo up; while :; do sleep 1; done"));
    for (rig, code) in [(weak, 143), (deaf, 137)] {
        let arn = rig.run().await;
        rig.until(&arn, "RUNNING").await;
        while code == 137 && !rig.output(&arn).contains("up") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rig.call("StopTask", json!({"cluster": "session-workers-local", "task": arn})).await;
        assert_eq!(rig.until(&arn, "STOPPED").await["containers"][0]["exitCode"], code);
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_stops_the_task_without_an_exit_code() {
    let rig = Rig::new("exit 0").await;
    rig.faults(json!({"failToStart": 1})).await;
    let arn = rig.run().await;
    let task = rig.until(&arn, "STOPPED").await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert!(task["stoppedReason"].as_str().unwrap().starts_with("CannotPullContainerError"));
    assert!(task["containers"][0].get("exitCode").is_none());
}

#[tokio::test]
async fn a_young_task_may_be_missing_while_ecs_makes_up_its_mind() {
    let rig = Rig::new("sleep 60").await;
    rig.faults(json!({"invisibleMs": 60_000})).await;
    let arn = rig.run().await;
    let (_, answer) = rig.call("DescribeTasks", json!({"cluster": "session-workers-local", "tasks": [arn]})).await;
    assert_eq!(answer, json!({"tasks": [], "failures": [{"arn": arn, "reason": "MISSING"}]}));
}

#[tokio::test]
async fn lists_are_by_desired_status_and_by_who_started_it() {
    let rig = Rig::new("sleep 60").await;
    let arn = rig.run().await;
    let list = async |more: Value| {
        let mut input = json!({"cluster": "session-workers-local"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rig.call("ListTasks", input).await
    };
    assert_eq!(list(json!({"startedBy": "blessed-shepherd-123/1"})).await.1["taskArns"], json!([arn]));
    assert_eq!(list(json!({"startedBy": "blessed-shepherd-123/2"})).await.1["taskArns"], json!([]));
    assert_eq!(list(json!({"family": "session-worker-local"})).await.1["taskArns"], json!([arn]));
    assert_eq!(list(json!({"desiredStatus": "STOPPED"})).await.1["taskArns"], json!([]));
    assert_eq!(list(json!({"family": "f", "startedBy": "s"})).await.0, 400);
}

#[tokio::test]
async fn what_ecs_refuses_is_refused_with_its_name() {
    let rig = Rig::new("exit 0").await;
    let refused = async |change: fn(&mut Value)| {
        let mut input = request("t");
        change(&mut input);
        rig.call("RunTask", input).await.1["__type"].as_str().unwrap_or("accepted").to_owned()
    };
    assert_eq!(refused(|r| r["cluster"] = json!("other")).await, "ClusterNotFoundException");
    assert_eq!(refused(|r| r["startedBy"] = json!("a b")).await, "InvalidParameterException");
    assert_eq!(refused(|r| r["clientToken"] = json!("x".repeat(65))).await, "InvalidParameterException");
    assert_eq!(refused(|r| r["networkConfiguration"] = json!({})).await, "InvalidParameterException");
    let renamed = |r: &mut Value| r["overrides"]["containerOverrides"][0]["name"] = json!("other");
    assert_eq!(refused(renamed).await, "InvalidParameterException");
}

#[tokio::test]
async fn when_the_stack_stops_its_tasks_have_stopped() {
    let rig = Rig::new("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done").await;
    let arn = rig.run().await;
    rig.until(&arn, "RUNNING").await;
    while !rig.output(&arn).contains("up") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let log = rig.logs.join(format!("worker-{}.log", arn.rsplit('/').next().unwrap()));
    let other = Ecs { running: Running::new("127.0.0.1:1".parse().unwrap()), shared: Arc::clone(&rig.ecs.shared) };
    other.stop(Duration::from_secs(10)).await;
    assert!(std::fs::read_to_string(log).unwrap().contains("bye"));
}

#[tokio::test]
async fn a_throttle_may_hide_in_the_text_of_another_exception_and_starts_nothing() {
    let rig = Rig::new("sleep 60").await;
    rig.faults(json!({"hiddenThrottle": 1})).await;
    let (status, answer) = rig.call("RunTask", request("token")).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("InvalidParameterException")));
    assert!(answer["message"].as_str().unwrap().starts_with("Rate exceeded"));
    let (_, listed) = rig.call("ListTasks", json!({"cluster": "session-workers-local"})).await;
    assert_eq!(listed["taskArns"], json!([]));
}

#[tokio::test]
async fn a_conflict_on_purpose_names_the_task_that_was_started() {
    let rig = Rig::new("sleep 60").await;
    rig.faults(json!({"conflict": 1})).await;
    let (status, answer) = rig.call("RunTask", request("token")).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("ConflictException")));
    let (_, listed) = rig.call("ListTasks", json!({"cluster": "session-workers-local"})).await;
    assert_eq!(answer["resourceIds"], listed["taskArns"]);
}

#[tokio::test]
async fn a_killed_container_is_137_and_only_that_of_the_session_dies() {
    let rig = Rig::new("sleep 60").await;
    let arn = rig.run().await;
    rig.until(&arn, "RUNNING").await;
    let kill = async |session: &str| {
        let url = format!("{}/_local/kill", rig.ecs.url());
        let answer = rig.http.post(url).json(&json!({"session": session})).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["killed"].clone()
    };
    assert_eq!(kill("blessed-shepherd-12").await, json!([]));
    assert_eq!(kill("blessed-shepherd-123").await, json!([arn]));
    assert_eq!(rig.until(&arn, "STOPPED").await["containers"][0]["exitCode"], 137);
}

#[tokio::test]
async fn a_container_that_crashes_is_started_again_in_its_task_with_what_it_was_launched_with() {
    let mark = std::env::temp_dir().join(format!("again-{}", uuid::Uuid::new_v4()));
    let script = "env | grep GENERATION; [ -f MARK ] && exit 3; touch MARK; exit 101"
        .replace("MARK", &mark.display().to_string());
    let rig = Rig::new(&script).await;
    rig.faults(json!({"restartAfterMs": 0})).await;
    let arn = rig.run().await;
    let task = rig.until(&arn, "STOPPED").await;
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(task["containers"][0]["exitCode"], 3, "an exit code that is ignored ends the task");
    assert_eq!(rig.output(&arn), "GENERATION=1\nGENERATION=1\n");
    let id = arn.rsplit('/').next().unwrap();
    let metadata = rig.http.get(format!("{}/v4/{id}", rig.ecs.url())).send().await.unwrap();
    assert_eq!(metadata.json::<Value>().await.unwrap()["RestartCount"], 1);
}

#[test]
fn a_restart_policy_is_read_as_ecs_and_as_cloudformation_spell_it() {
    let definition = |policy: Value| {
        let container = json!({"name": "worker", "image": "i", "restartPolicy": policy});
        let made = json!({
            "taskDefinitionArn": "a", "family": "f", "cpu": "256", "memory": "512", "containerDefinitions": [container],
        });
        model::Definition::parse(&made).unwrap().restart
    };
    let ecs = definition(json!({"enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60}));
    let template = definition(json!({"Enabled": true, "IgnoredExitCodes": [0, 3], "RestartAttemptPeriod": 60}));
    assert_eq!(ecs, Some(model::RestartPolicy { ignored: vec![0, 3], attempt_period: 60 }));
    assert_eq!((definition(Value::Null), definition(json!({"enabled": false})), template), (None, None, ecs.clone()));
    let policy = ecs.unwrap();
    let ran = Duration::from_secs;
    assert!(policy.applies(137, ran(60), None) && !policy.applies(3, ran(60), None));
    assert!(!policy.applies(137, ran(59), None) && policy.applies(137, ran(1), Some(ran(1))));
}

#[tokio::test]
async fn a_container_that_ran_for_less_than_the_period_is_not_started_again() {
    let rig = Rig::new("exit 101").await;
    let arn = rig.run().await;
    assert_eq!(rig.until(&arn, "STOPPED").await["containers"][0]["exitCode"], 101);
    assert_eq!(rig.output(&arn), "");
}

#[tokio::test]
async fn a_knob_that_is_not_named_stays_as_it_is() {
    let rig = Rig::new("exit 0").await;
    rig.faults(json!({"noCapacity": 3})).await;
    rig.faults(json!({"loseEvents": 1})).await;
    let shown = rig.http.get(format!("{}/_local/faults", rig.ecs.url())).send().await.unwrap();
    let shown: Value = shown.json().await.unwrap();
    assert_eq!((&shown["noCapacity"], &shown["loseEvents"]), (&json!(3), &json!(1)));
}
