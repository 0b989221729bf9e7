//! The schedule: every session that is due, every task that runs, and the Sessions table as the last net.
//!
//! **Guarantees.** One tick on its own brings every session to what its row wants. The most urgent come first. When the
//! time is up the sweep stops between two sessions and says what is left; the next tick begins with the most urgent again.
//!
//! **Errors.** One session's failure is counted and does not keep the others from being looked at.

use crate::handler::{Controller, pass_over_unreadable};
use crate::ports::{OpenRow, Orchestrator, PortError, Sessions, Workers};
use controller_core::model::{Fleet, Tasks, View};
use controller_core::run_rule::{Wish, wish};
use schemas::ids::{Generation, SessionId, TaskArn, Timestamp};
use schemas::session::SessionRecord;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// Sessions looked at.
    pub looked: usize,
    /// Of these, how many failed.
    pub failed: usize,
    /// True when the time was up before the end.
    pub cut_short: bool,
}

struct Sweep {
    deadline: Timestamp,
    done: HashSet<SessionId>,
    swept: Swept,
}

impl<S: Sessions, W: Workers, O: Orchestrator> Controller<S, W, O> {
    /// Looks at everything that needs a look, until `deadline`.
    ///
    /// # Errors
    /// [`PortError`] when a table could not be listed.
    pub async fn sweep(&self, deadline: Timestamp) -> Result<Swept, PortError> {
        let mut sweep = Sweep { deadline, done: HashSet::new(), swept: Swept::default() };
        let open = self.open_rows().await?;
        let now = (self.clock)();
        for row in open.iter().filter(|row| row.next_look_at <= now) {
            self.look_once(&mut sweep, &row.session_id, &[]).await;
        }
        for (id, hints) in self.strays(&open).await {
            self.look_once(&mut sweep, &id, &hints).await;
        }
        let open: HashSet<SessionId> = open.into_iter().map(|row| row.session_id).collect();
        self.last_net(&mut sweep, &open).await?;
        if sweep.swept.cut_short {
            tracing::warn!(looked = sweep.swept.looked, "the sweep ran out of time; the rest waits for the next tick");
        }
        tracing::debug!(looked = sweep.swept.looked, failed = sweep.swept.failed, "swept");
        Ok(sweep.swept)
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

    /// Tasks that run without an open row, or of another launch than their row's: a controller may have died between the
    /// row that replaced a worker and its StopTask, and the new launch may wait for the very room that the old one takes.
    async fn strays(&self, open: &[OpenRow]) -> BTreeMap<SessionId, Vec<TaskArn>> {
        let running = match self.orchestrator.running().await {
            Ok(running) => running,
            Err(error) => {
                tracing::warn!(%error, "the running tasks could not be listed, which is no verdict on any");
                return BTreeMap::new();
            }
        };
        let open: HashMap<&SessionId, Generation> = open.iter().map(|row| (&row.session_id, row.generation)).collect();
        let mut by_session: BTreeMap<SessionId, Vec<TaskArn>> = BTreeMap::new();
        for (id, task) in running {
            if open.get(&id) != Some(&task.generation) {
                by_session.entry(id).or_default().push(task.arn);
            }
        }
        by_session
    }

    /// Wanted (or refused) sessions that have no open row: the stream never told us, or its record was lost.
    async fn last_net(&self, sweep: &mut Sweep, open: &HashSet<SessionId>) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let page = self.sessions.scan(after).await?;
            for (id, record) in page.items {
                if !open.contains(&id) && self.wants_something(&id, record) {
                    self.look_once(sweep, &id, &[]).await;
                }
            }
            after = page.next;
            if after.is_none() || sweep.swept.cut_short {
                return Ok(());
            }
        }
    }

    fn wants_something(&self, id: &SessionId, record: SessionRecord) -> bool {
        let tasks = Tasks::Unknown("ECS was not asked".into());
        let view = View {
            session_id: id.clone(),
            session: Some(record),
            worker: None,
            tasks,
            fleet: Fleet::default(),
            strikes: Vec::new(),
        };
        match wish(&view, &self.policy, (self.clock)()) {
            Wish::Serve(_) | Wish::Refuse { .. } => true,
            Wish::Stop(_) => false,
        }
    }

    async fn look_once(&self, sweep: &mut Sweep, id: &SessionId, hints: &[TaskArn]) {
        if hints.is_empty() && sweep.done.contains(id) {
            return;
        }
        if (self.clock)() >= sweep.deadline {
            sweep.swept.cut_short = true;
            return;
        }
        sweep.done.insert(id.clone());
        sweep.swept.looked += 1;
        if let Err(error) = self.look(id, hints).await.or_else(pass_over_unreadable) {
            sweep.swept.failed += 1;
            tracing::warn!(session = %id, %error, "a session could not be looked at");
        }
    }
}
