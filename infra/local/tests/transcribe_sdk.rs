//! The Transcribe stand-in as the AWS SDK sees it: full duplex, signed chunks, every way to end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod sdk;

use std::time::Duration;

use aws_sdk_transcribestreaming::types::error::TranscriptResultStreamError;
use local_stack::transcribe::{Limits, Recogniser};
use sdk::{Rig, next, open, text, with};

const SCRIPT: &str = r#"{"streams": [[
    {"at": 0.1, "utterance": 1, "final": false, "text": "good"},
    {"at": 0.2, "utterance": 1, "final": true, "text": "good morning"},
    {"utterance": 2, "final": true, "text": "the last words"}]]}"#;

async fn rig(limits: Limits) -> Rig {
    let script = std::env::temp_dir().join(format!("{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&script, SCRIPT).unwrap();
    let rig = with(Recogniser::Scripted { file: script.clone() }, limits).await;
    std::fs::remove_file(script).unwrap();
    rig
}

#[tokio::test]
async fn results_come_while_audio_is_still_being_sent_and_the_last_ones_after_its_end() {
    let rig = rig(Limits::default()).await;
    let (mouth, mut output) = open(&rig.client).await;
    assert!(output.session_id().is_some() && output.request_id.is_some());
    mouth.send(vec![0; 3_200]).unwrap();
    let partial = next(&mut output).await.unwrap().unwrap();
    assert_eq!((text(&partial), partial.is_partial), ("Good", true));
    mouth.send(vec![0; 3_200]).unwrap();
    let full = next(&mut output).await.unwrap().unwrap();
    assert_eq!((text(&full), full.is_partial), ("Good morning.", false));
    assert_eq!(full.result_id, partial.result_id);
    assert_eq!(full.alternatives()[0].items().last().unwrap().content(), Some("."));
    drop(mouth);
    assert_eq!(text(&next(&mut output).await.unwrap().unwrap()), "The last words.");
    assert!(next(&mut output).await.unwrap().is_none(), "and then the stream ends clean");
    rig.running.stop().await;
}

#[tokio::test]
async fn silence_on_the_wire_ends_the_stream_as_a_bad_request() {
    let rig = rig(Limits { idle: Duration::from_millis(50), ..Limits::default() }).await;
    let (_mouth, mut output) = open(&rig.client).await;
    match next(&mut output).await {
        Err(TranscriptResultStreamError::BadRequestException(error)) => {
            assert!(error.message.unwrap().contains("no new audio was received"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_longest_stream_ends_with_limit_exceeded() {
    let rig = rig(Limits { stream: Duration::from_millis(50), ..Limits::default() }).await;
    let (_mouth, mut output) = open(&rig.client).await;
    assert!(matches!(next(&mut output).await, Err(TranscriptResultStreamError::LimitExceededException(_))));
}

async fn cut(rig: &Rig, how: serde_json::Value) {
    let url = format!("{}/_local/faults", rig.running.url());
    reqwest::Client::new().post(url).json(&serde_json::json!({ "cut": how })).send().await.unwrap();
}

#[tokio::test]
async fn a_clean_cut_looks_like_an_end_and_a_new_stream_can_be_opened() {
    let rig = rig(Limits { streams: 1, ..Limits::default() }).await;
    let (mouth, mut output) = open(&rig.client).await;
    mouth.send(vec![0; 3_200]).unwrap();
    assert!(next(&mut output).await.unwrap().is_some());
    cut(&rig, "clean".into()).await;
    assert!(next(&mut output).await.unwrap().is_none());
    let (mouth, mut again) = open(&rig.client).await;
    mouth.send(vec![0; 3_200]).unwrap();
    assert!(next(&mut again).await.unwrap().is_some());
}

#[tokio::test]
async fn an_unclean_cut_is_an_error() {
    let rig = rig(Limits::default()).await;
    let (mouth, mut output) = open(&rig.client).await;
    mouth.send(vec![0; 3_200]).unwrap();
    assert!(next(&mut output).await.unwrap().is_some());
    cut(&rig, "unclean".into()).await;
    assert!(output.transcript_result_stream.recv().await.is_err());
}

#[tokio::test]
async fn a_fault_ends_the_stream_with_the_exception_it_names() {
    let rig = rig(Limits::default()).await;
    let (mouth, mut output) = open(&rig.client).await;
    mouth.send(vec![0; 3_200]).unwrap();
    assert!(next(&mut output).await.unwrap().is_some());
    cut(&rig, serde_json::json!({ "exception": "InternalFailureException" })).await;
    assert!(matches!(next(&mut output).await, Err(TranscriptResultStreamError::InternalFailureException(_))));
}
