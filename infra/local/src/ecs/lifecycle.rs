//! One task's life, down the ladder of states; every step is an event.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use schemas::ids::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::EcsConfig;
use super::container::{Container, Program};
use super::events::state_change;
use super::faults::{Faults, take};
use super::model::{Status, Stop, Task};
use super::request::overridden;
use super::store::Store;
use crate::guard::Target;

/// What the API and the lives of the tasks share.
#[derive(Debug)]
pub struct Shared {
    /// As it was started.
    pub config: EcsConfig,
    /// Where the stand-in itself listens: metadata and credentials of the containers.
    pub url: String,
    store: Mutex<Store>,
    faults: Mutex<Faults>,
    /// Changes whenever some task shall stop.
    wishes: watch::Sender<()>,
    /// The containers that run, by task.
    running: watch::Sender<HashMap<String, Target>>,
    events: mpsc::UnboundedSender<Value>,
}

impl Shared {
    /// Nothing runs yet; events go to `events`.
    pub fn new(config: EcsConfig, url: String, events: mpsc::UnboundedSender<Value>) -> Arc<Self> {
        let (store, faults) = (Mutex::default(), Mutex::default());
        let (wishes, running) = (watch::Sender::default(), watch::Sender::default());
        Arc::new(Self { config, url, store, faults, wishes, running, events })
    }

    /// The tasks. Never held across an await.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is broken on purpose.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the event of this version of the task.
    pub fn announce(&self, task: &Task) {
        let api = &self.config.api;
        let _stopped = self.events.send(state_change(task, api.region(), api.account(), now()));
    }

    /// Tells the lives that some task was asked to stop.
    pub fn wish(&self) {
        self.wishes.send_replace(());
    }

    /// Resolves when no container runs any more.
    pub async fn idle(&self) {
        let mut running = self.running.subscribe();
        let _closed = running.wait_for(HashMap::is_empty).await;
    }

    /// Sends the container of a task this signal; whether there was one.
    pub fn signal(&self, arn: &str, signal: Signal) -> bool {
        self.running.borrow().get(arn).is_some_and(|container| container.signal(signal))
    }

    fn runs(&self, arn: &str, container: &Container) {
        self.running.send_modify(|running| {
            running.insert(arn.to_owned(), container.target());
        });
    }

    fn change(&self, arn: &str, change: impl FnOnce(&mut Task)) {
        let changed = self.store().change(arn, change);
        if let Some(task) = changed {
            self.announce(&task);
        }
    }

    async fn asked_to_stop(&self, arn: &str) {
        let mut wishes = self.wishes.subscribe();
        while self.store().task(arn).is_some_and(|task| task.stop.is_none()) {
            if wishes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits, unless the task is asked to stop first; whether it may go on.
    async fn wait(&self, arn: &str, time: Duration) -> bool {
        timeout(time, self.asked_to_stop(arn)).await.is_err()
    }
}

/// Now.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A task from PROVISIONING to STOPPED.
pub async fn live(shared: Arc<Shared>, arn: String) {
    let first = shared.store().task(&arn).cloned();
    if let Some(task) = first {
        shared.announce(&task);
    }
    if let Some(mut container) = launch(&shared, &arn).await {
        shared.runs(&arn, &container);
        run(&shared, &arn, &mut container).await;
        drop(container);
        shared.running.send_modify(|running| {
            running.remove(&arn);
        });
    }
    shared.change(&arn, |task| {
        task.status = Status::Deprovisioning;
        task.stopping_at = task.stopping_at.or(Some(now()));
    });
    sleep(shared.config.pace.deprovisioning).await;
    shared.change(&arn, |task| {
        task.status = Status::Stopped;
        task.stopped_at = Some(now());
    });
}

/// Up to a started container; `None` when the task ends without one.
async fn launch(shared: &Shared, arn: &str) -> Option<Container> {
    let pace = shared.config.pace;
    if !shared.wait(arn, pace.provisioning).await {
        return None;
    }
    shared.change(arn, |task| {
        task.status = Status::Pending;
        task.pulled.0 = Some(now());
    });
    if !shared.wait(arn, pace.pending).await {
        return None;
    }
    let task = shared.store().task(arn).cloned()?;
    if let Some(reason) = no_place(&mut shared.faults()) {
        shared.change(arn, |task| task.stop = Some(Stop::new("TaskFailedToStart", &reason)));
        return None;
    }
    match start(shared, &task) {
        Ok(container) => {
            shared.change(arn, |task| {
                task.status = Status::Activating;
                task.pulled.1 = Some(now());
            });
            Some(container)
        }
        Err(reason) => {
            tracing::warn!(task = task.id(), reason, "a task failed to start");
            shared.change(arn, |task| {
                task.stop = Some(Stop::new("TaskFailedToStart", &reason));
                task.container_reason = Some(reason);
            });
            None
        }
    }
}

/// Why the next task does not get its place, if it is not to.
fn no_place(faults: &mut Faults) -> Option<String> {
    let usual = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    let reason = if faults.stopped_reason.is_empty() { usual } else { &faults.stopped_reason }.to_owned();
    take(&mut faults.no_place).then_some(reason)
}

fn start(shared: &Shared, task: &Task) -> Result<Container, String> {
    let (image, config) = (&task.definition.image, &shared.config);
    if take(&mut shared.faults().fail_to_start) {
        return Err(format!("CannotPullContainerError: pull image manifest has been retried 1 time(s): {image}"));
    }
    let program: &Program = config
        .images
        .get(image)
        .ok_or_else(|| format!("CannotPullContainerError: the local stack has no program for image {image}"))?;
    let (environment, command) = environment(shared, task);
    Container::start(program, &command, &environment, &log(shared, task), &config.guard)
        .map_err(|error| format!("CannotStartContainerError: {}: {error}", program.path.display()))
}

/// The container's environment, and what Fargate adds to it.
fn environment(shared: &Shared, task: &Task) -> (Vec<(String, String)>, Vec<String>) {
    let (own, command) = overridden(&task.definition, &task.overrides);
    let region = shared.config.api.region();
    let platform = [
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE".to_owned()),
        ("ECS_CONTAINER_METADATA_URI_V4", format!("{}/v4/{}", shared.url, task.id())),
        // On ECS the relative form of it, which only resolves on a link-local address.
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v2/credentials/{}", shared.url, task.id())),
    ];
    let mut all: HashMap<String, String> = platform.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    all.extend(shared.config.endpoints.iter().cloned());
    all.extend(own);
    (all.into_iter().collect(), command)
}

/// Where a task's output goes.
fn log(shared: &Shared, task: &Task) -> PathBuf {
    shared.config.logs.join(format!("{}-{}.log", task.definition.container, task.id()))
}

/// From a started container to its end for good, by itself or because somebody asked.
async fn run(shared: &Shared, arn: &str, container: &mut Container) {
    let mut up = pin!(async {
        sleep(shared.config.pace.activating).await;
        shared.change(arn, |task| {
            task.status = Status::Running;
            task.started_at = Some(now());
        });
        std::future::pending::<()>().await;
    });
    let code = loop {
        let began = Instant::now();
        let code = tokio::select! {
            code = container.ended() => Some(code),
            () = shared.asked_to_stop(arn) => None,
            () = &mut up => None,
        };
        match code {
            Some(code) if again(shared, arn, code, began.elapsed(), container).await => {}
            code => break code,
        }
    };
    shared.change(arn, |task| {
        task.status = Status::Deactivating;
        task.stopping_at = Some(now());
        task.stop.get_or_insert_with(|| Stop::new("EssentialContainerExited", "Essential container in task exited"));
    });
    let code = match code {
        Some(code) => code,
        None => stop(shared, arn, container).await,
    };
    shared.change(arn, |task| {
        task.exit_code = Some(code);
        task.execution_stopped_at = Some(now());
    });
}

/// Starts a container that has ended again in place, with what it was launched with, if its restart policy says so; whether it did.
async fn again(shared: &Shared, arn: &str, code: i32, ran: Duration, container: &mut Container) -> bool {
    let Some(task) = shared.store().task(arn).cloned() else { return false };
    let least = shared.faults().restart_after_ms.map(|ms| Duration::from_millis(ms.into()));
    let applies = task.definition.restart.as_ref().is_some_and(|policy| policy.applies(code, ran, least));
    if !applies || !shared.wait(arn, shared.config.pace.restarting).await {
        return false;
    }
    match start(shared, &task) {
        Ok(started) => *container = started,
        Err(reason) => {
            tracing::warn!(task = task.id(), reason, "a container could not be started again");
            return false;
        }
    }
    shared.runs(arn, container);
    // Nobody is told: the task has been RUNNING all the time, and no event of ECS speaks of it.
    let _changed = shared.store().task_mut(arn).map(|task| task.restarts += 1);
    tracing::info!(task = task.id(), code, "a container is started again in place");
    true
}

/// SIGTERM, then patience, then SIGKILL; the exit code.
async fn stop(shared: &Shared, arn: &str, container: &mut Container) -> i32 {
    let patience = shared.store().task(arn).map_or(30, |task| task.definition.stop_timeout);
    shared.change(arn, |task| task.status = Status::Stopping);
    container.signal(Signal::SIGTERM);
    match timeout(Duration::from_secs(patience), container.ended()).await {
        Ok(code) => code,
        Err(_late) => {
            container.signal(Signal::SIGKILL);
            container.ended().await
        }
    }
}
