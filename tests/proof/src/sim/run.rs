//! One seed, from its first session to its last.

use super::broken::Broken;
use super::faults::Weather;
use super::invocation::{Invocations, Real};
use super::lives::Lives;
use super::physics::{Bill, Limits};
use super::ports::{Ports, let_wait, pause, set_clock};
use super::schedule::{Event, Happening};
use super::versions::BadVersion;
use super::world::{Process, Session, World, name};
use crate::invariants::Violation;
use controller::handler::Pause;
use controller_core::model::{Policy, Switch};
use schemas::ids::Timestamp;
use std::fmt;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When every run begins.
const EPOCH: Timestamp = Timestamp(1_800_000_000_000);
const MINUTE: i64 = 60_000;
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
    /// Whether calls take their time, and meet what AWS allows.
    pub physics: bool,
    /// How the sessions come and live.
    pub lives: Lives,
    /// From when until when launches fail, ms after the beginning.
    pub incident: Option<(i64, i64)>,
    /// What is broken on purpose.
    pub broken: Broken,
}

impl Setup {
    /// A run of this seed: 500 sessions that come within two hours, in rough weather; in a storm for every fifth seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let weather = if seed.is_multiple_of(5) { Weather::storm() } else { Weather::rough() };
        let lasts_ms = 240 * MINUTE;
        let fails = seed % 4 == 1 && !seed.is_multiple_of(3);
        let incident = fails.then_some((lasts_ms - 40 * MINUTE, lasts_ms));
        Self {
            seed,
            sessions: 500,
            arrivals_ms: 120 * MINUTE,
            lasts_ms,
            weather,
            physics: false,
            lives: Lives::Changing,
            incident,
            broken: Broken::Nothing,
        }
    }

    /// So many sessions that come as fast as they can be launched and live until the end, in calm weather, with all that AWS's calls take and allow.
    #[must_use]
    pub fn fleet(seed: u64, sessions: usize, lasts_ms: i64) -> Self {
        let arrivals_ms = i64::try_from(sessions).unwrap_or(0) * 60;
        let (weather, broken) = (Weather::calm(), Broken::Nothing);
        Self {
            seed,
            sessions,
            arrivals_ms,
            lasts_ms: lasts_ms.max(arrivals_ms),
            weather,
            physics: true,
            lives: Lives::UntilTheEnd,
            incident: None,
            broken,
        }
    }

    /// So many live sessions for so many hours: an hour each, ten times as many in the last five minutes of each hour, with all that AWS's calls take and allow.
    #[must_use]
    pub fn day(seed: u64, live: usize, hours: i64) -> Self {
        let ms = hours * 60 * MINUTE;
        let sessions = live * usize::try_from(hours).unwrap_or(1);
        Self { sessions, arrivals_ms: ms, lasts_ms: ms, lives: Lives::AnHour, ..Self::fleet(seed, 1, ms) }
    }
}

/// What was seen in a run.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Sum of the lives of its sessions, ms.
    pub session_ms: i64,
    /// The same until the sessions are left alone, which is what the bill is for.
    pub served_ms: i64,
    /// Sessions.
    pub sessions: usize,
    /// Reads of our row by looks.
    pub looks: u64,
    /// Tasks that were started.
    pub tasks: usize,
    /// Generations that were claimed by restarted workers.
    pub claimed: u64,
    /// Orders of operators that were written.
    pub orders: u64,
    /// Handovers that a rollout began.
    pub rolled: u64,
    /// Channels that were deleted.
    pub deleted_channels: u64,
    /// Whether the deployed version was found bad.
    pub found_bad: bool,
    /// What was used until the sessions were left alone.
    pub bill: Bill,
    /// How long the workers that fell silent were silent when they were replaced, ms.
    pub replaced_after: Vec<i64>,
    /// How long after its creation a session's first worker spoke, ms.
    pub started_after: Vec<i64>,
    /// Every event and every line of every story, hashed: equal for equal seeds.
    pub log: u64,
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

struct Run {
    setup: Setup,
    ports: Ports,
    controller: Arc<Real>,
    invocations: Invocations,
    quiet: bool,
    bill: Bill,
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
        (now.0, event).hash(&mut run.ports.world().log);
        run.happen(event);
        run.fail_if_broken()?;
    }
    run.check_goals();
    run.fail_if_broken()?;
    let world = run.ports.world();
    (seen.bill, seen.replaced_after) = (run.bill, world.replaced_after.clone());
    (seen.started_after, seen.log) = (world.started_after.clone(), world.log.finish());
    seen.looks = world.looks;
    seen.claimed = world.claimed;
    (seen.orders, seen.rolled, seen.deleted_channels) = (world.orders, world.rolled, world.deleted_channels);
    seen.found_bad = world.bad_version.as_ref().is_some_and(|bad| bad.found_at.is_some());
    let ms = |at: Timestamp| at.since(EPOCH);
    seen.launches = world.launches.iter().map(|(at, n, since)| (ms(*at), *n, since.map_or(0, ms))).collect();
    seen.tasks = world.sessions.iter().map(|session| session.tasks.len()).sum();
    let life = |s: &Session| s.over.unwrap_or(world.now).min(s.expires_at).since(s.began).max(0);
    seen.session_ms = world.sessions.iter().map(life).sum();
    let quiet = EPOCH.plus_ms(run.setup.lasts_ms);
    let until = |s: &Session| s.over.unwrap_or(quiet).min(s.expires_at).min(quiet).since(s.began).max(0);
    seen.served_ms = world.sessions.iter().map(until).sum();
    Ok(seen)
}

fn version(revision: u32) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/worker:{revision}")
}

/// The real controller on these ports, with this revision of the task definition.
fn controller(ports: &Ports, revision: u32, physics: bool) -> Arc<Real> {
    let policy = Policy {
        task_definition: Some(version(revision)),
        rollout: Switch::On,
        channel_cleanup: Switch::On,
        ..Policy::default()
    };
    // Where nobody waits inside an invocation, the next tick goes on.
    let pause: fn(Duration) -> Pause = if physics { pause } else { |_| Box::pin(std::future::ready(())) };
    Arc::new(ports.controller(policy, pause))
}

impl Run {
    fn new(setup: Setup) -> Self {
        let mut world = World::of(setup.sessions, setup.seed, setup.weather.clone(), EPOCH);
        world.broken_rule = setup.broken;
        world.limits = setup.physics.then(|| Limits::of_aws(EPOCH));
        if let Some((from, until)) = setup.incident {
            world.after(from, Event::Incident(until - from));
        }
        let rng = &mut world.rng;
        let mut arrivals: Vec<i64> = (0..setup.sessions).map(|_| setup.lives.arrival(rng, setup.arrivals_ms)).collect();
        if setup.lives == Lives::AnHour {
            arrivals.sort_unstable();
            world.begun_sessions = 0;
        }
        for (n, ms) in arrivals.into_iter().enumerate() {
            world.after(ms, Event::Begin(n));
        }
        world.after(MINUTE, Event::Sweep);
        world.after(MINUTE, Event::Room);
        world.after(setup.lasts_ms, Event::Quiet);
        let deployed = world.rng.between(30 * MINUTE, 180 * MINUTE);
        if setup.lives == Lives::Changing {
            world.after(deployed, Event::Deploy);
        }
        let ports = Ports(Arc::new(Mutex::new(world)));
        set_clock(EPOCH);
        if setup.physics {
            let_wait(&ports);
        }
        let controller = controller(&ports, 1, setup.physics);
        let invocations = Invocations::on(ports.clone());
        Self { setup, ports, controller, invocations, quiet: false, bill: Bill::default() }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Order(n, order, hold_ms) => {
                if !self.quiet {
                    self.ports.world().order(n, order, hold_ms);
                }
            }
            // Whoever is at work goes on with what it knows.
            Event::Deploy => self.deploy(),
            Event::Begin(n) => {
                let mut world = self.ports.world();
                world.begun_sessions = world.begun_sessions.max(n + 1);
                world.begin(n, self.setup.lives);
            }
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
                self.bill = self.ports.world().bill;
                let mut world = self.ports.world();
                world.weather = Weather::calm();
                world.room = usize::MAX;
            }
            Event::Incident(ms) => {
                let mut world = self.ports.world();
                world.incident = Some(world.now.plus_ms(ms));
            }
            Event::Resume(place) => {
                self.invocations.resume(place);
                self.invocations.go_on(&self.controller);
            }
            Event::Record(_) | Event::TaskEvent(..) | Event::Wake(_) => self.invocations.begin(&self.controller, event),
            Event::Sweep => {
                let mut world = self.ports.world();
                let ms = world.rng.between(55_000, 65_000);
                world.after(ms, Event::Sweep);
                world.beats_of_a_minute();
                if self.setup.lives == Lives::AnHour {
                    world.settle();
                }
                if world.incident.is_some_and(|until| until <= world.now) {
                    world.incident = None;
                }
                drop(world);
                // The schedule does not overlap itself.
                if !self.invocations.sweeps() {
                    self.invocations.begin(&self.controller, event);
                }
            }
        }
    }

    /// The second version. For every third seed it cannot run: its workers end with an error at once, or before the five minutes are over in
    /// which it would be found good. Without a good version before it there is nothing to go back to.
    fn deploy(&mut self) {
        self.controller = controller(&self.ports, 2, self.setup.physics);
        let mut world = self.ports.world();
        if self.setup.seed.is_multiple_of(3) && world.common.has_a_good_version() {
            let ms = [100, 1_000, 90_000, 239_000][usize::try_from(world.rng.between(0, 4)).unwrap_or(0)];
            world.bad_version = Some(BadVersion::new(version(2), ms));
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
