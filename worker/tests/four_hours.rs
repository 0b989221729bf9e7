//! Four hours of RTP in seconds: media time follows the speaker's RTP clock through loss, pauses without packets, outages, reordering, wraps of both
//! counters, a speaker who comes back, a sound card that is fast or slow, and a clock that jumps. Nothing here waits.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod endless;

use bytes::Bytes;
use local_stack::network::Dice;
use proptest::prelude::*;
use worker::media::{AudioReceiver, RtpAudio};
use worker_core::time::MediaInstant;

const HOUR_MS: u64 = 3_600_000;
/// What the specification allows, ms.
const DRIFT_PER_HOUR_MS: f64 = 20.0;

/// How the speaker and the network are.
#[derive(Debug, Clone, Copy)]
struct World {
    seed: u64,
    minutes: u64,
    /// How much slower the speaker's sound card is than the wall clock, parts per million.
    slow_ppm: i64,
    loss: f64,
    /// Each packet is late by up to so much, ms.
    jitter_ms: u64,
    /// A packet is 20, 40 or 60 ms long.
    packet_ms: u64,
    /// Between two tabs of the speaker, or two jumps of his clock.
    stream_minutes: u64,
}

/// What the speaker sends, and when it arrives.
struct Speaker {
    world: World,
    dice: Dice,
    /// By the speaker's own clock since his first packet, ms.
    said_ms: u64,
    sequence: u16,
    ssrc: u32,
    /// RTP timestamp of the stream's begin, and the speaker's time then, ms.
    begin: (u32, u64),
    next_stream_ms: u64,
    on_the_way: Vec<(u64, RtpAudio)>,
}

impl Speaker {
    fn new(world: World) -> Self {
        let mut dice = Dice(world.seed);
        // Both counters wrap within the first minute.
        let begin = (u32::MAX - (dice.roll() * 2_000_000.0) as u32, 0);
        let sequence = u16::MAX - (dice.roll() * 2_000.0) as u16;
        let next_stream_ms = world.stream_minutes * 60_000;
        Self { world, dice, said_ms: 0, sequence, ssrc: 1, begin, next_stream_ms, on_the_way: Vec::new() }
    }

    /// The wall clock when the speaker's says this, ms.
    fn wall(&self, said_ms: u64) -> u64 {
        said_ms.saturating_add_signed(said_ms as i64 * self.world.slow_ppm / 1_000_000)
    }

    /// The packet that is said now, and what becomes of it.
    fn say(&mut self) {
        self.change_stream();
        // One frame of 20 ms, or two or three, without content: the decoder is not what is looked at here.
        let payload = match self.world.packet_ms {
            20 => endless::nothing(),
            ms => Bytes::copy_from_slice(&[endless::nothing()[0] | 3, (ms / 20) as u8]),
        };
        let timestamp = self.begin.0.wrapping_add(((self.said_ms - self.begin.1) * 48) as u32);
        let packet = RtpAudio { ssrc: self.ssrc, sequence: self.sequence, timestamp, red: false, payload };
        self.sequence = self.sequence.wrapping_add(1);
        let sent = self.wall(self.said_ms);
        self.said_ms += self.world.packet_ms;
        let lost = self.dice.roll() < self.world.loss || in_outage(sent);
        let copies = if lost { 0 } else { 1 + u64::from(self.dice.roll() < 0.01) };
        for _ in 0..copies {
            let late = (self.dice.roll() * self.world.jitter_ms as f64) as u64;
            self.on_the_way.push((sent + late, packet.clone()));
        }
        self.pause();
    }

    /// Says nothing now and then: no packet is sent, the sequence goes on without a gap, the timestamps do not.
    fn pause(&mut self) {
        if self.dice.roll() < 0.002 {
            let packets = 1 + (self.dice.roll() * 2_000.0) as u64 / self.world.packet_ms;
            self.said_ms += packets * self.world.packet_ms;
        }
    }

    /// Another tab, or the same one with another clock, after half a minute's absence.
    fn change_stream(&mut self) {
        if self.said_ms < self.next_stream_ms {
            return;
        }
        self.next_stream_ms += self.world.stream_minutes * 60_000;
        let jumps = self.dice.roll() < 0.3;
        if !jumps {
            self.said_ms += 30_000;
            self.ssrc += 1;
            self.sequence = (self.dice.roll() * 65_536.0) as u16;
        }
        self.begin = ((self.dice.roll() * f64::from(u32::MAX)) as u32, self.said_ms);
    }
}

/// Twelve seconds without network in every seventh minute.
fn in_outage(wall_ms: u64) -> bool {
    wall_ms % (7 * 60_000) > (7 * 60_000 - 12_000)
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    media_ms: u64,
    /// The most that media time and the RTP clock of one stream went apart since the stream began, ms.
    apart_ms: f64,
    streams: u64,
    looks: u64,
    lost: u64,
    /// How far the speaker's clock fell behind the wall clock, as the row of the session has it, ms.
    clock_drift_ms: f64,
    /// Media time at the end against the wall clock's, without what the sound card is slow, ms.
    behind_wall_ms: i64,
}

fn run(world: World) -> Found {
    let (mut speaker, mut receiver, mut found) = (Speaker::new(world), AudioReceiver::new().unwrap(), Found::default());
    let (mut samples, mut now, mut stream) = (0_u64, 0, None);
    while speaker.said_ms < world.minutes * 60_000 {
        speaker.say();
        let heard_until = speaker.wall(speaker.said_ms);
        // What arrives before the speaker's next word, in the order of arrival.
        speaker.on_the_way.sort_by_key(|(at, _)| *at);
        let here = speaker.on_the_way.partition_point(|(at, _)| *at < heard_until);
        let arrived: Vec<_> = speaker.on_the_way.drain(..here).collect();
        for (at, packet) in arrived {
            now = at.max(now);
            receiver.push(&packet, MediaInstant(now));
            while let Some(frame) = receiver.poll(MediaInstant(now)) {
                assert_eq!(frame.start_ms, samples / 16, "media time has neither a gap nor an overlap");
                samples += frame.pcm.len() as u64;
            }
            let waits = receiver.deadline().is_some();
            look(&mut found, &mut stream, &packet, (!waits).then_some(samples));
        }
        let mut due = receiver.deadline();
        while let Some(at) = due.filter(|at| at.0 < heard_until) {
            now = at.0.max(now);
            while let Some(frame) = receiver.poll(MediaInstant(now)) {
                assert_eq!(frame.start_ms, samples / 16, "media time has neither a gap nor an overlap");
                samples += frame.pcm.len() as u64;
            }
            due = receiver.deadline();
        }
    }
    let media = receiver.media();
    assert_eq!(media.media_ms, samples / 16);
    (found.media_ms, found.lost, found.clock_drift_ms) = (media.media_ms, media.lost, media.clock_drift_ms);
    found.behind_wall_ms = speaker.said_ms as i64 - media.media_ms as i64;
    found
}

/// One stream's clock as its packets tell it.
struct Clock {
    ssrc: u32,
    newest: u32,
    /// Since the first packet, ticks.
    ticks: u64,
    /// Samples of media time before the first packet.
    begin: Option<u64>,
    /// Where the clock was before it jumped: of packets that were sent before, some still come.
    before: Option<u32>,
}

/// When nothing waits, media time ends where the newest packet does, and both clocks can be compared.
fn look(found: &mut Found, stream: &mut Option<Clock>, packet: &RtpAudio, settled: Option<u64>) {
    let near = |other: u32| packet.timestamp.wrapping_sub(other).cast_signed().abs() < 48 * 60_000;
    if let Some(clock) = stream.as_ref() {
        let straggles = packet.ssrc == clock.ssrc && !near(clock.newest) && clock.before.is_some_and(near);
        if packet.ssrc < clock.ssrc || straggles {
            return;
        }
    }
    if !stream.as_ref().is_some_and(|clock| packet.ssrc == clock.ssrc && near(clock.newest)) {
        let before = stream.as_ref().filter(|clock| packet.ssrc == clock.ssrc).map(|clock| clock.newest);
        *stream = Some(Clock { ssrc: packet.ssrc, newest: packet.timestamp, ticks: 0, begin: None, before });
        found.streams += 1;
    }
    let Some(clock) = stream else { return };
    let step = packet.timestamp.wrapping_sub(clock.newest).cast_signed();
    if step > 0 {
        clock.ticks += u64::from(step.unsigned_abs());
        clock.newest = packet.timestamp;
    }
    let Some(samples) = settled else { return };
    let begin = *clock.begin.get_or_insert(samples - clock.ticks / 3);
    let rtp_ms = clock.ticks as f64 / 48.0;
    let apart = (rtp_ms - (samples - begin) as f64 / 16.0).abs();
    found.apart_ms = found.apart_ms.max(apart);
    found.looks += 1;
    assert!(
        apart <= DRIFT_PER_HOUR_MS * (rtp_ms / HOUR_MS as f64).min(1.0) + 0.01,
        "{apart} ms apart after {rtp_ms} ms"
    );
}

#[test]
fn four_hours_of_speech_end_where_the_speakers_clock_does() {
    let world =
        World { seed: 4, minutes: 240, slow_ppm: 80, loss: 0.03, jitter_ms: 25, packet_ms: 20, stream_minutes: 50 };
    let found = run(world);
    println!("{found:?}");
    assert!(found.streams >= 5 && found.lost > 15_000 && found.looks > 400_000, "{found:?}");
    assert!(found.behind_wall_ms.abs() <= 80, "as long as it was said, over all streams: {found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn media_time_never_runs_backwards_nor_away_from_the_rtp_clock(
        seed: u64,
        slow_ppm in -300_i64..300,
        loss in 0.0..0.3,
        jitter_ms in 0_u64..250,
        packets in 1_u64..=3,
        stream_minutes in 2_u64..8,
    ) {
        let world = World { seed, minutes: 10, slow_ppm, loss, jitter_ms, packet_ms: packets * 20, stream_minutes };
        let found = run(world);
        prop_assert!(found.streams >= 1 && found.looks > 0, "{found:?}");
    }
}
