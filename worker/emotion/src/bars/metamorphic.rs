use super::fixtures::{utterances, welcome};
use super::synth::{Manner, speak};
use super::{events, frames, gained, segments, to_f64, to_i16};
use crate::{Config, Event};

/// Median pitch of a recording, cents.
fn median_cents(pcm: &[i16]) -> f64 {
    let mut cents: Vec<f64> =
        frames(pcm).iter().filter(|f| f.is_voiced()).map(|f| 1_200.0 * f64::from(f.f0).log2()).collect();
    cents.sort_unstable_by(f64::total_cmp);
    cents[cents.len() / 2]
}

/// Played faster by this factor: pitch and formants move together.
fn faster(pcm: &[f64], factor: f64) -> Vec<f64> {
    let at = |n: usize| {
        let place = n as f64 * factor;
        let middle = place.floor() as isize;
        let tap = |k: isize| {
            let x = place - k as f64;
            let cutoff = 1.0 / factor.max(1.0);
            let sinc = if x.abs() < 1e-9 {
                cutoff
            } else {
                (std::f64::consts::PI * x * cutoff).sin() / (std::f64::consts::PI * x)
            };
            let window = 0.5 + 0.5 * (std::f64::consts::PI * x / 33.0).cos();
            usize::try_from(k).ok().and_then(|k| pcm.get(k)).map_or(0.0, |y| y * sinc * window)
        };
        (middle - 31..=middle + 32).map(tap).sum()
    };
    (0..(pcm.len() as f64 / factor) as usize).map(at).collect()
}

#[test]
fn four_semitones_more_are_400_cents_more() {
    let up = 400.0_f64 / 1_200.0;
    for hz in [90.0, 130.0, 200.0] {
        let of = |hz| median_cents(&to_i16(&speak(4.0, Manner { hz, lively: 0.3, ..Manner::default() }).pcm));
        let step = of(hz * up.exp2()) - of(hz);
        println!("synthetic voice at {hz} Hz: +400 cents measure {step:+.1}");
        assert!((step - 400.0).abs() <= 25.0, "{step}");
    }
    let steps: Vec<f64> = utterances("flite-slt")
        .iter()
        .chain(&utterances("espeak"))
        .map(|u| median_cents(&to_i16(&faster(&to_f64(&u.pcm), up.exp2()))) - median_cents(&u.pcm))
        .collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    println!("played faster: +400 cents measure {mean:+.1} in the mean: {steps:.1?}");
    assert!((mean - 400.0).abs() <= 25.0, "{mean}");
}

/// The most that arousal differs between two recordings of the same talk, from this segment on.
fn most_moved(plain: &[i16], other: &[i16], from: usize) -> f64 {
    let (plain, other) = (segments(plain, true), segments(other, true));
    let pairs = plain.iter().zip(&other).skip(from).filter_map(|(plain, other)| plain.arousal.zip(other.arousal));
    let moved: Vec<f64> = pairs.map(|(plain, other)| (plain.value - other.value).abs()).collect();
    assert!(moved.len() >= 8 && other.iter().all(|r| r.flags.agc_suspected));
    moved.iter().copied().fold(0.0, f64::max)
}

#[test]
fn ten_decibels_move_arousal_by_nothing_when_gain_control_is_reported() {
    let pcm = gained(&[welcome(), welcome()].concat(), -12.0);
    for db in [-10.0, 10.0] {
        let most = most_moved(&pcm, &gained(&pcm, db), 0);
        println!("{db:+} dB with gain control reported: arousal moves by {most:.4} at most");
        assert!(most <= 0.02, "{most}");
    }
}

#[test]
fn a_step_of_gain_moves_arousal_by_little_when_gain_control_is_reported() {
    let pcm = gained(&[welcome(), welcome()].concat(), -12.0);
    let half = pcm.len() / 2;
    for db in [-10.0, 10.0] {
        let stepped = [&pcm[..half], &gained(&pcm[half..], db)].concat();
        let most = most_moved(&pcm, &stepped, 16 + 3);
        println!("{db:+} dB from one moment on: arousal moves by {most:.4} at most from the tenth second after it on");
        assert!(most <= 0.05, "{most}");
    }
}

#[test]
fn events_are_the_same_to_the_bit_however_the_audio_is_cut() {
    let pcm = &welcome()[..400_000];
    let whole = events(pcm, 320, Config::default());
    assert!(whole.iter().filter(|e| matches!(e, Event::Second(_))).count() > 15);
    for piece in [160, 512, 1_600, 160_000, 7, 333] {
        assert!(whole == events(pcm, piece, Config::default()), "pieces of {piece} samples");
    }
}
