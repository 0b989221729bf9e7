use super::*;
use crate::fixtures::{SECOND, World};
use crate::handover;
use crate::model::Switch;

const OLD: &str = "task-definition/worker:1";
const NEW: &str = "task-definition/worker:2";

/// A live worker of the old version, which is good; the new one is deployed.
fn deployed() -> World {
    let mut world = World::active();
    world.policy.task_definition = Some(OLD.into());
    world = world.live().later(30 * SECOND);
    world.worker_is_fresh();
    world.policy.task_definition = Some(NEW.into());
    world.policy.rollout = Switch::On;
    world.handing_over = Some(0);
    world.versions = Some(Rollout { good: Some(OLD.into()), ..Rollout::default() });
    world
}

/// The same after the session has changed to the new version, whose worker hears its speaker.
fn on_trial() -> World {
    let mut world = deployed();
    world.settle();
    world = world.exits(143);
    world.settle();
    assert_eq!(version(&world), NEW);
    world.worker_says(Phase::Live);
    let now = world.now;
    world.row.as_mut().unwrap().worker.as_mut().unwrap().start_up.first_audio_at = Some(now);
    world
}

fn version(world: &World) -> String {
    world.row().intent.unwrap().task_definition.unwrap()
}

fn known(world: &World) -> &Rollout {
    world.versions.as_ref().unwrap()
}

/// Five minutes of heartbeats.
fn bake(mut world: World) -> World {
    for _ in 0..11 {
        world = world.later(30 * SECOND);
        world.worker_is_fresh();
        world.settle();
    }
    world
}

#[test]
fn a_version_that_is_not_known_is_tried_on_one_session_and_nobody_follows_before_it_has_baked() {
    let mut world = deployed();
    let plan = world.plan();
    assert!(matches!(&plan.actions[..], [Action::Judge(Evidence::Tried { .. })]), "noted before it begins: {plan:?}");
    world.settle();
    assert!(handover::is_under_way(&world.row()));
    let mut other = deployed();
    other.versions.clone_from(&world.versions);
    other.versions.as_mut().unwrap().trial.as_mut().unwrap().session = SessionId::try_new("other-001").unwrap();
    let mut later = other.clone();
    other.settle();
    assert_eq!(other.row().phase, Phase::Live, "another session is its trial");
    later.versions.as_mut().unwrap().good = Some(NEW.into());
    later.settle();
    assert!(handover::is_under_way(&later.row()), "it has baked");
}

#[test]
fn a_version_that_has_heard_a_speaker_for_five_minutes_is_good() {
    let world = bake(on_trial());
    assert_eq!((known(&world).good.as_deref(), &known(&world).trial), (Some(NEW), &None));
    let waits = bake({
        let mut world = on_trial();
        world.row.as_mut().unwrap().worker.as_mut().unwrap().start_up.first_audio_at = None;
        world
    });
    assert_eq!(known(&waits).good.as_deref(), Some(OLD), "a worker that hears nobody proves nothing");
}

#[test]
fn a_version_whose_first_worker_fails_is_bad_and_the_relaunch_comes_from_the_good_one() {
    for (code, seconds) in [(101, 1), (101, 90), (1, 239)] {
        let mut world = on_trial().later(seconds * SECOND);
        world.worker_is_fresh();
        world = world.exits(code);
        world.settle();
        let bad = known(&world).bad(NEW).unwrap_or_else(|| panic!("after {seconds} s"));
        assert_eq!(bad.why.cause, Cause::WorkerCrashed);
        assert_eq!((version(&world).as_str(), world.row().phase), (OLD, Phase::Launching));
    }
}

#[test]
fn a_crash_that_the_worker_outlived_within_its_task_counts_too() {
    let mut world = on_trial().later(70 * SECOND);
    world.worker_is_fresh();
    world = world.restarts_in_place();
    world.settle();
    assert!(known(&world).bad(NEW).is_some());
    world.worker_says(Phase::Live);
    world.settle();
    assert!(handover::is_under_way(&world.row()), "and the session goes back: {:?}", world.row().why);
    world = world.exits(143);
    world.settle();
    assert_eq!(version(&world), OLD);
}

#[test]
fn new_sessions_start_from_the_good_version_once_the_deployed_one_is_bad() {
    let why = Why::new(Cause::LaunchTimedOut, "no heartbeat", Timestamp(0));
    let mut bad = Rollout { good: Some(OLD.into()), ..Rollout::default() };
    bad.condemn(Bad { version: NEW.into(), why, session: None, by: None });
    let starts = |versions: Rollout| {
        let mut world = World::active();
        world.policy.task_definition = Some(NEW.into());
        world.versions = Some(versions);
        world.settle();
        version(&world)
    };
    assert_eq!(starts(bad), OLD);
    assert_eq!(starts(Rollout { good: Some(OLD.into()), ..Rollout::default() }), NEW, "it is on trial");
}

#[test]
fn failures_that_no_version_can_help_condemn_none() {
    let mut world = on_trial();
    world = world.exits(143);
    world.settle();
    assert_eq!(known(&world).bad(NEW), None, "AWS took the task away");
    let mut world = bake(on_trial());
    world = world.exits(101);
    world.settle();
    assert_eq!((known(&world).bad(NEW), version(&world).as_str()), (None, NEW), "it had baked");
    let mut first = on_trial();
    first.versions = Some(Rollout::default());
    first = first.exits(101);
    first.settle();
    assert_eq!(known(&first).bad, [], "there is nothing to go back to");
}

#[test]
fn an_operator_pauses_a_rollout_and_lets_a_version_be_tried_again() {
    let mut world = deployed();
    let signed = schemas::operator::Signed { by: "ann".into(), at: world.now, note: String::new() };
    world.versions.as_mut().unwrap().paused = Some(signed);
    world.settle();
    assert_eq!(world.row().phase, Phase::Live);
    let mut world = on_trial();
    world = world.exits(101);
    world.settle();
    let now = world.now;
    world.versions.as_mut().unwrap().acquit(NEW, now);
    let plan = world.plan();
    assert!(!matches!(plan.actions.first(), Some(Action::Judge(_))), "old failures count no more: {plan:?}");
}

#[test]
fn a_trial_whose_session_ends_before_it_has_baked_makes_room_for_another() {
    let mut world = deployed();
    let other = SessionId::try_new("other-001").unwrap();
    world.versions.as_mut().unwrap().trial = Some(Trial { version: NEW.into(), session: other, since: world.now });
    world = world.later(14 * 60 * SECOND);
    world.worker_is_fresh();
    world.settle();
    assert_eq!(known(&world).trial.as_ref().unwrap().session, world.view().session_id);
    assert!(handover::is_under_way(&world.row()));
}

#[test]
fn a_session_does_not_meet_an_unknown_version_because_its_worker_crashed_or_is_restarted() {
    let other = |world: &mut World| {
        let session = SessionId::try_new("other-001").unwrap();
        world.versions.as_mut().unwrap().trial = Some(Trial { version: NEW.into(), session, since: world.now });
    };
    let mut world = deployed();
    other(&mut world);
    world = world.exits(101);
    world.settle();
    assert_eq!((version(&world).as_str(), known(&world).bad(OLD)), (OLD, None));
    let mut world = deployed().ordered(schemas::operator::Verb::Restart);
    other(&mut world);
    world.settle();
    world = world.exits(143);
    world.settle();
    assert_eq!(version(&world), OLD);
}

#[test]
fn a_crash_speaks_against_the_version_also_when_its_session_ends_at_the_same_moment() {
    let ends = |code, ended_first: bool| {
        let mut world = on_trial();
        if ended_first {
            world.set("status", "ended");
            world.settle();
        }
        world = world.exits(code).with("status", "ended");
        world.settle();
        assert_eq!(world.row().phase, Phase::Stopped);
        known(&world).bad(NEW).is_some()
    };
    assert!(ends(101, false) && ends(101, true) && ends(139, true));
    assert!(!ends(0, true) && !ends(143, true) && !ends(137, true), "it was asked to leave");
}

#[test]
fn only_the_failure_that_a_version_is_found_bad_by_is_news() {
    let world = deployed();
    let failed = |version: &str, session: &str, ms: i64| {
        let why = Why::new(Cause::WorkerCrashed, "the worker exited with code 101", world.now.plus_ms(ms));
        (version.to_owned(), SessionId::try_new(session).unwrap(), why)
    };
    let is_news = |known: &Rollout, (version, session, why): (String, SessionId, Why)| {
        let evidence = Evidence::Failed { version: version.clone(), session: session.clone(), why: why.clone() };
        let known = judged(known, &evidence, &world.policy, world.now);
        (is_condemned_by(&known, &version, &session, &why), known)
    };
    let (first, bad) = is_news(known(&world), failed(NEW, "one-001", 1));
    let (second, still) = is_news(&bad, failed(NEW, "two-002", 2));
    assert_eq!((first, second), (true, false));
    assert_eq!(still, bad, "the first verdict stands");
    assert!(!is_news(known(&world), failed(OLD, "one-001", 1)).0, "a good version is not found bad");
}
