//! A session that lives on a KVS stream: GetMedia by the real worker, a producer in the speaker's place.
#![allow(clippy::unwrap_used, reason = "tests")]

use e2e::stack::Stack;
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;

const SESSION: &str = "patient-river-008";

/// The connection breaks off in the middle of a fragment and the next one is throttled; then the service ends it with an error among the fragments
/// and does not know the token any more; then the stream moves to another endpoint, which is not told at first; then the producer pauses. Reading goes
/// on where it was, no frame is lost or comes twice, and only the pause is silent. The recogniser says what a file says, so that a slow machine
/// changes nothing.
#[tokio::test]
async fn a_speaker_on_a_stream_is_captioned_whole_whatever_happens_to_the_connection() {
    let script = concat!(env!("CARGO_TARGET_TMPDIR"), "/stream-script.json");
    let cue = |n: u32, after_s: f64, is_final: bool, text: &str| json!({"at": f64::from(n) * 1.5 - after_s, "utterance": n, "final": is_final, "text": text});
    let both = |n: u32| {
        let text = format!("sentence number {n} is said");
        [cue(n, 0.6, false, &format!("sentence number {n}")), cue(n, 0.0, true, &text)]
    };
    std::fs::write(script, json!({"streams": [(1..=14).flat_map(both).collect::<Vec<_>>()]}).to_string()).unwrap();
    let stack = Stack::up_with("stream", &["--transcript", script]).unwrap();
    refuse_a_channel_as_a_stream(&stack).await;
    fill_a_page_before_the_listeners(&stack).await;

    let mut rehearsal = stack.tool("sessionctl").unwrap();
    rehearsal.args(["rehearse", "--json", "--via", "stream", "--audio", &long_speech()]);
    rehearsal.args(["--listeners", "es,ca,en", "--session", SESSION]);
    rehearsal.args(OPTIONS.iter().flat_map(|option| ["--option", option]));
    rehearsal.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut rehearsal = rehearsal.spawn().unwrap();
    let broken = break_often(&stack).await;
    let stream = broken.inspect_err(|_| drop(rehearsal.kill())).unwrap();

    let mut printed = String::new();
    rehearsal.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(rehearsal.wait().unwrap().success(), "{printed}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["passed"], true, "{report:#}");
    // At the newest fragment once, and then each time where it left off; by its time when the token was not known.
    let opened = stream["opened"].as_array().unwrap();
    let selectors: Vec<_> = opened.iter().map(|selector| selector["StartSelectorType"].as_str().unwrap()).collect();
    assert_eq!(selectors, ["NOW", "CONTINUATION_TOKEN", "SERVER_TIMESTAMP", "CONTINUATION_TOKEN"]);

    let row = stack.row(SESSION).await.unwrap();
    let number = |field: &str| row["worker"]["media"][field].as_u64().unwrap();
    let frames = number("packets");
    assert_eq!((&row["generation"], number("concealedMs")), (&json!(1), 1_000), "one fragment was never made: {row:#}");
    assert_eq!(number("mediaMs"), frames * 20 + 1_000, "no frame was heard twice: {row:#}");
    // The stream has gone on since it was broken, always by whole fragments.
    let offered = stream["fragments"].as_u64().unwrap() - opened[0]["first"].as_u64().unwrap();
    assert!(frames.is_multiple_of(50) && frames / 50 >= offered, "{frames} frames of {offered} fragments: {row:#}");
    check_options(&stack, &report, &row).await;
}

/// What the session asks of its captions, by its row; the last one cannot be had.
const OPTIONS: [&str; 8] = [
    "vocabulary=hymns",
    "vocabularyFilter=remove:rude",
    "terminology=church",
    "formality=formal",
    "profanity=on",
    "brevity=on",
    "partials=finals",
    "chunkMs=20",
];

/// They reached the services, and the one that cannot be had is told.
async fn check_options(stack: &Stack, report: &Value, row: &Value) {
    let streams = stack.admin("transcribe/faults", None).await.unwrap();
    let streams = streams["asked"].as_array().unwrap();
    assert!(!streams.is_empty());
    for asked in streams {
        let names = ["language-code", "vocabulary-name", "vocabulary-filter-name", "vocabulary-filter-method"];
        assert_eq!(names.map(|name| &asked[name]), ["en-US", "hymns", "rude", "remove"], "{asked:#}");
    }
    let translations = stack.admin("translate/faults", None).await.unwrap();
    let settings = json!({"Formality": "FORMAL", "Profanity": "MASK", "Brevity": "ON"});
    let kind =
        |target: &str| json!({"source": "en", "target": target, "settings": settings, "terminologyNames": ["church"]});
    assert_eq!(translations["asked"], json!([kind("ca"), kind("es")]));
    let partials = |label: &str| {
        let listeners = report["listeners"].as_array().unwrap();
        listeners.iter().find(|l| l["listener"] == label).unwrap()["partials"].as_u64().unwrap()
    };
    assert_eq!((partials("es"), partials("ca")), (0, 0), "finals only, as asked: {report:#}");
    assert!(partials("en") > 0, "{report:#}");
    let notes = row["worker"]["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 1, "{row:#}");
    assert!(notes[0].as_str().unwrap().contains("captionOptions.chunkMs=\"20\" is left out"), "{row:#}");
}

/// Rows that are nobody's fill the first page of the index, 1 MB, so that every listener stands on the second.
async fn fill_a_page_before_the_listeners(stack: &Stack) {
    for n in 0..4 {
        let row = json!({
            "connectionId": {"S": format!("nobody-{n}")}, "sessionId": {"S": SESSION}, "targetLanguage": {"S": "aa"},
            "role": {"S": "ghost"}, "padding": {"S": "x".repeat(300_000)},
        });
        let put = json!({"TableName": "Connections-local", "Item": row});
        stack.aws("dynamodb", "DynamoDB_20120810.PutItem", &put).await.unwrap();
    }
    let first = json!({
        "TableName": "Connections-local", "IndexName": "sessionId-targetLanguage-index",
        "KeyConditionExpression": "sessionId = :s", "ExpressionAttributeValues": {":s": {"S": SESSION}},
    });
    let first = stack.aws("dynamodb", "DynamoDB_20120810.Query", &first).await.unwrap();
    assert!(first["LastEvaluatedKey"].is_object(), "the index ends with its first page: {}", first["Count"]);
}

/// The sample over and over, for as long as all of it takes: its path.
fn long_speech() -> String {
    let mut sample = hound::WavReader::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/short.wav")).unwrap();
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/stream-speech.wav");
    let (rate, talk) = (sample.spec().sample_rate, sample.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>());
    let mut speech = hound::WavWriter::create(path, sample.spec()).unwrap();
    talk.iter().cycle().take(22 * rate as usize).for_each(|sample| speech.write_sample(*sample).unwrap());
    speech.finalize().unwrap();
    path.to_owned()
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

/// Breaks the stream while the worker reads it; what came of it.
async fn break_often(stack: &Stack) -> Result<Value, String> {
    let heard = |row: &Value| row["worker"]["startUp"]["firstAudioAt"].is_number();
    stack.until_row(SESSION, false, "audio comes", heard).await?;
    let opened = |shown: &Value| shown["streams"][0]["opened"].as_array().map_or(0, Vec::len);
    let fragments = |shown: &Value| shown["streams"][0]["fragments"].as_u64().unwrap_or_default();
    let mut reached = fragments(&stack.admin("kvs/streams", None).await?);
    let once = |exception: &str| json!({ "exception": exception, "times": 1 });
    for (connections, fault) in [
        (2, json!({ "cut_next": 900, "refuse_media": once("ClientLimitExceededException") })),
        (3, json!({ "fail_next": 5000, "forget_tokens": true })),
        (4, json!({ "move_endpoint": true, "refuse_endpoint": once("InternalFailure") })),
        (4, json!({ "lose_next": 1 })),
    ] {
        // Two fragments are whole, so there is a token to go on from.
        stack.until_shown("kvs/streams", |shown| fragments(shown) >= reached + 3).await?;
        stack.admin("kvs/streams", Some(&fault)).await?;
        reached = fragments(&stack.until_shown("kvs/streams", |shown| opened(shown) == connections).await?);
    }
    let shown = stack.until_shown("kvs/streams", |shown| fragments(shown) >= reached + 2).await?;
    Ok(shown["streams"][0].clone())
}
