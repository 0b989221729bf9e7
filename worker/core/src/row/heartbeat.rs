//! When our section of the row is written: every two seconds and with every new phase, one write at a time.

use crate::config::Timing;
use crate::input::WriteId;
use crate::row::waiting::Waits;
use crate::time::MediaInstant;
use schemas::worker::Phase;
use std::collections::VecDeque;

/// A write that is not answered for so long is not waited for, ms.
const ANSWER_MS: u64 = 2_500;
/// Wait after a write that failed, ms.
const RETRY_MS: u64 = 500;

/// Writes whose answers may still come.
const MOST_WRITES: usize = 16;

/// The rhythm of the writes. An answer counts for its own write and for no other: it confirms the lease as of when that was issued, and
/// tells that the row shows the phase that was written with it.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    next_at: MediaInstant,
    not_before: MediaInstant,
    last: WriteId,
    /// The write that is waited for.
    waits_for: Option<WriteId>,
    /// Writes without an answer.
    issued: VecDeque<Issued>,
    /// As it was written last.
    phase: Option<Phase>,
    /// The newest write that was answered, and the phase that the row shows since.
    told: Option<(WriteId, Phase)>,
    /// Only a write after this one is the last of all.
    renewed_after: WriteId,
    /// What waits for its next stage.
    pub(crate) waits: Waits,
}

#[derive(Debug)]
struct Issued {
    id: WriteId,
    at: MediaInstant,
    phase: Phase,
}

impl Heartbeat {
    /// The write that is due, if one is, and whether it tells a new phase; it is taken as issued.
    pub(crate) fn due(&mut self, phase: Phase, now: MediaInstant, timing: &Timing) -> Option<(WriteId, NewPhase)> {
        if now < self.deadline(phase) {
            return None;
        }
        let new = self.phase != Some(phase);
        self.last = WriteId(self.last.0 + 1);
        self.issued.push_back(Issued { id: self.last, at: now, phase });
        if self.issued.len() > MOST_WRITES {
            self.issued.pop_front();
        }
        self.phase = Some(phase);
        self.waits_for = Some(self.last);
        self.next_at = now.plus_ms(timing.heartbeat_ms);
        Some((self.last, if new { NewPhase::Yes } else { NewPhase::No }))
    }

    /// A write was answered: when it was issued. A row that was only read counts from now, and an answer to a write that nobody remembers
    /// from the begin.
    pub(crate) fn answered(&mut self, id: Option<WriteId>, now: MediaInstant) -> MediaInstant {
        let Some(id) = id else { return now };
        let Some(write) = self.landed(id) else { return MediaInstant::default() };
        self.told = self.told.filter(|(newest, _)| *newest > id).or(Some((id, write.phase)));
        write.at
    }

    /// A write failed: if it is the last one, the phase was not told.
    pub(crate) fn failed(&mut self, id: WriteId, now: MediaInstant) {
        let last = self.waits_for == Some(id);
        self.landed(id);
        if last {
            self.phase = None;
            self.not_before = now.plus_ms(RETRY_MS);
        }
    }

    fn landed(&mut self, id: WriteId) -> Option<Issued> {
        self.waits_for.take_if(|waited| *waited == id);
        let place = self.issued.iter().position(|issued| issued.id == id)?;
        self.issued.remove(place)
    }

    /// The next write is due at once, and tells its phase whatever the row shows.
    pub(crate) fn renew(&mut self) {
        (self.phase, self.renewed_after) = (None, self.last);
    }

    /// Whether the row shows this phase for sure.
    pub(crate) fn has_told(&self, phase: Phase) -> bool {
        self.told.is_some_and(|(id, told)| id > self.renewed_after && told == phase)
    }

    /// When the next write is due, in this phase.
    pub(crate) fn deadline(&self, phase: Phase) -> MediaInstant {
        let waited = self.waits_for.and(self.issued.back()).map(|issued| issued.at);
        let answer = waited.map(|at| at.plus_ms(ANSWER_MS));
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

    /// A write that is due: whether it tells a new phase.
    fn due(heartbeat: &mut Heartbeat, phase: Phase, at: u64) -> Option<NewPhase> {
        heartbeat.due(phase, MediaInstant(at), &Timing::default()).map(|(_, new)| new)
    }

    #[test]
    fn a_new_phase_is_told_at_once_and_the_same_phase_in_rhythm() {
        let mut heartbeat = Heartbeat::default();
        assert_eq!(due(&mut heartbeat, Phase::Joining, 0), Some(NewPhase::Yes));
        heartbeat.answered(Some(WriteId(1)), MediaInstant(20));
        assert_eq!(due(&mut heartbeat, Phase::Joining, 1_000), None);
        assert_eq!(due(&mut heartbeat, Phase::Live, 1_100), Some(NewPhase::Yes));
        heartbeat.answered(Some(WriteId(2)), MediaInstant(1_120));
        assert_eq!(due(&mut heartbeat, Phase::Live, 3_100), Some(NewPhase::No));
    }

    #[test]
    fn one_write_waits_for_the_other_and_a_lost_answer_does_not_stop_the_rhythm() {
        let mut heartbeat = Heartbeat::default();
        due(&mut heartbeat, Phase::Joining, 0);
        assert_eq!(due(&mut heartbeat, Phase::Live, 2_000), None);
        assert_eq!(due(&mut heartbeat, Phase::Live, 3_000), Some(NewPhase::Yes));
    }

    #[test]
    fn the_answer_to_an_older_write_is_not_taken_for_that_of_a_newer_one() {
        let mut heartbeat = Heartbeat::default();
        due(&mut heartbeat, Phase::Live, 0);
        assert_eq!(due(&mut heartbeat, Phase::Stopped, 3_000), Some(NewPhase::Yes));
        assert_eq!(heartbeat.answered(Some(WriteId(1)), MediaInstant(3_100)), MediaInstant(0), "the lease as of then");
        assert!(!heartbeat.has_told(Phase::Stopped), "nobody has seen the last write yet");
        heartbeat.failed(WriteId(1), MediaInstant(3_200));
        assert_eq!(heartbeat.answered(Some(WriteId(2)), MediaInstant(3_300)), MediaInstant(3_000));
        assert!(heartbeat.has_told(Phase::Stopped));
        assert_eq!(heartbeat.answered(Some(WriteId(2)), MediaInstant(9_000)), MediaInstant(0), "once");
        assert_eq!(heartbeat.answered(None, MediaInstant(9_000)), MediaInstant(9_000));
    }

    #[test]
    fn a_failed_write_is_tried_again_soon_but_not_in_a_loop() {
        let mut heartbeat = Heartbeat::default();
        due(&mut heartbeat, Phase::Joining, 0);
        heartbeat.failed(WriteId(1), MediaInstant(10));
        assert_eq!(due(&mut heartbeat, Phase::Joining, 10), None);
        assert_eq!(heartbeat.deadline(Phase::Joining), MediaInstant(510));
        assert_eq!(due(&mut heartbeat, Phase::Joining, 510), Some(NewPhase::Yes));
    }
}
