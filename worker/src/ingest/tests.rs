//! The receiver as a whole, over breaks and pauses.

use super::fragments::Start;
use super::receiver::{Notice, StreamReceiver};
use local_stack::kvs::mkv::{AudioTrack, Fragment, failure, head, tail};
use worker_core::input::{AudioFrame, AudioKind};
use worker_core::time::MediaInstant;

const BEGIN: i64 = 1_700_000_000_000;

fn track(codec: &'static str, rate: f64, channels: u64) -> AudioTrack {
    AudioTrack { codec, private: Vec::new(), rate, channels, bits: 16 }
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

/// The sample in the repository: 16 kHz mono.
fn speech() -> Vec<i16> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/short.wav");
    hound::WavReader::open(path).unwrap().samples::<i16>().map(Result::unwrap).collect()
}

/// What is heard of these frames, which last so many milliseconds each.
fn decode(track: &AudioTrack, frames: &[Vec<u8>], length_ms: f64) -> Vec<i16> {
    let mut receiver = StreamReceiver::default();
    receiver.connected();
    let per_fragment = (2_000.0 / length_ms) as usize;
    for (n, part) in frames.chunks(per_fragment).enumerate() {
        let begin = (n * per_fragment) as f64 * length_ms;
        let at = |i: usize| ((n * per_fragment + i) as f64 * length_ms).round() as i64 - begin.round() as i64;
        let frames = part.iter().enumerate().map(|(i, frame)| (at(i) as i16, frame.clone())).collect();
        let producer_ms = BEGIN + begin.round() as i64;
        let fragment = Fragment { number: n as u64 + 1, server_ms: producer_ms, producer_ms, frames };
        assert_eq!(receiver.push(&head(&fragment, track).unwrap(), MediaInstant(0)), []);
    }
    let frames = hear(&mut receiver);
    assert_eq!(
        samples(&frames, AudioKind::Filled) + samples(&frames, AudioKind::Concealed),
        0,
        "no gap, nothing made up"
    );
    frames.into_iter().flat_map(|frame| frame.pcm).collect()
}

/// Correlation with the speech, at the delay at which it is best, and that delay in samples.
fn alike(heard: &[i16], speech: &[i16]) -> (f64, usize) {
    let dot = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let at = |delay: usize| {
        let (a, b) = (&heard[delay..], &speech[..speech.len().min(heard.len() - delay)]);
        let a = &a[..b.len()];
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    // Half a second tells where it is best.
    let part = |delay: usize| dot(&heard[8_000 + delay..16_000 + delay], &speech[8_000..16_000]);
    let best = (0..1_600).max_by(|a, b| part(*a).total_cmp(&part(*b))).unwrap();
    (at(best), best)
}

/// The frames of an ADTS file (ISO/IEC 13818-7): what Matroska holds is the same without the headers.
fn adts(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), file);
    while let [0xff, b1, _, b3, b4, b5, ..] = rest {
        assert_eq!(b1 & 0xf7, 0xf1, "a header of 7 bytes");
        let length = usize::from(b3 & 3) << 11 | usize::from(*b4) << 3 | usize::from(b5 >> 5);
        frames.push(rest[7..length].to_vec());
        rest = &rest[length..];
    }
    frames
}

#[test]
fn aac_sounds_like_what_was_said() {
    let mono = include_bytes!("../../tests/audio/short-16k-mono.aac").as_slice();
    let stereo = include_bytes!("../../tests/audio/short-48k-stereo.aac").as_slice();
    // The private data is the AudioSpecificConfig: AAC-LC, the rate's index, the channels; FFmpeg adds that there is no SBR.
    for (file, rate, channels, private) in
        [(mono, 16_000, 1, vec![0x14, 0x08, 0x56, 0xe5, 0x00]), (stereo, 48_000, 2, vec![0x11, 0x90])]
    {
        let aac = AudioTrack { private, ..track("A_AAC", f64::from(rate), channels) };
        let frames = adts(file);
        let heard = decode(&aac, &frames, 1_024_000.0 / f64::from(rate));
        assert!(
            heard.len().abs_diff(frames.len() * 1_024 * 16_000 / rate as usize) <= 1_600,
            "{rate} Hz: {} samples",
            heard.len()
        );
        let (alike, delay) = alike(&heard[..heard.len() - 3_200], &speech());
        println!("AAC {rate} Hz, {channels} channels: correlation {alike:.4} at {delay} samples");
        assert!(alike > 0.97, "{rate} Hz: {alike} at {delay}");
    }
}

#[test]
fn g711_has_the_noise_of_g711_and_no_more() {
    let speech = &speech()[..32_000];
    for (codec, format) in [(7_u16, mu_law as fn(i16) -> u8), (6, a_law)] {
        // WAVEFORMATEX: format, channels, rate, bytes per second, block, bits, size.
        let private = [
            &codec.to_le_bytes()[..],
            &[1, 0],
            &16_000_u32.to_le_bytes(),
            &16_000_u32.to_le_bytes(),
            &[1, 0, 8, 0, 0, 0],
        ]
        .concat();
        let acm = AudioTrack { private, ..track("A_MS/ACM", 16_000.0, 1) };
        let frames: Vec<Vec<u8>> =
            speech.chunks(320).map(|pcm| pcm.iter().map(|sample| format(*sample)).collect()).collect();
        let heard = decode(&acm, &frames, 20.0);
        assert_eq!(heard.len(), speech.len());
        let power = |part: &mut dyn Iterator<Item = f64>| part.map(|x| x * x).sum::<f64>();
        let noise = power(&mut heard.iter().zip(speech).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let snr = 10.0 * (power(&mut speech.iter().map(|s| f64::from(*s))) / noise).log10();
        println!("G.711 format {codec}: {snr:.1} dB");
        assert!((30.0..45.0).contains(&snr), "G.711 gives speech some 38 dB: {snr}");
    }
}

/// G.711, section 3.2 (ITU-T): the encoders are the test's own.
fn mu_law(sample: i16) -> u8 {
    let size = (i32::from(sample).abs().min(32_635)) + 132;
    let exponent = 31 - size.leading_zeros() as i32 - 7;
    let mantissa = (size >> (exponent + 3)) & 15;
    !((if sample < 0 { 0x80 } else { 0 } | exponent << 4 | mantissa) as u8)
}

fn a_law(sample: i16) -> u8 {
    let size = if sample < 0 { !i32::from(sample) } else { i32::from(sample) };
    let exponent = if size < 256 { 0 } else { 31 - size.leading_zeros() as i32 - 7 };
    let mantissa = if exponent == 0 { size >> 4 } else { size >> (exponent + 3) } & 15;
    (if sample < 0 { 0 } else { 0x80 } | exponent << 4 | mantissa) as u8 ^ 0x55
}

#[test]
fn pcm_of_every_width_is_the_same_speech() {
    let speech = &speech()[..16_000];
    for bits in [8_u64, 16, 24, 32] {
        let wide = |sample: i16| match bits {
            8 => vec![((sample >> 8) + 128) as u8],
            16 => sample.to_le_bytes().to_vec(),
            _ => (i32::from(sample) << 16).to_le_bytes()[4 - bits as usize / 8..].to_vec(),
        };
        let frames: Vec<Vec<u8>> = speech.chunks(320).map(|pcm| pcm.iter().flat_map(|s| wide(*s)).collect()).collect();
        let heard = decode(&AudioTrack { bits, ..track("A_PCM/INT/LIT", 16_000.0, 1) }, &frames, 20.0);
        let worst = heard.iter().zip(speech).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(heard.len() == speech.len() && worst <= if bits == 8 { 255 } else { 0 }, "{bits} bits: off by {worst}");
    }
}

/// A fragment of two seconds; `says` is what its samples are about.
fn says(number: u64, producer_ms: i64, says: i16) -> Vec<u8> {
    let frame = |n: i16| (n * 20, (0..320).flat_map(|i| (says * 100 + n + i).to_le_bytes()).collect());
    let fragment = Fragment { number, server_ms: producer_ms + 40, producer_ms, frames: (0..100).map(frame).collect() };
    head(&fragment, &track("A_PCM/INT/LIT", 16_000.0, 1)).unwrap()
}

/// What is heard of fragments with these times and words: (milliseconds, of these silence).
fn heard_of(fragments: &[(i64, i16)]) -> (usize, usize) {
    let mut receiver = StreamReceiver::default();
    receiver.connected();
    for (number, (producer_ms, words)) in (1..).zip(fragments) {
        receiver.push(&says(number, *producer_ms, *words), MediaInstant(0));
    }
    let frames = hear(&mut receiver);
    (frames.iter().map(|f| f.pcm.len()).sum::<usize>() / 16, samples(&frames, AudioKind::Filled) / 16)
}

#[test]
fn a_fragment_that_the_producer_sends_again_under_a_new_number_is_heard_once() {
    assert_eq!(heard_of(&[(BEGIN, 1), (BEGIN + 2_000, 2), (BEGIN + 2_000, 2), (BEGIN + 4_000, 4)]), (6_000, 0));
    // A producer that lost its connection goes back by several fragments, and may not have sent one of them before.
    let back = [(BEGIN, 1), (BEGIN + 2_000, 2), (BEGIN, 1), (BEGIN + 2_000, 2), (BEGIN + 4_000, 4)];
    assert_eq!(heard_of(&back), (6_000, 0));
}

#[test]
fn a_producer_whose_clock_goes_back_to_times_that_were_heard_says_something_new_and_is_heard() {
    // It began at 0 and begins anew at 0.
    assert_eq!(heard_of(&[(0, 1), (2_000, 2), (0, 3), (2_000, 4)]), (8_000, 0));
    // Its clock is put back by three seconds.
    assert_eq!(heard_of(&[(BEGIN, 1), (BEGIN + 2_000, 2), (BEGIN + 1_000, 3), (BEGIN + 3_000, 4)]), (8_000, 0));
}

/// A fragment of these frames, each with its time within the fragment and its bytes.
fn fragment(number: u64, producer_ms: i64, frames: Vec<(i16, Vec<u8>)>) -> Vec<u8> {
    let fragment = Fragment { number, server_ms: producer_ms + 40, producer_ms, frames };
    head(&fragment, &track("A_PCM/INT/LIT", 16_000.0, 1)).unwrap()
}

/// So many frames of 20 ms; `share` of them have one time, as the frames of a block have. `says(n)` are the samples of a frame.
fn frames(count: i16, share: i16, says: impl Fn(i16) -> i16) -> Vec<(i16, Vec<u8>)> {
    let frame = |n: i16| (n / share * share * 20, (0..320).flat_map(|_| says(n).to_le_bytes()).collect());
    (0..count).map(frame).collect()
}

/// What is heard of these fragments, ms, and its samples.
fn hear_all(fragments: &[Vec<u8>]) -> (usize, Vec<i16>) {
    let mut receiver = StreamReceiver::default();
    receiver.connected();
    fragments.iter().for_each(|fragment| drop(receiver.push(fragment, MediaInstant(0))));
    let heard: Vec<i16> = hear(&mut receiver).into_iter().flat_map(|frame| frame.pcm).collect();
    (heard.len() / 16, heard)
}

#[test]
fn a_fragment_that_comes_again_with_times_that_are_off_by_a_millisecond_is_heard_once() {
    for off_ms in [-2, -1, 1, 2] {
        let again = BEGIN + 2_000 + off_ms;
        assert_eq!(
            heard_of(&[(BEGIN, 1), (BEGIN + 2_000, 2), (BEGIN + 4_000, 3), (again, 2), (BEGIN + 6_000, 4)]).0,
            8_000
        );
    }
}

#[test]
fn frames_of_one_block_that_share_a_time_are_heard_once_when_they_come_again() {
    let said = |number, producer_ms, from: i16| fragment(number, producer_ms, frames(100, 4, |n| from + n));
    let sent = [
        said(1, BEGIN, 0),
        said(2, BEGIN + 2_000, 100),
        said(3, BEGIN, 0),
        said(4, BEGIN + 2_000, 100),
        said(5, BEGIN + 4_000, 200),
    ];
    let (ms, heard) = hear_all(&sent);
    assert_eq!(ms, 6_000);
    assert!(heard.iter().step_by(320).copied().eq(0..300), "each frame once, in order");
}

#[test]
fn the_same_silence_in_one_block_is_as_long_as_it_is() {
    assert_eq!(hear_all(&[fragment(1, BEGIN, frames(100, 4, |_| 0))]).0, 2_000);
}

#[test]
fn a_clock_that_begins_anew_at_zero_with_the_same_digital_silence_does_not_stop_media_time() {
    let silence = |number, producer_ms| fragment(number, producer_ms, frames(100, 1, |_| 0));
    let sent: Vec<_> = [(1, 0), (2, 2_000), (3, 4_000), (4, 0), (5, 2_000), (6, 4_000), (7, 6_000)]
        .map(|(n, at)| silence(n, at))
        .into();
    assert_eq!(hear_all(&sent).0, 14_000);
    // Somebody speaks then.
    let speaks = fragment(5, 2_000, frames(100, 1, |n| 1_000 + n));
    let (ms, heard) = hear_all(&[silence(1, 0), silence(2, 2_000), silence(3, 4_000), silence(4, 0), speaks]);
    assert_eq!(ms, 10_000);
    assert!(heard[8_000 * 16..].iter().step_by(320).copied().eq(1_000..1_100));
}

#[test]
fn a_repeat_that_begins_with_digital_silence_doubles_no_word() {
    let silence = |number, producer_ms| fragment(number, producer_ms, frames(100, 1, |_| 0));
    let speaks = |number, producer_ms, from: i16| fragment(number, producer_ms, frames(100, 1, |n| from + n));
    let sent = [
        silence(1, BEGIN),
        speaks(2, BEGIN + 2_000, 1),
        silence(3, BEGIN),
        speaks(4, BEGIN + 2_000, 1),
        speaks(5, BEGIN + 4_000, 101),
    ];
    let words: Vec<i16> = hear_all(&sent).1.into_iter().step_by(320).filter(|sample| *sample != 0).collect();
    assert!(words.iter().copied().eq(1..201), "{words:?}");
}
