//! Key and attribute names of the tables, once.

/// Attribute names of `SessionWorkers-{env}` that expressions name.
pub mod workers {
    use crate::ids::SessionId;
    use crate::worker::Phase;

    /// Partition key: the session id.
    pub const SESSION_ID: &str = "sessionId";
    /// Sort key: [`CURRENT`], or [`history`] of a generation.
    pub const RECORD: &str = "record";
    /// Sort key of the one current row.
    pub const CURRENT: &str = "current";
    /// Sort key of the last noteworthy decision: its inputs and its plan as JSON text in [`DECISION_JSON`], to be replayed.
    pub const DECISION: &str = "decision";
    /// Attribute of the [`DECISION`] record: `{"view": …, "policy": …, "now": …, "plan": …}`.
    pub const DECISION_JSON: &str = "json";
    /// Attribute of a [`strike`] record: when the task was first seen astray, epoch ms.
    pub const STRUCK_AT: &str = "struckAt";
    /// Global secondary index of the rows that somebody must look at, keys only: partition key [`SHARD`], sort key [`NEXT_LOOK_AT`]. A row in
    /// a final phase lacks both and so leaves the index. A heartbeat touches neither, so it never writes the index.
    pub const BY_SHARD: &str = "byShard";
    /// The share of [`BY_SHARD`] that a row belongs to: [`open_shard`] or [`untold_shard`].
    pub const SHARD: &str = "shard";
    /// Shards of the rows whose phase is neither final nor queued. One key value of an index takes 1,000 write units a second
    /// (DynamoDB developer guide, "Partition key design"); a look moves one row's key, two units.
    pub const OPEN_SHARDS: u32 = 16;
    /// Shards of the rows that wait for their turn: the queue is read every few seconds, without the rest.
    pub const QUEUED_SHARDS: u32 = 4;
    /// Shards of the ends that nobody was told.
    pub const UNTOLD_SHARDS: u32 = 4;
    /// The index of older releases: partition key [`OPEN`], sort key [`NEXT_LOOK_AT`], all attributes. It is there until a deployed stack has
    /// gone over to [`BY_SHARD`].
    pub const BY_DUE: &str = "byDue";
    /// Present, with [`OPEN_VALUE`], while the phase is not final.
    pub const OPEN: &str = "open";
    /// The one value of [`OPEN`] in a current row.
    pub const OPEN_VALUE: &str = "open";
    /// When somebody must look again, epoch ms.
    pub const NEXT_LOOK_AT: &str = "nextLookAt";
    /// TTL attribute of history rows and of final rows, epoch s.
    pub const TTL: &str = "ttl";
    /// The controller's optimistic lock.
    pub const REVISION: &str = "revision";
    /// The fence of the worker's writes.
    pub const GENERATION: &str = "generation";
    /// The phase.
    pub const PHASE: &str = "phase";

    /// The condition that the row's phase still reads as `phase`, with the values that it names. A word of a newer release reads as
    /// `Joining` ([`crate::forward`]), so that one is what none of the others is: a condition on the word itself would never hold.
    #[must_use]
    pub fn still_reads(phase: Phase, attribute: &str) -> (String, Vec<(String, String)>) {
        if phase != Phase::Joining {
            return (format!("{attribute} = :readPhase"), vec![(":readPhase".to_owned(), format!("{phase:?}"))]);
        }
        let others = Phase::ALL.into_iter().filter(|other| *other != phase).enumerate();
        let values = others.map(|(n, other)| (format!(":notPhase{n}"), format!("{other:?}")));
        let values: Vec<(String, String)> = values.collect();
        let parts: Vec<String> = values.iter().map(|(name, _)| format!("{attribute} <> {name}")).collect();
        (parts.join(" AND "), values)
    }

    /// Partition key of the rows that the controllers share: no session can have it.
    pub const CONTROLLERS: &str = "#controllers";
    /// Sort key, below [`CONTROLLERS`]: the leave to launch, what is known of the queue, and of the versions of the worker.
    pub const ADMISSION: &str = "admission";
    /// Attribute of [`ADMISSION`]: [`crate::rollout::Rollout`] as JSON.
    pub const VERSIONS: &str = "versions";
    /// Attribute of [`ADMISSION`]: the lock of [`VERSIONS`], a number that rises with each write.
    pub const VERSIONS_REVISION: &str = "versionsRevision";
    /// Sort key, below [`CONTROLLERS`]: where a sweep that ran out of time stopped.
    pub const SWEEP: &str = "sweep";
    /// Sort key, below [`CONTROLLERS`]: who sweeps at this moment.
    pub const SWEEP_LEASE: &str = "sweepLease";
    /// Sort key, below a session: its end was not told to the bus yet. While it is to be tried again the record stands in
    /// [`BY_SHARD`] (and, with [`UNTOLD`] as value of [`OPEN`], in [`BY_DUE`]).
    pub const UNTOLD: &str = "untold";

    /// The value of [`SHARD`] of a session's open row in this phase. Only the controller brings a row into the queue and out of it, so a
    /// worker never has to write it.
    #[must_use]
    pub fn open_shard(id: &SessionId, phase: Phase) -> String {
        match phase {
            Phase::Queued => shard(QUEUED, hash(id.as_str()) % QUEUED_SHARDS),
            Phase::Launching
            | Phase::Joining
            | Phase::WaitingForSpeaker
            | Phase::Live
            | Phase::Paused
            | Phase::Draining
            | Phase::Stopped
            | Phase::Failed => shard(OPEN_VALUE, hash(id.as_str()) % OPEN_SHARDS),
        }
    }

    /// The value of [`SHARD`] of a session's [`UNTOLD`] record.
    #[must_use]
    pub fn untold_shard(id: &SessionId) -> String {
        shard(UNTOLD, hash(id.as_str()) % UNTOLD_SHARDS)
    }

    /// Every value of [`SHARD`] that an open row may have.
    pub fn open_shards() -> impl Iterator<Item = String> {
        (0..OPEN_SHARDS).map(|n| shard(OPEN_VALUE, n)).chain(queued_shards())
    }

    /// Every value of [`SHARD`] that a row which waits for its turn may have.
    pub fn queued_shards() -> impl Iterator<Item = String> {
        (0..QUEUED_SHARDS).map(|n| shard(QUEUED, n))
    }

    /// Every value of [`SHARD`] that an [`UNTOLD`] record may have.
    pub fn untold_shards() -> impl Iterator<Item = String> {
        (0..UNTOLD_SHARDS).map(|n| shard(UNTOLD, n))
    }

    /// How the shards of the queue are called.
    const QUEUED: &str = "queued";

    fn shard(kind: &str, n: u32) -> String {
        format!("{kind}#{n:02}")
    }

    /// FNV-1a of 64 bits, its bits mixed as MurmurHash3 ends: names that differ in one digit spread, too. It must never change: rows are found by it.
    fn hash(text: &str) -> u32 {
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        u32::try_from((mixed ^ (mixed >> 33)) & u64::from(u32::MAX)).unwrap_or_default()
    }

    /// Sort key of the mark on a task that was seen without a row that speaks of it.
    #[must_use]
    pub fn strike(task: &crate::ids::TaskArn) -> String {
        format!("{STRIKE}{}", task.as_str())
    }
    /// How the sort keys of all [`strike`] records begin.
    pub const STRIKE: &str = "stray#";

    /// Sort key of the record that an operator's order (a hold too) leaves beside the row: who ordered what, kept as a trail, and the one thing
    /// of the row's stream that tells the controller to look now. (An order within the row looks like any heartbeat there.)
    /// Fixed width: the keys of one session rise with the time.
    #[must_use]
    pub fn order(signed_at: crate::ids::Timestamp) -> String {
        format!("{ORDER}{:015}", signed_at.0)
    }
    /// How the sort keys of all [`order`] records begin: in the word of the first release, which rows and the stream's filter hold.
    pub const ORDER: &str = "wish#";

    /// Sort key of the record of one phase that a generation went through ([`crate::worker::Step`]). Fixed width: the keys of
    /// one session rise with generation and time.
    #[must_use]
    pub fn step(step: &crate::worker::Step) -> String {
        format!("{STEP}{:08}#{:015}#{:?}", step.generation.0, step.at.0, step.phase)
    }
    /// How the sort keys of all [`step`] records begin.
    pub const STEP: &str = "phase#";

    /// Sort key of the row that is kept of one generation.
    #[must_use]
    pub fn history(generation: crate::ids::Generation) -> String {
        format!("generation#{:08}", generation.0)
    }
}

/// Names in the Sessions table.
pub mod sessions {
    /// Partition key.
    pub const SESSION_ID: &str = "sessionId";
    /// Every attribute that [`crate::session::read_session`] reads. The speaker's id is none of them.
    pub const READ: [&str; 10] = [
        SESSION_ID,
        "kvsChannelArn",
        "kvsStreamArn",
        "status",
        "isActive",
        "sourceLanguage",
        "createdAt",
        "expiresAt",
        "speakerConnectionId",
        "captionOptions",
    ];
}

/// Names in the Connections table.
pub mod connections {
    /// Partition key.
    pub const CONNECTION_ID: &str = "connectionId";
    /// Index of the listeners of a session.
    pub const BY_SESSION: &str = "sessionId-targetLanguage-index";
    /// Partition key of the index.
    pub const SESSION_ID: &str = "sessionId";
}

#[cfg(test)]
mod tests {
    use super::workers::*;
    use crate::ids::SessionId;
    use crate::worker::Phase;
    use std::collections::{BTreeMap, BTreeSet};

    fn id(text: &str) -> SessionId {
        SessionId::try_new(text).unwrap()
    }

    #[test]
    fn a_session_has_the_same_shard_in_every_release() {
        let known = [
            ("blessed-shepherd-123", Phase::Live, "open#02"),
            ("calm-river-002", Phase::Draining, "open#11"),
            ("calm-river-002", Phase::Queued, "queued#03"),
        ];
        for (session, phase, shard) in known {
            assert_eq!(open_shard(&id(session), phase), shard, "{session}: rows that stand would not be found");
        }
    }

    #[test]
    fn sessions_spread_over_all_shards_evenly_and_every_shard_is_asked() {
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        for n in 0..10_000 {
            *found.entry(open_shard(&id(&format!("calm-river-{n:05}")), Phase::Live)).or_default() += 1;
        }
        let (least, most) = (found.values().min().unwrap(), found.values().max().unwrap());
        assert!(*least > 500 && *most < 750, "625 each would be even: {found:?}");
        let queued = (0..100).map(|n| open_shard(&id(&format!("a-b-{n}")), Phase::Queued));
        let queued: BTreeSet<String> = queued.collect();
        assert!(queued.iter().cloned().eq(queued_shards()), "{queued:?}");
        assert!(found.into_keys().chain(queued).eq(open_shards()));
        let untold: BTreeSet<String> = (0..100).map(|n| untold_shard(&id(&format!("a-b-{n}")))).collect();
        assert!(untold.into_iter().eq(untold_shards()));
    }
}
