//! Audio cut into hops of 10 ms on the grid of media time, however it was pushed.

/// Samples per millisecond.
pub(crate) const PER_MS: u64 = 16;
/// Samples per hop.
pub(crate) const HOP: usize = 160;
/// Milliseconds per hop.
pub(crate) const HOP_MS: u64 = 10;
/// A longer gap is jumped over instead of filled, samples.
const LONGEST_FILL: u64 = 120_000 * PER_MS;

/// Media time ends here, so that sums cannot overflow: after 18 million years.
const LATEST: u64 = 1 << 63;

/// What the cut gives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// The hop with this number; it begins at number × 10 ms.
    Hop {
        index: u64,
        pcm: &'a [i16; HOP],
        /// Every sample of it was received.
        received: bool,
    },
    /// Media time goes on at this hop, much later than before.
    Jump { index: u64 },
}

/// Collects samples until a hop is full.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// The media sample that is expected next; `None` before the first.
    next: Option<u64>,
    hop: [i16; HOP],
    filled: usize,
    received: bool,
}

impl Cutter {
    pub(crate) fn new() -> Self {
        Self { next: None, hop: [0; HOP], filled: 0, received: true }
    }

    /// Takes audio that begins at this media sample. Less than a millisecond of disagreement is the rounding of a time.
    pub(crate) fn push(&mut self, start: u64, pcm: &[i16], received: bool, mut each: impl FnMut(Piece<'_>)) {
        let start = start.min(LATEST);
        let Some(next) = self.next else {
            self.begin(start);
            return self.take(pcm, received, &mut each);
        };
        let gap = start.saturating_sub(next);
        let known = next.saturating_sub(start);
        if gap > LONGEST_FILL {
            self.begin(start);
            each(Piece::Jump { index: start / HOP as u64 });
            self.take(pcm, received, &mut each);
        } else if gap >= PER_MS {
            self.fill(gap, &mut each);
            self.take(pcm, received, &mut each);
        } else if known >= PER_MS {
            let known = usize::try_from(known).unwrap_or(usize::MAX);
            self.take(pcm.get(known..).unwrap_or_default(), received, &mut each);
        } else {
            self.take(pcm, received, &mut each);
        }
    }

    /// Completes the hop that is begun, and this many more, as if nothing were received.
    pub(crate) fn flush(&mut self, hops: u64, mut each: impl FnMut(Piece<'_>)) {
        if self.next.is_some() {
            let missing = (HOP - self.filled) % HOP;
            self.fill(missing as u64 + hops * HOP as u64, &mut each);
        }
    }

    /// The part of the first hop before the first sample was not received.
    fn begin(&mut self, start: u64) {
        self.next = Some(start);
        self.filled = usize::try_from(start % HOP as u64).unwrap_or(0);
        self.received = self.filled == 0;
        self.hop.fill(0);
    }

    fn fill(&mut self, mut samples: u64, each: &mut impl FnMut(Piece<'_>)) {
        const ZEROS: [i16; HOP] = [0; HOP];
        while samples > 0 {
            let now = samples.min(HOP as u64);
            self.take(&ZEROS[..now as usize], false, each);
            samples -= now;
        }
    }

    fn take(&mut self, mut pcm: &[i16], received: bool, each: &mut impl FnMut(Piece<'_>)) {
        while !pcm.is_empty() {
            let (now, later) = pcm.split_at(pcm.len().min(HOP - self.filled));
            self.hop[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.received &= received;
            self.filled += now.len();
            let end = self.next.unwrap_or(0) + now.len() as u64;
            self.next = Some(end);
            if self.filled == HOP {
                each(Piece::Hop { index: (end - 1) / HOP as u64, pcm: &self.hop, received: self.received });
                self.filled = 0;
                self.received = true;
            }
            pcm = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pushes: &[(u64, usize, bool)]) -> Vec<(u64, bool)> {
        let mut cutter = Cutter::new();
        let mut hops = Vec::new();
        for (start, len, received) in pushes {
            cutter.push(*start, &vec![1; *len], *received, |piece| match piece {
                Piece::Hop { index, received, .. } => hops.push((index, received)),
                Piece::Jump { index } => hops.push((index, false)),
            });
        }
        hops
    }

    #[test]
    fn a_hop_counts_as_received_only_when_all_of_it_was() {
        assert_eq!(cut(&[(0, 170, true), (170, 80, false), (250, 230, true)]), [(0, true), (1, false), (2, true)]);
    }

    #[test]
    fn a_gap_is_filled_an_overlap_not_taken_twice_and_a_rounded_time_forgiven() {
        assert_eq!(cut(&[(0, 160, true), (320, 160, true)]), [(0, true), (1, false), (2, true)]);
        assert_eq!(cut(&[(0, 320, true), (160, 320, true)]), [(0, true), (1, true), (2, true)]);
        assert_eq!(cut(&[(0, 155, true), (144, 165, true)]), [(0, true), (1, true)]);
    }

    #[test]
    fn audio_that_begins_between_two_hops_stays_on_the_grid_of_media_time() {
        assert_eq!(cut(&[(80, 240, true)]), [(0, false), (1, true)]);
    }

    #[test]
    fn a_very_long_gap_is_jumped_over() {
        assert_eq!(
            cut(&[(0, 160, true), (160_000_000, 160, true)]),
            [(0, true), (1_000_000, false), (1_000_000, true)]
        );
    }
}
