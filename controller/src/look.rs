//! One session: view → plan → effects, until it is at rest.

mod says;

pub(crate) use says::log_failure;

use crate::act::Applied;
use crate::handler::Controller;
use crate::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Timer, Workers};
use controller_core::action::Plan;
use controller_core::capacity::Lanes;
use controller_core::model::{Fleet, Policy, Task, Tasks, View, generation_of};
use controller_core::{admission, liveness, reconcile, sight, strays, verdict};
use says::log_plan;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::worker::{Phase, WorkerRow};
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
    /// That it is this session's turn to launch, for what it is wanted for since then.
    ItsTurn(Timestamp),
    /// That many others come with it: all of them queue, so that none waits for the launches of the others.
    ACrowd,
    /// How many hand over: a tick has counted them.
    TheLanes(Lanes),
}

impl Knowing {
    fn lanes(self) -> Lanes {
        match self {
            Self::Nothing | Self::ItsTurn(_) | Self::ACrowd => Lanes::default(),
            Self::TheLanes(lanes) => lanes,
        }
    }
}

/// What is known of a session's tasks before a look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hints {
    /// Tasks that were seen elsewhere: ECS is asked for them.
    pub(crate) named: Vec<TaskArn>,
    /// What ECS has just said, so that it needs not be asked again at once.
    pub(crate) seen: Option<Vec<Task>>,
    /// A task that has ended, as its event tells it: ECS needs not be asked when it is the row's.
    pub(crate) ended: Option<Task>,
}

/// What a session waits for after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Its turn to launch.
    Turn,
    /// A look at this time.
    Until(Timestamp),
    /// Nothing that comes by itself.
    Nothing,
}

impl Rest {
    /// After a look that has left this row, and wants the next one then. Whoever is being launched is looked at sooner: from its first word on, which
    /// no trigger tells, it must be heard.
    pub(crate) fn of(row: Option<&WorkerRow>, next_look: Option<Timestamp>, policy: &Policy, now: Timestamp) -> Self {
        if row.is_some_and(|row| admission::waits(row, now).is_some()) {
            return Self::Turn;
        }
        let launches = row.is_some_and(|row| row.phase == Phase::Launching);
        let first_word = launches.then(|| now.plus_ms(policy.heartbeat_deadline_ms));
        next_look.into_iter().chain(first_word).min().map_or(Self::Nothing, Self::Until)
    }
}

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Looks at one session and does what it needs. `named` are tasks of it that were seen elsewhere.
    ///
    /// # Errors
    /// [`PortError`] when a read or an effect failed; what was done before it stands.
    pub async fn look(&self, id: &SessionId, named: &[TaskArn]) -> Result<Rest, PortError> {
        self.look_knowing(id, Hints { named: named.to_vec(), ..Hints::default() }, Knowing::Nothing).await
    }

    /// The same, knowing more.
    pub(crate) async fn look_knowing(&self, id: &SessionId, hints: Hints, knowing: Knowing) -> Result<Rest, PortError> {
        self.memory.looks_at(id.as_str());
        let span = tracing::info_span!("look", session = %id);
        self.passes(id, hints, knowing).instrument(span).await
    }

    async fn passes(&self, id: &SessionId, mut hints: Hints, knowing: Knowing) -> Result<Rest, PortError> {
        let mut lost = 0;
        for _ in 0..PASSES {
            let (view, plan, decided_at) = self.decide(id, &hints, knowing).await?;
            self.mind_the_streams(&view, decided_at).await;
            if plan.actions.is_empty() {
                tracing::debug!(session = %id, next_look = ?plan.next_look, "nothing to do");
                self.tell(view.worker.as_ref()).await?;
                if let (Some(row), Knowing::Nothing | Knowing::ACrowd) = (&view.worker, knowing) {
                    self.note_the_queue(&view, row).await; // one whose backoff is over joins it without a write
                }
                return Ok(Rest::of(view.worker.as_ref(), plan.next_look, &self.policy, decided_at));
            }
            log_plan(&view, &plan, decided_at);
            let applied = self.apply(&view, &plan).await?;
            if plan.is_noteworthy() && applied != Applied::Lost {
                self.keep(&view, &plan, decided_at).await;
            }
            match applied {
                Applied::AtRest => {
                    let row = self.workers.read(id).await?;
                    self.tell(row.as_ref()).await?;
                    // What RunTask has answered is in the row, and later than the plan.
                    let planned = plan.next_look.filter(|_| !plan.launches());
                    let next = [planned, row.as_ref().and_then(|row| row.next_look_at)].into_iter().flatten().min();
                    return Ok(Rest::of(row.as_ref(), next, &self.policy, (self.clock)()));
                }
                Applied::Changed => {}
                Applied::Lost => lost += 1,
            }
            hints.seen = None; // It was seen before this was done.
            if hints.ended.is_some() {
                hints.named.clear(); // What there was to know of it is in the row now.
            }
        }
        if lost == PASSES { Err(PortError::Contended(lost)) } else { Ok(Rest::Nothing) }
    }

    /// Reads and decides; with the time that the decision was made for.
    async fn decide(
        &self,
        id: &SessionId,
        hints: &Hints,
        knowing: Knowing,
    ) -> Result<(View, Plan, Timestamp), PortError> {
        let (mut view, plan, now) = self.decide_alone(id, hints, knowing).await?;
        let unread = view.fleet.versions.is_none() && verdict::evidence(&view, &plan, &self.policy, now).is_some();
        if !plan.needs_leave() && !unread {
            return Ok((view, plan, now));
        }
        // Only a launch, a handover and a verdict ask what the others do. The leave is taken before the intent is written, so that no crash and no
        // other controller can take it twice.
        let known = self.workers.capacity().await?;
        let now = (self.clock)();
        self.memory.versions_are(&known.versions, now);
        view.fleet = known.clone().fleet(knowing.lanes(), &self.policy, now);
        match knowing {
            // Another run of the session, begun since, has not waited.
            Knowing::ItsTurn(since) if waits_since(view.worker.as_ref(), now) == Some(since) => view.fleet.ahead = 0,
            Knowing::ACrowd => view.fleet.launches_left = 0,
            Knowing::ItsTurn(_) | Knowing::Nothing | Knowing::TheLanes(_) => {}
        }
        let plan = reconcile(&view, &self.policy, now);
        if !plan.launches() || self.workers.take_launch(&known, &self.policy, now).await? {
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
        hints: &Hints,
        knowing: Knowing,
    ) -> Result<(View, Plan, Timestamp), PortError> {
        let (view, plan, now) = self.view(id, hints, knowing).await?;
        let silent = view.worker.as_ref().is_some_and(|row| liveness::is_silent(row, &self.policy, now));
        if !silent || !plan.is_noteworthy() {
            return Ok((view, plan, now));
        }
        (self.pause)(SECOND_LOOK).await;
        self.view(id, hints, knowing).await
    }

    /// The session read afresh, and what follows from it. ECS is asked where the decision may rest on it.
    async fn view(
        &self,
        id: &SessionId,
        hints: &Hints,
        knowing: Knowing,
    ) -> Result<(View, Plan, Timestamp), PortError> {
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
        let now = (self.clock)();
        let blind = reconcile(&view, &self.policy, now);
        let is_its_end = |task: &&Task| view.worker.as_ref().is_some_and(|row| row.names(&task.arn));
        let known = hints.seen.as_deref().or(hints.ended.as_ref().filter(is_its_end).map(std::slice::from_ref));
        view.tasks = match known {
            Some(tasks) => Tasks::Known(of_this_row(view.worker.as_ref(), tasks)),
            None if hints.named.is_empty() && !sight::needs_ecs(&view, &blind, &self.policy, now) => {
                return Ok((view, blind, now));
            }
            None => self.orchestrator.tasks(id, view.worker.as_ref(), &hints.named).await,
        };
        if strays::strays(&view).next().is_some() {
            view.strikes = self.workers.strikes(id).await?;
        }
        let now = (self.clock)();
        let plan = reconcile(&view, &self.policy, now);
        Ok((view, plan, now))
    }

    /// A worker that Transcribe gives no stream tells it for all: new sessions wait. Best effort, and again with the next look.
    async fn mind_the_streams(&self, view: &View, now: Timestamp) {
        if view.worker.as_ref().is_some_and(|row| admission::finds_no_stream(row, &self.policy, now)) {
            self.note_full_streams(now).await;
        }
    }

    /// Notes that Transcribe gives no further stream.
    pub(crate) async fn note_full_streams(&self, now: Timestamp) {
        if let Err(error) = self.workers.streams_are_full(now).await {
            tracing::warn!(%error, "that Transcribe gives no further stream could not be noted");
        }
    }
}

fn waits_since(row: Option<&WorkerRow>, now: Timestamp) -> Option<Timestamp> {
    row.and_then(|row| admission::waits(row, now)).map(|waiting| waiting.since)
}

/// These tasks, each with the generation that it belongs to by this row.
fn of_this_row(row: Option<&WorkerRow>, tasks: &[Task]) -> Vec<Task> {
    let of_row = |task: &Task| {
        let launched = Some(task.generation);
        Task { generation: generation_of(row, &task.arn, launched).unwrap_or(task.generation), ..task.clone() }
    };
    tasks.iter().map(of_row).collect()
}
