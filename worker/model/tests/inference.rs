//! A real model, run by the real library.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod tiny;

use schemas::voice::Category;
use std::path::Path;
use tiny::{DESCRIPTION, library, model, write};
use worker_model::{Model, ModelError};

/// A square wave of this amplitude, whose mean amount is just that.
fn sound(amplitude: i16, ms: usize) -> Vec<i16> {
    (0..ms * 16).map(|n| if n / 40 % 2 == 0 { amplitude } else { -amplitude }).collect()
}

fn refused(name: &str, bytes: &[u8], description: &str, library: &Path) -> String {
    Model::open(&write(name, bytes, description), Some(library)).unwrap_err().to_string()
}

#[test]
fn a_model_says_of_a_sound_what_it_was_made_to_say() {
    let Some(library) = library("a_model_says_of_a_sound_what_it_was_made_to_say") else { return };
    let mut model = Model::open(&write("sound", &model(false), DESCRIPTION), Some(&library)).unwrap();
    assert_eq!(model.words(), [Category::Angry, Category::Sad]);
    for (amplitude, valence, category) in
        [(0, 1.0, Category::Sad), (8_192, 0.0, Category::Angry), (16_384, -1.0, Category::Angry)]
    {
        let affect = model.judge(&sound(amplitude, 1_500)).unwrap();
        let told = affect.valence.unwrap();
        assert!((told.value - valence).abs() < 1e-3 && told.confidence == 0.7, "{amplitude}: {told:?}");
        assert_eq!(affect.word().unwrap().0, category, "{amplitude}");
    }
    // The last two seconds decide.
    let turned = [sound(16_384, 4_000), sound(0, 2_000)].concat();
    assert_eq!(model.judge(&turned).unwrap().word().unwrap().0, Category::Sad);
}

#[test]
fn a_model_whose_numbers_are_none_gives_an_error_and_no_answer() {
    let Some(library) = library("a_model_whose_numbers_are_none_gives_an_error_and_no_answer") else { return };
    let mut spoilt = Model::open(&write("spoilt", &model(true), DESCRIPTION), Some(&library)).unwrap();
    let error = spoilt.judge(&sound(8_192, 500)).unwrap_err();
    assert!(matches!(&error, ModelError::Answer(why) if why.contains("not a number")), "{error}");
}

#[test]
fn a_model_that_is_not_as_described_is_refused_with_a_line_that_says_why() {
    let Some(library) = library("a_model_that_is_not_as_described_is_refused_with_a_line_that_says_why") else {
        return;
    };
    let tiny = model(false);
    let renamed = |from: &str, to: &str| DESCRIPTION.replace(from, to);
    let error = refused("input", &tiny, &renamed("\"sound\"", "\"signal\""), &library);
    assert!(error.contains("no input \"signal\", only sound"), "{error}");
    let error = refused("output", &tiny, &renamed("\"words\"", "\"logits\""), &library);
    assert!(error.contains("no output \"logits\", only scales, words"), "{error}");
    let error = refused("garbage", b"this is no model", DESCRIPTION, &library);
    assert!(error.contains("tiny.onnx: ") && !error.contains('\n'), "{error}");
    let error = refused("undescribed", &tiny, "", &library);
    assert!(error.contains("tiny.toml: ") && error.contains("missing field"), "{error}");
    let missing = Model::open(Path::new("/nowhere/at/all.onnx"), Some(&library)).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/at/all.toml: No such file"), "{missing}");
    let mut short =
        Model::open(&write("short", &tiny, &renamed(", \"valence\"]", ", \"other\", \"valence\"]")), Some(&library))
            .unwrap();
    let error = short.judge(&sound(100, 500)).unwrap_err().to_string();
    assert!(error.contains("holds 3 numbers, and 4 are described"), "{error}");
}

#[test]
fn a_library_that_is_not_there_is_named_with_the_remedy() {
    let error = refused("library", &model(false), DESCRIPTION, Path::new("/nowhere/libonnxruntime.so"));
    assert!(error.contains("/nowhere/libonnxruntime.so") && error.contains("version 1.17 or newer"), "{error}");
}
