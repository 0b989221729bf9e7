//! The handler with its capabilities in memory: what happens on record 7 of 10, and whether the schedule alone suffices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;
mod launching;
mod leasing;
mod telling;
mod ticking;

use common::{InMemory, NOW, controller, id, session, task};
use controller::handler::Response;
use controller_core::action::Plan;
use controller_core::launch::Answer;
use controller_core::model::{Policy, Switch, View};
use controller_core::triggers::Wake;
use schemas::ids::{Generation, Timestamp};
use schemas::lifecycle::Happening;
use schemas::reason::Cause;
use schemas::worker::{Desired, Phase};
use serde_json::{Value, json};

const FAR: u64 = u64::MAX;

fn name(n: usize) -> String {
    format!("calm-river-{n:03}")
}

fn record(session: &str, sequence: usize) -> Value {
    json!({"eventName": "INSERT", "dynamodb": {"Keys": {"sessionId": {"S": session}}, "SequenceNumber": sequence.to_string()}})
}

/// The message of a timer.
fn wake(wake: &Wake) -> Value {
    json!({"Records": [{"eventSource": "aws:sqs", "body": serde_json::to_string(wake).unwrap()}]})
}

async fn handle(controller: &InMemory, event: &Value) -> Value {
    serde_json::to_value(controller.handle(event, FAR).await.unwrap()).unwrap()
}

fn launched(controller: &InMemory) -> Vec<String> {
    controller.orchestrator.run_task_calls.lock().unwrap().iter().map(|(id, _)| id.to_string()).collect()
}

#[tokio::test]
async fn when_record_7_of_10_fails_the_others_are_done_and_7_is_reported() {
    let controller = controller();
    for n in 1..=10 {
        controller.sessions.put(&name(n), session("active"));
    }
    controller.sessions.broken.lock().unwrap().insert(id(&name(7)));
    let records: Vec<Value> = (1..=10).map(|n| record(&name(n), 100 + n)).collect();
    let response = handle(&controller, &json!({"Records": records})).await;
    assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": "107"}]}));
    assert_eq!(launched(&controller), (1..=10).filter(|n| *n != 7).map(name).collect::<Vec<_>>());
    controller.sessions.broken.lock().unwrap().clear();
    let rest: Vec<Value> = (7..=10).map(|n| record(&name(n), 100 + n)).collect();
    assert_eq!(handle(&controller, &json!({"Records": rest})).await, json!({"batchItemFailures": []}));
    assert_eq!(launched(&controller).len(), 10, "delivered again, and done once");
}

#[tokio::test]
async fn a_batch_without_failures_reports_none_and_looks_once_per_session() {
    let controller = controller();
    controller.sessions.put("calm-river-001", session("active"));
    let event = json!({"Records": [record("calm-river-001", 1), record("calm-river-001", 2)]});
    assert_eq!(handle(&controller, &event).await, json!({"batchItemFailures": []}));
    assert_eq!(handle(&controller, &event).await, json!({"batchItemFailures": []}), "delivered twice");
    assert_eq!(launched(&controller), ["calm-river-001"]);
    let row = controller.workers.row("calm-river-001");
    assert_eq!((row.phase, row.generation), (Phase::Launching, Generation(1)));
    assert!(row.task.is_some(), "RunTask's answer is in the row");
}

#[tokio::test]
async fn a_row_that_nobody_can_read_does_not_block_the_shard() {
    let controller = controller();
    for n in 1..=2 {
        controller.sessions.put(&name(n), session("active"));
    }
    controller.workers.unreadable.lock().unwrap().insert(id(&name(1)));
    let response = handle(&controller, &json!({"Records": [record(&name(1), 1), record(&name(2), 2)]})).await;
    assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": "1"}]}), "to the failure destination");
    assert_eq!(launched(&controller), [name(2)], "and what stands behind it does not wait");
}

#[tokio::test]
async fn a_poison_record_is_reported_and_a_failure_behind_it_is_delivered_again_with_it() {
    let controller = controller();
    for n in 1..=4 {
        controller.sessions.put(&name(n), session("active"));
    }
    controller.sessions.broken.lock().unwrap().insert(id(&name(3)));
    let records = [
        record(&name(1), 11),
        record("no such id!", 12),
        record(&name(2), 13),
        record(&name(3), 14),
        record(&name(4), 15),
    ];
    let response = handle(&controller, &json!({"Records": records})).await;
    assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": "12"}]}));
    assert_eq!(launched(&controller), [name(1), name(2), name(4)], "nobody waits for those that fail");
    assert_eq!(controller.memory.take_metrics().0.poison_records, 1);
    let again = handle(&controller, &json!({"Records": records[1..]})).await;
    assert_eq!(again, json!({"batchItemFailures": [{"itemIdentifier": "12"}]}));
    assert_eq!(launched(&controller), [name(1), name(2), name(4)], "delivered twice, done once");
}

#[tokio::test]
async fn the_schedule_alone_launches_and_stops() {
    let controller = controller();
    for n in 1..=3 {
        controller.sessions.put(&name(n), session("active"));
    }
    controller.sessions.put(&name(4), session("ended"));
    let tick = json!({"detail-type": "Scheduled Event", "source": "aws.events"});
    handle(&controller, &tick).await;
    handle(&controller, &tick).await;
    assert_eq!(launched(&controller), [name(1), name(2), name(3)]);
    controller.sessions.put(&name(2), session("ended"));
    controller.workers.rows.lock().unwrap().get_mut(&id(&name(2))).unwrap().next_look_at = Some(NOW);
    handle(&controller, &tick).await;
    let row = controller.workers.row(&name(2));
    assert_eq!((row.phase, row.intent.unwrap().desired), (Phase::Draining, Desired::Stop));
}

#[tokio::test]
async fn a_task_without_a_row_is_found_and_stopped_by_the_second_tick() {
    let mut controller = controller();
    let stray = task("lost-sheep-001", 3);
    controller.orchestrator.tasks.lock().unwrap().push((id("lost-sheep-001"), stray.clone()));
    handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(*controller.orchestrator.stopped.lock().unwrap(), [], "one strike");
    controller.clock = || NOW.plus_ms(60_000);
    handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(*controller.orchestrator.stopped.lock().unwrap(), [stray.arn], "two");
}

#[tokio::test]
async fn an_old_task_beside_a_row_that_waits_is_found_and_stopped_by_the_schedule() {
    let controller = controller();
    controller.sessions.put("a-b-1", session("active"));
    handle(&controller, &json!({"sessionIds": ["a-b-1"]})).await;
    {
        let mut rows = controller.workers.rows.lock().unwrap();
        let row = rows.values_mut().next().unwrap();
        row.generation = row.generation.next();
        row.phase = Phase::Queued;
        row.task = None;
        row.restarts.not_before = Some(NOW.plus_ms(60_000));
        row.next_look_at = Some(NOW.plus_ms(60_000));
    }
    handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(*controller.orchestrator.stopped.lock().unwrap(), [task("a-b-1", 1).arn]);
}

#[tokio::test]
async fn one_broken_session_does_not_keep_a_sweep_from_the_others() {
    let controller = controller();
    for n in 1..=3 {
        controller.sessions.put(&name(n), session("active"));
    }
    controller.sessions.broken.lock().unwrap().insert(id(&name(1)));
    let response = handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(response, json!({"looked": 3, "failed": 1, "left": 0, "cutShort": false}));
    assert_eq!(launched(&controller), [name(2), name(3)]);
}

#[tokio::test]
async fn a_sweep_stops_at_the_deadline_and_says_so() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    let deadline = u64::try_from(NOW.0).unwrap() + 1_000;
    let response = controller.handle(&json!({"sweep": true}), deadline).await.unwrap();
    assert!(matches!(response, Response::Swept(swept) if swept.cut_short && swept.looked == 0));
}

#[tokio::test]
async fn a_lost_write_is_decided_again_from_a_fresh_read() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    *controller.workers.contention.lock().unwrap() = 2;
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    assert_eq!(launched(&controller), [name(1)]);
    *controller.workers.contention.lock().unwrap() = usize::MAX;
    controller.sessions.put(&name(2), session("active"));
    assert!(controller.handle(&json!({"sessionIds": [name(2)]}), FAR).await.is_err(), "but not for ever");
}

#[tokio::test]
async fn no_capacity_queues_the_session_and_a_lost_answer_repeats_the_same_launch() {
    let mut controller = controller();
    controller.sessions.put(&name(1), session("active"));
    controller.orchestrator.answers.lock().unwrap().push(Answer::NoCapacity("vCPU quota".into()));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let row = controller.workers.row(&name(1));
    assert_eq!((row.phase, row.why.cause), (Phase::Queued, Cause::NoCapacity));

    controller.sessions.put(&name(2), session("active"));
    controller.orchestrator.answers.lock().unwrap().push(Answer::Retry("connection reset".into()));
    controller.workers.capacity.lock().unwrap().no_room_at = None;
    handle(&controller, &json!({"sessionIds": [name(2)]})).await;
    controller.clock = || NOW.plus_ms(10_000);
    handle(&controller, &json!({"sessionIds": [name(2)]})).await;
    let calls = controller.orchestrator.run_task_calls.lock().unwrap().clone();
    assert_eq!(calls[1..], [(id(&name(2)), Generation(1)), (id(&name(2)), Generation(1))]);
}

#[tokio::test]
async fn an_unservable_row_is_failed_once_and_never_launched() {
    let controller = controller();
    let mut row = session("active");
    row["kvsChannelArn"] = json!("arn:aws:kinesisvideo:nonsense");
    controller.sessions.put(&name(1), row);
    for _ in 0..3 {
        handle(&controller, &json!({"sweep": true})).await;
    }
    let row = controller.workers.row(&name(1));
    assert_eq!((row.phase, row.why.cause, row.revision), (Phase::Failed, Cause::MalformedRow, 1));
    assert_eq!(launched(&controller), [] as [String; 0]);
}

#[tokio::test]
async fn an_ecs_event_settles_the_row_of_its_session() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    {
        let mut tasks = controller.orchestrator.tasks.lock().unwrap();
        tasks[0].1.last_status = "STOPPED".into();
        tasks[0].1.exit_code = Some(101);
    }
    let arn = controller.orchestrator.tasks.lock().unwrap()[0].1.arn.to_string();
    let event = json!({"source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": {"startedBy": format!("{}/1", name(1)), "taskArn": arn, "lastStatus": "STOPPED"}});
    handle(&controller, &event).await;
    let row = controller.workers.row(&name(1));
    assert_eq!((row.phase, row.generation, row.restarts.consecutive), (Phase::Launching, Generation(2), 1));
    let history = controller.workers.history.lock().unwrap();
    assert_eq!(history[0].task.as_ref().unwrap().exit_code, Some(101));
}

#[tokio::test]
async fn what_happens_is_told_once_and_told_again_when_the_bus_was_missing() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    *controller.bus.broken.lock().unwrap() = 1;
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    assert_eq!(launched(&controller), [name(1)], "a missing bus keeps nobody from being served");
    assert_eq!(controller.bus.events.lock().unwrap().len(), 0);
    for _ in 0..3 {
        handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    }
    let told: Vec<Happening> = controller.bus.events.lock().unwrap().iter().map(|event| event.happening).collect();
    assert_eq!(told, [Happening::Launched]);
    assert_eq!(controller.memory.take_metrics().0.event_errors, 1);
}

#[tokio::test]
async fn the_last_decision_can_be_replayed() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let kept: Value = serde_json::from_str(&controller.workers.decisions.lock().unwrap()[&id(&name(1))]).unwrap();
    let read = |key: &str| kept[key].clone();
    let view: View = serde_json::from_value(read("view")).unwrap();
    let policy: Policy = serde_json::from_value(read("policy")).unwrap();
    let now: Timestamp = serde_json::from_value(read("now")).unwrap();
    let plan: Plan = serde_json::from_value(read("plan")).unwrap();
    assert_eq!(controller_core::reconcile(&view, &policy, now), plan);
    assert!(plan.is_noteworthy());
}

/// The last timer of the queue comes.
async fn next_pass(controller: &InMemory) {
    let set = controller.timer.set.lock().unwrap().clone();
    let queue = set.into_iter().rev().find(|(_, set)| matches!(set, Wake::Queue { .. }));
    handle(controller, &wake(&queue.unwrap().1)).await;
}

#[tokio::test]
async fn a_surge_in_one_batch_queues_as_a_whole_and_is_launched_by_age_at_the_rate_and_nobody_is_lost() {
    let mut controller = controller();
    for n in 1..=130 {
        controller.sessions.put(&name(n), session("active"));
    }
    let records: Vec<Value> = (1..=130).map(|n| record(&name(n), 1_000 + n)).collect();
    handle(&controller, &json!({"Records": records})).await;
    assert_eq!(launched(&controller).len(), 0, "the next batch waits for no launch");
    assert_eq!(controller.workers.row(&name(130)).phase, Phase::Queued);
    let set = controller.timer.set.lock().unwrap().clone();
    assert_eq!(
        set.last(),
        Some(&(NOW.plus_ms(controller.policy.admission_wait_ms / 2), Wake::Queue { after: None })),
        "the first that waits sets the timer"
    );
    controller.clock = || NOW.plus_ms(1_000);
    next_pass(&controller).await;
    assert_eq!(launched(&controller).len(), 100, "the burst");
    handle(&controller, &wake(&Wake::Queue { after: None })).await;
    assert_eq!(launched(&controller).len(), 100, "a timer from before that pass changes nothing");
    controller.clock = || NOW.plus_ms(5_000);
    next_pass(&controller).await;
    let mut all = launched(&controller);
    all.sort();
    assert_eq!(all, (1..=130).map(name).collect::<Vec<_>>());
    let (metrics, _) = controller.memory.take_metrics();
    assert_eq!(
        (metrics.launches, metrics.queue_depth),
        (130, Some(30)),
        "who is being launched counts until the next pass"
    );
}

#[tokio::test]
async fn a_warm_invocation_begins_with_no_memory_of_the_last_session() {
    let controller = controller();
    for n in 1..=2 {
        controller.sessions.put(&name(n), session("active"));
    }
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let (first, session_one) = controller.memory.take_metrics();
    assert_eq!((first.launches, session_one), (1, Some(name(1))));
    handle(&controller, &json!({"sessionIds": [name(2)]})).await;
    let (second, session_two) = controller.memory.take_metrics();
    assert_eq!((second.launches, session_two), (1, Some(name(2))));
}

#[tokio::test]
async fn the_channel_of_an_ended_run_is_deleted_when_policy_says_so() {
    let mut controller = controller();
    controller.policy.channel_cleanup = Switch::On;
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    controller.sessions.put(&name(1), session("ended"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    controller.orchestrator.tasks.lock().unwrap()[0].1.last_status = "STOPPED".into();
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    assert_eq!(controller.workers.row(&name(1)).phase, Phase::Stopped);
    assert_eq!(controller.channels.deleted.lock().unwrap().len(), 0, "not within the grace");
    controller.clock = || NOW.plus_ms(900_000);
    for _ in 0..2 {
        handle(&controller, &json!({"sweep": true})).await;
    }
    assert_eq!(controller.channels.deleted.lock().unwrap().len(), 1, "once, and found by the schedule");
}
