//! Which sessions a list shows.

use crate::cli::ListArgs;
use crate::concerns::concerns;
use crate::store::Record;
use schemas::ids::{Language, SessionId, Timestamp};
use schemas::worker::{Phase, WorkerRow};

/// A failed session is shown for so long, ms.
const FAILED_SHOWN: i64 = 24 * 3_600_000;
/// A stopped session is shown for so long, ms.
const STOPPED_SHOWN: i64 = 3_600_000;

/// What a person wants to see.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    sessions: Vec<SessionId>,
    phases: Vec<Phase>,
    not_fine: bool,
    language: Option<Language>,
    older_than_ms: Option<i64>,
    all: bool,
}

impl Filter {
    /// The filter of a command line.
    #[must_use]
    pub fn of(args: &ListArgs) -> Self {
        Self {
            sessions: args.sessions.clone(),
            phases: args.phase.iter().map(|p| (*p).into()).collect(),
            not_fine: args.not_fine,
            language: args.language.clone(),
            older_than_ms: args.older_than.map(|d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
            all: args.all,
        }
    }

    /// Whether a record is shown. One that cannot be read is never hidden, unless sessions are named.
    #[must_use]
    pub fn takes(&self, record: &Record, now: Timestamp) -> bool {
        match record {
            Record::Row(row) => self.takes_row(row, now),
            Record::Unreadable { session, .. } => {
                self.sessions.is_empty() || self.sessions.iter().any(|id| id.as_str() == session)
            }
        }
    }

    fn takes_row(&self, row: &WorkerRow, now: Timestamp) -> bool {
        let named = self.sessions.is_empty() || self.sessions.contains(&row.session_id);
        // Who names sessions or a final phase means those, however old.
        let explicit = !self.sessions.is_empty() || self.phases.iter().any(|phase| phase.is_final());
        named
            && (self.phases.is_empty() || self.phases.contains(&row.phase))
            && (self.all || explicit || recent(row, now))
            && (!self.not_fine || !concerns(row, now).is_empty())
            && self.language.as_ref().is_none_or(|language| speaks(row, language))
            && self.older_than_ms.is_none_or(|ms| now.since(wanted_since(row)) > ms)
    }
}

fn recent(row: &WorkerRow, now: Timestamp) -> bool {
    let age = now.since(row.phase_since);
    match row.phase {
        Phase::Failed => age < FAILED_SHOWN,
        Phase::Stopped => age < STOPPED_SHOWN,
        Phase::Queued
        | Phase::Launching
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Live
        | Phase::Paused
        | Phase::Draining => true,
    }
}

fn speaks(row: &WorkerRow, language: &Language) -> bool {
    row.intent.as_ref().is_some_and(|intent| intent.source_language == *language)
        || row.worker.as_ref().is_some_and(|w| w.languages.get(language).is_some_and(|l| l.listeners > 0))
}

fn wanted_since(row: &WorkerRow) -> Timestamp {
    let intent = row.intent.as_ref();
    intent.map_or(row.phase_since, |intent| intent.wanted_since.unwrap_or(intent.decided_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};

    const NOW: Timestamp = Timestamp(T0 + 10_000);

    fn takes(filter: &Filter, row: WorkerRow, now: Timestamp) -> bool {
        filter.takes(&Record::Row(Box::new(row)), now)
    }

    #[test]
    fn a_filter_never_hides_what_cannot_be_read() {
        let odd = Record::Unreadable { session: "odd".into(), record: "current".into(), problem: "x".into() };
        assert!(Filter { phases: vec![Phase::Failed], not_fine: true, ..Filter::default() }.takes(&odd, NOW));
    }

    #[test]
    fn what_ended_long_ago_is_shown_to_those_who_ask_for_it() {
        let mut old = row("a-b-001");
        old.phase = Phase::Stopped;
        let later = Timestamp(T0 + 2 * STOPPED_SHOWN);
        assert!(!takes(&Filter::default(), old.clone(), later));
        assert!(takes(&Filter { all: true, ..Filter::default() }, old.clone(), later));
        assert!(takes(&Filter { phases: vec![Phase::Stopped], ..Filter::default() }, old.clone(), later));
        assert!(takes(&Filter { sessions: vec![old.session_id.clone()], ..Filter::default() }, old, later));
    }

    #[test]
    fn a_failure_of_the_night_is_still_there_in_the_morning() {
        let mut failed = row("a-b-001");
        failed.phase = Phase::Failed;
        let morning = Timestamp(T0 + 8 * 3_600_000);
        assert!(takes(&Filter { not_fine: true, ..Filter::default() }, failed, morning));
    }

    #[test]
    fn fine_sessions_are_out_of_the_way() {
        let filter = Filter { not_fine: true, ..Filter::default() };
        assert!(!takes(&filter, row("a-b-001"), NOW));
        assert!(takes(&filter, row("a-b-001"), Timestamp(T0 + 60_000)), "a heartbeat that is a minute old");
    }

    #[test]
    fn a_language_is_the_speakers_or_a_listeners() {
        for (language, found) in [("en", true), ("es", true), ("de", false)] {
            let filter = Filter { language: Language::try_new(language).ok(), ..Filter::default() };
            assert_eq!(takes(&filter, row("a-b-001"), NOW), found, "{language}");
        }
    }

    #[test]
    fn age_is_how_long_the_session_has_been_wanted() {
        let filter = |ms| Filter { older_than_ms: Some(ms), ..Filter::default() };
        assert!(takes(&filter(9_000), row("a-b-001"), NOW) && !takes(&filter(11_000), row("a-b-001"), NOW));
    }
}
