//! Kinesis Video Streams: the control plane of signaling channels, and signaling itself.
//!
//! Three ports, as AWS has three hosts: the control plane (the listener given), and one for masters and one for
//! viewers, which [`serve`] opens on free ports of the same address. `POST /_local/faults` on the first breaks things,
//! `POST /_local/network/faults` makes the media path bad ([`crate::network`]).

mod channel;
mod control;
mod faults;
mod feed;
pub mod mkv;
mod put_media;
pub mod relay;
mod service;
mod sigv4;
mod socket;
pub mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::network::Roads;
pub use crate::standin::Running;

/// The clocks and quotas of signaling; [`Limits::default`] is AWS's (KVS WebRTC quotas).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest life of a connection (1 h).
    pub connection: Duration,
    /// How long before that `GO_AWAY` is sent (1 min).
    pub grace: Duration,
    /// A connection without traffic is closed after so long (10 min).
    pub idle: Duration,
    /// Whether pings count as traffic. AWS does not say.
    pub pings_count: bool,
    /// Largest payload, bytes (10 k).
    pub payload: usize,
    /// Viewers of one channel (10).
    pub viewers: usize,
    /// Connects per second, channel and role (3).
    pub connects: usize,
    /// SDP messages per second and connection (5).
    pub descriptions: usize,
    /// ICE candidates per second and connection (20).
    pub candidates: usize,
    /// `DescribeSignalingChannel` and `GetIceServerConfig` calls per second and channel (5).
    pub calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connection: schemas::limits::SIGNALING_CONNECTION,
            grace: Duration::from_secs(60),
            idle: schemas::limits::SIGNALING_IDLE,
            pings_count: true,
            payload: schemas::limits::SIGNALING_PAYLOAD_BYTES,
            viewers: 10,
            connects: 3,
            descriptions: 5,
            candidates: 20,
            calls: 5,
        }
    }
}

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct KvsConfig {
    /// Region of the channel ARNs and of the signatures.
    pub region: String,
    /// Account of the channel ARNs, 12 digits.
    pub account: String,
    /// The only access key that is let in.
    pub access_key_id: String,
    /// Its secret: presigned queries are recomputed with it.
    pub secret_access_key: String,
    /// The relay that `GetIceServerConfig` hands out; none on loopback, where nobody needs one.
    pub relay: Option<relay::Relay>,
    /// What stands between speakers and viewers on loopback; `None` leaves candidates as they are.
    pub roads: Option<Arc<Roads>>,
    /// Clocks and quotas.
    pub limits: Limits,
}

impl KvsConfig {
    /// AWS's limits, no relay, nothing between.
    pub fn new(region: &str, account: &str, access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            relay: None,
            roads: None,
            limits: Limits::default(),
        }
    }
}

/// Why the stand-in could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No port for signaling.
    #[error("no free loopback port for KVS signaling; free some ports or close other programs: {0}")]
    Listen(#[from] std::io::Error),
}

/// Serves the control plane on `listener` and signaling on two free ports of the same address.
///
/// # Errors
/// When no port is free for signaling.
pub async fn serve(listener: TcpListener, config: KvsConfig) -> Result<Running, Error> {
    serve_with(listener, config, BTreeMap::new()).await
}

/// The same, with streams by ARN for `GetMedia`.
///
/// # Errors
/// When no port is free for signaling.
pub async fn serve_with(
    listener: TcpListener,
    config: KvsConfig,
    streams: BTreeMap<String, stream::Feed>,
) -> Result<Running, Error> {
    let address = listener.local_addr()?;
    let masters = TcpListener::bind((address.ip(), 0)).await?;
    let viewers = TcpListener::bind((address.ip(), 0)).await?;
    let service = Arc::new(service::Service::new(config, masters.local_addr()?, viewers.local_addr()?));
    let entry = |(arn, feed): (String, stream::Feed)| {
        let entry = stream::Entry::new(&arn, feed);
        (arn, entry)
    };
    service.with(|state| state.streams = streams.into_iter().map(entry).collect());
    let mut running = Running::new(address);
    tracing::info!(url = running.url(), masters = %service.masters, viewers = %service.viewers, "KVS stands in");
    for (listener, for_masters) in [(masters, true), (viewers, false)] {
        let door = socket::Door { service: service.clone(), masters: for_masters, stop: running.stop_signal() };
        let signaling = Router::new().route("/", get(socket::connect)).with_state(door);
        running.serve(listener, signaling.merge(control::ice_router(service.clone())));
    }
    running.serve(listener, control::router(service));
    Ok(running)
}
