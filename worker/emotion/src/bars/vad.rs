use super::fixtures::{utterances, welcome};
use super::noise::{rms, with_noise};
use super::{frames, to_f64, to_i16};
use crate::frame::Frame;

/// Frames after speech, and before it, that are neither: the detector lets go late.
const GUARD: usize = 15;

/// Sentences of both synthesisers with 2 s between them.
fn sentences() -> Vec<f64> {
    let mut pcm = vec![0.0; 16_000];
    for utterance in utterances("flite-slt").into_iter().chain(utterances("espeak")) {
        // As loud as each other, and as a usual microphone.
        let gain = 0.06 / rms(&to_f64(&utterance.pcm));
        pcm.extend(to_f64(&utterance.pcm).iter().map(|x| x * gain));
        pcm.extend([0.0; 24_000]);
    }
    pcm.extend(to_f64(&welcome()[..320_000]).iter().map(|x| x * 0.5));
    pcm
}

/// True where the clean audio sounds, with gaps of less than 300 ms closed.
fn truth(clean: &[f64]) -> Vec<bool> {
    let mut sounds: Vec<bool> = clean.chunks_exact(160).map(|hop| rms(hop) > 0.002).collect();
    let mut last = None;
    for n in 0..sounds.len() {
        if sounds[n] {
            if let Some(last) = last.filter(|last| n - last < 30) {
                sounds[last..n].fill(true);
            }
            last = Some(n);
        }
    }
    sounds
}

/// Missed speech and false alarms in gaps, %.
fn errors(frames: &[Frame], truth: &[bool]) -> (f64, f64) {
    let (mut speech, mut missed, mut gap, mut alarms) = (0, 0, 0, 0);
    for (n, frame) in frames.iter().enumerate().filter(|(_, f)| f.measured) {
        let near = &truth[n.saturating_sub(GUARD)..(n + GUARD).min(truth.len())];
        if truth[n] {
            speech += 1;
            missed += usize::from(!frame.speech);
        } else if !near.contains(&true) {
            gap += 1;
            alarms += usize::from(frame.speech);
        }
    }
    (100.0 * f64::from(missed as u32) / f64::from(speech), 100.0 * f64::from(alarms as u32) / f64::from(gap))
}

#[test]

fn speech_is_heard_and_the_noise_in_the_gaps_is_not_down_to_5_db() {
    let clean = sentences();
    let truth = truth(&clean);
    for snr in [60.0, 20.0, 10.0, 5.0] {
        let (missed, alarms) = errors(&frames(&to_i16(&with_noise(&clean, snr, 7))), &truth);
        println!("SNR {snr}: {missed:.2} % of speech missed, {alarms:.2} % false alarms in gaps");
        assert!(missed <= 4.0 && alarms <= 1.0, "SNR {snr}: {missed} {alarms}");
    }
}

#[test]
fn steady_noise_alone_is_no_speech() {
    for (seed, gain) in [(1, 0.001), (2, 0.01), (3, 0.05)] {
        let noise: Vec<f64> = super::noise::pink(320_000, seed).iter().map(|x| x * gain).collect();
        let speech = frames(&to_i16(&noise)).iter().filter(|f| f.speech).count();
        println!("noise of strength {gain}: {speech} of 2000 frames are taken for speech");
        assert!(speech <= 40, "gain {gain}: {speech} of 2000");
    }
}
