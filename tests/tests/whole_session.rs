//! The main job, from the session row to the last word.
#![allow(clippy::unwrap_used, reason = "tests")]

use e2e::{Rehearsal, rehearse};
use serde_json::Value;

fn listener<'a>(report: &'a Value, label: &str) -> &'a Value {
    report["listeners"].as_array().unwrap().iter().find(|l| l["listener"] == label).unwrap()
}

fn explain(rehearsal: &Rehearsal) -> String {
    format!("{}\n{:#}", rehearsal.progress, rehearsal.report)
}

/// Facts with each caption and each second of speech, in the row too, and no word about the person by default.
fn how_it_was_said_arrives(report: &Value, story: &str) {
    let voice = report["voice"].as_str().unwrap();
    assert!(voice.contains("words/min") && voice.contains(" Hz") && voice.contains("dBFS"), "{story}");
    let en = listener(report, "en");
    let (segments, seconds) = (&en["emotionSegments"], &en["emotionSeconds"]);
    assert!(segments.as_u64().unwrap() >= 1 && segments.as_u64() <= en["finals"].as_u64(), "{story}");
    assert!((5..=14).contains(&seconds.as_u64().unwrap()), "of 14 s with pauses: {story}");
    let row = &report["row"]["worker"];
    assert!(row["voice"]["volume"]["level"].is_string() && row["voice"]["speechMs"].is_u64(), "{story}");
    assert!(row["voice"]["arousal"].is_null() && row["voice"]["category"].is_null(), "{story}");
    assert!(row["audioQuality"]["snrDb"].is_number(), "{story}");
}

#[test]
fn a_whole_session_reaches_every_listener_and_closes_clean() {
    let rehearsal = rehearse(&[
        "--audio",
        "samples/short.wav",
        "--script",
        "samples/short.txt",
        "--listeners",
        "es,ca,en,es@8",
        "--end",
        "ended",
    ])
    .unwrap();
    let report = &rehearsal.report;
    let story = explain(&rehearsal);

    assert_eq!(rehearsal.code, Some(0), "{story}");
    assert_eq!(report["passed"], true, "{story}");
    // Without its packages the small one listens, which says so and gets more wrong.
    let most = if rehearsal.progress.contains("listening: Whisper") { 3.0 } else { 10.0 };
    assert!(rehearsal.progress.contains("listening: "), "{story}");
    assert!(report["wordErrorRatePercent"].as_f64().unwrap() <= most, "{story}");
    for label in ["es", "ca", "en"] {
        assert!(listener(report, label)["finals"].as_u64().unwrap() >= 3, "{label}: {story}");
        assert_eq!(listener(report, label)["degraded"], 0, "{label}: {story}");
    }
    assert!(listener(report, "en")["partials"].as_u64().unwrap() > 0, "{story}");
    assert!(listener(report, "es@8")["catchUp"].as_u64().unwrap() > 0, "{story}");
    let row = &report["row"];
    assert_eq!(row["phase"], "Stopped", "{story}");
    assert_eq!(row["why"]["cause"], "sessionEnded", "{story}");
    assert_eq!(row["generation"], 1, "one launch sufficed: {story}");
    // Asked of ECS: the row learns of the task's end by an event that may still be on its way.
    let exited =
        report["checks"].as_array().unwrap().iter().find(|c| c["what"] == "the task is STOPPED with exit code 0");
    assert!(exited.unwrap()["failure"].is_null(), "{story}");
    how_it_was_said_arrives(report, &story);
}

#[test]
fn a_speaker_whose_session_is_deleted_first_still_ends_clean() {
    let rehearsal = rehearse(&["--audio", "samples/short.wav", "--listeners", "es,en", "--end", "delete"]).unwrap();
    let story = explain(&rehearsal);
    assert_eq!(rehearsal.code, Some(0), "{story}");
    assert_eq!(rehearsal.report["row"]["phase"], "Stopped", "{story}");
}
