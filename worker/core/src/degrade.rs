//! How much of the service is given, and the sentence that listeners read when that changes.

use crate::time::MediaInstant;
use schemas::worker::Rung;

/// An outage shorter than this is not worth a message, ms.
const OUTAGE_MS: u64 = 3_000;

/// The rung, with hysteresis: it goes down when a fault lasts, and up when the fault is over.
#[derive(Debug, Default)]
pub(crate) struct Ladder {
    /// The rung now.
    pub(crate) rung: Rung,
}

impl Ladder {
    /// Judges anew; the message when the rung has changed.
    pub(crate) fn judge(
        &mut self,
        outage_since: Option<MediaInstant>,
        translation_fails: bool,
        now: MediaInstant,
    ) -> Option<(Rung, &'static str)> {
        let lasting = outage_since.is_some_and(|at| now.since(at) >= OUTAGE_MS);
        // An outage that has begun and not lasted yet changes nothing, and neither does one that seems to end.
        let rung = match (lasting, translation_fails) {
            (true, _) => Rung::Paused,
            (false, true) => Rung::OriginalOnly,
            (false, false) => Rung::Full,
        };
        (rung != self.rung).then(|| {
            self.rung = rung;
            (rung, sentence(rung))
        })
    }

    /// When an outage has lasted long enough to be told.
    pub(crate) fn deadline(&self, outage_since: Option<MediaInstant>) -> Option<MediaInstant> {
        outage_since.filter(|_| self.rung != Rung::Paused).map(|at| at.plus_ms(OUTAGE_MS))
    }
}

/// What listeners read.
pub(crate) fn sentence(rung: Rung) -> &'static str {
    match rung {
        Rung::Full => "Captions are complete again.",
        Rung::FinalsOnly => "Captions come as whole sentences for now.",
        Rung::OriginalOnly => "Translation is interrupted; captions come in the speaker's language for now.",
        Rung::Paused => "Captions are interrupted; they come back by themselves.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_outage_is_not_told_and_a_lasting_one_is_told_once_each_way() {
        let mut ladder = Ladder::default();
        let begin = Some(MediaInstant(1_000));
        assert_eq!(ladder.judge(begin, false, MediaInstant(2_000)), None);
        assert_eq!(ladder.judge(begin, false, MediaInstant(4_000)).unwrap().0, Rung::Paused);
        assert_eq!(ladder.judge(begin, false, MediaInstant(5_000)), None);
        assert_eq!(ladder.judge(None, false, MediaInstant(6_000)).unwrap().0, Rung::Full);
    }
}
