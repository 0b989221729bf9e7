//! What can be broken on purpose: `POST /_local/faults` with the fields to set; the others stay.

use serde::{Deserialize, Serialize};

/// Faults that are waiting to happen. All off unless set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Faults {
    /// So many next calls are throttled (ThrottlingException).
    pub throttle: u32,
    /// So many next RunTask are throttled in the text of another exception (InvalidParameterException), which no SDK retries.
    pub hidden_throttle: u32,
    /// So many next RunTask fail with HTTP 500 *after* they were carried out, so that only the client token tells.
    pub lose_answers: u32,
    /// So many next RunTask find no capacity: HTTP 200 with `failures[]`.
    pub no_capacity: u32,
    /// The reason in those `failures[]`, such as `RESOURCE:ENI`; empty: that capacity is unavailable at this time.
    pub failure_reason: String,
    /// So many next RunTask start their task, but answer ConflictException with its ARN: as if an earlier call with the same
    /// token and other parameters had started it.
    pub conflict: u32,
    /// So many next RunTask kill the functions of the emulator before anything is started.
    pub kill_caller: u32,
    /// So many next RunTask kill the functions of the emulator after the task was started, before they hear of it.
    pub kill_caller_after: u32,
    /// So many next tasks fail to start (CannotPullContainerError).
    pub fail_to_start: u32,
    /// So many next tasks do not get their place, although RunTask said 200: STOPPED with the code `TaskFailedToStart`.
    pub no_place: u32,
    /// The `stoppedReason` of those, such as `Timeout waiting for network interface provisioning to complete.`; empty: that capacity is unavailable at this time.
    pub stopped_reason: String,
    /// A container that ran so long, ms, is started again in place, instead of its task definition's `restartAttemptPeriod`; `null`:
    /// as the task definition says.
    pub restart_after_ms: Option<u32>,
    /// DescribeTasks says MISSING of tasks younger than this, ms.
    pub invisible_ms: u32,
    /// Every event is delivered twice.
    pub duplicate_events: bool,
    /// So many next events are lost.
    pub lose_events: u32,
}

/// Uses up one of `count`; whether there was one.
pub fn take(count: &mut u32) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}
