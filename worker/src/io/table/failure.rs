//! Why a table cannot be used, by what it says of the session.

use super::LOOKS;
use crate::io::aws::explain;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use schemas::condition::{Condition, Told};
use worker_core::input::RowFailure;

/// Why a table cannot be used this time.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The table does not answer: a time-out, a fault of the service or of the network, throttling.
    #[error("DynamoDB does not answer: {0}")]
    Outage(String),
    /// The call failed otherwise.
    #[error("DynamoDB: {0}")]
    Call(String),
    /// The row cannot be read.
    #[error("the row of the session cannot be read: {0}; was it written by another version?")]
    Malformed(String),
    /// The row changed under every try.
    #[error("the row changed {LOOKS} times while it was written; the next heartbeat tries again")]
    Busy,
}

impl From<TableError> for RowFailure {
    fn from(error: TableError) -> Self {
        let detail = error.to_string();
        match error {
            TableError::Outage(_) => Self::Outage(detail),
            TableError::Call(_) | TableError::Malformed(_) | TableError::Busy => Self::Refused(detail),
        }
    }
}

/// What a failed call says of the table.
pub(super) fn failed<E>(error: &SdkError<E, HttpResponse>) -> TableError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let text = explain(error);
    if is_outage(error) { TableError::Outage(text) } else { TableError::Call(text) }
}

/// Whether the table did not answer, or only that it cannot.
fn is_outage<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_timeout() || failure.is_io(),
        SdkError::ResponseError(answer) => answer.raw().status().is_server_error(),
        SdkError::ServiceError(answer) => answer.raw().status().is_server_error() || is_throttled(answer.err()),
        // Never sent, or of a kind that this SDK does not have yet.
        SdkError::ConstructionFailure(_) | _ => false,
    }
}

/// A throttle is no server error (DynamoDB's error handling).
fn is_throttled(error: &impl ProvideErrorMetadata) -> bool {
    let told = Told::new(error.code().unwrap_or_default(), error.message().unwrap_or_default());
    told.condition() == Condition::Throttled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write that is answered so.
    fn answered(status: u16, code: &str) -> RowFailure {
        use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
        let raw = HttpResponse::new(status.try_into().unwrap(), "".into());
        let meta = aws_sdk_dynamodb::error::ErrorMetadata::builder().code(code).build();
        failed(&SdkError::service_error(UpdateItemError::generic(meta), raw)).into()
    }

    #[test]
    fn only_what_tells_nothing_of_the_session_is_an_outage() {
        for (status, code) in [
            (500, "InternalServerError"),
            (503, "ServiceUnavailable"),
            (400, "ProvisionedThroughputExceededException"),
            (400, "RequestLimitExceeded"),
            (400, "ThrottlingException"),
        ] {
            assert!(matches!(answered(status, code), RowFailure::Outage(_)), "{code}");
        }
        for code in
            ["AccessDeniedException", "ValidationException", "ResourceNotFoundException", "UnrecognizedClientException"]
        {
            assert!(matches!(answered(400, code), RowFailure::Refused(_)), "{code}");
        }
        let silent: SdkError<aws_sdk_dynamodb::operation::update_item::UpdateItemError, HttpResponse> =
            SdkError::timeout_error("no answer within 4 s");
        assert!(matches!(RowFailure::from(failed(&silent)), RowFailure::Outage(_)));
        assert!(matches!(RowFailure::from(TableError::Busy), RowFailure::Refused(_)), "the table answers");
    }
}
