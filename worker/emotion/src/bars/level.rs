use super::fixtures::{Praat, praat, utterances, welcome};
use super::{frames, gained, segments, to_i16};
use crate::frame::Frame;

/// Mean absolute difference of the level from Praat's, where there is speech.
fn difference(frames: &[Frame], praat: &Praat, from: usize) -> (f64, usize) {
    let pairs = frames.iter().zip(&praat.dbfs[from..]).filter(|(frame, db)| frame.is_speech() && **db > -60.0);
    let differences: Vec<f64> = pairs.map(|(frame, db)| (f64::from(frame.level) - db).abs()).collect();
    (differences.iter().sum(), differences.len())
}

#[test]
fn level_agrees_with_praats_intensity() {
    for kind in ["flite-slt", "espeak", "welcome"] {
        let praat = praat(kind);
        let (mut sum, mut count, mut at) = (0.0, 0, 0);
        let all =
            if kind == "welcome" { vec![welcome()] } else { utterances(kind).into_iter().map(|u| u.pcm).collect() };
        for pcm in all {
            let (s, c) = difference(&frames(&pcm), &praat, at);
            at += pcm.len() / 160;
            (sum, count) = (sum + s, count + c);
        }
        let mae = sum / count as f64;
        println!("{kind}: level differs from Praat by {mae:.3} dB in the mean, {count} frames");
        assert!(mae <= 0.5 && count > 500, "{kind}: {mae}");
    }
}

#[test]
fn a_step_of_gain_is_the_same_step_of_level() {
    let pcm = gained(&utterances("flite-slt")[0].pcm, -6.0);
    let (plain, soft) = (frames(&pcm), frames(&gained(&pcm, -3.0)));
    let pairs = plain.iter().zip(&soft).filter(|(plain, _)| plain.is_speech() && plain.level > -60.0);
    let steps: Vec<f64> = pairs.map(|(plain, soft)| f64::from(plain.level - soft.level)).collect();
    let step = steps.iter().sum::<f64>() / steps.len() as f64;
    assert!(steps.len() > 200);
    println!("a step of 3 dB is measured as {step:.4} dB");
    assert!((step - 3.0).abs() <= 0.05, "{step}");
}

#[test]
fn a_full_scale_sine_is_minus_three_dbfs() {
    let sine: Vec<f64> =
        (0..16_000).map(|n| (f64::from(n) * 1_000.0 * std::f64::consts::TAU / 16_000.0).sin()).collect();
    let frames = frames(&to_i16(&sine));
    assert!((f64::from(frames[50].level) + 3.01).abs() < 0.02, "{}", frames[50].level);
}

#[test]
fn a_tone_of_minus_23_lufs_measures_so() {
    // ITU-R BS.1770: a 1 kHz sine in one channel of −20 dBFS (peak) is −23 LUFS.
    let tone = |n: i32| 0.1 * (f64::from(n) * 997.0 * std::f64::consts::TAU / 16_000.0).sin();
    let frames = frames(&to_i16(&(0..48_000).map(tone).collect::<Vec<_>>()));
    let power: f64 = frames[100..200].iter().map(|f| 10.0_f64.powf(f64::from(f.loudness) / 10.0)).sum();
    let lufs = 10.0 * (power / 100.0).log10();
    println!("the tone of −23 LUFS measures {lufs:.3} LUFS");
    assert!((lufs + 23.0).abs() <= 0.1, "{lufs}");
}

#[test]
fn ten_decibels_more_are_ten_decibels_in_the_readings() {
    let pcm = gained(&welcome(), -12.0);
    let (plain, soft) = (segments(&pcm, false), segments(&gained(&pcm, -10.0), false));
    let levels = plain.iter().zip(&soft).filter_map(|(plain, soft)| plain.volume.zip(soft.volume));
    let steps: Vec<f64> = levels.map(|(plain, soft)| plain.dbfs - soft.dbfs).collect();
    println!("10 dB measure {steps:.3?}");
    assert!(steps.len() >= 12 && steps.iter().all(|step| (step - 10.0).abs() <= 0.05));
}
