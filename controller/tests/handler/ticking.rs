//! Ticks: what they cost, and that nothing starves when they run out of time.

use super::common::{InMemory, NOW, controller, id, session};
use super::{handle, launched, name, next_pass, wake};
use controller::handler::{Controller, Response};
use controller::ports::Cursor;
use controller::tick::Swept;
use controller_core::capacity::Capacity;
use controller_core::launch::Answer;
use controller_core::triggers::Wake;
use schemas::ids::{Generation, Timestamp};
use schemas::worker::{Phase, Progress, WorkerRow, WorkerStatus};
use serde_json::json;
use std::cell::Cell;

thread_local! {
    static TIME: Cell<i64> = const { Cell::new(0) };
}

/// Every look at the clock takes 10 ms.
fn slow() -> Timestamp {
    TIME.set(TIME.get() + 10);
    NOW.plus_ms(TIME.get())
}

/// One tick with so much time; the next begins a minute later.
async fn tick(controller: &InMemory, ms: i64) -> Swept {
    let began = TIME.get();
    let deadline = u64::try_from(NOW.0 + began + ms + 3_000).unwrap(); // 3 s are the handler's own margin
    let response = controller.handle(&json!({"sweep": true}), deadline).await.unwrap();
    TIME.set(began + 60_000);
    let Response::Swept(swept) = response else { panic!("{response:?}") };
    swept
}

/// Ticks with more time each until one looks at somebody and not at all: how much that was.
async fn cut_short(controller: &InMemory) -> i64 {
    for ms in (300..3_000).step_by(50) {
        let swept = tick(controller, ms).await;
        if swept.looked > 0 {
            assert!(swept.cut_short && swept.left > 0, "{swept:?}");
            return ms;
        }
    }
    panic!("nobody was looked at");
}

fn slow_controller() -> InMemory {
    TIME.set(0);
    Controller { clock: slow, ..controller() }
}

#[tokio::test]
async fn a_tick_that_is_cut_short_goes_on_where_it_stopped() {
    let controller = slow_controller();
    for n in 1..=60 {
        controller.sessions.put(&name(n), session("active"));
        controller.sessions.broken.lock().unwrap().insert(id(&name(n)));
    }
    controller.sessions.put("zebra-last-999", session("active"));
    let ms = cut_short(&controller).await;
    assert!(controller.workers.cursor.lock().unwrap().looked.is_some());
    for _ in 0..20 {
        tick(&controller, ms).await;
        if !launched(&controller).is_empty() {
            break;
        }
    }
    assert_eq!(launched(&controller), ["zebra-last-999"], "it stands behind 60 that fail each time");
    let whole = tick(&controller, 1_000_000).await;
    assert!(!whole.cut_short, "{whole:?}");
    assert_eq!(*controller.workers.cursor.lock().unwrap(), Cursor::default(), "through: the next begins anew");
}

#[tokio::test]
async fn rows_behind_those_that_fail_each_time_have_their_turn_too() {
    let controller = slow_controller();
    for n in 1..=40 {
        controller.sessions.put(&name(n), session("active"));
    }
    tick(&controller, 1_000_000).await;
    assert_eq!(launched(&controller).len(), 40);
    // All need a look: ECS says something new of their tasks. Those in front cannot be looked at, and the last one has ended.
    for n in 1..40 {
        controller.sessions.broken.lock().unwrap().insert(id(&name(n)));
    }
    controller.sessions.put(&name(40), session("ended"));
    let (mut ticks, ms) = (1, cut_short(&controller).await);
    while controller.workers.row(&name(40)).phase == Phase::Launching {
        let swept = tick(&controller, ms).await;
        assert!(swept.cut_short && swept.left > 0, "{swept:?}");
        ticks += 1;
        assert!(ticks < 20, "it starves behind those that fail");
    }
    assert!(ticks > 1, "one tick is too short for all");
}

/// So many sessions whose workers were heard just now.
async fn live(sessions: usize) -> InMemory {
    let controller = controller();
    let golden: WorkerRow = serde_json::from_str(include_str!("../../../schemas/golden/worker-row.json")).unwrap();
    for n in 1..=sessions {
        controller.sessions.put(&name(n), session("active"));
    }
    for _ in 0..sessions.div_ceil(100) {
        *controller.workers.capacity.lock().unwrap() = Capacity::default();
        handle(&controller, &json!({"sweep": true})).await;
    }
    for row in controller.workers.rows.lock().unwrap().values_mut() {
        let status = golden.worker.clone().unwrap();
        row.phase = Phase::Live;
        row.worker = Some(WorkerStatus { heartbeat_at: NOW, progress: Progress::default(), trouble: None, ..status });
        row.next_look_at = row.intent.as_ref().map(|intent| intent.expires_at);
        row.task.as_mut().unwrap().last_status = "RUNNING".into();
    }
    controller.timer.set.lock().unwrap().clear();
    controller
}

#[tokio::test]
async fn a_tick_over_healthy_sessions_looks_at_none_asks_ecs_nothing_and_sets_one_timer() {
    let controller = live(250).await;
    assert_eq!(launched(&controller).len(), 250);
    handle(&controller, &json!({"sweep": true})).await; // what happened is told once
    controller.timer.set.lock().unwrap().clear();
    let asked = || *controller.orchestrator.asked.lock().unwrap() + *controller.orchestrator.described.lock().unwrap();
    let before = (asked(), controller.workers.rows.lock().unwrap().clone());
    assert_eq!(handle(&controller, &json!({"sweep": true})).await["looked"], 0);
    assert_eq!((asked(), controller.workers.rows.lock().unwrap().clone()), before, "and nothing is written");
    let timers = controller.timer.set.lock().unwrap();
    let [(at, Wake::Sessions { ids, until })] = &timers[..] else { panic!("{timers:?}") };
    assert_eq!((*at, ids.len(), *until), (NOW.plus_ms(27_000), 250, NOW.plus_ms(80_000)));
}

#[tokio::test]
async fn a_timer_finds_who_has_fallen_silent_and_no_timer_follows_beyond_the_next_tick() {
    let mut controller = live(2).await;
    let wakes = |controller: &InMemory| std::mem::take(&mut *controller.timer.set.lock().unwrap());
    let timer = Wake::Sessions { ids: vec![id(&name(1)), id(&name(2))], until: NOW.plus_ms(60_000) };
    controller.clock = || NOW.plus_ms(30_000);
    let heard = |at| {
        let mut rows = controller.workers.rows.lock().unwrap();
        rows.get_mut(&id(&name(2))).unwrap().worker.as_mut().unwrap().heartbeat_at = at;
    };
    heard(NOW.plus_ms(26_000));
    handle(&controller, &wake(&timer)).await;
    assert_eq!(controller.workers.row(&name(1)).generation, Generation(2), "silent for 30 s");
    assert_eq!(controller.workers.row(&name(2)).generation, Generation(1));
    let followed: Vec<Wake> = wakes(&controller).into_iter().map(|(_, wake)| wake).collect();
    let of_the_second = Wake::Sessions { ids: vec![id(&name(2))], until: NOW.plus_ms(60_000) };
    assert!(followed.contains(&of_the_second), "for the moment at which it must have been heard again: {followed:?}");
    controller.clock = || NOW.plus_ms(59_000);
    controller.workers.rows.lock().unwrap().get_mut(&id(&name(2))).unwrap().worker.as_mut().unwrap().heartbeat_at =
        NOW.plus_ms(58_000);
    handle(&controller, &wake(&of_the_second)).await;
    assert_eq!(wakes(&controller), [], "the tick sees it");
}

#[tokio::test]
async fn while_there_is_no_room_one_session_goes_to_see_and_when_there_is_some_all_follow() {
    let mut controller = controller();
    for n in 1..=5 {
        controller.sessions.put(&name(n), session("active"));
    }
    let no_room = || Answer::NoCapacity("RESOURCE:ENI".into());
    controller.orchestrator.answers.lock().unwrap().push(no_room());
    let calls = |controller: &InMemory| controller.orchestrator.run_task_calls.lock().unwrap().len();
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    handle(&controller, &json!({"sessionIds": [name(2), name(3), name(4), name(5)]})).await;
    assert_eq!(calls(&controller), 1, "the others wait");
    controller.clock = || NOW.plus_ms(15_000);
    controller.orchestrator.answers.lock().unwrap().push(no_room());
    next_pass(&controller).await;
    assert_eq!(calls(&controller), 2, "one goes to see");
    controller.clock = || NOW.plus_ms(30_000);
    next_pass(&controller).await;
    assert_eq!(calls(&controller), 3);
    controller.clock = || NOW.plus_ms(32_000);
    next_pass(&controller).await;
    assert_eq!(calls(&controller), 7, "there is room again");
}

#[tokio::test]
async fn a_session_that_is_launched_is_looked_at_before_the_next_tick_because_nobody_tells_of_its_first_word() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    assert_eq!(controller.workers.row(&name(1)).phase, Phase::Launching);
    let expected = Wake::Sessions { ids: vec![id(&name(1))], until: NOW.plus_ms(80_000) };
    let set = controller.timer.set.lock().unwrap().clone();
    assert_eq!(set, [(NOW.plus_ms(27_000), expected)]);
}

#[tokio::test]
async fn of_many_sessions_that_speak_for_the_same_version_one_is_looked_at() {
    let mut controller = live(30).await;
    handle(&controller, &json!({"sweep": true})).await; // what happened is told once
    let version = "task-definition/worker:1".to_owned();
    controller.policy.task_definition = Some(version.clone());
    for row in controller.workers.rows.lock().unwrap().values_mut() {
        row.intent.as_mut().unwrap().task_definition = Some(version.clone());
        row.worker.as_mut().unwrap().start_up.first_audio_at = Some(NOW.plus_ms(-400_000));
    }
    let looked = async || handle(&controller, &json!({"sweep": true})).await["looked"].clone();
    assert_eq!((looked().await, looked().await), (json!(1), json!(0)));
    assert_eq!(controller.workers.capacity.lock().unwrap().versions.good, Some(version));
}
