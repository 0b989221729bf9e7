//! Versions of the worker that cannot run, rolled out to real processes: each costs one session its worker, and the rest nothing.
//!
//! The version is the variable `RELEASE` of the task definition. What ECS starts is a script, which runs the real worker as that release would run.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::deploy::Events;
use e2e::stack::Stack;
use serde_json::{Value, json};

/// Longest wait for a verdict: the version that lives longest, and all that comes before it.
const PATIENCE: Duration = Duration::from_secs(150);
/// They are served before the deployment.
const SERVED: [&str; 3] = ["first-river-001", "second-river-002", "third-river-003"];

/// A stack with a worker of several releases, whose sessions are served by a version that is known to be good.
async fn stack(name: &str) -> (Stack, Events, String) {
    let stack = Stack::up_with(name, &["--worker", releases(name).to_str().unwrap()]).unwrap();
    let events = stack.subscribe("Session Worker Version Failed").await.unwrap();
    let good = stack.current_definition().await.unwrap();
    // Nobody waits for five minutes of speech here.
    stack.set_versions(&json!({"good": good})).await.unwrap();
    for session in SERVED {
        stack.put_session(session).await.unwrap();
    }
    for session in SERVED {
        let speaks = |row: &Value| row["worker"].is_object();
        stack.until_row(session, false, "served", speaks).await.unwrap();
    }
    // The last event of a task has come: no invocation is under way when the function's variables change.
    tokio::time::sleep(Duration::from_secs(3)).await;
    (stack, events, good)
}

/// The worker, as each release of these tests would run.
fn releases(name: &str) -> PathBuf {
    let folder = e2e::binaries().unwrap();
    let (script, worker) = (folder.join(format!("../tmp/e2e/{name}.sh")), folder.join("worker"));
    let text = format!(
        "#!/bin/sh\nulimit -c 0\ncase \"$RELEASE\" in\n\
         exits-at-once) exit 101 ;;\n\
         exits-after-90-s) exec timeout --preserve-status --signal=ABRT 90 {worker} ;;\n\
         *) exec {worker} ;;\nesac\n",
        worker = worker.display()
    );
    std::fs::create_dir_all(script.parent().unwrap()).unwrap();
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// Deploys this release with its rollout; its task definition.
async fn deploy(stack: &Stack, release: &str) -> String {
    let version = stack.register_definition(release).await.unwrap();
    stack.reconfigure_controller(&json!({"TASK_DEFINITION": version, "ROLLOUT": "on"})).await.unwrap();
    version
}

/// Lets the minutes of the schedule fly until this is so.
async fn until(stack: &Stack, sessions: &[&str], what: &str, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        if start.elapsed() > PATIENCE {
            let mut seen = vec![stack.versions().await.unwrap()];
            for session in sessions {
                let row = stack.row(session).await.unwrap();
                let version = &row["intent"]["taskDefinition"];
                seen.push(json!([session, row["generation"], row["phase"], row["why"]["text"], version]));
            }
            panic!("{what}: not within {PATIENCE:?}: {seen:#?}");
        }
        stack.let_a_minute_fly(sessions).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// How many tasks of this version, and of all, were started for a session.
async fn launches(stack: &Stack, session: &str, version: &str) -> (usize, usize) {
    let tasks = stack.tasks(session).await.unwrap();
    (tasks.iter().filter(|task| task["taskDefinitionArn"] == version).count(), tasks.len())
}

/// The sessions among those that were served which have met this version.
async fn hurt(stack: &Stack, version: &str) -> Vec<&'static str> {
    let mut hurt = Vec::new();
    for session in SERVED {
        if launches(stack, session, version).await.0 > 0 {
            hurt.push(session);
        }
    }
    hurt
}

async fn is_served_by(stack: &Stack, session: &str, version: &str) -> bool {
    let row = stack.row(session).await.unwrap();
    let serves = ["Joining", "WaitingForSpeaker", "Live"].iter().any(|phase| row["phase"] == *phase);
    serves && row["worker"].is_object() && row["intent"]["taskDefinition"] == version
}

async fn is_bad(stack: &Stack, version: &str) -> bool {
    let known = stack.versions().await.unwrap();
    known["bad"].as_array().is_some_and(|bad| bad.iter().any(|bad| bad["version"] == version))
}

/// What `rollout status` says of a bad version, which it ends with 1 for.
async fn status(stack: &Stack) -> String {
    let mut tool = stack.tool("sessionctl").unwrap();
    tool.args(["rollout", "status"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || tool.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

/// `family:revision`.
fn short(version: &str) -> &str {
    version.rsplit('/').next().unwrap()
}

/// The version is bad for this reason; whoever pages, listens or asks is told so; and new sessions never meet it.
async fn is_told(stack: &Stack, events: &Events, (bad, good): (&str, &str), why: &str) {
    let said = status(stack).await;
    for part in [&format!("{}: bad since", short(bad)), why, &format!("start from {}", short(good))] {
        assert!(said.contains(part), "{part:?} is missing: {said}");
    }
    let told = stack.next_event(events).await.unwrap();
    assert_eq!(
        (&told["source"], &told["detail"]["happening"]),
        (&json!("session-translation"), &json!("versionFailed"))
    );
    assert!(told["detail"]["why"]["text"].as_str().unwrap().contains(why), "{told:#}");
    stack.until_metric("BadVersions", 1).await.unwrap();
    stack.put_session("after-verdict-004").await.unwrap();
    until(stack, &["after-verdict-004"], "served", async || is_served_by(stack, "after-verdict-004", good).await).await;
    assert_eq!(launches(stack, "after-verdict-004", bad).await, (0, 1));
}

#[tokio::test]
async fn a_version_that_exits_at_once_costs_one_session_its_worker_and_the_rest_nothing() {
    let (stack, events, good) = stack("exits-at-once").await;
    let bad = deploy(&stack, "exits-at-once").await;
    until(&stack, &SERVED, "the version is bad", async || is_bad(&stack, &bad).await).await;
    let hurt = hurt(&stack, &bad).await;
    let [one] = hurt[..] else { panic!("{hurt:?}") };
    until(&stack, &SERVED, "the session has gone back", async || is_served_by(&stack, one, &good).await).await;
    is_told(&stack, &events, (&bad, &good), "the worker exited with code 101").await;
    for session in SERVED {
        let expected = if session == one { (1, 3) } else { (0, 1) };
        assert_eq!(launches(&stack, session, &bad).await, expected, "{session}");
    }
}

#[tokio::test]
async fn a_version_that_exits_after_90_s_costs_one_session_its_worker_and_a_new_one_one_launch() {
    let (stack, events, good) = stack("exits-after-90-s").await;
    let bad = deploy(&stack, "exits-after-90-s").await;
    let new = "meanwhile-new-005";
    let all = [SERVED[0], SERVED[1], SERVED[2], new];
    until(&stack, &SERVED, "the version is tried", async || !hurt(&stack, &bad).await.is_empty()).await;
    stack.put_session(new).await.unwrap();
    until(&stack, &all, "the version is bad", async || is_bad(&stack, &bad).await).await;
    let hurt = hurt(&stack, &bad).await;
    let [one] = hurt[..] else { panic!("{hurt:?}") };
    until(&stack, &all, "the session has gone back", async || is_served_by(&stack, one, &good).await).await;
    is_told(&stack, &events, (&bad, &good), "ended unexpectedly").await;
    for session in SERVED.into_iter().filter(|session| *session != one) {
        assert_eq!(launches(&stack, session, &bad).await, (0, 1), "{session}");
    }
    assert_eq!(launches(&stack, new, &bad).await.0, 1);
    assert_eq!(launches(&stack, one, &bad).await.0, 1);
}
