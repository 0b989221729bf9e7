//! What a process that has just begun does with its session's row: it serves, it takes the session over from an earlier life
//! within the same task, or it leaves.
//!
//! **Flow.** ECS starts a container that crashed again within its task, with the environment of the launch. The row shows whether
//! somebody has already spoken as its generation. If so, and the row names this very task, the process takes the next generation
//! by one conditional write ([`Claim`]) and serves as that. A write that is refused is no verdict: the row is read again.
//!
//! **Guarantees.** A worker's identity is its lease (session, generation), not its launch. Nobody serves as a generation in which
//! another process may have spoken: cursors and segments begin at 1, under a higher generation, as after any replacement.
//! A claim and the controller's next word are writes of the same revision, so exactly one of the two stands. A crash is a crash:
//! it counts against the restart budget as if the controller had seen it, and when that is spent the controller has the word.
//!
//! **Assumption.** Of one task at most one process runs at a time (ECS starts a container again when it has ended).

use crate::life::lifecycle::EXIT_LEASE_LOST;
use schemas::ids::{Generation, TaskArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{HEALTHY_AFTER_MS, Phase, RESTART_BUDGET, Restarts, WorkerRow};

/// What a process knows of itself before it has read anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The launch of its task.
    pub launched: Generation,
    /// The task that it runs in; `None` when nobody told, and then it can claim nothing.
    pub task: Option<TaskArn>,
    /// How often a worker may crash.
    pub budget: Budget,
}

/// How often a worker may crash: the same numbers as the controller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Failures in a row.
    pub restarts: u32,
    /// A worker that served for so long begins a new count, ms.
    pub healthy_after_ms: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { restarts: RESTART_BUDGET, healthy_after_ms: HEALTHY_AFTER_MS }
    }
}

/// What the row says to a process that has just begun.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// Serve as the generation of this row: nobody has spoken as it.
    Serve(Box<WorkerRow>),
    /// An earlier life within this task has: take the next generation first.
    Claim(Box<Claim>),
    /// End at once.
    Leave {
        /// The exit code.
        code: u8,
        /// Why, for the log.
        why: String,
    },
}

/// One conditional write: the row must still be `before` (generation, revision, phase and task), and becomes `after`.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// As it was read.
    pub before: WorkerRow,
    /// As it reads afterwards.
    pub after: WorkerRow,
}

impl Claim {
    /// Whether the table takes this claim while the row reads so.
    #[must_use]
    pub fn stands(&self, current: &WorkerRow) -> bool {
        let lock = |row: &WorkerRow| {
            (row.generation, row.revision, row.phase, row.task.as_ref().map(|facts| facts.arn.clone()))
        };
        lock(current) == lock(&self.before)
    }

    /// The row as it reads when this claim is written over `current`: the orders, the task, what operators have ordered and what was published
    /// stay as they are.
    #[must_use]
    pub fn over(&self, current: &WorkerRow) -> WorkerRow {
        WorkerRow {
            intent: current.intent.clone(),
            task: current.task.clone(),
            operator: current.operator.clone(),
            published: current.published.clone(),
            ..self.after.clone()
        }
    }

    /// What is kept of the generation that has ended.
    #[must_use]
    pub fn history(&self) -> WorkerRow {
        let why = self.after.why.clone();
        WorkerRow { phase: Phase::Failed, phase_since: why.at, why, next_look_at: None, ..self.before.clone() }
    }
}

/// What a process that has just begun does with the row that it has read at `now`.
#[must_use]
pub fn decide(row: Option<WorkerRow>, process: &Process, now: Timestamp) -> Start {
    let Some(row) = row else { return not_ours("the session has no row".into()) };
    let named = process.task.as_ref().is_some_and(|task| row.names(task));
    let launched = row.generation == process.launched;
    let claimed = named && row.generation > process.launched;
    if !launched && !claimed {
        return not_ours(format!("generation {} owns the session now", row.generation));
    }
    if row.phase.is_final() {
        return Start::Leave { code: 0, why: format!("the session has ended already: {}", row.why.text) };
    }
    if row.intent.as_ref().is_some_and(|intent| intent.desired.is_to_leave()) {
        return Start::Leave { code: 0, why: format!("a stop is wanted already: {}", row.why.text) };
    }
    if row.phase == Phase::Queued {
        return not_ours(format!("generation {} has been given up: {}", row.generation, row.why.text));
    }
    if row.worker.is_none() {
        return Start::Serve(Box::new(row));
    }
    if !named {
        return not_ours(format!(
            "a worker of another task, or of one that nobody knows, speaks as generation {}",
            row.generation
        ));
    }
    claim(row, process.budget, now)
}

fn not_ours(why: String) -> Start {
    Start::Leave { code: EXIT_LEASE_LOST, why }
}

fn claim(before: WorkerRow, budget: Budget, now: Timestamp) -> Start {
    let failures = if before.was_healthy(budget.healthy_after_ms) { 0 } else { before.restarts.consecutive };
    let consecutive = failures.saturating_add(1);
    if consecutive > budget.restarts {
        return not_ours(format!(
            "{failures} workers in a row have failed: what follows is the controller's to decide"
        ));
    }
    let text =
        format!("the process of generation {} ended unexpectedly; ECS restarted it within its task", before.generation);
    let why = Why::new(Cause::WorkerCrashed, text, now);
    let after = WorkerRow {
        revision: before.revision + 1,
        generation: before.generation.next(),
        phase: Phase::Joining,
        phase_since: now,
        why: why.clone(),
        // The controller tells the bus, and sees that the new life speaks.
        next_look_at: Some(now),
        restarts: Restarts { consecutive, not_before: None, last: Some(why) },
        worker: None,
        channel_deleted_at: None,
        ..before.clone()
    };
    Start::Claim(Box::new(Claim { before, after }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::lifecycle::Farewell;
    use schemas::worker::CHOSEN_EXITS;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const OURS: &str = "arn:aws:ecs:us-east-1:123456789012:task/workers/0123456789abcdef0123456789abcdef";
    const OTHER: &str = "arn:aws:ecs:us-east-1:123456789012:task/workers/fedcba9876543210fedcba9876543210";

    /// Live as generation 2, in this process's task.
    fn live(change: impl FnOnce(&mut Value)) -> WorkerRow {
        let mut row = json!({
            "sessionId": "a-b-1", "schema": 1, "revision": 7, "generation": 2, "phase": "Live", "phaseSince": NOW.0 - 90_000,
            "why": Why::new(Cause::SessionActive, "wanted", NOW), "nextLookAt": NOW.0 + 9_000,
            "intent": {
                "desired": "run", "channelArn": null, "streamArn": null, "sourceLanguage": "en",
                "expiresAt": NOW.0 + 3_600_000, "decidedAt": NOW.0 - 100_000, "wantedSince": NOW.0 - 500_000,
            },
            "task": {"arn": OURS, "lastStatus": "RUNNING", "launchedAt": NOW.0 - 100_000},
            "restarts": {"consecutive": 1},
            "worker": {
                "version": "1", "heartbeatAt": NOW.0 - 2_000, "startUp": {"processAt": NOW.0 - 80_000}, "progress": {},
                "languages": {}, "rung": "full", "cpuMs": 0, "peakMemoryBytes": 0,
                "media": {"packets": 0, "lost": 0, "jitterMs": 0.0, "concealedMs": 0, "mediaMs": 0},
                "usage": {"transcribedMs": 7, "transcribeStreams": 1, "translatedCharacters": 0, "translations": 0,
                    "posts": 0, "postsFailed": 0},
            },
        });
        change(&mut row);
        serde_json::from_value(row).unwrap()
    }

    fn process() -> Process {
        Process { launched: Generation(2), task: TaskArn::try_new(OURS).ok(), budget: Budget::default() }
    }

    fn claimed(row: WorkerRow) -> Claim {
        match decide(Some(row), &process(), NOW) {
            Start::Claim(claim) => *claim,
            other @ (Start::Serve(_) | Start::Leave { .. }) => panic!("{other:?}"),
        }
    }

    fn code(row: Option<WorkerRow>, process: &Process) -> Option<u8> {
        match decide(row, process, NOW) {
            Start::Serve(_) | Start::Claim(_) => None,
            Start::Leave { code, .. } => Some(code),
        }
    }

    fn serves(row: WorkerRow, process: &Process) -> bool {
        matches!(decide(Some(row), process, NOW), Start::Serve(_))
    }

    #[test]
    fn a_process_begins_only_when_the_row_is_its_own() {
        let fresh = |generation: u64| {
            live(|row| {
                row["generation"] = json!(generation);
                row["worker"] = Value::Null;
                row["phase"] = json!("Launching");
            })
        };
        assert!(serves(fresh(2), &process()));
        assert_eq!(code(None, &process()), Some(EXIT_LEASE_LOST));
        assert_eq!(code(Some(fresh(1)), &process()), Some(EXIT_LEASE_LOST), "not even of its own task");
        let elsewhere = Process { task: TaskArn::try_new(OTHER).ok(), ..process() };
        assert_eq!(code(Some(fresh(3)), &elsewhere), Some(EXIT_LEASE_LOST));
    }

    #[test]
    fn a_process_that_is_not_wanted_any_more_ends_well() {
        for worker in [true, false] {
            let row = |key: &str, value: &str| {
                live(|row| {
                    if key == "phase" {
                        row["phase"] = json!(value)
                    } else {
                        row["intent"]["desired"] = json!(value)
                    }
                    if !worker {
                        row["worker"] = Value::Null;
                    }
                })
            };
            assert_eq!(code(Some(row("phase", "Stopped")), &process()), Some(0));
            assert_eq!(code(Some(row("phase", "Failed")), &process()), Some(0));
            assert_eq!(code(Some(row("desired", "stop")), &process()), Some(0), "also in the middle of its last words");
            assert_eq!(code(Some(row("desired", "pause")), &process()), None);
        }
    }

    #[test]
    fn a_worker_that_crashed_takes_its_session_over_within_its_task_as_the_next_generation() {
        let claim = claimed(live(|_| {}));
        let after = &claim.after;
        assert_eq!((after.generation, after.revision, after.phase), (Generation(3), 8, Phase::Joining));
        assert_eq!((&after.task, &after.intent), (&claim.before.task, &claim.before.intent));
        assert_eq!((&after.worker, after.next_look_at), (&None, Some(NOW)), "and somebody looks at once");
        assert!(after.why.text.contains("restarted it within its task"), "{}", after.why.text);
        let kept = claim.history();
        assert_eq!((kept.generation, kept.phase, kept.why.cause), (Generation(2), Phase::Failed, Cause::WorkerCrashed));
        assert_eq!(kept.worker.unwrap().usage.transcribed_ms, 7, "what it has used is still to be paid for");
    }

    #[test]
    fn a_life_that_claimed_and_crashed_is_followed_by_the_next_and_one_that_did_not_speak_serves_on() {
        let second = claimed(live(|_| {})).after;
        assert!(
            serves(second.clone(), &process()),
            "nobody has spoken as generation 3: an answer that was lost costs nothing"
        );
        let spoke = WorkerRow { worker: live(|_| {}).worker, ..second };
        assert_eq!(claimed(spoke).after.generation, Generation(4));
    }

    #[test]
    fn nobody_speaks_as_a_generation_in_which_another_task_may_have_spoken() {
        let elsewhere = Process { task: TaskArn::try_new(OTHER).ok(), ..process() };
        let unknown = Process { task: None, ..process() };
        let unnamed = live(|row| row["task"] = Value::Null);
        assert_eq!(code(Some(live(|_| {})), &elsewhere), Some(EXIT_LEASE_LOST));
        assert_eq!(code(Some(live(|_| {})), &unknown), Some(EXIT_LEASE_LOST));
        assert_eq!(code(Some(unnamed), &process()), Some(EXIT_LEASE_LOST));
        assert_eq!(code(Some(live(|row| row["phase"] = json!("Queued"))), &process()), Some(EXIT_LEASE_LOST));
    }

    #[test]
    fn a_claim_stands_only_while_the_row_is_the_one_that_was_read() {
        let claim = claimed(live(|_| {}));
        assert!(claim.stands(&live(|row| row["worker"]["heartbeatAt"] = json!(NOW.0))), "a late heartbeat of the dead");
        for (key, value) in [
            ("generation", json!(3)),
            ("revision", json!(8)),
            ("phase", json!("Draining")),
            ("task", json!({"arn": OTHER, "lastStatus": "RUNNING", "launchedAt": 0})),
        ] {
            assert!(!claim.stands(&live(|row| row[key] = value.clone())), "{key} is {value}");
        }
        assert!(!claim.stands(&claim.after));
    }

    #[test]
    fn whatever_a_worker_decides_to_end_with_is_not_begun_again() {
        for farewell in [Farewell::SessionEnded, Farewell::Interrupted] {
            assert!(CHOSEN_EXITS.contains(&farewell.exit_code()), "{farewell:?}");
        }
        assert!(CHOSEN_EXITS.contains(&EXIT_LEASE_LOST));
        let killed_and_aborted = [137, 134, 139, 101];
        assert!(killed_and_aborted.iter().all(|code| !CHOSEN_EXITS.contains(code)));
    }

    #[test]
    fn a_crash_counts_whoever_sees_it_and_a_spent_budget_is_the_controllers_to_judge() {
        assert_eq!(claimed(live(|_| {})).after.restarts.consecutive, 2);
        let healthy = |row: &mut Value| row["worker"]["startUp"]["processAt"] = json!(NOW.0 - 2_000 - HEALTHY_AFTER_MS);
        assert_eq!(claimed(live(healthy)).after.restarts.consecutive, 1, "a healthy run begins a new count");
        let spent = |row: &mut Value| row["restarts"]["consecutive"] = json!(RESTART_BUDGET);
        assert_eq!(code(Some(live(spent)), &process()), Some(EXIT_LEASE_LOST));
    }
}
