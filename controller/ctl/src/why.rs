//! `why`: one paragraph from one row.

use crate::board::short_task;
use crate::concerns::concerns;
use crate::orders;
use crate::replay;
use crate::text::{age, duration};
use controller_core::action::Plan;
use controller_core::model::{Fleet, Policy, Tasks, View};
use controller_core::rule::Rule;
use controller_core::run_rule::{self, Wish};
use schemas::ids::Timestamp;
use schemas::reason::Blame;
use schemas::session::SessionRecord;
use schemas::worker::WorkerRow;

/// The facts, the cause, who is to blame, what was decided, what operators have ordered, and the next look. `theirs` is what the session
/// service's own row says, when it was read.
#[must_use]
pub fn paragraph(row: &WorkerRow, decision: Option<&Decision>, theirs: Option<&Theirs>, now: Timestamp) -> String {
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
    said.extend(theirs.map(|theirs| of_theirs(row, theirs, now)));
    said.extend(task(row));
    said.extend(progress(row, now));
    said.extend(restarts(row, now));
    let concerns = concerns(row, now);
    if !concerns.is_empty() && !row.phase.is_final() {
        said.push(format!("Not fine: {}.", concerns.join("; ")));
    }
    said.extend(decision.map(|decision| decided(decision, now)));
    said.extend(orders::sentences(row, now).into_iter().map(|order| format!("An operator's order: {order}.")));
    said.push(next_look(row, now));
    said.join(" ")
}

/// What the session service's own row says.
#[derive(Debug, Clone, PartialEq)]
pub enum Theirs {
    /// It was read; `None` when there is none.
    Read(Option<SessionRecord>),
    /// It could not be read, and why.
    Unread(String),
}

/// What their row wants, by the controller's own rule; loud where the worker's row says otherwise.
fn of_theirs(row: &WorkerRow, theirs: &Theirs, now: Timestamp) -> String {
    let session = match theirs {
        Theirs::Unread(problem) => return format!("The session's own row could not be read ({problem})."),
        Theirs::Read(session) => session.clone(),
    };
    let view = View {
        session_id: row.session_id.clone(),
        session,
        worker: None,
        tasks: Tasks::Unknown("not asked".into()),
        fleet: Fleet::default(),
        strikes: Vec::new(),
    };
    match run_rule::wish(&view, &Policy::default(), now) {
        Wish::Serve(run) if !run.is_run_of(row.intent.as_ref()) => {
            "The session's own row wants a worker for another run (another channel).".to_owned()
        }
        Wish::Serve(_) => "The session's own row wants a worker.".to_owned(),
        Wish::Refuse { why, .. } => {
            format!("The session's own row cannot be served: {}.", why.text.trim_end_matches('.'))
        }
        Wish::Stop(why) => {
            let text = why.text.trim_start_matches("the session row wants nothing: ");
            format!("The session's own row wants no worker: {}.", text.trim_end_matches('.'))
        }
    }
}

/// The last noteworthy decision, as far as this version can read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// When it was made.
    pub at: Timestamp,
    /// What was decided.
    pub plan: Plan,
    /// The rule that decided; `None` when this version decides otherwise on the same inputs.
    pub rule: Option<Rule>,
}

impl Decision {
    /// Reads a stored decision; `None` when it is of another version.
    #[must_use]
    pub fn read(json: Option<&str>) -> Option<Self> {
        let replayed = replay::replay(replay::read(json?).ok()?).ok()?;
        let rule = replayed.differences.is_empty().then_some(replayed.rule);
        Some(Self { at: replayed.at, plan: replayed.then?, rule })
    }
}

fn decided(decision: &Decision, now: Timestamp) -> String {
    let rule = decision.rule.map_or_else(String::new, |rule| format!(" by the rule of the {}", rule.in_words()));
    format!(
        "The last decision{rule}, {} ago, was to {}.",
        age(decision.at, now),
        replay::in_words(&decision.plan, decision.at).join(", then ").trim_end_matches('.')
    )
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

/// The schedule looks every minute, and Lambda may be a little late, ms.
const TICK: i64 = 75_000;

fn next_look(row: &WorkerRow, now: Timestamp) -> String {
    match row.next_look_at {
        Some(at) if at > now => format!("The controller looks again in {} at the latest.", duration(at.since(now))),
        Some(at) if now.since(at) < TICK => "The controller looks at its next tick, within a minute.".to_owned(),
        Some(at) => format!("The controller should have looked {} ago: check its function and schedule.", age(at, now)),
        None if row.phase.is_final() => "Nothing more happens in this run.".to_owned(),
        None => "Nobody is due to look again, which should not be: check the controller.".to_owned(),
    }
}

/// Whether a script need not be worried: nothing is not fine.
#[must_use]
pub fn healthy(row: &WorkerRow, now: Timestamp) -> bool {
    concerns(row, now).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use schemas::reason::{Cause, Why};
    use schemas::worker::Phase;

    #[test]
    fn a_live_session_says_what_moves_and_who_looks_next() {
        let said = paragraph(&row("a-b-001"), None, None, Timestamp(T0 + 10_000));
        for part in ["is Live since 7s", "SessionActive", "audio 1s ago", "looks again in 50s"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn an_overdue_look_is_loud() {
        let said = paragraph(&row("a-b-001"), None, None, Timestamp(T0 + 600_000));
        assert!(said.contains("should have looked 9m00s ago"), "{said}");
    }

    #[test]
    fn a_failed_session_names_the_one_to_blame_and_is_not_healthy() {
        let mut row = row("a-b-001");
        row.phase = Phase::Failed;
        row.next_look_at = None;
        row.why = Why::new(Cause::UnsupportedLanguage, "sourceLanguage holds \"xx\"", Timestamp(T0));
        let said = paragraph(&row, None, None, Timestamp(T0 + 1_000));
        assert!(said.contains("the fault of the session row") && said.contains("Nothing more happens"), "{said}");
        assert!(!healthy(&row, Timestamp(T0 + 1_000)));
    }

    #[test]
    fn the_decision_is_told_with_its_rule_and_its_actions() {
        let why = Why::new(Cause::SessionEnded, "status is ended", Timestamp(T0));
        let plan = Plan { actions: Vec::new(), next_look: Some(Timestamp(T0 + 60_000)), why: Some(why) };
        let decision = Decision { at: Timestamp(T0), plan, rule: Some(Rule::Stop) };
        let said = paragraph(&row("a-b-001"), Some(&decision), None, Timestamp(T0 + 10_000));
        let part =
            "The last decision by the rule of the stop, 10s ago, was to do nothing, then look again after 1m00s.";
        assert!(said.contains(part), "{said}");
    }

    #[test]
    fn a_held_session_whose_row_has_ended_does_not_read_as_if_all_were_well() {
        let ended = serde_json::json!({ "sessionId": "a-b-001", "kvsChannelArn": "arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-a-b-001/1234567890123", "sourceLanguage": "en", "createdAt": T0, "expiresAt": T0 + 86_400_000, "status": "ended" });
        let theirs = Theirs::Read(Some(schemas::session::read_session(ended.as_object().unwrap())));
        let said = paragraph(&row("a-b-001"), None, Some(&theirs), Timestamp(T0 + 10_000));
        assert!(said.contains("The session's own row wants no worker: status is ended."), "{said}");
        let gone = paragraph(&row("a-b-001"), None, Some(&Theirs::Read(None)), Timestamp(T0 + 10_000));
        assert!(gone.contains("the session row is gone"), "{gone}");
    }
}
