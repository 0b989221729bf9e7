//! The Transcribe stand-in as the AWS SDK sees it: full duplex, signed chunks, every way to end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod sdk;

use std::time::Duration;

use aws_sdk_transcribestreaming::types::error::TranscriptResultStreamError;
use aws_sdk_transcribestreaming::types::{Item, Result as Transcribed, TranscriptResultStream};
use hostile_recogniser::spelled::{ENGLISH, Place};
use local_stack::transcribe::{Limits, Recogniser};
use sdk::{Rig, next, open, text, with};

const SCRIPT: &str = r#"{"streams": [[
    {"at": 0.1, "utterance": 1, "final": false, "text": "good"},
    {"at": 0.2, "utterance": 1, "final": true, "text": "good morning"},
    {"utterance": 2, "final": true, "text": "the last words"}]]}"#;

async fn rig(limits: Limits) -> Rig {
    scripted(SCRIPT, limits).await
}

async fn scripted(text: &str, limits: Limits) -> Rig {
    let script = std::env::temp_dir().join(format!("{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&script, text).unwrap();
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

async fn fault(rig: &Rig, body: serde_json::Value) -> reqwest::Response {
    let url = format!("{}/_local/faults", rig.running.url());
    reqwest::Client::new().post(url).json(&body).send().await.unwrap()
}

async fn cut(rig: &Rig, how: serde_json::Value) {
    fault(rig, serde_json::json!({ "cut": how })).await;
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

/// Eight sentences of six words that can be told apart, each in two partials and a final.
fn spelled() -> (String, Vec<Place>) {
    let sentence =
        |nth: usize, words: usize| (0..words).map(|word| ENGLISH.spell((nth, word))).collect::<Vec<_>>().join(" ");
    let cue = |nth: usize, step: u32, words: usize| {
        let (begin, at) = (nth as f64 * 0.3, nth as f64 * 0.3 + f64::from(step) * 0.1);
        let (text, last) = (sentence(nth, words), words == 6);
        serde_json::json!({ "at": at, "utterance": nth, "final": last && step == 3, "text": text, "start": begin, "end": at })
    };
    let cues: Vec<_> = (0..8).flat_map(|nth| [cue(nth, 1, 3), cue(nth, 2, 6), cue(nth, 3, 6)]).collect();
    let said = (0..8).flat_map(|nth| (0..6).map(move |word| (nth, word))).collect();
    (serde_json::json!({ "streams": [cues] }).to_string(), said)
}

/// All results of a stream of that script, with this switched on; and how many came in each event.
async fn told_with(hostile: serde_json::Value) -> (Vec<Transcribed>, Vec<usize>) {
    let rig = scripted(&spelled().0, Limits::default()).await;
    assert!(fault(&rig, serde_json::json!({ "hostile": hostile })).await.status().is_success());
    let (mouth, mut output) = open(&rig.client).await;
    (0..25).for_each(|_| mouth.send(vec![0; 3_200]).unwrap());
    drop(mouth);
    let (mut all, mut counts) = (Vec::new(), Vec::new());
    while let Some(TranscriptResultStream::TranscriptEvent(event)) =
        output.transcript_result_stream.recv().await.unwrap()
    {
        let results = event.transcript.unwrap().results.unwrap_or_default();
        counts.push(results.len());
        all.extend(results);
    }
    (all, counts)
}

fn items(result: &Transcribed) -> &[Item] {
    result.alternatives().first().map(|first| first.items()).unwrap_or_default()
}

#[tokio::test]
async fn before_the_worst_recogniser_each_word_is_in_one_final_or_was_stable_before_an_empty_one() {
    for seed in 0..6 {
        let hostile = serde_json::json!({ "preset": "worst", "realTime": false, "lateFinalMs": 20, "reorder": 0, "overtake": 0,
            "repeat": 0, "returningId": 0, "seed": seed });
        let (all, _) = told_with(hostile).await;
        // Of each result by itself: the partials of the next one may come before a final.
        let (mut text, mut stable) = (String::new(), std::collections::BTreeMap::new());
        for result in &all {
            let id = result.result_id.clone().unwrap();
            if result.is_partial {
                let told: Vec<_> = items(result).iter().filter(|item| item.stable == Some(true)).collect();
                stable.insert(id, told);
                continue;
            }
            let before = stable.remove(&id).unwrap_or_default();
            let words = if items(result).is_empty() { before } else { items(result).iter().collect() };
            words.into_iter().for_each(|item| text.push_str(&item.content().unwrap().to_lowercase()));
        }
        let score = ENGLISH.score(&spelled().1, &text);
        assert!(score.is_whole(), "{seed}: {score:?}\n{text}");
    }
}

#[tokio::test]
async fn what_is_not_told_of_a_hostile_result_is_as_the_sdk_gives_it() {
    let (all, _) = told_with(serde_json::json!({ "timeless": 1 })).await;
    assert!(all.iter().flat_map(items).all(|item| (item.start_time, item.end_time) == (0.0, 0.0)));
    let (all, _) = told_with(serde_json::json!({ "itemless": 1 })).await;
    let full = all.iter().find(|result| !result.is_partial).unwrap();
    assert!(items(full).is_empty() && text(full).to_lowercase().starts_with("w0x0"));
}

#[tokio::test]
async fn an_event_may_hold_several_results_and_an_id_may_return() {
    let (all, counts) = told_with(serde_json::json!({ "several": 1 })).await;
    assert!(counts.iter().any(|count| *count > 1) && all.len() == 24, "{counts:?}");
    let (all, _) = told_with(serde_json::json!({ "returningId": 1 })).await;
    let ids: std::collections::BTreeSet<_> = all.iter().map(|result| result.result_id.clone().unwrap()).collect();
    assert!(ids.len() < 8, "{ids:?}");
}

#[tokio::test]
async fn a_switch_that_does_not_exist_is_refused_with_those_that_do() {
    let rig = rig(Limits::default()).await;
    let answer = fault(&rig, serde_json::json!({ "hostile": { "shrnk": 0.1 } })).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains("shrinkStable"));
}
