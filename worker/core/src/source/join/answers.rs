//! Whose answer it is. An answer does not say which offer it is for (KVS passes no correlation id on), but who answers an offer with new ICE
//! credentials must take new ones as well (RFC 8839, section 4.4.1.1.1): credentials that were used before belong to an older offer.

use std::collections::VecDeque;

/// Credentials that are remembered: an offer is held for a minute at the most, so that very few old answers can still come.
const REMEMBERED: usize = 16;

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The first with these credentials.
    New {
        /// Another page than the one before: its DTLS certificate is another.
        from_another_page: bool,
    },
    /// It was here before: doubled, or for an older offer.
    Seen,
}

/// The answers so far.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The certificate of the page whose answer was applied last.
    page: Option<String>,
    seen: VecDeque<String>,
}

impl Answers {
    /// Looks at an answer to an offer that waits for one, and remembers it.
    pub(super) fn look_at(&mut self, sdp: &str) -> Answer {
        if self.is_seen(sdp) {
            return Answer::Seen;
        }
        self.remember(sdp);
        let page = attribute(sdp, "fingerprint").map(str::to_owned);
        let from_another_page = page != self.page;
        self.page = page;
        Answer::New { from_another_page }
    }

    /// Whether an answer says something else than all before it; one that names no credentials says nothing.
    pub(super) fn contradicts(&self, sdp: &str) -> bool {
        credentials(sdp).is_some() && !self.is_seen(sdp)
    }

    /// An answer that nobody waits for.
    pub(super) fn remember(&mut self, sdp: &str) {
        if let Some(credentials) = credentials(sdp).filter(|_| !self.is_seen(sdp)) {
            self.seen.truncate(REMEMBERED - 1);
            self.seen.push_front(credentials);
        }
    }

    fn is_seen(&self, sdp: &str) -> bool {
        credentials(sdp).is_some_and(|credentials| self.seen.contains(&credentials))
    }
}

/// The value of the first such line.
fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    sdp.lines().find_map(|line| line.trim().strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

fn credentials(sdp: &str) -> Option<String> {
    Some(format!("{} {}", attribute(sdp, "ice-ufrag")?, attribute(sdp, "ice-pwd")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(page: &str, ufrag: &str) -> String {
        format!("v=0\r\na=fingerprint:sha-256 {page}\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:p\r\n")
    }

    #[test]
    fn an_answer_counts_once_and_another_page_is_known_by_its_certificate() {
        let mut answers = Answers::default();
        assert_eq!(answers.look_at(&answer("A", "1")), Answer::New { from_another_page: true });
        assert_eq!(answers.look_at(&answer("A", "1")), Answer::Seen);
        assert_eq!(answers.look_at(&answer("A", "2")), Answer::New { from_another_page: false });
        assert_eq!(answers.look_at(&answer("B", "3")), Answer::New { from_another_page: true });
        assert_eq!(answers.look_at(&answer("A", "2")), Answer::Seen, "for an older offer");
    }

    #[test]
    fn what_has_no_credentials_cannot_be_told_apart_and_counts() {
        let mut answers = Answers::default();
        answers.look_at("v=0");
        assert_eq!(answers.look_at("v=0"), Answer::New { from_another_page: false });
    }

    #[test]
    fn hours_of_answers_take_no_room() {
        let mut answers = Answers::default();
        for n in 0..10_000 {
            answers.look_at(&answer("A", &n.to_string()));
        }
        assert_eq!(answers.seen.len(), REMEMBERED);
    }
}
