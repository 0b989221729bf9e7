//! One session: view → plan → effects, until it is at rest.

use crate::handler::Controller;
use crate::ports::{Orchestrator, PortError, Sessions, Workers, Written};
use controller_core::action::{Action, Plan};
use controller_core::launch::{self, Answer};
use controller_core::model::{Fleet, Tasks, View, status_is_stopped};
use controller_core::reconcile;
use schemas::ids::{SessionId, TaskArn};
use schemas::worker::WorkerRow;

/// Plans that one look may carry out before it leaves the rest to the next trigger.
const PASSES: usize = 6;

/// How the effects of one plan went.
#[derive(Debug, PartialEq, Eq)]
enum Applied {
    /// Something changed that another plan may follow from at once.
    Changed,
    /// Done for now.
    AtRest,
    /// The row had changed since it was read.
    Lost,
}

impl<S: Sessions, W: Workers, O: Orchestrator> Controller<S, W, O> {
    /// Looks at one session and does what it needs. `hints` are tasks of it that were seen elsewhere.
    ///
    /// # Errors
    /// [`PortError`] when a read or an effect failed; what was done before it stands.
    pub async fn look(&self, id: &SessionId, hints: &[TaskArn]) -> Result<(), PortError> {
        let mut lost = 0;
        for _ in 0..PASSES {
            let (view, plan) = self.decide(id, hints).await?;
            if plan.actions.is_empty() {
                tracing::debug!(session = %id, next_look = ?plan.next_look, "nothing to do");
                return Ok(());
            }
            log_plan(&view, &plan);
            match self.apply(&view, &plan).await? {
                Applied::AtRest => return Ok(()),
                Applied::Changed => {}
                Applied::Lost => lost += 1,
            }
        }
        if lost == PASSES { Err(PortError::Contended(lost)) } else { Ok(()) }
    }

    /// Reads and decides. A final row whose task has ended does not need ECS, unless there is something to do after all.
    async fn decide(&self, id: &SessionId, hints: &[TaskArn]) -> Result<(View, Plan), PortError> {
        // Ours first: what is written rests on our row being unchanged, and so on a session row that was read after it. The
        // other way round, a session row read before its end would bring the ended session back.
        let worker = self.workers.read(id).await?;
        let session = self.sessions.read(id).await?;
        let mut view = View {
            session_id: id.clone(),
            session,
            worker,
            tasks: Tasks::Unknown("ECS was not asked".into()),
            fleet: Fleet::default(),
            strikes: Vec::new(),
        };
        if view.worker.as_ref().is_some_and(is_settled) && hints.is_empty() {
            let plan = reconcile(&view, &self.policy, (self.clock)());
            if plan.actions.is_empty() {
                return Ok((view, plan));
            }
        }
        view.tasks = self.orchestrator.tasks(id, view.worker.as_ref(), hints).await;
        let plan = reconcile(&view, &self.policy, (self.clock)());
        Ok((view, plan))
    }

    async fn apply(&self, view: &View, plan: &Plan) -> Result<Applied, PortError> {
        let id = &view.session_id;
        let mut row = view.worker.clone();
        let mut applied = Applied::AtRest;
        for action in &plan.actions {
            match action {
                Action::Write(write) => match self.workers.write(id, row.as_ref(), write, (self.clock)()).await? {
                    Written::Row(written) => {
                        row = Some(*written);
                        applied = Applied::Changed;
                    }
                    Written::Lost => return Ok(Applied::Lost),
                },
                Action::LookAgain { at } => {
                    if let Some(row) = &row {
                        self.workers.look_again(row, *at).await?;
                    }
                }
                Action::Strike { .. } | Action::DeleteChannel { .. } => {}
                Action::StopTask { arn, reason } => self.orchestrator.stop_task(arn, reason).await?,
                Action::RunTask { .. } => {
                    if let Some(row) = &row {
                        applied = self.run(row).await?;
                    }
                }
            }
        }
        Ok(applied)
    }

    /// RunTask, and its answer into the row at once. When that write is lost, somebody newer knows better; when this process
    /// dies before it, the next look repeats RunTask with the same token.
    async fn run(&self, row: &WorkerRow) -> Result<Applied, PortError> {
        let answer = self.orchestrator.run_task(row).await;
        let session = &row.session_id;
        let generation = row.generation.0;
        match &answer {
            Answer::Launched { arn, last_status } => {
                tracing::info!(%session, generation, task = %arn, last_status, "task launched");
            }
            Answer::Existing { arn } => tracing::info!(%session, generation, task = %arn, "task existed already"),
            Answer::NoCapacity(text) => tracing::warn!(%session, generation, text, "no capacity for the task"),
            Answer::Throttled(text) => tracing::warn!(%session, generation, text, "launch throttled"),
            Answer::Refused(text) => tracing::error!(%session, generation, text, "launch refused"),
            Answer::Retry(text) => {
                tracing::warn!(%session, generation, text, "launch not confirmed, the same token again")
            }
        }
        let now = (self.clock)();
        let Some(write) = launch::answered(row, &answer, &self.policy, now) else { return Ok(Applied::AtRest) };
        let written = self.workers.write(session, Some(row), &write, now).await?;
        let ended = write.task.as_ref().is_some_and(|task| status_is_stopped(&task.last_status));
        match written {
            Written::Row(_) if ended => Ok(Applied::Changed),
            Written::Row(_) => Ok(Applied::AtRest),
            Written::Lost => Ok(Applied::Lost),
        }
    }
}

/// Whether nothing of the row's task is open any more.
fn is_settled(row: &WorkerRow) -> bool {
    row.phase.is_final() && row.task.as_ref().is_none_or(|task| status_is_stopped(&task.last_status))
}

/// One line per decision: INFO when it does something, DEBUG when it only moves the next look.
fn log_plan(view: &View, plan: &Plan) {
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
