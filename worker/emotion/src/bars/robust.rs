use super::fixtures::welcome;
use super::noise::Chance;
use super::{events, gained};
use crate::{Analyzer, Config, Event, Origin, Quality, Reading};

fn is_finite(reading: &Reading) -> bool {
    let arousal = reading.arousal.map_or([0.0; 2], |a| [a.value, a.confidence]);
    let volume = reading.volume.map_or([0.0; 2], |v| [v.dbfs, v.relative_db]);
    let pitch = reading.pitch.map_or([0.0; 3], |p| [p.hz, p.relative_semitones, p.range_semitones]);
    let rate = reading.rate.map_or([0.0; 2], |r| [r.wpm.unwrap_or(0.0), r.syllables_per_second.unwrap_or(0.0)]);
    let rest = [reading.category_confidence, reading.intensity, reading.lufs.unwrap_or(0.0)];
    let shares = [arousal[0], arousal[1], rest[0], rest[1]];
    shares.iter().all(|x| (0.0..=1.0).contains(x))
        && [&arousal[..], &volume, &pitch, &rate, &rest].concat().iter().all(|x| x.is_finite())
}

fn is_sound(quality: &Quality) -> bool {
    let rest = [quality.snr_db.unwrap_or(0.0), quality.echo_db.unwrap_or(0.0)];
    (-96.0..=0.01).contains(&quality.dbfs)
        && (0.0..=1.0).contains(&quality.clipped_share)
        && rest.iter().all(|x| x.is_finite())
}

fn check(name: &str, pcm: &[i16]) {
    for event in events(pcm, 320, Config::default()) {
        match &event {
            Event::Second(reading) | Event::Segment { reading, .. } => assert!(is_finite(reading), "{name}: {event:?}"),
            Event::Quality(quality) => assert!(is_sound(quality), "{name}: {event:?}"),
        }
    }
}

#[test]
fn silence_dc_clipping_and_extremes_give_finite_numbers() {
    let mut chance = Chance(3);
    check("silence", &[0; 80_000]);
    check("one", &[1; 80_000]);
    check("dc", &[12_000; 80_000]);
    check("least", &[i16::MIN; 80_000]);
    check("most", &[i16::MAX; 80_000]);
    check("square", &(0..80_000).map(|n| if n / 50 % 2 == 0 { i16::MIN } else { i16::MAX }).collect::<Vec<_>>());
    check("nyquist", &(0..80_000).map(|n| if n % 2 == 0 { i16::MIN } else { i16::MAX }).collect::<Vec<_>>());
    check("noise", &(0..80_000).map(|_| (chance.even() * 32_767.0) as i16).collect::<Vec<_>>());
    check("click", &(0..80_000).map(|n| if n % 16_000 == 0 { i16::MAX } else { 0 }).collect::<Vec<_>>());
    check("clipped", &gained(&welcome()[..320_000], 30.0));
    check("whispering", &gained(&welcome()[..320_000], -70.0));
}

#[test]
fn dc_and_silence_are_not_speech_and_have_no_pitch() {
    for value in [0, 1, 12_000, i16::MIN, i16::MAX] {
        let frames = super::frames(&[value; 64_000]);
        assert!(frames[20..].iter().all(|f| f.f0 == 0.0 && !f.speech), "{value}");
    }
}

#[test]
fn strange_times_and_segments_do_no_harm() {
    let mut analyzer = Analyzer::new(Config::default());
    analyzer.segment(1, u64::MAX, 0);
    analyzer.word(5, 1);
    analyzer.push(u64::MAX / 32, &welcome()[..32_000], Origin::Received);
    analyzer.push(0, &welcome()[..32_000], Origin::Received);
    analyzer.push(u64::MAX, &[1; 320], Origin::Filled);
    (0..100).for_each(|n| analyzer.segment(n, n, n * 1_000_000));
    analyzer.flush();
    assert!(std::iter::from_fn(|| analyzer.poll()).count() > 100);
}
