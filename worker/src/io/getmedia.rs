//! GetMedia: a KVS stream, read as it is produced. Opens, passes bytes on, and says by what kind of error it ended.

use super::aws::explain;
use crate::ingest::Start;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::StalledStreamProtectionConfig;
use aws_sdk_kinesisvideo::operation::get_data_endpoint::GetDataEndpointError;
use aws_sdk_kinesisvideo::types::ApiName;
use aws_sdk_kinesisvideomedia::operation::get_media::GetMediaError;
use aws_sdk_kinesisvideomedia::operation::get_media::GetMediaOutput;
use aws_sdk_kinesisvideomedia::primitives::DateTime;
use aws_sdk_kinesisvideomedia::types::{StartSelector, StartSelectorType};
use bytes::Bytes;
use schemas::ids::StreamArn;
use std::time::Duration;
use worker_core::input::{MediaStreamEnd, MediaStreamEvent};

/// Longest time until a call is answered, retries included. What is streamed afterwards has no end.
const PATIENCE: Duration = Duration::from_secs(10);

/// One session's stream.
#[derive(Debug, Clone)]
pub struct MediaStream {
    sdk: SdkConfig,
    client: aws_sdk_kinesisvideo::Client,
    arn: StreamArn,
}

/// What a connection says.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaMessage {
    /// For the engine.
    Event(MediaStreamEvent),
    /// What came.
    Bytes(Bytes),
}

/// A connection in the making or open. Dropping it closes it.
#[derive(Debug)]
pub struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl MediaStream {
    /// The stream by its ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, arn: StreamArn) -> Self {
        let config = aws_sdk_kinesisvideo::config::Builder::from(sdk).timeout_config(patience()).build();
        Self { sdk: sdk.clone(), client: aws_sdk_kinesisvideo::Client::from_conf(config), arn }
    }

    /// Opens the stream there and reports what comes.
    #[must_use]
    pub fn open(&self, start: Start, report: impl Fn(MediaMessage) + Send + Sync + 'static) -> Connection {
        let stream = self.clone();
        Connection(tokio::spawn(async move {
            let end = match stream.connect(&start).await {
                Ok(output) => {
                    report(MediaMessage::Event(MediaStreamEvent::Opened));
                    read(output, &report).await
                }
                Err(end) => end,
            };
            report(MediaMessage::Event(MediaStreamEvent::Closed(end)));
        }))
    }

    async fn connect(&self, start: &Start) -> Result<GetMediaOutput, MediaStreamEnd> {
        // An endpoint is good for some 45 minutes, a connection may last longer: each connection asks anew.
        let ask = self.client.get_data_endpoint().stream_arn(self.arn.as_str()).api_name(ApiName::GetMedia);
        let answer = ask.send().await.map_err(|error| {
            let detail = format!("GetDataEndpoint: {}", explain(&error));
            endpoint_end(error.as_service_error(), detail)
        })?;
        let endpoint =
            answer.data_endpoint().ok_or_else(|| MediaStreamEnd::Fault("no data endpoint was given".into()))?;
        let config = aws_sdk_kinesisvideomedia::config::Builder::from(&self.sdk)
            .endpoint_url(endpoint)
            .timeout_config(patience())
            // A producer that pauses sends nothing, which is no fault of the connection.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let client = aws_sdk_kinesisvideomedia::Client::from_conf(config);
        let selector = selector(start).map_err(|error| MediaStreamEnd::Fault(error.to_string()))?;
        let ask = client.get_media().stream_arn(self.arn.as_str()).start_selector(selector);
        ask.send().await.map_err(|error| {
            let detail = format!("GetMedia: {}", explain(&error));
            media_end(error.as_service_error(), start, detail)
        })
    }
}

fn patience() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(PATIENCE).build()
}

fn selector(start: &Start) -> Result<StartSelector, aws_sdk_kinesisvideomedia::error::BuildError> {
    let selector = StartSelector::builder();
    match start {
        Start::Now => selector.start_selector_type(StartSelectorType::Now),
        Start::Token(token) => {
            selector.start_selector_type(StartSelectorType::ContinuationToken).continuation_token(token)
        }
        Start::Server(ms) => {
            selector.start_selector_type(StartSelectorType::ServerTimestamp).start_timestamp(DateTime::from_millis(*ms))
        }
    }
    .build()
}

async fn read(mut output: GetMediaOutput, report: &(impl Fn(MediaMessage) + Send + Sync)) -> MediaStreamEnd {
    loop {
        match output.payload.next().await {
            Some(Ok(bytes)) => report(MediaMessage::Bytes(bytes)),
            Some(Err(error)) => return MediaStreamEnd::Fault(explain(&error)),
            None => return MediaStreamEnd::Clean,
        }
    }
}

fn endpoint_end(error: Option<&GetDataEndpointError>, detail: String) -> MediaStreamEnd {
    match error {
        Some(e) if e.is_resource_not_found_exception() => MediaStreamEnd::Gone(detail),
        Some(e) if e.is_client_limit_exceeded_exception() => MediaStreamEnd::Busy(detail),
        Some(e) if e.is_not_authorized_exception() || e.is_invalid_argument_exception() => {
            MediaStreamEnd::Refused(format!("{detail}; the task role needs kinesisvideo:GetDataEndpoint on the stream"))
        }
        Some(_) | None => MediaStreamEnd::Fault(detail),
    }
}

fn media_end(error: Option<&GetMediaError>, start: &Start, detail: String) -> MediaStreamEnd {
    match error {
        Some(e) if e.is_resource_not_found_exception() => MediaStreamEnd::Gone(detail),
        Some(e) if e.is_connection_limit_exceeded_exception() => {
            MediaStreamEnd::Busy(format!("{detail}; a stream allows three readers"))
        }
        Some(e) if e.is_client_limit_exceeded_exception() => {
            MediaStreamEnd::Busy(format!("{detail}; a stream allows five openings a second"))
        }
        Some(e) if e.is_invalid_argument_exception() && *start != Start::Now => MediaStreamEnd::PlaceLost(detail),
        Some(e) if e.is_not_authorized_exception() || e.is_invalid_argument_exception() => {
            MediaStreamEnd::Refused(format!("{detail}; the task role needs kinesisvideo:GetMedia on the stream"))
        }
        Some(_) | None => MediaStreamEnd::Fault(detail),
    }
}

/// What an error code among the fragments means (GetMedia API reference).
#[must_use]
pub fn end_of_code(code: u32) -> MediaStreamEnd {
    match code {
        4_000 => MediaStreamEnd::PlaceLost("4000: the fragment is not there any more".into()),
        4_500..=4_506 => MediaStreamEnd::Refused(format!(
            "{code}: the stream's KMS key cannot be used; let the task role decrypt with it"
        )),
        3_002 => MediaStreamEnd::Fault("3002: the service could not write".into()),
        5_000 => MediaStreamEnd::Fault("5000: internal error of the service".into()),
        other => MediaStreamEnd::Fault(format!("{other}: an error that is not documented")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_lost_and_a_key_that_is_refused_are_not_faults_of_the_network() {
        assert!(matches!(end_of_code(4_000), MediaStreamEnd::PlaceLost(_)));
        assert!(matches!(end_of_code(4_501), MediaStreamEnd::Refused(why) if why.contains("KMS")));
        assert!(matches!(end_of_code(5_000), MediaStreamEnd::Fault(_)));
    }
}
