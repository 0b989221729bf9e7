//! The verdict on a version (a task definition): good, bad, or on trial.
//!
//! **Flow.** What happens to one session is evidence ([`evidence`]): a worker that has served a speaker for `policy.bake_ms` speaks for its
//! version, a failure that may be the version's own doing speaks against it, and the first session that a rollout takes is its trial. The decision
//! asks for the verdict before anything else ([`due`]): the controllers share it ([`Rollout`]), and the next pass decides with it.
//!
//! **Guarantees.** A version that was good before is never condemned: its failures are those of single sessions. A version that cannot run
//! costs one session its worker: until it has baked, a rollout takes one session only, and the relaunch after its failure comes from the last good
//! version. So do new sessions, from the first failure on. The first verdict stands until an operator takes it back or a newer version is deployed.
//!
//! **Caveats.** The very first version has nothing to go back to, and is never condemned. What AWS does to a task in these minutes may be held
//! against its version: then nothing is lost but the rollout, which an operator resumes.

use crate::action::{Action, Plan};
use crate::handover;
use crate::model::{Policy, View};
use crate::settle;
use schemas::ids::{SessionId, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::rollout::{Bad, Rollout, Trial};
use schemas::worker::{Phase, WorkerRow};
use serde::{Deserialize, Serialize};

/// Something that one session says of its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// Its worker has baked.
    Baked {
        /// The version.
        version: String,
    },
    /// Its worker has failed.
    Failed {
        /// The version.
        version: String,
        /// The session.
        session: SessionId,
        /// How.
        why: Why,
    },
    /// It changes to this version, which nobody knows yet.
    Tried {
        /// The version.
        version: String,
        /// The session.
        session: SessionId,
    },
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Baked { version } => write!(f, "{} is good", short(version)),
            Self::Failed { version, why, .. } => write!(f, "{} is bad: {}", short(version), why.text),
            Self::Tried { version, session } => write!(f, "{} is tried on {session}", short(version)),
        }
    }
}

/// `family:revision` of a task definition's ARN.
#[must_use]
pub fn short(task_definition: &str) -> &str {
    task_definition.rsplit('/').next().unwrap_or(task_definition)
}

/// The version that a launch is made from now; `None` when nobody told.
#[must_use]
pub fn chosen<'a>(view: &'a View, policy: &'a Policy) -> Option<&'a str> {
    let deployed = policy.task_definition.as_deref()?;
    Some(view.fleet.versions.as_ref().map_or(deployed, |known| known.chosen(deployed)))
}

/// The version of a launch: [`chosen`], but a session that had another does not meet an unknown version by chance, because its worker crashed or an
/// operator restarts it. Only the session of the trial does, and new ones.
#[must_use]
pub fn of_launch<'a>(view: &'a View, before: Option<&str>, policy: &'a Policy, now: Timestamp) -> Option<&'a str> {
    let chosen = chosen(view, policy)?;
    let known = view.fleet.versions.as_ref().filter(|_| before.is_some_and(|before| before != chosen));
    let stays = known.filter(|known| {
        let tried = trial(known, chosen, policy, now).is_some_and(|trial| trial.session == view.session_id);
        !known.is_good(chosen) && !tried
    });
    Some(stays.and_then(|known| known.good.as_deref()).unwrap_or(chosen))
}

/// Whether this session may change to the version now, as far as its trial goes: a version that is not known to be good is tried on one
/// session, and nobody else follows.
#[must_use]
pub fn lets_change(known: &Rollout, version: &str, session: &SessionId, policy: &Policy, now: Timestamp) -> bool {
    known.is_good(version)
        || known.good.is_none()
        || trial(known, version, policy, now).is_none_or(|trial| trial.session == *session)
}

/// The trial of this version that still counts: one whose session ended before its worker had baked makes room after some time.
fn trial<'a>(known: &'a Rollout, version: &str, policy: &Policy, now: Timestamp) -> Option<&'a Trial> {
    let lasts_ms = policy.launch_deadline_ms.saturating_add(policy.bake_ms.saturating_mul(2));
    known.trial.as_ref().filter(|trial| trial.version == version && now.since(trial.since) < lasts_ms)
}

/// What is to be noted before this plan is carried out; `None` when it is known already, or when the versions are not.
#[must_use]
pub fn due(view: &View, plan: &Plan, policy: &Policy, now: Timestamp) -> Option<Evidence> {
    let known = view.fleet.versions.as_ref()?;
    evidence(view, plan, policy, now).filter(|evidence| judged(known, evidence, policy, now) != *known)
}

/// What this session says of its version, whether or not that is known.
#[must_use]
pub fn evidence(view: &View, plan: &Plan, policy: &Policy, now: Timestamp) -> Option<Evidence> {
    let deployed = policy.task_definition.as_deref()?;
    let row = view.worker.as_ref()?;
    let version = row.intent.as_ref()?.task_definition.as_deref()?;
    let session = &view.session_id;
    if let Some(why) = failure(view, row, plan, now) {
        let (version, session) = (version.to_owned(), session.clone());
        return Some(Evidence::Failed { version, session, why });
    }
    let target = chosen(view, policy).unwrap_or(deployed);
    // What hands over because a stage of it is stuck is followed by the version that it had, as after a crash.
    let moves = plan.why.as_ref().is_none_or(|why| !blames_the_version(why.cause));
    if version != target && moves && handover::is_begun_by(plan) {
        return Some(Evidence::Tried { version: target.to_owned(), session: session.clone() });
    }
    has_baked(row, policy).then(|| Evidence::Baked { version: version.to_owned() })
}

/// What is known after this evidence; the same as before where it changes nothing.
#[must_use]
pub fn judged(known: &Rollout, evidence: &Evidence, policy: &Policy, now: Timestamp) -> Rollout {
    let mut known = known.clone();
    match evidence {
        Evidence::Baked { version } => {
            // Of a version that is neither deployed nor on trial it says something only while nothing is known to be good.
            let counts = known.good.is_none() || policy.task_definition.as_ref() == Some(version);
            if counts && known.bad(version).is_none() {
                known.approve(version);
            }
        }
        Evidence::Failed { version, session, why } => {
            let on_trial = !known.is_good(version) && policy.task_definition.as_ref() == Some(version);
            let counts = known.acquitted_at.is_none_or(|at| why.at > at);
            if on_trial && counts && known.good.is_some() {
                let (version, session) = (version.clone(), Some(session.clone()));
                known.condemn(Bad { version, why: why.clone(), session, by: None });
            }
        }
        Evidence::Tried { version, session } => {
            let nobody_knows = !known.is_good(version) && known.good.is_some();
            if nobody_knows && trial(&known, version, policy, now).is_none() {
                known.trial = Some(Trial { version: version.clone(), session: session.clone(), since: now });
            }
        }
    }
    known
}

/// Whether it is this failure that the version was found bad by: later ones of it are no news, and nor are those that speak against no version.
#[must_use]
pub fn is_condemned_by(known: &Rollout, version: &str, session: &SessionId, why: &Why) -> bool {
    known.bad(version).is_some_and(|bad| bad.session.as_ref() == Some(session) && bad.why == *why)
}

/// A worker of this row's version has failed, by what the version may be to blame for: as the plan counts it, as the end of its task says (also of a
/// session that ends at the same moment), as a worker that was started again within its task says, or because ECS refused its launch.
fn failure(view: &View, row: &WorkerRow, plan: &Plan, now: Timestamp) -> Option<Why> {
    let counted = plan.actions.iter().find_map(|action| match action {
        Action::Write(write) => {
            let ended = write.transition.as_ref().filter(|to| to.phase == Phase::Failed).map(|to| &to.why);
            write.restarts.last.as_ref().filter(|_| write.restarts.consecutive > row.restarts.consecutive).or(ended)
        }
        Action::RunTask { .. }
        | Action::LookAgain { .. }
        | Action::StopTask { .. }
        | Action::Strike { .. }
        | Action::DeleteChannel { .. }
        | Action::Judge(_) => None,
    });
    let launched_at = row.task.as_ref().map(|task| task.launched_at);
    let in_place = row.restarts.last.as_ref().filter(|why| launched_at.is_some_and(|at| why.at > at));
    let refused = (row.phase == Phase::Failed).then_some(&row.why);
    let ended = if row.phase.is_final() || row.phase == Phase::Queued { None } else { settle::fault(view, row, now) };
    [counted, ended.as_ref(), in_place, refused]
        .into_iter()
        .flatten()
        .find(|why| blames_the_version(why.cause))
        .cloned()
}

/// Whether a version that cannot run may fail so.
fn blames_the_version(cause: Cause) -> bool {
    match cause {
        Cause::LaunchRefused
        | Cause::LaunchTimedOut
        | Cause::TaskFailedToStart
        | Cause::WorkerCrashed
        | Cause::HeartbeatLost
        | Cause::StageStuck => true,
        Cause::SessionActive
        | Cause::SessionEnded
        | Cause::SessionInactive
        | Cause::SessionDeleted
        | Cause::SessionExpired
        | Cause::SessionReplaced
        | Cause::SessionPaused
        | Cause::OperatorStop
        | Cause::SpeakerGone
        | Cause::SpeakerNeverCame
        | Cause::MaxDuration
        | Cause::UnsupportedLanguage
        | Cause::MalformedRow
        | Cause::NoCapacity
        | Cause::Throttled
        | Cause::TaskInterrupted
        | Cause::LeaseLost
        | Cause::DrainTimedOut
        | Cause::RestartBudgetSpent
        | Cause::Handover
        | Cause::TranscribeLimit
        | Cause::NoMediaPath
        | Cause::Unknown => false,
    }
}

/// Whether this row's worker has heard a speaker for so long that its version counts as good.
fn has_baked(row: &WorkerRow, policy: &Policy) -> bool {
    let Some(worker) = &row.worker else { return false };
    let serves = match row.phase {
        Phase::Live | Phase::Paused => true,
        Phase::Queued
        | Phase::Launching
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Draining
        | Phase::Stopped
        | Phase::Failed => false,
    };
    let heard_at = worker.start_up.first_audio_at;
    serves && worker.trouble.is_none() && heard_at.is_some_and(|at| worker.heartbeat_at.since(at) >= policy.bake_ms)
}

#[cfg(test)]
mod tests;
