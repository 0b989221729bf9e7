//! Sessions that the last net found, and that needed nothing.
//!
//! A run that has ended by itself stays in the session service's table until somebody ends or deletes it there, and is wanted by every word of
//! its row. Nothing comes of looking at it each minute; so it is left alone for a minute, then two, four and so on up to [`MOST_MS`], until its row changes. A
//! process that begins anew looks at each once.

use schemas::ids::{SessionId, Timestamp};
use schemas::session::SessionRecord;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A session that needs nothing is looked at again after so long at the latest, ms.
pub(crate) const MOST_MS: i64 = 3_600_000;
/// The first rest, ms: the next tick but one.
const FIRST_MS: i64 = 60_000;
/// So many sessions are remembered; beyond that, everything is forgotten once.
const MOST: usize = 100_000;

#[derive(Debug)]
struct Rest {
    record: u64,
    lasts_ms: i64,
    until: Timestamp,
}

/// All that rest.
#[derive(Debug, Default)]
pub(crate) struct Resting {
    known: HashMap<SessionId, Rest>,
}

impl Resting {
    /// Whether nothing has to be done for a session of this record, as far as was seen.
    pub(crate) fn rests(&self, id: &SessionId, record: &SessionRecord, now: Timestamp) -> bool {
        self.known.get(id).is_some_and(|rest| rest.record == fingerprint(record) && now < rest.until)
    }

    /// A look at a session of this record went well.
    pub(crate) fn looked_at(&mut self, id: &SessionId, record: &SessionRecord, now: Timestamp) {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let record = fingerprint(record);
        let before = self.known.get(id).filter(|rest| rest.record == record);
        let lasts_ms = before.map_or(FIRST_MS, |rest| (rest.lasts_ms * 2).min(MOST_MS));
        self.known.insert(id.clone(), Rest { record, lasts_ms, until: now.plus_ms(lasts_ms) });
    }
}

fn fingerprint(record: &SessionRecord) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{record:?}").hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(why: &str) -> SessionRecord {
        SessionRecord::Ignored { why: why.to_owned() }
    }

    #[test]
    fn a_session_that_needs_nothing_is_left_alone_for_longer_each_time_until_its_row_changes() {
        let (id, mut resting, mut now) = (SessionId::try_new("a-b-1").unwrap(), Resting::default(), Timestamp(0));
        let mut looks = 0;
        for _ in 0..24 * 60 {
            if !resting.rests(&id, &record("as it is"), now) {
                resting.looked_at(&id, &record("as it is"), now);
                looks += 1;
            }
            now = now.plus_ms(60_000);
        }
        assert!((20..=32).contains(&looks), "{looks} looks in a day, not 1,440");
        assert!(!resting.rests(&id, &record("another run"), now));
    }
}
