//! What the bus is told: the difference between what a row says and what was published of it.
//!
//! **Flow.** After each look the shell asks [`news`], puts the events on the bus, and notes in the row what was told. Events of
//! the worker's own doing (live, degraded, recovered, stopped) are found in the same way: the worker writes its row, and the
//! controller's next look tells it, at most one look later.
//!
//! **Guarantees.** Derived from the row alone, so a process that dies between the bus and the note tells the same again: at
//! least once. Nothing is told twice as long as the note could be written. A final row has no next look: its stream record
//! brings the last one, and a bus that fails then leaves a mark that the schedule tries again for a day.

use crate::restart;
use schemas::ids::Timestamp;
use schemas::lifecycle::{Happening, LifecycleEvent, Published};
use schemas::reason::Why;
use schemas::worker::{Phase, Rung, WorkerRow};
use std::collections::BTreeSet;

/// The events that nobody has been told, and the note that follows them; `None` when there is nothing to tell.
#[must_use]
pub fn news(row: &WorkerRow, now: Timestamp) -> Option<(Vec<LifecycleEvent>, Published)> {
    let before = told_before(row);
    let mut told = before.clone();
    let mut happened = Vec::new();
    for happening in states(row) {
        if told.insert(happening) {
            happened.push(happening);
        }
    }
    let serves_all = row.worker.as_ref().is_some_and(|worker| worker.rung == Rung::Full);
    if serves_all && told.remove(&Happening::Degraded) {
        happened.push(Happening::Recovered);
    }
    if happened.is_empty() {
        return None;
    }
    let events = happened.into_iter().map(|happening| event(row, happening, now)).collect();
    Some((events, Published { generation: row.generation, told }))
}

/// What was told of this generation. A session that is queued again has not left its queue, whatever was tried in between.
fn told_before(row: &WorkerRow) -> BTreeSet<Happening> {
    let Some(published) = &row.published else { return BTreeSet::new() };
    if published.generation == row.generation {
        return published.told.clone();
    }
    let still_queued = row.phase == Phase::Queued && published.told.iter().all(|told| *told == Happening::Queued);
    if still_queued { published.told.clone() } else { BTreeSet::new() }
}

/// What the row says of itself.
fn states(row: &WorkerRow) -> Vec<Happening> {
    let mut states = Vec::new();
    if row.task.is_some() {
        states.push(Happening::Launched);
    }
    if row.worker.as_ref().is_some_and(|worker| worker.start_up.first_audio_at.is_some()) {
        states.push(Happening::Live);
    }
    if row.worker.as_ref().is_some_and(|worker| worker.rung != Rung::Full) && !row.phase.is_final() {
        states.push(Happening::Degraded);
    }
    match row.phase {
        // A fault keeps it from being served: somebody is to look, as at one that has ended by a fault.
        Phase::Queued if restart::is_parked(row.phase, row.why.cause) => states.push(Happening::Failed),
        Phase::Queued => states.push(Happening::Queued),
        Phase::Stopped => states.push(Happening::Stopped),
        Phase::Failed => states.push(Happening::Failed),
        Phase::Launching
        | Phase::Joining
        | Phase::WaitingForSpeaker
        | Phase::Live
        | Phase::Paused
        | Phase::Draining => {}
    }
    states
}

/// That the version of this row's worker was found bad by its failure.
#[must_use]
pub fn version_failed(row: &WorkerRow, why: &Why, now: Timestamp) -> LifecycleEvent {
    LifecycleEvent { why: why.clone(), ..event(row, Happening::VersionFailed, now) }
}

fn event(row: &WorkerRow, happening: Happening, now: Timestamp) -> LifecycleEvent {
    let trouble = row.worker.as_ref().and_then(|worker| worker.trouble.clone());
    let why = match happening {
        Happening::Degraded => trouble.unwrap_or_else(|| row.why.clone()),
        Happening::Launched
        | Happening::Live
        | Happening::Recovered
        | Happening::Stopped
        | Happening::Failed
        | Happening::Queued
        | Happening::VersionFailed
        | Happening::Unknown => row.why.clone(),
    };
    LifecycleEvent {
        version: 1,
        happening,
        session_id: row.session_id.clone(),
        generation: row.generation,
        phase: row.phase,
        why,
        at: now,
        voice: row.worker.as_ref().and_then(|worker| worker.voice.clone()),
        audio_quality: row.worker.as_ref().and_then(|worker| worker.audio_quality.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, World};

    /// What is told now; the note is written.
    fn tell(world: &mut World) -> Vec<Happening> {
        let Some((events, published)) = news(&world.row(), NOW) else { return Vec::new() };
        world.row.as_mut().unwrap().published = Some(published);
        events.into_iter().map(|event| event.happening).collect()
    }
    fn rung(world: &mut World, rung: Rung) {
        world.row.as_mut().unwrap().worker.as_mut().unwrap().rung = rung;
    }

    #[test]
    fn a_session_is_told_from_its_launch_to_its_end_and_each_thing_once() {
        let mut world = World::active();
        world.settle();
        assert_eq!(tell(&mut world), [Happening::Launched]);
        world.worker_says(Phase::Live);
        world.row.as_mut().unwrap().worker.as_mut().unwrap().start_up.first_audio_at = Some(NOW);
        assert_eq!(tell(&mut world), [Happening::Live]);
        assert_eq!(tell(&mut world), []);
        rung(&mut world, Rung::OriginalOnly);
        assert_eq!(tell(&mut world), [Happening::Degraded]);
        rung(&mut world, Rung::Paused);
        assert_eq!(tell(&mut world), []);
        rung(&mut world, Rung::Full);
        assert_eq!(tell(&mut world), [Happening::Recovered]);
        rung(&mut world, Rung::FinalsOnly);
        assert_eq!(tell(&mut world), [Happening::Degraded], "and it may happen again");
        world.worker_says(Phase::Stopped);
        assert!(tell(&mut world).contains(&Happening::Stopped));
        assert_eq!(tell(&mut world), []);
    }

    #[test]
    fn a_worker_that_was_restarted_within_its_task_is_told_with_its_crash() {
        let mut world = World::active().live();
        tell(&mut world);
        let world = world.restarts_in_place();
        let (events, published) = news(&world.row(), NOW).unwrap();
        assert_eq!((events[0].happening, events[0].generation.0), (Happening::Launched, 2));
        assert_eq!((events[0].why.cause, published.generation.0), (schemas::reason::Cause::WorkerCrashed, 2));
    }

    #[test]
    fn a_session_that_nobody_can_serve_is_told_as_failed_with_its_reason_and_once() {
        let mut world = World::active().with("sourceLanguage", "klingon");
        world.settle();
        let (events, _) = news(&world.row(), NOW).unwrap();
        assert_eq!((events.len(), events[0].happening, events[0].version), (1, Happening::Failed, 1));
        assert!(events[0].why.text.contains("klingon"), "{:?}", events[0].why);
        assert_eq!(tell(&mut world), [Happening::Failed]);
        assert_eq!(tell(&mut world), []);
    }

    #[test]
    fn a_session_that_is_parked_is_told_as_failed_with_each_try() {
        let mut world = World::active().live();
        world.row.as_mut().unwrap().restarts.consecutive = 5;
        world = world.exits(101);
        world.settle();
        assert!(tell(&mut world).contains(&Happening::Failed), "{:?}", world.row().why);
        assert_eq!(tell(&mut world), []);
    }

    #[test]
    fn the_next_generation_is_told_afresh_and_a_queue_only_once() {
        let mut world = World::active();
        world.launches_left = 0;
        world.settle();
        assert_eq!(tell(&mut world), [Happening::Queued]);
        world.row.as_mut().unwrap().generation = schemas::ids::Generation(7);
        assert_eq!(tell(&mut world), [], "still in the queue");
        world.launches_left = 1;
        world.settle();
        assert_eq!(tell(&mut world), [Happening::Launched]);
    }
}
