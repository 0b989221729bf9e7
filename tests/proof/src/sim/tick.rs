//! A fleet that is served, and single ticks of the schedule over it: every call takes its time, and every read is counted.

use super::faults::Weather;
use super::ports::{Ports, clock, let_wait, pause, set_clock};
use super::schedule::{Edit, Happening};
use super::world::{Pause, Process, World, name};
use crate::exit::Exit;
use crate::model::operator::{self, Ordered};
use controller::handler::{Controller, Response};
use controller::ports::{Workers, Written};
use controller::tick::Swept;
use controller_core::action::RowWrite;
use controller_core::model::Policy;
use schemas::ids::{ChannelArn, Generation, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Phase, WorkerRow};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// A minute in which the schedule makes no complete sweep by itself.
const EPOCH: Timestamp = Timestamp(1_800_000_060_000);
/// An invocation of the real function may last so long, ms.
const TIME_LIMIT_MS: i64 = 55_000;

/// The fleet.
#[derive(Debug)]
pub struct Fleet {
    ports: Ports,
    controller: Controller<Ports, Ports, Ports, Ports, Ports, Ports>,
}

/// What a tick has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reads {
    /// What the controller says of its sweep.
    pub swept: Swept,
    /// How long it took, ms.
    pub took_ms: i64,
    /// Pages of open rows.
    pub listings: u64,
    /// Open rows in them.
    pub rows_listed: u64,
    /// Pages of the Sessions table.
    pub scans: u64,
    /// Single reads of our rows.
    pub rows_read: u64,
    /// Calls of any kind.
    pub calls: u64,
    /// Of these, those of ECS.
    pub ecs_reads: u64,
    /// Read units of DynamoDB, and write units.
    pub read_units: u64,
    /// See there.
    pub write_units: u64,
}

impl Fleet {
    /// So many sessions, each live, created an hour ago, and due after so long, ms.
    #[must_use]
    pub fn live(sessions: usize, due_ms: impl Fn(usize) -> i64) -> Self {
        set_clock(EPOCH);
        let ports = Ports(Arc::new(Mutex::new(World::of(sessions, 1, Weather::calm(), EPOCH))));
        let_wait(&ports);
        let policy = Policy { launch_burst: u32::MAX, ..Policy::default() };
        let controller = ports.controller(policy, pause);
        let mut fleet = Self { ports, controller };
        fleet.ports.world().sessions.iter_mut().for_each(|session| session.began = EPOCH.plus_ms(-3_600_000));
        fleet.ports.world().edit(0, Edit::Replace);
        fleet.handle(&json!({"sessionIds": [name(0).as_str()]}));
        let row = fleet.ports.world().sessions[0].row.clone().expect("a launch");
        for n in 0..sessions {
            fleet.make_live(n, row.clone(), due_ms(n));
        }
        fleet
    }

    fn make_live(&mut self, n: usize, like: WorkerRow, due_ms: i64) {
        let mut world = self.ports.world();
        world.bucket = 1_000_000;
        if n > 0 {
            world.edit(n, Edit::Replace);
            world.sessions[n].announced = Generation(1);
            drop(world.run_task(n, Generation(1)));
        }
        let arn = world.sessions[n].tasks[0].arn.clone();
        let mut row = WorkerRow { session_id: name(n), ..like };
        row.task.iter_mut().for_each(|task| task.arn = arn.clone());
        let channel = format!("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-{}/1", name(n));
        row.intent.iter_mut().for_each(|intent| intent.channel_arn = ChannelArn::try_new(channel.clone()).ok());
        world.sessions[n].row = Some(row);
        world.happen(n, 0, Happening::Boots);
        world.happen(n, 0, Happening::Beats);
        world.sessions[n].row.iter_mut().for_each(|row| row.next_look_at = Some(EPOCH.plus_ms(due_ms)));
    }

    /// From now on every call takes so long, ms.
    pub fn calls_take(&mut self, ms: i64) {
        self.ports.world().call_ms = ms;
    }

    /// So much later, ms.
    pub fn later(&mut self, ms: i64) {
        self.at(clock().plus_ms(ms));
    }

    /// One tick of the schedule.
    pub fn tick(&mut self) -> Reads {
        let count = |world: &World| (world.listings, world.rows_listed, world.scans, world.looks);
        let count = |world: &World| (count(world), world.bill);
        let ((before, spent), began) = (count(&self.ports.world()), clock());
        let swept = match self.handle(&json!({"sweep": true})) {
            Response::Swept(swept) => swept,
            Response::Batch(_) | Response::Held { .. } => Swept::default(),
        };
        let (after, bill) = count(&self.ports.world());
        Reads {
            swept,
            took_ms: clock().since(began),
            listings: after.0 - before.0,
            rows_listed: after.1 - before.1,
            scans: after.2 - before.2,
            rows_read: after.3 - before.3,
            calls: bill.calls - spent.calls,
            ecs_reads: bill.ecs_reads - spent.ecs_reads,
            read_units: (bill.half_read_units - spent.half_read_units) / 2,
            write_units: bill.write_units - spent.write_units,
        }
    }

    /// Our row of the nth session.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn row(&self, n: usize) -> WorkerRow {
        self.ports.world().beat_until_now(n);
        self.ports.world().sessions[n].row.clone().expect("a row")
    }

    /// The first task of the nth session ends with an error, and ECS tells it.
    pub fn crash(&mut self, n: usize) {
        let mut world = self.ports.world();
        world.exit(n, 0, Exit::Crashed);
        world.happen(n, 0, Happening::IsTold);
    }

    /// The speaker of the nth session is gone for good: its worker ends the run, and ECS tells it.
    pub fn speaker_leaves(&mut self, n: usize) {
        let mut world = self.ports.world();
        world.happen(n, 0, Happening::SpeakerLeaves);
        world.happen(n, 0, Happening::IsTold);
    }

    /// Every session is ended by its owner.
    pub fn end_all(&mut self) {
        let mut world = self.ports.world();
        (0..world.sessions.len()).for_each(|n| world.edit(n, Edit::End));
    }

    /// An operator drains every session, so many at once.
    pub fn drain_all(&mut self, at_once: Option<u32>) {
        let mut world = self.ports.world();
        let now = world.now;
        for row in world.sessions.iter_mut().filter_map(|session| session.row.as_mut()) {
            operator::set(row, Ordered::Drain, now, 0);
            row.operator.order.iter_mut().for_each(|order| order.at_once = at_once);
        }
    }

    /// ECS tells that the first task of the nth session has stopped.
    pub fn task_has_stopped(&mut self, n: usize) {
        let arn = self.ports.world().sessions[n].tasks[0].arn.clone();
        self.handle(&json!({"detail-type": "ECS Task State Change", "detail": {
            "startedBy": format!("{}/1", name(n)), "taskArn": arn.as_str(), "lastStatus": "STOPPED"}}));
    }

    /// Somebody looks at the nth session.
    pub fn look(&mut self, n: usize) {
        self.handle(&json!({"sessionIds": [name(n).as_str()]}));
    }

    /// Whether the table takes the end of a run from a controller that has read this row.
    #[must_use]
    pub fn writes_stopped(&mut self, read: &WorkerRow) -> bool {
        let why = Why::new(Cause::SessionEnded, "late", clock());
        let write = RowWrite::keep(read).to(Phase::Stopped, why);
        let ports = self.ports.clone();
        let mut future = pin!(ports.write(&read.session_id, Some(read), &write, clock()));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(written) => matches!(written, Ok(Written::Row(_))),
            Poll::Pending => false,
        }
    }

    /// The worker of this task, which was thought dead, tries to write.
    pub fn late_heartbeat(&mut self, n: usize, task: usize) {
        let mut world = self.ports.world();
        world.sessions[n].tasks[task].process = Process::Serving;
        world.happen(n, task, Happening::Beats);
    }

    /// How often each session was looked at so far.
    #[must_use]
    pub fn looked(&self) -> Vec<u64> {
        self.ports.world().sessions.iter().map(|session| session.looked).collect()
    }

    fn at(&mut self, now: Timestamp) {
        set_clock(now);
        self.ports.world().now = now;
    }

    /// One invocation to its end, in virtual time.
    fn handle(&mut self, event: &Value) -> Response {
        let deadline = u64::try_from(clock().0 + TIME_LIMIT_MS).unwrap_or(0);
        let ports = self.ports.clone();
        let mut future = pin!(self.controller.handle(event, deadline));
        loop {
            {
                let mut world = ports.world();
                world.pause = None;
                std::mem::take(&mut world.wakers).into_iter().for_each(Waker::wake);
            }
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(response) => return response.expect("nothing fails here"),
                Poll::Pending => {
                    let Some(Pause::For(ms)) = ports.world().pause else { panic!("nobody waits, and nothing goes on") };
                    let now = clock().plus_ms(ms);
                    set_clock(now);
                    ports.world().now = now;
                }
            }
        }
    }
}
