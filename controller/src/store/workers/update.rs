//! A [`RowWrite`] as an update expression.
//!
//! The condition is the row that was read: its revision (which only the controller raises) and its phase (which the worker
//! changes too, so that a worker's `Stopped` is never undone), and the hold that stood in it. The worker's section is left alone while the generation
//! stands, and removed with it.

use super::super::item;
use aws_sdk_dynamodb::types::AttributeValue;
use controller_core::action::RowWrite;
use schemas::ids::{SessionId, Timestamp};
use schemas::table::workers::{
    NEXT_LOOK_AT, OPEN, OPEN_VALUE, PHASE, REVISION, SESSION_ID, SHARD, TTL, open_shard, still_reads,
};
use schemas::worker::WorkerRow;
use std::collections::{BTreeMap, HashMap};

/// One conditional UpdateItem.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) expression: String,
    pub(super) condition: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

/// Attributes that belong to a phase that this write does not change.
const OF_A_TRANSITION: [&str; 3] = [PHASE, "phaseSince", "why"];
/// The attributes that a write sets or removes.
const OURS: [&str; 12] = [
    "schema",
    REVISION,
    "generation",
    PHASE,
    "phaseSince",
    "why",
    NEXT_LOOK_AT,
    "intent",
    "task",
    "restarts",
    OPEN,
    SHARD,
];
/// The worker's section.
const WORKER: &str = "worker";
/// What belongs to a generation and goes with it.
const OF_A_GENERATION: [&str; 2] = [WORKER, "channelDeletedAt"];

impl Update {
    /// The update that makes the row read as [`RowWrite::applied`] says.
    pub(super) fn of(
        id: &SessionId,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        now: Timestamp,
    ) -> Result<Self, String> {
        let after = write.applied(read, id, now);
        let mut item = item::of_row(&after)?;
        if after.phase.is_final() {
            item.insert(TTL.into(), item::ttl(now));
        } else {
            item.insert(OPEN.into(), AttributeValue::S(OPEN_VALUE.into()));
            item.insert(SHARD.into(), AttributeValue::S(open_shard(id, after.phase)));
        }
        let mut touched: Vec<&str> = OURS.into_iter().chain([TTL]).collect();
        if write.transition.is_none() && read.is_some() {
            touched.retain(|name| !OF_A_TRANSITION.contains(name));
        }
        let mut sets = BTreeMap::new();
        let mut removes: Vec<&str> = Vec::new();
        for name in touched {
            match item.remove(name) {
                Some(value) => drop(sets.insert(name, value)),
                None => removes.push(name),
            }
        }
        if read.is_some_and(|row| row.generation != write.generation) {
            removes.extend(OF_A_GENERATION);
        }
        let mut update = Self::render(read, sets, &removes);
        if let Some(row) = read {
            update.demand_the_hold_of(row);
        }
        if let Some(row) = read.filter(|row| write.gives_up(row))
            && let Some(worker) = &row.worker
        {
            update.demand_silence_since(worker.heartbeat_at);
        }
        Ok(update)
    }

    /// The verdict on a silent worker stands only if it is silent still: a heartbeat raises no revision.
    fn demand_silence_since(&mut self, heartbeat: Timestamp) {
        self.condition.push_str(" AND #worker.#heartbeatAt = :readHeartbeat");
        self.names.insert("#worker".into(), "worker".to_owned());
        self.names.insert("#heartbeatAt".into(), "heartbeatAt".to_owned());
        self.values.insert(":readHeartbeat".into(), AttributeValue::N(heartbeat.0.to_string()));
    }

    /// The hold that was read stands, or there is none still: an operator's order raises no revision, and hands off means off
    /// from the moment that it is written.
    fn demand_the_hold_of(&mut self, row: &WorkerRow) {
        for (name, attribute) in [("#operator", "operator"), ("#hold", "hold")] {
            self.names.insert(name.into(), attribute.to_owned());
        }
        match &row.operator.hold {
            None => self.condition.push_str(" AND attribute_not_exists(#operator.#hold.#until)"),
            Some(hold) => {
                self.condition.push_str(" AND #operator.#hold.#until = :readHold");
                self.values.insert(":readHold".into(), AttributeValue::N(hold.until.0.to_string()));
            }
        }
        self.names.insert("#until".into(), "until".to_owned());
    }

    fn render(read: Option<&WorkerRow>, sets: BTreeMap<&str, AttributeValue>, removes: &[&str]) -> Self {
        let mut names = HashMap::new();
        let mut values = HashMap::new();
        let mut set_parts = Vec::new();
        for (name, value) in sets {
            names.insert(format!("#{name}"), name.to_owned());
            values.insert(format!(":{name}"), value);
            set_parts.push(format!("#{name} = :{name}"));
        }
        for name in removes {
            names.insert(format!("#{name}"), (*name).to_owned());
        }
        let condition = match read {
            None => {
                names.insert("#id".into(), SESSION_ID.to_owned());
                "attribute_not_exists(#id)".to_owned()
            }
            Some(row) => {
                names.insert("#phase".into(), PHASE.to_owned());
                values.insert(":readRevision".into(), AttributeValue::N(row.revision.to_string()));
                let (phase, read) = still_reads(row.phase, "#phase");
                values.extend(read.into_iter().map(|(name, word)| (name, AttributeValue::S(word))));
                format!("#revision = :readRevision AND {phase}")
            }
        };
        let mut expression = format!("SET {}", set_parts.join(", "));
        if !removes.is_empty() {
            let parts: Vec<String> = removes.iter().map(|name| format!("#{name}")).collect();
            expression.push_str(&format!(" REMOVE {}", parts.join(", ")));
        }
        Self { expression, condition, names, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::ids::Generation;
    use schemas::operator::{Hold, Signed};
    use schemas::reason::{Cause, Why};
    use schemas::worker::{Phase, Restarts};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn write(generation: u64, phase: Option<Phase>) -> RowWrite {
        let write = RowWrite {
            generation: Generation(generation),
            transition: None,
            intent: None,
            task: None,
            restarts: Restarts::default(),
            next_look_at: Some(NOW.plus_ms(1_000)),
            archive: None,
        };
        match phase {
            Some(phase) => write.to(phase, Why::new(Cause::SessionActive, "because", NOW)),
            None => write,
        }
    }
    fn update(read: Option<&WorkerRow>, write: &RowWrite) -> Update {
        Update::of(&SessionId::try_new("a-b-1").unwrap(), read, write, NOW).unwrap()
    }
    fn launching() -> WorkerRow {
        write(1, Some(Phase::Launching)).applied(None, &SessionId::try_new("a-b-1").unwrap(), NOW)
    }

    #[test]
    fn a_first_write_demands_that_there_is_no_row() {
        let update = update(None, &write(1, Some(Phase::Launching)));
        assert_eq!(update.condition, "attribute_not_exists(#id)");
        assert_eq!(update.values[":open"], AttributeValue::S("open".into()));
        assert_eq!(
            update.values[":shard"],
            AttributeValue::S(open_shard(&SessionId::try_new("a-b-1").unwrap(), Phase::Launching))
        );
        assert!(update.expression.contains("REMOVE") && !update.expression.contains("#worker"));
    }

    #[test]
    fn a_later_write_demands_the_revision_and_the_phase_that_were_read_and_spares_the_worker() {
        let update = update(Some(&launching()), &write(1, Some(Phase::Draining)));
        assert!(
            update.condition.starts_with("#revision = :readRevision AND #phase = :readPhase AND"),
            "{}",
            update.condition
        );
        assert_eq!(update.values[":readPhase"], AttributeValue::S("Launching".into()));
        assert_eq!(update.values[":revision"], AttributeValue::N("2".into()));
        assert!(!update.names.contains_key("#worker"));
    }

    #[test]
    fn a_phase_of_a_newer_release_reads_as_joining_and_a_write_on_it_is_taken_all_the_same() {
        let mut row = launching();
        row.phase = Phase::Joining;
        let update = update(Some(&row), &write(1, Some(Phase::Draining)));
        assert!(
            update.condition.starts_with("#revision = :readRevision AND #phase <> :notPhase0 AND"),
            "{}",
            update.condition
        );
        let words: Vec<&AttributeValue> =
            update.values.iter().filter(|(name, _)| name.starts_with(":notPhase")).map(|(_, word)| word).collect();
        assert_eq!(words.len(), Phase::ALL.len() - 1);
        assert!(!words.contains(&&AttributeValue::S("Joining".into())));
    }

    #[test]
    fn a_late_write_demands_the_revision_that_it_has_read() {
        let read = launching();
        let newer = write(2, Some(Phase::Launching)).applied(Some(&read), &read.session_id, NOW);
        let late = update(Some(&read), &write(1, Some(Phase::Stopped)));
        assert_eq!(late.values[":readRevision"], AttributeValue::N(read.revision.to_string()));
        assert!(
            newer.revision > read.revision,
            "which the row no longer has: the condition fails and the late writer looks again"
        );
    }

    #[test]
    fn a_hold_that_was_written_since_the_decision_is_a_lock() {
        let mut row = launching();
        let not_held = update(Some(&row), &write(1, Some(Phase::Draining)));
        assert!(
            not_held.condition.ends_with("AND attribute_not_exists(#operator.#hold.#until)"),
            "{}",
            not_held.condition
        );
        let signed = Signed { by: "ann".into(), at: NOW, note: String::new() };
        row.operator.hold = Some(Hold { until: NOW.plus_ms(60_000), signed });
        let held = update(Some(&row), &write(1, Some(Phase::Draining)));
        assert!(held.condition.ends_with("AND #operator.#hold.#until = :readHold"), "{}", held.condition);
        assert_eq!(held.values[":readHold"], AttributeValue::N((NOW.0 + 60_000).to_string()));
    }

    #[test]
    fn a_write_without_a_transition_leaves_the_phase_to_the_worker() {
        let update = update(Some(&launching()), &write(1, None));
        assert!(!update.expression.contains("#phase") && !update.expression.contains("#why"), "{}", update.expression);
    }

    #[test]
    fn a_new_generation_forgets_the_old_worker() {
        assert!(update(Some(&launching()), &write(2, Some(Phase::Launching))).expression.contains("#worker"));
    }

    #[test]
    fn a_worker_that_spoke_again_is_not_given_up() {
        let mut row = launching();
        row.phase = Phase::Live;
        let status = r#"{"version": "1", "heartbeatAt": 7, "startUp": {}, "progress": {}, "languages": {}, "rung": "full",
            "media": {"packets": 0, "lost": 0, "jitterMs": 0.0, "concealedMs": 0, "mediaMs": 0}, "usage": {"transcribedMs": 0,
            "transcribeStreams": 0, "translatedCharacters": 0, "translations": 0, "posts": 0, "postsFailed": 0},
            "cpuMs": 0, "peakMemoryBytes": 0}"#;
        row.worker = Some(serde_json::from_str(status).unwrap());
        let given_up = update(Some(&row), &write(2, Some(Phase::Launching)));
        assert!(given_up.condition.ends_with("AND #worker.#heartbeatAt = :readHeartbeat"), "{}", given_up.condition);
        assert_eq!(given_up.values[":readHeartbeat"], AttributeValue::N("7".into()));
        assert!(!update(Some(&row), &write(1, Some(Phase::Draining))).condition.contains("heartbeat"));
    }

    #[test]
    fn a_final_row_leaves_the_index_and_gets_its_ttl() {
        let update = update(Some(&launching()), &write(1, Some(Phase::Stopped)));
        assert!(update.values.contains_key(":ttl"));
        let removed = update.expression.split("REMOVE").nth(1).unwrap();
        assert!(["#open", "#shard", "#nextLookAt"].iter().all(|key| removed.contains(key)), "{removed}");
    }

    #[test]
    fn every_name_and_value_is_used_since_dynamodb_refuses_the_rest() {
        let joining = WorkerRow { phase: Phase::Joining, ..launching() };
        for read in [None, Some(launching()), Some(joining)] {
            for phase in [None, Some(Phase::Stopped), Some(Phase::Joining), Some(Phase::Launching)]
                .into_iter()
                .filter(|p| read.is_some() || p.is_some())
            {
                let update = update(read.as_ref(), &write(2, phase));
                let text = format!("{} {} ", update.expression, update.condition).replace([',', ')', '.'], " ");
                for name in update.names.keys().chain(update.values.keys()) {
                    assert!(text.contains(&format!("{name} ")), "{name} is not used in {text}");
                }
            }
        }
    }
}
