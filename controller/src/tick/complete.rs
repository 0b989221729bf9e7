//! The complete part of a sweep: everything that runs and everything that is wanted, against the open rows.

use super::Sweep;
use crate::handler::Controller;
use crate::ports::{Bus, Channels, Cursor, OpenRow, Orchestrator, PortError, Sessions, Workers};
use controller_core::model::{Fleet, Switch, Task, Tasks, View};
use controller_core::run_rule::{Wish, wish};
use schemas::ids::{SessionId, TaskArn};
use schemas::session::SessionRecord;
use std::collections::{BTreeMap, HashMap, HashSet};

impl<S: Sessions, W: Workers, O: Orchestrator, B: Bus, C: Channels> Controller<S, W, O, B, C> {
    /// Goes on where the sweep `before` stopped; `after` says where this one did.
    pub(super) async fn complete(
        &self,
        sweep: &Sweep,
        open: Vec<OpenRow>,
        before: &Cursor,
        after: &mut Cursor,
    ) -> Result<(), PortError> {
        after.scan.clone_from(&before.scan);
        let strays = self.strays(&open).await;
        let behind = |id: &SessionId| before.stray.as_ref().is_none_or(|last| id > last);
        let strays: Vec<_> = strays.into_iter().filter(|(id, _)| behind(id)).collect();
        let sessions = strays.iter().map(|(id, hints)| (id, hints.as_slice()));
        let begun = self.look_at_all_of(sweep, sessions, sweep.deadline).await;
        if begun < strays.len() {
            sweep.leave(strays.len() - begun);
            let last = begun.checked_sub(1).and_then(|at| strays.get(at)).map(|(id, _)| id.clone());
            after.stray = last.or_else(|| before.stray.clone());
            return Ok(());
        }
        let open: HashSet<SessionId> = open.into_iter().map(|row| row.session_id).collect();
        after.scan = self.last_net(sweep, &open, before.scan.clone()).await?;
        Ok(())
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
        let open: HashMap<&SessionId, &OpenRow> = open.iter().map(|row| (&row.session_id, row)).collect();
        let is_of =
            |row: &OpenRow, task: &Task| row.task.as_ref() == Some(&task.arn) || row.generation == task.generation;
        let mut by_session: BTreeMap<SessionId, Vec<TaskArn>> = BTreeMap::new();
        for (id, task) in running {
            if !open.get(&id).is_some_and(|row| is_of(row, &task)) {
                by_session.entry(id).or_default().push(task.arn);
            }
        }
        by_session
    }

    /// Wanted (or refused) sessions that have no open row: the stream never told us, or its record was lost. With clean-up,
    /// sessions that are over too, whose channel may be due. One that was looked at and needed nothing is left alone for longer each time. The last row that had its turn, when the time was up before the end.
    async fn last_net(
        &self,
        sweep: &Sweep,
        open: &HashSet<SessionId>,
        mut after: Option<String>,
    ) -> Result<Option<String>, PortError> {
        loop {
            let now = (self.clock)();
            if now >= sweep.deadline {
                sweep.lock().swept.cut_short = true;
                return Ok(after);
            }
            let page = self.sessions.scan(after.clone()).await?;
            let rests = |id: &SessionId, record: &SessionRecord| self.memory.rests(id, record, now);
            let wanted = page
                .items
                .iter()
                .filter(|(id, record)| !open.contains(id) && self.wants_something(id, record) && !rests(id, record));
            let wanted: Vec<&(SessionId, SessionRecord)> = wanted.collect();
            let begun = self.look_at_all_of(sweep, wanted.iter().map(|(id, _)| (id, &[][..])), sweep.deadline).await;
            for (id, record) in wanted.iter().take(begun).filter(|(id, _)| !sweep.lock().failed.contains(id)) {
                self.memory.looked_at(id, record, now);
            }
            if begun < wanted.len() {
                sweep.leave(wanted.len() - begun);
                let last = begun.checked_sub(1).and_then(|at| wanted.get(at)).map(|(id, _)| id.to_string());
                return Ok(last.or(after));
            }
            let Some(next) = page.next else { return Ok(None) };
            after = Some(next);
        }
    }

    fn wants_something(&self, id: &SessionId, record: &SessionRecord) -> bool {
        let view = View {
            session_id: id.clone(),
            session: Some(record.clone()),
            worker: None,
            tasks: Tasks::Unknown("ECS was not asked".into()),
            fleet: Fleet::default(),
            strikes: Vec::new(),
        };
        match wish(&view, &self.policy, (self.clock)()) {
            Wish::Serve(_) | Wish::Refuse { .. } => true,
            Wish::Stop(_) => self.policy.channel_cleanup == Switch::On && matches!(record, SessionRecord::Session(_)),
        }
    }
}
