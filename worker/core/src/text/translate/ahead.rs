//! Texts that are translated before anybody may read them: a clause whose mark is there, while its last words may still change. When they
//! settle, the translation is there already.
//!
//! *Guarantee*: most of what is paid so is used; else it stops, until it is tried again.

use schemas::ids::Language;
use std::collections::BTreeSet;

/// Of so many texts it is known how many were used; then the older half of that counts no more.
const WINDOW: u32 = 32;
/// So many are tried before anything is known.
const TRIED: u32 = 8;

/// What was asked for ahead, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    waiting: BTreeSet<(Language, String)>,
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
        self.waiting.insert((to.clone(), text.to_owned()));
    }

    /// Somebody may read this text by now.
    pub(super) fn take(&mut self, to: &Language, text: &str) {
        if self.waiting.remove(&(to.clone(), text.to_owned())) {
            self.used += 1;
        }
    }

    /// A final is there: what was not used for it will not be. Forgetting a little of what is known leads to another try.
    pub(super) fn settle(&mut self, to: &Language) {
        self.waiting.retain(|(of, _)| of != to);
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
        ahead.settle(&es);
        ahead.take(&es, "text 7");
        assert_eq!(ahead.used, 0, "too late");
        assert!(ahead.pays(), "one more try");
        for n in 0..100 {
            ahead.make(&es, &format!("good {n}"));
            ahead.take(&es, &format!("good {n}"));
        }
        assert!(ahead.pays() && ahead.made <= WINDOW + 1);
    }
}
