//! What an RTP payload says of itself: the length and the redundancy of an Opus packet (RFC 6716, section 3.1), and the
//! blocks of a RED packet (RFC 2198).

use bytes::Bytes;

/// Ticks of the RTP clock of Opus per millisecond (RFC 7587: always 48 kHz).
pub const TICKS_PER_MS: i64 = 48;

/// One RTP packet of the speaker's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpAudio {
    /// The sender's stream.
    pub ssrc: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 48 kHz.
    pub timestamp: u32,
    /// Whether the payload is RED.
    pub red: bool,
    /// The payload; empty in a padding-only packet.
    pub payload: Bytes,
}

/// One block of a RED packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedBlock {
    /// How much older than the packet's timestamp, in ticks; 0 for the primary block.
    pub offset: u32,
    /// An Opus packet.
    pub payload: Bytes,
}

/// The blocks of a RED packet, oldest first, the primary last; `None` when it is malformed.
#[must_use]
pub fn red_blocks(payload: &Bytes) -> Option<Vec<RedBlock>> {
    let (mut headers, mut at) = (Vec::new(), 0);
    // A header of a redundant block: F=1, 7 bits of payload type, 14 bits of offset, 10 bits of length.
    while payload.get(at)? & 0x80 != 0 {
        let [_, b1, b2, b3] = *payload.get(at..at + 4)? else { return None };
        headers.push((u32::from(b1) << 6 | u32::from(b2) >> 2, usize::from(b2 & 3) << 8 | usize::from(b3)));
        at += 4;
    }
    at += 1;
    let mut blocks = Vec::with_capacity(headers.len() + 1);
    for (offset, length) in headers {
        if at + length > payload.len() {
            return None;
        }
        blocks.push(RedBlock { offset, payload: payload.slice(at..at + length) });
        at += length;
    }
    blocks.push(RedBlock { offset: 0, payload: payload.slice(at..) });
    Some(blocks)
}

/// Length of an Opus packet in ticks of 48 kHz; `None` when it is empty, malformed, or longer than the 120 ms that RFC 6716 allows.
#[must_use]
pub fn opus_ticks(packet: &[u8]) -> Option<i64> {
    let toc = *packet.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(packet.get(1)? & 0x3f),
    };
    let ticks = frames * frame_ticks(toc);
    (1..=120 * TICKS_PER_MS).contains(&ticks).then_some(ticks)
}

/// Length of one frame by the configuration in the TOC byte (RFC 6716, table 2).
fn frame_ticks(toc: u8) -> i64 {
    let config = toc >> 3;
    let tenths_of_ms = match config {
        0..=11 => [100, 200, 400, 600][usize::from(config & 3)],
        12..=15 => [100, 200][usize::from(config & 1)],
        16.. => [25, 50, 100, 200][usize::from(config & 3)],
    };
    tenths_of_ms * TICKS_PER_MS / 10
}

/// Whether this packet carries a redundant copy of the frame before it (SILK's LBRR flag). Only packets of one frame are looked into,
/// which is what browsers send.
#[must_use]
pub fn has_fec(packet: &[u8]) -> bool {
    let (Some(toc), Some(first)) = (packet.first(), packet.get(1)) else { return false };
    let silk = toc >> 3 < 16;
    let one_frame = toc & 3 == 0;
    let frames_of_20_ms = (frame_ticks(*toc) / (20 * TICKS_PER_MS)).max(1);
    silk && one_frame && first >> (7 - frames_of_20_ms) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_length_of_a_packet_stands_in_its_first_bytes() {
        let ticks = |ms: f64| Some((ms * 48.0) as i64);
        assert_eq!(opus_ticks(&[1 << 3]), ticks(20.0), "SILK 20 ms");
        assert_eq!(opus_ticks(&[3 << 3]), ticks(60.0), "SILK 60 ms");
        assert_eq!(opus_ticks(&[15 << 3]), ticks(20.0), "hybrid 20 ms");
        assert_eq!(opus_ticks(&[31 << 3]), ticks(20.0), "CELT 20 ms");
        assert_eq!(opus_ticks(&[16 << 3]), ticks(2.5), "CELT 2.5 ms");
        assert_eq!(opus_ticks(&[1 << 3 | 1]), ticks(40.0), "two frames");
        assert_eq!(opus_ticks(&[1 << 3 | 3, 3]), ticks(60.0), "three frames");
        assert_eq!(opus_ticks(&[]), None);
        assert_eq!(opus_ticks(&[1 << 3 | 3]), None, "a count that is missing");
        assert_eq!(opus_ticks(&[3 << 3 | 3, 0x3f]), None, "longer than Opus allows");
    }

    #[test]
    fn a_red_packet_holds_the_packets_before_it() {
        // One block of 3 bytes that is 960 ticks older, then the primary.
        let bytes = Bytes::from_static(&[
            0x80 | 111,
            (960_u16 >> 6) as u8,
            ((960_u16 & 0x3f) << 2) as u8,
            3,
            111,
            1,
            2,
            3,
            4,
            5,
        ]);
        let blocks = red_blocks(&bytes).unwrap();
        assert_eq!(blocks[0], RedBlock { offset: 960, payload: Bytes::from_static(&[1, 2, 3]) });
        assert_eq!(blocks[1], RedBlock { offset: 0, payload: Bytes::from_static(&[4, 5]) });
        assert_eq!(red_blocks(&bytes.slice(..4)), None, "without a primary header");
        assert_eq!(red_blocks(&bytes.slice(..7)), None, "a block that is cut off");
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_readers_fail(bytes: Vec<u8>) {
            let bytes = Bytes::from(bytes);
            let _ = (red_blocks(&bytes), opus_ticks(&bytes), has_fec(&bytes));
        }
    }
}
