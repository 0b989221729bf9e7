//! The speaker's microphone: 20 ms of sound every 20 ms, silence included, as Opus over RTP.

use super::record::{Event, SpeakerEvent};
use super::wav::FRAME;
use bytes::Bytes;
use opus::{Application, Channels, Encoder};
use rtc::rtp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

/// Time between two packets.
const TICK: Duration = Duration::from_millis(20);
/// Largest Opus packet that is asked for, bytes.
const PACKET: usize = 1_275;
/// Loss that the encoder prepares for with FEC, percent.
const EXPECTED_LOSS: i32 = 10;

/// Where packets go.
#[derive(Clone)]
pub struct Line {
    /// The track of the connected peer.
    pub track: Arc<TrackLocalStaticRTP>,
    /// As negotiated.
    pub payload_type: u8,
    /// That of RED (RFC 2198), when it was negotiated: every packet then carries the one before it as well.
    pub red: Option<u8>,
    /// Of the one stream.
    pub ssrc: u32,
}

/// Which frame comes next: silence, the speech from its begin to its end, silence again.
#[derive(Debug)]
pub struct Feed {
    speech: Vec<i16>,
    next: Option<usize>,
}

/// One frame, and whether the speech begins or ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// 20 ms at 48 kHz.
    pub pcm: Vec<i16>,
    /// The first frame of the speech.
    pub begins: bool,
    /// The last frame of the speech.
    pub ends: bool,
}

impl Feed {
    /// A feed that is silent until [`Feed::speak`].
    #[must_use]
    pub fn new(speech: Vec<i16>) -> Self {
        Self { speech, next: None }
    }

    /// Begins the speech, once.
    pub fn speak(&mut self) {
        self.next.get_or_insert(0);
    }

    /// The next 20 ms.
    pub fn frame(&mut self) -> Frame {
        let at = self.next.unwrap_or(self.speech.len()).min(self.speech.len());
        let end = (at + FRAME).min(self.speech.len());
        let mut pcm = self.speech.get(at..end).unwrap_or_default().to_vec();
        let spoken = !pcm.is_empty();
        pcm.resize(FRAME, 0);
        if let Some(next) = &mut self.next {
            *next = end;
        }
        Frame { pcm, begins: spoken && at == 0, ends: spoken && end == self.speech.len() }
    }
}

/// Counts packets and samples as RTP does.
#[derive(Debug, Clone, Copy)]
pub struct RtpClock {
    sequence: u16,
    timestamp: u32,
}

impl RtpClock {
    /// Begins anywhere, as RTP asks.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    pub fn new(random: u128) -> Self {
        Self { sequence: random as u16, timestamp: (random >> 16) as u32 }
    }

    /// The header of the next packet; the first of a talk spurt is marked.
    pub fn header(&mut self, line: &Line, marker: bool) -> rtp::Header {
        let header = rtp::Header {
            version: 2,
            marker,
            payload_type: line.red.unwrap_or(line.payload_type),
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: line.ssrc,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        header
    }

    /// 20 ms have passed, whether a packet was sent or not.
    pub fn tick(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(960);
    }
}

/// A voice encoder as the browser's: voip, FEC on, no DTX.
///
/// # Errors
/// What libopus says.
pub fn encoder() -> Result<Encoder, opus::Error> {
    let mut encoder = Encoder::new(super::wav::RATE, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(opus::Bitrate::Bits(32_000))?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(EXPECTED_LOSS)?;
    encoder.set_dtx(false)?;
    Ok(encoder)
}

/// A RED packet (RFC 2198): the packet of 20 ms before, if there was one, then this one.
#[expect(clippy::cast_possible_truncation, reason = "a length of at most 10 bits, in bytes")]
fn redundant(opus: u8, before: &[u8], primary: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(before.len() + primary.len() + 5);
    // The length of a copy has 10 bits; Opus packets of speech are far shorter.
    let copied = !before.is_empty() && before.len() < 1 << 10;
    if copied {
        let (offset, length) = (960_u16, before.len());
        packet.extend([0x80 | opus, (offset >> 6) as u8, (offset << 2) as u8 | (length >> 8) as u8, length as u8]);
    }
    packet.push(opus);
    packet.extend_from_slice(if copied { before } else { &[] });
    packet.extend_from_slice(primary);
    packet
}

/// Runs until nobody listens to its events.
pub async fn run(
    speech: Vec<i16>,
    mut lines: watch::Receiver<Option<Line>>,
    mut speak: watch::Receiver<bool>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut encoder = match encoder() {
        Ok(encoder) => encoder,
        Err(e) => {
            let _ = events.send(Event::Trouble(format!("the Opus encoder cannot be made: {e}")));
            return;
        }
    };
    let mut feed = Feed::new(speech);
    let mut clock = RtpClock::new(uuid::Uuid::new_v4().as_u128());
    let (mut sent, mut before) = (false, Vec::new());
    // Deadlines come from the first tick, so a late wake-up is made up for and nothing drifts.
    let mut tick = tokio::time::interval(TICK);
    while !events.is_closed() {
        tick.tick().await;
        let Some(line) = lines.borrow_and_update().clone() else {
            clock.tick();
            continue;
        };
        if *speak.borrow_and_update() {
            feed.speak();
        }
        let frame = feed.frame();
        let said = |event| events.send(Event::Speaker(event)).is_err();
        if frame.begins && said(SpeakerEvent::SpeechBegan) {
            return;
        }
        if let Ok(payload) = encoder.encode_vec(&frame.pcm, PACKET) {
            let body = line.red.map_or_else(|| payload.clone(), |_| redundant(line.payload_type, &before, &payload));
            before = payload;
            let packet = rtp::Packet { header: clock.header(&line, frame.begins), payload: Bytes::from(body) };
            // A packet that a dying connection does not take is lost, as on any network.
            let written = line.track.write_rtp(packet).await.is_ok();
            if written && !std::mem::replace(&mut sent, true) && said(SpeakerEvent::FirstPacket) {
                return;
            }
        }
        clock.tick();
        if frame.ends && said(SpeakerEvent::SpeechEnded) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_microphone_is_silent_before_and_after_the_speech() {
        let mut feed = Feed::new(vec![5; FRAME + 10]);
        assert!(feed.frame().pcm.iter().all(|s| *s == 0));
        feed.speak();
        let (first, last, after) = (feed.frame(), feed.frame(), feed.frame());
        assert!(first.begins && !first.ends && first.pcm.iter().all(|s| *s == 5));
        assert!(last.ends && last.pcm[..10] == [5; 10] && last.pcm[10..].iter().all(|s| *s == 0));
        assert!(!after.begins && !after.ends && after.pcm.iter().all(|s| *s == 0));
    }

    #[test]
    fn the_speech_is_said_once_however_often_it_is_asked_for() {
        let mut feed = Feed::new(vec![1; FRAME]);
        let begun = (0..5)
            .filter(|_| {
                feed.speak();
                feed.frame().begins
            })
            .count();
        assert_eq!(begun, 1);
    }

    #[test]
    fn rtp_counts_on_across_the_wrap() {
        let track = TrackLocalStaticRTP::new(super::super::speaker::track_of(1));
        let line = Line { track: Arc::new(track), payload_type: 111, red: None, ssrc: 1 };
        let mut clock = RtpClock { sequence: u16::MAX, timestamp: u32::MAX };
        let first = clock.header(&line, true);
        clock.tick();
        let second = clock.header(&line, false);
        assert_eq!((first.sequence_number, second.sequence_number), (u16::MAX, 0));
        assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 960);
    }

    #[test]
    fn a_red_packet_carries_the_one_before_it() {
        let packet = redundant(111, &[1, 2, 3], &[4, 5]);
        // F=1 and 111; 960 in 14 bits and 3 in 10 bits; F=0 and 111; the copy; the primary.
        assert_eq!(packet, [0x80 | 111, 15, 0, 3, 111, 1, 2, 3, 4, 5]);
        assert_eq!(redundant(111, &[], &[4]), [111, 4]);
    }

    #[test]
    fn silence_is_still_a_packet() {
        assert!(!encoder().unwrap().encode_vec(&[0; FRAME], PACKET).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn every_sample_is_said_in_order(speech in proptest::collection::vec(1i16..=9, 1..3_000)) {
            let mut feed = Feed::new(speech.clone());
            feed.speak();
            let mut said = Vec::new();
            loop {
                let frame = feed.frame();
                prop_assert_eq!(frame.pcm.len(), FRAME);
                said.extend(frame.pcm);
                if frame.ends { break; }
            }
            said.truncate(speech.len());
            prop_assert_eq!(said, speech);
        }
    }
}
