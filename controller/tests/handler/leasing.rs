//! One sweep at a time, and what a sweep must know although nothing has happened lately.

use super::common::{NOW, controller, id, session, task};
use super::{FAR, handle, launched};
use controller::handler::Response;
use controller_core::model::Switch;
use schemas::ids::Timestamp;
use schemas::reason::Cause;
use schemas::rollout::Rollout;
use schemas::worker::{Phase, Progress, WorkerRow};
use serde_json::json;

const SWEEP: &str = r#"{"sweep": true}"#;

fn held(response: Response) -> Option<(String, Timestamp)> {
    match response {
        Response::Held { held_by, until } => Some((held_by, until)),
        Response::Swept(_) | Response::Batch(_) => None,
    }
}

#[tokio::test]
async fn a_sweep_that_begins_within_another_says_whose_it_is_and_does_nothing() {
    let controller = controller();
    controller.sessions.put("calm-river-001", session("active"));
    let other = ("2026/12/01/[$LATEST]0123".to_owned(), NOW.plus_ms(30_000));
    *controller.workers.lease.lock().unwrap() = Some(other.clone());
    for event in [json!({"sweep": true}), json!({"detail-type": "Scheduled Event"})] {
        assert_eq!(held(controller.handle(&event, FAR).await.unwrap()), Some(other.clone()), "{event}");
    }
    assert_eq!(launched(&controller), Vec::<String>::new());
    let told = serde_json::to_value(controller.handle(&json!({"sweep": true}), FAR).await.unwrap()).unwrap();
    assert_eq!(told, json!({"heldBy": other.0, "until": other.1.0}), "an operator is told");
    *controller.workers.lease.lock().unwrap() = Some((other.0, NOW.plus_ms(-1)));
    handle(&controller, &serde_json::from_str(SWEEP).unwrap()).await;
    assert_eq!(launched(&controller), ["calm-river-001"], "the lease of a process that died ends by itself");
}

#[tokio::test]
async fn a_sweep_holds_its_lease_beyond_its_own_end_and_gives_it_back_when_it_ends_sooner() {
    let controller = controller();
    let kill = u64::try_from(NOW.0 + 55_000).unwrap();
    controller.handle(&json!({"sweep": true}), kill).await.unwrap();
    assert_eq!(*controller.workers.lease.lock().unwrap(), None);
    *controller.workers.fails_to_list.lock().unwrap() = true;
    assert!(controller.handle(&json!({"sweep": true}), kill).await.is_err());
    assert_eq!(*controller.workers.lease.lock().unwrap(), None, "one that fails, too: Lambda tries it again");
    assert_eq!(*controller.workers.leased_until.lock().unwrap(), Some(NOW.plus_ms(57_000)), "and clocks differ");
}

/// A healthy session whose worker was launched from the version before.
fn live() -> WorkerRow {
    let mut row: WorkerRow = serde_json::from_str(include_str!("../../../schemas/golden/worker-row.json")).unwrap();
    let task = task("calm-river-001", row.generation.0);
    row.session_id = id("calm-river-001");
    row.phase = Phase::Live;
    row.operator = Default::default();
    row.next_look_at = Some(NOW.plus_ms(30_000));
    let intent = row.intent.as_mut().unwrap();
    intent.task_definition = Some("worker:1".into());
    row.task.as_mut().unwrap().arn = task.arn.clone();
    let worker = row.worker.as_mut().unwrap();
    worker.task_arn = Some(task.arn);
    worker.heartbeat_at = NOW;
    worker.progress = Progress::default();
    row
}

#[tokio::test]
async fn a_rollout_begins_although_nothing_was_launched_lately() {
    let mut controller = controller();
    controller.policy.rollout = Switch::On;
    controller.policy.task_definition = Some("worker:2".into());
    controller.workers.capacity.lock().unwrap().versions =
        Rollout { good: Some("worker:1".into()), ..Rollout::default() };
    let mut row = live();
    let mut wanted = session("active");
    wanted["kvsChannelArn"] = json!(row.intent.as_ref().unwrap().channel_arn.as_ref().unwrap().as_str());
    row.intent.as_mut().unwrap().expires_at = Timestamp((NOW.0 / 1_000 + 3_600) * 1_000);
    controller.sessions.put("calm-river-001", wanted);
    controller
        .orchestrator
        .tasks
        .lock()
        .unwrap()
        .push((row.session_id.clone(), task("calm-river-001", row.generation.0)));
    controller.workers.rows.lock().unwrap().insert(row.session_id.clone(), row);
    for _ in 0..3 {
        controller.handle(&json!({"sweep": true}), FAR).await.unwrap();
        for row in controller.workers.rows.lock().unwrap().values_mut() {
            row.next_look_at = row.next_look_at.map(|_| NOW); // a minute has passed: it is due
        }
    }
    let row = controller.workers.row("calm-river-001");
    assert_eq!((row.phase, row.why.cause), (Phase::Draining, Cause::Handover), "{:?}", row.why);
}
