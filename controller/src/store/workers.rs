//! Our table. Every write is conditional, so that a late writer never undoes a newer word.

use super::item::{self, Item};
use super::open::Which;
use crate::config::OpenIndex;
use crate::ports::{Note, OpenRow, Page, PortError, Workers, Written};
use crate::remedy::aws;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use controller_core::action::RowWrite;
use controller_core::model::Strike;
use schemas::ids::{SessionId, TaskArn, Timestamp};
use schemas::table::workers::{
    CURRENT, DECISION, DECISION_JSON, GENERATION, NEXT_LOOK_AT, OPEN, RECORD, REVISION, SESSION_ID, SHARD, STRIKE,
    STRUCK_AT, TTL, open_shard, step as record_of_step, strike,
};
use schemas::worker::{Step, WorkerRow};
use update::Update;

mod update;

/// `SessionWorkers-{env}`.
#[derive(Debug, Clone)]
pub struct WorkersTable {
    pub(super) client: aws_sdk_dynamodb::Client,
    pub(super) table: String,
    pub(super) index: OpenIndex,
    /// What this process is called in leases.
    pub(super) name: String,
}

impl WorkersTable {
    /// The table of this name, whose open rows are found by this index.
    #[must_use]
    pub fn new(client: aws_sdk_dynamodb::Client, table: String, index: OpenIndex) -> Self {
        Self { client, table, index, name: "unnamed".to_owned() }
    }

    /// The same for a process of this name, which no other has.
    #[must_use]
    pub fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// A record beside the current row, which goes by itself.
    fn beside(&self, id: &SessionId, record: &str, now: Timestamp) -> Item {
        let mut item = key(id.as_str(), record);
        item.insert(TTL.into(), item::ttl(now));
        item
    }

    /// Leaves the record of a phase beside the row. It is for people: without it nothing is decided otherwise.
    async fn leave(&self, id: &SessionId, step: &Step, now: Timestamp) {
        let fields: Item = match serde_dynamo::to_item(step) {
            Ok(fields) => fields,
            Err(error) => return tracing::warn!(session = %id, %error, "the record of a phase cannot be written"),
        };
        let mut item = self.beside(id, &record_of_step(step), now);
        item.extend(fields);
        if let Err(error) = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await {
            let error = aws("PutItem of the record of a phase")(error);
            tracing::warn!(session = %id, %error, "the timeline misses a phase");
        }
    }

    /// Keeps the row of a generation that ends. Repeating it writes the same.
    async fn archive(&self, row: &WorkerRow, now: Timestamp) -> Result<(), PortError> {
        let item = item::history(row, now).map_err(unreadable(&row.session_id))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(aws("PutItem of a history row"))?;
        Ok(())
    }
}

impl Workers for WorkersTable {
    async fn read(&self, id: &SessionId) -> Result<Option<WorkerRow>, PortError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(current_key(id)));
        let item = request.send().await.map_err(aws("GetItem on the workers table"))?.item;
        item.map(|item| item::row(item).map_err(unreadable(id))).transpose()
    }

    async fn write(
        &self,
        id: &SessionId,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        now: Timestamp,
    ) -> Result<Written, PortError> {
        if let Some(old) = &write.archive {
            self.archive(old, now).await?;
        }
        let update = Update::of(id, read, write, now).map_err(unreadable(id))?;
        let request = self.client.update_item().table_name(&self.table).set_key(Some(current_key(id)));
        let request = request
            .update_expression(update.expression)
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew);
        match request.send().await {
            Ok(done) => {
                let row = item::row(done.attributes.unwrap_or_default()).map_err(unreadable(id))?;
                if let Some(step) = Step::between(read, &row) {
                    self.leave(id, &step, now).await;
                }
                Ok(Written::Row(Box::new(row)))
            }
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(Written::Lost)
            }
            Err(error) => Err(aws("UpdateItem on the workers table")(error)),
        }
    }

    async fn look_again(&self, read: &WorkerRow, at: Timestamp) -> Result<(), PortError> {
        let request = self.client.update_item().table_name(&self.table).set_key(Some(current_key(&read.session_id)));
        let request = request
            .update_expression("SET #next = :at, #shard = :shard")
            .condition_expression("#revision = :revision AND attribute_exists(#open)")
            .expression_attribute_names("#next", NEXT_LOOK_AT)
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", AttributeValue::S(open_shard(&read.session_id, read.phase)))
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_names("#open", OPEN)
            .expression_attribute_values(":at", AttributeValue::N(at.0.to_string()))
            .expression_attribute_values(":revision", AttributeValue::N(read.revision.to_string()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(aws("UpdateItem on the workers table")(error)),
        }
    }

    /// One page holds all: the shards are read side by side.
    async fn open(&self, _after: Option<OpenRow>) -> Result<Page<OpenRow, OpenRow>, PortError> {
        Ok(Page { items: self.indexed(Which::All).await?, next: None })
    }

    async fn queued(&self) -> Result<Vec<OpenRow>, PortError> {
        self.indexed(Which::Queued).await
    }

    async fn read_many(&self, ids: &[SessionId]) -> Result<Vec<WorkerRow>, PortError> {
        let items = self.batches(ids.iter().map(current_key).collect()).await?;
        Ok(items.into_iter().filter_map(|item| item::row(item).ok()).collect())
    }

    async fn strikes(&self, id: &SessionId) -> Result<Vec<Strike>, PortError> {
        let request = self.client.query().table_name(&self.table).consistent_read(true);
        let request = request
            .key_condition_expression("#session = :session AND begins_with(#record, :strike)")
            .expression_attribute_names("#session", SESSION_ID)
            .expression_attribute_names("#record", RECORD)
            .expression_attribute_values(":session", AttributeValue::S(id.to_string()))
            .expression_attribute_values(":strike", AttributeValue::S(STRIKE.into()));
        let page = request.send().await.map_err(aws("Query of the strikes"))?;
        Ok(page.items().iter().filter_map(item::strike).collect())
    }

    async fn strike(&self, id: &SessionId, arn: &TaskArn, now: Timestamp) -> Result<(), PortError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(self.beside(id, &strike(arn), now)));
        let put = put
            .item(STRUCK_AT, AttributeValue::N(now.0.to_string()))
            .condition_expression("attribute_not_exists(#record)")
            .expression_attribute_names("#record", RECORD);
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(())
            }
            Err(error) => Err(aws("PutItem of a strike")(error)),
        }
    }

    async fn note(&self, row: &WorkerRow, note: &Note) -> Result<(), PortError> {
        let (name, value) = match note {
            Note::Published(published) => {
                let value = serde_dynamo::to_attribute_value(published).map_err(|e| e.to_string());
                ("published", value.map_err(unreadable(&row.session_id))?)
            }
            Note::ChannelDeleted(at) => ("channelDeletedAt", AttributeValue::N(at.0.to_string())),
        };
        let request = self.client.update_item().table_name(&self.table).set_key(Some(current_key(&row.session_id)));
        let request = request
            .update_expression("SET #note = :note")
            .condition_expression("#generation = :generation")
            .expression_attribute_names("#note", name)
            .expression_attribute_names("#generation", GENERATION)
            .expression_attribute_values(":note", value)
            .expression_attribute_values(":generation", AttributeValue::N(row.generation.0.to_string()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(aws("UpdateItem of a note")(error)),
        }
    }

    async fn keep_decision(&self, id: &SessionId, json: String, now: Timestamp) -> Result<(), PortError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(self.beside(id, DECISION, now)));
        put.item(DECISION_JSON, AttributeValue::S(json)).send().await.map_err(aws("PutItem of a decision"))?;
        Ok(())
    }
}

fn unreadable(id: &SessionId) -> impl Fn(String) -> PortError {
    let session = id.to_string();
    move |detail| PortError::Unreadable { session: session.clone(), detail }
}

pub(super) fn current_key(id: &SessionId) -> Item {
    key(id.as_str(), CURRENT)
}

/// The key of a record.
pub(super) fn key(partition: &str, record: &str) -> Item {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    Item::from([(SESSION_ID.into(), text(partition)), (RECORD.into(), text(record))])
}
