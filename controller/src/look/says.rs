//! What a look says in the log.

use crate::ports::PortError;
use controller_core::action::{Action, Plan};
use controller_core::model::View;
use schemas::ids::SessionId;

/// One line for a session that could not be looked at: ERROR when somebody has to act, WARN when it passes by itself.
pub(crate) fn log_failure(id: &SessionId, error: &PortError) {
    if error.needs_somebody() {
        tracing::error!(session = %id, %error, "a session could not be looked at, and does not mend by itself");
    } else {
        tracing::warn!(session = %id, %error, "a session could not be looked at; it is tried again");
    }
}

/// One line per decision: INFO when it does something, DEBUG when it only moves the next look.
pub(super) fn log_plan(view: &View, plan: &Plan) {
    let session = &view.session_id;
    let from = view.worker.as_ref().map(|row| format!("{:?}", row.phase));
    let why = plan.why.as_ref().map(|why| why.text.as_str());
    let cause = plan.why.as_ref().map(|why| format!("{:?}", why.cause));
    let actions: Vec<String> = plan.actions.iter().map(describe).collect();
    let (actions, next_look) = (actions.join(", "), plan.next_look.map(|at| at.0));
    if plan.is_noteworthy() {
        tracing::info!(%session, from, actions, cause, why, next_look, "decided");
    } else {
        tracing::debug!(%session, from, actions, next_look, "decided");
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
        Action::DeleteChannel { arn } => format!("delete channel {arn}"),
    }
}
