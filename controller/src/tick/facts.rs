//! The facts of a tick, read in bulk, and what is decided on them alone.

use super::Tick;
use super::found::{Candidate, Found};
use crate::handler::Controller;
use crate::look::Rest;
use crate::ports::{Bus, Channels, OpenRow, Orchestrator, PortError, Sessions, Timer, Workers};
use controller_core::capacity::{Capacity, Lanes};
use controller_core::model::{Fleet, Switch, Task, Tasks, View, generation_of, status_is_stopped};
use controller_core::run_rule::{Wish, wish};
use controller_core::{admission, happening, liveness, reconcile, rollout, sight};
use futures_util::StreamExt as _;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::session::SessionRecord;
use schemas::worker::WorkerRow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows that are read in one call, and such calls that are under way at once.
const ROWS: usize = 100;
const READS_AT_ONCE: usize = 4;

/// What everything is held against.
struct Facts {
    /// The session service's table.
    records: BTreeMap<SessionId, SessionRecord>,
    /// The tasks that run; `None` when nobody knows.
    running: Option<HashSet<TaskArn>>,
    /// What is shared.
    fleet: Fleet,
}

/// Sessions whose decision rests on what ECS says of these tasks.
#[derive(Default)]
struct Open {
    /// Tasks that an open row explains.
    explained: HashSet<TaskArn>,
    /// Views that lack only their tasks.
    asking: Vec<(View, TaskArn)>,
    /// Open rows by what they are called.
    ids: HashSet<SessionId>,
}

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels, T: Timer> Controller<S, W, O, B, C, T> {
    /// Reads the facts, and finds who needs a look; `None` when the time is up before all is read.
    pub(super) async fn find(&self, tick: &Tick<'_>, known: &Capacity) -> Result<Option<Found>, PortError> {
        let fleet = known.clone().fleet(Lanes::default(), &self.policy, (self.clock)());
        let (running, open) = futures_util::join!(self.orchestrator.running(), self.open_rows());
        let running = running.inspect_err(|error| {
            tracing::warn!(%error, "the running tasks could not be listed, which is no verdict on any");
        });
        let rows = open?;
        // After the open rows: a session that is begun meanwhile is none that was missed.
        let Some(records) = self.records(tick.deadline).await? else { return Ok(None) };
        let facts = Facts { records, running: running.ok(), fleet };
        let (mut found, mut open) = (Found::among(rows.len()), Open::default());
        let ids: Vec<SessionId> = rows.into_iter().map(|row| row.session_id).collect();
        let chunks: Vec<Vec<SessionId>> = ids.chunks(ROWS).map(<[SessionId]>::to_vec).collect();
        let mut reads = futures_util::stream::iter(chunks)
            .map(async |ids| (self.workers.read_many(&ids).await, ids))
            .buffer_unordered(READS_AT_ONCE);
        while let Some((read, ids)) = reads.next().await {
            if (self.clock)() >= tick.deadline {
                return Ok(None);
            }
            let rows = match read {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(%error, rows = ids.len(), "rows could not be read; the next tick reads them");
                    found.is_partial = true;
                    open.ids.extend(ids);
                    continue;
                }
            };
            let mut unread: HashSet<SessionId> = ids.into_iter().collect();
            for row in rows {
                unread.remove(&row.session_id);
                self.judge_row(tick, &facts, row, &mut found, &mut open);
            }
            for id in unread {
                found.look(id.clone()); // one that nobody can read, or that is gone
                open.ids.insert(id);
            }
        }
        self.ask_ecs(tick, &facts, open.asking, &open.explained, &mut found).await;
        self.find_missed(&facts, &open.ids, &mut found);
        Ok(Some(found))
    }

    async fn open_rows(&self) -> Result<Vec<OpenRow>, PortError> {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = self.workers.open(after).await?;
            rows.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(rows);
            }
        }
    }

    async fn records(&self, deadline: Timestamp) -> Result<Option<BTreeMap<SessionId, SessionRecord>>, PortError> {
        let (mut records, mut after) = (BTreeMap::new(), None);
        loop {
            if (self.clock)() >= deadline {
                return Ok(None);
            }
            let page = self.sessions.scan(after).await?;
            records.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(Some(records));
            }
        }
    }

    /// Decides on one open row, as far as that goes without ECS.
    fn judge_row(&self, tick: &Tick<'_>, facts: &Facts, row: WorkerRow, found: &mut Found, open: &mut Open) {
        let now = (self.clock)();
        let id = row.session_id.clone();
        open.ids.insert(id.clone());
        found.count(&row);
        found.without_stream |= admission::finds_no_stream(&row, &self.policy, now);
        let runs = |arn: &TaskArn| facts.running.as_ref().map(|running| running.contains(arn));
        let task = row.task.as_ref().map(|task| (task.arn.clone(), task.last_status.clone()));
        open.explained.extend(task.iter().map(|(arn, _)| arn.clone()));
        let news = happening::news(&row, now).is_some();
        let mut fleet = facts.fleet.clone();
        if admission::waits(&row, now).is_some() {
            fleet.launches_left = 0; // The queue is read as a whole, and not row by row.
        }
        let view = self.view_of(id.clone(), facts.records.get(&id).cloned(), Some(row), fleet);
        let plan = reconcile(&view, &self.policy, now);
        if news || found.has_something_new(&plan) {
            self.note_candidate(&view, now, found); // what else there is to do keeps nobody from its place
            found.look(id);
            return;
        }
        let asks = sight::needs_ecs(&view, &plan, &self.policy, now);
        match task {
            Some((arn, status)) if !status_is_stopped(&status) => {
                let gone = runs(&arn) == Some(false);
                let newer = runs(&arn) == Some(true) && status != "RUNNING";
                if asks || gone || newer {
                    open.asking.push((view, arn));
                    return;
                }
            }
            Some(_) | None if asks => {
                found.look(id);
                return;
            }
            Some(_) | None => {}
        }
        self.note_candidate(&view, now, found);
        self.rests(tick, &id, Rest::of(view.worker.as_ref(), plan.next_look, &self.policy, now));
    }

    fn note_candidate(&self, view: &View, now: Timestamp, found: &mut Found) {
        let Some(row) = &view.worker else { return };
        let rolls = liveness::is_heard(row, &self.policy, now) && self.rolls(view, row, now);
        if let Some(candidate) = Candidate::of(row, rolls) {
            found.candidates.insert(view.session_id.clone(), candidate);
        }
    }

    /// Whether a rollout would take this session if nobody else handed over.
    fn rolls(&self, view: &View, row: &WorkerRow, now: Timestamp) -> bool {
        if self.policy.rollout == Switch::Off {
            return false;
        }
        let fleet = Fleet { handing_over: Some(0), ..view.fleet.clone() };
        let alone = View { fleet, ..view.clone() };
        rollout::due(&alone, row, &self.policy, now).is_some()
    }

    /// What ECS says of the tasks that no row explains, and of those that a decision rests on. Not knowing is no verdict: such sessions are looked at,
    /// and ask for themselves.
    async fn ask_ecs(
        &self,
        tick: &Tick<'_>,
        facts: &Facts,
        asking: Vec<(View, TaskArn)>,
        explained: &HashSet<TaskArn>,
        found: &mut Found,
    ) {
        // Of rows that could not be read nobody knows which tasks are theirs.
        let running = facts.running.iter().filter(|_| !found.is_partial).flatten();
        let strays = running.filter(|arn| !explained.contains(*arn));
        let mut arns: Vec<TaskArn> = asking.iter().map(|(_, arn)| arn.clone()).chain(strays.cloned()).collect();
        arns.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let described = if arns.is_empty() { Ok(Vec::new()) } else { self.orchestrator.described(&arns).await };
        let described = match described {
            Ok(described) => described,
            Err(error) => {
                tracing::warn!(%error, "tasks could not be described, which is no verdict on any");
                for (view, _) in asking {
                    let now = (self.clock)();
                    let plan = reconcile(&view, &self.policy, now);
                    self.rests(
                        tick,
                        &view.session_id,
                        Rest::of(view.worker.as_ref(), plan.next_look, &self.policy, now),
                    );
                }
                return;
            }
        };
        let mut seen: HashMap<SessionId, Vec<Task>> = HashMap::new();
        for (id, task) in described {
            if !explained.contains(&task.arn) {
                found.look(id.clone()).named.push(task.arn.clone());
            }
            seen.entry(id).or_default().push(task);
        }
        for (mut view, _) in asking {
            let now = (self.clock)();
            let seen = seen.remove(&view.session_id).unwrap_or_default();
            let of_row = |task: Task| {
                let generation = generation_of(view.worker.as_ref(), &task.arn, Some(task.generation));
                Task { generation: generation.unwrap_or(task.generation), ..task }
            };
            view.tasks = Tasks::Known(seen.iter().cloned().map(of_row).collect());
            let plan = reconcile(&view, &self.policy, now);
            if plan.actions.is_empty() {
                self.rests(tick, &view.session_id, Rest::of(view.worker.as_ref(), plan.next_look, &self.policy, now));
            } else {
                found.look(view.session_id).seen = Some(seen);
            }
        }
    }

    /// Wanted (or refused) sessions that have no open row: the stream never told us, or its record was lost. With clean-up, sessions that are over too,
    /// whose channel may be due. One that was looked at and needed nothing is left alone for longer each time.
    fn find_missed(&self, facts: &Facts, open: &HashSet<SessionId>, found: &mut Found) {
        let now = (self.clock)();
        for (id, record) in facts.records.iter().filter(|(id, _)| !open.contains(id)) {
            if self.wants_something(id, record) && !self.memory.rests(id, record, now) {
                found.look(id.clone());
                found.missed.insert(id.clone(), record.clone());
            }
        }
    }

    fn wants_something(&self, id: &SessionId, record: &SessionRecord) -> bool {
        let view = self.view_of(id.clone(), Some(record.clone()), None, Fleet::default());
        match wish(&view, &self.policy, (self.clock)()) {
            Wish::Serve(_) | Wish::Refuse { .. } => true,
            Wish::Stop(_) => self.policy.channel_cleanup == Switch::On && matches!(record, SessionRecord::Session(_)),
        }
    }

    fn view_of(
        &self,
        session_id: SessionId,
        session: Option<SessionRecord>,
        worker: Option<WorkerRow>,
        fleet: Fleet,
    ) -> View {
        let tasks = Tasks::Unknown("ECS was not asked".into());
        View { session_id, session, worker, tasks, fleet, strikes: Vec::new() }
    }
}
