//! Stand-ins for the five capabilities: memory with the conditional writes of the real table.

use controller::handler::Controller;
use controller::memory::Memory;
use controller::ports::{
    Bus, Channels, Cursor, Lease, Note, OpenRow, Orchestrator, Page, PortError, Sessions, Shared, Timer, Workers,
    Written,
};
use controller::remedy::Remedy;
use controller_core::action::RowWrite;
use controller_core::capacity::{Bucket, Capacity};
use controller_core::launch::Answer;
use controller_core::model::{Policy, Strike, Task, Tasks};
use controller_core::triggers::Wake;
use controller_core::verdict::{self, Evidence};
use schemas::ids::{ChannelArn, Generation, SessionId, TaskArn, Timestamp};
use schemas::lifecycle::LifecycleEvent;
use schemas::rollout::Rollout;
use schemas::session::{SessionRecord, read_session};
use schemas::worker::{Phase, WorkerRow};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

pub const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub fn id(text: &str) -> SessionId {
    SessionId::try_new(text).unwrap()
}

pub fn session(status: &str) -> Value {
    json!({
        "status": status, "sourceLanguage": "en", "expiresAt": NOW.0 / 1_000 + 3_600,
        "kvsChannelArn": "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-x/1",
    })
}

#[derive(Debug, Default)]
pub struct SessionsInMemory {
    pub rows: Mutex<BTreeMap<SessionId, Value>>,
    /// Reads of these fail.
    pub broken: Mutex<HashSet<SessionId>>,
}

impl SessionsInMemory {
    pub fn put(&self, name: &str, mut row: Value) {
        row["sessionId"] = json!(name);
        self.rows.lock().unwrap().insert(id(name), row);
    }
}

fn record(row: &Value) -> SessionRecord {
    read_session(row.as_object().unwrap())
}

impl Sessions for SessionsInMemory {
    async fn read(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError> {
        if self.broken.lock().unwrap().contains(id) {
            return Err(PortError::Aws { operation: "GetItem", remedy: Remedy::Wait, detail: "throttled".into() });
        }
        Ok(self.rows.lock().unwrap().get(id).map(record))
    }
    /// One row per page.
    async fn scan(&self, after: Option<String>) -> Result<Page<(SessionId, SessionRecord), String>, PortError> {
        let rows = self.rows.lock().unwrap();
        let mut left = rows.iter().filter(|(id, _)| after.as_deref().is_none_or(|after| id.as_str() > after));
        let Some((id, row)) = left.next() else { return Ok(Page { items: vec![], next: None }) };
        let next = left.next().map(|_| id.to_string());
        Ok(Page { items: vec![(id.clone(), record(row))], next })
    }
}

/// The process in leases.
const ME: &str = "me";

#[derive(Debug, Default)]
pub struct WorkersInMemory {
    pub rows: Mutex<BTreeMap<SessionId, WorkerRow>>,
    pub history: Mutex<Vec<WorkerRow>>,
    pub strikes: Mutex<Vec<(SessionId, Strike)>>,
    /// The last decision of each, as JSON.
    pub decisions: Mutex<BTreeMap<SessionId, String>>,
    /// Reads of these find something that nobody can read.
    pub unreadable: Mutex<HashSet<SessionId>>,
    /// So many writes are lost to somebody else before one is taken.
    pub contention: Mutex<usize>,
    /// What the controllers share.
    pub capacity: Mutex<Capacity>,
    pub cursor: Mutex<Cursor>,
    /// Who sweeps, and until when.
    pub lease: Mutex<Option<(String, Timestamp)>>,
    /// Until when the last lease was taken.
    pub leased_until: Mutex<Option<Timestamp>>,
    /// The open rows cannot be listed.
    pub fails_to_list: Mutex<bool>,
    /// Since when an end is untold, and when to try again.
    pub untold: Mutex<BTreeMap<SessionId, (Timestamp, Timestamp)>>,
}

impl Shared for WorkersInMemory {
    async fn capacity(&self) -> Result<Capacity, PortError> {
        Ok(self.capacity.lock().unwrap().clone())
    }
    async fn take_launch(&self, known: &Capacity, policy: &Policy, now: Timestamp) -> Result<bool, PortError> {
        let mut capacity = self.capacity.lock().unwrap();
        if known.no_room_at.is_some() && known.no_room_at != capacity.no_room_at {
            return Ok(false);
        }
        let taken = capacity.bucket.unwrap_or(Bucket::full(now)).taken(policy, now);
        capacity.bucket = taken.or(capacity.bucket);
        if let (Some(_), Some(_)) = (known.no_room_at, taken) {
            capacity.no_room_at = Some(now);
        }
        Ok(taken.is_some())
    }
    async fn no_room_since(&self, at: Option<Timestamp>) -> Result<(), PortError> {
        self.capacity.lock().unwrap().no_room_at = at;
        Ok(())
    }
    async fn no_launch_is_left(&self, policy: &Policy, now: Timestamp) -> Result<(), PortError> {
        self.capacity.lock().unwrap().bucket = Some(Bucket::empty(policy, now));
        Ok(())
    }
    async fn somebody_waits(&self, now: Timestamp) -> Result<Option<Timestamp>, PortError> {
        let mut capacity = self.capacity.lock().unwrap();
        capacity.waiting = Some((1, now));
        Ok(capacity.pass_at)
    }
    async fn begin_pass(&self, known: &Capacity, waiting: u32, now: Timestamp) -> Result<bool, PortError> {
        let mut capacity = self.capacity.lock().unwrap();
        let begins = capacity.pass_at == known.pass_at;
        if begins {
            (capacity.waiting, capacity.pass_at) = (Some((waiting, now)), Some(now));
        }
        Ok(begins)
    }
    async fn streams_are_full(&self, now: Timestamp) -> Result<(), PortError> {
        self.capacity.lock().unwrap().streams_full_at = Some(now);
        Ok(())
    }
    async fn judge(&self, evidence: &Evidence, policy: &Policy, now: Timestamp) -> Result<Rollout, PortError> {
        let versions = &mut self.capacity.lock().unwrap().versions;
        *versions = verdict::judged(versions, evidence, policy, now);
        Ok(versions.clone())
    }
    async fn take_sweep(&self, until: Timestamp, now: Timestamp) -> Result<Lease, PortError> {
        let mut lease = self.lease.lock().unwrap();
        if let Some((held_by, until)) = lease.clone().filter(|(holder, until)| holder != ME && *until >= now) {
            return Ok(Lease::HeldBy { held_by, until });
        }
        *self.leased_until.lock().unwrap() = Some(until);
        *lease = Some((ME.to_owned(), until));
        Ok(Lease::Ours)
    }
    async fn give_sweep_back(&self) -> Result<(), PortError> {
        self.lease.lock().unwrap().take_if(|(holder, _)| holder == ME);
        Ok(())
    }
    async fn cursor(&self) -> Result<Cursor, PortError> {
        Ok(self.cursor.lock().unwrap().clone())
    }
    async fn keep_cursor(&self, cursor: &Cursor) -> Result<(), PortError> {
        *self.cursor.lock().unwrap() = cursor.clone();
        Ok(())
    }
    async fn mark_untold(&self, id: &SessionId, now: Timestamp) -> Result<(), PortError> {
        self.untold.lock().unwrap().entry(id.clone()).or_insert((now, now));
        Ok(())
    }
    async fn untold(&self, until: Timestamp) -> Result<Vec<(SessionId, Timestamp)>, PortError> {
        let untold = self.untold.lock().unwrap();
        Ok(untold.iter().filter(|(_, mark)| mark.1 <= until).map(|(id, mark)| (id.clone(), mark.0)).collect())
    }
    async fn try_again_at(&self, id: &SessionId, at: Option<Timestamp>) -> Result<(), PortError> {
        let mut untold = self.untold.lock().unwrap();
        match at {
            Some(at) => untold.get_mut(id).unwrap().1 = at,
            None => drop(untold.remove(id)),
        }
        Ok(())
    }
}

impl WorkersInMemory {
    pub fn row(&self, name: &str) -> WorkerRow {
        self.rows.lock().unwrap()[&id(name)].clone()
    }
}

impl Workers for WorkersInMemory {
    async fn read(&self, id: &SessionId) -> Result<Option<WorkerRow>, PortError> {
        if self.unreadable.lock().unwrap().contains(id) {
            return Err(PortError::Unreadable { session: id.to_string(), detail: "phase Dancing".into() });
        }
        Ok(self.rows.lock().unwrap().get(id).cloned())
    }
    async fn write(
        &self,
        id: &SessionId,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        now: Timestamp,
    ) -> Result<Written, PortError> {
        let mut contention = self.contention.lock().unwrap();
        if *contention > 0 {
            *contention -= 1;
            return Ok(Written::Lost);
        }
        let mut rows = self.rows.lock().unwrap();
        let lock = |row: &WorkerRow| (row.revision, row.phase);
        if rows.get(id).map(lock) != read.map(lock) {
            return Ok(Written::Lost);
        }
        self.history.lock().unwrap().extend(write.archive.iter().map(|row| (**row).clone()));
        let after = write.applied(rows.get(id), id, now);
        rows.insert(id.clone(), after.clone());
        Ok(Written::Row(Box::new(after)))
    }
    async fn look_again(&self, read: &WorkerRow, at: Timestamp) -> Result<(), PortError> {
        if let Some(row) = self.rows.lock().unwrap().get_mut(&read.session_id) {
            row.next_look_at = Some(at);
        }
        Ok(())
    }
    async fn open(&self, _after: Option<OpenRow>) -> Result<Page<OpenRow, OpenRow>, PortError> {
        if *self.fails_to_list.lock().unwrap() {
            return Err(PortError::Aws { operation: "Query", remedy: Remedy::Wait, detail: "throttled".into() });
        }
        Ok(Page { items: self.rows.lock().unwrap().values().filter_map(OpenRow::of).collect(), next: None })
    }
    async fn queued(&self) -> Result<Vec<OpenRow>, PortError> {
        let rows = self.rows.lock().unwrap();
        Ok(rows.values().filter(|row| row.phase == Phase::Queued).filter_map(OpenRow::of).collect())
    }
    async fn read_many(&self, ids: &[SessionId]) -> Result<Vec<WorkerRow>, PortError> {
        let (rows, unreadable) = (self.rows.lock().unwrap(), self.unreadable.lock().unwrap());
        Ok(ids.iter().filter(|id| !unreadable.contains(id)).filter_map(|id| rows.get(id)).cloned().collect())
    }
    async fn strikes(&self, id: &SessionId) -> Result<Vec<Strike>, PortError> {
        let strikes = self.strikes.lock().unwrap();
        Ok(strikes.iter().filter(|(session, _)| session == id).map(|(_, strike)| strike.clone()).collect())
    }
    async fn strike(&self, id: &SessionId, arn: &TaskArn, now: Timestamp) -> Result<(), PortError> {
        let mut strikes = self.strikes.lock().unwrap();
        if strikes.iter().all(|(_, strike)| strike.arn != *arn) {
            strikes.push((id.clone(), Strike { arn: arn.clone(), at: now }));
        }
        Ok(())
    }
    async fn note(&self, row: &WorkerRow, note: &Note) -> Result<(), PortError> {
        let mut rows = self.rows.lock().unwrap();
        if let Some(row) = rows.get_mut(&row.session_id).filter(|known| known.generation == row.generation) {
            match note {
                Note::Published(published) => row.published = Some(published.clone()),
                Note::ChannelDeleted(at) => row.channel_deleted_at = Some(*at),
            }
        }
        Ok(())
    }
    async fn keep_decision(&self, id: &SessionId, json: String, _now: Timestamp) -> Result<(), PortError> {
        self.decisions.lock().unwrap().insert(id.clone(), json);
        Ok(())
    }
}

#[derive(Debug, Default)]
pub struct BusInMemory {
    pub events: Mutex<Vec<LifecycleEvent>>,
    /// So many calls fail before one is taken.
    pub broken: Mutex<usize>,
}

impl Bus for BusInMemory {
    async fn publish(&self, events: &[LifecycleEvent]) -> Result<(), PortError> {
        let mut broken = self.broken.lock().unwrap();
        if *broken > 0 {
            *broken -= 1;
            return Err(PortError::Aws {
                operation: "PutEvents",
                remedy: Remedy::Create,
                detail: "no such bus".into(),
            });
        }
        self.events.lock().unwrap().extend(events.iter().cloned());
        Ok(())
    }
}

#[derive(Debug, Default)]
pub struct ChannelsInMemory {
    pub deleted: Mutex<Vec<ChannelArn>>,
}

impl Channels for ChannelsInMemory {
    async fn delete(&self, arn: &ChannelArn) -> Result<(), PortError> {
        self.deleted.lock().unwrap().push(arn.clone());
        Ok(())
    }
}

#[derive(Debug, Default)]
pub struct EcsInMemory {
    pub tasks: Mutex<Vec<(SessionId, Task)>>,
    /// What RunTask answers next, instead of a launch.
    pub answers: Mutex<Vec<Answer>>,
    pub run_task_calls: Mutex<Vec<(SessionId, Generation)>>,
    pub stopped: Mutex<Vec<TaskArn>>,
    /// How often a session's tasks were asked for, and how many tasks were described in bulk.
    pub asked: Mutex<usize>,
    pub described: Mutex<usize>,
}

pub fn task(session: &str, generation: u64) -> Task {
    Task {
        arn: TaskArn::try_new(format!("arn:aws:ecs:us-east-1:123456789012:task/workers/{session}-{generation}"))
            .unwrap(),
        generation: Generation(generation),
        last_status: "RUNNING".into(),
        desired_status: "RUNNING".into(),
        started_at: None,
        stopped_at: None,
        stop_code: None,
        stopped_reason: None,
        exit_code: None,
    }
}

impl Orchestrator for EcsInMemory {
    async fn tasks(&self, id: &SessionId, _row: Option<&WorkerRow>, _hints: &[TaskArn]) -> Tasks {
        *self.asked.lock().unwrap() += 1;
        let tasks = self.tasks.lock().unwrap();
        Tasks::Known(tasks.iter().filter(|(session, _)| session == id).map(|(_, task)| task.clone()).collect())
    }
    async fn run_task(&self, row: &WorkerRow) -> Answer {
        self.run_task_calls.lock().unwrap().push((row.session_id.clone(), row.generation));
        if let Some(answer) = self.answers.lock().unwrap().pop() {
            return answer;
        }
        let task = task(row.session_id.as_str(), row.generation.0);
        let mut tasks = self.tasks.lock().unwrap();
        if !tasks.iter().any(|(_, known)| known.arn == task.arn) {
            tasks.push((row.session_id.clone(), task.clone()));
        }
        Answer::Launched { arn: task.arn, last_status: "PROVISIONING".into() }
    }
    async fn stop_task(&self, arn: &TaskArn, _reason: &str) -> Result<(), PortError> {
        self.stopped.lock().unwrap().push(arn.clone());
        for (_, task) in self.tasks.lock().unwrap().iter_mut().filter(|(_, task)| task.arn == *arn) {
            task.desired_status = "STOPPED".into();
            task.last_status = "STOPPED".into();
        }
        Ok(())
    }
    async fn running(&self) -> Result<HashSet<TaskArn>, PortError> {
        let tasks = self.tasks.lock().unwrap();
        Ok(tasks.iter().filter(|(_, task)| !task.is_stopping()).map(|(_, task)| task.arn.clone()).collect())
    }
    async fn described(&self, arns: &[TaskArn]) -> Result<Vec<(SessionId, Task)>, PortError> {
        *self.described.lock().unwrap() += arns.len();
        let tasks = self.tasks.lock().unwrap();
        Ok(tasks.iter().filter(|(_, task)| arns.contains(&task.arn)).cloned().collect())
    }
}

#[derive(Debug, Default)]
pub struct TimersInMemory {
    pub set: Mutex<Vec<(Timestamp, Wake)>>,
}

impl Timer for TimersInMemory {
    async fn at(&self, when: Timestamp, wake: &Wake, _now: Timestamp) -> Result<(), PortError> {
        self.set.lock().unwrap().push((when, wake.clone()));
        Ok(())
    }
}

pub type InMemory =
    Controller<SessionsInMemory, WorkersInMemory, EcsInMemory, BusInMemory, ChannelsInMemory, TimersInMemory>;

pub fn controller() -> InMemory {
    Controller {
        sessions: SessionsInMemory::default(),
        workers: WorkersInMemory::default(),
        orchestrator: EcsInMemory::default(),
        bus: BusInMemory::default(),
        channels: ChannelsInMemory::default(),
        timer: TimersInMemory::default(),
        memory: Memory::default(),
        policy: Policy::default(),
        clock: || NOW,
        pause: |_| Box::pin(std::future::ready(())),
    }
}
