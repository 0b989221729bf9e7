//! The record of the versions, which the controllers share.

use crate::aws::Aws;
use crate::error::{CtlError, refused};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::rollout::{Rollout, Write};
use schemas::table::workers::{self, ADMISSION, CONTROLLERS, VERSIONS, VERSIONS_REVISION};

/// What is known of the versions, and the lock of that: 0 when nothing was ever written.
///
/// # Errors
/// [`CtlError::Refused`] when the table cannot be read, or the record.
pub async fn read(aws: &Aws) -> Result<(Rollout, i64), CtlError> {
    let table = aws.workers_table();
    let request = aws.dynamodb.get_item().table_name(&table).consistent_read(true);
    let request = request
        .key(workers::SESSION_ID, AttributeValue::S(CONTROLLERS.into()))
        .key(workers::RECORD, AttributeValue::S(ADMISSION.into()));
    let answer = request.send().await.map_err(|e| refused(&format!("read the table {table}"), &aws.place, &e))?;
    let item = answer.item.unwrap_or_default();
    let revision = item.get(VERSIONS_REVISION).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0);
    let text = item.get(VERSIONS).and_then(|value| value.as_s().ok());
    let known = text.map_or_else(|| Ok(Rollout::default()), |text| serde_json::from_str(text));
    let unreadable = |e| CtlError::Refused(format!("read what is known of the versions in {table}: {e}"));
    Ok((known.map_err(unreadable)?, revision))
}

/// Writes it; false when somebody has written since.
///
/// # Errors
/// [`CtlError::Refused`] when the table refuses it.
pub async fn write(aws: &Aws, known: &Rollout, read: i64) -> Result<bool, CtlError> {
    let table = aws.workers_table();
    let unwritable = |e: String| CtlError::Refused(format!("write what is known of the versions: {e}"));
    let write = Write::of(known, read).map_err(|e| unwritable(e.to_string()))?;
    let values = serde_dynamo::to_item(&write).map_err(|e| unwritable(e.to_string()))?;
    let names = Write::NAMES.map(|(place, name)| (place.to_owned(), name.to_owned()));
    let update = aws
        .dynamodb
        .update_item()
        .table_name(&table)
        .key(workers::SESSION_ID, AttributeValue::S(CONTROLLERS.into()))
        .key(workers::RECORD, AttributeValue::S(ADMISSION.into()))
        .update_expression(Write::UPDATE)
        .condition_expression(write.condition())
        .set_expression_attribute_names(Some(names.into()))
        .set_expression_attribute_values(Some(values));
    match update.send().await {
        Ok(_) => Ok(true),
        Err(e) if e.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => Ok(false),
        Err(e) => Err(refused(&format!("write to the table {table}"), &aws.place, &e)),
    }
}
