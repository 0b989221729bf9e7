//! When our section of the row is written: every two seconds and with every new phase, one write at a time.

use crate::config::Timing;
use crate::row::waiting::Waits;
use crate::time::MediaInstant;
use schemas::worker::Phase;

/// A write that is not answered for so long is not waited for, ms.
const ANSWER_MS: u64 = 2_500;
/// Wait after a write that failed, ms.
const RETRY_MS: u64 = 500;

/// The rhythm of the writes.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    next_at: MediaInstant,
    not_before: MediaInstant,
    issued_at: Option<MediaInstant>,
    phase: Option<Phase>,
    /// What waits for its next stage.
    pub(crate) waits: Waits,
}

impl Heartbeat {
    /// Whether a write is due, and whether it tells a new phase; the write is taken as issued.
    pub(crate) fn due(&mut self, phase: Phase, now: MediaInstant, timing: &Timing) -> Option<NewPhase> {
        let new = self.phase != Some(phase);
        let waits = self.issued_at.is_some_and(|at| now.since(at) < ANSWER_MS);
        if waits || now < self.not_before || (now < self.next_at && !new) {
            return None;
        }
        self.phase = Some(phase);
        self.issued_at = Some(now);
        self.next_at = now.plus_ms(timing.heartbeat_ms);
        Some(if new { NewPhase::Yes } else { NewPhase::No })
    }

    /// A write was answered: when it was issued. A row that was only read counts from now.
    pub(crate) fn answered(&mut self, now: MediaInstant) -> MediaInstant {
        self.issued_at.take().unwrap_or(now)
    }

    /// A write failed: the phase was not told.
    pub(crate) fn failed(&mut self, now: MediaInstant) {
        if self.issued_at.take().is_some() {
            self.phase = None;
            self.not_before = now.plus_ms(RETRY_MS);
        }
    }

    /// The next write is due at once, and tells its phase whatever the row shows.
    pub(crate) fn renew(&mut self) {
        self.phase = None;
    }

    /// Whether the row shows this phase for sure.
    pub(crate) fn has_told(&self, phase: Phase) -> bool {
        self.phase == Some(phase) && self.issued_at.is_none()
    }

    /// When the next write is due, in this phase.
    pub(crate) fn deadline(&self, phase: Phase) -> MediaInstant {
        let answer = self.issued_at.map(|at| at.plus_ms(ANSWER_MS));
        let rhythm = (self.phase == Some(phase)).then_some(self.next_at);
        [answer, rhythm].into_iter().flatten().fold(self.not_before, MediaInstant::max)
    }
}

/// Whether a write tells a phase that the row does not show yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewPhase {
    /// It does.
    Yes,
    /// It repeats the phase.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_phase_is_told_at_once_and_the_same_phase_in_rhythm() {
        let (mut heartbeat, timing) = (Heartbeat::default(), Timing::default());
        assert_eq!(heartbeat.due(Phase::Joining, MediaInstant(0), &timing), Some(NewPhase::Yes));
        heartbeat.answered(MediaInstant(20));
        assert_eq!(heartbeat.due(Phase::Joining, MediaInstant(1_000), &timing), None);
        assert_eq!(heartbeat.due(Phase::Live, MediaInstant(1_100), &timing), Some(NewPhase::Yes));
        heartbeat.answered(MediaInstant(1_120));
        assert_eq!(heartbeat.due(Phase::Live, MediaInstant(3_100), &timing), Some(NewPhase::No));
    }

    #[test]
    fn one_write_waits_for_the_other_and_a_lost_answer_does_not_stop_the_rhythm() {
        let (mut heartbeat, timing) = (Heartbeat::default(), Timing::default());
        heartbeat.due(Phase::Joining, MediaInstant(0), &timing);
        assert_eq!(heartbeat.due(Phase::Live, MediaInstant(2_000), &timing), None);
        assert_eq!(heartbeat.due(Phase::Live, MediaInstant(3_000), &timing), Some(NewPhase::Yes));
    }

    #[test]
    fn a_failed_write_is_tried_again_soon_but_not_in_a_loop() {
        let (mut heartbeat, timing) = (Heartbeat::default(), Timing::default());
        heartbeat.due(Phase::Joining, MediaInstant(0), &timing);
        heartbeat.failed(MediaInstant(10));
        assert_eq!(heartbeat.due(Phase::Joining, MediaInstant(10), &timing), None);
        assert_eq!(heartbeat.deadline(Phase::Joining), MediaInstant(510));
        assert_eq!(heartbeat.due(Phase::Joining, MediaInstant(510), &timing), Some(NewPhase::Yes));
    }
}
