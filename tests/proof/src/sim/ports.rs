//! The controller's tables in memory ([`super::aws`] has the rest). A call may fail, may wait while others go on, and may be the last of its
//! invocation: the future is then never polled again, which is a Lambda that dies between two effects.

use super::broken::Broken;
use super::invocation::Real;
use super::physics::Call;
use super::world::{Pause, World, hold_of, name, number};
use controller::handler::Controller;
use controller::memory::Memory;
use controller::ports::{Note, OpenRow, Page, PortError, Sessions, Workers, Written};
use controller::remedy::Remedy;
use controller_core::action::RowWrite;
use controller_core::model::{Policy, Strike};
use controller_core::restart;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::reason::Cause;
use schemas::session::SessionRecord;
use schemas::worker::{Phase, WorkerRow};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(0) };
    static WAITING: RefCell<Option<Ports>> = const { RefCell::new(None) };
}

/// Rows of a page of the index, which has their keys alone, and of a page of the Sessions table.
const PAGE: usize = 8_000;
const SCANNED: usize = 500;

/// The controller's clock: the virtual time of this thread.
#[must_use]
pub fn clock() -> Timestamp {
    Timestamp(NOW.get())
}

/// Waits in virtual time: what the controller is given to wait with.
#[must_use]
pub fn pause(wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let ports = WAITING.with_borrow(Clone::clone);
    let until = clock().plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    Box::pin(async move {
        if let Some(ports) = ports {
            Still { ports, until }.await;
        }
    })
}

/// Lets [`pause`] wait in the world of these ports, on this thread.
pub fn let_wait(ports: &Ports) {
    WAITING.set(Some(ports.clone()));
}

/// Moves the virtual time of this thread.
pub fn set_clock(now: Timestamp) {
    NOW.set(now.0);
}

/// All three capabilities.
#[derive(Debug, Clone)]
pub struct Ports(pub Arc<Mutex<World>>);

impl Ports {
    /// The real controller on them.
    #[must_use]
    pub fn controller(&self, policy: Policy, pause: fn(Duration) -> controller::handler::Pause) -> Real {
        Controller {
            sessions: self.clone(),
            workers: self.clone(),
            orchestrator: self.clone(),
            bus: self.clone(),
            channels: self.clone(),
            timer: self.clone(),
            memory: Memory::default(),
            policy,
            clock,
            pause,
        }
    }

    /// The world behind them.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("one thread")
    }

    /// A call goes out, and its answer comes: with physics it takes its time, and may meet a limit.
    ///
    /// # Errors
    /// [`PortError`] when a limit is met, or no answer comes in time.
    pub(super) async fn call(&self, call: Call) -> Result<(), PortError> {
        self.calls(call, 1).await
    }

    /// The same for a call over so many rows.
    pub(super) async fn calls(&self, call: Call, rows: usize) -> Result<(), PortError> {
        self.stand().await;
        let asked = self.world().ask(call, rows);
        if let Some(ms) = asked.takes_ms {
            Still { ports: self.clone(), until: clock().plus_ms(ms) }.await;
        }
        match asked.fails {
            None => Ok(()),
            Some(remedy) => Err(PortError::Aws { operation: call.operation(), remedy, detail: "physics".into() }),
        }
    }

    /// Where an invocation may stand still, or die.
    pub(super) async fn stand(&self) {
        let pause = {
            let mut world = self.world();
            if world.call_ms > 0 {
                Some(Pause::For(world.call_ms))
            } else if !world.shaky {
                None
            } else if world.rng.chance(3_000) {
                Some(Pause::Died)
            } else if world.rng.chance(20_000) {
                let ms = world.rng.between(5, 8_000);
                Some(Pause::For(ms))
            } else {
                None
            }
        };
        match pause {
            None => {}
            Some(Pause::Died) => Still { ports: self.clone(), until: Timestamp(i64::MAX) }.await,
            Some(Pause::For(ms)) => Still { ports: self.clone(), until: clock().plus_ms(ms) }.await,
        }
    }

    pub(super) fn table_fails(&self, operation: &'static str) -> Result<(), PortError> {
        let mut world = self.world();
        let of_100_000 = world.weather.table_throttled;
        if world.rng.chance(of_100_000) { Err(aws(operation)) } else { Ok(()) }
    }

    pub(super) fn is_blind(&self) -> bool {
        let mut world = self.world();
        let of_100_000 = world.weather.blind;
        let blind = world.rng.chance(of_100_000);
        world.blind_listings += u64::from(blind);
        blind
    }
}

pub(super) fn aws(operation: &'static str) -> PortError {
    PortError::Aws { operation, remedy: Remedy::Wait, detail: "ThrottlingException".into() }
}

/// Stands still until this time; a death is never over. Each poll says so anew, since the calls of one invocation may wait
/// beside one another: the earliest counts, and a death of one is the death of all.
struct Still {
    ports: Ports,
    until: Timestamp,
}

impl Future for Still {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.until.since(clock());
        if left <= 0 {
            return Poll::Ready(());
        }
        let mut world = self.ports.world();
        world.wakers.push(cx.waker().clone());
        world.pause = match (world.pause, self.until.0) {
            (Some(Pause::Died), _) | (_, i64::MAX) => Some(Pause::Died),
            (Some(Pause::For(ms)), _) => Some(Pause::For(ms.min(left))),
            (None, _) => Some(Pause::For(left)),
        };
        Poll::Pending
    }
}

impl Sessions for Ports {
    async fn read(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError> {
        self.call(Call::ReadSession).await?;
        self.table_fails("GetItem")?;
        let mut world = self.world();
        let invocation = world.invocation;
        let Some(session) = world.sessions.get_mut(number(id)) else { return Ok(None) };
        session.reads.insert(invocation, session.version);
        session.looked += 1;
        Ok(session.record.clone())
    }

    async fn scan(&self, after: Option<String>) -> Result<Page<(SessionId, SessionRecord), String>, PortError> {
        self.calls(Call::ScanSessions, SCANNED).await?;
        self.table_fails("Scan")?;
        let mut world = self.world();
        world.scans += 1;
        let forgets = world.broken_rule == Broken::WantedAreForgotten;
        let first = after.and_then(|after| SessionId::try_new(after).ok()).map_or(0, |id| number(&id) + 1);
        let last = (first + SCANNED).min(world.sessions.len());
        let rows = (first..last).zip(&world.sessions[first.min(last)..last]);
        let parked = world.broken_rule == Broken::ParkedAreForgotten;
        let is_parked = |row: &WorkerRow| restart::is_parked(row.phase, row.why.cause);
        let rows = rows.filter(|(_, session)| !(forgets && session.wanted));
        let rows = rows.filter(|(_, session)| !(parked && session.row.as_ref().is_some_and(is_parked)));
        let items = rows.filter_map(|(n, session)| Some((name(n), session.record.clone()?))).collect();
        let next = (last < world.sessions.len() && last > 0).then(|| name(last - 1).to_string());
        Ok(Page { items, next })
    }
}

impl Workers for Ports {
    async fn read(&self, id: &SessionId) -> Result<Option<WorkerRow>, PortError> {
        {
            let mut world = self.world();
            let now = world.now;
            if let Some(session) = world.sessions.get_mut(number(id)) {
                session.looked_at = now;
            }
        }
        self.call(Call::ReadRow(number(id))).await?;
        self.table_fails("GetItem")?;
        let mut world = self.world();
        world.looks += 1;
        if world.sessions.len() <= number(id) {
            return Ok(None);
        }
        world.beat_until_now(number(id));
        let (invocation, broken, release) = (world.invocation, world.broken_rule, world.release);
        let session = &mut world.sessions[number(id)];
        session.holds_read.insert(invocation, hold_of(session.row.as_ref()));
        let mut row = world.as_read(number(id), release);
        if let Some(row) = row.as_mut().filter(|_| broken == Broken::HoldsAreNotRead) {
            row.operator.hold = None;
        }
        Ok(row)
    }

    async fn write(
        &self,
        id: &SessionId,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        now: Timestamp,
    ) -> Result<Written, PortError> {
        self.call(Call::WriteRow(number(id))).await?;
        self.table_fails("UpdateItem")?;
        let mut world = self.world();
        let (n, invocation) = (number(id), world.invocation);
        let version = world.sessions[n].reads.get(&invocation).copied().unwrap_or(0);
        let written = world.write(n, read, write, version, now);
        let release = world.release;
        let written = if written.is_some() { world.as_read(n, release) } else { None };
        if let Some(row) = &written {
            world.sessions[n].holds_read.insert(invocation, hold_of(Some(row)));
        }
        let of_100_000 = world.weather.table_answer_lost;
        if world.rng.chance(of_100_000) {
            return Err(aws("UpdateItem"));
        }
        Ok(written.map_or(Written::Lost, |row| Written::Row(Box::new(row))))
    }

    async fn look_again(&self, read: &WorkerRow, at: Timestamp) -> Result<(), PortError> {
        self.call(Call::WriteRow(number(&read.session_id))).await?;
        self.table_fails("UpdateItem")?;
        let mut world = self.world();
        let row = world.sessions[number(&read.session_id)].row.as_mut();
        if let Some(row) = row.filter(|row| row.revision == read.revision && !row.phase.is_final()) {
            row.next_look_at = Some(at);
        }
        Ok(())
    }

    async fn open(&self, after: Option<OpenRow>) -> Result<Page<OpenRow, OpenRow>, PortError> {
        self.calls(Call::QueryIndex, PAGE).await?;
        self.table_fails("Query")?;
        let mut world = self.world();
        world.listings += 1;
        let forgets = world.broken_rule == Broken::WantedAreForgotten;
        let parked = world.broken_rule == Broken::ParkedAreForgotten;
        let first = after.map_or(0, |last| number(&last.session_id) + 1);
        let (first, last) = world.active(first);
        let found = world.sessions[first..last].iter().filter(|session| !(forgets && session.wanted));
        let rows = found.filter_map(|session| session.row.as_ref());
        let rows = rows.filter(|row| !(parked && restart::is_parked(row.phase, row.why.cause)));
        let items: Vec<OpenRow> = rows.filter_map(OpenRow::of).take(PAGE).collect();
        let next = if items.len() == PAGE { items.last().cloned() } else { None };
        world.rows_listed += items.len() as u64;
        Ok(Page { items, next })
    }

    async fn queued(&self) -> Result<Vec<OpenRow>, PortError> {
        self.calls(Call::QueryIndex, PAGE).await?;
        self.table_fails("Query")?;
        let world = self.world();
        let parked = world.broken_rule == Broken::ParkedAreForgotten;
        let (first, last) = world.active(0);
        let rows = world.sessions[first..last].iter().filter_map(|session| session.row.as_ref());
        let rows = rows.filter(|row| row.phase == Phase::Queued);
        let rows = rows.filter(|row| !(parked && restart::is_parked(row.phase, row.why.cause)));
        Ok(rows.filter_map(OpenRow::of).collect())
    }

    async fn read_many(&self, ids: &[SessionId]) -> Result<Vec<WorkerRow>, PortError> {
        let mut rows = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(100) {
            self.calls(Call::BatchGetRows, chunk.len()).await?;
            self.table_fails("BatchGetItem")?;
            let mut world = self.world();
            let (broken, release) = (world.broken_rule, world.release);
            for n in chunk.iter().map(number).filter(|n| *n < world.sessions.len()).collect::<Vec<_>>() {
                world.beat_until_now(n);
                let mut row = world.as_read(n, release);
                if broken == Broken::HandoversAreNotCounted {
                    row.iter_mut()
                        .filter(|row| row.phase != Phase::Live)
                        .for_each(|row| row.why.cause = Cause::SessionActive);
                }
                rows.extend(row);
            }
        }
        Ok(rows)
    }

    async fn strikes(&self, id: &SessionId) -> Result<Vec<Strike>, PortError> {
        Ok(self.world().sessions.get(number(id)).map(|session| session.strikes.clone()).unwrap_or_default())
    }

    async fn strike(&self, id: &SessionId, arn: &TaskArn, now: Timestamp) -> Result<(), PortError> {
        self.call(Call::WriteRow(number(id))).await?;
        let mut world = self.world();
        let Some(session) = world.sessions.get_mut(number(id)) else { return Ok(()) };
        if session.strikes.iter().all(|strike| strike.arn != *arn) {
            session.strikes.push(Strike { arn: arn.clone(), at: now });
        }
        Ok(())
    }

    async fn note(&self, row: &WorkerRow, note: &Note) -> Result<(), PortError> {
        self.call(Call::WriteRow(number(&row.session_id))).await?;
        let mut world = self.world();
        let current = world.sessions[number(&row.session_id)].row.as_mut();
        if let Some(current) = current.filter(|current| current.generation == row.generation) {
            match note {
                Note::Published(published) => current.published = Some(published.clone()),
                Note::ChannelDeleted(at) => current.channel_deleted_at = Some(*at),
            }
        }
        Ok(())
    }

    async fn keep_decision(&self, id: &SessionId, _json: String, _now: Timestamp) -> Result<(), PortError> {
        self.call(Call::WriteBeside(number(id))).await
    }
}
