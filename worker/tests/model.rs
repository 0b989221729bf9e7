//! The user's own model in a process of its own: the real program, the real library, a tiny model.

#![cfg(feature = "model")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../model/tests/tiny/mod.rs"]
mod tiny;

use schemas::voice::Category;
use std::path::Path;
use std::time::Duration;
use tiny::{DESCRIPTION, library, write};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use worker::io::model::Model;
use worker_core::input::{Input, UtteranceId};

/// So long a process that is to answer may take to begin on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(program: &str, model: &Path, library: &Path) -> (Model, UnboundedReceiver<Input>) {
    let (events, inbox) = unbounded_channel();
    let report = move |input| drop(events.send(input));
    (Model::start(Path::new(program), model, Some(library), report), inbox)
}

async fn next(inbox: &mut UnboundedReceiver<Input>) -> Option<Input> {
    timeout(PATIENCE, inbox.recv()).await.expect("the model says something in time")
}

#[tokio::test]
async fn a_model_answers_from_a_process_of_its_own_and_ends_with_its_handle() {
    let Some(library) = library("a_model_answers_from_a_process_of_its_own_and_ends_with_its_handle") else { return };
    let file = write("worker", &tiny::model(false), DESCRIPTION);
    let (model, mut inbox) = start(env!("CARGO_BIN_EXE_worker"), &file, &library);
    model.judge(UtteranceId(5), vec![16_384; 16_000]);
    model.judge(UtteranceId(6), vec![0; 16_000]);
    for (id, word) in [(5, Category::Angry), (6, Category::Sad)] {
        let Some(Input::Judged(UtteranceId(of), Ok(affect))) = next(&mut inbox).await else { panic!("no answer") };
        assert_eq!((of, affect.word().unwrap().0), (id, word));
    }
    drop(model);
    assert_eq!(next(&mut inbox).await, None, "the conversation is over, and says nothing more");
}

#[tokio::test]
async fn a_model_that_cannot_be_opened_or_dies_is_reported_once_with_the_reason() {
    let Some(library) = library("a_model_that_cannot_be_opened_or_dies_is_reported_once_with_the_reason") else {
        return;
    };
    let file = write("worker-broken", b"this is no model", DESCRIPTION);
    let dies = "/bin/false";
    for (program, expected) in [
        (env!("CARGO_BIN_EXE_worker"), "tiny.onnx: "),
        (dies, "has ended (exit status: 1)"),
        ("/nowhere", "cannot be begun"),
    ] {
        let (model, mut inbox) = start(program, &file, &library);
        model.judge(UtteranceId(1), vec![0; 16_000]);
        let Some(Input::ModelEnded(why)) = next(&mut inbox).await else { panic!("{program}: no end") };
        assert!(why.contains(expected), "{program}: {why}");
        assert_eq!(next(&mut inbox).await, None, "{program}");
    }
}
