//! Partials that are to be translated into one language, for those who chose each mode: each waits for its turn, and the newest wins.

use crate::outbox::earliest;
use crate::text::Shown;
use crate::text::translate::Parts;
use crate::time::MediaInstant;
use schemas::session::CaptionMode;
use std::collections::BTreeMap;

/// Of one mode: what was asked for last, and what is to be asked for next.
#[derive(Debug, Default)]
struct Offer {
    asked_at: Option<MediaInstant>,
    asked: Option<(u64, Parts)>,
    waiting: Option<(Shown, Parts)>,
}

/// By mode.
#[derive(Debug, Default)]
pub(crate) struct Offers(BTreeMap<CaptionMode, Offer>);

impl Offer {
    /// Whether more waits that will not change than was asked for.
    fn has_grown(&self) -> bool {
        let Some((shown, parts)) = &self.waiting else { return false };
        let before =
            self.asked.as_ref().filter(|(segment, _)| *segment == shown.segment).map(|(_, asked)| &asked.closed);
        before.map_or(&[][..], Vec::as_slice) != parts.closed
    }
}

impl Offers {
    pub(crate) fn offer(&mut self, shown: &Shown, mode: CaptionMode, parts: Parts) {
        let offer = self.0.entry(mode).or_default();
        let known = offer.asked.as_ref().is_some_and(|(segment, p)| *segment == shown.segment && *p == parts);
        if !known {
            offer.waiting = Some((shown.clone(), parts));
        }
    }

    /// This segment is final.
    pub(crate) fn withdraw(&mut self, segment: u64) {
        for offer in self.0.values_mut() {
            offer.waiting.take_if(|(waiting, _)| waiting.segment == segment);
        }
    }

    /// Those whose turn it is. What will not change any more has it at once and goes first.
    pub(crate) fn due(
        &mut self,
        now: MediaInstant,
        gap_ms: impl Fn(CaptionMode) -> u64,
    ) -> Vec<(CaptionMode, Shown, Parts)> {
        let turn = |(mode, offer): (&CaptionMode, &mut Offer)| {
            let grown = offer.has_grown();
            if !grown && offer.asked_at.is_some_and(|at| now.since(at) < gap_ms(*mode)) {
                return None;
            }
            let (shown, mut parts) = offer.waiting.take()?;
            if grown && parts.open.is_some() {
                let closed = Parts { closed: parts.closed.clone(), open: None };
                offer.waiting = Some((shown.clone(), std::mem::replace(&mut parts, closed)));
            }
            offer.asked_at = Some(now);
            offer.asked = Some((shown.segment, parts.clone()));
            Some((*mode, shown, parts))
        };
        self.0.iter_mut().filter_map(turn).collect()
    }

    /// When the next turn comes.
    pub(crate) fn deadline(&self, gap_ms: impl Fn(CaptionMode) -> u64) -> Option<MediaInstant> {
        let turn = |(mode, offer): (&CaptionMode, &Offer)| {
            let asked_at = offer.waiting.as_ref().and(offer.asked_at)?;
            Some(if offer.has_grown() { asked_at } else { asked_at.plus_ms(gap_ms(*mode)) })
        };
        earliest(self.0.iter().map(turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Snapshot;
    use schemas::ids::Language;
    use std::sync::Arc;

    fn shown(segment: u64) -> Shown {
        let source = Language::try_new("en").unwrap();
        Arc::new(Snapshot {
            segment,
            source,
            stable: 0,
            is_final: false,
            order: 0,
            start_ms: 0,
            end_ms: 0,
            items: Vec::new(),
        })
    }

    fn parts(closed: &[&str], open: &str) -> Parts {
        let open = Some(open.to_owned()).filter(|open| !open.is_empty());
        Parts { closed: closed.iter().map(|text| (*text).to_owned()).collect(), open }
    }

    #[test]
    fn what_stays_goes_at_once_and_what_may_change_waits_for_its_turn() {
        let mut offers = Offers::default();
        let mut due = |at: u64, offered: Option<Parts>| {
            if let Some(offered) = offered {
                offers.offer(&shown(1), CaptionMode::Fast, offered);
            }
            let due: Vec<Parts> =
                offers.due(MediaInstant(at), |_| 700).into_iter().map(|(_, _, parts)| parts).collect();
            (due, offers.deadline(|_| 700))
        };
        assert_eq!(due(0, Some(parts(&[], "we"))), (vec![parts(&[], "we")], None));
        assert_eq!(due(300, Some(parts(&[], "we come"))), (vec![], Some(MediaInstant(700))));
        let (closed, next) = due(600, Some(parts(&["we come,"], "all")));
        assert_eq!((closed, next), (vec![parts(&["we come,"], "")], Some(MediaInstant(1_300))), "without what follows");
        assert_eq!(due(1_300, None), (vec![parts(&["we come,"], "all")], None));
        assert_eq!(due(2_100, Some(parts(&["we come,"], "all"))), (vec![], None), "nothing new");
    }

    #[test]
    fn nothing_of_a_segment_is_translated_as_a_partial_once_its_final_is_there() {
        let mut offers = Offers::default();
        offers.offer(&shown(1), CaptionMode::Usual, parts(&["we come,"], ""));
        offers.withdraw(1);
        assert!(offers.due(MediaInstant(0), |_| 0).is_empty());
    }
}
