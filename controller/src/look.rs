//! One session: view → plan → effects, until it is at rest.

mod says;

pub(crate) use says::log_failure;

use crate::handler::Controller;
use crate::ports::{Bus, Channels, Note, Orchestrator, PortError, Sessions, Workers, Written};
use controller_core::action::{Action, Plan};
use controller_core::launch::{self, Answer};
use controller_core::model::{Fleet, Policy, Tasks, View, status_is_stopped};
use controller_core::verdict::{self, Evidence};
use controller_core::{admission, handover, happening, liveness, reconcile, restart, sweep};
use says::log_plan;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::worker::{Phase, WorkerRow};
use serde::Serialize;
use std::time::Duration;
use tracing::Instrument as _;

/// Plans that one look may carry out before it leaves the rest to the next trigger.
const PASSES: usize = 6;

/// Between two looks at a worker that seems silent: longer than a worker waits between two tries to write its row.
const SECOND_LOOK: Duration = Duration::from_secs(3);

/// What was last counted of the fleet is good for so long, ms: two sweeps.
const IS_KNOWN_MS: i64 = 120_000;

/// What a look knows of the other sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knowing {
    /// No more than the controllers share.
    Nothing,
    /// It is made in the order of the wishes, by a sweep that may have counted the handovers.
    TheQueue {
        /// Sessions that hand over at this moment.
        lanes: Lanes,
    },
}

/// How many sessions hand over at this moment; not counted: no leave to begin another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lanes {
    /// As a rollout counts them.
    pub(crate) rollout: Option<u32>,
    /// As drains count them.
    pub(crate) drains: Option<u32>,
}

impl Lanes {
    /// With one more.
    pub(crate) fn and_one(self) -> Self {
        Self { rollout: self.rollout.map(|n| n + 1), drains: self.drains.map(|n| n + 1) }
    }
}

impl Knowing {
    fn lanes(self) -> Lanes {
        match self {
            Self::Nothing => Lanes::default(),
            Self::TheQueue { lanes } => lanes,
        }
    }
}

/// The inputs and the plan of a decision, as they are kept. (Written in one go: a tree of JSON values in between takes longer
/// than all the rest of a look.)
#[derive(Serialize)]
struct Decision<'a> {
    view: &'a View,
    policy: &'a Policy,
    now: Timestamp,
    plan: &'a Plan,
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

    /// What the controllers share of the fleet, as this look may use it.
    async fn fleet(&self, knowing: Knowing) -> Result<Fleet, PortError> {
        let known = self.workers.admission().await?;
        let now = (self.clock)();
        self.memory.versions_are(&known.versions, now);
        let lately = |at: Timestamp| now.since(at) < IS_KNOWN_MS;
        let waiting = known.waiting.filter(|(_, at)| lately(*at)).map_or(0, |(waiting, _)| waiting);
        Ok(Fleet {
            launches_left: known.bucket.map_or(self.policy.launch_burst, |bucket| bucket.left(&self.policy, now)),
            ahead: match knowing {
                Knowing::Nothing => waiting,
                Knowing::TheQueue { .. } => 0, // It is looked at in the order of the wishes.
            },
            handing_over: knowing.lanes().rollout,
            draining: knowing.lanes().drains,
            streams_are_full: known.streams_full_at.is_some_and(lately),
            versions: Some(known.versions),
        })
    }

    async fn passes(&self, id: &SessionId, hints: &[TaskArn], knowing: Knowing) -> Result<(), PortError> {
        let mut lost = 0;
        for _ in 0..PASSES {
            let (view, plan, decided_at) = self.decide(id, hints, knowing).await?;
            self.mind_the_streams(&view, decided_at).await;
            if plan.actions.is_empty() {
                tracing::debug!(session = %id, next_look = ?plan.next_look, "nothing to do");
                return self.tell(view.worker.as_ref()).await;
            }
            log_plan(&view, &plan, decided_at);
            let applied = self.apply(&view, &plan).await?;
            if plan.is_noteworthy() && applied != Applied::Lost {
                self.keep(&view, &plan, decided_at).await;
            }
            match applied {
                Applied::AtRest => {
                    let row = self.workers.read(id).await?;
                    return self.tell(row.as_ref()).await;
                }
                Applied::Changed => {}
                Applied::Lost => lost += 1,
            }
        }
        if lost == PASSES { Err(PortError::Contended(lost)) } else { Ok(()) }
    }

    /// Reads and decides; with the time that the decision was made for.
    async fn decide(
        &self,
        id: &SessionId,
        hints: &[TaskArn],
        knowing: Knowing,
    ) -> Result<(View, Plan, Timestamp), PortError> {
        let (mut view, plan, now) = self.decide_alone(id, hints, knowing).await?;
        let unread = view.fleet.versions.is_none() && verdict::evidence(&view, &plan, &self.policy, now).is_some();
        if !plan.needs_leave() && !unread {
            return Ok((view, plan, now));
        }
        // Only a launch, a handover and a verdict ask what the others do. The leave is taken before the intent is written, so that no crash and no
        // other controller can take it twice.
        view.fleet = self.fleet(knowing).await?;
        let now = (self.clock)();
        let plan = reconcile(&view, &self.policy, now);
        if !plan.launches() || self.workers.take_launch(&self.policy, now).await? {
            return Ok((view, plan, now));
        }
        view.fleet.launches_left = 0;
        let plan = reconcile(&view, &self.policy, now);
        Ok((view, plan, now))
    }

    /// The decision from this session alone. A worker that seems silent is looked at twice: after an outage of the table a controller may
    /// read a row before its worker could write it.
    async fn decide_alone(
        &self,
        id: &SessionId,
        hints: &[TaskArn],
        knowing: Knowing,
    ) -> Result<(View, Plan, Timestamp), PortError> {
        let view = self.view(id, hints, knowing).await?;
        let now = (self.clock)();
        let plan = reconcile(&view, &self.policy, now);
        let silent = view.worker.as_ref().is_some_and(|row| liveness::is_silent(row, &self.policy, now));
        if !silent || !plan.is_noteworthy() {
            return Ok((view, plan, now));
        }
        (self.pause)(SECOND_LOOK).await;
        let view = self.view(id, hints, knowing).await?;
        let now = (self.clock)();
        let plan = reconcile(&view, &self.policy, now);
        Ok((view, plan, now))
    }

    /// The session read afresh. A final row whose task has ended does not need ECS, unless there is something to do after all.
    async fn view(&self, id: &SessionId, hints: &[TaskArn], knowing: Knowing) -> Result<View, PortError> {
        // Ours first: what is written rests on our row being unchanged, and so on a session row that was read after it. The
        // other way round, a session row read before its end would bring the ended session back.
        let worker = self.workers.read(id).await?;
        let session = self.sessions.read(id).await?;
        let mut view = View {
            session_id: id.clone(),
            session,
            worker,
            tasks: Tasks::Unknown("ECS was not asked".into()),
            fleet: Fleet {
                handing_over: knowing.lanes().rollout,
                draining: knowing.lanes().drains,
                versions: self.memory.versions((self.clock)()),
                ..Fleet::default()
            },
            strikes: Vec::new(),
        };
        let settled = view.worker.as_ref().is_some_and(is_settled) && hints.is_empty();
        if settled && reconcile(&view, &self.policy, (self.clock)()).actions.is_empty() {
            return Ok(view);
        }
        view.tasks = self.orchestrator.tasks(id, view.worker.as_ref(), hints).await;
        if sweep::strays(&view).next().is_some() {
            view.strikes = self.workers.strikes(id).await?;
        }
        Ok(view)
    }

    /// A worker that Transcribe gives no stream tells it for all: new sessions wait. Best effort, and again with the next look.
    async fn mind_the_streams(&self, view: &View, now: Timestamp) {
        if !view.worker.as_ref().is_some_and(|row| admission::finds_no_stream(row, &self.policy, now)) {
            return;
        }
        if let Err(error) = self.workers.streams_are_full(now).await {
            tracing::warn!(%error, "that Transcribe gives no further stream could not be noted");
        }
    }

    async fn apply(&self, view: &View, plan: &Plan) -> Result<Applied, PortError> {
        let id = &view.session_id;
        let mut row = view.worker.clone();
        let mut applied = Applied::AtRest;
        for action in &plan.actions {
            match action {
                Action::Write(write) => match self.workers.write(id, row.as_ref(), write, (self.clock)()).await? {
                    Written::Row(written) => {
                        let given_up =
                            written.phase == Phase::Failed || restart::is_parked(written.phase, written.why.cause);
                        if given_up && write.transition.is_some() {
                            self.memory.count(|metrics| metrics.failures += 1);
                        }
                        if handover::is_under_way(&written) {
                            self.memory.count_handover();
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
                Action::Judge(evidence) => {
                    self.judge(view, evidence).await?;
                    applied = Applied::Changed;
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

    /// Notes what the session says of its version. A version that is found bad is told: somebody deployed it.
    async fn judge(&self, view: &View, evidence: &Evidence) -> Result<(), PortError> {
        let now = (self.clock)();
        let known = self.workers.judge(evidence, &self.policy, now).await?;
        self.memory.versions_are(&known, now);
        match evidence {
            Evidence::Baked { version } => tracing::info!(version, "a version is good: it has baked"),
            Evidence::Tried { version, session } => {
                tracing::info!(version, %session, "a version is tried on one session")
            }
            Evidence::Failed { version, session, why } => {
                self.memory.count(|metrics| metrics.bad_versions += 1);
                let back_to = known.good.as_deref();
                tracing::error!(version, %session, why = why.text, back_to, "a version is bad: launches come from the last good one");
                let Some(row) = &view.worker else { return Ok(()) };
                if let Err(error) = self.bus.publish(&[happening::version_failed(row, why, now)]).await {
                    self.memory.count(|metrics| metrics.event_errors += 1);
                    tracing::warn!(%session, %error, "that a version is bad could not be told to the bus");
                }
            }
        }
        Ok(())
    }

    /// RunTask, and its answer into the row at once. When that write is lost, somebody newer knows better; when this process
    /// dies before it, the next look repeats RunTask with the same token.
    async fn run(&self, row: &WorkerRow) -> Result<Applied, PortError> {
        let answer = self.orchestrator.run_task(row).await;
        self.count_launch(&answer);
        if let Answer::Throttled(_) = &answer
            && let Err(error) = self.workers.no_launch_is_left(&self.policy, (self.clock)()).await
        {
            tracing::warn!(%error, "that RunTask was throttled could not be noted for the other controllers");
        }
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
        if matches!((&answer, &written), (Answer::Refused(_), Written::Row(_))) {
            self.memory.count(|metrics| metrics.failures += 1);
        }
        let ended = write.task.as_ref().is_some_and(|task| status_is_stopped(&task.last_status));
        match written {
            Written::Row(_) if ended => Ok(Applied::Changed),
            Written::Row(_) => Ok(Applied::AtRest),
            Written::Lost => Ok(Applied::Lost),
        }
    }
}

impl<S, W: Workers, O, B: Bus, C> Controller<S, W, O, B, C> {
    /// Tells the bus what nobody has been told of this row. An error of the bus keeps no session from anything: an open row has
    /// its next look, which tells the same again, and an ended one, which has none, is marked to be tried again.
    async fn tell(&self, row: Option<&WorkerRow>) -> Result<(), PortError> {
        let now = (self.clock)();
        let Some((row, (events, published))) = row.and_then(|row| Some((row, happening::news(row, now)?))) else {
            return Ok(());
        };
        let told = match self.bus.publish(&events).await {
            Ok(()) => self.workers.note(row, &Note::Published(published)).await,
            Err(error) => Err(error),
        };
        let Err(error) = told else { return Ok(()) };
        self.memory.count(|metrics| metrics.event_errors += 1);
        let (session, needs_somebody) = (&row.session_id, error.needs_somebody());
        if needs_somebody {
            tracing::error!(%session, %error, "what happened could not be told; it is tried again");
        } else {
            tracing::warn!(%session, %error, "what happened could not be told; it is tried again");
        }
        if row.phase.is_final() { self.workers.mark_untold(session, now).await } else { Ok(()) }
    }

    /// Keeps the inputs and the plan of a decision, to be replayed. Best effort.
    async fn keep(&self, view: &View, plan: &Plan, decided_at: Timestamp) {
        let decision = Decision { view, policy: &self.policy, now: decided_at, plan };
        let kept = match serde_json::to_string(&decision) {
            Ok(json) => self.workers.keep_decision(&view.session_id, json, decided_at).await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = kept {
            tracing::warn!(session = %view.session_id, error, "a decision could not be kept");
        }
    }

    fn count_launch(&self, answer: &Answer) {
        match answer {
            Answer::Launched { .. } | Answer::Existing { .. } => self.memory.count(|metrics| metrics.launches += 1),
            Answer::Throttled(_) | Answer::NoCapacity(_) | Answer::Refused(_) | Answer::Retry(_) => {
                self.memory.count(|metrics| metrics.launch_failures += 1);
            }
        }
    }
}

/// Whether nothing of the row's task is open any more.
fn is_settled(row: &WorkerRow) -> bool {
    row.phase.is_final() && row.task.as_ref().is_none_or(|task| status_is_stopped(&task.last_status))
}
