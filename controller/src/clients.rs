//! The AWS clients, built once per process on one TLS stack (rustls on ring). Endpoints, region and credentials come from the
//! SDK's own environment variables.

use aws_config::BehaviorVersion;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

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
}

/// Builds them.
pub async fn build() -> Clients {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    Clients {
        dynamodb: aws_sdk_dynamodb::Client::new(&config),
        ecs: aws_sdk_ecs::Client::new(&config),
        eventbridge: aws_sdk_eventbridge::Client::new(&config),
        kinesisvideo: aws_sdk_kinesisvideo::Client::new(&config),
    }
}
