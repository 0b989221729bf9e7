//! ECS on Fargate: RunTask, ListTasks, DescribeTasks and StopTask with AWS's semantics; tasks are the real programs as
//! processes of this machine. Everything else (task definitions, clusters) is asked from the emulator, where the template is.

mod container;
mod events;
mod faults;
mod knobs;
mod lifecycle;
mod model;
pub(crate) mod pattern;
mod request;
mod server;
mod store;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use self::container::Program;
pub use self::faults::Faults;
pub(crate) use self::faults::take;
use self::lifecycle::Shared;
pub(crate) use self::lifecycle::now;
use self::model::Stop;
pub(crate) use self::model::iso;
use crate::emulator::{Api, Functions};
use crate::guard::Guard;
pub use crate::standin::Running;

/// How long a task stays on each step of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The network interface.
    pub provisioning: Duration,
    /// The image.
    pub pending: Duration,
    /// The rest of the launch, the container running already.
    pub activating: Duration,
    /// From the end of a container to its next start in place.
    pub restarting: Duration,
    /// Giving the network interface back.
    pub deprovisioning: Duration,
}

impl Default for Pace {
    /// AWS's own: 20 s from RunTask to RUNNING, as in the event sample of the ECS developer guide. How long a restart in place takes
    /// is not documented; a second is a guess.
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            provisioning: ms(3_300),
            pending: ms(16_300),
            activating: ms(800),
            restarting: ms(1_000),
            deprovisioning: ms(10_000),
        }
    }
}

impl Pace {
    /// `factor` times as long.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            provisioning: self.provisioning.mul_f64(factor),
            pending: self.pending.mul_f64(factor),
            activating: self.activating.mul_f64(factor),
            restarting: self.restarting.mul_f64(factor),
            deprovisioning: self.deprovisioning.mul_f64(factor),
        }
    }
}

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct EcsConfig {
    /// The emulator: task definitions, clusters, rules, functions.
    pub api: Api,
    /// What to run for an image.
    pub images: HashMap<String, Program>,
    /// `AWS_ENDPOINT_URL…` for the containers.
    pub endpoints: Vec<(String, String)>,
    /// The credentials that the containers' role gives: access key id.
    pub access_key_id: String,
    /// And its secret.
    pub secret_access_key: String,
    /// The functions that call RunTask, to be killed while they do.
    pub functions: Functions,
    /// The ladder.
    pub pace: Pace,
    /// Directory for the containers' output: `<container>-<task id>.log`.
    pub logs: PathBuf,
    /// Who kills what is left.
    pub guard: Guard,
}

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener has no address.
    #[error("the listener for ECS is unusable: {0}")]
    Listen(#[from] std::io::Error),
}

/// The stand-in while it runs.
#[derive(Debug)]
pub struct Ecs {
    running: Running,
    shared: Arc<Shared>,
}

impl Ecs {
    /// The endpoint to give to an SDK.
    pub fn url(&self) -> String {
        self.running.url()
    }

    /// Asks every task to stop, waits `patience` for it, kills the rest, and stops listening.
    pub async fn stop(self, patience: Duration) {
        let all: Vec<_> = self.shared.store().tasks().map(|t| (t.cluster_arn.clone(), t.arn.clone())).collect();
        for (cluster, arn) in all {
            let stop = Stop::new("UserInitiated", "The local stack stops");
            let _known = self.shared.store().stop(&cluster, &arn, stop);
        }
        self.shared.wish();
        if timeout(patience, self.shared.idle()).await.is_err() {
            tracing::warn!("a task did not stop in time and is killed");
        }
        // Dropped with the runtime, a container dies by SIGKILL; the guard sees to what even that leaves.
        self.running.stop().await;
    }
}

/// Serves ECS's API at `POST /`, the containers' metadata and credentials, and `POST /_local/…` to break things.
///
/// # Errors
/// When the listener is unusable.
pub fn serve(listener: TcpListener, config: EcsConfig) -> Result<Ecs, Error> {
    let mut running = Running::new(listener.local_addr()?);
    let (to, mut events) = mpsc::unbounded_channel();
    let shared = Shared::new(config, running.url(), to);
    running.serve(listener, server::router(Arc::clone(&shared)));
    let (deliverer, stopped) = (Arc::clone(&shared), running.stopped());
    tokio::spawn(async move {
        let deliver = async {
            while let Some(event) = events.recv().await {
                server::deliver(&deliverer, &event).await;
            }
        };
        tokio::select! {
            () = deliver => {}
            () = stopped => {}
        }
    });
    Ok(Ecs { running, shared })
}

#[cfg(test)]
mod tests;
