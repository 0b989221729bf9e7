//! Masters that share no line of code with ours: what the worker offers must be understood by others than its own rehearsal.

use crate::viewer::sound::{correlation, sample, speech};
use crate::viewer::{Service, Viewer};
use local_stack::kvs::Limits;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Of the sample, what the correlation looks at, s.
const SPEECH_S: usize = 4;

/// A master in a process of its own, which ends with its handle.
struct Master {
    _process: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Master {
    fn start(python: &Path, script: &str, service: &Service, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/masters").join(script);
        let mut command = Command::new(python);
        command.arg(script).args(service.master_arguments()).arg("--audio").arg(sample()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = said.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                heard.lock().unwrap().push(line);
            }
        });
        Self { _process: process, said }
    }

    fn count(&self, line: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|said| *said == line).count()
    }
}

/// A Python that can import this; without one `test` is skipped, and says so.
fn python(test: &str, candidate: &Path, module: &str) -> Option<PathBuf> {
    let tried = std::process::Command::new(candidate).args(["-c", &format!("import {module}")]).output();
    if tried.is_ok_and(|tried| tried.status.success()) {
        return Some(candidate.to_owned());
    }
    skipped::skipped(test, &format!("{} has no {module} (scripts/setup installs it)", candidate.display()));
    None
}

fn with_aiortc(test: &str) -> Option<PathBuf> {
    python(test, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/venv/bin/python"), "aiortc, websockets")
}

/// The sample's first seconds sound as they should. A master that gets no processor for a while sends late, which is made up for.
async fn is_heard(viewer: &mut Viewer) {
    let (_, said) = speech(SPEECH_S);
    viewer.until("the speech is heard", |seen| seen.pcm.len() >= (SPEECH_S + 1) * 16_000).await;
    let media = viewer.media();
    assert!(media.lost <= media.packets / 20 && media.concealed_ms <= 500, "{media:?}");
    let found = correlation(&said, &viewer.seen.pcm, 0);
    assert!(found > 0.75, "correlation {found}, {media:?}");
}

#[tokio::test]
async fn aiortc_is_heard() {
    let Some(python) = with_aiortc("aiortc_is_heard") else { return };
    let service = Service::start(Limits::default()).await;
    let mut viewer = Viewer::start(&service, 8_000).await;
    let master = Master::start(&python, "aiortc_master.py", &service, &["--loopback"]);
    viewer.until("the audio flows", |seen| seen.flows()).await;
    is_heard(&mut viewer).await;
    assert!(master.count("state connected") >= 1, "{:?}", viewer.seen.facts);
    viewer.finish().await;
}

/// A master that makes a new connection for every offer, also for one that comes again, and needs longer to gather than we wait.
#[tokio::test]
async fn a_master_that_gathers_slowly_and_begins_anew_with_every_offer_is_heard() {
    let Some(python) = with_aiortc("a_master_that_gathers_slowly_and_begins_anew_with_every_offer_is_heard") else {
        return;
    };
    let service = Service::start(Limits::default()).await;
    let mut viewer = Viewer::start(&service, 2_000).await;
    let arguments = ["--loopback", "--every-offer", "replace", "--gather", "0.7"];
    let _master = Master::start(&python, "aiortc_master.py", &service, &arguments);
    viewer.until("the audio flows", |seen| seen.flows()).await;
    viewer.live(Duration::from_secs(3)).await;
    assert!(viewer.seen.flows(), "and goes on: {:?}", viewer.seen.facts);
    viewer.finish().await;
}
