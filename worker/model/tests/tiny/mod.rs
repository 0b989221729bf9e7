//! A model of a few hundred bytes, written here: the louder the sound, the angrier and the less pleasant. And where ONNX Runtime is.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

/// The description beside it.
pub const DESCRIPTION: &str = r#"
licence = "CC0: made by a test"
input = "sound"
sample_rate = 16000
window_s = 2.0

[dimensions]
output = "scales"
order = ["arousal", "dominance", "valence"]
range = [-1.0, 1.0]
trust = 0.7

[classes]
output = "words"
labels = ["angry", "sad", "other"]
scores = "logits"
"#;

/// How the mean of the sound's amount becomes each number: times and plus. Silence is pleasant and sad, full scale unpleasant and angry.
const SCALES: [(f32, f32); 3] = [(1.0, 0.0), (0.0, 0.0), (-4.0, 1.0)];
const WORDS: [(f32, f32); 3] = [(20.0, 0.0), (-20.0, 4.0), (0.0, 0.0)];

/// Writes the model and its description into a new folder of this name, and gives the model's path.
pub fn write(name: &str, model: &[u8], description: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tiny.onnx"), model).unwrap();
    std::fs::write(folder.join("tiny.toml"), description).unwrap();
    folder.join("tiny.onnx")
}

/// The library that `scripts/setup` installs with PyPI's onnxruntime. Where it is not, `test` is skipped, and says so.
pub fn library(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|dir| dir.join("Cargo.lock").is_file()).unwrap();
    let files = std::fs::read_dir(root.join(".local/onnxruntime/onnxruntime/capi")).into_iter().flatten().flatten();
    let found = files.map(|file| file.path()).find(|path| path.to_string_lossy().contains("libonnxruntime.so"));
    if found.is_none() {
        skipped::skipped(test, "ONNX Runtime is not there (scripts/setup installs it in .local/onnxruntime)");
    }
    found
}

/// The model as ONNX writes it; `spoilt` numbers are none.
pub fn model(spoilt: bool) -> Vec<u8> {
    let node = |op: &str, inputs: &[&str], output: &str| {
        let inputs = inputs.iter().flat_map(|name| bytes(1, name.as_bytes()));
        bytes(1, &[inputs.collect(), bytes(2, output.as_bytes()), bytes(4, op.as_bytes())].concat())
    };
    let mut graph = bytes(2, b"tiny");
    graph.extend(node("Abs", &["sound"], "amounts"));
    graph.extend(node("ReduceMean", &["amounts"], "amount"));
    for (output, rows) in [("scales", SCALES), ("words", WORDS)] {
        let (times, plus, product) = (format!("{output}x"), format!("{output}+"), format!("{output}*"));
        graph.extend(node("Mul", &["amount", &times], &product));
        graph.extend(node("Add", &[&product, &plus], output));
        graph.extend(tensor(&times, rows.map(|(times, _)| if spoilt { f32::NAN } else { times })));
        graph.extend(tensor(&plus, rows.map(|(_, plus)| plus)));
    }
    graph.extend(bytes(11, &value("sound", &[dimension(1), bytes(1, &bytes(2, b"samples"))])));
    for output in ["scales", "words"] {
        graph.extend(bytes(12, &value(output, &[dimension(1), dimension(3)])));
    }
    let opset = bytes(8, &number(2, 13));
    [number(1, 8), opset, bytes(7, &graph)].concat()
}

fn tensor(name: &str, values: [f32; 3]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    bytes(5, &[number(1, 1), number(1, 3), number(2, 1), bytes(8, name.as_bytes()), bytes(9, &raw)].concat())
}

fn value(name: &str, dimensions: &[Vec<u8>]) -> Vec<u8> {
    let of_floats = [number(1, 1), bytes(2, &dimensions.concat())].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &of_floats))].concat()
}

fn dimension(length: u64) -> Vec<u8> {
    bytes(1, &number(1, length))
}

/// A field that holds a number, as protocol buffers write it.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}
/// A field that holds bytes.
fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint((field << 3) | 2), varint(value.len() as u64), value.to_vec()].concat()
}
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
