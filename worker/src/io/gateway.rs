//! PostToConnection. No retries here: whether a message is still worth sending is the engine's decision.

use super::aws::explain_call;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use schemas::ids::ConnectionId;
use std::time::Duration;
use worker_core::input::PostOutcome;

/// Longest time of one post; the usual one takes 5 to 20 ms.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts to the connections of the session service's WebSocket API.
#[derive(Debug, Clone)]
pub struct Gateway(Client);

impl Gateway {
    /// `endpoint` is the management endpoint with its stage.
    #[must_use]
    pub fn new(sdk: &SdkConfig, endpoint: &str) -> Self {
        let config = aws_sdk_apigatewaymanagement::config::Builder::from(sdk)
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
            .build();
        Self(Client::from_conf(config))
    }

    /// Posts and says what became of it.
    pub async fn post(&self, connection: &ConnectionId, data: String) -> PostOutcome {
        let sent = self.0.post_to_connection().connection_id(connection.as_str()).data(Blob::new(data)).send().await;
        match sent {
            Ok(_) => PostOutcome::Delivered,
            Err(error) => {
                let status = error.raw_response().map(|r| r.status().as_u16());
                outcome(status, || explain_call(&error))
            }
        }
    }
}

/// What a refusal means, by its HTTP status (API Gateway developer guide, "Use @connections commands").
fn outcome(status: Option<u16>, detail: impl FnOnce() -> String) -> PostOutcome {
    match status {
        Some(410) => PostOutcome::Gone,
        Some(429) => PostOutcome::Throttled,
        Some(_) | None => PostOutcome::Failed(detail()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_post_is_known_by_its_status() {
        let failed = || PostOutcome::Failed("why".into());
        let table = [
            (Some(410), PostOutcome::Gone),
            (Some(429), PostOutcome::Throttled),
            (Some(403), failed()),
            (Some(413), failed()),
            (Some(500), failed()),
            (None, failed()),
        ];
        for (status, expected) in table {
            assert_eq!(outcome(status, || "why".into()), expected, "{status:?}");
        }
    }
}
