//! What an operator does to real processes: hold and release, drain, restart, stop, a rollout, and the channels of ended runs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use e2e::stack::Stack;
use serde_json::{Value, json};

const SESSION: &str = "blessed-shepherd-123";

fn is_over(row: &Value) -> bool {
    row["phase"] == "Stopped" || row["phase"] == "Failed"
}

/// The row is final, and its task has ended.
fn is_settled(row: &Value) -> bool {
    is_over(row) && row["task"]["lastStatus"] == "STOPPED"
}

/// The worker of this generation has spoken.
fn works(generation: u64) -> impl Fn(&Value) -> bool {
    move |row| row["generation"] == generation && row["worker"].is_object() && !is_over(row)
}

/// `sessionctl` with these arguments, while the schedule ticks every 2 s instead of every minute.
async fn ctl(stack: &Stack, arguments: &[&str]) -> Output {
    let mut tool = stack.tool("sessionctl").unwrap();
    tool.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = tokio::task::spawn_blocking(move || tool.output().unwrap());
    loop {
        tokio::select! {
            output = &mut waiting => return output.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(2)) => drop(stack.schedule().await.unwrap()),
        }
    }
}

/// What it says, when it ends with this code.
async fn says(stack: &Stack, code: i32, arguments: &[&str]) -> String {
    let output = ctl(stack, arguments).await;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

/// An order is signed and obeyed: nothing ends under a hold, and what was asked for is done once.
#[tokio::test]
async fn an_operators_orders_are_obeyed_and_a_held_session_is_not_touched() {
    let stack = Stack::up("operator").unwrap();
    stack.reconfigure_controller(&json!({"CHANNEL_CLEANUP": "on"})).await.unwrap();
    let channel = stack.put_session(SESSION).await.unwrap();
    stack.until_row(SESSION, false, "served", works(1)).await.unwrap();

    let held = says(&stack, 0, &["hold", SESSION, "--for", "1h", "--by", "alice", "--note", "looking"]).await;
    assert!(held.contains("held for 1h00m by alice (\"looking\")"), "{held}");
    stack.end_session(SESSION).await.unwrap();
    for _ in 0..2 {
        stack.schedule().await.unwrap();
    }
    let row = stack.row(SESSION).await.unwrap();
    assert!(works(1)(&row) && row["intent"]["desired"] == "run", "held, and it stays: {row:#}");
    let why = says(&stack, 0, &["why", SESSION]).await;
    assert!(why.contains("held since") && why.contains("status is ended"), "{why}");

    says(&stack, 0, &["release", SESSION, "--by", "bob"]).await;
    let gone = stack.until_row(SESSION, true, "released and gone", is_settled).await.unwrap();
    assert_eq!(gone["why"]["cause"], "sessionEnded", "{gone:#}");
    let story = says(&stack, 0, &["show", SESSION]).await;
    assert!(story.contains("by alice (\"looking\")") && story.contains("by bob"), "both signatures are kept: {story}");

    assert!(stack.has_channel(&channel).await.unwrap(), "the grace has not passed");
    stack.age_phase(SESSION, 11).await.unwrap();
    let cleaned = |row: &Value| row["channelDeletedAt"].is_number();
    stack.until_row(SESSION, true, "its channel is deleted after the grace", cleaned).await.unwrap();
    assert!(!stack.has_channel(&channel).await.unwrap());
    assert_eq!(stack.tasks(SESSION).await.unwrap().len(), 1);
}

#[tokio::test]
async fn drain_restart_and_stop_are_each_done_once() {
    let stack = Stack::up("orders").unwrap();
    stack.put_session(SESSION).await.unwrap();
    stack.until_row(SESSION, false, "served", works(1)).await.unwrap();

    let ordered = says(&stack, 0, &["drain", SESSION, "--note", "new host"]).await;
    assert!(ordered.contains("its turn comes"), "{ordered}");
    stack.until_row(SESSION, true, "drained, at a tick", works(2)).await.unwrap();
    says(&stack, 0, &["restart", SESSION, "--wait"]).await;
    stack.until_row(SESSION, false, "restarted", works(3)).await.unwrap();
    let asked = says(&stack, 2, &["stop", SESSION]).await;
    assert!(asked.contains("--yes"), "nobody can answer: {asked}");
    says(&stack, 0, &["stop", SESSION, "--yes", "--wait"]).await;
    let stopped = stack.until_row(SESSION, true, "stopped", is_settled).await.unwrap();
    assert_eq!(stopped["why"]["cause"], "operatorStop", "although its row says active: {stopped:#}");
    stack.schedule().await.unwrap();
    assert_eq!(stack.row(SESSION).await.unwrap()["generation"], 3, "and it stays so");
    says(&stack, 0, &["restart", SESSION, "--wait", "--note", "a mistake"]).await;
    let again = stack.until_row(SESSION, false, "called back", works(4)).await.unwrap();
    assert_eq!(again["restarts"]["consecutive"], 0, "no order counts as a failure: {again:#}");
    says(&stack, 0, &["replay", SESSION]).await;

    says(&stack, 0, &["hold", SESSION, "--for", "6s", "--note", "short"]).await;
    stack.end_session(SESSION).await.unwrap();
    stack.schedule().await.unwrap();
    assert!(works(4)(&stack.row(SESSION).await.unwrap()), "held");
    stack.until_row(SESSION, true, "gone when the hold has expired", is_settled).await.unwrap();
    assert_eq!(stack.tasks(SESSION).await.unwrap().len(), 4);
}

/// What the scripted recogniser hears: one sentence for the first worker, two for the one that follows. Real recognition would
/// be late on a loaded machine, and the silence over before the first caption.
const HEARD: &str = r#"{"streams": [
    [{"at": 3.0, "utterance": 1, "final": true, "text": "good morning everyone"}],
    [{"at": 3.0, "utterance": 1, "final": true, "text": "please choose your language now"},
     {"at": 5.0, "utterance": 2, "final": true, "text": "and follow the meeting"}]
]}"#;

/// Checked: the worker is replaced once, at the silence, by one of the new task definition; what is said after it is captioned;
/// and, by the rehearsal's own verdict, every listener gets every final of both workers exactly once and is told one end.
#[tokio::test]
async fn a_rollout_replaces_the_worker_once_and_every_listener_gets_every_final() {
    let (audio, script) = (with_a_silence("rollout.wav"), scratch("rollout.json"));
    std::fs::write(&script, HEARD).unwrap();
    let stack = Stack::up_with("rollout", &["--transcript", script.to_str().unwrap()]).unwrap();
    let mut rehearsal = stack.tool("sessionctl").unwrap();
    rehearsal.args(["rehearse", "--json", "--listeners", "es,en", "--session", SESSION, "--audio"]).arg(audio);
    rehearsal.stdout(Stdio::piped()).stderr(Stdio::piped());
    let rehearsal = tokio::task::spawn_blocking(move || rehearsal.output().unwrap());
    let cursor = |row: &Value| row["worker"]["languages"]["en"]["lastCursor"].as_u64().unwrap_or_default();
    stack.until_row(SESSION, false, "captions flow", |row| cursor(row) >= 1).await.unwrap();

    let next = stack.register_definition("next").await.unwrap();
    let switches = json!({"TASK_DEFINITION": next, "ROLLOUT": "on"});
    stack.reconfigure_controller(&switches).await.unwrap();
    let replaced =
        stack.while_minutes_fly(SESSION, "replaced at the silence", |row| row["generation"] == 2).await.unwrap();
    assert_eq!(replaced["restarts"]["last"]["cause"], "handover", "{replaced:#}");
    stack.until_row(SESSION, true, "captions go on", |row| row["generation"] == 2 && cursor(row) >= 1).await.unwrap();

    let output = rehearsal.await.unwrap();
    let (printed, progress) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&printed[printed.find('{').unwrap()..]).unwrap();
    assert_eq!(report["passed"], true, "{progress}\n{report:#}");
    let tasks = stack.tasks(SESSION).await.unwrap();
    let of_definition = |arn: &str| tasks.iter().filter(|task| task["taskDefinitionArn"] == arn).count();
    assert_eq!((tasks.len(), of_definition(&next)), (2, 1), "{tasks:#?}");
}

/// The first sentence of the short sample, which ends at 3.6 s, eighteen seconds of silence, and its last five seconds.
fn with_a_silence(name: &str) -> PathBuf {
    let mut sample = hound::WavReader::open(e2e::root().join("samples/short.wav")).unwrap();
    let (spec, samples) = (sample.spec(), sample.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>());
    let rate = usize::try_from(spec.sample_rate).unwrap();
    let path = scratch(name);
    let mut written = hound::WavWriter::create(&path, spec).unwrap();
    let (first, last) = (&samples[..4 * rate], &samples[samples.len() - 5 * rate..]);
    let silence = std::iter::repeat_n(0, 18 * rate);
    first.iter().copied().chain(silence).chain(last.iter().copied()).for_each(|s| written.write_sample(s).unwrap());
    written.finalize().unwrap();
    path
}

fn scratch(name: &str) -> PathBuf {
    let folder = e2e::binaries().unwrap().join("../tmp/e2e");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}
