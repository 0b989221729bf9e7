//! The bars: how exact the measuring is, against known truth and against Praat. Everything is made here or read from
//! `tests/fixtures`; nothing depends on the machine.

mod arousal;
mod detector;
mod fixtures;
mod level;
mod metamorphic;
mod noise;
mod pitch;
mod quality;
mod robust;
mod rulers;
mod score;
mod stream;
mod syllables;
mod synth;
mod vad;
mod whisper;

use crate::frame::{Frame, KEPT};
use crate::{Analyzer, Config, Event, Origin, Reading};

/// The frames of a whole recording that begins at 0.
fn frames(pcm: &[i16]) -> Vec<Frame> {
    assert!(pcm.len() / 160 < KEPT, "the history is two minutes");
    let mut analyzer = Analyzer::new(Config::default());
    analyzer.push(0, pcm, Origin::Received);
    // What look-ahead holds back at the end is not needed.
    analyzer.history().between(0, u64::MAX).copied().collect()
}

/// The events of a whole recording, pushed in pieces of this many samples.
fn events(pcm: &[i16], piece: usize, config: Config) -> Vec<Event> {
    let mut analyzer = Analyzer::new(config);
    let mut events = Vec::new();
    for (n, piece_pcm) in pcm.chunks(piece).enumerate() {
        analyzer.push((n * piece / 16) as u64, piece_pcm, Origin::Received);
        events.extend(std::iter::from_fn(|| analyzer.poll()));
    }
    analyzer.flush();
    events.extend(std::iter::from_fn(|| analyzer.poll()));
    events
}

/// The readings per second among events.
fn seconds(events: &[Event]) -> Vec<&Reading> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Second(reading) => Some(reading),
            Event::Segment { .. } | Event::Quality(_) => None,
        })
        .collect()
}

/// Readings of a recording cut into segments of 3 s.
fn segments(pcm: &[i16], agc_on: bool) -> Vec<Reading> {
    let mut analyzer = Analyzer::new(Config { agc_on });
    let mut readings = Vec::new();
    for (n, piece) in (0_u64..).zip(pcm.chunks_exact(48_000)) {
        analyzer.push(n * 3_000, piece, Origin::Received);
        analyzer.segment(n, n * 3_000, n * 3_000 + 3_000);
        readings.extend(std::iter::from_fn(|| analyzer.poll()).filter_map(|event| match event {
            Event::Segment { reading, .. } => Some(reading),
            Event::Second(_) | Event::Quality(_) => None,
        }));
    }
    readings
}

/// Samples from numbers around ±1.
fn to_i16(samples: &[f64]) -> Vec<i16> {
    samples.iter().map(|x| (x * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Numbers around ±1 from samples.
fn to_f64(pcm: &[i16]) -> Vec<f64> {
    pcm.iter().map(|x| f64::from(*x) / 32_768.0).collect()
}

/// Samples times a gain in dB.
fn gained(pcm: &[i16], db: f64) -> Vec<i16> {
    let gain = 10.0_f64.powf(db / 20.0);
    to_i16(&to_f64(pcm).iter().map(|x| x * gain).collect::<Vec<_>>())
}
