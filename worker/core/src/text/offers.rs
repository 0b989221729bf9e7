//! What may still change and is to be translated into one language, for those who chose each mode: each waits for its turn, and the newest
//! wins.

use crate::outbox::earliest;
use crate::text::translate::OpenText;
use crate::time::MediaInstant;
use schemas::session::CaptionMode;
use std::collections::BTreeMap;

/// Of one mode: what was asked for last, and what is to be asked for next.
#[derive(Debug, Default)]
struct Offer {
    asked_at: Option<MediaInstant>,
    asked: Option<OpenText>,
    waiting: Option<OpenText>,
}

/// By mode.
#[derive(Debug, Default)]
pub(crate) struct Offers(BTreeMap<CaptionMode, Offer>);

impl Offers {
    pub(crate) fn offer(&mut self, open: OpenText) {
        let offer = self.0.entry(open.mode).or_default();
        let same = |asked: &OpenText| {
            asked.shown.segment == open.shown.segment && asked.behind == open.behind && asked.text == open.text
        };
        if !offer.asked.as_ref().is_some_and(same) {
            offer.waiting = Some(open);
        }
    }

    /// This segment is final.
    pub(crate) fn withdraw(&mut self, segment: u64) {
        for offer in self.0.values_mut() {
            offer.waiting.take_if(|waiting| waiting.shown.segment == segment);
        }
    }

    /// Those whose turn it is.
    pub(crate) fn due(&mut self, now: MediaInstant, gap_ms: impl Fn(CaptionMode) -> u64) -> Vec<OpenText> {
        let turn = |(mode, offer): (&CaptionMode, &mut Offer)| {
            if offer.asked_at.is_some_and(|at| now.since(at) < gap_ms(*mode)) {
                return None;
            }
            let open = offer.waiting.take()?;
            (offer.asked_at, offer.asked) = (Some(now), Some(open.clone()));
            Some(open)
        };
        self.0.iter_mut().filter_map(turn).collect()
    }

    /// When the next turn comes.
    pub(crate) fn deadline(&self, gap_ms: impl Fn(CaptionMode) -> u64) -> Option<MediaInstant> {
        let turn = |(mode, offer): (&CaptionMode, &Offer)| {
            offer.waiting.as_ref().and(offer.asked_at).map(|at| at.plus_ms(gap_ms(*mode)))
        };
        earliest(self.0.iter().map(turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::snapshot;
    use std::sync::Arc;

    fn open(text: &str, behind: usize) -> OpenText {
        let shown = Arc::new(snapshot(text, 0, "en"));
        OpenText { shown, mode: CaptionMode::Fast, behind, text: text.to_owned() }
    }

    #[test]
    fn what_may_change_waits_for_its_turn_and_the_newest_wins() {
        let mut offers = Offers::default();
        let mut due = |at: u64, offered: &[(&str, usize)]| {
            offered.iter().for_each(|(text, behind)| offers.offer(open(text, *behind)));
            let due: Vec<String> = offers.due(MediaInstant(at), |_| 700).into_iter().map(|open| open.text).collect();
            (due, offers.deadline(|_| 700))
        };
        assert_eq!(due(0, &[("we", 0)]), (vec!["we".to_owned()], None));
        assert_eq!(due(300, &[("we come", 0), ("we come all", 0)]), (vec![], Some(MediaInstant(700))));
        assert_eq!(due(700, &[]), (vec!["we come all".to_owned()], None));
        assert_eq!(due(1_500, &[("we come all", 0)]), (vec![], None), "nothing new");
        assert_eq!(due(1_600, &[("we come all", 1)]), (vec!["we come all".to_owned()], None), "said again");
    }

    #[test]
    fn nothing_of_a_segment_is_translated_as_a_partial_once_its_final_is_there() {
        let mut offers = Offers::default();
        offers.offer(open("we come", 0));
        offers.withdraw(1);
        assert!(offers.due(MediaInstant(0), |_| 0).is_empty());
    }
}
