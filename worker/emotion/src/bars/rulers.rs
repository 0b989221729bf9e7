//! The signals of known pitch as files, with what was found in them, for rulers outside of this repository.

use super::noise::with_noise;
use super::pitch::within;
use super::synth::{Manner, speak};
use super::{frames, to_i16};
use crate::{Analyzer, Config, Origin};
use std::fmt::Write;
use std::path::Path;

/// Name, dB of the noise below the voice, how far the formants move.
const CONDITIONS: [(&str, Option<f64>, f64); 4] =
    [("clean", None, 0.0), ("moving", None, 1.0), ("noise10", Some(10.0), 0.0), ("noise5", Some(5.0), 0.0)];

/// Into the folder that `BENCH_SIGNALS` names: `CONDITION-N.wav` and `CONDITION-N.tsv`, one line for each 10 ms with the true pitch in its
/// middle and ours, Hz, 0 for none. `scripts/bench/benches/voice.py` runs this.
#[test]
#[ignore = "writes files for the benchmark of the voice"]
#[expect(clippy::disallowed_methods, reason = "the folder and the files are outside of the crate")]
fn the_signals_of_known_pitch_are_written_for_other_rulers() {
    let folder = std::env::var("BENCH_SIGNALS").expect("BENCH_SIGNALS names a folder");
    for (condition, snr_db, moving) in CONDITIONS {
        for (n, hz, glide) in within() {
            let spoken = speak(3.0, Manner { hz, glide, seed: n, moving, lively: 0.0, ..Manner::default() });
            let pcm = to_i16(&snr_db.map_or_else(|| spoken.pcm.clone(), |snr| with_noise(&spoken.pcm, snr, n)));
            let path = Path::new(&folder).join(format!("{condition}-{n:02}.wav"));
            write_wav(&path, &pcm);
            let mut lines = String::new();
            for (frame, truth) in frames(&pcm).iter().zip(&spoken.f0) {
                writeln!(lines, "{truth:.4}\t{:.4}", frame.f0).unwrap();
            }
            std::fs::write(path.with_extension("tsv"), lines).unwrap();
        }
    }
}

/// Of each `NAME.wav` in the folder that `BENCH_PEOPLE` names: `NAME.frames`, one line for each 10 ms with its pitch (Hz, 0 for none), whether
/// it is speech, and its level, dBFS. `scripts/bench/benches/people.py` runs this.
#[test]
#[ignore = "reads recordings of people that the benchmark has fetched"]
#[expect(clippy::disallowed_methods, reason = "the folder and the files are outside of the crate")]
fn the_frames_of_people_are_written_for_other_rulers() {
    let folder = std::env::var("BENCH_PEOPLE").expect("BENCH_PEOPLE names a folder");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "wav") {
            continue;
        }
        let pcm: Vec<i16> = hound::WavReader::open(&path).unwrap().into_samples().map(Result::unwrap).collect();
        let (mut analyzer, mut lines, mut known) = (Analyzer::new(Config::default()), String::new(), 0);
        for (at_ms, piece) in (0..).step_by(1_000).zip(pcm.chunks(16_000)) {
            analyzer.push(at_ms, piece, Origin::Received);
            for frame in analyzer.history().between(known, u64::MAX) {
                writeln!(lines, "{:.3}\t{}\t{:.1}", frame.f0, u8::from(frame.speech), frame.level).unwrap();
            }
            known = analyzer.history().end();
            std::iter::from_fn(|| analyzer.poll()).for_each(drop);
        }
        std::fs::write(path.with_extension("frames"), lines).unwrap();
    }
}

fn write_wav(path: &Path, pcm: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    pcm.iter().for_each(|sample| file.write_sample(*sample).unwrap());
    file.finalize().unwrap();
}
