//! The AWS clients, built once per process on one TLS stack (rustls on ring). Endpoints, region and credentials come from the
//! SDK's own environment variables.
//!
//! **Guarantee.** Every call ends, answered or not: a call that nobody answers would hold a look, and with it the whole sweep, until Lambda kills
//! the process.
//!
//! | | limit | of what |
//! |---|---|---|
//! | [`CONNECT`] | 1 s | a connection and its TLS; it is kept for the next calls |
//! | [`ATTEMPT`] | 2 s | one try: ten times the slowest hundredth of DynamoDB (120 ms), three times that of ECS's reads (600 ms) |
//! | [`CALL`] | 3 s | all tries of one call, two at most, with the pause between them |
//! | [`LAUNCH`] | 5 s | RunTask, one try: the slowest hundredth takes 3.5 s. Whether it started a task, the next look finds out with the same token |

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::time::Duration;

/// The longest time that a connection takes.
pub const CONNECT: Duration = Duration::from_secs(1);
/// The longest time of one try.
pub const ATTEMPT: Duration = Duration::from_secs(2);
/// The longest time of a call.
pub const CALL: Duration = Duration::from_secs(3);
/// The longest time of RunTask.
pub const LAUNCH: Duration = Duration::from_secs(5);
/// Tries of one call at most: the next look is the better retry.
const TRIES: u32 = 2;
/// The longest pause before the second try.
const PAUSE: Duration = Duration::from_millis(200);

/// Every client that the controller uses.
#[derive(Debug, Clone)]
pub struct Clients {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// EventBridge.
    pub eventbridge: aws_sdk_eventbridge::Client,
    /// Kinesis Video Streams, control plane.
    pub kinesisvideo: aws_sdk_kinesisvideo::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
}

impl Clients {
    /// Those of one configuration.
    #[must_use]
    pub fn of(config: &SdkConfig) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            eventbridge: aws_sdk_eventbridge::Client::new(config),
            kinesisvideo: aws_sdk_kinesisvideo::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
        }
    }
}

/// Builds them.
pub async fn build() -> Clients {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    Clients::of(&limited(aws_config::defaults(BehaviorVersion::latest()).http_client(http)).load().await)
}

/// The same configuration with the limits of time above.
#[must_use]
pub fn limited(loader: ConfigLoader) -> ConfigLoader {
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(PAUSE);
    loader.timeout_config(limits).retry_config(retries)
}

/// What is different for RunTask.
#[must_use]
pub(crate) fn of_a_launch() -> aws_sdk_ecs::config::Builder {
    let limits =
        TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(LAUNCH).operation_timeout(LAUNCH);
    aws_sdk_ecs::Config::builder()
        .timeout_config(limits.build())
        .retry_config(RetryConfig::standard().with_max_attempts(1))
}
