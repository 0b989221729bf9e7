//! SDK configuration: rustls on ring everywhere, endpoints and credentials as the SDK reads them from the environment.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_smithy_http_client::{Builder, tls};
use std::error::Error;

/// A fresh HTTP client with a connection pool of its own.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    Builder::new().tls_provider(ring).build_https()
}

/// The configuration that all clients share.
pub async fn load() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).http_client(http_client()).load().await
}

/// An error with its causes in one line.
#[must_use]
pub fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A failed call with its causes, and with what was answered where the SDK cannot read that.
#[must_use]
pub fn explain_call<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let text = explain(error);
    let SdkError::ResponseError(response) = error else { return text };
    let body = response.raw().body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let begin: String = body.chars().take(200).collect();
    format!("{text}: HTTP {} {begin}", response.raw().status())
}
