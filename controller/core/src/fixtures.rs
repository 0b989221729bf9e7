//! Worlds that read as prose, and a small model of DynamoDB, ECS and a worker that a plan can be applied to.

pub(crate) mod plans;

use crate::action::{Action, Plan, RowWrite};
use crate::launch::{self, Answer};
use crate::model::{Fleet, Policy, Strike, Task, Tasks, View, generation_of};
use crate::verdict;
use schemas::ids::{ChannelArn, Generation, SessionId, TaskArn, Timestamp};
use schemas::operator::{Hold, Order, Signed, Verb};
use schemas::reason::{Cause, Why};
use schemas::rollout::Rollout;
use schemas::session::read_session;
use schemas::worker::{Desired, Media, Phase, Progress, Restarts, Rung, StartUp, Usage, WorkerRow, WorkerStatus};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const SECOND: i64 = 1_000;

/// One session and everything around it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    session: Option<Map<String, Value>>,
    pub(crate) row: Option<WorkerRow>,
    pub(crate) history: Vec<WorkerRow>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) ecs_answers: bool,
    pub(crate) strikes: Vec<Strike>,
    pub(crate) launches_left: u32,
    pub(crate) streams_are_full: bool,
    pub(crate) handing_over: Option<u32>,
    pub(crate) versions: Option<Rollout>,
    pub(crate) draining: Option<u32>,
    pub(crate) deleted_channels: Vec<ChannelArn>,
    pub(crate) now: Timestamp,
    pub(crate) policy: Policy,
}

pub(crate) fn channel(digits: u32) -> String {
    format!("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-calm-river-123/{digits}")
}

pub(crate) fn arn(generation: u64) -> TaskArn {
    TaskArn::try_new(format!("arn:aws:ecs:us-east-1:123456789012:task/workers/{generation:032}")).unwrap()
}

impl World {
    pub(crate) fn active() -> Self {
        let session = json!({
            "sessionId": "calm-river-123", "status": "active", "sourceLanguage": "en", "kvsChannelArn": channel(1),
            "createdAt": NOW.0 - 60_000, "expiresAt": (NOW.0 / 1_000) + 86_400 - 60,
        });
        Self {
            session: session.as_object().cloned(),
            row: None,
            history: Vec::new(),
            tasks: Vec::new(),
            ecs_answers: true,
            strikes: Vec::new(),
            launches_left: u32::MAX,
            streams_are_full: false,
            handing_over: None,
            versions: Some(Rollout::default()),
            draining: Some(0),
            deleted_channels: Vec::new(),
            now: NOW,
            policy: Policy::default(),
        }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.session.get_or_insert_default().insert(key.to_owned(), value.into());
    }

    /// An operator holds the session.
    pub(crate) fn held(mut self, until: Timestamp) -> Self {
        let signed = Signed { by: "ann".into(), at: self.now, note: "the keynote".into() };
        self.row.as_mut().unwrap().operator.hold = Some(Hold { until, signed });
        self
    }

    /// An operator orders something.
    pub(crate) fn ordered(mut self, verb: Verb) -> Self {
        let signed = Signed { by: "ann".into(), at: self.now, note: "because".into() };
        self.row.as_mut().unwrap().operator.order = Some(Order { verb, at_once: None, signed });
        self
    }

    /// The worker has just written.
    pub(crate) fn worker_is_fresh(&mut self) {
        let now = self.now;
        self.row.as_mut().unwrap().worker.as_mut().unwrap().heartbeat_at = now;
    }

    pub(crate) fn restore_session_of(&mut self, other: &Self) {
        self.session.clone_from(&other.session);
    }

    pub(crate) fn deleted(mut self) -> Self {
        self.session = None;
        self
    }

    pub(crate) fn ecs_silent(mut self) -> Self {
        self.ecs_answers = false;
        self
    }

    /// Decided, RunTask answered, worker live.
    pub(crate) fn live(mut self) -> Self {
        self.settle();
        self.worker_says(Phase::Live);
        self.settle();
        self
    }

    pub(crate) fn row(&self) -> WorkerRow {
        self.row.clone().unwrap()
    }

    pub(crate) fn task(&mut self) -> &mut Task {
        self.tasks.last_mut().unwrap()
    }

    /// The task ends with this exit code.
    pub(crate) fn exits(mut self, code: i32) -> Self {
        let now = self.now;
        let task = self.task();
        task.last_status = "STOPPED".into();
        task.desired_status = "STOPPED".into();
        task.stop_code = Some("EssentialContainerExited".into());
        task.exit_code = Some(code);
        task.stopped_at = Some(now);
        self
    }

    pub(crate) fn later(mut self, ms: i64) -> Self {
        self.now = self.now.plus_ms(ms);
        self
    }

    /// The tasks as the shell reads them.
    fn seen(&self) -> Vec<Task> {
        let of = |task: &Task| generation_of(self.row.as_ref(), &task.arn, Some(task.generation)).unwrap();
        self.tasks.iter().map(|task| Task { generation: of(task), ..task.clone() }).collect()
    }

    /// The worker crashes, ECS starts it again within its task, and it takes the next generation (`worker_core::start`).
    pub(crate) fn restarts_in_place(mut self) -> Self {
        let (now, row) = (self.now, self.row());
        self.history.push(row.clone());
        let why = Why::new(Cause::WorkerCrashed, "ECS restarted it within its task", now);
        self.row = Some(WorkerRow {
            revision: row.revision + 1,
            generation: row.generation.next(),
            phase: Phase::Joining,
            phase_since: now,
            why: why.clone(),
            next_look_at: Some(now),
            restarts: Restarts { consecutive: row.restarts.consecutive + 1, not_before: None, last: Some(why) },
            worker: None,
            ..row
        });
        self
    }

    pub(crate) fn view(&self) -> View {
        View {
            session_id: SessionId::try_new("calm-river-123").unwrap(),
            session: self.session.as_ref().map(read_session),
            worker: self.row.clone(),
            tasks: if self.ecs_answers { Tasks::Known(self.seen()) } else { Tasks::Unknown("throttled".into()) },
            fleet: Fleet {
                no_room: false,
                launches_left: self.launches_left,
                ahead: 0,
                handing_over: self.handing_over,
                draining: self.draining,
                streams_are_full: self.streams_are_full,
                versions: self.versions.clone(),
            },
            strikes: self.strikes.clone(),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        crate::reconcile(&self.view(), &self.policy, self.now)
    }

    /// What the worker of the row's generation writes.
    pub(crate) fn worker_says(&mut self, phase: Phase) {
        let now = self.now;
        let row = self.row.as_mut().unwrap();
        if row.phase != Phase::Draining || phase == Phase::Stopped {
            row.phase = phase;
            row.phase_since = now;
        }
        if phase == Phase::Stopped {
            row.next_look_at = None;
        }
        let process_at = row.worker.as_ref().map_or(Some(now), |w| w.start_up.process_at);
        row.worker = Some(status(now, process_at));
    }

    /// Does what the plan says: DynamoDB and ECS as AWS documents them.
    pub(crate) fn apply(&mut self, plan: &Plan) {
        for action in &plan.actions {
            match action {
                Action::Write(write) => self.write(write),
                Action::LookAgain { at } => self.row.as_mut().unwrap().next_look_at = Some(*at),
                Action::StopTask { arn, .. } => {
                    for task in self.tasks.iter_mut().filter(|task| task.arn == *arn) {
                        task.desired_status = "STOPPED".into();
                        task.last_status = "STOPPED".into();
                        task.stop_code = Some("UserInitiated".into());
                    }
                }
                Action::RunTask { generation } => self.run_task(*generation),
                Action::Strike { arn } => {
                    if self.strikes.iter().all(|strike| strike.arn != *arn) {
                        self.strikes.push(Strike { arn: arn.clone(), at: self.now });
                    }
                }
                Action::Judge(evidence) => {
                    let known = self.versions.as_ref().unwrap();
                    self.versions = Some(verdict::judged(known, evidence, &self.policy, self.now));
                }
                Action::DeleteChannel { arn } => {
                    self.deleted_channels.push(arn.clone());
                    self.row.as_mut().unwrap().channel_deleted_at = Some(self.now);
                }
            }
        }
    }

    fn write(&mut self, write: &RowWrite) {
        self.history.extend(write.archive.iter().map(|row| (**row).clone()));
        self.row = Some(write.applied(self.row.as_ref(), &self.view().session_id, self.now));
    }

    /// The token is the generation: a repeated call names the same task, in whatever state it is.
    pub(crate) fn run_task(&mut self, generation: Generation) {
        if !self.tasks.iter().any(|task| task.generation == generation) {
            self.tasks.push(running_task(generation));
        }
        let task = self.tasks.iter().find(|task| task.generation == generation).unwrap();
        let answer = Answer::Launched { arn: task.arn.clone(), last_status: task.last_status.clone() };
        let row = self.row();
        if row.generation == generation
            && let Some(write) = launch::answered(&row, &answer, &self.policy, self.now)
        {
            self.write(&write);
        }
    }

    /// Reconciles until nothing is left to do; how many plans it took.
    pub(crate) fn settle(&mut self) -> usize {
        for steps in 0..12 {
            let plan = self.plan();
            if plan.actions.is_empty() {
                return steps;
            }
            self.apply(&plan);
        }
        panic!("no rest after 12 plans: {:#?}\nthe next: {:#?}", self.row, self.plan());
    }
}

pub(crate) fn running_task(generation: Generation) -> Task {
    Task {
        arn: arn(generation.0),
        generation,
        last_status: "RUNNING".into(),
        desired_status: "RUNNING".into(),
        started_at: Some(NOW),
        stopped_at: None,
        stop_code: None,
        stopped_reason: None,
        exit_code: None,
    }
}

pub(crate) fn status(at: Timestamp, process_at: Option<Timestamp>) -> WorkerStatus {
    WorkerStatus {
        version: "0.1.0".into(),
        task_arn: None,
        heartbeat_at: at,
        start_up: StartUp { process_at, ..StartUp::default() },
        progress: Progress::default(),
        media: Media::default(),
        languages: BTreeMap::new(),
        usage: Usage::default(),
        rung: Rung::Full,
        trouble: None,
        notes: Vec::new(),
        voice: None,
        voice_model: None,
        audio_quality: None,
        cpu_ms: 0,
        peak_memory_bytes: 0,
    }
}

/// A row of any phase, for properties.
pub(crate) fn any_row(phase: Phase, generation: u64, cause: Cause, since: Timestamp, with_task: bool) -> WorkerRow {
    let mut world = World::active();
    world.settle();
    let mut row = world.row();
    row.generation = Generation(generation);
    row.phase = phase;
    row.phase_since = since;
    row.why = Why::new(cause, "a cause", since);
    row.next_look_at = (!phase.is_final()).then_some(since);
    if let Some(intent) = &mut row.intent
        && phase == Phase::Draining
    {
        let hands_over = matches!(cause, Cause::Handover | Cause::StageStuck);
        intent.desired = if hands_over { Desired::HandOver { leave_by: None } } else { Desired::Stop };
    }
    let facts = running_task(Generation(generation)).facts(since);
    row.task = with_task.then_some(facts);
    row.worker = (phase > Phase::Launching).then(|| status(since, Some(since)));
    row
}
