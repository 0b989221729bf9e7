//! How much of the service is given, and the sentence that listeners read when that changes.
//!
//! | rung | cause |
//! |---|---|
//! | finals only | Translate throttles, the budget of characters is nearly spent, or most listeners cannot take the posts |
//! | original only | translation into a language fails again and again, or the budget is spent |
//! | paused | no transcription stream for longer than three seconds |
//!
//! *Guarantees*: going down is told at once (an outage when it lasts), going up only when the cause has been away for a
//! while, so that nobody reads a message every second.

use crate::outbox::earliest;
use crate::time::MediaInstant;
use schemas::worker::Rung;

/// An outage shorter than this is not worth a message, ms.
const OUTAGE_MS: u64 = 3_000;

/// What strains the service now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strain {
    /// Since when no stream transcribes although one is wanted.
    pub(crate) outage_since: Option<MediaInstant>,
    /// Finals come untranslated.
    pub(crate) untranslated: bool,
    /// Partials are not translated.
    pub(crate) saving: bool,
    /// Most listeners cannot take the posts.
    pub(crate) slow: bool,
}

/// The rung, with hysteresis.
#[derive(Debug)]
pub(crate) struct Ladder {
    /// The rung now.
    pub(crate) rung: Rung,
    /// What listeners were told last.
    pub(crate) sentence: &'static str,
    better_since: Option<MediaInstant>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { rung: Rung::Full, sentence: COMPLETE, better_since: None }
    }
}

const COMPLETE: &str = "Captions are complete again.";

impl Ladder {
    /// Judges anew; the message when the rung has changed.
    pub(crate) fn judge(&mut self, strain: &Strain, now: MediaInstant) -> Option<(Rung, &'static str)> {
        if self.rung == Rung::Paused && strain.outage_since.is_some() {
            // A stream that opens and is refused in its first moments has not brought captions back.
            self.better_since = None;
            return None;
        }
        let (rung, sentence) = allowed(strain, now);
        if rung < self.rung {
            let since = *self.better_since.get_or_insert(now);
            if now.since(since) < calm_ms(self.rung) {
                return None;
            }
        }
        self.better_since = None;
        (rung != self.rung).then(|| {
            (self.rung, self.sentence) = (rung, sentence);
            (rung, sentence)
        })
    }

    /// When something is due.
    pub(crate) fn deadline(&self, outage_since: Option<MediaInstant>, now: MediaInstant) -> Option<MediaInstant> {
        let outage = outage_since.filter(|_| self.rung != Rung::Paused).map(|at| at.plus_ms(OUTAGE_MS));
        let better = self.better_since.map(|at| at.plus_ms(calm_ms(self.rung))).filter(|at| *at > now);
        earliest([outage, better])
    }
}

/// How long the cause of a rung must be away before the rung is left, ms.
fn calm_ms(rung: Rung) -> u64 {
    match rung {
        Rung::Full => 0,
        Rung::Paused => 1_000,
        Rung::FinalsOnly => 10_000,
        Rung::OriginalOnly => 3_000,
    }
}

fn allowed(strain: &Strain, now: MediaInstant) -> (Rung, &'static str) {
    if strain.outage_since.is_some_and(|at| now.since(at) >= OUTAGE_MS) {
        return (Rung::Paused, "Captions are interrupted; they come back by themselves.");
    }
    if strain.untranslated {
        let text = "Translation is interrupted; captions come in the speaker's language for now.";
        return (Rung::OriginalOnly, text);
    }
    if strain.slow {
        return (Rung::FinalsOnly, "Captions come as whole sentences for now.");
    }
    if strain.saving {
        return (Rung::FinalsOnly, "Translations come as whole sentences for now.");
    }
    (Rung::Full, COMPLETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_outage_is_not_told_and_a_lasting_one_is_told_once_each_way() {
        let mut ladder = Ladder::default();
        let outage = Strain { outage_since: Some(MediaInstant(1_000)), ..Strain::default() };
        assert_eq!(ladder.judge(&outage, MediaInstant(2_000)), None);
        assert_eq!(ladder.judge(&outage, MediaInstant(4_000)).unwrap().0, Rung::Paused);
        assert_eq!(ladder.judge(&outage, MediaInstant(5_000)), None);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(6_000)), None);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(7_000)).unwrap().0, Rung::Full);
    }

    #[test]
    fn a_stream_that_is_refused_as_soon_as_it_opens_brings_no_good_news() {
        let mut ladder = Ladder::default();
        let outage = |since| Strain { outage_since: Some(MediaInstant(since)), ..Strain::default() };
        assert_eq!(ladder.judge(&outage(0), MediaInstant(3_000)).unwrap().0, Rung::Paused);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(4_000)), None, "it opened");
        for later in [4_010, 5_500, 6_900] {
            assert_eq!(ladder.judge(&outage(4_010), MediaInstant(later)), None, "and was refused: still paused");
        }
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(8_000)), None);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(9_000)).unwrap().0, Rung::Full);
    }

    #[test]
    fn a_strain_that_comes_and_goes_is_told_once() {
        let mut ladder = Ladder::default();
        let told = (0..60).filter(|second| {
            let strain = Strain { saving: second % 2 == 0, ..Strain::default() };
            ladder.judge(&strain, MediaInstant(second * 1_000)).is_some()
        });
        assert_eq!(told.count(), 1);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(69_000)).unwrap().0, Rung::Full);
    }

    #[test]
    fn the_worst_strain_decides() {
        let all = Strain { outage_since: Some(MediaInstant(0)), untranslated: true, saving: true, slow: true };
        assert_eq!(Ladder::default().judge(&all, MediaInstant(5_000)).unwrap().0, Rung::Paused);
        let no_outage = Strain { outage_since: None, ..all };
        assert_eq!(Ladder::default().judge(&no_outage, MediaInstant(5_000)).unwrap().0, Rung::OriginalOnly);
    }
}
