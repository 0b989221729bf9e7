//! Media over real wires: a security group, a symmetric NAT, a relay, firewalls. Needs root, coturn and nftables.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; what the long ones count is printed")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::network::{Forwarder, Internet, Place, RELAY, RELAY_SECRET, SPEAKER, WORKER, Weather};
use e2e::stack::Stack;
use e2e::{binaries, root};
use serde_json::{Value, json};
use skipped::skipped;

/// What the worker's security group lets in: the worker's default range.
const PORTS: &str = "50000-50031";
/// Seconds of speech: enough for a caption, not for the patience of who waits for the tests.
const WORDS: u32 = 4;

/// The rig with a stack in it. This thread lives where the worker is.
struct Scene {
    // In the order in which they go.
    _forwarder: Forwarder,
    stack: Stack,
    internet: Internet,
    folder: PathBuf,
}

impl Scene {
    /// Where it cannot stand, the test is skipped, and says so.
    fn set(name: &str) -> Option<Self> {
        Self::set_with(name, &[])
    }

    /// The same, with more options of the relay.
    fn set_with(name: &str, relay: &[&str]) -> Option<Self> {
        if let Some(missing) = Internet::missing() {
            skipped(&format!("media over real wires ({name})"), &missing.to_string());
            return None;
        }
        let folder = binaries().unwrap().join("../tmp/e2e").join(format!("{name}.rig"));
        let internet = Internet::with_relay(&folder, PORTS, relay).unwrap();
        internet.worker().enter().unwrap();
        let options = ["--ice-bind", WORKER, "--relay", RELAY, "--relay-secret", RELAY_SECRET];
        let stack = Stack::up_by(&internet.at_worker().unwrap(), name, &options).unwrap();
        let forwarder = Forwarder::start(internet.speaker(), internet.worker()).unwrap();
        Some(Self { _forwarder: forwarder, stack, internet, folder })
    }

    /// A rehearsal whose speaker is at home, behind the NAT; its listeners too.
    fn rehearsal(&self, seconds: u32, arguments: &[&str]) -> Command {
        let mut command = self.internet.speaker().command(binaries().unwrap().join("sessionctl"));
        command.envs(self.stack.environment().iter().map(|(n, v)| (n, v))).current_dir(root()).stdin(Stdio::null());
        command.args(["rehearse", "--json", "--ice-bind", SPEAKER, "--listeners", "en", "--audio"]);
        command.arg(speech(&self.folder, seconds)).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Plays one; its report card, which must be good.
    fn play(&self, weather: Weather, seconds: u32, arguments: &[&str]) -> Value {
        self.internet.let_through(weather).unwrap();
        let ended = self.rehearsal(seconds, arguments).output().unwrap();
        let story = String::from_utf8_lossy(&ended.stderr).into_owned();
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{weather:?}\n{story}\n{printed}");
        serde_json::from_str(&printed[printed.find('{').unwrap()..]).unwrap()
    }

    /// A speaker who answers and is not heard: what the row says of it, which `sessionctl why` shows as one line.
    async fn blocked(&self, weather: Weather, session: &str) -> String {
        self.internet.let_through(weather).unwrap();
        let mut rehearsal = self.rehearsal(WORDS, &["--session", session]);
        let _playing = Playing(rehearsal.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let blocked = |row: &Value| row["worker"]["trouble"]["cause"] == "noMediaPath";
        let row = self.stack.until_row(session, false, "says that there is no way", blocked).await.unwrap();
        let why = self.stack.tool("sessionctl").unwrap().args(["why", session]).output().unwrap();
        let said = String::from_utf8_lossy(&why.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("Not fine: NoMediaPath") && why.status.code() == Some(1), "{said}");
        let text = row["worker"]["trouble"]["text"].as_str().unwrap().to_owned();
        assert!(!text.contains('\n'), "{text}");
        text
    }
}

/// So many seconds of the sample, again and again.
fn speech(folder: &Path, seconds: u32) -> PathBuf {
    let path = folder.join("speech.wav");
    let mut sample = hound::WavReader::open(root().join("samples/short.wav")).unwrap();
    let spec = sample.spec();
    let sample: Vec<i16> = sample.samples().map(Result::unwrap).collect();
    let mut speech = hound::WavWriter::create(&path, spec).unwrap();
    for value in sample.iter().cycle().take((spec.sample_rate * seconds) as usize) {
        speech.write_sample(*value).unwrap();
    }
    speech.finalize().unwrap();
    path
}

fn media(report: &Value) -> &Value {
    &report["row"]["worker"]["media"]
}

/// Ends with the test, however it ends.
struct Playing(Child);

impl Drop for Playing {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[tokio::test]
async fn audio_finds_its_way_directly_or_through_a_relay_and_without_any_the_row_says_so() {
    let Some(scene) = Scene::set("ways") else { return };

    // The product's speaker: its candidates never arrive, so the worker must be found.
    let report = scene.play(Weather::Fair, WORDS, &[]);
    let (direct, relayed) = scene.internet.packets_to_worker().unwrap();
    assert_eq!(media(&report)["candidateType"], "host", "{report:#}");
    assert!(direct > 10 * relayed && direct > 200, "{direct} direct, {relayed} through the relay");

    // The same speaker reaches us through its own relay.
    scene.play(Weather::NoDirectPath, WORDS, &[]);
    let (still, relayed) = scene.internet.packets_to_worker().unwrap();
    assert!(still == direct && relayed > 200, "{still} of {direct} direct, {relayed} through the relay");

    // Nobody can reach the worker: its own relay is the way, for which it must know the speaker's candidates.
    let report = scene.play(Weather::WorkerBehindRelay, WORDS, &["--patched"]);
    assert_eq!(media(&report)["candidateType"], "relay", "{report:#}");

    let text = scene.blocked(Weather::NoUdp, "silent-canyon-404").await;
    assert!(text.contains("neither STUN nor TURN"), "{text}");
}

/// Neither an interface nor a route: no offer is worth being sent, and nobody would otherwise learn why.
#[tokio::test]
async fn a_worker_without_a_network_says_so_in_its_row() {
    let (name, session) = ("no-network", "quiet-island-406");
    let place = match Place::new() {
        Ok(place) => place,
        Err(error) => {
            let why = format!("a network namespace needs root: {error}");
            return skipped("a_worker_without_a_network_says_so_in_its_row", &why);
        }
    };
    place.enter().unwrap();
    let stack = Stack::up_by(&place.prefix(), name, &["--ice-bind", "0.0.0.0"]).unwrap();
    stack.put_session(session).await.unwrap();
    let told = |row: &Value| row["worker"]["trouble"]["cause"] == "noMediaPath";
    let row = stack.until_row(session, false, "says that it has no address", told).await.unwrap();
    let text = row["worker"]["trouble"]["text"].as_str().unwrap();
    assert!(text.contains("no network address") && text.contains("default route") && !text.contains('\n'), "{text}");
}

/// What docs/adopting.md says of a private worker and an unpatched front end.
#[tokio::test]
#[ignore = "half a minute; the sentence is held by the core's own tests"]
async fn a_workers_relay_lets_nobody_in_whose_candidates_never_came() {
    let Some(scene) = Scene::set("relay-alone") else { return };
    let text = scene.blocked(Weather::WorkerBehindRelay, "lonely-harbor-405").await;
    assert!(text.contains("no candidate of the speaker came"), "{text}");
}

/// Seven minutes: a permission of TURN lives five minutes, a channel ten, and the credential five (RFC 8656; KVS quotas).
#[tokio::test]
#[ignore = "takes eight minutes; docs/benchmarks.md has the command"]
async fn a_relayed_session_outlives_its_credential_and_its_permissions() {
    let Some(scene) = Scene::set("relayed-long") else { return };
    let report = scene.play(Weather::WorkerBehindRelay, 420, &["--patched"]);
    let media = media(&report);
    eprintln!("{media:#}");
    assert_eq!(
        (&media["candidateType"], &media["peers"], &media["iceRestarts"]),
        (&json!("relay"), &json!(1), &json!(0))
    );
    assert_eq!((&media["lost"], &media["concealedMs"]), (&json!(0), &json!(0)), "{media:#}");
    let log = scene.internet.relay_log().unwrap();
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    eprintln!(
        "refreshes {}, permissions {}",
        count("REFRESH processed, success"),
        count("CREATE_PERMISSION processed, success")
    );
    assert!(count("REFRESH processed, success") > 0 && count("CREATE_PERMISSION processed, success") > 1, "{log}");
}

/// Told to grant 30 s, coturn 4.6 does so for the allocation and for every second refresh, and grants its usual ten minutes otherwise: refreshes
/// come after 15, 315 and 330 s.
#[tokio::test]
#[ignore = "takes seven minutes; docs/benchmarks.md has the command"]
async fn an_allocation_is_refreshed_again_and_again() {
    let Some(scene) = Scene::set_with("relayed-short", &["--max-allocate-lifetime=30"]) else { return };
    let report = scene.play(Weather::WorkerBehindRelay, 325, &["--patched"]);
    let media = media(&report);
    eprintln!("{media:#}");
    assert_eq!((&media["candidateType"], &media["peers"]), (&json!("relay"), &json!(1)), "{media:#}");
    let log = scene.internet.relay_log().unwrap();
    // A release is a refresh, too, of no lifetime.
    let of_worker = log.lines().filter(|line| line.contains("refreshed") && line.contains(":worker-"));
    let refreshed = of_worker.filter(|line| !line.contains("lifetime=0")).count();
    eprintln!("{refreshed} refreshes");
    assert!(refreshed >= 2, "{refreshed}\n{log}");
}
