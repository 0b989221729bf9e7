//! Which worker a client follows: of two that speak, the newest generation.
//!
//! A worker that cannot reach its table goes on for some minutes, since most outages are everybody's; when the table is away for it alone, the
//! controller has launched the next generation by then, and both may post. So every message carries its `generation`, and a client drops
//! what is older than the newest that it has seen, whatever the message is. `front-end/listener.ts` does the same.

use crate::ids::Generation;

/// The newest generation that a client has seen, over all of its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Following {
    newest: Generation,
}

impl Following {
    /// Whether a message of this generation is taken, and from now on no older one. One that names none, as older workers send
    /// notices and the end, is taken as it comes.
    pub fn takes(&mut self, generation: Option<Generation>) -> bool {
        let Some(generation) = generation else { return true };
        self.newest = self.newest.max(generation);
        generation == self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_speak_the_newest_is_followed_and_the_older_never_again() {
        let mut following = Following::default();
        let said = [Some(1), Some(2), Some(1), None, Some(2), Some(1), Some(4), Some(3)];
        let taken = said.map(|generation| following.takes(generation.map(Generation)));
        assert_eq!(taken, [true, true, false, true, true, false, true, false]);
    }
}
