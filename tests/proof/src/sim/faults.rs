//! How often AWS misbehaves, as it documents that it may.

/// Chances in 100,000.
#[derive(Debug, Clone)]
pub struct Weather {
    /// A trigger (stream record, task event) never arrives.
    pub trigger_lost: u32,
    /// A trigger arrives again, later.
    pub trigger_repeated: u32,
    /// An invocation is shaky: its calls may wait, and any may be its last.
    pub shaky: u32,
    /// A read or write of a table is throttled, per call.
    pub table_throttled: u32,
    /// A write of a table is done, and its answer is lost, per call.
    pub table_answer_lost: u32,
    /// ListTasks or DescribeTasks fail, per call.
    pub blind: u32,
    /// RunTask starts the task, and its answer is lost.
    pub answer_lost: u32,
    /// RunTask is not even received.
    pub call_lost: u32,
    /// RunTask answers 200 with `failures[]`, or hides a throttle in a text.
    pub refused: u32,
    /// RunTask answers with a conflict that names the task of its token.
    pub conflict: u32,
    /// StopTask fails.
    pub stop_failed: u32,
    /// A task never begins.
    pub stuck: u32,
    /// A task fails to start.
    pub not_started: u32,
    /// A worker meets something, per worker and five minutes: a crash, a hang, a cut-off, an interruption.
    pub accident: u32,
    /// Room for new tasks runs out for some minutes, per minute.
    pub room_ends: u32,
}

impl Weather {
    /// Nothing goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            trigger_lost: 0,
            trigger_repeated: 0,
            shaky: 0,
            table_throttled: 0,
            table_answer_lost: 0,
            blind: 0,
            answer_lost: 0,
            call_lost: 0,
            refused: 0,
            conflict: 0,
            stop_failed: 0,
            stuck: 0,
            not_started: 0,
            accident: 0,
            room_ends: 0,
        }
    }
    /// Far worse than a bad day: about two faults in every session's hour.
    #[must_use]
    pub fn rough() -> Self {
        Self {
            trigger_lost: 10_000,
            trigger_repeated: 20_000,
            shaky: 10_000,
            table_throttled: 200,
            table_answer_lost: 200,
            blind: 500,
            answer_lost: 5_000,
            call_lost: 5_000,
            refused: 5_000,
            conflict: 2_000,
            stop_failed: 5_000,
            stuck: 2_000,
            not_started: 2_000,
            accident: 8_000,
            room_ends: 500,
        }
    }
    /// Everything fails often.
    #[must_use]
    pub fn storm() -> Self {
        Self {
            trigger_lost: 50_000,
            trigger_repeated: 50_000,
            shaky: 50_000,
            table_throttled: 2_000,
            table_answer_lost: 2_000,
            blind: 10_000,
            answer_lost: 15_000,
            call_lost: 15_000,
            refused: 15_000,
            conflict: 10_000,
            stop_failed: 20_000,
            stuck: 5_000,
            not_started: 5_000,
            accident: 20_000,
            room_ends: 2_000,
        }
    }
}
