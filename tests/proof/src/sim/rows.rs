//! What happens to the rows: their side and operators write as they please, the controller only under its condition.

use super::broken::Broken;
use super::schedule::{Edit, Event};
use super::world::{Session, Task, World, name, number};
use crate::invariants::{self, Basis, Invariant, Violation};
use crate::model::operator::{self, Ordered};
use controller_core::action::RowWrite;
use controller_core::{handover, restart};
use schemas::ids::{ChannelArn, SessionId, Timestamp};
use schemas::reason::Cause;
use schemas::session::read_session;
use schemas::worker::{Phase, WorkerRow};
use serde_json::json;

impl World {
    /// A session row changes.
    pub fn edit(&mut self, n: usize, edit: Edit) {
        self.tell(n, "the session row changes", edit as u64);
        let now = self.now;
        let session = &mut self.sessions[n];
        session.version += 1;
        let status = match edit {
            Edit::End => "ended",
            Edit::Pause => "paused",
            Edit::Deactivate | Edit::Resume | Edit::Replace | Edit::Delete => "active",
        };
        if edit == Edit::Replace {
            session.run += 1;
            session.expires_at = now.plus_ms(24 * 3_600_000);
        }
        session.wanted = match edit {
            Edit::Pause | Edit::Resume | Edit::Replace => true,
            Edit::End | Edit::Deactivate | Edit::Delete => false,
        };
        session.over = if session.wanted { None } else { session.over.or(Some(now)) };
        let channel =
            format!("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-{}/{}", name(n), session.run);
        let row = json!({
            "sessionId": name(n).as_str(), "status": status, "sourceLanguage": "en", "kvsChannelArn": channel,
            "isActive": edit != Edit::Deactivate, "createdAt": session.began.0, "expiresAt": session.expires_at.0 / 1_000,
        });
        session.record = row.as_object().filter(|_| edit != Edit::Delete).map(read_session);
        self.trigger(Event::Record(n));
    }

    /// A channel is deleted: of a run whose row is final and whose task has ended, and that its session row does not want.
    pub fn channel_goes(&mut self, arn: &ChannelArn) {
        let run = |arn: &str| arn.rsplit('/').next().and_then(|run| run.parse::<u32>().ok());
        let of = arn.as_str().rsplit('/').nth(1).and_then(|channel| channel.strip_prefix("session-"));
        let Some(n) = of.and_then(|id| SessionId::try_new(id).ok()).map(|id| number(&id)) else { return };
        let Some(session) = self.sessions.get(n) else { return };
        let wanted = run(arn.as_str()) == Some(session.run) && session.wanted && session.expires_at > self.now;
        let is_final = session.row.as_ref().is_some_and(|row| row.phase.is_final());
        self.deleted_channels += 1;
        self.tell(n, "its channel is deleted, run", u64::from(run(arn.as_str()).unwrap_or(0)));
        if wanted || !is_final {
            let seen = format!("the channel {arn} was deleted while its run was wanted, or not ended");
            self.hold(n, Err(Violation::of(Invariant::IntentBeforeEffect, seen)));
        }
    }

    /// An order of an operator is written into the row, if there is one.
    pub fn order(&mut self, n: usize, order: Ordered, hold_ms: i64) {
        let now = self.now;
        let Some(row) = &mut self.sessions[n].row else { return };
        operator::set(row, order, now, hold_ms);
        // As many at once as the operators of so many sessions need, so that all have had their turn before the end.
        row.operator.order.iter_mut().for_each(|order| order.at_once = Some(20));
        self.orders += 1;
        self.tell(n, "an operator orders (0 hold, 1 release, 2 stop, 3 restart, 4 drain)", order as u64);
        self.trigger(Event::Record(n));
    }

    /// The conditional write of the real table.
    pub fn write(
        &mut self,
        n: usize,
        read: Option<&WorkerRow>,
        write: &RowWrite,
        version: u64,
        now: Timestamp,
    ) -> Option<WorkerRow> {
        self.beat_until_now(n);
        let hold_locks = !matches!(self.broken_rule, Broken::HoldsAreNotRead | Broken::HoldIsNoLock);
        let lock = |row: &WorkerRow| {
            let heartbeat = row.worker.as_ref().map(|worker| worker.heartbeat_at).filter(|_| write.gives_up(row));
            let hold = row.operator.hold.as_ref().map(|hold| hold.until).filter(|_| hold_locks);
            (row.revision, row.phase, heartbeat, hold)
        };
        // The phase is compared as this release reads it: `schemas::table::workers::still_reads`.
        let current = self.as_read(n, self.release);
        if current.as_ref().map(lock) != read.map(lock) && self.broken_rule != Broken::WriteWithoutLock {
            return None;
        }
        let release = self.release;
        let session = &mut self.sessions[n];
        let after = write.applied(session.row.as_ref(), &name(n), now);
        let ends = |row: &WorkerRow| row.phase.is_final() || row.phase == Phase::Draining;
        let mut held = Ok(());
        let basis = Basis { read: version, ended_by: session.ended_by };
        let holds =
            session.row.as_ref().map_or(Ok(()), |before| invariants::reason_never_worsens(before, &after, basis));
        if ends(&after) && session.row.as_ref().is_none_or(|row| !ends(row) || row.generation != after.generation) {
            session.ended_by = version;
        }
        if let Some(before) = &session.row {
            let lives = |task: &Task| task.lease == before.generation && task.lives();
            // A row that was told that there is no room knows of no task, even if another call has started one.
            let waits = before.phase == Phase::Queued && before.task.is_none();
            let lives = !waits && session.tasks.iter().any(lives);
            held = invariants::held_row_untouched(before, &after, lives, now);
        }
        let rolls = after.phase == Phase::Draining && after.why.text.contains(" takes the place of ");
        self.rolled += u64::from(rolls && !session.between_workers);
        let was = session.between_workers;
        session.between_workers = invariants::is_between_workers(was, session.row.as_ref(), &after) && (was || rolls);
        if handover::is_under_way(&after) {
            session.handed_over = Some(after.generation);
        }
        session.announced = session.announced.max(after.generation);
        session.given_up = session.given_up.max(invariants::given_up(&after));
        for task in session.tasks.iter_mut().filter(|task| task.lease < after.generation) {
            task.replaced_at.get_or_insert(now);
        }
        session.writers.controller = release;
        let silent = session.row.as_ref().filter(|row| {
            row.generation < after.generation && after.why.cause == Cause::HeartbeatLost && !row.phase.is_final()
        });
        let last_sign = silent.and_then(|row| row.worker.as_ref()).map(|worker| worker.heartbeat_at);
        session.row = Some(after.clone());
        let true_now = self.now;
        self.replaced_after.extend(last_sign.map(|at| true_now.since(at)));
        self.hold(n, holds);
        self.hold(n, held);
        if self.sessions[n].between_workers && !was {
            let rolled = self.sessions.iter().filter(|session| session.between_workers).count();
            self.hold(n, invariants::one_handover_at_a_time(rolled));
        }
        self.tell(n, row_story(after.phase), after.generation.0);
        self.wake_workers(n);
        self.check(n);
        Some(after)
    }
}

/// A session is passed when it waits for its turn for so long, and nobody looks at it, ms.
const PASSED_MS: i64 = 300_000;
/// Where nothing fails, it is passed by whoever came so much later, ms: passes that overlap, and clocks that are apart.
const PASSED_IN_CALM_MS: i64 = 15_000;
/// There, whoever was looked at so lately is being launched beside the others of the same pass.
const ITS_TURN_MS: i64 = 5_000;

impl World {
    /// [`Invariant::QueueIsFair`]: a launch that was decided just now passes nobody who is wanted for longer, waits for nothing but a turn, and was not
    /// looked at for long.
    pub fn nobody_is_passed(&mut self, n: usize, decided_at: Option<Timestamp>) {
        let now = self.now;
        let wanted = |row: &WorkerRow| row.intent.as_ref().and_then(|intent| intent.wanted_since);
        let Some(since) = self.sessions[n].row.as_ref().and_then(wanted) else { return };
        if decided_at.is_none_or(|at| now.since(at) > 10_000) {
            return; // the same launch again
        }
        let calm = self.limits.is_some() && self.incident.is_none();
        let passed_ms = if calm { PASSED_IN_CALM_MS } else { PASSED_MS };
        let is_passed = |session: &&Session| {
            // Who is parked waits for a fault to heal, which another invariant is about.
            let queued = |row: &&WorkerRow| row.phase == Phase::Queued && !restart::is_parked(row.phase, row.why.cause);
            let row = session.row.as_ref().filter(queued);
            let ready = row.map(|row| row.restarts.not_before.map_or(row.phase_since, |at| at.max(row.phase_since)));
            let older = row.and_then(wanted).is_some_and(|theirs| since.since(theirs) > passed_ms);
            let long = |at: Timestamp| now.since(at) > passed_ms;
            let unseen = now.since(session.looked_at) > if calm { ITS_TURN_MS } else { PASSED_MS };
            older && session.wanted && session.expires_at > now && ready.is_some_and(long) && unseen
        };
        let (first, last) = self.active(0);
        let passed = self.sessions[first..last].iter().filter(is_passed).count();
        self.hold(n, invariants::queue_is_fair(passed));
    }
}

/// How a row's phase is told in a session's story.
#[must_use]
pub const fn row_story(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "the row is Queued, generation",
        Phase::Launching => "the row is Launching, generation",
        Phase::Joining => "the row is Joining, generation",
        Phase::WaitingForSpeaker => "the row is WaitingForSpeaker, generation",
        Phase::Live => "the row is Live, generation",
        Phase::Paused => "the row is Paused, generation",
        Phase::Draining => "the row is Draining, generation",
        Phase::Stopped => "the row is Stopped, generation",
        Phase::Failed => "the row is Failed, generation",
    }
}
