//! What the jitter buffer promises.

use super::*;
use proptest::prelude::*;

const TICKS: i64 = 960;

/// A 20 ms packet (SILK, no FEC) that names itself; `n` counts from the begin of the stream.
fn packet(n: u32) -> RtpAudio {
    let payload = Bytes::from(vec![1 << 3, 0, (n >> 8) as u8, n as u8]);
    RtpAudio {
        ssrc: 7,
        sequence: 65_500_u16.wrapping_add(n as u16),
        timestamp: (u32::MAX - 20_000).wrapping_add(n * 960),
        red: false,
        payload,
    }
}

/// The same with a copy of the frame before it.
fn packet_with_fec(n: u32) -> RtpAudio {
    let mut packet = packet(n);
    packet.payload = Bytes::from(vec![1 << 3, 0x40, (n >> 8) as u8, n as u8]);
    packet
}

/// A RED packet with a copy of packet `n - 1`.
fn red(n: u32) -> RtpAudio {
    let before = packet(n - 1).payload;
    let mut packet = packet(n);
    let mut bytes = vec![0x80 | 111, (960 >> 6) as u8, ((960 & 0x3f) << 2) as u8, before.len() as u8, 111];
    bytes.extend_from_slice(&before);
    bytes.extend_from_slice(&packet.payload);
    packet.red = true;
    packet.payload = Bytes::from(bytes);
    packet
}

fn names(playouts: &[Playout]) -> Vec<String> {
    playouts
        .iter()
        .map(|p| match p {
            Playout::Packet(b) => format!("{}", u32::from(b[2]) << 8 | u32::from(b[3])),
            Playout::Fec { carrier, .. } => format!("fec({})", carrier[3]),
            Playout::Conceal(t) => format!("conceal {}", t / TICKS_PER_MS),
            Playout::Silence(t) => format!("silence {}", t / TICKS_PER_MS),
            Playout::NewStream { elapsed_ms } => format!("new {elapsed_ms}"),
        })
        .collect()
}

fn play(buffer: &mut JitterBuffer, now: u64) -> Vec<String> {
    let playouts: Vec<_> = std::iter::from_fn(|| buffer.next(MediaInstant(now))).collect();
    names(&playouts)
}

fn buffer_with(packets: impl IntoIterator<Item = (RtpAudio, u64)>) -> JitterBuffer {
    let mut buffer = JitterBuffer::default();
    for (n, (packet, now)) in packets.into_iter().enumerate() {
        buffer.push(&packet, MediaInstant(now));
        if n == 0 {
            // The first packet is played as it comes.
            let first = buffer.next(MediaInstant(now));
            assert_eq!(names(first.as_slice()), ["0"]);
        }
    }
    buffer
}

#[test]
fn packets_in_order_do_not_wait() {
    let mut buffer = JitterBuffer::default();
    for n in 0..200 {
        buffer.push(&packet(n), MediaInstant(u64::from(n) * 20));
        assert_eq!(play(&mut buffer, u64::from(n) * 20), [n.to_string()], "through both wraps");
    }
    assert_eq!(buffer.counts().lost, 0);
}

#[test]
fn packets_that_overtake_each_other_are_put_in_order() {
    let mut buffer = buffer_with([(packet(0), 0), (packet(2), 40)]);
    assert!(play(&mut buffer, 40).is_empty(), "1 may still come");
    assert_eq!(buffer.deadline(), Some(MediaInstant(60)));
    buffer.push(&packet(1), MediaInstant(45));
    assert_eq!(play(&mut buffer, 45), ["1", "2"]);
    assert_eq!(buffer.counts().lost, 0);
}

#[test]
fn a_path_without_jitter_is_not_waited_for_long_and_one_with_late_packets_is() {
    let mut buffer = buffer_with([(packet(0), 0), (packet(2), 40)]);
    assert!(play(&mut buffer, 59).is_empty());
    assert_eq!(play(&mut buffer, 60), ["conceal 20", "2"]);
    buffer.push(&packet(1), MediaInstant(70));
    buffer.push(&packet(4), MediaInstant(80));
    assert!(play(&mut buffer, 229).is_empty(), "a packet came late: the hold is at its longest");
    assert_eq!(play(&mut buffer, 230), ["conceal 20", "4"]);
}

#[test]
fn without_copies_a_late_packet_is_waited_for_up_to_150_ms_and_with_copies_60_as_before() {
    // 1 comes too late, so the hold is at its longest; then 11 comes 130 ms after the packet behind it.
    let mut plain = buffer_with([(packet(0), 0), (packet(2), 40)]);
    assert_eq!(play(&mut plain, 60), ["conceal 20", "2"]);
    for n in [1, 3, 4, 5, 6, 7, 8, 9, 10, 12] {
        plain.push(&packet(n), MediaInstant(70 + u64::from(n) * 20));
        let _ = play(&mut plain, 70 + u64::from(n) * 20);
    }
    assert_eq!(plain.deadline(), Some(MediaInstant(310 + PLAIN_HOLD_MS)));
    assert!(play(&mut plain, 439).is_empty(), "11 may still come");
    plain.push(&packet(11), MediaInstant(440));
    assert_eq!(play(&mut plain, 440), ["11", "12"]);
    // The same with RED; 10 and 11 are gone, and the copy in 12 stands for 11 only.
    let mut copies = buffer_with([(packet(0), 0), (red(3), 60)]);
    assert_eq!(play(&mut copies, 80), ["conceal 20", "2", "3"]);
    for n in [1, 4, 5, 6, 7, 8, 9, 12] {
        copies.push(&if n == 1 { packet(n) } else { red(n) }, MediaInstant(70 + u64::from(n) * 20));
        let _ = play(&mut copies, 70 + u64::from(n) * 20);
    }
    assert_eq!(copies.deadline(), Some(MediaInstant(310 + HOLD_MS)), "the delay has not grown");
    assert_eq!(play(&mut copies, 310 + HOLD_MS), ["conceal 20", "11", "12"]);
}

#[test]
fn a_sender_that_gives_up_red_is_waited_for_as_one_that_never_had_it() {
    let mut buffer =
        buffer_with((0..200).map(|n| (if (1..50).contains(&n) { red(n) } else { packet(n) }, u64::from(n) * 20)));
    // One packet came too late, so that the longest hold counts.
    play(&mut buffer, 4_000);
    buffer.push(&packet(202), MediaInstant(4_040));
    play(&mut buffer, 4_100);
    buffer.push(&packet(201), MediaInstant(4_110));
    buffer.push(&packet(204), MediaInstant(4_120));
    assert_eq!(buffer.deadline(), Some(MediaInstant(4_120 + PLAIN_HOLD_MS)));
    buffer.push(&red(205), MediaInstant(4_125));
    assert_eq!(buffer.deadline(), Some(MediaInstant(4_120 + HOLD_MS)), "and one that begins with it, as such");
}

#[test]
fn a_path_without_jitter_is_held_for_20_ms_without_copies_too() {
    let mut buffer = buffer_with([(packet(0), 0)]);
    for n in (1..200).filter(|n| n % 10 != 5) {
        buffer.push(&packet(n), MediaInstant(u64::from(n) * 20));
        assert!(buffer.deadline().is_none_or(|at| at.0 <= u64::from(n) * 20 + LEAST_HOLD_MS), "{n}");
        let _ = play(&mut buffer, u64::from(n) * 20);
        let _ = buffer.deadline().map(|at| play(&mut buffer, at.0));
    }
    assert_eq!((buffer.counts().lost, buffer.counts().late), (20, 0));
}

#[test]
fn a_packet_that_does_not_come_is_concealed_after_the_hold() {
    let mut buffer = buffer_with([(packet(0), 0), (packet(2), 40)]);
    assert!(play(&mut buffer, 59).is_empty());
    assert_eq!(play(&mut buffer, 100), ["conceal 20", "2"]);
    buffer.push(&packet(1), MediaInstant(110));
    assert!(play(&mut buffer, 110).is_empty(), "its time is over");
    assert_eq!((buffer.counts().lost, buffer.counts().late), (1, 1));
}

#[test]
fn the_last_of_several_lost_packets_is_taken_from_the_copy_in_the_next() {
    let mut buffer = buffer_with([(packet(0), 0), (packet_with_fec(3), 60)]);
    assert_eq!(play(&mut buffer, 120), ["conceal 20", "fec(3)", "3"]);
    assert_eq!(buffer.counts().lost, 2);
}

#[test]
fn a_red_copy_takes_the_place_of_a_lost_packet_without_waiting() {
    let mut buffer = buffer_with([(packet(0), 0), (red(2), 40)]);
    assert_eq!(play(&mut buffer, 40), ["1", "2"]);
    assert_eq!((buffer.counts().lost, buffer.counts().recovered), (1, 1));
    buffer.push(&red(3), MediaInstant(60));
    assert_eq!(play(&mut buffer, 60), ["3"], "a copy of what was played is not played again");
    assert_eq!(buffer.counts().late, 0);
}

#[test]
fn a_packet_that_comes_twice_is_played_once() {
    let mut buffer = buffer_with([(packet(0), 0), (packet(2), 40), (packet(2), 41), (packet(1), 42)]);
    assert_eq!(play(&mut buffer, 42), ["1", "2"]);
    assert_eq!(buffer.counts().duplicates, 1);
}

#[test]
fn a_packet_without_payload_is_neither_waited_for_nor_concealed() {
    let mut padding = packet(1);
    padding.payload = Bytes::new();
    let mut after = packet(2);
    after.timestamp = packet(1).timestamp;
    let mut buffer = buffer_with([(packet(0), 0), (padding, 20), (after, 20)]);
    assert_eq!(play(&mut buffer, 20), ["2"]);
    assert_eq!((buffer.counts().lost, buffer.counts().padding), (0, 1));
}

#[test]
fn a_sender_that_was_silent_has_lost_nothing() {
    let mut after = packet(1);
    after.timestamp = packet(0).timestamp.wrapping_add(960 * 50);
    let mut buffer = buffer_with([(packet(0), 0), (after, 1_000)]);
    assert_eq!(play(&mut buffer, 1_000), ["silence 980", "1"], "at once, without the hold");
    assert_eq!(buffer.counts().lost, 0);
}

#[test]
fn a_long_outage_is_silence() {
    let mut buffer = buffer_with([(packet(0), 0), (packet(500), 10_000)]);
    assert_eq!(play(&mut buffer, 10_060), ["silence 9980", "500"]);
    assert_eq!(buffer.counts().lost, 499);
}

#[test]
fn another_stream_begins_after_the_wall_time_that_has_passed() {
    let mut other = packet(3);
    other.ssrc = 8;
    other.timestamp = 12;
    let mut buffer = buffer_with([(packet(0), 0), (packet(2), 40), (other, 4_040)]);
    assert_eq!(play(&mut buffer, 4_040), ["conceal 20", "2", "new 3980", "3"]);
    buffer.push(&packet(4), MediaInstant(4_050));
    assert!(play(&mut buffer, 4_050).is_empty(), "a straggler of the old stream");
}

#[test]
fn a_clock_that_jumps_without_time_passing_is_another_stream() {
    let mut jumped = packet(1);
    jumped.timestamp = packet(0).timestamp.wrapping_add(48_000 * 3_600);
    let mut buffer = buffer_with([(packet(0), 0), (jumped, 20)]);
    assert_eq!(play(&mut buffer, 20), ["new 0", "1"]);
}

/// Packets 0.. with 20 ms between them; from `at` on their timestamps are off by `jump_ms`.
fn with_a_jump(at: u32, jump_ms: i64) -> impl Iterator<Item = RtpAudio> {
    (0..).map(move |n| {
        let mut packet = packet(n);
        if n >= at {
            packet.timestamp = packet.timestamp.wrapping_add((jump_ms * TICKS_PER_MS) as u32);
        }
        packet
    })
}

#[test]
fn a_clock_that_jumps_by_seconds_either_way_costs_no_audio_and_no_time() {
    for jump_ms in [-1_500, 1_500, -4_000, 4_000, -60_000, 60_000] {
        let mut buffer = JitterBuffer::default();
        let mut played = Vec::new();
        for (n, packet) in (0_u64..100).zip(with_a_jump(50, jump_ms)) {
            buffer.push(&packet, MediaInstant(n * 20));
            played.extend(play(&mut buffer, n * 20));
        }
        let packets: Vec<_> = played.iter().filter(|name| *name != "new 0").cloned().collect();
        assert_eq!(
            packets,
            (0..100).map(|n| n.to_string()).collect::<Vec<_>>(),
            "{jump_ms}: every packet, and nothing else"
        );
        assert_eq!(
            (played.len(), buffer.counts().late, buffer.counts().lost),
            (101, 0, 0),
            "{jump_ms}: one new stream"
        );
    }
}

#[test]
fn a_packet_from_before_the_jump_that_comes_after_it_is_late_and_no_third_clock() {
    let mut packets: Vec<_> = with_a_jump(50, -4_000).take(100).collect();
    packets.swap(49, 50);
    let mut buffer = JitterBuffer::default();
    let mut played = Vec::new();
    for (at, packet) in (0..).step_by(20).zip(&packets) {
        buffer.push(packet, MediaInstant(at));
        played.extend(play(&mut buffer, at));
    }
    assert_eq!(played.iter().filter(|name| name.starts_with("new")).count(), 1, "{played:?}");
    assert_eq!(buffer.counts().late, 1);
}

#[test]
fn a_network_that_stalls_for_seconds_and_then_delivers_all_is_no_jump() {
    let mut buffer = JitterBuffer::default();
    let mut played = Vec::new();
    for n in 0..400 {
        let at = if (100..250).contains(&n) { 5_000 } else { u64::from(n) * 20 };
        buffer.push(&packet(n), MediaInstant(at));
        played.extend(play(&mut buffer, at));
    }
    assert_eq!(played, (0..400).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_outage_in_which_the_sequence_number_goes_more_than_half_around_is_silence_of_its_length() {
    let mut buffer = buffer_with([(packet(0), 0)]);
    let minutes = 12 * 60 * 50;
    let back = u64::from(minutes) * 20;
    buffer.push(&packet(minutes), MediaInstant(back));
    let ticks: i64 = std::iter::from_fn(|| buffer.next(MediaInstant(back + HOLD_MS)))
        .map(|playout| match playout {
            Playout::Packet(_) => TICKS,
            Playout::Fec { ticks, .. } | Playout::Conceal(ticks) | Playout::Silence(ticks) => ticks,
            Playout::NewStream { elapsed_ms } => elapsed_ms as i64 * TICKS_PER_MS,
        })
        .sum();
    assert_eq!(ticks / TICKS_PER_MS, back as i64, "from the end of the first packet to the end of the last");
}

#[test]
fn nonsense_is_counted() {
    let mut malformed = packet(1);
    malformed.red = true;
    malformed.payload = Bytes::from_static(&[0x80]);
    let buffer = buffer_with([(packet(0), 0), (malformed, 20)]);
    assert_eq!(buffer.counts().malformed, 1);
}

/// How one packet fares on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Late(u64),
    Twice,
    Lost,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Arrives), 2 => (1_u64..150).prop_map(Fate::Late), 1 => Just(Fate::Twice), 1 => Just(Fate::Lost)]
}

/// Arrivals in order of time: (when, which).
fn arrivals(fates: &[Fate]) -> Vec<(u64, u32)> {
    let mut arrivals = Vec::new();
    for (n, fate) in (1_u32..).zip(fates) {
        let sent = u64::from(n) * 20;
        match fate {
            Fate::Arrives => arrivals.push((sent, n)),
            Fate::Late(by) => arrivals.push((sent + by, n)),
            Fate::Twice => arrivals.extend([(sent, n), (sent + 7, n)]),
            Fate::Lost => {}
        }
    }
    arrivals.sort_unstable();
    arrivals
}

proptest! {
    #[test]
    fn whatever_the_network_does_time_has_no_gap_and_no_packet_plays_twice(
        fates in proptest::collection::vec(fate(), 1..120), with_red: bool, with_fec: bool,
    ) {
        let mut buffer = buffer_with([(packet(0), 0)]);
        let (mut out, mut newest) = (Vec::new(), 0);
        for (at, n) in arrivals(&fates) {
            let rtp = if with_red { red(n) } else if with_fec { packet_with_fec(n) } else { packet(n) };
            // The timer fires between arrivals, as in the loop.
            if let Some(deadline) = buffer.deadline().filter(|d| d.0 <= at) {
                out.extend(std::iter::from_fn(|| buffer.next(deadline)));
            }
            buffer.push(&rtp, MediaInstant(at));
            out.extend(std::iter::from_fn(|| buffer.next(MediaInstant(at))));
            newest = newest.max(n);
        }
        out.extend(std::iter::from_fn(|| buffer.next(MediaInstant(1_000_000))));
        let (mut at, mut last) = (1_i64, 0);
        for playout in &out {
            match playout {
                Playout::Packet(b) => {
                    let n = i64::from(b[2]) << 8 | i64::from(b[3]);
                    prop_assert!(n > last, "in order and once");
                    prop_assert_eq!(at, n, "at its own time");
                    last = n;
                    at += 1;
                }
                Playout::Fec { ticks, .. } | Playout::Conceal(ticks) | Playout::Silence(ticks) => at += ticks / TICKS,
                Playout::NewStream { .. } => prop_assert!(false, "there is one stream"),
            }
        }
        prop_assert_eq!(at, i64::from(newest) + 1, "to the newest packet and no further");
        prop_assert!(buffer.deadline().is_none(), "nothing is left waiting");
    }

    #[test]
    fn no_packets_whatsoever_break_it(
        packets in proptest::collection::vec((0_u32..3, any::<u16>(), any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..60),
    ) {
        let mut buffer = JitterBuffer::default();
        for (at, (ssrc, sequence, timestamp, red, payload)) in (0..).step_by(10).zip(packets) {
            buffer.push(&RtpAudio { ssrc, sequence, timestamp, red, payload: Bytes::from(payload) }, MediaInstant(at));
            let _ = std::iter::from_fn(|| buffer.next(MediaInstant(at))).count();
        }
    }
}
