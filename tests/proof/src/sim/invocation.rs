//! The invocations of the real function that are under way: each goes on call by call, and may pause, fail, or die.

use super::ports::Ports;
use super::releases::Release;
use super::schedule::Event;
use super::world::{Pause, World, name};
use crate::invariants::{self, Invariant, Violation};
use controller::handler::{Controller, Response};
use controller::tick::Swept;
use schemas::ids::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// An invocation of the real function may last so long, ms.
const TIME_LIMIT_MS: i64 = 55_000;

/// The real controller on these ports.
pub type Real = Controller<Ports, Ports, Ports, Ports, Ports>;
type Running = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What an invocation came to.
enum Answer {
    Done,
    Failed,
    Swept(Swept),
}

struct Invocation {
    future: Running,
    trigger: Event,
    began: Timestamp,
    shaky: bool,
    release: Release,
    blind_before: u64,
}

/// All that are under way; a place is free when its invocation has ended.
pub struct Invocations {
    ports: Ports,
    under_way: Vec<Option<Invocation>>,
}

impl fmt::Debug for Invocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let triggers: Vec<Event> = self.under_way.iter().flatten().map(|invocation| invocation.trigger).collect();
        f.debug_struct("Invocations").field("triggers", &triggers).finish_non_exhaustive()
    }
}

impl Invocations {
    /// None yet, on these ports.
    #[must_use]
    pub const fn on(ports: Ports) -> Self {
        Self { ports, under_way: Vec::new() }
    }

    /// Whether a sweep is under way.
    #[must_use]
    pub fn sweeps(&self) -> bool {
        self.under_way.iter().flatten().any(|invocation| matches!(invocation.trigger, Event::Sweep))
    }

    /// One begins, and goes on until it first pauses.
    pub fn begin(&mut self, controller: &Arc<Real>, trigger: Event) {
        let (shaky, blind_before, now, release) = {
            let mut world = self.ports.world();
            world.begun += 1;
            let of_100_000 = world.weather.shaky;
            // A sweep makes thousands of calls: were it as shaky as a look, none would ever end.
            let sweeps = matches!(trigger, Event::Sweep);
            let shaky = world.rng.chance(of_100_000) && (!sweeps || world.rng.chance(20_000));
            (shaky, world.blind_listings, world.now, Release::of(world.begun))
        };
        let controller = controller.clone();
        let (event, deadline) = (event_json(trigger, now), u64::try_from(now.0 + TIME_LIMIT_MS).unwrap_or(0));
        let future = Box::pin(async move {
            match controller.handle(&event, deadline).await {
                Ok(Response::Swept(swept)) => Answer::Swept(swept),
                Ok(Response::Batch(batch)) if batch.batch_item_failures.is_empty() => Answer::Done,
                Ok(Response::Held { .. }) => Answer::Done,
                Ok(Response::Batch(_)) | Err(_) => Answer::Failed,
            }
        });
        let invocation = Invocation { future, trigger, began: now, shaky, release, blind_before };
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
                return Self::retry(invocation.trigger, &mut world);
            }
        }
        let answer = invocation.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut world = self.ports.world();
        world.shaky = false;
        match (answer, world.pause.take()) {
            (Poll::Pending, Some(Pause::For(ms))) => {
                world.after(ms, Event::Resume(place));
                self.under_way[place] = Some(invocation);
            }
            (Poll::Pending, Some(Pause::Died) | None) | (Poll::Ready(Answer::Failed), _) => {
                Self::retry(invocation.trigger, &mut world);
            }
            (Poll::Ready(Answer::Swept(swept)), _) => count_orphans(&mut world, &invocation, swept),
            (Poll::Ready(Answer::Done), _) => {}
        }
    }

    /// A batch that failed is delivered again; the schedule comes again by itself.
    fn retry(trigger: Event, world: &mut World) {
        if !matches!(trigger, Event::Sweep) {
            let ms = world.rng.between(500, 20_000);
            world.after(ms, trigger);
        }
    }
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

fn event_json(trigger: Event, now: Timestamp) -> Value {
    match trigger {
        Event::Record(n) => json!({"Records": [{"eventName": "MODIFY", "dynamodb": {
            "Keys": {"sessionId": {"S": name(n).as_str()}}, "SequenceNumber": now.0.to_string()}}]}),
        Event::TaskEvent(n) => json!({"source": "aws.ecs", "detail-type": "ECS Task State Change",
            "detail": {"startedBy": format!("{}/1", name(n))}}),
        Event::Sweep
        | Event::Resume(_)
        | Event::Begin(_)
        | Event::Edit(..)
        | Event::Task(..)
        | Event::Wish(..)
        | Event::Deploy
        | Event::Room
        | Event::Quiet => json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
    }
}
