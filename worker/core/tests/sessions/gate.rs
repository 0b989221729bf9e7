//! What opens a stream that was closed in a silence: speech at any level, and now and then any sound.

use crate::world::{Talk, World, with_voice};
use worker_core::EngineConfig;
use worker_core::config::EmotionMode;

/// The sample's speech, brought to this level (RMS), dBFS.
fn speech(dbfs: f64) -> Vec<i16> {
    let wav = include_bytes!("../../../../samples/short.wav");
    let pcm: Vec<f64> = wav[44..].chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect();
    to_level(&pcm, dbfs)
}

/// Noise that is the same each time, at this level.
fn noise(seconds: usize, dbfs: f64) -> Vec<i16> {
    let mut state = 1_u64;
    let mut even = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    let mut before = 0.0;
    let pcm: Vec<f64> = (0..seconds * 16_000)
        .map(|_| {
            before = before * 0.9 + even();
            before
        })
        .collect();
    to_level(&pcm, dbfs)
}

fn to_level(pcm: &[f64], dbfs: f64) -> Vec<i16> {
    let rms = (pcm.iter().map(|x| x * x).sum::<f64>() / pcm.len() as f64).sqrt();
    let gain = 32_768.0 * 10.0_f64.powf(dbfs / 20.0) / rms;
    pcm.iter().map(|x| (x * gain) as i16).collect()
}

/// A session whose speaker is heard so; the recogniser takes all of it and says nothing.
fn heard(parts: &[Vec<i16>]) -> World {
    let config = EngineConfig { emotion: EmotionMode::Off, audio_quality: false, ..with_voice() };
    let voice = parts.concat();
    let end = voice.len() as u64 / 16;
    let mut world = World::with(config, Talk { voice: Some(voice), ..Talk::default() });
    world.recogniser.mute = Some((0, u64::MAX));
    world.listener("ann", "en");
    world.run_until(end);
    world
}

/// When streams were opened, s after the begin of audio.
fn opened_s(world: &World) -> Vec<u64> {
    world.recogniser.opened.iter().map(|(at, _)| (at - world.begin_of_audio()) / 1_000).collect()
}

#[test]
fn speech_so_soft_that_no_level_tells_it_from_a_room_opens_the_stream_within_its_first_sentence() {
    for dbfs in [-70.0, -65.0, -55.0] {
        let world = heard(&[speech(-20.0), noise(45, dbfs - 7.0), speech(dbfs)]);
        let begin = (speech(dbfs).len() / 16_000) as u64 + 45;
        let opened = opened_s(&world);
        assert!(opened.iter().any(|at| (begin..begin + 4).contains(at)), "{dbfs} dBFS from {begin} s on: {opened:?}");
    }
}

#[test]
fn noise_is_tried_once_a_minute_and_never_paid_for_without_end() {
    for dbfs in [-75.0, -50.0] {
        let world = heard(&[speech(-20.0), noise(600, dbfs)]);
        let paid_s = world.recogniser.heard_ms / 1_000;
        let opened = opened_s(&world);
        assert!((6..=14).contains(&opened.len()), "{dbfs} dBFS: {opened:?}");
        assert!(paid_s < 44 + 600 / 3, "{dbfs} dBFS: {paid_s} s of ten minutes are paid for");
        let status = &world.writes.last().unwrap().1.status;
        let unheard_s = status.progress.unheard_since.map(|since| status.heartbeat_at.since(since) / 1_000);
        assert!(unheard_s.is_some_and(|s| (500..600).contains(&s)), "{dbfs} dBFS: told for {unheard_s:?} s");
    }
}

#[test]
fn digital_silence_is_never_tried() {
    let world = heard(&[speech(-20.0), vec![0; 300 * 16_000]]);
    assert!(opened_s(&world).iter().all(|at| *at < 20), "{:?}", opened_s(&world));
    assert_eq!(world.writes.last().unwrap().1.status.progress.unheard_since, None);
}
