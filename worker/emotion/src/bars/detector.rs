use super::fixtures::welcome;
use super::noise::{pink, rms};
use super::{to_f64, to_i16};
use crate::Detector;

/// So much speech within half a second opens what waits for it.
const OPENS_MS: u64 = 160;

/// How often within these sounds a detector that begins anew each time would open, and after how many ms the first time.
fn opens(pcm: &[i16]) -> (usize, Option<u64>) {
    let (mut detector, mut opened, mut first) = (Detector::default(), 0, None);
    for (n, frame) in pcm.chunks_exact(320).enumerate() {
        detector.push(n as u64 * 20, frame);
        if detector.speech_within_ms(500) >= OPENS_MS {
            first = first.or(Some(n as u64 * 20));
            opened += 1;
            detector = Detector::default();
        }
    }
    (opened, first)
}

fn at_level(pcm: &[f64], dbfs: f64) -> Vec<f64> {
    let gain = 10.0_f64.powf(dbfs / 20.0) / rms(pcm);
    pcm.iter().map(|x| x * gain).collect()
}

#[test]
fn speech_is_heard_at_every_level_after_any_noise_that_is_softer() {
    let speech = to_f64(&welcome()[..160_000]);
    for dbfs in [-20.0, -40.0, -55.0, -60.0, -65.0, -70.0] {
        for snr in [60.0, 20.0, 10.0] {
            let before = at_level(&pink(32_000, 3), dbfs - snr);
            let over = at_level(&pink(speech.len(), 4), dbfs - snr);
            let spoken = at_level(&speech, dbfs).into_iter().zip(over).map(|(s, n)| s + n);
            let all: Vec<f64> = before.iter().copied().chain(spoken).collect();
            let (_, first) = opens(&to_i16(&all));
            println!("{dbfs} dBFS, {snr} dB above the noise: opens after {first:?} ms");
            assert!(first.is_some_and(|ms| ms < 6_000), "{dbfs} dBFS, {snr} dB: {first:?}");
        }
    }
}

#[test]
fn speech_of_minus_seventy_dbfs_is_heard_over_noise_as_loud() {
    let speech = to_f64(&welcome()[..160_000]);
    let spoken = at_level(&speech, -70.0).into_iter().zip(at_level(&pink(speech.len(), 4), -70.0)).map(|(s, n)| s + n);
    let all: Vec<f64> = at_level(&pink(48_000, 3), -70.0).into_iter().chain(spoken).collect();
    let (_, first) = opens(&to_i16(&all));
    assert!(first.is_some_and(|ms| (3_000..8_000).contains(&ms)), "{first:?}");
}

#[test]
fn how_long_ago_a_voice_began_counts_its_short_pauses_and_not_what_was_before_a_long_one() {
    let speech = &welcome()[..160_000];
    let mut detector = Detector::default();
    detector.push(0, &[speech, &[0; 64_000], speech].concat());
    let since_ms = detector.speech_since_ms(3_000);
    assert!((8_500..=10_200).contains(&since_ms), "{since_ms}");
    assert!(detector.speech_since_ms(5_000) > 13_000);
}

#[test]
fn noise_alone_opens_seldom() {
    for (seed, dbfs) in [(1, -72.0), (2, -50.0), (3, -25.0)] {
        let (opened, _) = opens(&to_i16(&at_level(&pink(16_000 * 120, seed), dbfs)));
        println!("pink noise at {dbfs} dBFS: opens {opened} times in two minutes");
        assert!(opened <= 4, "{dbfs}: {opened}");
    }
}
