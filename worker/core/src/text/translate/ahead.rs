//! Texts that are translated before anybody may read them: a clause whose mark is there, while its last words may still change. When they
//! settle, the translation is there already.
//!
//! *Guarantee*: most of what is paid so is used; else it stops, until it is tried again.

use schemas::ids::Language;
use std::collections::VecDeque;

/// Of so many texts it is known how many were used; then the older half of that counts no more.
const WINDOW: u32 = 32;
/// So many are tried before anything is known.
const TRIED: u32 = 8;
/// So many may still be used, the newest.
const WAITING: usize = 32;

/// What was asked for ahead, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    waiting: VecDeque<(Language, String)>,
    made: u32,
    used: u32,
}

impl Ahead {
    /// Whether it pays: at least two of three texts were used lately.
    pub(super) fn pays(&self) -> bool {
        self.made < TRIED || self.used * 3 >= self.made * 2
    }

    /// One more is asked for.
    pub(super) fn make(&mut self, to: &Language, text: &str) {
        if self.made >= WINDOW {
            (self.made, self.used) = (self.made / 2, self.used / 2);
        }
        self.made += 1;
        self.waiting.push_back((to.clone(), text.to_owned()));
        if self.waiting.len() > WAITING {
            self.waiting.pop_front();
        }
    }

    /// Somebody may read this text by now.
    pub(super) fn take(&mut self, to: &Language, text: &str) {
        if let Some(place) = self.waiting.iter().position(|(of, made)| of == to && made == text) {
            self.waiting.remove(place);
            self.used += 1;
        }
    }

    /// A final is there. Forgetting a little of what is known leads to another try.
    pub(super) fn settle(&mut self) {
        if !self.pays() {
            self.made -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mostly_wasted_is_not_done_until_it_is_tried_again() {
        let es = Language::try_new("es").unwrap();
        let mut ahead = Ahead::default();
        for n in 0..TRIED {
            assert!(ahead.pays());
            ahead.make(&es, &format!("text {n}"));
        }
        assert!(!ahead.pays(), "none was used");
        ahead.settle();
        assert!(ahead.pays(), "one more try");
        for n in 0..100 {
            ahead.make(&es, &format!("good {n}"));
            ahead.take(&es, &format!("good {n}"));
        }
        assert!(ahead.pays() && ahead.made <= WINDOW + 1);
    }
}
