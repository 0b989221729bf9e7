//! Kinesis Video Streams behind [`crate::ports::Channels`].

use crate::ports::{Channels, PortError};
use crate::remedy::aws;
use schemas::ids::ChannelArn;

/// The signaling channels of the account.
#[derive(Debug, Clone)]
pub struct Kinesis {
    client: aws_sdk_kinesisvideo::Client,
}

impl Kinesis {
    /// Through this client.
    #[must_use]
    pub fn new(client: aws_sdk_kinesisvideo::Client) -> Self {
        Self { client }
    }
}

impl Channels for Kinesis {
    async fn delete(&self, arn: &ChannelArn) -> Result<(), PortError> {
        match self.client.delete_signaling_channel().channel_arn(arn.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => Ok(()),
            Err(error) => Err(aws("DeleteSignalingChannel")(error)),
        }
    }
}
