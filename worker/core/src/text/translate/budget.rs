//! Characters per minute. Partials are given up before the budget is spent, finals only when it is.

use crate::time::MediaInstant;
use std::collections::VecDeque;

/// The span that is counted, ms.
const WINDOW_MS: u64 = 60_000;

/// What was sent in the last minute.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    sent: VecDeque<(MediaInstant, u64)>,
    total: u64,
    saving: bool,
}

impl Budget {
    /// So many characters are sent now, of `most` in a minute.
    pub(crate) fn spend(&mut self, characters: u64, most: u64, now: MediaInstant) {
        self.sent.push_back((now, characters));
        self.total += characters;
        self.saving |= self.total >= most / 5 * 4;
    }

    /// Forgets what was sent more than a minute ago. Saving begins at four fifths of `most` and ends at three fifths.
    pub(crate) fn advance(&mut self, most: u64, now: MediaInstant) {
        while let Some((_, characters)) = self.sent.pop_front_if(|(at, _)| now.since(*at) >= WINDOW_MS) {
            self.total -= characters;
        }
        let fifths = if self.saving { 3 } else { 4 };
        self.saving = self.total >= most / 5 * fifths;
    }

    /// When saving ends if nothing more is sent.
    pub(crate) fn saves_until(&self, most: u64) -> Option<MediaInstant> {
        let left = |total: &mut u64, (at, characters): &(MediaInstant, u64)| {
            *total -= characters;
            Some((*at, *total))
        };
        let mut after = self.sent.iter().scan(self.total, left);
        let (at, _) = after.find(|(_, total)| *total < most / 5 * 3).filter(|_| self.saving)?;
        Some(at.plus_ms(WINDOW_MS))
    }

    /// Whether partials are not translated for now.
    pub(crate) fn is_saving(&self) -> bool {
        self.saving
    }

    /// Whether so many more are too many.
    pub(crate) fn is_spent(&self, characters: u64, most: u64) -> bool {
        self.total + characters > most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_are_given_up_before_finals_and_come_back_later_than_they_went() {
        let mut budget = Budget::default();
        for second in 0..8 {
            budget.spend(100, 1_000, MediaInstant(second * 1_000));
        }
        budget.advance(1_000, MediaInstant(8_000));
        assert!(budget.is_saving() && !budget.is_spent(200, 1_000) && budget.is_spent(201, 1_000));
        assert_eq!(budget.saves_until(1_000), Some(MediaInstant(62_000)));
        budget.advance(1_000, MediaInstant(61_500));
        assert!(budget.is_saving(), "600 are still counted");
        budget.advance(1_000, MediaInstant(62_500));
        assert!(!budget.is_saving());
    }
}
