use super::fixtures::{praat, utterances, welcome};
use super::noise::with_noise;
use super::score::PitchScore;
use super::synth::{Manner, speak};
use super::{frames, to_i16};

const VOICES: [f64; 8] = [85.0, 100.0, 120.0, 150.0, 180.0, 220.0, 260.0, 320.0];
const GLIDES: [f64; 5] = [0.0, 0.33, -0.33, 1.0, -0.5];

/// All voices with all glides that stay between 80 and 500 Hz: a number for the seed, the pitch, the glide.
pub(super) fn within() -> impl Iterator<Item = (u64, f64, f64)> {
    let voices = (0..).step_by(10).zip(VOICES);
    let all = voices.flat_map(|(n, hz)| (n..).zip(GLIDES).map(move |(seed, glide)| (seed, hz, glide)));
    all.filter(|(_, hz, glide)| (80.0..500.0).contains(&(hz * glide.exp2())))
}

fn against_truth(name: &str, snr_db: Option<f64>, moving: f64, bars: [f64; 4]) {
    let mut score = PitchScore::default();
    for (seed, hz, glide) in within() {
        let spoken = speak(3.0, Manner { hz, glide, seed, moving, lively: 0.0, ..Manner::default() });
        let noisy = snr_db.map_or_else(|| spoken.pcm.clone(), |snr| with_noise(&spoken.pcm, snr, seed));
        score.add(&frames(&to_i16(&noisy)), &spoken.f0);
    }
    score.hold(name, bars);
}

#[test]
fn pitch_agrees_with_the_truth_of_a_synthetic_voice() {
    against_truth("synthetic", None, 0.0, [0.1, 3.0, 15.0, 4.0]);
}

#[test]

fn pitch_agrees_with_the_truth_in_noise_10_db_below_the_voice() {
    against_truth("synthetic, SNR 10", Some(10.0), 0.0, [0.2, 5.0, 40.0, 12.0]);
}

#[test]

fn pitch_agrees_with_the_truth_in_noise_5_db_below_the_voice() {
    against_truth("synthetic, SNR 5", Some(5.0), 0.0, [1.5, 7.0, 60.0, 20.0]);
}

/// Praat's own median on such a voice is 6.1 cents: what is heard is not the glottis to the cent any more.
#[test]
fn pitch_is_tracked_through_moving_formants() {
    against_truth("synthetic, moving formants", None, 1.0, [0.1, 7.0, 30.0, 4.0]);
}

/// Utterances one after the other, each analysed alone as Praat did.
fn against_praat(kind: &str, bars: [f64; 4]) {
    let (mut score, mut reference) = (PitchScore::default(), praat(kind).f0.into_iter());
    for utterance in utterances(kind) {
        let truth: Vec<f64> = reference.by_ref().take(utterance.pcm.len() / 160).collect();
        score.add(&frames(&utterance.pcm), &truth);
    }
    assert_eq!(reference.next(), None, "the fixtures belong together");
    score.hold(kind, bars);
}

#[test]
fn pitch_agrees_with_praat_on_two_voices_of_flite() {
    against_praat("flite-slt", [0.1, 3.0, 40.0, 5.0]);
    let mut score = PitchScore::default();
    score.add(&frames(&welcome()), &praat("welcome").f0);
    score.hold("flite rms", [0.1, 3.0, 40.0, 5.0]);
}

#[test]
fn pitch_agrees_with_praat_on_espeak() {
    against_praat("espeak", [0.1, 3.0, 40.0, 5.0]);
}
