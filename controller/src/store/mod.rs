//! DynamoDB behind [`crate::ports::Sessions`] and [`crate::ports::Workers`].

mod item;
mod sessions;
mod workers;

pub use sessions::SessionsTable;
pub use workers::WorkersTable;

use crate::ports::PortError;
use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use std::error::Error;

fn aws<E: Error + 'static, R: std::fmt::Debug + 'static>(
    operation: &'static str,
) -> impl Fn(SdkError<E, R>) -> PortError {
    move |error| PortError::Aws { operation, detail: DisplayErrorContext(&error).to_string() }
}
