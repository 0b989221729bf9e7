//! What the controllers share: two rows of our table that belong to no session, and the marks of ends that nobody was told.

use super::WorkersTable;
use super::item::{self, Item};
use super::workers::key;
use crate::ports::{Cursor, Lease, PortError, Shared};
use crate::remedy::{Remedy, aws};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use controller_core::capacity::{Bucket, Capacity};
use controller_core::model::Policy;
use controller_core::verdict::{self, Evidence};
use schemas::ids::{SessionId, Timestamp};
use schemas::rollout::{Rollout, Write};
use schemas::table::workers::{
    ADMISSION, CONTROLLERS, NEXT_LOOK_AT, OPEN, SESSION_ID, SHARD, SWEEP, SWEEP_LEASE, TTL, UNTOLD, VERSIONS,
    VERSIONS_REVISION, untold_shard,
};

/// When the bucket is full again, epoch ms.
const FULL_AT: &str = "fullAt";
/// How many sessions waited when they were last counted, and when that was.
const WAITING: &str = "waiting";
const COUNTED_AT: &str = "countedAt";
/// When a pass over the queue last began.
const PASS_AT: &str = "passAt";
/// When a worker last found no stream at Transcribe.
const STREAMS_FULL_AT: &str = "streamsFullAt";
/// When a launch last found no room, or somebody last went to see.
const NO_ROOM_AT: &str = "noRoomAt";
/// Where a sweep stopped, as JSON.
const CURSOR: &str = "cursor";
/// A verdict that meets others is tried so often.
const JUDGE_TRIES: usize = 5;
/// Who sweeps, and until when its lease stands.
const HOLDER: &str = "holder";
const UNTIL: &str = "until";
/// Since when an end is untold.
const SINCE: &str = "since";

impl WorkersTable {
    fn update(&self, partition: &str, record: &str) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key(partition, record)))
    }

    /// Sends an update; false when its condition did not hold.
    async fn send(&self, update: UpdateItemFluentBuilder, operation: &'static str) -> Result<bool, PortError> {
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(aws(operation)(error)),
        }
    }

    async fn shared_row(&self, record: &str, operation: &'static str) -> Result<Item, PortError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(key(CONTROLLERS, record))).send().await.map_err(aws(operation))?;
        Ok(answer.item.unwrap_or_default())
    }
}

impl Shared for WorkersTable {
    async fn capacity(&self) -> Result<Capacity, PortError> {
        let item = self.shared_row(ADMISSION, "GetItem of the admission row").await?;
        let at = |name: &str| number(&item, name).map(Timestamp);
        let waiting = number(&item, WAITING).and_then(|n| u32::try_from(n).ok()).zip(at(COUNTED_AT));
        let bucket = at(FULL_AT).map(|full_at| Bucket { full_at });
        Ok(Capacity {
            bucket,
            waiting,
            pass_at: at(PASS_AT),
            streams_full_at: at(STREAMS_FULL_AT),
            no_room_at: at(NO_ROOM_AT),
            versions: versions(&item).0,
        })
    }

    async fn take_launch(&self, known: &Capacity, policy: &Policy, now: Timestamp) -> Result<bool, PortError> {
        const OPERATION: &str = "UpdateItem of the admission row";
        let step = AttributeValue::N(Bucket::step_ms(policy).to_string());
        // Whoever goes to see whether there is room says so in the same write: nobody else goes for a while.
        let (sees, nobody_went) = match known.no_room_at {
            Some(_) => (", #room = :now", " AND #room = :room"),
            None => ("", ""),
        };
        let row = || {
            let row = self.update(CONTROLLERS, ADMISSION).expression_attribute_names("#full", FULL_AT);
            match known.no_room_at {
                Some(at) => {
                    row.expression_attribute_names("#room", NO_ROOM_AT).expression_attribute_values(":room", epoch(at))
                }
                None => row,
            }
        };
        let quiet = row()
            .update_expression(format!("SET #full = :next{sees}"))
            .condition_expression(format!("(attribute_not_exists(#full) OR #full < :now){nobody_went}"))
            .expression_attribute_values(":next", epoch(now.plus_ms(Bucket::step_ms(policy))))
            .expression_attribute_values(":now", epoch(now));
        if self.send(quiet, OPERATION).await? {
            return Ok(true);
        }
        let busy = row()
            .update_expression(format!("SET #full = #full + :step{sees}"))
            .condition_expression(format!("#full BETWEEN :now AND :latest{nobody_went}"))
            .expression_attribute_values(":step", step)
            .expression_attribute_values(":now", epoch(now))
            .expression_attribute_values(":latest", epoch(Bucket::latest(policy, now)));
        self.send(busy, OPERATION).await
    }

    async fn no_room_since(&self, at: Option<Timestamp>) -> Result<(), PortError> {
        let update = self.update(CONTROLLERS, ADMISSION).expression_attribute_names("#room", NO_ROOM_AT);
        let update = match at {
            Some(at) => update.update_expression("SET #room = :at").expression_attribute_values(":at", epoch(at)),
            None => update.update_expression("REMOVE #room"),
        };
        self.send(update, "UpdateItem of the admission row").await.map(drop)
    }

    async fn no_launch_is_left(&self, policy: &Policy, now: Timestamp) -> Result<(), PortError> {
        let update = self
            .update(CONTROLLERS, ADMISSION)
            .update_expression("SET #full = :full")
            .condition_expression("attribute_not_exists(#full) OR #full < :full")
            .expression_attribute_names("#full", FULL_AT)
            .expression_attribute_values(":full", epoch(Bucket::empty(policy, now).full_at));
        self.send(update, "UpdateItem of the admission row").await.map(drop)
    }

    async fn somebody_waits(&self, now: Timestamp) -> Result<Option<Timestamp>, PortError> {
        let update = self
            .update(CONTROLLERS, ADMISSION)
            .update_expression("SET #waiting = :one, #at = :now")
            .expression_attribute_names("#waiting", WAITING)
            .expression_attribute_names("#at", COUNTED_AT)
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":now", epoch(now))
            .return_values(ReturnValue::AllNew);
        let written = update.send().await.map_err(aws("UpdateItem of the queue's length"))?;
        let item = written.attributes.unwrap_or_default();
        Ok(number(&item, PASS_AT).map(Timestamp))
    }

    async fn begin_pass(&self, known: &Capacity, waiting: u32, now: Timestamp) -> Result<bool, PortError> {
        let update = self
            .update(CONTROLLERS, ADMISSION)
            .update_expression("SET #waiting = :waiting, #at = :now, #pass = :now")
            .expression_attribute_names("#waiting", WAITING)
            .expression_attribute_names("#at", COUNTED_AT)
            .expression_attribute_names("#pass", PASS_AT)
            .expression_attribute_values(":waiting", AttributeValue::N(waiting.to_string()))
            .expression_attribute_values(":now", epoch(now));
        let update = match known.pass_at {
            Some(at) => update.condition_expression("#pass = :known").expression_attribute_values(":known", epoch(at)),
            None => update.condition_expression("attribute_not_exists(#pass)"),
        };
        self.send(update, "UpdateItem of the pass over the queue").await
    }

    async fn streams_are_full(&self, now: Timestamp) -> Result<(), PortError> {
        let update = self
            .update(CONTROLLERS, ADMISSION)
            .update_expression("SET #at = :now")
            .expression_attribute_names("#at", STREAMS_FULL_AT)
            .expression_attribute_values(":now", epoch(now));
        self.send(update, "UpdateItem of the admission row").await.map(drop)
    }

    async fn judge(&self, evidence: &Evidence, policy: &Policy, now: Timestamp) -> Result<Rollout, PortError> {
        const OPERATION: &str = "UpdateItem of the versions";
        for _ in 0..JUDGE_TRIES {
            let (before, revision) = versions(&self.shared_row(ADMISSION, "GetItem of the admission row").await?);
            let after = verdict::judged(&before, evidence, policy, now);
            if after == before {
                return Ok(after);
            }
            let write = Write::of(&after, revision).map_err(|error| unreadable(OPERATION, &error))?;
            let values = serde_dynamo::to_item(&write).map_err(|error| unreadable(OPERATION, &error))?;
            let names = Write::NAMES.map(|(place, name)| (place.to_owned(), name.to_owned()));
            let update = self
                .update(CONTROLLERS, ADMISSION)
                .update_expression(Write::UPDATE)
                .condition_expression(write.condition())
                .set_expression_attribute_names(Some(names.into()))
                .set_expression_attribute_values(Some(values));
            if self.send(update, OPERATION).await? {
                return Ok(after);
            }
        }
        Err(PortError::Contended(JUDGE_TRIES))
    }

    async fn take_sweep(&self, until: Timestamp, now: Timestamp) -> Result<Lease, PortError> {
        let update = self
            .update(CONTROLLERS, SWEEP_LEASE)
            .update_expression("SET #holder = :me, #until = :until")
            .condition_expression("attribute_not_exists(#until) OR #until < :now OR #holder = :me")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":me", AttributeValue::S(self.name.clone()))
            .expression_attribute_values(":until", epoch(until))
            .expression_attribute_values(":now", epoch(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(_) => Ok(Lease::Ours),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(held)) => {
                    let held = held.item.clone().unwrap_or_default();
                    let held_by = held.get(HOLDER).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
                    Ok(Lease::HeldBy { held_by, until: number(&held, UNTIL).map_or(now, Timestamp) })
                }
                Some(_) | None => Err(aws("UpdateItem of the sweep's lease")(error)),
            },
        }
    }

    async fn give_sweep_back(&self) -> Result<(), PortError> {
        let update = self
            .update(CONTROLLERS, SWEEP_LEASE)
            .update_expression("REMOVE #until")
            .condition_expression("#holder = :me")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":me", AttributeValue::S(self.name.clone()));
        self.send(update, "UpdateItem of the sweep's lease").await.map(drop)
    }

    async fn cursor(&self) -> Result<Cursor, PortError> {
        let item = self.shared_row(SWEEP, "GetItem of the sweep's cursor").await?;
        let text = item.get(CURSOR).and_then(|value| value.as_s().ok());
        // One that this version cannot read is none: the sweep begins at the beginning.
        Ok(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    async fn keep_cursor(&self, cursor: &Cursor) -> Result<(), PortError> {
        const OPERATION: &str = "PutItem of the sweep's cursor";
        let text = serde_json::to_string(cursor).map_err(|error| unreadable(OPERATION, &error))?;
        let mut item = key(CONTROLLERS, SWEEP);
        item.insert(CURSOR.into(), AttributeValue::S(text));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(aws(OPERATION)).map(drop)
    }

    async fn mark_untold(&self, id: &SessionId, now: Timestamp) -> Result<(), PortError> {
        let update = self
            .update(id.as_str(), UNTOLD)
            .update_expression("SET #open = :untold, #shard = :shard, #next = :now, #since = :now, #ttl = :ttl")
            .condition_expression("attribute_not_exists(#open)")
            .expression_attribute_names("#open", OPEN)
            .expression_attribute_names("#next", NEXT_LOOK_AT)
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_values(":shard", AttributeValue::S(untold_shard(id)))
            .expression_attribute_names("#since", SINCE)
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":untold", AttributeValue::S(UNTOLD.into()))
            .expression_attribute_values(":now", epoch(now))
            .expression_attribute_values(":ttl", item::ttl(now));
        self.send(update, "UpdateItem of an untold end").await.map(drop)
    }

    async fn untold(&self, until: Timestamp) -> Result<Vec<(SessionId, Timestamp)>, PortError> {
        let items = self.untold_items(until).await?;
        let mark = |item: &Item| {
            let id = SessionId::try_new(item.get(SESSION_ID)?.as_s().ok()?).ok()?;
            Some((id, Timestamp(number(item, SINCE)?)))
        };
        Ok(items.iter().filter_map(mark).collect())
    }

    async fn try_again_at(&self, id: &SessionId, at: Option<Timestamp>) -> Result<(), PortError> {
        let update = self
            .update(id.as_str(), UNTOLD)
            .condition_expression("attribute_exists(#open)")
            .expression_attribute_names("#open", OPEN)
            .expression_attribute_names("#next", NEXT_LOOK_AT)
            .expression_attribute_names("#shard", SHARD);
        let update = match at {
            Some(at) => update
                .update_expression("SET #next = :at, #shard = :shard")
                .expression_attribute_values(":at", epoch(at))
                .expression_attribute_values(":shard", AttributeValue::S(untold_shard(id))),
            None => update.update_expression("REMOVE #open, #next, #shard"),
        };
        self.send(update, "UpdateItem of an untold end").await.map(drop)
    }
}

/// What the row knows of the versions, and the lock of that. One that cannot be read is nothing known, and loud: no version is condemned by it.
fn versions(item: &Item) -> (Rollout, i64) {
    let revision = number(item, VERSIONS_REVISION).unwrap_or(0);
    let text = item.get(VERSIONS).and_then(|value| value.as_s().ok());
    let read = text.map_or_else(|| Ok(Rollout::default()), |text| serde_json::from_str(text));
    if let Err(error) = &read {
        tracing::error!(%error, "what is known of the versions cannot be read: nothing is known");
    }
    (read.unwrap_or_default(), revision)
}

fn unreadable(operation: &'static str, error: &impl std::fmt::Display) -> PortError {
    PortError::Aws { operation, remedy: Remedy::Repair, detail: error.to_string() }
}

fn epoch(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.0.to_string())
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
