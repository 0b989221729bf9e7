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
fn noise_alone_opens_seldom() {
    for (seed, dbfs) in [(1, -72.0), (2, -50.0), (3, -25.0)] {
        let (opened, _) = opens(&to_i16(&at_level(&pink(16_000 * 120, seed), dbfs)));
        println!("pink noise at {dbfs} dBFS: opens {opened} times in two minutes");
        assert!(opened <= 4, "{dbfs}: {opened}");
    }
}
