//! Since when something waits for its next stage, as the row tells it: what the controller judges a stuck stage by.
//!
//! *Guarantee*: a wait begins with the first event that the next stage has not answered, and ends with that stage's next
//! event; a silence of any length is no wait.

use crate::time::MediaInstant;

/// One stage waiting for the next.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    answered_at: Option<MediaInstant>,
    since: Option<MediaInstant>,
}

impl Wait {
    /// The last events of a stage and of the one that follows it, at least every few seconds; since when the first waits.
    /// Nobody waits for a stage that is not needed.
    pub(crate) fn observe(
        &mut self,
        asked_at: Option<MediaInstant>,
        answered_at: Option<MediaInstant>,
        needed: Needed,
    ) -> Option<MediaInstant> {
        if self.answered_at != answered_at || needed == Needed::No {
            *self = Self { answered_at, since: None };
        }
        if needed == Needed::Yes && asked_at > answered_at {
            self.since = self.since.or(asked_at);
        }
        self.since
    }
}

/// Whether anybody needs the next stage now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// Somebody does.
    Yes,
    /// Nobody does.
    No,
}

impl From<bool> for Needed {
    fn from(needed: bool) -> Self {
        if needed { Self::Yes } else { Self::No }
    }
}

/// The three waits of the row.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    pub(crate) speech: Wait,
    pub(crate) transcript: Wait,
    pub(crate) caption: Wait,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Option<MediaInstant> {
        Some(MediaInstant(ms))
    }

    #[test]
    fn a_wait_begins_with_what_is_not_answered_and_ends_with_the_next_answer() {
        let mut wait = Wait::default();
        assert_eq!(wait.observe(None, None, Needed::Yes), None);
        assert_eq!(wait.observe(at(1_000), None, Needed::Yes), at(1_000));
        assert_eq!(wait.observe(at(9_000), None, Needed::Yes), at(1_000));
        assert_eq!(wait.observe(at(11_000), at(10_500), Needed::Yes), at(11_000), "it moves: a new wait");
        assert_eq!(wait.observe(at(11_000), at(11_200), Needed::Yes), None);
        assert_eq!(wait.observe(at(11_000), at(11_200), Needed::Yes), None, "a silence of any length");
        assert_eq!(wait.observe(at(900_000), at(11_200), Needed::Yes), at(900_000), "and speech after it");
    }

    #[test]
    fn nobody_waits_for_what_nobody_needs() {
        let mut wait = Wait::default();
        assert_eq!(wait.observe(at(1_000), None, Needed::No), None);
        assert_eq!(wait.observe(at(70_000), None, Needed::Yes), at(70_000), "and what was not needed did not wait");
    }
}
