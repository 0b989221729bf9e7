//! What a look says in the log.

use crate::ports::PortError;
use controller_core::action::{Action, Plan};
use controller_core::model::View;
use controller_core::restart;
use schemas::ids::{SessionId, Timestamp};
use schemas::reason::Blame;
use schemas::worker::Phase;

/// One line for a session that could not be looked at: ERROR when somebody has to act, WARN when it passes by itself.
pub(crate) fn log_failure(id: &SessionId, error: &PortError) {
    if error.needs_somebody() {
        tracing::error!(session = %id, %error, "a session could not be looked at, and does not mend by itself");
    } else {
        tracing::warn!(session = %id, %error, "a session could not be looked at; it is tried again");
    }
}

/// How loud a decision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loudness {
    /// A session has failed for good or is parked, and not by the doing of its row.
    Error,
    /// A worker is replaced, or a session has to wait, by a fault.
    Warn,
    /// It does something.
    Info,
    /// It only moves the next look.
    Debug,
}

fn loudness(plan: &Plan) -> Loudness {
    let write = plan.actions.iter().find_map(|action| match action {
        Action::Write(write) => Some(write),
        Action::LookAgain { .. }
        | Action::RunTask { .. }
        | Action::StopTask { .. }
        | Action::Strike { .. }
        | Action::Judge(_)
        | Action::DeleteChannel { .. } => None,
    });
    let Some(to) = write.and_then(|write| write.transition.as_ref()) else {
        return if plan.is_noteworthy() { Loudness::Info } else { Loudness::Debug };
    };
    let ours = match to.why.blame {
        Blame::Us | Blame::Aws => true,
        Blame::Operator | Blame::Speaker | Blame::Row => false,
    };
    let relaunched = write.is_some_and(|write| write.restarts.consecutive > 0);
    match to.phase {
        Phase::Failed if ours => Loudness::Error,
        Phase::Queued if restart::is_parked(to.phase, to.why.cause) => Loudness::Error,
        Phase::Queued
        | Phase::Launching
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Live
        | Phase::Paused
        | Phase::Draining
        | Phase::Stopped
        | Phase::Failed => {
            if ours || relaunched {
                Loudness::Warn
            } else {
                Loudness::Info
            }
        }
    }
}

/// One line per decision. The cause is spelt as in the row; the next look is told in seconds from now.
pub(super) fn log_plan(view: &View, plan: &Plan, decided_at: Timestamp) {
    let session = &view.session_id;
    let from = view.worker.as_ref().map(|row| format!("{:?}", row.phase));
    let why = plan.why.as_ref().map(|why| why.text.as_str());
    let cause = plan.why.as_ref().and_then(|why| serde_json::to_value(why.cause).ok());
    let cause = cause.as_ref().and_then(|cause| cause.as_str());
    let actions: Vec<String> = plan.actions.iter().map(describe).collect();
    let actions = actions.join(", ");
    let next_look_s = plan.next_look.map(|at| at.since(decided_at) / 1_000);
    match loudness(plan) {
        Loudness::Error => tracing::error!(%session, from, actions, cause, why, "decided"),
        Loudness::Warn => tracing::warn!(%session, from, actions, cause, why, next_look_s, "decided"),
        Loudness::Info => tracing::info!(%session, from, actions, cause, why, next_look_s, "decided"),
        Loudness::Debug => tracing::debug!(%session, from, actions, next_look_s, "decided"),
    }
}

fn describe(action: &Action) -> String {
    match action {
        Action::Write(write) => match &write.transition {
            Some(transition) => format!("write generation {} {:?}", write.generation, transition.phase),
            None => {
                let task = write.task.as_ref().map_or("none", |task| task.last_status.as_str());
                let desired = write.intent.as_ref().map_or_else(String::new, |intent| format!("{:?}", intent.desired));
                format!("record generation {}: task {task}, desired {desired}", write.generation)
            }
        },
        Action::LookAgain { .. } => "look again".to_owned(),
        Action::RunTask { generation } => format!("run task of generation {generation}"),
        Action::StopTask { reason, .. } => format!("stop task: {reason}"),
        Action::Strike { arn } => format!("mark stray task {arn}"),
        Action::Judge(evidence) => format!("note that {evidence}"),
        Action::DeleteChannel { arn } => format!("delete channel {arn}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use controller_core::action::RowWrite;
    use schemas::ids::Generation;
    use schemas::reason::{Cause, Why};
    use schemas::worker::Restarts;

    fn to(phase: Phase, cause: Cause, consecutive: u32) -> Loudness {
        let write = RowWrite {
            generation: Generation(1),
            transition: None,
            intent: None,
            task: None,
            restarts: Restarts { consecutive, ..Restarts::default() },
            next_look_at: None,
            archive: None,
        };
        loudness(&Plan::write(write.to(phase, Why::new(cause, "because", Timestamp(0)))))
    }

    #[test]
    fn a_decision_is_as_loud_as_somebody_has_to_hear_it() {
        assert_eq!(to(Phase::Failed, Cause::RestartBudgetSpent, 5), Loudness::Error);
        assert_eq!(to(Phase::Failed, Cause::LaunchRefused, 0), Loudness::Error);
        assert_eq!(to(Phase::Queued, Cause::RestartBudgetSpent, 6), Loudness::Error, "parked");
        assert_eq!(to(Phase::Failed, Cause::UnsupportedLanguage, 0), Loudness::Info, "the row's own doing");
        assert_eq!(to(Phase::Launching, Cause::SessionActive, 1), Loudness::Warn, "a relaunch");
        assert_eq!(to(Phase::Queued, Cause::NoCapacity, 0), Loudness::Warn);
        assert_eq!(to(Phase::Launching, Cause::SessionActive, 0), Loudness::Info);
        assert_eq!(to(Phase::Draining, Cause::SessionEnded, 0), Loudness::Info);
        assert_eq!(loudness(&Plan::rest(None)), Loudness::Debug);
    }
}
