//! TTL: DynamoDB deletes expired rows "within a few days", so here nothing does unless it is asked to.

use serde_json::{Value, json};

use super::Shared;
use crate::ecs::now;
use crate::emulator::ApiError;

/// The attribute that the session service names for TTL, epoch seconds.
const EXPIRES_AT: &str = "expiresAt";

/// What came of a request to remove a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone; the stream will say that TTL did it.
    Removed,
    /// It is not there, or has not expired.
    Kept,
}

/// Removes a session's row as TTL does: when it has expired, or (`force`) as if it had.
pub async fn remove(shared: &Shared, session: &str, force: bool) -> Result<Removal, ApiError> {
    // Announced first: the record may be read before the answer to the delete is.
    shared.removals().expect(session);
    let limit = if force { i64::MAX } else { now().0 / 1_000 };
    let input = json!({
        "TableName": shared.table,
        "Key": {"sessionId": {"S": session}},
        "ConditionExpression": "attribute_exists(sessionId) AND #e < :now",
        "ExpressionAttributeNames": {"#e": EXPIRES_AT},
        "ExpressionAttributeValues": {":now": {"N": limit.to_string()}},
    });
    match shared.api.call("DynamoDB_20120810.DeleteItem", &input).await {
        Ok(_) => {
            tracing::info!(session, "a session row was removed as TTL does it");
            Ok(Removal::Removed)
        }
        Err(error) => {
            shared.removals().forget(session);
            match error {
                ApiError::Refused { code, .. } if code.contains("ConditionalCheckFailed") => Ok(Removal::Kept),
                ApiError::Refused { .. } | ApiError::Unreachable { .. } => Err(error),
            }
        }
    }
}

/// Removes every row that has expired; their ids.
pub async fn sweep(shared: &Shared) -> Result<Vec<String>, ApiError> {
    let input = json!({
        "TableName": shared.table,
        "FilterExpression": "#e < :now",
        "ExpressionAttributeNames": {"#e": EXPIRES_AT},
        "ExpressionAttributeValues": {":now": {"N": (now().0 / 1_000).to_string()}},
    });
    let expired = shared.api.call("DynamoDB_20120810.Scan", &input).await?;
    let mut removed = Vec::new();
    for row in expired["Items"].as_array().into_iter().flatten() {
        let Some(session) = row.pointer("/sessionId/S").and_then(Value::as_str) else { continue };
        if remove(shared, session, false).await? == Removal::Removed {
            removed.push(session.to_owned());
        }
    }
    Ok(removed)
}
