//! A stand-in for AWS that takes every connection and never answers, under a clock that runs ahead whenever everybody waits.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{AsyncSleep, Credentials, SharedAsyncSleep, Sleep};
use controller::channels::Kinesis;
use controller::clients::{CALL, Clients, LAUNCH, limited};
use controller::config::{Config, OpenIndex};
use controller::ecs::Ecs;
use controller::events::EventBridge;
use controller::ports::{Bus, Channels, Orchestrator, PortError, Sessions, Shared, Workers};
use controller::remedy::Remedy;
use controller::sqs::Queue;
use controller::store::{SessionsTable, WorkersTable};
use controller_core::launch::Answer;
use controller_core::model::Tasks;
use schemas::ids::{ChannelArn, SessionId, TaskArn, Timestamp};
use schemas::lifecycle::LifecycleEvent;
use schemas::worker::WorkerRow;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::TcpListener;

/// Virtual time: every sleep of the SDK ends in the order of its end, and none takes any time.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    now: Duration,
    sleepers: Vec<(Duration, Waker)>,
}

struct Until(Clock, Duration);

impl Future for Until {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.0.lock().unwrap();
        if inner.now >= self.1 {
            return Poll::Ready(());
        }
        inner.sleepers.push((self.1, cx.waker().clone()));
        Poll::Pending
    }
}

impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let end = self.0.lock().unwrap().now + duration;
        Sleep::new(Until(self.clone(), end))
    }
}

impl Clock {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    /// On to the next end of a sleep, again and again.
    async fn run(self) {
        loop {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            let mut inner = self.0.lock().unwrap();
            let Some(next) = inner.sleepers.iter().map(|(end, _)| *end).min() else { continue };
            inner.now = inner.now.max(next);
            let now = inner.now;
            inner.sleepers.extract_if(.., |(end, _)| *end <= now).for_each(|(_, waker)| waker.wake());
        }
    }
}

/// Takes connections, reads nothing, says nothing.
async fn silence() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    url
}

async fn silent(clock: &Clock) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).endpoint_url(silence().await);
    let loader = loader.region(Region::new("us-east-1")).sleep_impl(SharedAsyncSleep::new(clock.clone()));
    limited(loader.credentials_provider(Credentials::new("a", "b", None, None, "test"))).load().await
}

/// How long a call takes that nobody answers, in virtual time, and what it comes to.
async fn takes<T>(clock: &Clock, call: impl Future<Output = T>) -> (Duration, T) {
    let began = clock.now();
    let came_to = call.await;
    (clock.now() - began, came_to)
}

fn row() -> WorkerRow {
    serde_json::from_str(include_str!("../../schemas/golden/worker-row.json")).unwrap()
}

fn config() -> Config {
    let arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/session-worker-local:1";
    let known = [("SESSIONS_TABLE", "s"), ("WORKERS_TABLE", "w"), ("CLUSTER", "c"), ("TASK_DEFINITION", arn)];
    let known = known.into_iter().chain([("CONTAINER", "worker"), ("SUBNETS", "a"), ("SECURITY_GROUPS", "g")]);
    let known: Vec<_> = known.chain([("ASSIGN_PUBLIC_IP", "ENABLED")]).collect();
    Config::try_new(|asked| known.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned()))
        .unwrap()
}

#[track_caller]
fn assert_ends<T: std::fmt::Debug>(what: &str, (took, came_to): (Duration, Result<T, PortError>)) {
    assert!(took <= CALL, "{what} takes {took:?}");
    assert!(took >= CALL / 2, "{what} was not even waited for: {took:?}");
    let error = came_to.unwrap_err();
    assert!(matches!(error, PortError::Aws { remedy: Remedy::Again, .. }), "{what}: {error}");
}

#[tokio::test]
async fn a_call_that_nobody_answers_ends_within_its_limit_whichever_service_it_is_for() {
    let clock = Clock::default();
    let clients = Clients::of(&silent(&clock).await);
    let running = tokio::spawn(clock.clone().run());
    let id = SessionId::try_new("calm-river-001").unwrap();
    let workers = WorkersTable::new(clients.dynamodb.clone(), "w".into(), OpenIndex::New);
    assert_ends("GetItem", takes(&clock, workers.read(&id)).await);
    assert_ends("UpdateItem", takes(&clock, workers.mark_untold(&id, Timestamp(1))).await);
    assert_ends("the queries of all shards", takes(&clock, workers.untold(Timestamp(1))).await);
    let sessions = SessionsTable::new(clients.dynamodb, "s".into());
    assert_ends("Scan", takes(&clock, sessions.scan(None)).await);
    let channel = ChannelArn::try_new("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-x/1").unwrap();
    assert_ends("DeleteSignalingChannel", takes(&clock, Kinesis::new(clients.kinesisvideo).delete(&channel)).await);
    let event: LifecycleEvent = serde_json::from_str(include_str!("../../schemas/golden/lifecycle.live.json")).unwrap();
    let bus = EventBridge::new(clients.eventbridge, Some("bus".into()));
    assert_ends("PutEvents", takes(&clock, bus.publish(&[event])).await);
    let queue = Queue::new(clients.sqs, Some("http://127.0.0.1/000000000000/session-timers-local".into()));
    assert_ends("SendMessage", takes(&clock, queue.send(Timestamp(2_000), "{}".into(), Timestamp(1))).await);
    let ecs = Ecs::new(clients.ecs, config());
    let task = TaskArn::try_new("arn:aws:ecs:us-east-1:123456789012:task/workers/abc").unwrap();
    assert_ends("StopTask", takes(&clock, ecs.stop_task(&task, "x")).await);
    let (took, tasks) = takes(&clock, ecs.tasks(&id, None, &[task])).await;
    assert!(matches!(tasks, Tasks::Unknown(_)) && took <= CALL, "DescribeTasks: {tasks:?} after {took:?}");
    let (took, answer) = takes(&clock, ecs.run_task(&row())).await;
    assert!(matches!(answer, Answer::Retry(_)) && took <= LAUNCH, "RunTask: {answer:?} after {took:?}");
    running.abort();
}
