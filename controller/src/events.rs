//! EventBridge behind [`crate::ports::Bus`]: what happened, for whoever wants to know.
//!
//! **Guarantees.** At least once for every event that the bus takes; entries that fail under HTTP 200 are seen and sent once
//! more. A bus that does not exist is noticed (PutEvents answers 200 and drops the events): it is looked up at the first use,
//! and again while it is missing.
//!
//! **Caveat.** Best effort: an error never keeps a session from what it needs, and the next look tells the same again.

use crate::ports::{Bus, PortError};
use crate::remedy::{Remedy, aws};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use schemas::lifecycle::{LifecycleEvent, SOURCE};
use std::sync::atomic::{AtomicBool, Ordering};

/// Entries of one PutEvents call at most (EventBridge API reference).
const ENTRIES: usize = 10;

/// The bus, or nobody.
#[derive(Debug)]
pub struct EventBridge {
    client: aws_sdk_eventbridge::Client,
    bus: Option<String>,
    seen: AtomicBool,
}

impl EventBridge {
    /// The bus of this name or ARN; `None` tells nobody.
    #[must_use]
    pub fn new(client: aws_sdk_eventbridge::Client, bus: Option<String>) -> Self {
        Self { client, bus, seen: AtomicBool::new(false) }
    }

    /// PutEvents says 200 to a bus that does not exist, so it is asked for by name first.
    async fn must_exist(&self, bus: &str) -> Result<(), PortError> {
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.client.describe_event_bus().name(bus).send().await {
            Ok(_) => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                let detail = format!("there is no bus {bus:?}; create it, or remove EVENT_BUS from the function");
                tracing::error!(bus, "the event bus does not exist: nobody is told what happens");
                Err(PortError::Aws { operation: "DescribeEventBus", remedy: Remedy::Create, detail })
            }
            Err(error) => Err(aws("DescribeEventBus")(error)),
        }
    }

    /// Puts these entries; those that were refused, with the first reason.
    async fn put(
        &self,
        entries: Vec<PutEventsRequestEntry>,
    ) -> Result<(Vec<PutEventsRequestEntry>, String), PortError> {
        let sent = self.client.put_events().set_entries(Some(entries.clone())).send().await;
        let answer = sent.map_err(aws("PutEvents"))?;
        if answer.failed_entry_count() == 0 {
            return Ok((Vec::new(), String::new()));
        }
        // The answers stand in the order of the entries; one without an event id was not taken.
        let failed = |at: usize| match answer.entries().get(at) {
            Some(entry) if entry.event_id().is_some() => None,
            Some(entry) => Some(entry.error_code().unwrap_or("no reason given")),
            None => Some("no answer for this entry"),
        };
        let reason = (0..entries.len()).find_map(failed).unwrap_or_default().to_owned();
        let refused = entries.into_iter().enumerate().filter(|(at, _)| failed(*at).is_some()).map(|(_, entry)| entry);
        Ok((refused.collect(), reason))
    }
}

fn entry(event: &LifecycleEvent, bus: &str) -> Result<PutEventsRequestEntry, PortError> {
    let unwritable = |error: serde_json::Error| PortError::Aws {
        operation: "PutEvents",
        remedy: Remedy::Repair,
        detail: error.to_string(),
    };
    let detail = serde_json::to_string(event).map_err(unwritable)?;
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(SOURCE);
    Ok(entry.detail_type(event.happening.detail_type()).detail(detail).build())
}

impl Bus for EventBridge {
    async fn publish(&self, events: &[LifecycleEvent]) -> Result<(), PortError> {
        let Some(bus) = &self.bus else { return Ok(()) };
        self.must_exist(bus).await?;
        let entries = events.iter().map(|event| entry(event, bus)).collect::<Result<Vec<_>, _>>()?;
        for chunk in entries.chunks(ENTRIES) {
            let (refused, _) = self.put(chunk.to_vec()).await?;
            if refused.is_empty() {
                continue;
            }
            let (lost, reason) = self.put(refused).await?;
            if !lost.is_empty() {
                let detail = format!("{} of {} events were refused twice: {reason}", lost.len(), chunk.len());
                return Err(PortError::Aws { operation: "PutEvents", remedy: Remedy::Again, detail });
            }
        }
        Ok(())
    }
}
