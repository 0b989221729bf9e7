//! Key and attribute names of the tables, once.

/// Attribute names of `SessionWorkers-{env}` that expressions name.
pub mod workers {
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
    /// Global secondary index of the rows that are due: partition key [`OPEN`], sort key [`NEXT_LOOK_AT`]. A row
    /// in a final phase lacks both and so leaves the index.
    pub const BY_DUE: &str = "byDue";
    /// Present, with [`OPEN_VALUE`], while the phase is not final.
    pub const OPEN: &str = "open";
    /// The one value of [`OPEN`].
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
    /// Sort key, below a session: its end was not told to the bus yet. While it is to be tried again the record stands in
    /// [`BY_DUE`] with [`UNTOLD`] as value of [`OPEN`].
    pub const UNTOLD: &str = "untold";

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
