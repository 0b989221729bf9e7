//! Rules broken on purpose: a checker that cannot fail proves nothing.

use controller_core::action::{Action, Plan};
use controller_core::model::{Policy, View};
use schemas::ids::Timestamp;
use schemas::worker::Phase;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing.
    None,
    /// A launch does not write its intent first.
    LaunchWithoutIntent,
    /// The controller's writes demand nothing of the row.
    WriteWithoutLock,
    /// RunTask gets a new token with each call.
    FreshTokenPerCall,
    /// The worker's writes demand nothing of the row.
    WorkerWithoutFence,
    /// A worker speaks whether or not its lease has been confirmed.
    WorkerWithoutLease,
    /// Listeners take the words of any worker.
    ListenersFollowAnybody,
    /// A worker that cannot reach the table never leaves by itself.
    WorkerStaysForEver,
    /// A session that is ended is launched again when its task has ended.
    RetryBeatsStop,
    /// Older tasks are left alone.
    OrphansAreLeft,
    /// The schedule reads no open row.
    OpenRowsAreForgotten,
    /// A worker that does not end when asked is never stopped.
    NoStopAtTheDeadline,
    /// The session row is read before ours.
    SessionReadFirst,
    /// Decisions do not know of holds.
    HoldsAreNotRead,
    /// A write is taken although a hold was written since its decision.
    HoldIsNoLock,
    /// Sweeps do not count who hands over.
    HandoversAreNotCounted,
    /// The next worker is started while the old one hands over.
    NextBeforeTheOldHasLeft,
    /// A worker that was started again in place claims whatever the row has become since it was read.
    ClaimWithoutLock,
    /// A controller takes every task for what its launch says, also one whose worker has claimed a later generation.
    TasksAreTheirLaunches,
}

/// The real decision, or the one that is broken so.
#[must_use]
pub fn reconcile(mutation: Mutation, view: &View, policy: &Policy, now: Timestamp) -> Plan {
    let mut plan = if mutation == Mutation::HoldsAreNotRead {
        controller_core::reconcile(&without_hold(view), policy, now)
    } else {
        controller_core::reconcile(view, policy, now)
    };
    match mutation {
        Mutation::None
        | Mutation::WriteWithoutLock
        | Mutation::FreshTokenPerCall
        | Mutation::WorkerWithoutFence
        | Mutation::WorkerWithoutLease
        | Mutation::ListenersFollowAnybody
        | Mutation::WorkerStaysForEver
        | Mutation::SessionReadFirst
        | Mutation::HoldsAreNotRead
        | Mutation::HoldIsNoLock
        | Mutation::OpenRowsAreForgotten
        | Mutation::HandoversAreNotCounted
        | Mutation::ClaimWithoutLock
        | Mutation::TasksAreTheirLaunches => {}
        Mutation::NextBeforeTheOldHasLeft => take_over_at_once(&mut plan),
        Mutation::LaunchWithoutIntent => {
            if plan.actions.iter().any(|action| matches!(action, Action::RunTask { .. })) {
                plan.actions.reverse();
            }
        }
        Mutation::RetryBeatsStop => keep_going(view, &mut plan),
        Mutation::OrphansAreLeft => plan.actions.retain(|action| !is_stop_of_an_orphan(view, action)),
        Mutation::NoStopAtTheDeadline => {
            let draining = view.worker.as_ref().is_some_and(|row| row.phase == Phase::Draining || row.phase.is_final());
            plan.actions.retain(|action| !(draining && matches!(action, Action::StopTask { .. })));
        }
    }
    plan
}

fn without_hold(view: &View) -> View {
    let mut view = view.clone();
    if let Some(row) = &mut view.worker {
        row.operator.hold = None;
    }
    view
}

/// Turns the beginning of a handover into its end.
fn take_over_at_once(plan: &mut Plan) {
    let mut launch = None;
    for action in &mut plan.actions {
        if let Action::Write(write) = action
            && write.hands_over()
            && let Some(transition) = &mut write.transition
        {
            transition.phase = Phase::Launching;
            write.generation = write.generation.next();
            write.task = None;
            launch = Some(Action::RunTask { generation: write.generation });
        }
    }
    plan.actions.extend(launch);
}

/// Turns the end of a drained row into its next launch.
fn keep_going(view: &View, plan: &mut Plan) {
    let Some(row) = view.worker.as_ref().filter(|row| row.phase == Phase::Draining) else { return };
    let mut launch = None;
    for action in &mut plan.actions {
        if let Action::Write(write) = action
            && let Some(transition) = &mut write.transition
            && transition.phase == Phase::Stopped
        {
            transition.phase = Phase::Launching;
            write.generation = row.generation.next();
            write.next_look_at = row.next_look_at;
            launch = Some(Action::RunTask { generation: write.generation });
        }
    }
    plan.actions.extend(launch);
}

fn is_stop_of_an_orphan(view: &View, action: &Action) -> bool {
    let Action::StopTask { arn, .. } = action else { return false };
    let Some(row) = &view.worker else { return false };
    view.known_tasks().iter().any(|task| task.arn == *arn && task.generation < row.generation)
}
