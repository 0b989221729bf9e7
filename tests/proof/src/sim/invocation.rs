//! The invocations of the real function that are under way: each goes on call by call, and may pause, fail, or die.

use super::ports::{Ports, clock, set_clock};
use super::releases::Release;
use super::schedule::Event;
use super::world::{Pause, World, name};
use crate::invariants::{self, Invariant, Violation};
use controller::handler::{Controller, Response};
use controller::tick::Swept;
use schemas::ids::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// An invocation of the real function may last so long, ms.
const TIME_LIMIT_MS: i64 = 55_000;
/// Invocations at once, as deployed (`controllerConcurrency`), where there is a limit.
const AT_ONCE: usize = 10;
/// Records of one batch of a stream, and batches of a shard at once, those of one session in their order, as deployed.
const BATCH: usize = 100;
const LANES: usize = 4;

/// The real controller on these ports.
pub type Real = Controller<Ports, Ports, Ports, Ports, Ports, Ports>;
type Running = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What an invocation came to.
enum Answer {
    Done,
    Failed,
    Swept(Swept),
}

/// What an invocation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trigger {
    /// One event.
    Event(Event),
    /// Records of these sessions, all of one lane.
    Batch(Vec<usize>),
}

struct Invocation {
    future: Running,
    trigger: Trigger,
    skew_ms: i64,
    began: Timestamp,
    shaky: bool,
    release: Release,
    blind_before: u64,
}

/// All that are under way; a place is free when its invocation has ended.
pub struct Invocations {
    ports: Ports,
    under_way: Vec<Option<Invocation>>,
    waiting: VecDeque<Event>,
    lanes: [VecDeque<usize>; LANES],
}

impl fmt::Debug for Invocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let triggers: Vec<&Trigger> = self.under_way.iter().flatten().map(|invocation| &invocation.trigger).collect();
        f.debug_struct("Invocations").field("triggers", &triggers).finish_non_exhaustive()
    }
}

impl Invocations {
    /// None yet, on these ports.
    #[must_use]
    pub const fn on(ports: Ports) -> Self {
        Self { ports, under_way: Vec::new(), waiting: VecDeque::new(), lanes: [const { VecDeque::new() }; LANES] }
    }

    /// Whether a sweep is under way.
    #[must_use]
    pub fn sweeps(&self) -> bool {
        self.under_way.iter().flatten().any(|invocation| invocation.trigger == Trigger::Event(Event::Sweep))
    }

    /// One begins; where there is a limit, when its turn has come.
    pub fn begin(&mut self, controller: &Arc<Real>, event: Event) {
        if self.ports.world().limits.is_none() {
            return self.invoke(controller, Trigger::Event(event));
        }
        match event {
            Event::Record(n) => self.lanes[n % LANES].push_back(n),
            Event::Sweep
            | Event::Resume(_)
            | Event::Begin(_)
            | Event::Edit(..)
            | Event::TaskEvent(..)
            | Event::Wake(_)
            | Event::Incident(_)
            | Event::Task(..)
            | Event::Order(..)
            | Event::Deploy
            | Event::Room
            | Event::Quiet => self.waiting.push_back(event),
        }
        self.go_on(controller);
    }

    /// Whoever waits for an invocation gets one, as far as there are any.
    pub fn go_on(&mut self, controller: &Arc<Real>) {
        while self.under_way.iter().flatten().count() < AT_ONCE {
            let idle = |lane: &usize| !self.lanes[*lane].is_empty() && !self.is_busy(*lane);
            if let Some(lane) = (0..LANES).find(idle) {
                let lane = &mut self.lanes[lane];
                let records = lane.drain(..lane.len().min(BATCH)).collect();
                self.invoke(controller, Trigger::Batch(records));
            } else if let Some(event) = self.waiting.pop_front() {
                self.invoke(controller, Trigger::Event(event));
            } else {
                return;
            }
        }
    }

    /// Whether a batch of this lane is under way.
    fn is_busy(&self, lane: usize) -> bool {
        self.under_way.iter().flatten().any(|invocation| match &invocation.trigger {
            Trigger::Batch(records) => records.first().is_some_and(|n| n % LANES == lane),
            Trigger::Event(_) => false,
        })
    }

    /// One begins, and goes on until it first pauses.
    fn invoke(&mut self, controller: &Arc<Real>, trigger: Trigger) {
        let sweeps = trigger == Trigger::Event(Event::Sweep);
        let (shaky, blind_before, now, release, skew_ms) = {
            let mut world = self.ports.world();
            world.begun += 1;
            world.bill.invocations += 1;
            let of_100_000 = world.weather.shaky;
            // A sweep makes thousands of calls: were it as shaky as a look, none would ever end.
            let shaky = world.rng.chance(of_100_000) && (!sweeps || world.rng.chance(20_000));
            let skew_ms = if world.limits.is_some() { world.rng.between(-1_000, 1_001) } else { 0 };
            (shaky, world.blind_listings, world.now, Release::of(world.begun), skew_ms)
        };
        let controller = controller.clone();
        let event = self.event_json(&trigger, now);
        let deadline = u64::try_from(now.0 + skew_ms + TIME_LIMIT_MS).unwrap_or(0);
        let future = Box::pin(async move {
            match controller.handle(&event, deadline).await {
                Ok(Response::Swept(swept)) => Answer::Swept(swept),
                Ok(Response::Batch(batch)) if batch.batch_item_failures.is_empty() => Answer::Done,
                Ok(Response::Held { .. }) => Answer::Done,
                Ok(Response::Batch(_)) | Err(_) => Answer::Failed,
            }
        });
        let invocation = Invocation { future, trigger, skew_ms, began: now, shaky, release, blind_before };
        let free = self.under_way.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.under_way.push(None);
            self.under_way.len() - 1
        });
        self.under_way[place] = Some(invocation);
        self.resume(place);
    }

    /// An invocation goes on until it ends, pauses, dies, or its time is up.
    pub fn resume(&mut self, place: usize) {
        let Some(mut invocation) = self.under_way[place].take() else { return };
        {
            let mut world = self.ports.world();
            world.shaky = invocation.shaky;
            world.release = invocation.release;
            world.invocation = place;
            world.pause = None;
            std::mem::take(&mut world.wakers).into_iter().for_each(Waker::wake);
            if world.now.since(invocation.began) > TIME_LIMIT_MS {
                drop(world);
                return self.retry(invocation.trigger);
            }
        }
        let now = clock();
        set_clock(now.plus_ms(invocation.skew_ms));
        let answer = invocation.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        set_clock(now);
        let mut world = self.ports.world();
        world.shaky = false;
        let dies = matches!(world.pause, Some(Pause::Died));
        if dies || answer.is_ready() {
            let ran = world.now.since(invocation.began);
            world.bill.lambda_ms += u64::try_from(ran).unwrap_or(0);
        }
        match (answer, world.pause.take()) {
            (Poll::Pending, Some(Pause::For(ms))) => {
                world.after(ms, Event::Resume(place));
                self.under_way[place] = Some(invocation);
            }
            (Poll::Pending, Some(Pause::Died) | None) | (Poll::Ready(Answer::Failed), _) => {
                drop(world);
                self.retry(invocation.trigger);
            }
            (Poll::Ready(Answer::Swept(swept)), _) => count_orphans(&mut world, &invocation, swept),
            (Poll::Ready(Answer::Done), _) => {}
        }
    }

    /// A batch that failed is delivered again; the schedule comes again by itself, and a timer is not repeated.
    fn retry(&mut self, trigger: Trigger) {
        match trigger {
            Trigger::Event(Event::Sweep | Event::Wake(_)) => {}
            Trigger::Event(event) => {
                let mut world = self.ports.world();
                let ms = world.rng.between(500, 20_000);
                world.after(ms, event);
            }
            Trigger::Batch(records) => records.into_iter().rev().for_each(|n| self.lanes[n % LANES].push_front(n)),
        }
    }

    fn event_json(&self, trigger: &Trigger, now: Timestamp) -> Value {
        match trigger {
            Trigger::Batch(records) => json!({"Records": records.iter().map(|n| record(*n, now)).collect::<Vec<_>>()}),
            Trigger::Event(Event::Record(n)) => json!({"Records": [record(*n, now)]}),
            Trigger::Event(Event::TaskEvent(n, t)) => self.ports.world().task_event(*n, *t),
            Trigger::Event(Event::Wake(place)) => {
                let wake = self.ports.world().wakes.get_mut(*place).and_then(Option::take);
                let body = serde_json::to_string(&wake).unwrap_or_default();
                json!({"Records": [{"eventSource": "aws:sqs", "body": body}]})
            }
            Trigger::Event(
                Event::Sweep
                | Event::Resume(_)
                | Event::Begin(_)
                | Event::Edit(..)
                | Event::Task(..)
                | Event::Order(..)
                | Event::Deploy
                | Event::Room
                | Event::Incident(_)
                | Event::Quiet,
            ) => json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
        }
    }
}

fn record(n: usize, now: Timestamp) -> Value {
    json!({"eventName": "MODIFY", "dynamodb": {
        "Keys": {"sessionId": {"S": name(n).as_str()}}, "SequenceNumber": now.0.to_string()}})
}

/// After a whole sweep in which ECS answered everything, a task of an older generation has outlived one more.
fn count_orphans(world: &mut World, sweep: &Invocation, swept: Swept) {
    if swept.failed > 0 || swept.cut_short || world.blind_listings != sweep.blind_before {
        return;
    }
    for n in 0..world.sessions.len() {
        // A hold forbids every stop of a task of its session.
        let now = world.now;
        if world.sessions[n].row.as_ref().is_some_and(|row| invariants::is_held(row, now)) {
            continue;
        }
        let mut oldest = None;
        for task in &mut world.sessions[n].tasks {
            let before = task.replaced_at.is_some_and(|at| at < sweep.began) && task.listed_at < sweep.began;
            if before && task.lives() && task.stopping.is_none() {
                task.outlived += 1;
                oldest = oldest.max(Some((task.outlived, task.generation)));
            }
        }
        if let Some((outlived, generation)) = oldest.filter(|(outlived, _)| *outlived >= 2) {
            let seen = format!("generation {generation} has outlived {outlived} whole sweeps");
            world.hold(n, Err(Violation::of(Invariant::NoOrphanOutlivesTwoSweeps, seen)));
        }
    }
}
