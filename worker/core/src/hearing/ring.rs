//! The last stretch of audio, addressed by media samples.

use super::SAMPLES_PER_MS;
use std::collections::VecDeque;

/// Audio from [`Ring::first`] to [`Ring::end`] without a gap.
#[derive(Debug)]
pub(crate) struct Ring {
    first: u64,
    samples: VecDeque<i16>,
    capacity: usize,
}

impl Ring {
    pub(crate) fn new(ms: u64) -> Self {
        Self {
            first: 0,
            samples: VecDeque::new(),
            capacity: usize::try_from(ms * SAMPLES_PER_MS).unwrap_or(usize::MAX),
        }
    }

    /// Media sample of the oldest audio kept.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }
    /// Media sample after the newest audio.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Forgets all audio.
    pub(crate) fn clear(&mut self) {
        self.first = self.end();
        self.samples.clear();
    }

    /// Appends audio that begins at this media sample. A gap becomes silence, what is there already is not taken twice.
    pub(crate) fn push(&mut self, start: u64, pcm: &[i16]) {
        let gap = start.saturating_sub(self.end());
        let known = usize::try_from(self.end().saturating_sub(start)).unwrap_or(usize::MAX);
        if self.samples.is_empty() || gap > self.capacity as u64 {
            self.samples.clear();
            self.first = start;
            self.samples.extend(pcm);
        } else if gap >= SAMPLES_PER_MS {
            self.samples.extend(std::iter::repeat_n(0, usize::try_from(gap).unwrap_or(0)));
            self.samples.extend(pcm);
        } else if known >= usize::try_from(SAMPLES_PER_MS).unwrap_or(0) {
            self.samples.extend(pcm.get(known..).unwrap_or_default());
        } else {
            self.samples.extend(pcm);
        }
        let surplus = self.samples.len().saturating_sub(self.capacity);
        self.samples.drain(..surplus);
        self.first += surplus as u64;
    }

    /// At most `len` samples from this media sample on.
    pub(crate) fn read(&self, from: u64, len: u64) -> Vec<i16> {
        let begin = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.samples.len());
        let end = begin.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(self.samples.len());
        let (front, back) = self.samples.as_slices();
        let part = |of: &[i16], from: usize| {
            let within = |at: usize| at.saturating_sub(from).min(of.len());
            within(begin)..within(end)
        };
        [&front[part(front, 0)], &back[part(back, front.len())]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_audio_and_knows_where_it_begins() {
        let mut ring = Ring::new(10);
        ring.push(0, &[1; 100]);
        ring.push(100, &[2; 100]);
        assert_eq!((ring.first(), ring.end()), (40, 200));
        assert_eq!(ring.read(98, 4), [1, 1, 2, 2]);
    }

    #[test]
    fn a_gap_becomes_silence_and_an_overlap_is_not_taken_twice() {
        let mut ring = Ring::new(100);
        ring.push(0, &[1; 32]);
        ring.push(64, &[2; 32]);
        assert_eq!(ring.end(), 96);
        assert_eq!(ring.read(32, 32), [0; 32]);
        ring.push(64, &[3; 48]);
        assert_eq!(ring.end(), 112);
        assert_eq!(ring.read(95, 2), [2, 3]);
    }

    #[test]
    fn a_gap_longer_than_the_ring_begins_it_anew() {
        let mut ring = Ring::new(10);
        ring.push(0, &[1; 32]);
        ring.push(1_000_000, &[2; 32]);
        assert_eq!((ring.first(), ring.end()), (1_000_000, 1_000_032));
    }
}
