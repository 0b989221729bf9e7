//! A session that lives on a KVS stream: GetMedia by the real worker, a producer in the speaker's place.
#![allow(clippy::unwrap_used, reason = "tests")]

use e2e::stack::Stack;
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;

const SESSION: &str = "patient-river-008";

/// The connection breaks off in the middle of a fragment, then the service ends the next one with an error among the fragments, while the
/// speaker speaks: nobody misses a word, and nobody reads one twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_on_a_stream_is_captioned_whole_though_the_connection_breaks_twice() {
    let stack = Stack::up("stream").unwrap();
    refuse_a_channel_as_a_stream(&stack).await;

    let arguments =
        ["rehearse", "--json", "--via", "stream", "--audio", "samples/short.wav", "--script", "samples/short.txt"];
    let mut rehearsal = stack.tool("sessionctl").unwrap();
    rehearsal.args(arguments).args(["--listeners", "es,ca,en", "--session", SESSION]);
    rehearsal.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut rehearsal = rehearsal.spawn().unwrap();
    let broken = break_twice(&stack).await;
    let opened = broken.inspect_err(|_| drop(rehearsal.kill())).unwrap();

    let mut printed = String::new();
    rehearsal.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(rehearsal.wait().unwrap().success(), "{printed}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["passed"], true, "{report:#}");
    assert!(report["wordErrorRatePercent"].as_f64().unwrap() <= 10.0, "no word is lost or said twice: {report:#}");
    assert_eq!(report["row"]["generation"], 1, "the same worker all the time: {report:#}");
    // At the newest fragment once, and then each time where it left off.
    let selectors: Vec<_> = opened.iter().map(|selector| selector["StartSelectorType"].as_str().unwrap()).collect();
    assert_eq!(selectors, ["NOW", "CONTINUATION_TOKEN", "CONTINUATION_TOKEN"]);
}

/// The product's own first failure: GetMedia was pointed at a signaling channel. The row says so, and no task is started.
async fn refuse_a_channel_as_a_stream(stack: &Stack) {
    let session = "early-lantern-008";
    stack
        .put_session_on_stream(session, "arn:aws:kinesisvideo:us-east-1:000000000000:channel/hall/1700000000000")
        .await
        .unwrap();
    let row = stack.until_row(session, false, "it is refused", |row| row["phase"] == "Failed").await.unwrap();
    let why = row["why"]["text"].as_str().unwrap();
    assert!(why.contains("a signaling channel, which GetMedia cannot read: put it into kvsChannelArn"), "{why}");
    assert!(stack.tasks(session).await.unwrap().is_empty());
}

/// Breaks the stream when captions flow; where each connection began.
async fn break_twice(stack: &Stack) -> Result<Vec<Value>, String> {
    let cursor = |row: &Value| row["worker"]["languages"]["en"]["lastCursor"].as_u64().unwrap_or_default();
    stack.until_row(SESSION, false, "captions flow", |row| cursor(row) >= 1).await?;
    let opened = |shown: &Value| shown["streams"][0]["opened"].as_array().map_or(0, Vec::len);
    stack.admin("kvs/streams", Some(&json!({"cut_next": 900}))).await?;
    stack.until_shown("kvs/streams", |shown| opened(shown) == 2).await?;
    stack.admin("kvs/streams", Some(&json!({"fail_next": 5000}))).await?;
    let shown = stack.until_shown("kvs/streams", |shown| opened(shown) == 3).await?;
    Ok(shown["streams"][0]["opened"].as_array().cloned().unwrap_or_default())
}
