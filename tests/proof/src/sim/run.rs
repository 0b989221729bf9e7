//! One seed, from its first session to its last.

use super::broken::Broken;
use super::faults::Weather;
use super::ports::{Ports, clock, let_wait, pause, set_clock};
use super::schedule::{Edit, Event, Happening};
use super::world::{Pause, Process, Session, World, name};
use crate::invariants::{Invariant, Violation};
use crate::model::operator::Wished;
use controller::handler::{Controller, Response};
use controller::memory::Memory;
use controller::sweep::Swept;
use controller_core::model::{Policy, Switch};
use schemas::ids::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// When every run begins.
const EPOCH: Timestamp = Timestamp(1_800_000_000_000);
const MINUTE: i64 = 60_000;
/// An invocation of the real function may last so long, ms.
const TIME_LIMIT_MS: i64 = 60_000;
/// How long every session is left alone at the end, before it must have come to what it should, ms.
const QUIET_MS: i64 = 25 * MINUTE;

/// What a run consists of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Chance.
    pub seed: u64,
    /// Sessions.
    pub sessions: usize,
    /// They all begin within so long, ms.
    pub arrivals_ms: i64,
    /// Faults and changes end after so long, ms.
    pub lasts_ms: i64,
    /// How bad it is.
    pub weather: Weather,
    /// Whether a sweep waits inside its invocation while sessions wait for their turn, as the real one does.
    pub waits: bool,
    /// What is broken on purpose.
    pub broken: Broken,
}

impl Setup {
    /// A run of this seed: 500 sessions that come within two hours, in rough weather; in a storm for every fifth seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let weather = if seed.is_multiple_of(5) { Weather::storm() } else { Weather::rough() };
        let (waits, broken) = (false, Broken::Nothing);
        Self { seed, sessions: 500, arrivals_ms: 120 * MINUTE, lasts_ms: 240 * MINUTE, weather, waits, broken }
    }
}

/// What was seen in a run.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Sum of the lives of its sessions, ms.
    pub session_ms: i64,
    /// Sessions.
    pub sessions: usize,
    /// Reads of our row by looks.
    pub looks: u64,
    /// Tasks that were started.
    pub tasks: usize,
    /// Wishes of operators that were written.
    pub wishes: u64,
    /// Handovers that a rollout began.
    pub rolled: u64,
    /// Channels that were deleted.
    pub deleted_channels: u64,
    /// Every launch, in order: ms after the beginning, the session, and since when it was wanted (ms after the beginning).
    pub launches: Vec<(i64, usize, i64)>,
}

/// A run in which an invariant did not hold.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    broken: Broken,
    session: String,
    /// What did not hold.
    pub violation: Violation,
    story: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (seed {}, session {})", self.violation, self.seed, self.session)?;
        writeln!(f, "the last of that session, in seconds since its creation:\n{}", self.story)?;
        write!(f, "replay: cargo run -p proof --bin soak -- --seed {} --runs 1", self.seed)?;
        if self.broken == Broken::Nothing { Ok(()) } else { write!(f, " --broken {:?}", self.broken) }
    }
}

type Real = Controller<Ports, Ports, Ports, Ports, Ports>;
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
    blind_before: u64,
}

struct Run {
    setup: Setup,
    ports: Ports,
    controller: Arc<Real>,
    invocations: Vec<Option<Invocation>>,
    quiet: bool,
}

/// Runs one seed to its end.
///
/// # Errors
/// [`Failure`] with the story of the session whose invariant did not hold.
pub fn run(setup: Setup) -> Result<Seen, Box<Failure>> {
    let mut run = Run::new(setup);
    let end = EPOCH.plus_ms(run.setup.lasts_ms + QUIET_MS);
    let mut seen = Seen { sessions: run.setup.sessions, ..Seen::default() };
    loop {
        let next = run.ports.world().schedule.take();
        let Some((now, event)) = next.filter(|(now, _)| *now <= end) else { break };
        set_clock(now);
        run.ports.world().now = now;
        run.happen(event);
        run.fail_if_broken()?;
    }
    run.check_goals();
    run.fail_if_broken()?;
    let world = run.ports.world();
    seen.looks = world.looks;
    (seen.wishes, seen.rolled, seen.deleted_channels) = (world.wishes, world.rolled, world.deleted_channels);
    let ms = |at: Timestamp| at.since(EPOCH);
    seen.launches = world.launches.iter().map(|(at, n, since)| (ms(*at), *n, since.map_or(0, ms))).collect();
    seen.tasks = world.sessions.iter().map(|session| session.tasks.len()).sum();
    let life = |s: &Session| s.over.unwrap_or(world.now).min(s.expires_at).since(s.began).max(0);
    seen.session_ms = world.sessions.iter().map(life).sum();
    Ok(seen)
}

/// The real controller on these ports, with this revision of the task definition.
fn controller(ports: &Ports, revision: u32, waits: bool) -> Arc<Real> {
    let policy = Policy {
        task_definition: Some(format!("arn:aws:ecs:us-east-1:123456789012:task-definition/worker:{revision}")),
        rollout: Switch::On,
        channel_cleanup: Switch::On,
        ..Policy::default()
    };
    Arc::new(Controller {
        sessions: ports.clone(),
        workers: ports.clone(),
        orchestrator: ports.clone(),
        bus: ports.clone(),
        channels: ports.clone(),
        memory: Memory::default(),
        policy,
        clock,
        // Where nobody waits inside an invocation, the next tick goes on.
        pause: if waits { pause } else { |_| Box::pin(std::future::ready(())) },
    })
}

impl Run {
    fn new(setup: Setup) -> Self {
        let mut world = World::of(setup.sessions, setup.seed, setup.weather.clone(), EPOCH);
        world.broken_rule = setup.broken;
        for n in 0..setup.sessions {
            let ms = world.rng.between(0, setup.arrivals_ms.max(1));
            world.after(ms, Event::Begin(n));
        }
        world.after(MINUTE, Event::Sweep);
        world.after(MINUTE, Event::Room);
        world.after(setup.lasts_ms, Event::Quiet);
        let deployed = world.rng.between(30 * MINUTE, 180 * MINUTE);
        world.after(deployed, Event::Deploy);
        let ports = Ports(Arc::new(Mutex::new(world)));
        set_clock(EPOCH);
        if setup.waits {
            let_wait(&ports);
        }
        let controller = controller(&ports, 1, setup.waits);
        Self { setup, ports, controller, invocations: Vec::new(), quiet: false }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wish(n, wished, hold_ms) => {
                if !self.quiet {
                    self.ports.world().wish(n, wished, hold_ms);
                }
            }
            // Whoever is at work goes on with what it knows.
            Event::Deploy => self.controller = controller(&self.ports, 2, self.setup.waits),
            Event::Begin(n) => self.begin(n),
            Event::Edit(n, edit) => {
                let over = self.ports.world().sessions[n].over.is_some();
                if !self.quiet && !over {
                    self.ports.world().edit(n, edit);
                }
            }
            Event::Task(n, t, happening) => self.happen_to(n, t, happening),
            Event::Room => self.change_room(),
            Event::Quiet => {
                self.quiet = true;
                let mut world = self.ports.world();
                world.weather = Weather::calm();
                world.room = usize::MAX;
            }
            Event::Resume(place) => self.poll(place),
            Event::Record(_) | Event::TaskEvent(_) => self.invoke(event),
            Event::Sweep => {
                let mut world = self.ports.world();
                let ms = world.rng.between(55_000, 65_000);
                world.after(ms, Event::Sweep);
                drop(world);
                // The schedule does not overlap itself.
                let sweeps = |invocation: &Invocation| matches!(invocation.trigger, Event::Sweep);
                if !self.invocations.iter().flatten().any(sweeps) {
                    self.invoke(event);
                }
            }
        }
    }

    /// A session is created, and its end is planned: one of the many ways.
    fn begin(&mut self, n: usize) {
        let mut world = self.ports.world();
        let life = world.rng.between(20 * MINUTE, 90 * MINUTE);
        let way = world.rng.between(0, 100);
        let now = world.now;
        let session = &mut world.sessions[n];
        session.began = now;
        session.expires_at = now.plus_ms(if way < 10 { life } else { 24 * 60 * MINUTE });
        world.edit(n, Edit::Replace);
        match way {
            0..10 => {}
            10..50 => world.after(life, Event::Edit(n, Edit::End)),
            50..60 => world.after(life, Event::Edit(n, Edit::Deactivate)),
            60..80 => world.after(life, Event::Edit(n, Edit::Delete)),
            _ => {
                world.after(life, Event::Task(n, usize::MAX, Happening::SpeakerLeaves));
                world.after(life + 30 * MINUTE, Event::Edit(n, Edit::Delete));
            }
        }
        Self::plan_wishes(&mut world, n, life);
        if world.rng.chance(20_000) {
            let pause = world.rng.between(MINUTE, life);
            world.after(pause, Event::Edit(n, Edit::Pause));
            world.after(pause + 5 * MINUTE, Event::Edit(n, Edit::Resume));
        }
        if world.rng.chance(5_000) {
            let replaced = world.rng.between(MINUTE, life);
            world.after(replaced, Event::Edit(n, Edit::Replace));
        }
    }

    /// Operators wish something of about every third session.
    fn plan_wishes(world: &mut World, n: usize, life: i64) {
        for wished in [Wished::Hold, Wished::Release, Wished::Stop, Wished::Restart, Wished::Drain] {
            let of_100_000 = if wished == Wished::Stop { 3_000 } else { 8_000 };
            if world.rng.chance(of_100_000) {
                let (at, hold_ms) = (world.rng.between(0, life), world.rng.between(MINUTE, 15 * MINUTE));
                world.after(at, Event::Wish(n, wished, hold_ms));
            }
        }
        // Many a hold is written just before something ends.
        if world.rng.chance(5_000) {
            let (early, hold_ms) = (world.rng.between(0, 3_000), world.rng.between(MINUTE, 15 * MINUTE));
            world.after(life - early + 1_000, Event::Wish(n, Wished::Hold, hold_ms));
        }
    }

    fn happen_to(&mut self, n: usize, t: usize, happening: Happening) {
        let mut world = self.ports.world();
        let serving = |s: &Session| s.tasks.iter().position(|task| task.process == Process::Serving);
        let place = if t == usize::MAX { serving(&world.sessions[n]) } else { Some(t) };
        if let Some(t) = place.filter(|_| !self.quiet || happening != Happening::SpeakerLeaves) {
            world.happen(n, t, happening);
        }
    }

    fn change_room(&mut self) {
        let mut world = self.ports.world();
        let of_100_000 = world.weather.room_ends;
        let ends = world.rng.chance(of_100_000);
        let ms = if ends { world.rng.between(MINUTE, 10 * MINUTE) } else { MINUTE };
        world.room = if ends { 0 } else { usize::MAX };
        world.after(ms, Event::Room);
    }

    fn invoke(&mut self, trigger: Event) {
        let (shaky, blind_before, now) = {
            let mut world = self.ports.world();
            let of_100_000 = world.weather.shaky;
            // A sweep makes thousands of calls: were it as shaky as a look, none would ever end.
            let sweeps = matches!(trigger, Event::Sweep);
            let shaky = world.rng.chance(of_100_000) && (!sweeps || world.rng.chance(20_000));
            (shaky, world.blind_listings, world.now)
        };
        let controller = self.controller.clone();
        let (event, deadline) = (event_json(trigger, now), u64::try_from(now.0 + TIME_LIMIT_MS).unwrap_or(0));
        let future = Box::pin(async move {
            match controller.handle(&event, deadline).await {
                Ok(Response::Swept(swept)) => Answer::Swept(swept),
                Ok(Response::Batch(batch)) if batch.batch_item_failures.is_empty() => Answer::Done,
                Ok(Response::Batch(_)) | Err(_) => Answer::Failed,
            }
        });
        let invocation = Invocation { future, trigger, began: now, shaky, blind_before };
        let free = self.invocations.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.invocations.push(None);
            self.invocations.len() - 1
        });
        self.invocations[place] = Some(invocation);
        self.poll(place);
    }

    /// An invocation goes on until it ends, pauses, dies, or its time is up.
    fn poll(&mut self, place: usize) {
        let Some(mut invocation) = self.invocations[place].take() else { return };
        {
            let mut world = self.ports.world();
            world.shaky = invocation.shaky;
            world.invocation = place;
            world.pause = None;
            std::mem::take(&mut world.wakers).into_iter().for_each(Waker::wake);
            if world.now.since(invocation.began) > TIME_LIMIT_MS {
                return self.retry(invocation.trigger, &mut world);
            }
        }
        let answer = invocation.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut world = self.ports.world();
        world.shaky = false;
        match (answer, world.pause.take()) {
            (Poll::Pending, Some(Pause::For(ms))) => {
                world.after(ms, Event::Resume(place));
                self.invocations[place] = Some(invocation);
            }
            (Poll::Pending, Some(Pause::Died) | None) | (Poll::Ready(Answer::Failed), _) => {
                self.retry(invocation.trigger, &mut world);
            }
            (Poll::Ready(Answer::Swept(swept)), _) => count_orphans(&mut world, &invocation, swept),
            (Poll::Ready(Answer::Done), _) => {}
        }
    }

    /// A batch that failed is delivered again; the schedule comes again by itself.
    fn retry(&self, trigger: Event, world: &mut World) {
        if !matches!(trigger, Event::Sweep) {
            let ms = world.rng.between(500, 20_000);
            world.after(ms, trigger);
        }
    }

    fn check_goals(&self) {
        let mut world = self.ports.world();
        for n in 0..world.sessions.len() {
            let holds = world.goal(n);
            world.hold(n, holds);
        }
    }

    fn fail_if_broken(&self) -> Result<(), Box<Failure>> {
        let mut world = self.ports.world();
        let Some((n, violation)) = world.broken.take() else { return Ok(()) };
        let began = world.sessions[n].began;
        let line = |(at, what, number): &(Timestamp, &'static str, u64)| {
            let ms = at.since(began);
            format!("  {:>6}.{:03}  {what} {number}\n", ms / 1_000, ms.rem_euclid(1_000))
        };
        let story = world.sessions[n].story.iter().map(line).collect();
        Err(Box::new(Failure {
            seed: self.setup.seed,
            broken: self.setup.broken,
            session: name(n).to_string(),
            violation,
            story,
        }))
    }
}

/// After a whole sweep in which ECS answered everything, a task of an older generation has outlived one more.
fn count_orphans(world: &mut World, sweep: &Invocation, swept: Swept) {
    if swept.failed > 0 || swept.cut_short || world.blind_listings != sweep.blind_before {
        return;
    }
    for n in 0..world.sessions.len() {
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
