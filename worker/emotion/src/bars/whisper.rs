use super::fixtures::{utterances, welcome};
use super::noise::rms;
use super::synth::{Manner, speak};
use super::{events, gained, seconds, to_f64, to_i16};
use crate::Config;
use schemas::voice::{Category, VolumeLevel};

/// Readings that are long enough to tell, and how many of them are whispers.
fn whispers(pcm: &[i16]) -> (usize, usize) {
    let all = events(pcm, 320, Config::default());
    let long: Vec<_> = seconds(&all).into_iter().filter(|r| !r.flags.short).collect();
    let whispers = long.iter().filter(|r| {
        let is = r.category == Category::Whisper;
        assert_eq!(is, r.volume.unwrap().level == VolumeLevel::Whisper, "one word for both");
        is
    });
    (long.len(), whispers.count())
}

/// Gain that brings a recording to this level.
fn gain_to(pcm: &[i16], dbfs: f64) -> f64 {
    dbfs - 20.0 * rms(&to_f64(pcm)).log10()
}

#[test]

fn a_whisper_is_a_whisper_at_every_level() {
    let synthetic = speak(4.0, Manner { whisper: true, ..Manner::default() });
    let mut all: Vec<Vec<i16>> = utterances("whisper").into_iter().map(|u| u.pcm).collect();
    all.push(to_i16(&synthetic.pcm));
    for (n, pcm) in all.iter().enumerate() {
        for dbfs in [-16.0, -26.0, -36.0, -46.0, -49.0] {
            let (long, whispers) = whispers(&gained(pcm, gain_to(pcm, dbfs)));
            println!("whisper {n} at {dbfs} dBFS: {whispers} of {long}");
            assert!(long >= 2 && whispers == long, "{n} at {dbfs} dBFS: {whispers} of {long}");
        }
    }
}

#[test]
fn no_voice_is_a_whisper_however_soft() {
    let mut all: Vec<Vec<i16>> = utterances("flite-slt").into_iter().map(|u| u.pcm).collect();
    all.extend(utterances("espeak").into_iter().map(|u| u.pcm));
    all.push(welcome());
    all.push(to_i16(&speak(8.0, Manner { hz: 220.0, ..Manner::default() }).pcm));
    for (n, pcm) in all.iter().enumerate() {
        for db in [0.0, -12.0, -24.0, -30.0] {
            let (long, whispers) = whispers(&gained(pcm, db));
            assert!(long >= 1 && whispers == 0, "{n} at {db} dB: {whispers} of {long}");
        }
    }
}
