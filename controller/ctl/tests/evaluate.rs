//! `emotion eval` on tiny corpora that are made here from the sample's speech: high arousal is the same words louder, higher and
//! faster, low arousal softer, lower and slower. It proves the command, not the judgements.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[cfg(feature = "model")]
#[path = "../../../worker/model/tests/tiny/mod.rs"]
mod tiny;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The sample at its own rate, mono.
fn speech() -> (Vec<f32>, u32) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/short.wav");
    let mut reader = WavReader::open(path).unwrap();
    let spec = reader.spec();
    let samples: Vec<f32> = reader.samples::<i16>().map(|s| f32::from(s.unwrap())).collect();
    (samples.chunks_exact(usize::from(spec.channels)).map(|c| c[0]).collect(), spec.sample_rate)
}

/// Three seconds of it at this rate, `faster` times as fast and high, `louder` times as loud.
fn spoken(nth: usize, faster: f32, louder: f32, rate: u32) -> Vec<i16> {
    let (speech, own) = speech();
    let begin = nth * own as usize / 2;
    let sample = |n: usize| {
        let at = n as f32 * faster * own as f32 / rate as f32;
        let (whole, part) = (at as usize + begin, at.fract());
        let pair = (speech[whole % speech.len()], speech[(whole + 1) % speech.len()]);
        ((pair.0 * (1.0 - part) + pair.1 * part) * louder).clamp(-32_767.0, 32_767.0) as i16
    };
    (0..3 * rate as usize).map(sample).collect()
}

fn write(path: &Path, nth: usize, high: bool) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // RAVDESS comes at 48 kHz, the others at 16.
    let rate = if path.display().to_string().contains("Actor_") { 48_000 } else { 16_000 };
    let samples = if high { spoken(nth, 1.25, 0.8, rate) } else { spoken(nth, 0.85, 0.25, rate) };
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(path, spec).unwrap();
    samples.into_iter().for_each(|s| writer.write_sample(s).unwrap());
    writer.finalize().unwrap();
}

/// A directory of this test alone.
fn fresh(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("evaluate-{name}"));
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The names of a corpus of four speakers with four recordings each, and whether each is of high arousal.
fn names(layout: &str) -> Vec<(String, bool)> {
    let of = |n: usize, take: usize, high: bool| match layout {
        "ravdess" => format!("Actor_{n:02}/03-01-{}-01-{take:02}-01-{n:02}.wav", if high { "05" } else { "04" }),
        "emodb" => format!("{}a{take:02}{}a.wav", ["03", "08", "09", "10"][n - 1], if high { "F" } else { "L" }),
        "cremad" => {
            format!("AudioWAV/{}_{}_{}_XX.wav", 1_000 + n, ["DFA", "IEO"][take - 1], if high { "ANG" } else { "NEU" })
        }
        _ => format!("{n}-{take}-{}.wav", if high { "angry" } else { "sad" }),
    };
    let speaker =
        |n: usize| [(1, true), (1, false), (2, true), (2, false)].map(|(take, high)| (of(n, take, high), high));
    (1..=4).flat_map(speaker).collect()
}

fn corpus(name: &str, layout: &str) -> PathBuf {
    let root = fresh(name);
    let mut table = String::from("path, speaker, emotion, gender\n");
    for (n, (file, high)) in names(layout).iter().enumerate() {
        write(&root.join(file), n, *high);
        let (speaker, _) = file.split_once('-').unwrap_or(("", ""));
        table.push_str(&format!("{file}, {speaker}, {}, f\n", if *high { "anger" } else { "sadness" }));
    }
    if layout == "csv" {
        std::fs::write(root.join("labels.csv"), table).unwrap();
    }
    root
}

fn eval(layout: &str, root: &Path, more: &[&str]) -> (Output, Value) {
    let out = root.join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_sessionctl"))
        .args(["emotion", "eval", "--layout", layout, "--root"])
        .arg(root)
        .arg("--out")
        .arg(&out)
        .args(more)
        .output()
        .unwrap();
    let report = std::fs::read_to_string(out).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    (output, report)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_layout_is_found_heard_and_judged() {
    for layout in ["ravdess", "emodb", "cremad", "csv"] {
        let (output, report) = eval(layout, &corpus(layout, layout), &[]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{layout}: {told}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((&report["recordings"], &report["speakers"]), (&16.into(), &4.into()), "{layout}");
        let auc = &report["arousal"]["auc"];
        assert!(number(&auc["value"]) > 0.9, "{layout}: louder, higher and faster is more: {auc}");
        assert!(number(&auc["low"]) <= number(&auc["value"]) && number(&auc["value"]) <= number(&auc["high"]));
        assert_eq!(report["arousal"]["bySpeaker"].as_object().unwrap().len(), 4);
        assert_eq!(report["arousal"]["byGender"].as_object().unwrap().is_empty(), layout == "cremad");
        assert_eq!(report["arousal"]["coverage"].as_array().unwrap().len(), 10);
        assert!(report["valence"].is_null() && report["licence"].as_str().unwrap().len() > 20);
        assert!(told.contains("UAR") && told.contains("Valence: no claim"), "{told}");
    }
}

#[test]
fn the_same_seed_gives_the_same_report_and_settings_are_told() {
    let root = corpus("seed", "emodb");
    let settings = ["--agc", "--noise-snr", "20", "--baseline", "none", "--seed", "7", "--json"];
    let mut reports = (0..2).map(|_| {
        let (output, mut report) = eval("emodb", &root, &settings);
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), report, "--json prints the report");
        report["cpuMsPerAudioMinute"].take();
        report
    });
    let (first, second) = (reports.next().unwrap(), reports.next().unwrap());
    assert_eq!(first, second);
    assert_eq!((&first["agc"], &first["noiseSnr"], &first["baseline"]), (&true.into(), &20.0.into(), &"none".into()));
}

#[test]
fn a_file_that_cannot_be_evaluated_is_named_and_the_rest_counts() {
    let root = corpus("broken", "emodb");
    std::fs::write(root.join("11a01Wa.wav"), b"this is no sound").unwrap();
    std::fs::write(root.join("holiday.wav"), b"").unwrap();
    let (output, report) = eval("emodb", &root, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["recordings"], 16);
    let unread = report["unread"].to_string();
    assert!(unread.contains("11a01Wa.wav") && unread.contains("holiday.wav"), "{unread}");
}

#[test]
fn one_kind_of_arousal_alone_proves_nothing() {
    let root = fresh("one-kind");
    (1..=2).for_each(|n| write(&root.join(format!("03a0{n}Wa.wav")), n, true));
    let (output, report) = eval("emodb", &root, &[]);
    assert_eq!((output.status.code(), &report["arousal"]), (Some(1), &Value::Null));
}

#[test]
fn without_a_corpus_nothing_is_written_and_the_remedy_is_named() {
    let root = fresh("empty");
    for (layout, missing) in [("ravdess", root.clone()), ("csv", root.clone()), ("emodb", root.join("nowhere"))] {
        let (output, report) = eval(layout, &missing, &[]);
        assert_eq!((output.status.code(), report), (Some(2), Value::Null), "{layout}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("evaluate-empty") && said.lines().count() == 1, "{said}");
    }
}

#[cfg(not(feature = "model"))]
#[test]
fn a_build_without_models_refuses_one_with_the_remedy() {
    let root = corpus("no-models", "emodb");
    let (output, report) = eval("emodb", &root, &["--model", "/models/mine.onnx"]);
    assert_eq!((output.status.code(), report), (Some(2), Value::Null));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("build it again with --features model") && said.lines().count() == 1, "{said}");
}

/// The tiny model takes loudness for anger: right of the loud recordings here if they were to be angry, and wrong if happy.
#[cfg(feature = "model")]
#[test]
fn a_model_is_judged_by_its_valence_and_by_the_words_that_it_claims() {
    let Some(library) = tiny::library("a_model_is_judged_by_its_valence_and_by_the_words_that_it_claims") else {
        return;
    };
    let file = tiny::write("evaluated", &tiny::model(false), tiny::DESCRIPTION);
    let more = ["--model", file.to_str().unwrap(), "--model-library", library.to_str().unwrap()];
    let (output, report) = eval("csv", &corpus("model", "csv"), &more);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let model = &report["model"];
    assert_eq!((&model["judged"], &model["failed"]), (&16.into(), &0.into()));
    assert_eq!(model["licence"], "CC0: made by a test");
    assert_eq!(model["words"]["confusion"]["sad"]["sad"], 8, "{model}");
    assert!(
        number(&model["words"]["uar"]["value"]) >= 0.5 && report["valence"].is_null(),
        "all are unpleasant: {report}"
    );
    // In the other corpus the loud ones are happy, and the soft ones bored, which the model does not claim to know.
    let (_, report) = eval("emodb", &corpus("model-wrong", "emodb"), &more);
    assert!(number(&report["valence"]["auc"]["value"]) < 0.1, "it has it the wrong way round: {report}");
    assert!(report["model"]["words"].is_null(), "{report}");
    let (output, report) = eval("csv", &corpus("model-missing", "csv"), &["--model", "/nowhere/mine.onnx"]);
    assert_eq!((output.status.code(), report), (Some(2), Value::Null));
}
