//! Where reading a stream goes on after a break: from the last fragment that is whole, without the frames that were taken already.

use super::mkv::Tag;

/// From where the next connection shall send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Start {
    /// The newest fragment.
    #[default]
    Now,
    /// After the fragment that this token came with.
    Token(String),
    /// The fragment that the service got at this moment, epoch ms: it broke off before any token had come, or the token is not good any more.
    Server(i64),
}

/// What is known of one fragment.
#[derive(Debug, Clone, Default)]
struct Fragment {
    number: Option<String>,
    server_ms: Option<i64>,
    token: Option<String>,
    /// Frames that came of it over this connection.
    seen: u64,
}

/// The place in the stream.
#[derive(Debug, Default)]
pub struct Fragments {
    current: Fragment,
    /// The newest fragment of which a frame was taken, and how many of its frames.
    taken: Option<(String, u64)>,
    token: Option<String>,
    /// When the service got the fragment that is not whole yet.
    open_ms: Option<i64>,
    /// When the service got the newest fragment of which a frame was taken.
    taken_ms: Option<i64>,
}

impl Fragments {
    /// Where the next connection begins.
    #[must_use]
    pub fn start(&self) -> Start {
        match (&self.token, self.open_ms) {
            (Some(token), _) => Start::Token(token.clone()),
            (None, Some(ms)) => Start::Server(ms),
            (None, None) => Start::Now,
        }
    }

    /// The service does not know the token any more: the next connection begins at the fragment that was read last, by its time.
    pub fn forget_token(&mut self) {
        (self.token, self.open_ms) = (None, self.taken_ms);
    }

    /// The place is not known to the service any more: the next connection begins at the newest fragment.
    pub fn forget_place(&mut self) {
        (self.token, self.open_ms) = (None, None);
    }

    /// A connection begins: what was not whole is sent again.
    pub fn connected(&mut self) {
        self.current = Fragment::default();
    }

    /// A document begins, so the one before is whole.
    pub fn begin(&mut self) {
        if let Some(token) = self.current.token.take() {
            (self.token, self.open_ms) = (Some(token), None);
        }
        self.current = Fragment::default();
    }

    /// The service says something of this fragment.
    pub fn tag(&mut self, tag: &Tag) {
        match tag {
            Tag::FragmentNumber(number) => self.current.number = Some(number.clone()),
            Tag::ServerTimestamp(ms) => self.current.server_ms = Some(*ms),
            Tag::ContinuationToken(token) if self.current.seen > 0 => {
                // It comes after the frames, so they are all here.
                (self.token, self.open_ms) = (Some(token.clone()), None);
            }
            // Before the frames it is good only once they have come.
            Tag::ContinuationToken(token) => self.current.token = Some(token.clone()),
            Tag::ProducerTimestamp(_) | Tag::MillisBehindNow(_) | Tag::ErrorCode(_) | Tag::ErrorId(_) => {}
        }
    }

    /// A frame came; true when it was not taken before.
    pub fn take(&mut self) -> bool {
        self.current.seen += 1;
        if self.token.is_none() && self.current.seen == 1 {
            self.open_ms = self.current.server_ms;
        }
        let Some(number) = &self.current.number else { return true };
        match &mut self.taken {
            Some((newest, count)) if number == newest => {
                let new = self.current.seen > *count;
                *count = (*count).max(self.current.seen);
                new
            }
            Some((newest, _)) if rank(number) < rank(newest) => false,
            Some(_) | None => {
                self.taken = Some((number.clone(), self.current.seen));
                self.taken_ms = self.current.server_ms;
                true
            }
        }
    }
}

/// Orders decimals of any length.
fn rank(decimal: &str) -> (usize, &str) {
    let digits = decimal.trim_start_matches('0');
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(fragments: &mut Fragments, number: &str) {
        fragments.begin();
        fragments.tag(&Tag::FragmentNumber(number.into()));
        fragments.tag(&Tag::ServerTimestamp(1_000));
    }

    fn take(fragments: &mut Fragments, frames: usize) -> usize {
        (0..frames).filter(|_| fragments.take()).count()
    }

    #[test]
    fn a_fragment_that_broke_off_is_sent_again_and_only_its_rest_is_taken() {
        let mut fragments = Fragments::default();
        begin(&mut fragments, "9");
        assert_eq!(take(&mut fragments, 5), 5);
        fragments.tag(&Tag::ContinuationToken("after 9".into()));
        begin(&mut fragments, "10");
        assert_eq!(take(&mut fragments, 3), 3);
        assert_eq!(fragments.start(), Start::Token("after 9".into()));
        fragments.connected();
        begin(&mut fragments, "10");
        assert_eq!(take(&mut fragments, 5), 2, "10 is more than 9, and three of its frames were here");
    }

    #[test]
    fn a_token_before_the_frames_counts_only_once_they_have_come() {
        let mut fragments = Fragments::default();
        begin(&mut fragments, "1");
        fragments.tag(&Tag::ContinuationToken("after 1".into()));
        take(&mut fragments, 3);
        assert_eq!(fragments.start(), Start::Server(1_000), "it may have broken off");
        begin(&mut fragments, "2");
        assert_eq!(fragments.start(), Start::Token("after 1".into()));
    }

    #[test]
    fn a_fragment_older_than_the_newest_is_not_taken_again() {
        let mut fragments = Fragments::default();
        begin(&mut fragments, "00012");
        take(&mut fragments, 1);
        begin(&mut fragments, "3");
        assert_eq!(take(&mut fragments, 4), 0);
    }

    #[test]
    fn a_token_that_the_service_forgot_costs_no_frame_and_doubles_none() {
        let mut fragments = Fragments::default();
        begin(&mut fragments, "9");
        assert_eq!(take(&mut fragments, 5), 5);
        fragments.tag(&Tag::ContinuationToken("after 9".into()));
        begin(&mut fragments, "10");
        fragments.tag(&Tag::ServerTimestamp(3_000));
        assert_eq!(take(&mut fragments, 3), 3);
        fragments.forget_token();
        assert_eq!(fragments.start(), Start::Server(3_000));
        fragments.connected();
        begin(&mut fragments, "9");
        assert_eq!(take(&mut fragments, 5), 0, "clocks are rounded: the one before may come once more");
        begin(&mut fragments, "10");
        assert_eq!(take(&mut fragments, 5), 2);
    }

    #[test]
    fn a_place_that_the_service_forgot_is_left() {
        let mut fragments = Fragments::default();
        begin(&mut fragments, "1");
        take(&mut fragments, 1);
        fragments.forget_place();
        assert_eq!(fragments.start(), Start::Now);
    }
}
