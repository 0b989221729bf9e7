//! Leave to launch, RunTask's answers, and what a stored decision says.

use super::common::{InMemory, NOW, controller, id, session};
use super::{handle, launched, name, record};
use controller_core::action::Plan;
use controller_core::capacity::Bucket;
use controller_core::launch::Answer;
use controller_core::model::{Policy, Tasks, View};
use schemas::ids::{Generation, TaskArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::Phase;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Two processes with one table: what the first has taken, the second does not have.
#[tokio::test]
async fn two_controllers_at_once_never_launch_more_than_the_rate_allows() {
    let (one, two) = (Arc::new(controller()), controller());
    *two.workers.capacity.lock().unwrap() = Default::default();
    for n in 1..=80 {
        one.sessions.put(&name(n), session("active"));
        two.sessions.put(&name(n + 80), session("active"));
    }
    // By twenties: more at once would queue, and wait for a pass.
    let twenty = |from: usize| json!({"Records": (from..from + 20).map(|n| record(&name(n), n)).collect::<Vec<_>>()});
    for from in [1, 21, 41, 61] {
        handle(&one, &twenty(from)).await;
    }
    // The row that both share, as the second finds it.
    *two.workers.capacity.lock().unwrap() = one.workers.capacity.lock().unwrap().clone();
    for from in [81, 101, 121, 141] {
        handle(&two, &twenty(from)).await;
    }
    assert_eq!((launched(&one).len(), launched(&two).len()), (80, 20), "100 at once, whoever launches them");
    assert_eq!(two.workers.row(&name(160)).phase, Phase::Queued);
}

#[tokio::test]
async fn a_throttled_run_task_leaves_nothing_for_any_controller() {
    let controller = controller();
    for n in 1..=3 {
        controller.sessions.put(&name(n), session("active"));
    }
    controller.orchestrator.answers.lock().unwrap().push(Answer::Throttled("Rate exceeded".into()));
    let records: Vec<Value> = (1..=3).map(|n| record(&name(n), n)).collect();
    handle(&controller, &json!({"Records": records})).await;
    assert_eq!(launched(&controller), [name(1)], "nobody runs into the same throttle");
    for n in 1..=3 {
        let row = controller.workers.row(&name(n));
        assert_eq!((row.phase, row.why.cause), (Phase::Queued, Cause::Throttled), "{}", name(n));
    }
    let bucket = controller.workers.capacity.lock().unwrap().bucket.unwrap();
    assert_eq!(bucket, Bucket::empty(&Policy::default(), NOW));
}

#[tokio::test]
async fn who_comes_anew_goes_behind_those_that_another_process_has_counted() {
    let controller = controller();
    controller.workers.capacity.lock().unwrap().waiting = Some((100, NOW.plus_ms(-60_000)));
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let row = controller.workers.row(&name(1));
    assert_eq!(row.phase, Phase::Queued);
    assert!(row.why.text.contains("100 sessions have waited longer"), "{}", row.why.text);
    controller.workers.capacity.lock().unwrap().waiting = Some((100, NOW.plus_ms(-900_000)));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    assert_eq!(controller.workers.row(&name(1)).phase, Phase::Launching, "an old count holds nobody up");
}

#[tokio::test]
async fn a_worker_without_a_stream_at_transcribe_makes_new_sessions_wait_and_keeps_its_own() {
    let mut controller = controller();
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    {
        let mut rows = controller.workers.rows.lock().unwrap();
        let row = rows.values_mut().next().unwrap();
        row.phase = Phase::Live;
        let mut worker: schemas::worker::WorkerRow =
            serde_json::from_str(include_str!("../../../schemas/golden/worker-row.json")).unwrap();
        let mut status = worker.worker.take().unwrap();
        status.heartbeat_at = NOW;
        status.progress = schemas::worker::Progress::default();
        status.trouble = Some(Why::new(Cause::TranscribeLimit, "LimitExceededException", NOW));
        row.worker = Some(status);
    }
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    assert_eq!(controller.workers.row(&name(1)).phase, Phase::Live);
    controller.sessions.put(&name(2), session("active"));
    handle(&controller, &json!({"sessionIds": [name(2)]})).await;
    let row = controller.workers.row(&name(2));
    assert_eq!((row.phase, row.why.cause), (Phase::Queued, Cause::TranscribeLimit));
    controller.clock = || NOW.plus_ms(130_000);
    handle(&controller, &json!({"sweep": true})).await;
    assert_eq!(controller.workers.row(&name(2)).phase, Phase::Launching, "nobody has said so for two sweeps");
}

thread_local! {
    /// Whose worker writes its row while the controller waits.
    static WRITES_MEANWHILE: RefCell<Option<Arc<InMemory>>> = const { RefCell::new(None) };
}

/// The generation of a session whose last heartbeat is a minute old when the controller looks, as after an outage of the table.
async fn after_an_outage(writes_meanwhile: bool) -> Generation {
    let mut controller = controller();
    controller.pause = |_| {
        WRITES_MEANWHILE.with_borrow(|controller| {
            let Some(controller) = controller else { return };
            let mut rows = controller.workers.rows.lock().unwrap();
            rows.values_mut().next().unwrap().worker.as_mut().unwrap().heartbeat_at = NOW;
        });
        Box::pin(std::future::ready(()))
    };
    let controller = Arc::new(controller);
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    {
        let mut rows = controller.workers.rows.lock().unwrap();
        let row = rows.values_mut().next().unwrap();
        row.phase = Phase::Live;
        let golden: schemas::worker::WorkerRow =
            serde_json::from_str(include_str!("../../../schemas/golden/worker-row.json")).unwrap();
        let mut status = golden.worker.unwrap();
        status.progress = schemas::worker::Progress::default();
        status.heartbeat_at = NOW.plus_ms(-60_000);
        row.worker = Some(status);
    }
    WRITES_MEANWHILE.set(writes_meanwhile.then(|| controller.clone()));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    controller.workers.row(&name(1)).generation
}

#[tokio::test]
async fn a_worker_that_seems_silent_is_looked_at_twice_before_it_is_replaced() {
    assert_eq!(after_an_outage(true).await, Generation(1));
    assert_eq!(after_an_outage(false).await, Generation(2));
}

#[tokio::test]
async fn a_conflict_adopts_the_task_that_its_token_belongs_to() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    let arn = TaskArn::try_new("arn:aws:ecs:us-east-1:123456789012:task/workers/of-this-token").unwrap();
    controller.orchestrator.answers.lock().unwrap().push(Answer::Existing { arn: arn.clone() });
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let row = controller.workers.row(&name(1));
    assert_eq!((row.phase, row.generation), (Phase::Launching, Generation(1)));
    assert_eq!(row.task.unwrap().arn, arn);
}

#[tokio::test]
async fn a_token_that_is_answered_with_a_stopped_task_is_a_failed_launch_and_the_next_generation_follows_at_once() {
    let controller = controller();
    controller.sessions.put(&name(1), session("active"));
    let arn = TaskArn::try_new("arn:aws:ecs:us-east-1:123456789012:task/workers/used-before").unwrap();
    let answer = Answer::Launched { arn: arn.clone(), last_status: "STOPPED".into() };
    controller.orchestrator.answers.lock().unwrap().push(answer);
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let row = controller.workers.row(&name(1));
    assert_eq!((row.phase, row.generation, row.restarts.consecutive), (Phase::Launching, Generation(2), 1));
    assert_eq!(controller.workers.history.lock().unwrap()[0].task.as_ref().unwrap().arn, arn, "and is kept");
}

static LATER: AtomicI64 = AtomicI64::new(0);

/// The clock goes on between reading, deciding and keeping: what is kept is the time of the decision.
#[tokio::test]
async fn a_stored_decision_replays_exactly_however_the_clock_goes_on() {
    let mut controller = controller();
    controller.clock = || NOW.plus_ms(LATER.fetch_add(777, Ordering::Relaxed));
    controller.sessions.put(&name(1), session("active"));
    handle(&controller, &json!({"sessionIds": [name(1)]})).await;
    let kept: Value = serde_json::from_str(&controller.workers.decisions.lock().unwrap()[&id(&name(1))]).unwrap();
    let view: View = serde_json::from_value(kept["view"].clone()).unwrap();
    let policy: Policy = serde_json::from_value(kept["policy"].clone()).unwrap();
    let now: Timestamp = serde_json::from_value(kept["now"].clone()).unwrap();
    let plan: Plan = serde_json::from_value(kept["plan"].clone()).unwrap();
    assert_eq!(controller_core::reconcile(&view, &policy, now), plan);
    assert_eq!((view.fleet.launches_left, plan.launches()), (100, true), "with what was left for it: {:?}", view.fleet);
    assert!(matches!(view.tasks, Tasks::Unknown(_)), "a session that begins needs nothing of ECS");
}
