use super::sound::{Warning, Watch};
use crate::time::MediaInstant;
use schemas::voice::AudioIssue;
use schemas::worker::Media;
use worker_emotion::Quality;

/// Good speech: the n-th second.
fn good(n: u64) -> Quality {
    Quality {
        start_ms: n * 1_000,
        end_ms: (n + 1) * 1_000,
        received_ms: 1_000,
        speech_ms: 800,
        dbfs: -22.0,
        snr_db: Some(35.0),
        clipped_share: 0.0,
        echo_db: Some(-30.0),
        silent_ms: 0,
    }
}
/// All warnings of so many seconds, with the second of each.
fn told(watch: &mut Watch, seconds: std::ops::Range<u64>, of: impl Fn(u64) -> Quality) -> Vec<(u64, AudioIssue)> {
    let tell = |n| watch.measured(&of(n), at(n)).into_iter().map(move |w| (n, w.issue)).collect::<Vec<_>>();
    seconds.flat_map(tell).collect()
}
fn at(second: u64) -> MediaInstant {
    MediaInstant(second * 1_000)
}
fn silence(n: u64, silent_s: u64) -> Quality {
    Quality { speech_ms: 0, dbfs: -70.0, silent_ms: silent_s * 1_000, ..good(n) }
}

#[test]
fn loudness_is_that_of_the_last_seconds_of_speech() {
    let mut watch = Watch::default();
    watch.heard(-20.0);
    assert_eq!(watch.seen.as_ref().unwrap().loudness_lufs, Some(-20.0), "told from the first second on");
    (0..60).for_each(|_| watch.heard(-30.0));
    let after = watch.seen.as_ref().unwrap().loudness_lufs.unwrap();
    assert!((after + 30.0).abs() < 0.2, "{after}");
    told(&mut watch, 0..2, good);
    assert_eq!(watch.seen.unwrap().loudness_lufs, Some(after), "a silence leaves it");
}

#[test]
fn good_audio_is_not_remarked_on() {
    let mut watch = Watch::default();
    assert_eq!(told(&mut watch, 0..300, good), []);
    let seen = watch.seen.unwrap();
    assert_eq!((seen.snr_db, seen.issues.len(), seen.warnings.len()), (Some(35.0), 0, 0));
}

#[test]
fn each_kind_is_said_once_a_minute_at_most_however_long_it_lasts() {
    let mut watch = Watch::default();
    let bad = |n| Quality { snr_db: Some(12.0), clipped_share: 0.06, ..good(n) };
    let told = told(&mut watch, 0..121, bad);
    let of = |issue| told.iter().filter(|(_, i)| *i == issue).map(|(n, _)| *n).collect::<Vec<_>>();
    assert_eq!(of(AudioIssue::SnrLow), [2, 62]);
    assert_eq!(of(AudioIssue::Clipping), [0, 60, 120]);
    assert_eq!(watch.seen.unwrap().warnings[&AudioIssue::SnrLow], 2);
}

#[test]
fn noise_matters_only_while_somebody_speaks_over_it() {
    let mut watch = Watch::default();
    let noise = |n| Quality { speech_ms: 0, snr_db: Some(3.0), echo_db: Some(-5.0), ..good(n) };
    assert_eq!(told(&mut watch, 0..60, noise), []);
}

#[test]
fn an_issue_at_its_limit_does_not_come_and_go() {
    let mut watch = Watch::default();
    told(&mut watch, 0..3, |n| Quality { snr_db: Some(19.0), ..good(n) });
    told(&mut watch, 3..9, |n| Quality { snr_db: Some(21.0), ..good(n) });
    assert!(watch.seen.clone().unwrap().issues.contains(&AudioIssue::SnrLow), "one decibel better is not mended");
    told(&mut watch, 9..10, good);
    assert!(watch.seen.unwrap().issues.is_empty());
}

#[test]
fn one_knock_on_the_microphone_is_no_clipping() {
    let mut watch = Watch::default();
    let knock = |n| Quality { clipped_share: if n == 0 { 0.04 } else { 0.0 }, ..good(n) };
    assert_eq!(told(&mut watch, 0..20, knock), []);
    assert_eq!(told(&mut watch, 20..40, |n| Quality { clipped_share: 0.02, ..good(n) }), [(22, AudioIssue::Clipping)]);
}

#[test]
fn five_seconds_of_silence_are_told_and_a_pause_of_the_session_is_none() {
    let mut watch = Watch::default();
    assert_eq!(told(&mut watch, 0..10, |n| silence(n, n + 1)), [(4, AudioIssue::Silence)]);
    let mut watch = Watch::default();
    told(&mut watch, 0..4, |n| silence(n, n + 1));
    watch.pause();
    watch.begin(100_000);
    let rest = |n| Quality { received_ms: 300, silent_ms: 4_300, ..silence(n, 0) };
    assert_eq!(told(&mut watch, 4..5, rest), []);
    let after = told(&mut watch, 100..110, |n| silence(n, 4 + n - 99));
    assert_eq!(after, [(104, AudioIssue::Silence)], "the silence before the pause does not count");
}

#[test]
fn a_pause_takes_back_what_was_wrong() {
    let mut watch = Watch::default();
    told(&mut watch, 0..10, |n| silence(n, n + 1));
    watch.pause();
    let seen = watch.seen.unwrap();
    assert_eq!((seen.issues.len(), seen.silence_ms, seen.warnings[&AudioIssue::Silence]), (0, 0, 1));
}

#[test]
fn a_gap_in_the_network_is_no_silence_of_the_microphone() {
    let mut watch = Watch::default();
    let gap = |n| Quality { received_ms: 0, speech_ms: 0, silent_ms: 20_000, dbfs: -96.0, ..good(n) };
    assert_eq!(told(&mut watch, 0..30, gap), []);
    assert_eq!(watch.seen, None, "nothing was measured");
}

#[test]
fn an_echo_above_the_limit_is_told() {
    let mut watch = Watch::default();
    assert_eq!(told(&mut watch, 0..5, |n| Quality { echo_db: Some(-12.0), ..good(n) }), [(2, AudioIssue::Echo)]);
    assert_eq!(told(&mut Watch::default(), 0..5, |n| Quality { echo_db: Some(-16.0), ..good(n) }), []);
}

fn network(seconds: u64, of: impl Fn(u64) -> Media) -> Vec<Warning> {
    let mut watch = Watch::default();
    (0..seconds).flat_map(|n| watch.reported(&of(n), at(n))).collect()
}

#[test]
fn packets_that_are_lost_for_good_are_told_and_those_that_were_recovered_are_not() {
    let lossy = |n| Media { packets: n * 46, lost: n * 4, ..Media::default() };
    let told = network(60, lossy);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].issue, told[0].value), (AudioIssue::PacketLoss, 8.0));
    assert_eq!(network(60, |n| Media { fec_recovered: n, red_recovered: n * 2, ..lossy(n) }), []);
}

#[test]
fn jitter_is_told_when_it_lasts_and_not_after_the_packets_have_stopped() {
    let told = network(60, |n| Media { packets: n * 50, jitter_ms: 80.0, ..Media::default() });
    assert_eq!(told.iter().map(|w| w.issue).collect::<Vec<_>>(), [AudioIssue::Jitter]);
    assert_eq!(network(60, |n| Media { packets: n.min(2) * 50, jitter_ms: 80.0, ..Media::default() }), []);
}

/// Of each `NAME.wav` (16 kHz, 16 bit, mono) in the folder that `BENCH_PEOPLE` names: `NAME.told`, what listeners and the speaker would be told
/// in the mode `emotion`: seconds, the segments that `NAME.segments` lists (begin and end, ms), and warnings. With `BENCH_AGC` gain control is
/// reported. `scripts/bench/benches/people.py` runs this.
#[test]
#[ignore = "reads recordings of people that the benchmark has fetched"]
#[expect(clippy::disallowed_methods, reason = "the folder and the files are outside of the crate")]
fn what_people_would_be_told_is_written_for_the_benchmark() {
    let folder = std::env::var("BENCH_PEOPLE").expect("BENCH_PEOPLE names a folder");
    let config = worker_emotion::Config { agc_on: std::env::var_os("BENCH_AGC").is_some() };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "wav") {
            let listed = std::fs::read_to_string(path.with_extension("segments")).unwrap();
            let segments = listed.lines().map(|line| line.split_once('\t').unwrap());
            let segments = segments.map(|(begin, end)| (begin.parse().unwrap(), end.parse().unwrap())).collect();
            let pcm =
                std::fs::read(&path).unwrap()[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            std::fs::write(path.with_extension("told"), would_be_told(pcm, segments, config).to_string()).unwrap();
        }
    }
}

fn would_be_told(pcm: Vec<i16>, segments: Vec<(u64, u64)>, config: worker_emotion::Config) -> serde_json::Value {
    use crate::config::EmotionMode;
    use serde_json::json;
    use worker_emotion::{Analyzer, Event, Origin, Reading};

    let reading =
        |reading: &Reading| json!({ "lufs": reading.lufs, "voice": super::told::told(reading, EmotionMode::Emotion) });
    let (mut analyzer, mut watch) = (Analyzer::new(config), Watch::default());
    let (mut seconds, mut whole, mut qualities, mut warnings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut segments = segments.into_iter().enumerate().peekable();
    let pieces = (0_u64..).step_by(20).zip(pcm.chunks_exact(320));
    for (at_ms, piece) in pieces {
        analyzer.push(at_ms, piece, Origin::Received);
        // A caption is final about half a second after its last word.
        while let Some((n, (begin, end))) = segments.next_if(|(_, (_, end))| end + 500 <= at_ms) {
            analyzer.segment(n as u64, begin, end);
        }
        while let Some(event) = analyzer.poll() {
            match event {
                Event::Second(second) => {
                    second.lufs.into_iter().for_each(|lufs| watch.heard(lufs));
                    seconds.push(reading(&second));
                }
                Event::Segment { id, reading: segment } => whole.push(json!([id, reading(&segment)])),
                Event::Quality(quality) => {
                    let told = watch.measured(&quality, MediaInstant(quality.end_ms));
                    warnings.extend(told.iter().map(|w| json!([quality.end_ms, w.issue, w.value])));
                    qualities.push(json!([quality.snr_db, quality.echo_db, quality.clipped_share, quality.dbfs]));
                }
            }
        }
    }
    let lufs = watch.seen.and_then(|seen| seen.loudness_lufs);
    json!({ "seconds": seconds, "segments": whole, "qualities": qualities, "warnings": warnings, "lufs": lufs })
}
