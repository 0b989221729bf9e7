//! Whether the rehearsal proves what it must: every final exactly once, a told audience, a clean end.

use super::record::{ListenerLog, Recording};
use super::wer::WordErrors;
use schemas::ids::Generation;
use schemas::worker::Phase;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that had to be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What had to be true.
    pub what: String,
    /// What was seen instead; `None` when it was true.
    pub failure: Option<String>,
}

impl Check {
    fn new(what: impl Into<String>, failure: Option<String>) -> Self {
        Self { what: what.into(), failure }
    }

    /// Whether it was true.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// All checks. The rehearsal is good when each of them passed.
#[must_use]
pub fn checks(recording: &Recording) -> Vec<Check> {
    let mut checks = Vec::new();
    for log in &recording.listeners {
        let who = log.plan.label();
        let last = recording.last_cursors.get(&log.plan.language).copied();
        checks.push(Check::new(format!("{who} joined"), joined(log)));
        checks.push(Check::new(format!("{who} got every final exactly once"), exactly_once(log, last)));
        checks.push(Check::new(format!("{who} got every final in their language"), translated(log)));
        if log.plan.late_s.is_some() {
            checks.push(Check::new(format!("{who} caught up on joining late"), caught_up(log, recording)));
        }
        checks.push(Check::new(format!("{who} got only well-formed messages"), well_formed(log)));
        checks.push(Check::new(format!("{who} got sessionEnded"), told(log)));
    }
    checks.push(Check::new("the speech was played to its end", played(recording)));
    checks.push(Check::new("the worker row is Stopped", stopped(recording)));
    checks.push(Check::new("the task is STOPPED with exit code 0", exited(recording)));
    checks
}

/// Whether the words were understood: at most so many percent of the script's are wrong.
#[must_use]
pub fn understood(words: &WordErrors, most: f64) -> Check {
    let percent = words.percent();
    let failure = format!(
        "{percent:.1} % are: {} heard of {}, {} errors; the audio, the speaker's language or the recogniser is not what the script says",
        words.heard, words.words, words.errors
    );
    let unit = words.unit.name();
    Check::new(format!("no more than {most} % of the script's {unit} are wrong"), (percent > most).then_some(failure))
}

fn joined(log: &ListenerLog) -> Option<String> {
    match (&log.joined, &log.closed) {
        (Some(_), _) => None,
        (None, Some(why)) => Some(why.clone()),
        (None, None) => Some("no sessionJoined came".into()),
    }
}

/// Cursors from 1 (or the first one, for those who came late) without gap or repetition up to the row's last, each
/// segment once, and nothing more of a segment after its final. A worker that takes another's place counts from 1 again.
#[must_use]
pub fn exactly_once(log: &ListenerLog, last: Option<(Generation, u64)>) -> Option<String> {
    let cursors: Vec<(Generation, u64)> = log.finals().map(|(_, c)| (c.generation, c.cursor)).collect();
    let (Some(&(_, first)), Some(&end)) = (cursors.first(), cursors.last()) else {
        return Some("no final came".into());
    };
    if log.plan.late_s.is_none() && first != 1 {
        return Some(format!(
            "the first final has cursor {first}, so {} are missing before it",
            first.saturating_sub(1)
        ));
    }
    if let Some((a, b)) = cursors.iter().zip(cursors.iter().skip(1)).find(|(a, b)| !follows(**a, **b)) {
        let what = if b <= a { "came twice or out of order" } else { "left a gap" };
        return Some(format!("cursor {} of generation {} after {} of {}: finals {what}", b.1, b.0, a.1, a.0));
    }
    if let Some(segment) = repeated(log) {
        return Some(format!("segment {segment} has two finals"));
    }
    if let Some(segment) = after_final(log) {
        return Some(format!("segment {segment} got a caption after its final"));
    }
    match last {
        Some(last) if last == end => None,
        Some(last) => Some(format!(
            "the last final has cursor {} of generation {}, the worker's row says {} of {}",
            end.1, end.0, last.1, last.0
        )),
        None => Some(format!("the worker's row never named {}", log.plan.language)),
    }
}

/// The next final of the same worker, or the first of a later one.
fn follows(a: (Generation, u64), b: (Generation, u64)) -> bool {
    if a.0 == b.0 { b.1 == a.1 + 1 } else { b.0 > a.0 && b.1 == 1 }
}

fn repeated(log: &ListenerLog) -> Option<&str> {
    let mut seen = BTreeSet::new();
    log.finals().map(|(_, c)| c.segment_id.as_str()).find(|id| !seen.insert(*id))
}

/// A partial after its final, or a revision of anything but an original that came before, once.
fn after_final(log: &ListenerLog) -> Option<&str> {
    // Of each segment that is over: whether a translation may still follow.
    let mut over: BTreeMap<&str, bool> = BTreeMap::new();
    for (_, caption) in &log.captions {
        let id = caption.segment_id.as_str();
        let may_follow = over.get(id).copied();
        if (caption.revised && may_follow != Some(true)) || (!caption.is_final && may_follow.is_some()) {
            return Some(id);
        }
        if caption.is_final {
            over.insert(id, caption.degraded && !caption.revised);
        }
    }
    None
}

fn translated(log: &ListenerLog) -> Option<String> {
    let degraded = log.untranslated();
    (degraded > 0).then(|| format!("{degraded} came untranslated; the worker's log says why"))
}

fn caught_up(log: &ListenerLog, recording: &Recording) -> Option<String> {
    if log.captions.iter().any(|(_, c)| c.catch_up) {
        return None;
    }
    let Some(joined) = log.joined else { return Some("never joined".into()) };
    let said_before = recording.listeners.iter().flat_map(ListenerLog::finals).any(|(at, _)| *at < joined);
    Some(if said_before {
        "no catch-up caption came, though finals had been given before".into()
    } else {
        "nothing had been said to its end before: nothing was proved; let the listener join later".into()
    })
}

fn well_formed(log: &ListenerLog) -> Option<String> {
    let first = log.unreadable.first()?;
    Some(format!("{} unreadable, the first: {first}", log.unreadable.len()))
}

fn told(log: &ListenerLog) -> Option<String> {
    match (&log.ended, &log.closed) {
        (Some(_), _) => None,
        (None, Some(why)) => Some(format!("the connection ended before: {why}")),
        (None, None) => Some("none came".into()),
    }
}

fn played(recording: &Recording) -> Option<String> {
    match (recording.speech_began, recording.speech_ended) {
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some("it broke off".into()),
        (None, _) => Some("it never began".into()),
    }
}

fn stopped(recording: &Recording) -> Option<String> {
    match &recording.row {
        Some(row) if row.phase == Phase::Stopped => None,
        Some(row) => Some(format!("it is {:?}: {}", row.phase, row.why.text)),
        None => Some("there is no row".into()),
    }
}

fn exited(recording: &Recording) -> Option<String> {
    match &recording.task {
        Some(task) if task.status == "STOPPED" && task.exit_code == Some(0) => None,
        Some(task) => Some(format!(
            "it is {}{}{}",
            task.status,
            task.exit_code.map_or_else(|| ", no exit code".to_owned(), |c| format!(", exit code {c}")),
            task.reason.as_ref().map_or_else(String::new, |r| format!(" ({r})"))
        )),
        None => Some("ECS named no task".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::{caption, recording, said};
    use super::super::record::{Event, ListenerEvent, SpeakerEvent, TaskSeen};
    use super::super::wer::Unit;
    use super::*;
    use proptest::prelude::*;
    use schemas::ids::Timestamp;
    use schemas::message::{Caption, Message, SessionEnded};
    use schemas::reason::Cause;

    fn finals(who: &str, cursors: &[u64]) -> ListenerLog {
        let mut recording = recording(&[who]);
        for (n, cursor) in cursors.iter().enumerate() {
            recording.take(Timestamp(1), said(0, caption(&who[..2], n as u64 + 1, *cursor, true)));
        }
        recording.listeners.remove(0)
    }

    fn at(cursor: u64) -> Option<(Generation, u64)> {
        Some((Generation(1), cursor))
    }

    #[test]
    fn a_replaced_worker_counts_from_one_again() {
        let mut log = finals("es", &[1, 2, 1, 2]);
        for (n, (_, caption)) in log.captions.iter_mut().enumerate() {
            caption.generation = Generation(if n < 2 { 1 } else { 2 });
        }
        assert_eq!(exactly_once(&log, Some((Generation(2), 2))), None);
        assert!(exactly_once(&log, at(2)).unwrap().contains("row says 2 of 1"));
        log.captions[2].1.cursor = 2;
        assert!(exactly_once(&log, Some((Generation(2), 2))).unwrap().contains("left a gap"));
    }

    #[test]
    fn dense_cursors_up_to_the_rows_last_are_every_final_once() {
        assert_eq!(exactly_once(&finals("es", &[1, 2, 3]), at(3)), None);
    }

    #[test]
    fn a_lost_first_a_lost_last_and_a_gap_are_each_named() {
        assert!(exactly_once(&finals("es", &[2, 3]), at(3)).unwrap().contains("1 are missing"));
        assert!(exactly_once(&finals("es", &[1, 2]), at(3)).unwrap().contains("row says 3 of 1"));
        assert!(exactly_once(&finals("es", &[1, 3]), at(3)).unwrap().contains("left a gap"));
        assert!(exactly_once(&finals("es", &[]), at(3)).unwrap().contains("no final"));
        assert!(exactly_once(&finals("es", &[1]), None).unwrap().contains("never named es"));
    }

    #[test]
    fn one_who_comes_late_begins_where_they_came() {
        assert_eq!(exactly_once(&finals("es@5", &[4, 5]), at(5)), None);
    }

    #[test]
    fn a_final_that_comes_twice_is_found_by_cursor_and_by_segment() {
        assert!(exactly_once(&finals("es", &[1, 2, 2]), at(2)).unwrap().contains("twice"));
        let mut log = finals("es", &[1, 2]);
        log.captions[1].1.segment_id = "s1".into();
        assert!(exactly_once(&log, at(2)).unwrap().contains("two finals"));
    }

    #[test]
    fn a_partial_after_its_final_breaks_the_contract() {
        let mut recording = recording(&["es"]);
        recording.take(Timestamp(1), said(0, caption("es", 1, 1, true)));
        recording.take(Timestamp(2), said(0, caption("es", 1, 1, false)));
        assert!(exactly_once(&recording.listeners[0], at(1)).unwrap().contains("after its final"));
    }

    #[test]
    fn the_translation_of_an_original_may_follow_it_once_and_no_other_final_twice() {
        let original = Caption { degraded: true, ..caption("es", 1, 1, true) };
        let revised = Caption { revised: true, translated: true, revision: 10, ..caption("es", 1, 1, true) };
        let log = |captions: &[&Caption]| {
            let mut recording = recording(&["es"]);
            captions.iter().for_each(|c| recording.take(Timestamp(1), said(0, (*c).clone())));
            recording.listeners.remove(0)
        };
        let good = log(&[&original, &revised]);
        assert_eq!((exactly_once(&good, at(1)), translated(&good)), (None, None));
        assert!(translated(&log(&[&original])).is_some());
        for bad in [vec![&original, &revised, &revised], vec![&caption("es", 1, 1, true), &revised]] {
            assert!(exactly_once(&log(&bad), at(1)).unwrap().contains("after its final"));
        }
    }

    #[test]
    fn a_late_listener_needs_catch_up_and_a_rehearsal_that_could_show_it() {
        let mut r = recording(&["en", "es@5"]);
        r.take(Timestamp(9), Event::Listener { index: 1, what: ListenerEvent::Joined });
        assert!(caught_up(&r.listeners[1], &r).unwrap().contains("join later"));
        r.take(Timestamp(5), said(0, caption("en", 1, 1, true)));
        assert!(caught_up(&r.listeners[1], &r).unwrap().contains("no catch-up"));
        let mut caption = caption("es", 1, 1, true);
        caption.catch_up = true;
        r.take(Timestamp(10), said(1, caption));
        assert_eq!(caught_up(&r.listeners[1], &r), None);
    }

    #[test]
    fn an_original_in_place_of_a_translation_does_not_pass() {
        let mut recording = recording(&["es"]);
        let mut original = caption("es", 1, 1, true);
        original.degraded = true;
        recording.take(Timestamp(1), said(0, original));
        assert!(translated(&recording.listeners[0]).unwrap().contains("1 came untranslated"));
    }

    #[test]
    fn a_whole_good_session_passes_every_check() {
        let mut r = recording(&["es"]);
        let ended = Message::SessionEnded(SessionEnded {
            session_id: r.session.clone(),
            generation: None,
            reason: Cause::SessionEnded,
            timestamp: Timestamp(9),
        });
        let mut row = crate::store::samples::row("a-b-001");
        row.phase = Phase::Stopped;
        for event in [
            Event::Listener { index: 0, what: ListenerEvent::Joined },
            Event::Speaker(SpeakerEvent::SpeechBegan),
            said(0, caption("es", 1, 1, false)),
            said(0, caption("es", 1, 1, true)),
            said(0, caption("es", 2, 2, true)),
            said(0, caption("es", 3, 3, true)),
            Event::Speaker(SpeakerEvent::SpeechEnded),
            Event::Listener { index: 0, what: ListenerEvent::Message(Box::new(ended)) },
            Event::Row(Box::new(row)),
            Event::Task(TaskSeen { status: "STOPPED".into(), exit_code: Some(0), reason: None }),
        ] {
            r.take(Timestamp(1), event);
        }
        let failed: Vec<_> = checks(&r).into_iter().filter(|c| !c.passed()).collect();
        assert_eq!(failed, []);
    }

    #[test]
    fn a_talk_that_was_mostly_not_understood_does_not_pass() {
        let words = |errors| WordErrors { unit: Unit::Words, words: 100, heard: 27, errors };
        assert_eq!(understood(&words(50), 50.0).failure, None);
        let failed = understood(&words(73), 50.0);
        assert_eq!(failed.what, "no more than 50 % of the script's words are wrong");
        assert!(failed.failure.unwrap().starts_with("73.0 % are: 27 heard of 100"));
        assert!(understood(&words(73), 80.0).passed());
    }

    #[test]
    fn an_empty_rehearsal_fails_every_check_that_needs_proof() {
        let failed = checks(&recording(&["es"])).into_iter().filter(|c| !c.passed()).count();
        assert_eq!(failed, 6);
    }

    proptest! {
        #[test]
        fn exactly_once_holds_for_the_dense_sequence_and_for_no_other(cursors in proptest::collection::vec(1u64..5, 1..6)) {
            let dense = cursors.iter().enumerate().all(|(n, c)| *c == n as u64 + 1);
            let last = cursors.last().copied().and_then(at);
            prop_assert_eq!(exactly_once(&finals("es", &cursors), last).is_none(), dense);
        }
    }
}
