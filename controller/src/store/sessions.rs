//! The session service's table, read only and only the attributes that the run rule needs.

use super::item::{Item, session_attributes};
use crate::ports::{Page, PortError, Sessions};
use crate::remedy::aws;
use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::SessionId;
use schemas::session::{SessionRecord, read_session};
use schemas::table::sessions::{READ, SESSION_ID};
use std::collections::HashMap;

/// `Sessions-{env}`.
#[derive(Debug, Clone)]
pub struct SessionsTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl SessionsTable {
    /// The table of this name.
    #[must_use]
    pub fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Sessions for SessionsTable {
    async fn read(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.key(SESSION_ID, AttributeValue::S(id.to_string()));
        let request = request.projection_expression(projection()).set_expression_attribute_names(Some(names()));
        let item = request.send().await.map_err(aws("GetItem on the sessions table"))?.item;
        Ok(item.map(|item| read_session(&session_attributes(&item))))
    }

    async fn scan(&self, after: Option<String>) -> Result<Page<(SessionId, SessionRecord), String>, PortError> {
        let start = after.map(|key| Item::from([(SESSION_ID.to_owned(), AttributeValue::S(key))]));
        let request = self.client.scan().table_name(&self.table).set_exclusive_start_key(start);
        let request = request.projection_expression(projection()).set_expression_attribute_names(Some(names()));
        let page = request.send().await.map_err(aws("Scan of the sessions table"))?;
        let items = page.items().iter().filter_map(|item| {
            let row = session_attributes(item);
            let id = SessionId::try_new(row.get(SESSION_ID)?.as_str()?).ok()?;
            Some((id, read_session(&row)))
        });
        let next = page.last_evaluated_key().and_then(|key| key.get(SESSION_ID)?.as_s().ok().cloned());
        Ok(Page { items: items.collect(), next })
    }
}

fn projection() -> String {
    let places: Vec<String> = (0..READ.len()).map(|i| format!("#a{i}")).collect();
    places.join(", ")
}

fn names() -> HashMap<String, String> {
    READ.iter().enumerate().map(|(i, name)| (format!("#a{i}"), (*name).to_owned())).collect()
}
