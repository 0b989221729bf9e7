//! Speech at 16 kHz, encoded as a browser does, carried through a simulated network at full speed, and heard by the worker's jitter buffer and decoder.
#![allow(clippy::unwrap_used, dead_code, reason = "each file that hears uses its part")]

use bytes::Bytes;
use local_stack::network::{Dice, Network};
use schemas::worker::Media;
use worker::media::{AudioReceiver, RtpAudio};
use worker_core::input::AudioKind;
use worker_core::time::MediaInstant;

/// Samples of a packet at 16 kHz.
const FRAME: usize = 320;

/// Speech at 16 kHz, from the sample in the repository.
pub fn speech() -> Vec<i16> {
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

/// One packet for each 20 ms, with FEC.
pub fn encode(speech: &[i16]) -> Vec<Bytes> {
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

/// The packets on their way, each with the one before as its copy when `red_on`.
pub fn send(packets: &[Bytes], red_on: bool) -> Vec<RtpAudio> {
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
pub fn carry(sent: &[RtpAudio], network: Network, seed: u64) -> (Vec<(u64, RtpAudio)>, u64) {
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

/// What came out.
pub struct Heard {
    pub pcm: Vec<i16>,
    pub concealed_ms: u64,
    pub media: Media,
}

/// Hears what arrives, at its times.
pub fn hear(arrivals: &[(u64, RtpAudio)]) -> Heard {
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
