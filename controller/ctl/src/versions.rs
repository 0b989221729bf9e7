//! `rollout`: what is known of the versions, in words, and what an operator changes of it.

use crate::definitions::revision;
use crate::text::age;
use controller_core::verdict::short;
use schemas::ids::Timestamp;
use schemas::operator::Signed;
use schemas::reason::{Cause, Why};
use schemas::rollout::{Bad, Rollout};
use schemas::worker::WorkerRow;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// No session changes its version.
    Pause,
    /// Go on.
    Resume,
    /// Back to the version before.
    Undo,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The record from now on.
    pub known: Rollout,
    /// What is said to whoever asked.
    pub said: String,
}

/// What stands beside the record.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The deployed version.
    pub deployed: &'a str,
    /// Sessions with a task, by the version of their worker.
    pub runs: &'a BTreeMap<String, usize>,
    /// Now.
    pub now: Timestamp,
}

/// Does it to the record.
///
/// # Errors
/// One line that says why there is nothing to do.
pub fn changed(known: &Rollout, deployed: &str, change: Change, signed: &Signed) -> Result<Changed, String> {
    let (mut known, name) = (known.clone(), short(deployed));
    let said = match change {
        Change::Pause if known.paused.is_some() => return Err("the rollout is paused already".into()),
        Change::Pause => {
            known.paused = Some(signed.clone());
            format!("paused: no session changes to {name}; new sessions start from {}", short(known.chosen(deployed)))
        }
        Change::Resume if known.paused.is_none() && known.bad(deployed).is_none() => {
            return Err(format!("nothing to resume: the rollout is not paused, and {name} is not bad"));
        }
        Change::Resume => {
            known.paused = None;
            known.acquit(deployed, signed.at);
            format!("goes on: new sessions start from {name}")
        }
        Change::Undo if known.bad(deployed).is_some() => {
            return Err(format!("{name} is bad already; new sessions start from {}", short(known.chosen(deployed))));
        }
        Change::Undo => {
            let note = if signed.note.is_empty() { String::new() } else { format!(": {}", signed.note) };
            let why = Why::new(Cause::OperatorStop, format!("taken back by {}{note}", signed.by), signed.at);
            known.condemn(Bad { version: deployed.into(), why, session: None, by: Some(signed.clone()) });
            if known.chosen(deployed) == deployed {
                return Err(format!(
                    "there is nothing to go back to: no other version than {name} was ever found good here; deploy the version before"
                ));
            }
            format!("goes back: new sessions start from {}", short(known.chosen(deployed)))
        }
    };
    Ok(Changed { known, said })
}

/// How many sessions with a task run on which version.
pub fn runs<'a>(rows: impl Iterator<Item = &'a WorkerRow>) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    for row in rows.filter(|row| !row.phase.is_final() && row.task.is_some()) {
        let version = row.intent.as_ref().and_then(|intent| intent.task_definition.clone());
        *runs.entry(version.unwrap_or_else(|| "not told".into())).or_insert(0) += 1;
    }
    runs
}

/// One document.
#[must_use]
pub fn json(known: &Rollout, scene: &Scene) -> Value {
    json!({ "deployed": scene.deployed, "newSessionsStartFrom": known.chosen(scene.deployed), "sessions": scene.runs, "known": known })
}

/// The page of `rollout status`.
#[must_use]
pub fn page(known: &Rollout, scene: &Scene) -> String {
    let Scene { deployed, runs, now } = *scene;
    let mut lines = vec![format!("deployed       {}: {}", short(deployed), standing(known, deployed, now))];
    lines.push(format!("new sessions   start from {}", short(known.chosen(deployed))));
    if let Some(by) = &known.paused {
        let note = if by.note.is_empty() { String::new() } else { format!(": {}", by.note) };
        lines.push(format!("paused         by {}, {} ago{note}", by.by, age(by.at, now)));
    }
    let counted = runs.iter().map(|(version, sessions)| format!("{sessions} on {}", short(version)));
    let counted: Vec<String> = counted.collect();
    lines.push(format!(
        "sessions       {}",
        if counted.is_empty() { "none has a worker".into() } else { counted.join(" · ") }
    ));
    let others = known.bad.iter().rev().filter(|bad| bad.version != deployed).take(3);
    lines.extend(others.map(|bad| {
        format!("bad before     :{}, {} ago: {}", revision(&bad.version), age(bad.why.at, now), bad.why.text)
    }));
    lines.join("\n")
}

/// What an operator sees above all sessions: a deployed version that is bad, and a rollout that is paused.
#[must_use]
pub fn banner(known: &Rollout, deployed: Option<&str>, now: Timestamp) -> Vec<String> {
    let bad = deployed.filter(|deployed| known.bad(deployed).is_some()).map(|deployed| {
        let back = short(known.chosen(deployed));
        format!("! {} is {}; new sessions start from {back}", short(deployed), standing(known, deployed, now))
    });
    let paused = known.paused.as_ref().map(|_| "! the rollout is paused: no session changes its version".to_owned());
    let mut said: Vec<String> = bad.into_iter().chain(paused).collect();
    if let Some(last) = said.last_mut() {
        last.push_str(" (`sessionctl rollout status`)");
    }
    said
}

/// What is known of the version of this row's worker, for `why`: nothing of a good one while nothing is paused.
#[must_use]
pub fn of_row(known: &Rollout, row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let version = row.intent.as_ref().and_then(|intent| intent.task_definition.as_deref());
    let bad = version.filter(|version| known.bad(version).is_some());
    let bad = bad.map(|version| format!("Its version {} is {}.", short(version), standing(known, version, now)));
    let trial = known.trial.as_ref().filter(|trial| trial.session == row.session_id && bad.is_none());
    let trial = trial.map(|trial| format!("The version {} is tried on it.", short(&trial.version)));
    let paused = known.paused.as_ref().map(|by| {
        format!("The rollout is paused by {} since {}: no session changes its version.", by.by, age(by.at, now))
    });
    bad.into_iter().chain(trial).chain(paused).collect()
}

/// What is known of one version, in a sentence.
fn standing(known: &Rollout, version: &str, now: Timestamp) -> String {
    if let Some(bad) = known.bad(version) {
        let whose = bad.session.as_ref().map_or_else(String::new, |session| format!(", on session {session}"));
        return format!("bad since {} ago{whose}: {}", age(bad.why.at, now), bad.why.text);
    }
    if known.is_good(version) {
        return "good".into();
    }
    match known.trial.as_ref().filter(|trial| trial.version == version) {
        Some(trial) => format!("on trial for {}, on session {}", age(trial.since, now), trial.session),
        None if known.good.is_none() => "nothing is known yet: no worker has heard a speaker for five minutes".into(),
        None => "on trial: no session has changed to it yet, new ones start from it".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "arn:aws:ecs:us-east-1:000000000000:task-definition/session-worker-dev:7";
    const NEW: &str = "arn:aws:ecs:us-east-1:000000000000:task-definition/session-worker-dev:8";
    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn ann(note: &str) -> Signed {
        Signed { by: "ann".into(), at: NOW.plus_ms(-120_000), note: note.into() }
    }
    fn good(version: &str) -> Rollout {
        Rollout { good: Some(version.into()), ..Rollout::default() }
    }
    fn told(known: &Rollout) -> String {
        let runs = [(OLD.to_owned(), 12), (NEW.to_owned(), 1)].into();
        page(known, &Scene { deployed: NEW, runs: &runs, now: NOW })
    }

    #[test]
    fn the_status_says_what_is_deployed_what_new_sessions_start_from_and_who_runs_on_what() {
        let mut known = good(OLD);
        let why = Why::new(Cause::WorkerCrashed, "the worker exited with code 101", NOW.plus_ms(-60_000));
        let session = schemas::ids::SessionId::try_new("blessed-shepherd-123").ok();
        known.condemn(Bad { version: NEW.into(), why, session, by: None });
        assert_eq!(
            told(&known),
            "deployed       session-worker-dev:8: bad since 1m00s ago, on session blessed-shepherd-123: the worker exited with code 101\n\
             new sessions   start from session-worker-dev:7\n\
             sessions       12 on session-worker-dev:7 · 1 on session-worker-dev:8"
        );
    }

    #[test]
    fn a_bad_version_and_a_pause_stand_above_all_sessions_and_in_the_why_of_each() {
        let mut known = good(OLD);
        assert!(banner(&known, Some(NEW), NOW).is_empty());
        let mut row = crate::store::samples::row("a-b-001");
        row.intent.as_mut().unwrap().task_definition = Some(NEW.into());
        assert!(of_row(&known, &row, NOW).is_empty());
        let why = Why::new(Cause::WorkerCrashed, "the worker exited with code 101", NOW.plus_ms(-60_000));
        known.condemn(Bad { version: NEW.into(), why, session: None, by: None });
        known.paused = Some(ann("the keynote"));
        assert_eq!(
            banner(&known, Some(NEW), NOW),
            [
                "! session-worker-dev:8 is bad since 1m00s ago: the worker exited with code 101; new sessions start from session-worker-dev:7",
                "! the rollout is paused: no session changes its version (`sessionctl rollout status`)"
            ]
        );
        assert_eq!(
            of_row(&known, &row, NOW),
            [
                "Its version session-worker-dev:8 is bad since 1m00s ago: the worker exited with code 101.",
                "The rollout is paused by ann since 2m00s: no session changes its version."
            ]
        );
    }

    #[test]
    fn an_undo_goes_back_from_a_version_on_trial_and_from_one_that_was_good() {
        let undone = changed(&good(OLD), NEW, Change::Undo, &ann("captions lag")).unwrap();
        assert_eq!(undone.said, "goes back: new sessions start from session-worker-dev:7");
        assert!(
            told(&undone.known).contains("bad since 2m00s ago: taken back by ann: captions lag"),
            "{}",
            told(&undone.known)
        );
        let mut known = good(OLD);
        known.approve(NEW);
        let undone = changed(&known, NEW, Change::Undo, &ann("")).unwrap();
        assert_eq!(undone.known.chosen(NEW), OLD);
        let refused = changed(&good(NEW), NEW, Change::Undo, &ann("")).unwrap_err();
        assert!(refused.contains("nothing to go back to"), "{refused}");
    }

    #[test]
    fn a_resume_ends_a_pause_and_tries_a_bad_version_again() {
        let paused = changed(&good(OLD), NEW, Change::Pause, &ann("the keynote")).unwrap().known;
        assert!(told(&paused).contains("paused         by ann, 2m00s ago: the keynote"), "{}", told(&paused));
        assert!(changed(&paused, NEW, Change::Pause, &ann("")).is_err());
        assert_eq!(changed(&paused, NEW, Change::Resume, &ann("")).unwrap().known.paused, None);
        let bad = changed(&good(OLD), NEW, Change::Undo, &ann("")).unwrap().known;
        let resumed = changed(&bad, NEW, Change::Resume, &ann("")).unwrap().known;
        assert_eq!((resumed.chosen(NEW), resumed.acquitted_at), (NEW, Some(ann("").at)));
        assert!(changed(&good(OLD), NEW, Change::Resume, &ann("")).is_err());
    }
}
