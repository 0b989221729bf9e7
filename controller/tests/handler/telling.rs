//! What the bus is told of an end, when it does not answer at that moment.

use super::common::{InMemory, NOW, controller, id, session};
use super::{handle, name};
use schemas::lifecycle::Happening;
use schemas::worker::Phase;
use serde_json::json;

/// A session that ended while the bus was missing.
async fn ended_untold() -> InMemory {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    controller.sessions.put(&name(1), session("ended"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    controller.orchestrator.tasks.lock().unwrap()[0].1.last_status = "STOPPED".into();
    *controller.bus.broken.lock().unwrap() = usize::MAX;
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let row = controller.workers.row(&name(1));
    assert_eq!((row.phase, row.next_look_at), (Phase::Stopped, None), "nothing else looks at it again");
    controller
}

fn told(controller: &InMemory) -> Vec<Happening> {
    controller.bus.events.lock().unwrap().iter().map(|event| event.happening).collect()
}

#[tokio::test]
async fn an_end_that_the_bus_did_not_take_is_told_by_a_later_tick_and_once() {
    let mut controller = ended_untold().await;
    assert_eq!(told(&controller), [Happening::Launched]);
    controller.clock = || NOW.plus_ms(60_000);
    handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(controller.workers.untold.lock().unwrap().len(), 1, "the bus fails still");
    *controller.bus.broken.lock().unwrap() = 0;
    controller.clock = || NOW.plus_ms(120_000);
    for _ in 0..3 {
        handle(&controller, &json!({"sweep": true})).await;
    }
    assert_eq!(told(&controller), [Happening::Launched, Happening::Stopped]);
    assert_eq!(controller.workers.untold.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_end_that_nobody_can_be_told_for_a_day_is_given_up() {
    let mut controller = ended_untold().await;
    controller.clock = || NOW.plus_ms(controller::tick::GIVE_UP_MS - 1);
    handle(&controller, &json!({"sweep": true})).await;
    assert!(controller.workers.untold.lock().unwrap().contains_key(&id(&name(1))));
    controller.clock = || NOW.plus_ms(controller::tick::GIVE_UP_MS + 60_000);
    handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(controller.workers.untold.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn the_end_of_a_row_in_our_own_stream_is_told_at_once() {
    let controller = ended_untold().await;
    *controller.bus.broken.lock().unwrap() = 0;
    let event = json!({"Records": [{"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "1",
        "Keys": {"sessionId": {"S": name(1)}, "record": {"S": "current"}},
        "OldImage": {"phase": {"S": "Draining"}}, "NewImage": {"phase": {"S": "Stopped"}}}}]});
    assert_eq!(handle(&controller, &event).await, json!({"batchItemFailures": []}));
    assert_eq!(told(&controller), [Happening::Launched, Happening::Stopped]);
}
