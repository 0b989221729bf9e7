//! Rows and messages of other releases are read: older ones, as they were written then, and newer ones, whatever word stands in the place of one
//! that we know (the rules: `schemas::forward`). `rows/released` holds a row of each form that was deployed, `rows/future` one in which no word
//! and not every field is known.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "the test reads its samples")]

use proptest::prelude::*;
use proptest::sample::Index;
use schemars::generate::SchemaSettings;
use schemas::ids::{Language, Timestamp};
use schemas::lifecycle::{Happening, LifecycleEvent};
use schemas::message::Message;
use schemas::operator::Verb;
use schemas::reason::{Blame, Cause};
use schemas::voice::{AudioIssue, Category, CategorySource, RateBasis, RateClass, VoiceFlag, VolumeLevel};
use schemas::websocket::FromListener;
use schemas::worker::{Desired, Phase, Rung, Step, WorkerRow};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn files(folder: &str) -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn future() -> Value {
    files("tests/rows/future").remove(0).1
}

#[test]
fn a_row_of_every_form_that_was_deployed_is_read() {
    let rows = files("tests/rows/released");
    assert!(rows.len() >= 5);
    for (name, row) in rows {
        let read: WorkerRow = serde_json::from_value(row).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((read.phase, read.why.cause), (Phase::Live, Cause::SessionActive), "{name}");
    }
}

#[test]
fn a_row_of_a_newer_release_is_read_and_each_unknown_word_is_taken_as_its_rule_says() {
    let row: WorkerRow = serde_json::from_value(future()).unwrap();
    assert_eq!((row.phase, row.why.cause, row.why.blame), (Phase::Joining, Cause::Unknown, Blame::Us));
    assert_eq!(row.intent.unwrap().desired, Desired::Run);
    assert_eq!(row.operator.order.unwrap().verb, Verb::Unknown);
    assert!(row.operator.hold.is_some(), "a hold is a hold");
    assert_eq!(row.published.unwrap().told, BTreeSet::from([Happening::Launched, Happening::Unknown]));
    let worker = row.worker.unwrap();
    assert_eq!((worker.rung, worker.media.state), (Rung::Paused, None));
    let languages: Vec<&str> = worker.languages.keys().map(Language::as_str).collect();
    assert_eq!(languages, ["en", "es"]);
    let voice = worker.voice.unwrap();
    assert_eq!((voice.volume.unwrap().level, voice.flags), (VolumeLevel::Medium, BTreeSet::from([VoiceFlag::Short])));
    let rate = voice.rate.unwrap();
    assert_eq!((rate.classification, rate.basis), (RateClass::Medium, RateBasis::Syllables));
    assert_eq!((voice.category, voice.category_source), (Some(Category::Neutral), Some(CategorySource::Model)));
    let quality = worker.audio_quality.unwrap();
    assert_eq!(quality.issues, BTreeSet::from([AudioIssue::SnrLow]));
    assert_eq!(quality.warnings.keys().copied().collect::<Vec<_>>(), [AudioIssue::SnrLow, AudioIssue::Silence]);
}

/// Pointers to the places of a value where the schema has a list of words.
fn places_of_words(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut BTreeSet<String>) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let each = |name: &str| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    let is_words = schema.get("enum").is_some() || each("oneOf").any(|word| word.get("const").is_some());
    if is_words && value.is_string() {
        found.insert(at.to_owned());
    }
    for other in each("anyOf").chain(each("oneOf")).chain(each("allOf")) {
        // Of the kinds of a message only its own: the others have other fields.
        let kind = other.pointer("/properties/type/const").or(other.pointer("/properties/action/const"));
        if kind.is_none_or(|kind| value.get("type").or(value.get("action")) == Some(kind)) {
            places_of_words(root, other, value, at, found);
        }
    }
    let fields = value.as_object().into_iter().flatten();
    for (name, value) in fields {
        let of_field = schema.get("properties").and_then(|fields| fields.get(name));
        if let Some(schema) = of_field.or(schema.get("additionalProperties")) {
            places_of_words(root, schema, value, &format!("{at}/{name}"), found);
        }
    }
    for (n, value) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            places_of_words(root, schema, value, &format!("{at}/{n}"), found);
        }
    }
}

fn places<T: schemars::JsonSchema>(value: &Value) -> Vec<String> {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value();
    let mut found = BTreeSet::new();
    places_of_words(&schema, &schema, value, "", &mut found);
    // What a message to the speaker is about is its tag: `schemas::forward`.
    found.into_iter().filter(|place| !place.ends_with("/notice") && !place.ends_with("/issue")).collect()
}

#[test]
fn the_row_of_the_future_has_an_unknown_word_wherever_a_row_has_one() {
    let of_ours: BTreeSet<String> = files("golden")
        .iter()
        .filter(|(name, _)| name.starts_with("worker-row"))
        .flat_map(|(_, row)| places::<WorkerRow>(row))
        .collect();
    let future = future();
    let of_future: BTreeSet<String> = places::<WorkerRow>(&future).into_iter().collect();
    let missing: Vec<_> = of_ours.difference(&of_future).collect();
    assert!(missing.is_empty() && of_future.len() >= 20, "{missing:?} of {of_future:?}");
    let known = serde_json::to_value(serde_json::from_value::<WorkerRow>(future.clone()).unwrap()).unwrap();
    for place in of_future
        .iter()
        .filter(|place| !place.contains("/told/") && !place.contains("/issues/") && !place.contains("/flags/"))
    {
        assert_ne!(future.pointer(place), known.pointer(place), "{place} holds a word that we know");
    }
}

/// The sample with another word in one of its places; where that is.
fn with_word<T: schemars::JsonSchema>(sample: &Value, which: Index, word: &str) -> (String, Value) {
    let places = places::<T>(sample);
    let mut changed = sample.clone();
    if places.is_empty() {
        return (String::new(), changed);
    }
    let place = which.get(&places).clone();
    *changed.pointer_mut(&place).unwrap() = json!(word);
    (place, changed)
}

fn reads<T: schemars::JsonSchema + DeserializeOwned>(
    sample: &Value,
    which: Index,
    word: &str,
) -> Result<(), TestCaseError> {
    let (place, changed) = with_word::<T>(sample, which, word);
    let read = serde_json::from_value::<T>(changed);
    prop_assert!(read.is_ok(), "{word:?} at {place}: {:?}", read.err());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_word_in_any_place_of_a_row_still_reads(which in any::<Index>(), row in any::<Index>(), word in ".*") {
        let rows: Vec<Value> = files("golden").into_iter().filter(|(name, _)| name.starts_with("worker-row")).map(|(_, row)| row).chain([future()]).collect();
        reads::<WorkerRow>(row.get(&rows), which, &word)?;
    }

    #[test]
    fn any_word_in_any_place_of_an_event_or_a_message_still_reads(which in any::<Index>(), sample in any::<Index>(), word in ".*") {
        let samples = files("golden");
        let (name, sample) = sample.get(&samples);
        match name.split('.').next().unwrap() {
            "lifecycle" => reads::<LifecycleEvent>(sample, which, &word)?,
            "captionStatus" | "emotion" | "sessionEnded" | "transcription" => reads::<Message>(sample, which, &word)?,
            "listener" => reads::<FromListener>(sample, which, &word)?,
            _ => {} // rows, and messages whose one word is their tag
        }
    }
}

#[test]
fn a_step_of_a_newer_release_is_read_and_so_is_each_word_of_the_index() {
    let why = json!({"cause": "moved", "blame": "weather", "text": "", "at": 1});
    let step = json!({"generation": 1, "phase": "Warming", "at": 1, "why": why});
    assert_eq!(serde_json::from_value::<Step>(step).unwrap().phase, Phase::Joining);
    assert_eq!(serde_json::from_value::<Cause>(json!("moved")).unwrap(), Cause::Unknown);
}

/// A row whose worker was asked to leave, as this controller and the one before write it.
fn leaving(intent: &Value, cause: &str) -> WorkerRow {
    let (_, mut row) = files("golden").into_iter().find(|(name, _)| name == "worker-row.options.json").unwrap();
    (row["phase"], row["why"]["cause"]) = (json!("Draining"), json!(cause));
    row["intent"].as_object_mut().unwrap().extend(intent.as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

#[test]
fn a_handover_of_the_release_before_is_one_and_its_stops_are_stops() {
    let wanted = |intent: Value, cause: &str| leaving(&intent, cause).intent.unwrap().desired;
    let at_once = Desired::HandOver { leave_by: None };
    let in_time = Desired::HandOver { leave_by: Some(Timestamp(7)) };
    assert_eq!(wanted(json!({"desired": "stop"}), "handover"), at_once);
    assert_eq!(wanted(json!({"desired": "stop"}), "stageStuck"), at_once);
    assert_eq!(wanted(json!({"desired": "stop", "leaveBy": 7}), "handover"), in_time);
    assert_eq!(wanted(json!({"desired": "stop"}), "sessionEnded"), Desired::Stop);
    assert_eq!(wanted(json!({"desired": "handOver", "leaveBy": 7}), "handover"), in_time);
    assert_eq!(wanted(json!({"desired": "handOver"}), "ofANewerRelease"), at_once, "the cause is for people");
    assert_eq!(
        wanted(json!({"desired": "elsewhere", "leaveBy": 7}), "handover"),
        Desired::Run,
        "nobody ends by a guess"
    );
}

#[test]
fn a_handover_is_a_word_with_its_time_beside_it() {
    let row = leaving(&json!({"desired": "handOver", "leaveBy": 7}), "handover");
    let written = serde_json::to_value(&row).unwrap();
    assert_eq!((&written["intent"]["desired"], &written["intent"]["leaveBy"]), (&json!("handOver"), &json!(7)));
    assert_eq!(serde_json::from_value::<WorkerRow>(written).unwrap(), row);
    let ended = leaving(&json!({"desired": "stop"}), "sessionEnded");
    assert_eq!(serde_json::to_value(&ended).unwrap()["intent"].get("leaveBy"), None);
}
