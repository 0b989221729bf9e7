//! The contract on paper: `json/` holds the JSON Schema of every record that crosses a process boundary, `golden/` one sample
//! per message, and `seal.sha256` the hashes of both. Nothing of it changes by accident.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the files that it seals, and rewrites them when asked to"
)]

mod asyncapi;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemas::lifecycle::{Happening, LifecycleEvent};
use schemas::message::Message;
use schemas::metrics;
use schemas::signaling::{FromService, ToService};
use schemas::speaker::ToSpeaker;
use schemas::websocket;
use schemas::worker::WorkerRow;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const UPDATE: &str = "UPDATE_SCHEMAS=1 cargo nextest run -p schemas --test seal";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn updating() -> bool {
    std::env::var_os("UPDATE_SCHEMAS").is_some()
}

/// What we write is described as it is written; what we read, as it is read.
fn schemas() -> BTreeMap<&'static str, Value> {
    let written = || SchemaSettings::draft2020_12().for_serialize().into_generator();
    let read = || SchemaSettings::draft2020_12().for_deserialize().into_generator();
    BTreeMap::from([
        ("lifecycle-event", written().into_root_schema_for::<LifecycleEvent>().to_value()),
        ("message", written().into_root_schema_for::<Message>().to_value()),
        ("listener", written().into_root_schema_for::<websocket::FromListener>().to_value()),
        ("service", read().into_root_schema_for::<websocket::FromService>().to_value()),
        ("speaker", written().into_root_schema_for::<ToSpeaker>().to_value()),
        ("signaling.from-service", read().into_root_schema_for::<FromService>().to_value()),
        ("signaling.to-service", written().into_root_schema_for::<ToService>().to_value()),
        ("worker-row", written().into_root_schema_for::<WorkerRow>().to_value()),
    ])
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn files(folder: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    };
    entries.map(named).collect()
}

fn goldens() -> BTreeMap<String, Value> {
    files("golden").into_iter().map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect()
}

/// Every generated file of `json/`, by name.
fn generated() -> BTreeMap<String, String> {
    let schemas = schemas().into_iter().map(|(name, schema)| (format!("{name}.schema.json"), pretty(&schema)));
    let written = [("asyncapi.json", asyncapi::document(&goldens())), ("metrics.json", metrics())];
    schemas.chain(written.map(|(name, value)| (name.into(), pretty(&value)))).collect()
}

/// What the dashboards and alarms may name.
fn metrics() -> Value {
    json!({"namespace": metrics::NAMESPACE, "dimension": metrics::DIMENSION,
           "controller": metrics::CONTROLLER, "worker": metrics::WORKER})
}

/// Which schema a golden sample belongs to.
fn schema_of(golden: &str) -> &'static str {
    match golden {
        name if name.starts_with("worker-row") => "worker-row",
        name if name.starts_with("lifecycle.") => "lifecycle-event",
        name if name.starts_with("listener.") => "listener",
        name if name.starts_with("service.") => "service",
        name if name.starts_with("speaker.") => "speaker",
        "signaling.to-service.json" => "signaling.to-service",
        "signaling.from-service.json" => "signaling.from-service",
        _ => "message",
    }
}

fn seal_of(folders: &[&str]) -> String {
    let mut lines = String::new();
    for folder in folders {
        for (name, text) in files(folder) {
            let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push_str(&format!("{hash}  {folder}/{name}\n"));
        }
    }
    lines
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_committed_schemas_are_the_generated_ones_and_the_seal_holds() {
    let seal = root().join("seal.sha256");
    if updating() {
        for (name, text) in generated() {
            write(&root().join("json").join(name), &text);
        }
        write(&seal, &seal_of(&["golden", "json"]));
    }
    for (name, text) in generated() {
        let committed = std::fs::read_to_string(root().join("json").join(&name)).unwrap_or_default();
        assert!(
            committed == text,
            "json/{name} is not what the types say any more: if the change of the contract is meant, \
             run `{UPDATE}`, extend golden/ with a sample of the new form, and commit both"
        );
    }
    let sealed = std::fs::read_to_string(&seal).unwrap_or_default();
    for line in seal_of(&["golden", "json"]).lines() {
        let name = line.split_whitespace().nth(1).unwrap();
        assert!(
            sealed.lines().any(|known| known == line),
            "{name} is not the file that seal.sha256 sealed: a sample that was published stays as it is (add a new one \
             beside it); if the change is meant, run `{UPDATE}` and commit the seal with it"
        );
    }
    assert_eq!(
        sealed.lines().count(),
        seal_of(&["golden", "json"]).lines().count(),
        "a sealed file is gone: run `{UPDATE}`"
    );
}

fn round_trip<T: Serialize + DeserializeOwned>(golden: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(golden.clone()).unwrap()).unwrap()
}

#[test]
fn every_golden_sample_reads_and_writes_back_the_same() {
    for (name, golden) in goldens() {
        let again = match schema_of(&name) {
            "worker-row" => round_trip::<WorkerRow>(&golden),
            "lifecycle-event" => round_trip::<LifecycleEvent>(&golden),
            "signaling.to-service" => round_trip::<ToService>(&golden),
            "signaling.from-service" => round_trip::<FromService>(&golden),
            "listener" => round_trip::<websocket::FromListener>(&golden),
            "service" => round_trip::<websocket::FromService>(&golden),
            "speaker" => round_trip::<ToSpeaker>(&golden),
            _ => round_trip::<Message>(&golden),
        };
        assert_eq!(again, golden, "{name}");
    }
}

#[test]
fn every_golden_sample_is_valid_by_its_schema() {
    let schemas = schemas();
    for (name, golden) in goldens() {
        let validator = jsonschema::validator_for(&schemas[schema_of(&name)]).unwrap();
        let errors: Vec<String> = validator.iter_errors(&golden).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn a_schema_refuses_a_message_that_lost_a_field() {
    let validator = jsonschema::validator_for(&schemas()["message"]).unwrap();
    for field in ["type", "sessionId", "text", "isFinal", "language", "timestamp"] {
        let mut golden = goldens()["transcription.final.json"].clone();
        golden.as_object_mut().unwrap().remove(field);
        assert!(!validator.is_valid(&golden), "the listener app needs {field}");
    }
}

#[test]
fn every_happening_has_a_golden_sample() {
    let told: BTreeSet<Happening> = goldens()
        .into_iter()
        .filter(|(name, _)| schema_of(name) == "lifecycle-event")
        .map(|(name, golden)| {
            let event: LifecycleEvent = serde_json::from_value(golden).unwrap();
            let kind = serde_json::to_value(event.happening).unwrap();
            assert_eq!(name, format!("lifecycle.{}.json", kind.as_str().unwrap()));
            event.happening
        })
        .collect();
    // A match without a wildcard: a new happening does not compile until it stands here, and fails until it has a sample.
    let all = [
        Happening::Launched,
        Happening::Live,
        Happening::Degraded,
        Happening::Recovered,
        Happening::Stopped,
        Happening::Failed,
        Happening::Queued,
        Happening::VersionFailed,
    ];
    for happening in all {
        match happening {
            Happening::Launched
            | Happening::Live
            | Happening::Degraded
            | Happening::Recovered
            | Happening::Stopped
            | Happening::Failed
            | Happening::Queued
            | Happening::VersionFailed => assert!(told.contains(&happening), "{happening:?}"),
            Happening::Unknown => {} // nobody tells it
        }
    }
}

#[test]
fn every_kind_of_message_has_a_golden_sample() {
    fn kinds<T: JsonSchema>() -> Vec<String> {
        let schema =
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value();
        let variants = schema["oneOf"].as_array().unwrap();
        variants.iter().map(|v| v["properties"]["type"]["const"].as_str().unwrap().to_owned()).collect()
    }
    let goldens = goldens();
    for kind in kinds::<Message>().into_iter().chain(kinds::<ToSpeaker>()) {
        assert!(goldens.values().any(|golden| golden["type"] == kind.as_str()), "golden/ has no sample of {kind}");
    }
}

#[test]
fn the_document_of_the_websocket_names_every_message_of_both_ways_with_a_sample() {
    let document = asyncapi::document(&goldens());
    let kinds = asyncapi::kinds(&document);
    for kind in
        ["TranscriptionMessage", "SessionEndedMessage", "ServiceMessage", "JoinSessionMessage", "SpeakerNoticeMessage"]
    {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is not in {kinds:?}");
    }
    for kind in &kinds {
        let samples = document["components"]["messages"][kind]["examples"].as_array().unwrap();
        assert!(!samples.is_empty(), "{kind} has no sample in golden/");
    }
    for (kind, message) in document["components"]["messages"].as_object().unwrap() {
        let schema = json!({"$ref": message["payload"]["$ref"], "components": document["components"]});
        let validator = jsonschema::draft7::new(&schema).unwrap();
        for sample in message["examples"].as_array().unwrap() {
            let errors: Vec<String> = validator.iter_errors(&sample["payload"]).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{kind}, {}: {errors:?}", sample["name"]);
            let mut lost = sample["payload"].clone();
            lost.as_object_mut().unwrap().retain(|field, _| field != "type" && field != "action");
            assert!(!validator.is_valid(&lost), "{kind} is known by its type");
        }
    }
    let text = document.to_string();
    assert!(!text.contains("$defs") && !text.contains("#/definitions"), "a reference leads out of the document");
}
