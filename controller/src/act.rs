//! A plan is carried out: intent first, each effect in its order.

use crate::handler::Controller;
use crate::ports::{Bus, Channels, Note, Orchestrator, PortError, Sessions, Timer, Workers, Written};
use controller_core::action::{Action, Plan};
use controller_core::launch::{self, Answer};
use controller_core::model::{Policy, View, status_is_stopped};
use controller_core::verdict::{self, Evidence};
use controller_core::{admission, handover, happening, restart};
use schemas::ids::Timestamp;
use schemas::reason::Cause;
use schemas::worker::{Phase, WorkerRow};
use serde::Serialize;

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
pub(crate) enum Applied {
    /// Something changed that another plan may follow from at once.
    Changed,
    /// Done for now.
    AtRest,
    /// The row had changed since it was read.
    Lost,
}

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    pub(crate) async fn apply(&self, view: &View, plan: &Plan) -> Result<Applied, PortError> {
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
                        if write.transition.is_some() {
                            self.note_what_it_waits_for(view, &written).await;
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
                        applied = self.run(view, row).await?;
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
            Evidence::Failed { version, session, why } if !verdict::is_condemned_by(&known, version, session, why) => {
                tracing::info!(version, %session, why = why.text, "a failure that changes nothing in what is known of its version");
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
    async fn run(&self, view: &View, row: &WorkerRow) -> Result<Applied, PortError> {
        let answer = self.orchestrator.run_task(row).await;
        self.count_launch(&answer);
        self.note_the_room(view, &answer).await;
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

    /// The first that has to wait for its turn says so to all: whoever comes anew goes behind it, and the queue is looked at soon.
    /// Best effort: the next tick counts anew.
    pub(crate) async fn note_the_queue(&self, view: &View, row: &WorkerRow) {
        let now = (self.clock)();
        if view.fleet.ahead == 0 && admission::waits(row, now).is_some() {
            match self.workers.somebody_waits(now).await {
                // Others come with it.
                Ok(after) => self.wake_the_queue(now.plus_ms(self.policy.admission_wait_ms / 2), after).await,
                Err(error) => self.note("that somebody waits", Err(error)),
            }
        }
    }

    /// What a session waits for from now on. One that found no room after its launch (a task that was started, and stopped for want of it) says so.
    async fn note_what_it_waits_for(&self, view: &View, row: &WorkerRow) {
        if row.phase == Phase::Queued && row.why.cause == Cause::NoCapacity {
            self.note("that there is no room", self.workers.no_room_since(Some((self.clock)())).await);
        }
        self.note_the_queue(view, row).await;
    }

    /// What a launch found out about the room, for all.
    async fn note_the_room(&self, view: &View, answer: &Answer) {
        match answer {
            Answer::NoCapacity(_) => {
                self.note("that there is no room", self.workers.no_room_since(Some((self.clock)())).await);
            }
            Answer::Launched { .. } | Answer::Existing { .. } if view.fleet.no_room => {
                self.note("that there is room again", self.workers.no_room_since(None).await);
            }
            Answer::Launched { .. }
            | Answer::Existing { .. }
            | Answer::Throttled(_)
            | Answer::Refused(_)
            | Answer::Retry(_) => {}
        }
    }

    fn note(&self, what: &str, noted: Result<(), PortError>) {
        if let Err(error) = noted {
            tracing::warn!(%error, "{what} could not be noted for the other controllers");
        }
    }
}

impl<S, W: Workers, O, B: Bus, C, T> Controller<S, W, O, B, C, T> {
    /// Tells the bus what nobody has been told of this row. An error of the bus keeps no session from anything: an open row has
    /// its next look, which tells the same again, and an ended one, which has none, is marked to be tried again.
    pub(crate) async fn tell(&self, row: Option<&WorkerRow>) -> Result<(), PortError> {
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
    pub(crate) async fn keep(&self, view: &View, plan: &Plan, decided_at: Timestamp) {
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
