//! One sender's stream: its counters without wrap, what waits, and how its clock runs.

use super::packet::{RtpAudio, TICKS_PER_MS};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use worker_core::time::MediaInstant;

/// A timestamp this far from where both the wall clock and the sequence numbers say that it should be is a new clock, not a gap. Networks delay
/// by less.
const CLOCK_STEP_TICKS: i64 = 1_000 * TICKS_PER_MS;
/// A packet so few behind the newest, with a timestamp from elsewhere, was sent before the clock was changed.
const STRAGGLERS: i64 = 100;
/// A sender whose packets have held no copy for so long sends none any more, ms: its browser may have agreed on another codec.
const COPIES_MS: u64 = 2_000;
/// The fastest packet of so long a window stands for the path without queues.
const DRIFT_WINDOW_MS: u64 = 10_000;

/// Whose a packet with the stream's SSRC is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// The stream's.
    Here,
    /// The stream's before it: the sender has changed its clock meanwhile.
    ToThePast,
    /// The sender has changed its clock.
    ToAnotherClock,
}

/// A packet that waits to be played.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) payload: Bytes,
    pub(super) ticks: i64,
    pub(super) arrived: MediaInstant,
    /// `None` for a redundant copy.
    pub(super) sequence: Option<i64>,
}

/// One sender's stream, with its counters unwrapped to 64 bits.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ssrc: u32,
    pub(super) waiting: BTreeMap<i64, Waiting>,
    /// Where the next packet is due; `None` before the first is played.
    pub(super) due: Option<i64>,
    /// The last sequence number that was played.
    pub(super) played: Option<i64>,
    /// Sequence numbers of packets without a payload.
    pub(super) padding: BTreeSet<i64>,
    /// When a packet came last with a copy of one before it (RED).
    pub(super) copied_at: Option<MediaInstant>,
    pub(super) newest_timestamp: i64,
    pub(super) newest_sequence: i64,
    pub(super) last_arrival: MediaInstant,
    /// Length of the packet that arrived last, ms.
    pub(super) last_ms: u64,
    /// Arrival minus timestamp of the last packet, ms.
    transit_ms: f64,
    drift: Drift,
}

impl Stream {
    pub(super) fn new(packet: &RtpAudio, now: MediaInstant) -> Self {
        let (timestamp, sequence) = (i64::from(packet.timestamp), i64::from(packet.sequence));
        Self {
            ssrc: packet.ssrc,
            waiting: BTreeMap::new(),
            due: None,
            played: None,
            padding: BTreeSet::new(),
            copied_at: None,
            newest_timestamp: timestamp,
            newest_sequence: sequence,
            last_arrival: now,
            last_ms: 0,
            transit_ms: transit(timestamp, now),
            drift: Drift::new(now),
        }
    }

    /// Whether packets hold copies of those before them, as seen by one that came then.
    pub(super) fn has_copies(&self, then: MediaInstant) -> bool {
        self.copied_at.is_some_and(|at| then.since(at) < COPIES_MS)
    }

    /// The packet's timestamp and sequence number without wrap.
    pub(super) fn unwrap(&self, packet: &RtpAudio) -> (i64, i64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the wrap is what is measured")]
        let (time_step, step) = (
            packet.timestamp.wrapping_sub(self.newest_timestamp as u32).cast_signed(),
            packet.sequence.wrapping_sub(self.newest_sequence as u16).cast_signed(),
        );
        (self.newest_timestamp + i64::from(time_step), self.newest_sequence + i64::from(step))
    }

    /// Whose a packet is. Its timestamp must be where the wall clock or its sequence number says that it should be, roughly, and within a
    /// stream a newer packet is never older in time.
    pub(super) fn judge(&self, packet: &RtpAudio, now: MediaInstant) -> Belongs {
        let (timestamp, sequence) = self.unwrap(packet);
        let (ahead, steps) = (timestamp - self.newest_timestamp, sequence - self.newest_sequence);
        let near = |ticks: i64| (ahead - ticks).abs() <= CLOCK_STEP_TICKS;
        let elapsed = i64::try_from(now.since(self.last_arrival)).unwrap_or(i64::MAX / TICKS_PER_MS) * TICKS_PER_MS;
        let length = i64::try_from(self.last_ms).unwrap_or(0) * TICKS_PER_MS;
        // After a long outage the sequence number may have gone half around; the wall clock still knows.
        let expected = near(elapsed) || near(steps * length) || (steps <= 0 && near(0));
        if expected && (steps <= 0 || ahead >= 0) {
            Belongs::Here
        } else if (-STRAGGLERS..=0).contains(&steps) {
            Belongs::ToThePast
        } else {
            Belongs::ToAnotherClock
        }
    }

    /// Follows the interarrival jitter (RFC 3550, section 6.4.1) and the clock; gives the change of the transit time, ms.
    pub(super) fn measure(&mut self, timestamp: i64, now: MediaInstant) -> f64 {
        let transit = transit(timestamp, now);
        let change = (transit - self.transit_ms).abs();
        self.transit_ms = transit;
        self.drift.see(transit, now);
        change
    }

    /// How far the stream's clock has fallen behind the wall clock, ms.
    pub(super) fn drift_ms(&self) -> f64 {
        self.drift.ms()
    }

    /// Packets lost between the last that was played and this one.
    pub(super) fn missing_before(&self, sequence: i64) -> i64 {
        let Some(played) = self.played else { return 0 };
        let padding = self.padding.range(played + 1..sequence.max(played + 1)).count();
        (sequence - played - 1 - i64::try_from(padding).unwrap_or(0)).max(0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "52 bits of milliseconds are enough")]
fn transit(timestamp: i64, now: MediaInstant) -> f64 {
    now.0 as f64 - timestamp as f64 / TICKS_PER_MS as f64
}

/// The drift of a clock, seen through a network that delays: only the fastest packet of each window counts.
#[derive(Debug)]
struct Drift {
    begin: MediaInstant,
    fastest: f64,
    /// The fastest packets of the first window and of the last that is complete, ms.
    first: Option<f64>,
    last: f64,
}

impl Drift {
    fn new(now: MediaInstant) -> Self {
        Self { begin: now, fastest: f64::INFINITY, first: None, last: 0.0 }
    }

    fn see(&mut self, transit: f64, now: MediaInstant) {
        if now.since(self.begin) >= DRIFT_WINDOW_MS && self.fastest.is_finite() {
            self.last = self.fastest;
            self.first.get_or_insert(self.fastest);
            (self.begin, self.fastest) = (now, f64::INFINITY);
        }
        self.fastest = self.fastest.min(transit);
    }

    fn ms(&self) -> f64 {
        self.first.map_or(0.0, |first| self.last - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_slow_is_told_from_a_network_that_delays() {
        let mut drift = Drift::new(MediaInstant(0));
        // 100 ppm slow, and queues of up to 90 ms: one packet in twenty passes freely.
        for n in 0..180_000_u64 {
            let queue = (n % 20 * 5) as f64;
            let sent = n * 20;
            drift.see(sent as f64 * 1e-4 + queue, MediaInstant(sent));
        }
        let hour = 3_600_000.0 * 1e-4;
        assert!((drift.ms() - hour).abs() < 3.0, "{} of {hour} ms", drift.ms());
    }
}
