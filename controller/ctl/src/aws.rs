//! AWS clients over one rustls-on-ring HTTP client, and the names of one environment.

use crate::error::{NO_REGION, Place};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls;
use std::time::Duration;

/// The environment's clients and names.
#[derive(Debug, Clone)]
pub struct Aws {
    /// What the clients were made from.
    pub config: SdkConfig,
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Tasks.
    pub ecs: aws_sdk_ecs::Client,
    /// Who is asking.
    pub sts: aws_sdk_sts::Client,
    /// Quotas of the account.
    #[cfg(feature = "account")]
    pub quotas: aws_sdk_servicequotas::Client,
    /// Roles, and what they allow.
    #[cfg(feature = "account")]
    pub iam: aws_sdk_iam::Client,
    /// The queue of timers.
    #[cfg(feature = "account")]
    pub sqs: aws_sdk_sqs::Client,
    /// Signaling channels.
    pub kinesisvideo: aws_sdk_kinesisvideo::Client,
    /// Languages that can be translated.
    pub translate: aws_sdk_translate::Client,
    /// For sentences about failures.
    pub place: Place,
}

/// Reads region, endpoints and credentials from the environment as every AWS tool does.
pub async fn connect(env: &str, region: Option<&str>) -> Aws {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let timeouts = aws_config::timeout::TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(20))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    let region = config
        .region()
        .filter(|region| !region.as_ref().is_empty())
        .map_or_else(|| NO_REGION.to_owned(), ToString::to_string);
    Aws {
        dynamodb: aws_sdk_dynamodb::Client::new(&config),
        ecs: aws_sdk_ecs::Client::new(&config),
        sts: aws_sdk_sts::Client::new(&config),
        #[cfg(feature = "account")]
        quotas: aws_sdk_servicequotas::Client::new(&config),
        #[cfg(feature = "account")]
        iam: aws_sdk_iam::Client::new(&config),
        #[cfg(feature = "account")]
        sqs: aws_sdk_sqs::Client::new(&config),
        kinesisvideo: aws_sdk_kinesisvideo::Client::new(&config),
        translate: aws_sdk_translate::Client::new(&config),
        place: Place { env: env.to_owned(), region },
        config,
    }
}

impl Aws {
    /// Our table.
    #[must_use]
    pub fn workers_table(&self) -> String {
        format!("SessionWorkers-{}", self.place.env)
    }
    /// Their table of sessions.
    #[must_use]
    pub fn sessions_table(&self) -> String {
        format!("Sessions-{}", self.place.env)
    }
    /// Their table of connections.
    #[must_use]
    pub fn connections_table(&self) -> String {
        format!("Connections-{}", self.place.env)
    }
    /// The cluster that workers run in.
    #[must_use]
    pub fn cluster(&self) -> String {
        format!("session-workers-{}", self.place.env)
    }
    /// The queue of looks that cannot wait for the next tick.
    #[must_use]
    pub fn timer_queue(&self) -> String {
        format!("session-timers-{}", self.place.env)
    }
    /// The family of the workers' task definitions.
    #[must_use]
    pub fn family(&self) -> String {
        format!("session-worker-{}", self.place.env)
    }
}
