//! One session: view → plan → effects, until it is at rest.

use crate::handler::Controller;
use crate::ports::{Bus, Channels, Note, Orchestrator, PortError, Sessions, Workers, Written};
use controller_core::action::{Action, Plan};
use controller_core::launch::{self, Answer};
use controller_core::model::{Fleet, Tasks, View, status_is_stopped};
use controller_core::{happening, reconcile, sweep};
use schemas::ids::{SessionId, TaskArn};
use schemas::worker::{Phase, WorkerRow};
use serde_json::json;
use tracing::Instrument as _;

/// Plans that one look may carry out before it leaves the rest to the next trigger.
const PASSES: usize = 6;

/// What a look knows of the other sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knowing {
    /// No more than the process remembers.
    Nothing,
    /// It is made in the order of the wishes, by a sweep that may have counted the handovers.
    TheQueue {
        /// Sessions that hand over at this moment.
        handing_over: Option<u32>,
    },
}

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

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels> Controller<S, W, O, B, C> {
    /// Looks at one session and does what it needs. `hints` are tasks of it that were seen elsewhere.
    ///
    /// # Errors
    /// [`PortError`] when a read or an effect failed; what was done before it stands.
    pub async fn look(&self, id: &SessionId, hints: &[TaskArn]) -> Result<(), PortError> {
        self.look_knowing(id, hints, Knowing::Nothing).await
    }

    /// The same, knowing more of the fleet.
    pub(crate) async fn look_knowing(
        &self,
        id: &SessionId,
        hints: &[TaskArn],
        knowing: Knowing,
    ) -> Result<(), PortError> {
        self.memory.looks_at(id.as_str());
        let span = tracing::info_span!("look", session = %id);
        self.passes(id, hints, knowing).instrument(span).await
    }

    fn fleet(&self, knowing: Knowing) -> Fleet {
        let now = (self.clock)();
        match knowing {
            Knowing::Nothing => self.memory.fleet(&self.policy, now),
            Knowing::TheQueue { handing_over } => self.memory.fleet_in_order(handing_over, &self.policy, now),
        }
    }

    async fn passes(&self, id: &SessionId, hints: &[TaskArn], knowing: Knowing) -> Result<(), PortError> {
        let mut lost = 0;
        for _ in 0..PASSES {
            let (view, plan) = self.decide(id, hints, self.fleet(knowing)).await?;
            if plan.actions.is_empty() {
                tracing::debug!(session = %id, next_look = ?plan.next_look, "nothing to do");
                self.tell(view.worker.as_ref()).await;
                return Ok(());
            }
            log_plan(&view, &plan);
            let applied = self.apply(&view, &plan).await?;
            if plan.is_noteworthy() && applied != Applied::Lost {
                self.keep(&view, &plan).await;
            }
            match applied {
                Applied::AtRest => {
                    let row = self.workers.read(id).await?;
                    self.tell(row.as_ref()).await;
                    return Ok(());
                }
                Applied::Changed => {}
                Applied::Lost => lost += 1,
            }
        }
        if lost == PASSES { Err(PortError::Contended(lost)) } else { Ok(()) }
    }

    /// Reads and decides. A final row whose task has ended does not need ECS, unless there is something to do after all.
    async fn decide(&self, id: &SessionId, hints: &[TaskArn], fleet: Fleet) -> Result<(View, Plan), PortError> {
        // Ours first: what is written rests on our row being unchanged, and so on a session row that was read after it. The
        // other way round, a session row read before its end would bring the ended session back.
        let worker = self.workers.read(id).await?;
        let session = self.sessions.read(id).await?;
        let mut view = View {
            session_id: id.clone(),
            session,
            worker,
            tasks: Tasks::Unknown("ECS was not asked".into()),
            fleet,
            strikes: Vec::new(),
        };
        if view.worker.as_ref().is_some_and(is_settled) && hints.is_empty() {
            let plan = reconcile(&view, &self.policy, (self.clock)());
            if plan.actions.is_empty() {
                return Ok((view, plan));
            }
        }
        view.tasks = self.orchestrator.tasks(id, view.worker.as_ref(), hints).await;
        if sweep::strays(&view).next().is_some() {
            view.strikes = self.workers.strikes(id).await?;
        }
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
                        if written.phase == Phase::Failed && write.transition.is_some() {
                            self.memory.count(|metrics| metrics.failures += 1);
                        }
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
                Action::Strike { arn } => {
                    tracing::warn!(session = %id, task = %arn, "a task that no row speaks of: its first strike");
                    self.workers.strike(id, arn, (self.clock)()).await?;
                }
                Action::DeleteChannel { arn } => {
                    self.channels.delete(arn).await?;
                    if let Some(row) = &row {
                        self.workers.note(row, &Note::ChannelDeleted((self.clock)())).await?;
                    }
                }
                Action::StopTask { arn, reason } => {
                    self.memory.count(|metrics| metrics.stops += 1);
                    self.orchestrator.stop_task(arn, reason).await?;
                }
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
        self.memory.launch_was_asked();
        let answer = self.orchestrator.run_task(row).await;
        self.count_launch(&answer);
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

impl<S, W: Workers, O, B: Bus, C> Controller<S, W, O, B, C> {
    /// Tells the bus what nobody has been told of this row. Best effort: the next look tells it again.
    async fn tell(&self, row: Option<&WorkerRow>) {
        let Some((row, (events, published))) = row.and_then(|row| Some((row, happening::news(row, (self.clock)())?)))
        else {
            return;
        };
        let told = match self.bus.publish(&events).await {
            Ok(()) => self.workers.note(row, &Note::Published(published)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            self.memory.count(|metrics| metrics.event_errors += 1);
            tracing::warn!(session = %row.session_id, %error, "what happened could not be told");
        }
    }

    /// Keeps the inputs and the plan of a decision, to be replayed. Best effort.
    async fn keep(&self, view: &View, plan: &Plan) {
        let now = (self.clock)();
        let decision = json!({"view": view, "policy": self.policy, "now": now, "plan": plan});
        if let Err(error) = self.workers.keep_decision(&view.session_id, decision.to_string(), now).await {
            tracing::warn!(session = %view.session_id, %error, "a decision could not be kept");
        }
    }

    fn count_launch(&self, answer: &Answer) {
        match answer {
            Answer::Launched { .. } | Answer::Existing { .. } => self.memory.count(|metrics| metrics.launches += 1),
            Answer::Throttled(_) => {
                self.memory.launch_was_throttled();
                self.memory.count(|metrics| metrics.launch_failures += 1);
            }
            Answer::NoCapacity(_) | Answer::Refused(_) | Answer::Retry(_) => {
                self.memory.count(|metrics| metrics.launch_failures += 1);
            }
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
