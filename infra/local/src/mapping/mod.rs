//! The event source mapping: a poller over the emulator's stream that fails as Lambda's does (filters, partial batches,
//! bisection, limits, failure destination), which no emulator has.
//!
//! The template's mapping is deployed as it is; its configuration is read back, the emulator's own poller is switched off,
//! and this one runs in its place. One shard; `lanes` deliveries at once with the order of each item kept.

mod config;
mod decide;
mod destination;
mod faults;
mod lane;
mod reader;
mod removals;
mod server;
mod ttl;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub use self::config::{Mapping, Rules, Unsupported};
pub use self::faults::{Counts, Faults};
use self::removals::Removals;
use crate::emulator::{Api, ApiError};

const MAPPINGS: &str = "/2015-03-31/event-source-mappings/";

/// Why there is no mapping.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The emulator.
    #[error("the event source mapping could not be taken over: {0}")]
    Api(#[from] ApiError),
    /// Its configuration.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The template made none, or several.
    #[error("the deployed template has {0} event source mappings on the stream of {1}; exactly one was expected")]
    Count(usize, &'static str),
}

/// What reader, lanes and admin endpoint share.
#[derive(Debug)]
pub(crate) struct Shared {
    api: Api,
    mapping: Mapping,
    table: &'static str,
    faults: Mutex<Faults>,
    counts: Mutex<Counts>,
    removals: Mutex<Removals>,
    replay: Notify,
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn removals(&self) -> MutexGuard<'_, Removals> {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The poller while it runs. Dropping it stops it.
#[derive(Debug)]
pub struct Poller {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Poller {
    /// Takes over the one mapping of the stream of `table` from the emulator and begins to deliver.
    ///
    /// # Errors
    /// When there is none, or it can't be imitated.
    pub async fn take_over(api: &Api, table: &'static str) -> Result<Self, Error> {
        let listed = api.rest("lambda", Method::GET, MAPPINGS, String::new()).await?;
        let of_table = format!(":table/{table}/stream/");
        let listed: Vec<&Value> = listed["EventSourceMappings"].as_array().into_iter().flatten().collect();
        let ours = |m: &&&Value| m["EventSourceArn"].as_str().is_some_and(|arn| arn.contains(&of_table));
        let ours: Vec<&&Value> = listed.iter().filter(ours).collect();
        let [only] = ours.as_slice() else { return Err(Error::Count(ours.len(), table)) };
        let mapping = Mapping::parse(only)?;
        let path = format!("{MAPPINGS}{}", mapping.uuid);
        api.rest("lambda", Method::PUT, &path, json!({"Enabled": false}).to_string()).await?;
        tracing::info!(uuid = mapping.uuid, rules = ?mapping.rules, "the emulator's event source mapping is replaced by ours");
        let shared = Arc::new(Shared {
            api: api.clone(),
            mapping,
            table,
            faults: Mutex::default(),
            counts: Mutex::default(),
            removals: Mutex::default(),
            replay: Notify::new(),
        });
        Ok(Self { _tasks: reader::start(&shared), shared })
    }

    /// Faults, replay, TTL.
    pub fn router(&self) -> Router {
        server::router(Arc::clone(&self.shared))
    }
}

#[cfg(test)]
mod tests;
