//! Puts packets in order and says what to play: decode, conceal, or keep silent.
//!
//! *Flow*: [`JitterBuffer::push`] for every packet, then [`JitterBuffer::next`] until `None`; again at [`JitterBuffer::deadline`].
//! *Guarantees*: what is said to be played joins without gap or overlap, in order of the RTP timestamp; a packet in order is played at
//! once, only a gap makes later packets wait, and never longer than the hold. *Assumptions*: the clock is 48 kHz. *Design*: keyed by
//! timestamp, because padding-only packets use up sequence numbers but no time; sequence numbers only tell loss from
//! a sender that was silent. The hold follows the jitter, and is at its longest for a while after a packet came too late. The longest hold depends
//! on the sender: where copies come with later packets (RED), a late packet is rarely missed; where none come (Firefox, Safari), waiting is all that saves it.

use super::packet::{RtpAudio, TICKS_PER_MS, has_fec, opus_ticks, red_blocks};
use super::sender::{Belongs, Stream, Waiting};
use bytes::Bytes;
use std::collections::VecDeque;
use worker_core::time::MediaInstant;

/// How long later packets wait for a missing one at the most, when copies come: longer than reordering on the open internet takes, short for captions.
pub const HOLD_MS: u64 = 60;
/// The same while none come.
pub const PLAIN_HOLD_MS: u64 = 150;
/// On a path without jitter a packet that has not come one packet later is lost.
const LEAST_HOLD_MS: u64 = 20;
/// After a packet that came too late, the longest hold is kept for so long.
const CAREFUL_MS: u64 = 10_000;
/// A gap up to here is concealed, a longer one is silence: what Opus makes up fades within this time anyway.
const CONCEAL_TICKS: i64 = 120 * TICKS_PER_MS;
/// Packets that may wait: 4 s of 20 ms packets. More means that the hold does not work as meant.
const MOST_WAITING: usize = 200;
/// A stream that was replaced may still deliver stragglers for so long.
const STRAGGLERS_MS: u64 = 1_000;

/// What to play next; lengths are ticks of 48 kHz.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Playout {
    /// Decode this packet.
    Packet(Bytes),
    /// The packet before this one is lost: decode the copy of it that this one carries.
    Fec {
        /// The packet that carries the copy.
        carrier: Bytes,
        /// Length of the lost one.
        ticks: i64,
    },
    /// Make up audio.
    Conceal(i64),
    /// Silence: the gap is too long to be made up.
    Silence(i64),
    /// Another stream begins, after this much wall time without audio.
    NewStream {
        /// Wall time since the end of the last packet of the stream before, ms.
        elapsed_ms: u64,
    },
}

/// Counts of the stream since the begin.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// Packets received, each once.
    pub packets: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets without a payload.
    pub padding: u64,
    /// Packets that are not what they should be.
    pub malformed: u64,
    /// Lost packets whose copy came in a RED packet.
    pub recovered: u64,
    /// Lost packets whose copy was kept by Opus in the packet after them.
    pub fec: u64,
    /// How long packets waited lately until they were played, ms, smoothed over 16 packets.
    pub buffer_ms: f64,
    /// How far the stream's clock has fallen behind the wall clock, ms.
    pub drift_ms: f64,
    /// Interarrival jitter, ms (RFC 3550, section 6.4.1).
    pub jitter_ms: f64,
}

/// Orders the packets of one speaker, across streams.
#[derive(Debug, Default)]
pub struct JitterBuffer {
    /// Until when the longest hold is kept.
    careful_until: MediaInstant,
    stream: Option<Stream>,
    retired: Option<u32>,
    ready: VecDeque<Playout>,
    counts: Counts,
}

impl JitterBuffer {
    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes in a packet.
    pub fn push(&mut self, packet: &RtpAudio, now: MediaInstant) {
        if self.is_straggler(packet, now) {
            self.counts.late += 1;
            return;
        }
        self.follow(packet, now);
        let Some(stream) = &mut self.stream else { return };
        let (timestamp, sequence) = stream.unwrap(packet);
        self.counts.packets += 1;
        if packet.payload.is_empty() {
            // It used up a sequence number but no time: it must neither be waited for nor be concealed.
            self.counts.padding += 1;
            stream.padding.insert(sequence);
            stream.newest_sequence = stream.newest_sequence.max(sequence);
            return;
        }
        self.counts.jitter_ms += (stream.measure(timestamp, now) - self.counts.jitter_ms) / 16.0;
        self.counts.drift_ms = stream.drift_ms();
        stream.newest_timestamp = stream.newest_timestamp.max(timestamp);
        stream.newest_sequence = stream.newest_sequence.max(sequence);
        stream.last_arrival = now;
        self.store(packet, timestamp, sequence, now);
    }

    /// A packet of the stream that was just replaced.
    fn is_straggler(&self, packet: &RtpAudio, now: MediaInstant) -> bool {
        let Some(stream) = &self.stream else { return false };
        if stream.ssrc == packet.ssrc {
            return !packet.payload.is_empty() && stream.judge(packet, now) == Belongs::ToThePast;
        }
        self.retired == Some(packet.ssrc) && now.since(stream.last_arrival) < STRAGGLERS_MS
    }

    /// Begins a stream when this packet does not continue the one that is known.
    fn follow(&mut self, packet: &RtpAudio, now: MediaInstant) {
        let Some(stream) = &self.stream else {
            self.stream = Some(Stream::new(packet, now));
            return;
        };
        if stream.ssrc == packet.ssrc && (packet.payload.is_empty() || stream.judge(packet, now) == Belongs::Here) {
            return;
        }
        let (ssrc, elapsed_ms) = (stream.ssrc, now.since(stream.last_arrival).saturating_sub(stream.last_ms));
        self.drain(now);
        self.ready.push_back(Playout::NewStream { elapsed_ms });
        self.retired = (ssrc != packet.ssrc).then_some(ssrc);
        self.stream = Some(Stream::new(packet, now));
    }

    /// Plays out everything that waits, without waiting any longer.
    fn drain(&mut self, now: MediaInstant) {
        let mut last = VecDeque::new();
        while let Some(playout) = self.decide(now, Patience::Over) {
            last.push_back(playout);
        }
        self.ready.append(&mut last);
    }

    fn store(&mut self, packet: &RtpAudio, timestamp: i64, sequence: i64, now: MediaInstant) {
        if !packet.red {
            self.insert(timestamp, Some(sequence), packet.payload.clone(), now);
            return;
        }
        let Some(mut blocks) = red_blocks(&packet.payload) else {
            self.counts.malformed += 1;
            return;
        };
        let primary = blocks.pop();
        let copies = blocks.iter().any(|block| !block.payload.is_empty());
        let started = self.stream.as_mut().is_some_and(|stream| {
            stream.copied_at = if copies { Some(now) } else { stream.copied_at };
            stream.due.is_some()
        });
        for block in blocks.into_iter().filter(|b| started && !b.payload.is_empty()) {
            self.insert(timestamp - i64::from(block.offset), None, block.payload, now);
        }
        if let Some(block) = primary {
            self.insert(timestamp, Some(sequence), block.payload, now);
        }
    }

    fn insert(&mut self, timestamp: i64, sequence: Option<i64>, payload: Bytes, now: MediaInstant) {
        let Some(stream) = &mut self.stream else { return };
        let Some(ticks) = opus_ticks(&payload) else {
            self.counts.malformed += 1;
            return;
        };
        let known = stream.waiting.get(&timestamp);
        let too_late = stream.due.is_some_and(|due| timestamp < due);
        match (sequence, known) {
            // A copy of something that was played or waits already is what RED is made of.
            (None, Some(_)) => return,
            (None, None) if too_late => return,
            (Some(_), Some(w)) if w.sequence.is_some() => {
                self.counts.duplicates += 1;
                return;
            }
            (Some(_), None) if too_late => {
                self.counts.late += 1;
                self.careful_until = now.plus_ms(CAREFUL_MS);
                return;
            }
            (None | Some(_), None) | (Some(_), Some(_)) => {}
        }
        if sequence.is_some() {
            stream.last_ms = u64::try_from(ticks / TICKS_PER_MS).unwrap_or(0);
        }
        stream.waiting.insert(timestamp, Waiting { payload, ticks, arrived: now, sequence });
    }

    /// What to play now; `None` when there is nothing, or when a missing packet may still come.
    pub fn next(&mut self, now: MediaInstant) -> Option<Playout> {
        self.ready.pop_front().or_else(|| self.decide(now, Patience::Hold))
    }

    /// When a missing packet is given up.
    #[must_use]
    pub fn deadline(&self) -> Option<MediaInstant> {
        let stream = self.stream.as_ref()?;
        let first = stream.waiting.values().map(|w| w.arrived).min()?;
        Some(first.plus_ms(self.hold(first, if stream.has_copies(first) { HOLD_MS } else { PLAIN_HOLD_MS })))
    }

    /// How long a packet that arrived then waits for those before it, at the most `most_ms`, ms.
    fn hold(&self, arrived: MediaInstant, most_ms: u64) -> u64 {
        if arrived < self.careful_until {
            return most_ms;
        }
        // Four times the mean deviation covers nearly every packet (as TCP reckons, RFC 6298).
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some milliseconds")]
        let deviations = (4.0 * self.counts.jitter_ms) as u64;
        (LEAST_HOLD_MS + deviations).min(most_ms)
    }

    fn decide(&mut self, now: MediaInstant, patience: Patience) -> Option<Playout> {
        let given_up = match patience {
            Patience::Over => true,
            Patience::Hold => self.deadline().is_some_and(|at| at <= now),
        };
        let stream = self.stream.as_mut()?;
        let (&timestamp, head) = stream.waiting.first_key_value()?;
        let due = *stream.due.get_or_insert(timestamp);
        let gap = timestamp - due;
        if gap <= 0 {
            return self.play(timestamp, now);
        }
        let nothing_lost = head.sequence.is_some_and(|s| stream.missing_before(s) == 0);
        if !nothing_lost && !given_up && stream.waiting.len() < MOST_WAITING {
            return None;
        }
        let (playout, filled) = bridge(head, gap, nothing_lost);
        self.counts.fec += u64::from(matches!(playout, Playout::Fec { .. }));
        stream.due = Some(due + filled);
        Some(playout)
    }

    /// Takes the first waiting packet out; its time has come.
    fn play(&mut self, timestamp: i64, now: MediaInstant) -> Option<Playout> {
        let stream = self.stream.as_mut()?;
        let packet = stream.waiting.remove(&timestamp)?;
        #[expect(clippy::cast_precision_loss, reason = "some milliseconds")]
        let waited = now.since(packet.arrived) as f64;
        self.counts.buffer_ms += (waited - self.counts.buffer_ms) / 16.0;
        stream.due = Some(timestamp + packet.ticks);
        match packet.sequence {
            None => self.counts.recovered += 1,
            Some(sequence) => {
                self.counts.lost += u64::try_from(stream.missing_before(sequence)).unwrap_or(0);
                stream.played = Some(sequence.max(stream.played.unwrap_or(sequence)));
                stream.padding.retain(|&s| s > sequence);
            }
        }
        Some(Playout::Packet(packet.payload))
    }
}

/// Whether a missing packet is still waited for.
#[derive(Debug, Clone, Copy)]
enum Patience {
    Hold,
    Over,
}

/// What to play in a gap before `head`, and how much of the gap that fills.
fn bridge(head: &Waiting, gap: i64, nothing_lost: bool) -> (Playout, i64) {
    let copied = !nothing_lost && gap >= head.ticks && has_fec(&head.payload);
    match gap - if copied { head.ticks } else { 0 } {
        0 => (Playout::Fec { carrier: head.payload.clone(), ticks: gap }, gap),
        rest if rest > CONCEAL_TICKS => (Playout::Silence(rest), rest),
        rest => (Playout::Conceal(rest), rest),
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
