//! Bits per second.

use worker_core::time::MediaInstant;

/// Between two values.
const WINDOW_MS: u64 = 1_000;

/// Counts bytes over windows of a second.
#[derive(Debug, Default)]
pub(super) struct Meter {
    begin: Option<MediaInstant>,
    bytes: u64,
    rate: u64,
}

impl Meter {
    /// Some bytes came.
    pub(super) fn add(&mut self, bytes: usize, now: MediaInstant) {
        let begin = *self.begin.get_or_insert(now);
        let elapsed = now.since(begin);
        if elapsed >= WINDOW_MS {
            self.rate = self.bytes * 8 * 1_000 / elapsed;
            (self.begin, self.bytes) = (Some(now), 0);
        }
        self.bytes += bytes as u64;
    }

    /// Bits per second over the last complete window.
    pub(super) fn rate(&self) -> u64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_packets_of_eighty_bytes_a_second_are_thirty_two_kilobits() {
        let mut meter = Meter::default();
        for n in 0..200 {
            meter.add(80, MediaInstant(n * 20));
        }
        assert_eq!(meter.rate(), 32_000);
    }
}
