//! A small world, explored to its end: the real `reconcile`, `RowWrite::applied` and `launch::answered`, and around them
//! everything that may happen between any two effects.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | sessions, rows, tasks, workers, controllers: what is remembered |
//! | [`event`] | what can happen |
//! | [`control`] | a controller, one read or one effect at a time |
//! | [`ecs`] | ECS: tokens, delays, late news |
//! | [`worker`] | the worker's row protocol |
//! | [`fair`] | the continuation without faults: the schedule alone |
//! | [`operator`] | what operators order |
//! | [`mutation`] | rules broken on purpose, to show that each invariant can fail |
//!
//! **Abstractions.** Time passes in ticks, and only what lies up to [`state::FAR`] ticks away is told apart: no deadline of
//! [`policy`] is longer. The sentences of reasons are not compared, their causes are. A worker is Live from its first heartbeat.
//! Faults and changes of the session row are limited by a budget; crashes of controllers, lost, late and repeated triggers,
//! and every interleaving are not.

pub mod control;
pub mod ecs;
pub mod event;
pub mod fair;
pub mod mutation;
pub mod operator;
pub mod state;
pub mod worker;

use crate::checker::Model;
use crate::invariants::Violation;
use controller_core::model::{Policy, Switch};
use event::Event;
use fair::Memo;
use mutation::Mutation;
use state::{Session, State};

/// One tick, ms.
pub const TICK: i64 = 1_000;

/// Small numbers in the proportions of the real policy.
#[must_use]
pub fn policy() -> Policy {
    Policy {
        confirm_ms: TICK,
        launch_deadline_ms: 3 * TICK,
        heartbeat_deadline_ms: 2 * TICK,
        drain_deadline_ms: 2 * TICK,
        idle_look_ms: 2 * TICK,
        restart_budget: 3,
        healthy_after_ms: 2 * TICK,
        park_ms: 2 * TICK,
        capacity_wait_ms: TICK,
        backoff_first_ms: TICK,
        backoff_most_ms: TICK,
        admission_wait_ms: TICK,
        strike_ms: TICK,
        ..Policy::default()
    }
}

/// What a world consists of.
#[derive(Debug, Clone)]
pub struct World {
    /// Sessions.
    pub sessions: usize,
    /// Controllers at work at the same time.
    pub controllers: usize,
    /// Faults that may happen.
    pub faults: u8,
    /// Changes of session rows that may happen.
    pub edits: u8,
    /// Orders of operators that may be written.
    pub orders: u8,
    /// Tasks that ECS has room for at the same time.
    pub room: usize,
    /// Whether ECS may be slow to list a task and to tell of its end.
    pub late_news: bool,
    /// What is broken on purpose.
    pub mutation: Mutation,
    /// The numbers.
    pub policy: Policy,
}

impl World {
    /// This many sessions and controllers, faults and edits.
    #[must_use]
    pub fn of(sessions: usize, controllers: usize, faults: u8, edits: u8) -> Self {
        let room = sessions * 3;
        let mutation = Mutation::None;
        let (orders, late_news) = (0, true);
        Self { sessions, controllers, faults, edits, orders, room, late_news, mutation, policy: policy() }
    }

    /// The same world in which operators may order so often.
    #[must_use]
    pub fn with_orders(mut self, orders: u8) -> Self {
        self.orders = orders;
        self
    }

    /// The same world, which begins with every session served by a worker of an old task definition, and a new one deployed.
    #[must_use]
    pub fn rolling_out(mut self) -> Self {
        self.policy.rollout = Switch::On;
        self.policy.task_definition = Some("task-definition/worker:2".to_owned());
        self
    }

    /// The world before the rollout began.
    fn before_the_rollout(&self) -> Self {
        let task_definition = Some("task-definition/worker:1".to_owned());
        let policy = Policy { rollout: Switch::Off, task_definition, ..self.policy.clone() };
        Self { policy, mutation: Mutation::None, ..self.clone() }
    }

    /// The same world with one rule broken.
    #[must_use]
    pub fn with(mut self, mutation: Mutation) -> Self {
        self.mutation = mutation;
        self
    }
}

/// The world, and what has been found of its fair continuations.
#[derive(Debug)]
pub struct Checked {
    /// The world.
    pub world: World,
    /// States that are known to reach their goal.
    pub memo: Memo,
}

impl Checked {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world, memo: Memo::default() }
    }
}

impl Model for Checked {
    type State = State;
    type Event = Event;

    fn initial(&self) -> State {
        let sessions = (0..self.world.sessions).map(|_| Session::active()).collect();
        let state = State {
            now: state::EPOCH,
            sessions,
            controllers: vec![None; self.world.controllers],
            faults: self.world.faults,
            edits: self.world.edits,
            orders: self.world.orders,
        };
        if self.world.policy.rollout == Switch::On {
            fair::settled(&self.world.before_the_rollout(), state)
        } else {
            state
        }
    }

    fn events(&self, state: &State, events: &mut Vec<Event>) {
        event::enabled(&self.world, state, events);
    }

    fn step(&self, state: &State, event: Event) -> Result<State, Violation> {
        let mut after = state.clone();
        event::apply(&self.world, &mut after, event)?;
        Ok(after)
    }

    fn fingerprint(&self, state: &State) -> u64 {
        state.fingerprint()
    }

    fn check(&mut self, state: &State) -> Result<(), Violation> {
        state.check(&self.world)?;
        fair::orphans_are_stopped(&self.world, state)?;
        fair::goals_are_reached(&self.world, state, &mut self.memo)
    }
}
