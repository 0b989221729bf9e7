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
    assert!(report["wordErrorRatePercent"].as_f64().unwrap() <= 10.0, "{story}");
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
    assert!(report["voice"].as_str().unwrap().contains("words/min"), "{story}");
}

#[test]
fn a_speaker_whose_session_is_deleted_first_still_ends_clean() {
    let rehearsal = rehearse(&["--audio", "samples/short.wav", "--listeners", "es,en", "--end", "delete"]).unwrap();
    let story = explain(&rehearsal);
    assert_eq!(rehearsal.code, Some(0), "{story}");
    assert_eq!(rehearsal.report["row"]["phase"], "Stopped", "{story}");
}
