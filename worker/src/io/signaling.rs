//! The KVS control plane, and the viewer's signaling connection.
//!
//! The row holds the endpoints of the MASTER; the viewer's are asked for here. Relay credentials live five minutes, so they are
//! fetched for every new peer.

use super::aws::explain;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_kinesisvideo::types::{ChannelProtocol, ChannelRole, SingleMasterChannelEndpointConfiguration};
use kvs_signaling::{ConnectError, Connection, Event, Ignored, Outgoing, Role, connect, presign};
use schemas::ids::ChannelArn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use worker_core::input::SignalingEvent;

/// Longest time of a control-plane call, retries included.
const PATIENCE: Duration = Duration::from_secs(10);

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceServer {
    /// `stun:…` or `turn:…` URLs.
    pub urls: Vec<String>,
    /// Empty for STUN.
    pub username: String,
    /// Empty for STUN.
    pub credential: String,
}

/// Where the channel is to be reached as a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// For signaling.
    pub wss: String,
    /// For the relay credentials.
    pub https: String,
}

/// Why the channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The channel does not exist.
    #[error("the signaling channel is gone: {0}; the session was deleted or replaced")]
    Gone(String),
    /// Everything else; another try may do better.
    #[error("the signaling channel cannot be used: {0}")]
    Unavailable(String),
}

impl ChannelError {
    /// Whether the channel does not exist.
    #[must_use]
    pub fn gone(&self) -> bool {
        match self {
            Self::Gone(_) => true,
            Self::Unavailable(_) => false,
        }
    }
}

/// One session's channel, seen as a viewer.
#[derive(Debug, Clone)]
pub struct Channel {
    sdk: SdkConfig,
    client: aws_sdk_kinesisvideo::Client,
    arn: ChannelArn,
    client_id: String,
    endpoints: Arc<Mutex<Option<Endpoints>>>,
}

impl Channel {
    /// `client_id` is fixed per session, so that a newer worker displaces an older one.
    #[must_use]
    pub fn new(sdk: &SdkConfig, arn: ChannelArn, client_id: String) -> Self {
        let config = aws_sdk_kinesisvideo::config::Builder::from(sdk)
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
            .build();
        let client = aws_sdk_kinesisvideo::Client::from_conf(config);
        Self { sdk: sdk.clone(), client, arn, client_id, endpoints: Arc::default() }
    }

    /// Asks for the endpoints of the viewer.
    ///
    /// # Errors
    /// [`ChannelError`], by whether the channel exists.
    pub async fn find(&self) -> Result<Endpoints, ChannelError> {
        let wanted = SingleMasterChannelEndpointConfiguration::builder()
            .protocols(ChannelProtocol::Wss)
            .protocols(ChannelProtocol::Https)
            .role(ChannelRole::Viewer)
            .build();
        let request = self.client.get_signaling_channel_endpoint().channel_arn(self.arn.as_str());
        let answer = request.single_master_channel_endpoint_configuration(wanted).send().await.map_err(|error| {
            let gone = error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception());
            let detail = explain(&error);
            if gone { ChannelError::Gone(detail) } else { ChannelError::Unavailable(detail) }
        })?;
        let endpoint = |protocol: &ChannelProtocol| {
            let found = answer.resource_endpoint_list().iter().find(|e| e.protocol() == Some(protocol));
            let url = found.and_then(|e| e.resource_endpoint()).map(str::to_owned);
            url.ok_or_else(|| ChannelError::Unavailable(format!("no {protocol} endpoint was given")))
        };
        let endpoints = Endpoints { wss: endpoint(&ChannelProtocol::Wss)?, https: endpoint(&ChannelProtocol::Https)? };
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = Some(endpoints.clone());
        Ok(endpoints)
    }

    /// Joins the channel as a viewer.
    ///
    /// # Errors
    /// [`ChannelError`], by whether the channel exists.
    pub async fn join(&self) -> Result<Connection, ChannelError> {
        let unavailable = |e: &dyn std::fmt::Display| ChannelError::Unavailable(e.to_string());
        let endpoints = self.find().await?;
        let provider = self.sdk.credentials_provider();
        let provider = provider.ok_or_else(|| unavailable(&"no AWS credentials are configured"))?;
        let credentials = provider.provide_credentials().await.map_err(|e| unavailable(&explain(&e)))?;
        let role = Role::Viewer { client_id: self.client_id.clone() };
        let url = presign(&endpoints.wss, &self.arn, &role, self.arn.region(), &credentials, SystemTime::now())
            .map_err(|e| unavailable(&e))?;
        connect(&url).await.map_err(|error| match error {
            ConnectError::Gone(_) => ChannelError::Gone(error.to_string()),
            ConnectError::Forbidden(_) | ConnectError::Refused(_) | ConnectError::Unreachable(_) => unavailable(&error),
        })
    }

    /// Fresh relay servers. Without any, candidates of the host and of STUN are still there.
    ///
    /// # Errors
    /// [`ChannelError`], by whether the channel exists.
    pub async fn ice_servers(&self) -> Result<Vec<IceServer>, ChannelError> {
        let known = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let endpoints = match known {
            Some(endpoints) => endpoints,
            None => self.find().await?,
        };
        let config = aws_sdk_kinesisvideosignaling::config::Builder::from(&self.sdk)
            .endpoint_url(endpoints.https)
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
            .build();
        let client = aws_sdk_kinesisvideosignaling::Client::from_conf(config);
        let request = client.get_ice_server_config().channel_arn(self.arn.as_str()).client_id(&self.client_id);
        let answer = request.send().await.map_err(|error| {
            let gone = error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception());
            let detail = explain(&error);
            if gone { ChannelError::Gone(detail) } else { ChannelError::Unavailable(detail) }
        })?;
        Ok(answer
            .ice_server_list()
            .iter()
            .map(|server| IceServer {
                urls: server.uris().to_vec(),
                username: server.username().unwrap_or_default().to_owned(),
                credential: server.password().unwrap_or_default().to_owned(),
            })
            .collect())
    }

    /// The STUN server of the channel's region (KVS WebRTC developer guide). TURN servers come from [`Channel::ice_servers`].
    #[must_use]
    pub fn stun_server(&self) -> IceServer {
        let url = format!("stun:stun.kinesisvideo.{}.amazonaws.com:443", self.arn.region());
        IceServer { urls: vec![url], ..IceServer::default() }
    }
}

/// A signaling connection in the making or open. Dropping it closes it.
#[derive(Debug)]
pub struct Signaling {
    outgoing: mpsc::UnboundedSender<Outgoing>,
    task: tokio::task::JoinHandle<()>,
}

impl Signaling {
    /// Sends when the connection is open; what cannot be sent is reported as refused.
    pub fn send(&self, message: Outgoing) {
        // A connection that has ended says so itself.
        let _ = self.outgoing.send(message);
    }
}

impl Drop for Signaling {
    fn drop(&mut self) {
        // The connection's own task says goodbye when its handle goes.
        self.task.abort();
    }
}

/// Joins the channel and reports what happens there.
pub fn open(channel: Channel, report: impl Fn(SignalingEvent) + Send + Sync + 'static) -> Signaling {
    let (outgoing, mut messages) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        match channel.join().await {
            Ok(connection) => {
                report(SignalingEvent::Connected);
                converse(&mut Heard { connection, offers: 0 }, &mut messages, &report).await;
            }
            Err(error) => report(SignalingEvent::Closed { gone: error.gone(), detail: error.to_string() }),
        }
    });
    Signaling { outgoing, task }
}

/// A connection that tells at its end what it has let go.
struct Heard {
    connection: Connection,
    /// Of a master: it has nothing to offer to a viewer.
    offers: u64,
}

impl Heard {
    /// What the engine hears of an event. A viewer is offered something only by a channel in ingestion mode, or by a master that is none; it is
    /// said once, because such a master may say it without end.
    fn translate(&mut self, event: Event) -> Option<SignalingEvent> {
        if matches!(event, Event::Offer { .. }) {
            if self.offers == 0 {
                tracing::warn!(
                    event = "offer_ignored",
                    "the master offers; it should answer: the channel may be in ingestion mode, or the page is made for another service"
                );
            }
            self.offers += 1;
        }
        translate(event)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let (ignored, offers) = (self.connection.ignored(), self.offers);
        if ignored != Ignored::default() || offers > 0 {
            let Ignored { unknown, malformed, oversized } = ignored;
            tracing::warn!(event = "signaling_ignored", unknown, malformed, oversized, offers);
        }
    }
}

async fn converse(
    heard: &mut Heard,
    messages: &mut mpsc::UnboundedReceiver<Outgoing>,
    report: &(impl Fn(SignalingEvent) + Send + Sync),
) {
    loop {
        tokio::select! {
            event = heard.connection.next() => match event {
                Some(event) => {
                    if let Some(event) = heard.translate(event) {
                        report(event);
                    }
                }
                None => return,
            },
            Some(message) = messages.recv() => {
                if let Err(error) = heard.connection.send(&message) {
                    report(SignalingEvent::Refused(error.to_string()));
                }
            }
        }
    }
}

/// What the engine hears of an event.
fn translate(event: Event) -> Option<SignalingEvent> {
    Some(match event {
        Event::Answer { sdp, .. } => SignalingEvent::Answer(sdp),
        Event::Candidate { json, .. } => SignalingEvent::Candidate(json),
        Event::GoAway => SignalingEvent::GoAway,
        Event::ReconnectIceServer => SignalingEvent::ReconnectIceServer,
        Event::Refused(status) => {
            SignalingEvent::Refused(format!("{} {} {}", status.status_code, status.error_type, status.description))
        }
        Event::Closed { detail } => SignalingEvent::Closed { detail, gone: false },
        Event::Offer { .. } => return None,
    })
}
