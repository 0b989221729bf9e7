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

use super::notices;
use crate::audience::Body;
use crate::cx::Cx;
use crate::outbox::earliest;
use crate::time::MediaInstant;
use schemas::ids::Generation;
use schemas::worker::{Rung, RungCause};

/// An outage shorter than this is not worth a message, ms.
const OUTAGE_MS: u64 = 3_000;

/// What strains the service now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strain {
    /// Since when no stream transcribes although one is wanted.
    pub(crate) outage_since: Option<MediaInstant>,
    /// Finals come untranslated, for this cause.
    pub(crate) untranslated: Option<RungCause>,
    /// Partials are not translated, for this cause.
    pub(crate) saving: Option<RungCause>,
    /// Most listeners cannot take the posts.
    pub(crate) slow: bool,
}

/// How much of the service is given, why, and how listeners read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    /// The rung of the ladder.
    pub(crate) rung: Rung,
    /// Why it is not the uppermost.
    pub(crate) cause: Option<RungCause>,
    /// One sentence for people.
    pub(crate) sentence: &'static str,
}

/// The rung, with hysteresis.
#[derive(Debug)]
pub(crate) struct Ladder {
    /// What is given now, as listeners were told.
    pub(crate) service: Service,
    /// Since when it is so.
    pub(crate) since: MediaInstant,
    /// Listeners may still read what the worker before this one told them: it said that captions move, or died while they were reduced.
    pub(crate) inherited: bool,
    better_since: Option<MediaInstant>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            service: Service { rung: Rung::Full, cause: None, sentence: COMPLETE },
            since: MediaInstant(0),
            inherited: false,
            better_since: None,
        }
    }
}

const COMPLETE: &str = "Captions are complete again.";

impl Ladder {
    /// The ladder of this generation; only the first one finds listeners who were told nothing.
    pub(crate) fn of(generation: Generation) -> Self {
        Self { inherited: generation > Generation(1), ..Self::default() }
    }

    /// Judges anew; the message when the rung has changed.
    pub(crate) fn judge(&mut self, strain: &Strain, now: MediaInstant) -> Option<Service> {
        if self.service.rung == Rung::Paused && strain.outage_since.is_some() {
            // A stream that opens and is refused in its first moments has not brought captions back.
            self.better_since = None;
            return None;
        }
        let allowed = allowed(strain, now);
        if allowed.rung < self.service.rung {
            let since = *self.better_since.get_or_insert(now);
            if now.since(since) < calm_ms(self.service.rung) {
                return None;
            }
        }
        self.better_since = None;
        (allowed.rung != self.service.rung).then(|| {
            (self.service, self.since) = (allowed, now);
            allowed
        })
    }

    /// When something is due.
    pub(crate) fn deadline(&self, outage_since: Option<MediaInstant>, now: MediaInstant) -> Option<MediaInstant> {
        let outage = outage_since.filter(|_| self.service.rung != Rung::Paused).map(|at| at.plus_ms(OUTAGE_MS));
        let better = self.better_since.map(|at| at.plus_ms(calm_ms(self.service.rung))).filter(|at| *at > now);
        earliest([outage, better])
    }
}

/// Judges anew how much of the service is given, and tells it.
pub(crate) fn run(cx: &mut Cx) {
    if !cx.life.cycle.is_serving() {
        // The last thing that listeners hear is the end.
        return;
    }
    if let Some(service) = cx.life.ladder.judge(&strain(cx), cx.now) {
        let cause = service.cause.map(|cause| format!(" ({cause:?})")).unwrap_or_default();
        cx.out.warn("rung", format!("{:?}{cause}: {}", service.rung, service.sentence));
        cx.audience.delivery.tell_all(&Body::Status(service));
        notices::tell_speaker_of_rung(cx, service.rung, service.sentence);
    }
}

/// When the rung may change although nothing happens.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    if !cx.life.cycle.is_serving() {
        return None;
    }
    let changes = cx.life.ladder.deadline(cx.hearing.lanes.outage_since, cx.now);
    earliest([changes, cx.text.translator.eases_at(cx.now)])
}

fn strain(cx: &Cx) -> Strain {
    let (translator, delivery) = (&cx.text.translator, &cx.audience.delivery);
    let fails = translator.fails_into(|language| delivery.hears(language)).then_some(RungCause::TranslationFails);
    Strain {
        outage_since: cx.hearing.lanes.outage_since,
        untranslated: if translator.is_spent(cx.now) { Some(RungCause::BudgetSpent) } else { fails },
        saving: translator.saving(cx.now),
        slow: delivery.is_slow(),
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

fn allowed(strain: &Strain, now: MediaInstant) -> Service {
    let because = |rung, cause, sentence| Service { rung, cause: Some(cause), sentence };
    if strain.outage_since.is_some_and(|at| now.since(at) >= OUTAGE_MS) {
        let sentence = "Captions are interrupted; they come back by themselves.";
        return because(Rung::Paused, RungCause::TranscriptionInterrupted, sentence);
    }
    if let Some(cause) = strain.untranslated {
        let sentence = "Translation is interrupted; captions come in the speaker's language for now.";
        return because(Rung::OriginalOnly, cause, sentence);
    }
    if strain.slow {
        return because(Rung::FinalsOnly, RungCause::PostsThrottled, "Captions come as whole sentences for now.");
    }
    if let Some(cause) = strain.saving {
        return because(Rung::FinalsOnly, cause, "Translations come as whole sentences for now.");
    }
    Service { rung: Rung::Full, cause: None, sentence: COMPLETE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_outage_is_not_told_and_a_lasting_one_is_told_once_each_way() {
        let mut ladder = Ladder::default();
        let outage = Strain { outage_since: Some(MediaInstant(1_000)), ..Strain::default() };
        assert_eq!(ladder.judge(&outage, MediaInstant(2_000)), None);
        assert_eq!(ladder.judge(&outage, MediaInstant(4_000)).unwrap().rung, Rung::Paused);
        assert_eq!(ladder.judge(&outage, MediaInstant(5_000)), None);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(6_000)), None);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(7_000)).unwrap().rung, Rung::Full);
    }

    #[test]
    fn a_stream_that_is_refused_as_soon_as_it_opens_brings_no_good_news() {
        let mut ladder = Ladder::default();
        let outage = |since| Strain { outage_since: Some(MediaInstant(since)), ..Strain::default() };
        assert_eq!(ladder.judge(&outage(0), MediaInstant(3_000)).unwrap().rung, Rung::Paused);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(4_000)), None, "it opened");
        for later in [4_010, 5_500, 6_900] {
            assert_eq!(ladder.judge(&outage(4_010), MediaInstant(later)), None, "and was refused: still paused");
        }
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(8_000)), None);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(9_000)).unwrap().rung, Rung::Full);
    }

    #[test]
    fn a_strain_that_comes_and_goes_is_told_once() {
        let mut ladder = Ladder::default();
        let told = (0..60).filter(|second| {
            let strain = Strain { saving: (second % 2 == 0).then_some(RungCause::BudgetSpent), ..Strain::default() };
            ladder.judge(&strain, MediaInstant(second * 1_000)).is_some()
        });
        assert_eq!(told.count(), 1);
        assert_eq!(ladder.judge(&Strain::default(), MediaInstant(69_000)).unwrap().rung, Rung::Full);
    }

    #[test]
    fn the_worst_strain_decides() {
        let (fails, spent) = (Some(RungCause::TranslationFails), Some(RungCause::BudgetSpent));
        let all = Strain { outage_since: Some(MediaInstant(0)), untranslated: fails, saving: spent, slow: true };
        assert_eq!(Ladder::default().judge(&all, MediaInstant(5_000)).unwrap().rung, Rung::Paused);
        let no_outage = Strain { outage_since: None, ..all };
        assert_eq!(Ladder::default().judge(&no_outage, MediaInstant(5_000)).unwrap().rung, Rung::OriginalOnly);
    }

    #[test]
    fn every_rung_but_the_uppermost_names_its_cause() {
        let cause_of = |strain: Strain| Ladder::default().judge(&strain, MediaInstant(5_000)).and_then(|s| s.cause);
        let none = Strain::default();
        let outage = Strain { outage_since: Some(MediaInstant(0)), ..none };
        assert_eq!(cause_of(outage), Some(RungCause::TranscriptionInterrupted));
        for cause in [RungCause::TranslationFails, RungCause::BudgetSpent, RungCause::TranslationThrottled] {
            assert_eq!(cause_of(Strain { untranslated: Some(cause), ..none }), Some(cause));
            assert_eq!(cause_of(Strain { saving: Some(cause), ..none }), Some(cause));
        }
        assert_eq!(cause_of(Strain { slow: true, ..none }), Some(RungCause::PostsThrottled));
        assert_eq!(Ladder::default().service.cause, None);
    }
}
