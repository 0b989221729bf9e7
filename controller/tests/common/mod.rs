//! Stand-ins for the three capabilities: memory with the conditional writes of the real table.

use controller::handler::Controller;
use controller::ports::{OpenRow, Orchestrator, Page, PortError, Sessions, Workers, Written};
use controller_core::action::RowWrite;
use controller_core::launch::Answer;
use controller_core::model::{Policy, Task, Tasks};
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::{SessionRecord, read_session};
use schemas::worker::WorkerRow;
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
            return Err(PortError::Aws { operation: "GetItem", detail: "throttled".into() });
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

#[derive(Debug, Default)]
pub struct WorkersInMemory {
    pub rows: Mutex<BTreeMap<SessionId, WorkerRow>>,
    pub history: Mutex<Vec<WorkerRow>>,
    /// Reads of these find something that nobody can read.
    pub unreadable: Mutex<HashSet<SessionId>>,
    /// So many writes are lost to somebody else before one is taken.
    pub contention: Mutex<usize>,
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
        let rows = self.rows.lock().unwrap();
        let open = |(id, row): (&SessionId, &WorkerRow)| {
            Some(OpenRow { session_id: id.clone(), generation: row.generation, next_look_at: row.next_look_at? })
        };
        Ok(Page { items: rows.iter().filter_map(open).collect(), next: None })
    }
}

#[derive(Debug, Default)]
pub struct EcsInMemory {
    pub tasks: Mutex<Vec<(SessionId, Task)>>,
    /// What RunTask answers next, instead of a launch.
    pub answers: Mutex<Vec<Answer>>,
    pub run_task_calls: Mutex<Vec<(SessionId, Generation)>>,
    pub stopped: Mutex<Vec<TaskArn>>,
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
    async fn running(&self) -> Result<Vec<(SessionId, Task)>, PortError> {
        Ok(self.tasks.lock().unwrap().iter().filter(|(_, task)| !task.is_stopping()).cloned().collect())
    }
}

pub type InMemory = Controller<SessionsInMemory, WorkersInMemory, EcsInMemory>;

pub fn controller() -> InMemory {
    Controller {
        sessions: SessionsInMemory::default(),
        workers: WorkersInMemory::default(),
        orchestrator: EcsInMemory::default(),
        policy: Policy::default(),
        clock: || NOW,
    }
}
