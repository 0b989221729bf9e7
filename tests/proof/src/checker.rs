//! An explicit-state model checker: breadth first, exhaustive, with the shortest trace to whatever is wrong.
//!
//! **Why not a crate.** `stateright` (0.31, MIT) would be the choice, but it always brings its web explorer (an HTTP server
//! and its trees) and an "eventually" that is known to miss cycles. What is asked here is stronger and simpler: from *every*
//! reachable state a fair continuation reaches its goal, which is a check of a state like any other.
//!
//! **Guarantees.** Every state that is reachable within the limits is checked once. A state is remembered by 64 bits; with
//! 10⁷ states the chance that any two are mistaken for one another is below 3·10⁻⁶.

use crate::invariants::Violation;
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hasher};

/// Something that can be explored.
pub trait Model {
    /// All that is remembered between two events.
    type State: Clone;
    /// What can happen.
    type Event: Copy + Debug;

    /// Where it begins.
    fn initial(&self) -> Self::State;
    /// Everything that can happen next.
    fn events(&self, state: &Self::State, events: &mut Vec<Self::Event>);
    /// What follows; an error when the step itself is wrong.
    ///
    /// # Errors
    /// [`Violation`] of an invariant of steps.
    fn step(&self, state: &Self::State, event: Self::Event) -> Result<Self::State, Violation>;
    /// The same for two states that behave the same.
    fn fingerprint(&self, state: &Self::State) -> u64;
    /// What must hold in every state.
    ///
    /// # Errors
    /// [`Violation`] of an invariant of states.
    fn check(&mut self, state: &Self::State) -> Result<(), Violation>;
}

/// Where exploring ends.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events in a row at most.
    pub depth: usize,
    /// States at most.
    pub states: usize,
}

/// What was seen.
#[derive(Debug)]
pub struct Report<E> {
    /// Different states.
    pub states: usize,
    /// Events that were tried.
    pub transitions: usize,
    /// The longest of the shortest ways to a state, in events.
    pub depth: usize,
    /// Whether nothing is left to explore: the result holds for runs of any length.
    pub complete: bool,
    /// The first invariant that was broken, and the shortest way there.
    pub broken: Option<(Violation, Vec<E>)>,
}

/// Explores breadth first until the limits, or until something is broken.
pub fn explore<M: Model>(model: &mut M, limits: Limits) -> Report<M::Event> {
    let initial = model.initial();
    let mut seen: HashSet<u64, BuildHasherDefault<Identity>> = HashSet::default();
    seen.insert(model.fingerprint(&initial));
    let mut ways: Vec<(u32, Option<M::Event>)> = vec![(0, None)];
    let mut report = Report { states: 1, transitions: 0, depth: 0, complete: false, broken: None };
    if let Err(violation) = model.check(&initial) {
        report.broken = Some((violation, Vec::new()));
        return report;
    }
    let (mut level, mut events) = (vec![(0_u32, initial)], Vec::new());
    while !level.is_empty() && report.depth < limits.depth && report.states < limits.states {
        let mut next = Vec::new();
        for (place, state) in level {
            events.clear();
            model.events(&state, &mut events);
            for &event in &events {
                report.transitions += 1;
                let after = match model.step(&state, event) {
                    Ok(after) => after,
                    Err(violation) => return report.broken_by(violation, &ways, place, event),
                };
                if !seen.insert(model.fingerprint(&after)) {
                    continue;
                }
                if let Err(violation) = model.check(&after) {
                    return report.broken_by(violation, &ways, place, event);
                }
                next.push((u32::try_from(ways.len()).unwrap_or(u32::MAX), after));
                ways.push((place, Some(event)));
                report.states += 1;
            }
        }
        level = next;
        report.depth += usize::from(!level.is_empty());
    }
    report.complete = level.is_empty();
    report
}

impl<E: Copy> Report<E> {
    fn broken_by(mut self, violation: Violation, ways: &[(u32, Option<E>)], place: u32, last: E) -> Self {
        let mut trace = vec![last];
        let mut at = place as usize;
        while let Some((before, Some(event))) = ways.get(at) {
            trace.push(*event);
            at = *before as usize;
        }
        trace.reverse();
        self.broken = Some((violation, trace));
        self
    }
}

/// Fingerprints are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::Invariant;

    /// Two counters up to `top`; `bad` must not be reached.
    struct Counters {
        top: u8,
        bad: Option<(u8, u8)>,
    }

    impl Model for Counters {
        type State = (u8, u8);
        type Event = char;
        fn initial(&self) -> (u8, u8) {
            (0, 0)
        }
        fn events(&self, state: &(u8, u8), events: &mut Vec<char>) {
            if state.0 < self.top {
                events.push('a');
            }
            if state.1 < self.top {
                events.push('b');
            }
        }
        fn step(&self, state: &(u8, u8), event: char) -> Result<(u8, u8), Violation> {
            Ok(if event == 'a' { (state.0 + 1, state.1) } else { (state.0, state.1 + 1) })
        }
        fn fingerprint(&self, state: &(u8, u8)) -> u64 {
            u64::from(state.0) << 8 | u64::from(state.1)
        }
        fn check(&mut self, state: &(u8, u8)) -> Result<(), Violation> {
            if self.bad == Some(*state) { Err(Violation::of(Invariant::AtMostOneWriter, "there")) } else { Ok(()) }
        }
    }

    #[test]
    fn every_state_is_counted_once_and_the_end_is_known() {
        let report = explore(&mut Counters { top: 9, bad: None }, Limits { depth: 100, states: 1_000 });
        assert_eq!((report.states, report.transitions, report.depth, report.complete), (100, 180, 18, true));
        let cut = explore(&mut Counters { top: 9, bad: None }, Limits { depth: 5, states: 1_000 });
        assert!(!cut.complete && cut.depth == 5);
    }

    #[test]
    fn the_way_to_what_is_broken_is_the_shortest() {
        let report = explore(&mut Counters { top: 9, bad: Some((2, 1)) }, Limits { depth: 100, states: 1_000 });
        let (_, mut trace) = report.broken.unwrap();
        assert_eq!(trace.len(), 3);
        trace.sort_unstable();
        assert_eq!(trace, ['a', 'a', 'b']);
    }
}
