//! Word times of the transcript, and the words per minute they give.

use std::collections::VecDeque;

/// Words without which there is no rate.
const LEAST: usize = 2;

/// The last words.
#[derive(Debug)]
pub(crate) struct Words {
    words: VecDeque<(u64, u64)>,
    most: usize,
}

impl Words {
    pub(crate) fn new(most: usize) -> Self {
        Self { words: VecDeque::with_capacity(most), most }
    }

    /// Remembers a word; the same one twice counts once, and one that ends before it begins not at all.
    pub(crate) fn add(&mut self, start_ms: u64, end_ms: u64) {
        if end_ms < start_ms || self.words.contains(&(start_ms, end_ms)) {
            return;
        }
        if self.words.len() == self.most {
            self.words.pop_front();
        }
        self.words.push_back((start_ms, end_ms));
    }

    /// Words per minute of the words whose middle lies in this stretch, from the begin of the first to the end of the last.
    pub(crate) fn per_minute(&self, start_ms: u64, end_ms: u64) -> Option<f64> {
        let (mut count, mut first, mut last) = (0_usize, u64::MAX, 0);
        for (start, end) in &self.words {
            if (start_ms..end_ms).contains(&u64::midpoint(*start, *end)) {
                count += 1;
                first = first.min(*start);
                last = last.max(*end);
            }
        }
        let span = last.saturating_sub(first);
        (count >= LEAST && span > 0).then(|| count as f64 * 60_000.0 / span as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_words_in_three_seconds_are_120_per_minute() {
        let mut words = Words::new(8);
        (0..6).for_each(|n| words.add(n * 500, n * 500 + 500));
        words.add(0, 500);
        assert_eq!(words.per_minute(0, 3_000), Some(120.0));
        assert_eq!(words.per_minute(0, 600), None, "one word is no rate");
        (6..20).for_each(|n| words.add(n * 500, n * 500 + 500));
        assert_eq!(words.per_minute(0, 3_000), None, "the oldest are forgotten");
    }
}
