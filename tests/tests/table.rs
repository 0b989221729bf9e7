//! DynamoDB away for a minute in the middle of a session, with the real controller and the real worker.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; how long the long one takes is printed")]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use e2e::stack::Stack;
use e2e::{binaries, root};
use serde_json::{Value, json};

const SESSION: &str = "patient-piper-252";
/// Twice as long as a lease: the worker goes on past it.
const AWAY_S: u32 = 60;
/// Speech, which goes on when the table is back, s.
const TALK_S: u32 = 74;

/// Nobody but the rehearsal reads or writes the tables for a minute. Checked: no final is lost or doubled and none is untranslated, the worker
/// goes on past its lease, nobody is launched in its place, it says so in its first write, and the session closes clean. Takes 100 s.
#[tokio::test]
async fn a_minute_without_the_table_costs_no_final_and_no_worker() {
    let began = Instant::now();
    let stack = Stack::up("table-away").unwrap();
    let folder = binaries().unwrap().join("../tmp/e2e");
    let mut rehearsal = stack.tool("sessionctl").unwrap();
    rehearsal.args(["rehearse", "--json", "--listeners", "es,en", "--session", SESSION, "--audio"]).arg(talk(&folder));
    let mut rehearsal = Ended(rehearsal.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let cursor = |row: &Value| row["worker"]["languages"]["en"]["lastCursor"].as_u64().unwrap_or_default();
    let before = stack.until_row(SESSION, false, "captions flow", |row| cursor(row) >= 1).await.unwrap();

    stack.admin("table/faults", Some(&json!({"seconds": AWAY_S}))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(AWAY_S.into())).await;
    let still = stack.row(SESSION).await.unwrap();
    let beat = |row: &Value| row["worker"]["heartbeatAt"].as_u64().unwrap_or_default();
    assert!(beat(&still) < beat(&before) + 8_000, "nothing was written meanwhile: {still:#}");
    // The schedule at its worst moment: before the worker could write.
    stack.schedule().await.unwrap();
    let told = |row: &Value| row["worker"]["notes"].to_string().contains("could not be written");
    let after = stack.until_row(SESSION, false, "the worker says that it stayed", told).await.unwrap();
    assert_eq!((&after["generation"], &after["phase"]), (&json!(1), &json!("Live")), "{after:#}");
    assert!(cursor(&after) > cursor(&before), "captions went on: {after:#}");

    let report = rehearsal.report();
    let checks = report["checks"].as_array().unwrap();
    assert!(!checks.is_empty() && checks.iter().all(|check| check["failure"].is_null()), "{report:#}");
    let row = stack.row(SESSION).await.unwrap();
    assert_eq!((&row["phase"], &row["generation"]), (&json!("Stopped"), &json!(1)), "{row:#}");
    assert_eq!(stack.tasks(SESSION).await.unwrap().len(), 1);
    let hit = stack.admin("table/faults", None).await.unwrap();
    assert!(hit["hit"].as_u64().unwrap() > 20 && hit["set"].is_null(), "{hit}");
    eprintln!("took {:.0?}, {} calls without an answer", began.elapsed(), hit["hit"]);
}

/// The welcome, said again until the time is over.
fn talk(folder: &Path) -> std::path::PathBuf {
    let mut sample = hound::WavReader::open(root().join("samples/welcome.wav")).unwrap();
    let path = folder.join("table-away.wav");
    let spec = sample.spec();
    let samples: Vec<i16> = sample.samples::<i16>().map(Result::unwrap).collect();
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    let wanted = (spec.sample_rate * u32::from(spec.channels) * TALK_S) as usize;
    samples.iter().cycle().take(wanted).for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    path
}

/// A rehearsal that does not outlive its test.
struct Ended(Child);

impl Ended {
    /// Its report, when it has ended.
    fn report(&mut self) -> Value {
        let mut output = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        self.0.wait().unwrap();
        serde_json::from_str(&output[output.find('{').unwrap()..]).unwrap()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
    }
}
