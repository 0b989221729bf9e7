//! One language that somebody listens to: its finals in order, its cursors.
//!
//! *Guarantees*: cursors are 1, 2, 3 … without a gap for as long as somebody listens; what was said while nobody did is counted, so
//! that who comes back sees by the gap what they missed. Finals are released in the order in which they were spoken, each once; one that
//! is not translated in time gives way to the next as its original. Nothing of a segment is released after its final, whichever of two open
//! segments becomes final first, but, once, its revision: the translation of an original that had gone out.

use crate::outbox::earliest;
use crate::text::offers::Offers;
use crate::text::quality::Quality;
use crate::text::translate::Parts;
use crate::text::{Shown, Stable};
use crate::time::MediaInstant;
use schemas::ids::Language;
use schemas::session::CaptionMode;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A caption in a listener's language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// What it shows.
    pub(crate) shown: Shown,
    /// The listener's language.
    pub(crate) language: Language,
    /// The caption.
    pub(crate) text: String,
    /// Number of the final.
    pub(crate) cursor: u64,
    /// Rises with each caption of the segment.
    pub(crate) revision: u32,
    /// How much of `text` will not change.
    pub(crate) stable: Stable,
    /// Translation failed; `text` is the original.
    pub(crate) degraded: bool,
    /// It was made for a listener who has just come.
    pub(crate) catch_up: bool,
    /// It takes the place of an original that was sent before.
    pub(crate) revised: bool,
    /// For those who chose this mode; `None` for everybody.
    pub(crate) mode: Option<CaptionMode>,
}

/// A translation of a partial comes within seconds: of older segments nothing comes any more.
const MOST_OVER: usize = 64;
/// Originals that may still be translated, at most.
const ORIGINALS: usize = 16;

#[derive(Debug)]
struct Pending {
    shown: Shown,
    catch_up: bool,
    /// So many finals before it nobody listened to.
    passed: u64,
    since: MediaInstant,
    /// The text and whether it is the original for want of a translation.
    text: Option<(String, bool)>,
}

/// One language.
#[derive(Debug)]
pub(crate) struct Track {
    language: Language,
    /// Cursor of the last final released.
    pub(crate) cursor: u64,
    pending: VecDeque<Pending>,
    /// The newest finals that nobody listened to, and how many there were before those.
    unheard: VecDeque<u64>,
    passed: u64,
    log: VecDeque<Arc<Rendered>>,
    keep: usize,
    revisions: BTreeMap<u64, u32>,
    /// Number of the last final.
    last_final: u64,
    /// The newest segments of which nothing comes any more.
    over: BTreeSet<u64>,
    /// Finals that went out as their originals, by segment.
    originals: BTreeMap<u64, Arc<Rendered>>,
    offers: Offers,
    /// The segment and the characters of it that were shown last to those who read settled words alone.
    settled: (u64, u32),
    /// What listeners of this language get.
    pub(crate) quality: Quality,
}

impl Track {
    pub(crate) fn new(language: Language, keep: usize) -> Self {
        Self {
            quality: Quality::of(&language),
            language,
            cursor: 0,
            pending: VecDeque::new(),
            unheard: VecDeque::new(),
            passed: 0,
            log: VecDeque::new(),
            keep,
            revisions: BTreeMap::new(),
            last_final: 0,
            over: BTreeSet::new(),
            originals: BTreeMap::new(),
            offers: Offers::default(),
            settled: (0, 0),
        }
    }

    /// A final that nobody listens to. It may still be wanted: the last ones are given to who comes.
    pub(crate) fn pass_over(&mut self, shown: &Shown) {
        self.end(shown.segment);
        self.revisions.remove(&shown.segment);
        self.unheard.push_back(shown.order);
        while self.unheard.len() > self.keep {
            self.unheard.pop_front();
            self.passed += 1;
        }
    }

    /// How many before this final nobody listened to.
    fn passed_before(&mut self, order: u64) -> u64 {
        let before = self.unheard.iter().filter(|unheard| **unheard < order).count();
        self.unheard.retain(|unheard| *unheard > order);
        std::mem::take(&mut self.passed) + before as u64
    }

    /// Nothing of this segment comes any more.
    fn end(&mut self, segment: u64) {
        self.over.insert(segment);
        if self.over.len() > MOST_OVER {
            self.over.pop_first();
        }
    }

    fn is_over(&self, segment: u64) -> bool {
        let oldest = self.over.first().filter(|_| self.over.len() == MOST_OVER);
        self.over.contains(&segment) || oldest.is_some_and(|oldest| segment < *oldest)
    }

    /// Takes in a final; true when it must be translated.
    pub(crate) fn expect(&mut self, shown: &Shown, catch_up: bool, now: MediaInstant) -> bool {
        if shown.order <= self.last_final {
            return false;
        }
        self.last_final = shown.order;
        self.end(shown.segment);
        self.offers.withdraw(shown.segment);
        let text = shown.text();
        let passes = self.passes(shown) || text.is_empty();
        let (passed, text) = (self.passed_before(shown.order), passes.then_some((text, false)));
        self.pending.push_back(Pending { shown: shown.clone(), catch_up, passed, since: now, text });
        !passes
    }

    /// A translation of a final has come, or `None` has: for now there is none. Gives the revision when its original is out already.
    pub(crate) fn translated(&mut self, shown: &Shown, text: Option<String>) -> Option<Arc<Rendered>> {
        if let Some(pending) = self.pending.iter_mut().find(|p| p.shown.segment == shown.segment && p.text.is_none()) {
            pending.text = Some(text.map_or_else(|| (shown.text(), true), |t| (t, false)));
            return None;
        }
        let text = text?;
        let original = self.originals.remove(&shown.segment)?;
        self.quality.revised(&original.text, &text);
        let (revision, stable) = (original.revision + 1, Stable::whole(&text));
        let rendered = Arc::new(Rendered { text, revision, stable, degraded: false, ..(*original).clone() });
        self.log.iter_mut().filter(|r| r.cursor == rendered.cursor).for_each(|r| *r = rendered.clone());
        Some(rendered)
    }

    /// The finals whose turn it is.
    pub(crate) fn release(&mut self, now: MediaInstant, order_ms: u64) -> Vec<Arc<Rendered>> {
        let mut released = Vec::new();
        loop {
            let overtaken = self.overtaken_at(order_ms).is_some_and(|at| now >= at);
            let Some(front) = self.pending.front_mut() else { break };
            if overtaken {
                front.text = Some((front.shown.text(), true));
            }
            let Some(Pending { shown, catch_up, passed, text: Some((text, degraded)), .. }) =
                self.pending.pop_front_if(|p| p.text.is_some())
            else {
                break;
            };
            self.cursor += passed + 1;
            let revision = self.revisions.remove(&shown.segment).unwrap_or(0) + 1;
            let stable = if degraded { Stable::default() } else { Stable::whole(&text) };
            let (language, cursor) = (self.language.clone(), self.cursor);
            self.quality.shown(shown.segment, None, &text);
            let (revised, mode) = (false, None);
            let rendered = Arc::new(Rendered {
                shown,
                language,
                text,
                cursor,
                revision,
                stable,
                degraded,
                catch_up,
                revised,
                mode,
            });
            self.keep(&rendered);
            released.push(rendered);
        }
        released
    }

    fn keep(&mut self, rendered: &Arc<Rendered>) {
        if rendered.degraded {
            self.originals.insert(rendered.shown.segment, rendered.clone());
            while self.originals.len() > ORIGINALS {
                self.originals.pop_first();
            }
        }
        self.log.push_back(rendered.clone());
        while self.log.len() > self.keep {
            self.log.pop_front();
        }
    }

    /// When the first final, which is not translated, gives way to a later one that is.
    fn overtaken_at(&self, order_ms: u64) -> Option<MediaInstant> {
        let front = self.pending.front().filter(|front| front.text.is_none())?;
        self.pending.iter().any(|later| later.text.is_some()).then(|| front.since.plus_ms(order_ms))
    }

    /// A partial that can be shown to those who chose this mode: in the speaker's language, or translated.
    pub(crate) fn partial(
        &mut self,
        shown: &Shown,
        mode: CaptionMode,
        translated: Option<String>,
    ) -> Option<Arc<Rendered>> {
        if self.is_over(shown.segment) {
            return None;
        }
        let (text, stable) = match (translated, mode) {
            (Some(text), CaptionMode::Stable) => (text.clone(), Stable::whole(&text)),
            (Some(text), CaptionMode::Usual | CaptionMode::Fast) => (text, Stable::default()),
            (None, CaptionMode::Stable) => (shown.stable_text(), shown.stable()),
            (None, CaptionMode::Usual | CaptionMode::Fast) => (shown.text(), shown.stable()),
        };
        if mode == CaptionMode::Stable {
            let before = std::mem::replace(&mut self.settled, (shown.segment, stable.chars));
            if stable.chars == 0 || before == self.settled {
                return None;
            }
        }
        let revision = self.revisions.entry(shown.segment).or_insert(0);
        *revision += 1;
        self.quality.shown(shown.segment, Some(mode), &text);
        Some(Arc::new(Rendered {
            shown: shown.clone(),
            language: self.language.clone(),
            text,
            cursor: self.cursor + self.pending.iter().map(|p| p.passed + 1).sum::<u64>() + 1,
            revision: *revision,
            stable,
            degraded: false,
            catch_up: false,
            revised: false,
            mode: Some(mode),
        }))
    }

    /// Whether this segment needs no translation here.
    pub(crate) fn passes(&self, shown: &Shown) -> bool {
        shown.source == self.language
    }

    /// Offers a partial for translation; it waits for its turn, and the newest wins.
    pub(crate) fn offer_partial(&mut self, shown: &Shown, mode: CaptionMode, parts: Parts) {
        if !self.is_over(shown.segment) {
            self.offers.offer(shown, mode, parts);
        }
    }

    /// The partials whose turn it is.
    pub(crate) fn due_partials(
        &mut self,
        now: MediaInstant,
        gap_ms: impl Fn(CaptionMode) -> u64,
    ) -> Vec<(CaptionMode, Shown, Parts)> {
        self.offers.due(now, gap_ms)
    }

    /// When a partial's turn comes, or a final's.
    pub(crate) fn deadline(&self, gap_ms: impl Fn(CaptionMode) -> u64, order_ms: u64) -> Option<MediaInstant> {
        earliest([self.offers.deadline(gap_ms), self.overtaken_at(order_ms)])
    }

    /// The finals of these segments that were released already.
    pub(crate) fn released_of(&self, segments: &VecDeque<Shown>) -> Vec<Arc<Rendered>> {
        let of = |r: &&Arc<Rendered>| segments.iter().any(|s| s.segment == r.shown.segment);
        self.log.iter().filter(of).cloned().collect()
    }

    /// Whether finals wait for their translation.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Snapshot;
    use crate::text::tests::items;

    fn shown(segment: u64, text: &str, is_final: bool) -> Shown {
        let source = Language::try_new("en").unwrap();
        let items = items(text, segment * 10_000, 0);
        let order = if is_final { segment } else { 0 };
        Arc::new(Snapshot { segment, source, stable: 0, is_final, order, start_ms: 0, end_ms: 0, items })
    }

    fn track(language: &str) -> Track {
        Track::new(Language::try_new(language).unwrap(), 2)
    }

    const NOW: MediaInstant = MediaInstant(1_000);
    const ORDER_MS: u64 = 1_000;
    const USUAL: CaptionMode = CaptionMode::Usual;

    #[test]
    fn a_final_waits_for_the_one_before_it() {
        let mut track = track("es");
        assert!(track.expect(&shown(1, "one", true), false, NOW) && track.expect(&shown(2, "two", true), false, NOW));
        track.translated(&shown(2, "two", true), Some("dos".into()));
        assert!(track.release(NOW, ORDER_MS).is_empty());
        track.translated(&shown(1, "one", true), Some("uno".into()));
        let released = track.release(NOW, ORDER_MS);
        let texts: Vec<_> = released.iter().map(|r| (r.text.as_str(), r.cursor)).collect();
        assert_eq!(texts, [("uno", 1), ("dos", 2)]);
    }

    #[test]
    fn what_nobody_listened_to_is_counted_and_the_last_of_it_can_still_be_had() {
        let mut track = track("en");
        track.expect(&shown(1, "one", true), false, NOW);
        track.release(NOW, ORDER_MS);
        for segment in 2..=6 {
            track.pass_over(&shown(segment, "unheard", true));
        }
        // The last two are given to who comes.
        track.expect(&shown(5, "five", true), true, NOW);
        track.expect(&shown(6, "six", true), true, NOW);
        assert_eq!(track.partial(&shown(7, "se", false), USUAL, None).unwrap().cursor, 7);
        track.expect(&shown(7, "seven", true), false, NOW);
        let cursors: Vec<u64> = track.release(NOW, ORDER_MS).iter().map(|r| r.cursor).collect();
        assert_eq!(cursors, [5, 6, 7], "2, 3 and 4 are missing");
    }

    #[test]
    fn a_final_that_is_not_translated_gives_way_to_the_next_and_is_revised_later() {
        let mut track = track("es");
        let (one, two) = (shown(1, "one", true), shown(2, "two", true));
        track.expect(&one, false, NOW);
        track.expect(&two, false, NOW);
        track.translated(&two, Some("dos".into()));
        assert_eq!(track.deadline(|_| 0, ORDER_MS), Some(NOW.plus_ms(ORDER_MS)));
        assert!(track.release(NOW.plus_ms(ORDER_MS - 1), ORDER_MS).is_empty());
        let released = track.release(NOW.plus_ms(ORDER_MS), ORDER_MS);
        let told: Vec<_> = released.iter().map(|r| (r.text.as_str(), r.degraded, r.stable.words)).collect();
        assert_eq!(told, [("one", true, 0), ("dos", false, 1)], "in their order");
        assert_eq!(track.translated(&one, None), None, "there is still none");
        let revised = track.translated(&one, Some("uno".into())).unwrap();
        assert_eq!((revised.text.as_str(), revised.cursor, revised.revision, revised.degraded), ("uno", 1, 2, false));
        assert_eq!(track.translated(&one, Some("uno".into())), None, "once");
        let known: Vec<_> = track.released_of(&[one].into()).iter().map(|r| r.text.clone()).collect();
        assert_eq!(known, ["uno"], "who comes now gets the translation");
    }

    #[test]
    fn who_chose_stable_is_shown_settled_words_alone_and_no_caption_that_says_nothing_new() {
        let mut track = track("en");
        let partial = |text: &str, stable: usize| {
            let items = items(text, 0, stable);
            let source = Language::try_new("en").unwrap();
            Arc::new(Snapshot { segment: 1, source, stable, is_final: false, order: 0, start_ms: 0, end_ms: 0, items })
        };
        let mut shown = |text: &str, stable: usize| {
            let rendered = track.partial(&partial(text, stable), CaptionMode::Stable, None);
            rendered.map(|r| (r.text.clone(), r.stable.words))
        };
        assert_eq!(shown("let us", 1), None);
        assert_eq!(shown("let us pray", 2), Some(("let".into(), 1)));
        assert_eq!(shown("let us play", 2), None);
        assert_eq!(shown("let us pray, all", 4), Some(("let us pray,".into(), 3)));
    }

    #[test]
    fn the_speakers_language_passes_through() {
        let mut track = track("en");
        assert!(!track.expect(&shown(1, "one", true), false, NOW));
        assert_eq!(track.release(NOW, ORDER_MS)[0].text, "one");
    }

    #[test]
    fn a_failed_translation_gives_the_original_marked_as_such() {
        let mut track = track("es");
        track.expect(&shown(1, "one", true), false, NOW);
        track.translated(&shown(1, "one", true), None);
        let released = track.release(NOW, ORDER_MS);
        assert_eq!((released[0].text.as_str(), released[0].degraded), ("one", true));
    }

    #[test]
    fn a_segment_that_was_shown_first_and_ends_second_keeps_its_partials_and_its_final() {
        let mut track = track("en");
        track.partial(&shown(1, "second", false), CaptionMode::Usual, None).unwrap();
        let late = Arc::new(Snapshot { order: 1, ..(*shown(2, "first", true)).clone() });
        assert!(!track.expect(&late, false, NOW));
        assert_eq!(track.release(NOW, 1_000)[0].text, "first");
        assert_eq!(track.partial(&shown(1, "second half", false), CaptionMode::Usual, None).unwrap().revision, 2);
        track.expect(&Arc::new(Snapshot { order: 2, ..(*shown(1, "second half.", true)).clone() }), false, NOW);
        let released = track.release(NOW, 1_000);
        assert_eq!((released[0].cursor, released[0].revision), (2, 3));
        assert!(track.partial(&shown(1, "second", false), CaptionMode::Usual, None).is_none());
    }

    #[test]
    fn nothing_of_a_segment_follows_its_final() {
        let mut track = track("es");
        assert_eq!(track.partial(&shown(1, "on", false), USUAL, Some("u".into())).unwrap().cursor, 1);
        track.expect(&shown(1, "one", true), false, NOW);
        assert!(track.partial(&shown(1, "on", false), USUAL, Some("u".into())).is_none());
        assert_eq!(track.partial(&shown(2, "tw", false), USUAL, Some("d".into())).unwrap().cursor, 2);
    }
}
