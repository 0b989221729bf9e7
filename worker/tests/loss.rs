//! Speech through a network that loses, delays, reorders and doubles, at full speed and from a seed: what comes out is as long as what went in,
//! sounds like it, and what was made up is reported. `cargo test -p worker --release --test loss -- --ignored --nocapture` prints the table of docs/benchmarks.md.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use bytes::Bytes;
use local_stack::network::{Dice, Network};
use schemas::worker::Media;
use worker::media::{AudioReceiver, RtpAudio};
use worker_core::input::AudioKind;
use worker_core::time::MediaInstant;

/// Samples of a packet at 16 kHz.
const FRAME: usize = 320;

/// Speech at 16 kHz, from the sample in the repository.
fn speech() -> Vec<i16> {
    let wav = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/welcome.wav")).unwrap();
    let rate = u32::from_le_bytes(wav[24..28].try_into().unwrap()) as usize;
    let pcm: Vec<f64> = wav[44..].chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect();
    let length = pcm.len() * 16_000 / rate;
    let at = |n: usize| {
        let position = n as f64 * rate as f64 / 16_000.0;
        let (left, part) = (position as usize, position.fract());
        pcm[left] * (1.0 - part) + pcm.get(left + 1).unwrap_or(&0.0) * part
    };
    let mut speech: Vec<i16> = (0..length).map(|n| at(n) as i16).collect();
    speech.truncate(speech.len() / FRAME * FRAME);
    speech
}

fn encode(speech: &[i16]) -> Vec<Bytes> {
    let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(15).unwrap();
    speech.chunks_exact(FRAME).map(|pcm| Bytes::from(encoder.encode_vec(pcm, 1_200).unwrap())).collect()
}

/// A RED packet with the packet before as its copy (RFC 2198), as Chromium makes it.
fn red(before: &Bytes, primary: &Bytes) -> Bytes {
    let length = before.len();
    let header = [0x80 | 111, (960 >> 6) as u8, ((960 & 0x3f) << 2) as u8 | (length >> 8) as u8, length as u8, 111];
    [&header[..], &before[..], &primary[..]].concat().into()
}

fn send(packets: &[Bytes], red_on: bool) -> Vec<RtpAudio> {
    let packet = |(n, payload): (usize, &Bytes)| RtpAudio {
        ssrc: 7,
        sequence: 65_000_u16.wrapping_add(n as u16),
        timestamp: (u32::MAX - 48_000).wrapping_add(n as u32 * 960),
        red: red_on && n > 0,
        payload: if red_on && n > 0 { red(&packets[n - 1], payload) } else { payload.clone() },
    };
    packets.iter().enumerate().map(packet).collect()
}

/// When each packet arrives, in order of arrival; and how many were dropped.
fn carry(sent: &[RtpAudio], network: Network, seed: u64) -> (Vec<(u64, RtpAudio)>, u64) {
    let (mut dice, mut arrivals, mut dropped, mut burst) = (Dice(seed), Vec::new(), 0, 0_u32);
    for (n, packet) in sent.iter().enumerate() {
        // The first and the last packet come, so that the length of the stream is known.
        if network.loses(&mut dice, &mut burst) && n > 0 && n + 5 < sent.len() {
            dropped += 1;
            continue;
        }
        let delay = |dice: &mut Dice| network.late_ms(dice) as u64;
        let begin = n as u64 * 20 + 30;
        let late = if n == 0 { 0 } else { delay(&mut dice) };
        arrivals.push((begin + late, packet.clone()));
        if dice.roll() < network.doubled {
            arrivals.push((begin + late + delay(&mut dice), packet.clone()));
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    (arrivals, dropped)
}

struct Heard {
    pcm: Vec<i16>,
    concealed_ms: u64,
    media: Media,
}

fn hear(arrivals: &[(u64, RtpAudio)]) -> Heard {
    let mut receiver = AudioReceiver::new().unwrap();
    let (mut pcm, mut concealed) = (Vec::new(), 0);
    let mut take = |receiver: &mut AudioReceiver, at: u64| {
        while let Some(frame) = receiver.poll(MediaInstant(at)) {
            assert_eq!(frame.start_ms, pcm.len() as u64 / 16, "frames join");
            concealed += if frame.kind == AudioKind::Decoded { 0 } else { frame.pcm.len() as u64 };
            pcm.extend(frame.pcm);
        }
    };
    for (at, packet) in arrivals {
        while let Some(deadline) = receiver.deadline().filter(|deadline| deadline.0 < *at) {
            take(&mut receiver, deadline.0);
            if receiver.deadline() == Some(deadline) {
                break;
            }
        }
        receiver.push(packet, MediaInstant(*at));
        take(&mut receiver, *at);
    }
    take(&mut receiver, arrivals.last().unwrap().0 + 1_000);
    let media = receiver.media();
    Heard { pcm, concealed_ms: concealed / 16, media }
}

/// Pearson correlation of what was heard with what was said, at the codec's delay.
fn correlation(said: &[i16], heard: &[i16]) -> f64 {
    let at = |delay: usize| {
        let pairs = said.iter().take(10 * 16_000).zip(&heard[delay..]).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let (xy, xx, yy) = pairs.fold((0.0, 0.0, 0.0), |(xy, xx, yy), (a, b)| (xy + a * b, xx + a * a, yy + b * b));
        xy / f64::sqrt(xx * yy)
    };
    (0..200).step_by(2).map(at).fold(0.0, f64::max)
}

struct Row {
    heard: Heard,
    dropped: u64,
    correlation: f64,
}

/// With RED or with Opus alone.
fn run(speech: &[i16], packets: &[Bytes], (network, red): (Network, bool), seed: u64) -> Row {
    let (arrivals, dropped) = carry(&send(packets, red), network, seed);
    let heard = hear(&arrivals);
    let (said_ms, heard_ms) = (speech.len() as i64 / 16, heard.pcm.len() as i64 / 16);
    assert!((said_ms - heard_ms).abs() <= 20, "{said_ms} ms were said, {heard_ms} ms were heard");
    assert_eq!(heard.media.media_ms, heard_ms as u64);
    assert_eq!(heard.media.concealed_ms, heard.concealed_ms, "what was made up is reported");
    let correlation = correlation(speech, &heard.pcm);
    Row { heard, dropped, correlation }
}

/// So much is enough for a test; the table takes all.
fn begin(speech: &[i16]) -> &[i16] {
    &speech[..speech.len().min(10 * 16_000)]
}

#[test]
fn without_loss_nothing_is_made_up() {
    let speech = speech();
    let speech = begin(&speech);
    let row = run(speech, &encode(speech), (Network::default(), false), 1);
    assert_eq!((row.heard.media.lost, row.heard.concealed_ms), (0, 0));
    assert!(row.correlation > 0.85, "{}", row.correlation);
}

#[test]
fn loss_is_counted_as_it_was_and_red_hides_nearly_all_of_it() {
    let speech = speech();
    let speech = begin(&speech);
    let packets = encode(speech);
    for (loss, seed) in [(0.05, 2), (0.1, 3), (0.2, 4)] {
        let fec = run(speech, &packets, (Network { loss, burst: 1, ..Network::default() }, false), seed);
        let red = run(speech, &packets, (Network { loss, burst: 1, ..Network::default() }, true), seed);
        for row in [&fec, &red] {
            let media = &row.heard.media;
            assert_eq!(media.lost, row.dropped);
            assert_eq!(media.fec_recovered + media.red_recovered + media.concealed_ms / 20, row.dropped);
        }
        let share = |row: &Row| row.heard.concealed_ms as f64 / (row.heard.pcm.len() as f64 / 16.0);
        assert!(share(&fec) < loss * 0.6, "{}", share(&fec));
        assert!(share(&red) < loss * loss * 1.5, "{}", share(&red));
        assert!(red.correlation > 0.8, "{}", red.correlation);
    }
}

#[test]
fn bursts_jitter_and_duplicates_leave_the_length_exact() {
    let speech = speech();
    let speech = begin(&speech);
    let packets = encode(speech);
    let burst = run(speech, &packets, (Network { loss: 0.1, burst: 3, ..Network::default() }, true), 5);
    assert_eq!(burst.heard.media.lost, burst.dropped);
    // 15 ms reorder nothing; 50 ms reorder up to three packets, within the hold; 200 ms are more than the hold allows.
    for (jitter_ms, most_share) in [(15.0, 0.0), (50.0, 0.02), (200.0, 0.7)] {
        let row = run(speech, &packets, (Network { jitter_ms, doubled: 0.1, ..Network::default() }, true), 6);
        let share = row.heard.concealed_ms as f64 * 16.0 / row.heard.pcm.len() as f64;
        assert!(share <= most_share, "{jitter_ms} ms: {share} {:?}", row.heard.media);
        assert!(row.heard.media.duplicates + row.heard.media.late > 0);
    }
}

#[test]
#[ignore = "prints the table of docs/benchmarks.md"]
#[allow(clippy::print_stdout, reason = "it prints a table")]
fn table() {
    let speech = speech();
    let packets = encode(&speech);
    println!(
        "| network | dropped | RED | FEC | made up | share | correlation | mean wait |\n|---|---|---|---|---|---|---|---|"
    );
    let loss = |loss, burst, red| (Network { loss, burst, ..Network::default() }, red);
    let jitter = |jitter_ms, red| (Network { jitter_ms, doubled: 0.1, ..Network::default() }, red);
    let cases = [
        ("no loss", loss(0.0, 1, false)),
        ("5 %, Opus", loss(0.05, 1, false)),
        ("5 %, RED", loss(0.05, 1, true)),
        ("10 %, Opus", loss(0.1, 1, false)),
        ("10 %, RED", loss(0.1, 1, true)),
        ("20 %, Opus", loss(0.2, 1, false)),
        ("20 %, RED", loss(0.2, 1, true)),
        ("10 % in bursts of 3, Opus", loss(0.1, 3, false)),
        ("10 % in bursts of 3, RED", loss(0.1, 3, true)),
        ("20 % in bursts of 3, RED", loss(0.2, 3, true)),
        ("jitter 50 ms, 10 % doubled, RED", jitter(50.0, true)),
        ("jitter 200 ms, 10 % doubled, Opus", jitter(200.0, false)),
        ("jitter 200 ms, 10 % doubled, RED", jitter(200.0, true)),
    ];
    for (name, network) in cases {
        let Row { heard, dropped, correlation } = run(&speech, &packets, network, 42);
        let share = heard.concealed_ms as f64 * 1_600.0 / heard.pcm.len() as f64;
        let Media { red_recovered, fec_recovered, buffer_ms, .. } = heard.media;
        println!(
            "| {name} | {dropped} | {red_recovered} | {fec_recovered} | {} ms | {share:.2} % | {correlation:.3} | {buffer_ms:.0} ms |",
            heard.concealed_ms
        );
    }
}
