//! The messages of a KVS signaling channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Client to service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToService {
    /// `SDP_OFFER`, `SDP_ANSWER` or `ICE_CANDIDATE`.
    pub action: String,
    /// Whom it is for: a viewer's client id when a master sends, absent when a viewer sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_client_id: Option<String>,
    /// Base64 of a JSON text.
    pub message_payload: String,
    /// Only with it does the service answer a failure with `STATUS_RESPONSE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// Service to client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FromService {
    /// `SDP_OFFER`, `SDP_ANSWER`, `ICE_CANDIDATE`, `GO_AWAY`, `RECONNECT_ICE_SERVER`, `STATUS_RESPONSE`.
    pub message_type: String,
    /// Who sent it; empty or absent for the master.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_client_id: Option<String>,
    /// Base64 of a JSON text; absent for `GO_AWAY` and `RECONNECT_ICE_SERVER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_payload: Option<String>,
    /// The failure of the message with that correlation id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_response: Option<StatusResponse>,
}

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusResponse {
    /// Of the message that was refused.
    pub correlation_id: String,
    /// For example `InvalidArgumentException`.
    pub error_type: String,
    /// For example `400`.
    pub status_code: String,
    /// For people.
    pub description: String,
}
