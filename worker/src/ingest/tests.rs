//! The receiver as a whole, over breaks and pauses.

use super::fragments::Start;
use super::receiver::{Notice, StreamReceiver};
use local_stack::kvs::mkv::{AudioTrack, Fragment, failure, head, tail};
use worker_core::input::{AudioFrame, AudioKind};
use worker_core::time::MediaInstant;

const BEGIN: i64 = 1_700_000_000_000;

fn track(codec: &'static str, rate: f64, channels: u64) -> AudioTrack {
    AudioTrack { codec, private: Vec::new(), rate, channels }
}

/// A fragment of one second of a tone in 16-bit PCM, 20 ms a frame.
fn tone(number: u64, producer_ms: i64, rate: u32, channels: u64) -> Vec<u8> {
    let per_frame = rate / 50;
    let frame = |n: u32| {
        let sample = |i: u32| ((f64::from(n * per_frame + i) / f64::from(rate) * 2_764.6).sin() * 9_000.0) as i16;
        let bytes = (0..per_frame).flat_map(|i| (0..channels).flat_map(move |_| sample(i).to_le_bytes())).collect();
        ((n * 20) as i16, bytes)
    };
    let fragment = Fragment { number, server_ms: producer_ms + 40, producer_ms, frames: (0..50).map(frame).collect() };
    head(&fragment, &track("A_PCM/INT/LIT", f64::from(rate), channels)).unwrap()
}

fn token(number: u64) -> Vec<u8> {
    tail(0, &number.to_string()).unwrap()
}

/// All that is heard, and that it joins.
fn hear(receiver: &mut StreamReceiver) -> Vec<AudioFrame> {
    let frames: Vec<AudioFrame> = std::iter::from_fn(|| receiver.poll(receiver.deadline()?)).collect();
    for pair in frames.windows(2) {
        assert!(pair[1].start_ms.abs_diff(pair[0].start_ms + pair[0].pcm.len() as u64 / 16) <= 1, "frames join");
    }
    frames
}

fn samples(frames: &[AudioFrame], kind: AudioKind) -> usize {
    frames.iter().filter(|f| f.kind == kind).map(|f| f.pcm.len()).sum()
}

#[test]
fn a_break_in_mid_fragment_costs_no_frame_and_doubles_none() {
    for cut in [1, 400, 20_000, 32_000] {
        let mut receiver = StreamReceiver::default();
        receiver.connected();
        receiver.push(&[tone(1, BEGIN, 16_000, 1), token(1)].concat(), MediaInstant(0));
        let second = [tone(2, BEGIN + 1_000, 16_000, 1), token(2)].concat();
        receiver.push(&second[..cut.min(second.len())], MediaInstant(1_000));
        assert_eq!(receiver.start(), Start::Token("1".into()));
        receiver.connected();
        receiver.push(&[second, tone(3, BEGIN + 2_000, 16_000, 1), token(3)].concat(), MediaInstant(2_500));
        assert_eq!(receiver.start(), Start::Token("3".into()));
        let frames = hear(&mut receiver);
        assert_eq!(
            (samples(&frames, AudioKind::Decoded), frames.len(), receiver.frames()),
            (48_000, 150, 150),
            "cut at {cut}"
        );
        // Phase-true over the break: the tone of each second begins at 0.
        let heard: Vec<i16> = frames.into_iter().flat_map(|f| f.pcm).collect();
        assert_eq!(heard[16_000..32_000], heard[..16_000]);
    }
}

#[test]
fn a_pause_of_the_producer_is_silence_in_media_time() {
    let mut receiver = StreamReceiver::default();
    receiver.connected();
    receiver.push(&tone(1, BEGIN, 16_000, 1), MediaInstant(0));
    receiver.push(&tone(2, BEGIN + 8_500, 16_000, 1), MediaInstant(8_500));
    let frames = hear(&mut receiver);
    assert_eq!(samples(&frames, AudioKind::Filled), 7_500 * 16);
    assert_eq!(receiver.media().media_ms, 9_500);
    assert!(frames.iter().all(|f| f.pcm.len() <= 16_000), "no frame is longer than a second");
}

#[test]
fn every_rate_and_any_channels_become_the_same_second() {
    for (rate, channels) in [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 2)] {
        let mut receiver = StreamReceiver::default();
        receiver.connected();
        for number in 0..5 {
            receiver.push(&tone(number + 1, BEGIN + number as i64 * 1_000, rate, channels), MediaInstant(0));
        }
        let frames = hear(&mut receiver);
        let ms = samples(&frames, AudioKind::Decoded) / 16;
        assert!((4_940..=5_000).contains(&ms), "{rate} Hz: {ms} ms");
        let heard: Vec<i16> = frames.into_iter().flat_map(|f| f.pcm).collect();
        let expected = |n: usize| ((n % 16_000) as f64 / 16_000.0 * 2_764.6).sin() * 9_000.0;
        let error = (4_000..60_000).map(|n| (f64::from(heard[n]) - expected(n)).powi(2)).sum::<f64>() / 56_000.0;
        assert!(error.sqrt() < 300.0, "{rate} Hz: it is not the tone at its time, off by {}", error.sqrt());
    }
}

#[test]
fn what_cannot_be_heard_is_told_once() {
    let fragment = Fragment { number: 1, server_ms: 0, producer_ms: BEGIN, frames: vec![(0, vec![0; 9])] };
    let mut receiver = StreamReceiver::default();
    receiver.connected();
    let aac = head(&fragment, &track("A_AAC", 48_000.0, 2)).unwrap();
    let Notice::NoAudio(why) = &receiver.push(&aac, MediaInstant(0))[0] else { panic!("no notice") };
    assert!(why.contains("AAC"), "{why}");
    assert_eq!(receiver.push(&aac, MediaInstant(0)), []);
    let error = receiver.push(&failure(4_500).unwrap(), MediaInstant(0));
    assert_eq!(error, [Notice::Error(4_500)]);
}

#[test]
fn aac_is_decoded() {
    // Three frames of AAC-LC silence, 16 kHz mono (as ffmpeg's and fdk's encoders write it), and their description.
    let silence = vec![0x01, 0x40, 0x20, 0x07];
    let frames = (0..3).map(|n| (n * 64, silence.clone())).collect();
    let fragment = Fragment { number: 1, server_ms: 0, producer_ms: BEGIN, frames };
    let aac = AudioTrack { private: vec![0x14, 0x08], ..track("A_AAC", 16_000.0, 1) };
    let mut receiver = StreamReceiver::default();
    receiver.connected();
    assert_eq!(receiver.push(&head(&fragment, &aac).unwrap(), MediaInstant(0)), []);
    assert_eq!(receiver.media().media_ms, 192);
}
