//! One session: view → plan → effects, until it is at rest.

mod says;

pub(crate) use says::log_failure;

use crate::act::Applied;
use crate::handler::Controller;
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Workers};
use controller_core::action::Plan;
use controller_core::capacity::Lanes;
use controller_core::model::{Fleet, Tasks, View, status_is_stopped};
use controller_core::{admission, liveness, reconcile, strays, verdict};
use says::log_plan;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::worker::WorkerRow;
use std::time::Duration;
use tracing::Instrument as _;

/// Plans that one look may carry out before it leaves the rest to the next trigger.
const PASSES: usize = 6;

/// Between two looks at a worker that seems silent: longer than a worker waits between two tries to write its row.
const SECOND_LOOK: Duration = Duration::from_secs(3);

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

impl Knowing {
    fn lanes(self) -> Lanes {
        match self {
            Self::Nothing => Lanes::default(),
            Self::TheQueue { lanes } => lanes,
        }
    }
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
        let known = self.workers.capacity().await?;
        let now = (self.clock)();
        self.memory.versions_are(&known.versions, now);
        let mut fleet = known.fleet(knowing.lanes(), &self.policy, now);
        if let Knowing::TheQueue { .. } = knowing {
            fleet.ahead = 0; // It is looked at in the order of the wishes.
        }
        Ok(fleet)
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
        if strays::strays(&view).next().is_some() {
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
}

/// Whether nothing of the row's task is open any more.
fn is_settled(row: &WorkerRow) -> bool {
    row.phase.is_final() && row.task.as_ref().is_none_or(|task| status_is_stopped(&task.last_status))
}
