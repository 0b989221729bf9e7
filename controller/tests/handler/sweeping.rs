//! Sweeps that run out of time: nothing starves, whatever stands in front of it.

use super::common::{InMemory, NOW, controller, id, session};
use super::{launched, name};
use controller::handler::{Controller, Response};
use controller::ports::Cursor;
use controller::tick::Swept;
use schemas::ids::Timestamp;
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

fn slow_controller() -> InMemory {
    TIME.set(0);
    Controller { clock: slow, ..controller() }
}

#[tokio::test]
async fn a_scan_that_is_cut_short_goes_on_where_it_stopped() {
    let controller = slow_controller();
    for n in 1..=60 {
        controller.sessions.put(&name(n), session("active"));
        controller.sessions.broken.lock().unwrap().insert(id(&name(n)));
    }
    controller.sessions.put("zebra-last-999", session("active"));
    let first = tick(&controller, 400).await;
    assert!(first.cut_short && first.looked < 60, "{first:?}");
    assert!(controller.workers.cursor.lock().unwrap().scan.is_some());
    for _ in 0..20 {
        tick(&controller, 400).await;
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
async fn due_rows_behind_those_that_fail_each_time_have_their_turn_too() {
    let controller = slow_controller();
    for n in 1..=40 {
        controller.sessions.put(&name(n), session("active"));
    }
    tick(&controller, 1_000_000).await;
    assert_eq!(launched(&controller).len(), 40);
    // All are due, in this order; those in front cannot be looked at, and the last one has ended.
    for n in 1..=40 {
        let mut rows = controller.workers.rows.lock().unwrap();
        rows.get_mut(&id(&name(n))).unwrap().next_look_at = Some(NOW.plus_ms(i64::try_from(n).unwrap()));
        if n < 40 {
            controller.sessions.broken.lock().unwrap().insert(id(&name(n)));
        }
    }
    controller.sessions.put(&name(40), session("ended"));
    let mut ticks = 0;
    while controller.workers.row(&name(40)).phase == schemas::worker::Phase::Launching {
        let swept = tick(&controller, 300).await;
        assert!(swept.cut_short && swept.left > 0, "{swept:?}");
        ticks += 1;
        assert!(ticks < 20, "it starves behind those that fail");
    }
    assert!(ticks > 1, "one tick is too short for all");
}

#[tokio::test]
async fn what_is_due_leaves_half_of_the_time_to_the_last_net() {
    let controller = slow_controller();
    for n in 1..=60 {
        controller.sessions.put(&name(n), session("active"));
    }
    tick(&controller, 1_000_000).await;
    for n in 1..=60 {
        controller.workers.rows.lock().unwrap().get_mut(&id(&name(n))).unwrap().next_look_at = Some(NOW);
    }
    controller.sessions.put("zebra-missed-999", session("active"));
    let swept = tick(&controller, 2_000).await;
    assert!(swept.cut_short, "{swept:?}");
    assert!(launched(&controller).contains(&"zebra-missed-999".to_owned()), "{swept:?}");
}
