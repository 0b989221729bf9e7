//! `why`: one paragraph from one row.

use crate::board::short_task;
use crate::text::{age, duration};
use schemas::ids::Timestamp;
use schemas::reason::Blame;
use schemas::worker::{Phase, WorkerRow};

/// The facts, the cause, who is to blame, and the next look.
#[must_use]
pub fn paragraph(row: &WorkerRow, now: Timestamp) -> String {
    let mut said = vec![format!(
        "{} is {:?} since {} (generation {}): {}.",
        row.session_id,
        row.phase,
        age(row.phase_since, now),
        row.generation,
        row.why.text.trim_end_matches('.')
    )];
    said.push(format!(
        "The cause is {:?}, {}, seen {} ago{}.",
        row.why.cause,
        blamed(row.why.blame),
        age(row.why.at, now),
        if row.why.cause.retryable() { "; another launch may help" } else { "" }
    ));
    said.extend(task(row));
    said.extend(progress(row, now));
    said.extend(restarts(row, now));
    said.push(next_look(row, now));
    said.join(" ")
}

/// Who is to blame, in words.
#[must_use]
pub fn blamed(blame: Blame) -> &'static str {
    match blame {
        Blame::Operator => "asked for by the session service or an operator",
        Blame::Speaker => "the speaker's doing",
        Blame::Us => "our own fault",
        Blame::Aws => "AWS's doing",
        Blame::Row => "the fault of the session row",
    }
}

fn task(row: &WorkerRow) -> Option<String> {
    let task = row.task.as_ref()?;
    let mut said = format!("Task {} is {}", short_task(&task.arn), task.last_status);
    if let Some(code) = task.exit_code {
        said.push_str(&format!(" with exit code {code}"));
    }
    if let Some(reason) = &task.stopped_reason {
        said.push_str(&format!(" ({reason})"));
    }
    said.push('.');
    Some(said)
}

fn progress(row: &WorkerRow, now: Timestamp) -> Option<String> {
    let worker = row.worker.as_ref()?;
    if row.phase.is_final() {
        return Some(format!("The worker's last word came {} ago.", age(worker.heartbeat_at, now)));
    }
    let stage = |name: &str, at: Option<Timestamp>| match at {
        Some(at) => format!("{name} {} ago", age(at, now)),
        None => format!("{name} never"),
    };
    let p = &worker.progress;
    Some(format!(
        "Last heartbeat {} ago, {}, {}, {}, {}.",
        age(worker.heartbeat_at, now),
        stage("audio", p.rtp_at),
        stage("speech", p.speech_at),
        stage("text", p.transcript_at),
        stage("delivery", p.delivery_at)
    ))
}

fn restarts(row: &WorkerRow, now: Timestamp) -> Option<String> {
    let restarts = &row.restarts;
    let last = restarts.last.as_ref()?;
    let wait = restarts
        .not_before
        .filter(|t| *t > now)
        .map_or_else(String::new, |t| format!("; no launch for another {}", duration(t.since(now))));
    Some(format!(
        "The generation before ended by {:?} ({}); {} unhealthy in a row{wait}.",
        last.cause,
        last.text.trim_end_matches('.'),
        restarts.consecutive
    ))
}

fn next_look(row: &WorkerRow, now: Timestamp) -> String {
    match row.next_look_at {
        Some(at) if at > now => format!("The controller looks again in {} at the latest.", duration(at.since(now))),
        Some(at) => format!("The controller should have looked {} ago: check its function and schedule.", age(at, now)),
        None if row.phase.is_final() => "Nothing more happens in this run.".to_owned(),
        None => "Nobody is due to look again, which should not be: check the controller.".to_owned(),
    }
}

/// Whether a script should be worried.
#[must_use]
pub fn healthy(row: &WorkerRow) -> bool {
    match row.phase {
        Phase::Failed => false,
        Phase::Queued
        | Phase::Launching
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Live
        | Phase::Paused
        | Phase::Draining
        | Phase::Stopped => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use schemas::reason::{Cause, Why};

    #[test]
    fn a_live_session_says_what_moves_and_who_looks_next() {
        let said = paragraph(&row("a-b-001"), Timestamp(T0 + 10_000));
        for part in ["is Live since 7s", "SessionActive", "audio 1s ago", "looks again in 50s"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn an_overdue_look_is_loud() {
        let said = paragraph(&row("a-b-001"), Timestamp(T0 + 600_000));
        assert!(said.contains("should have looked 9m00s ago"), "{said}");
    }

    #[test]
    fn a_failed_session_names_the_one_to_blame_and_is_not_healthy() {
        let mut row = row("a-b-001");
        row.phase = Phase::Failed;
        row.next_look_at = None;
        row.why = Why::new(Cause::UnsupportedLanguage, "sourceLanguage holds \"xx\"", Timestamp(T0));
        let said = paragraph(&row, Timestamp(T0 + 1_000));
        assert!(said.contains("the fault of the session row") && said.contains("Nothing more happens"), "{said}");
        assert!(!healthy(&row));
    }
}
