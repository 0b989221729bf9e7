//! One language that somebody listens to: its finals in order, its cursors.
//!
//! *Flow*: what is translated of a segment is asked of its commits, never kept here.
//! *Guarantees*: cursors are 1, 2, 3 … without a gap for as long as somebody listens; what was said while nobody did is counted, so
//! that who comes back sees by the gap what they missed. Finals are released in the order in which they were spoken, each once; one that
//! is not translated in time gives way to the next as its original. Nothing of a segment is released after its final, whichever of two open
//! segments becomes final first, but, once, its revision: the translation of an original that had gone out.

use crate::config::Timing;
use crate::outbox::earliest;
use crate::text::commits::{Commits, Said};
use crate::text::offers::Offers;
use crate::text::quality::Quality;
use crate::text::translate::OpenText;
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
    /// Translation failed; `text` is the original, or has parts of it.
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

/// So many commits of a segment were shown, and when.
#[derive(Debug, Default)]
struct Grown {
    count: usize,
    at: Option<MediaInstant>,
    /// More of them can be shown.
    waits: bool,
}

#[derive(Debug)]
struct Pending {
    shown: Shown,
    catch_up: bool,
    /// So many finals before it nobody listened to.
    passed: u64,
    since: MediaInstant,
    /// Its text, when it can be told.
    said: Option<Said>,
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
    pub(crate) offers: Offers,
    /// What was shown of the commits of each segment that is not over.
    grown: BTreeMap<u64, Grown>,
    /// What was shown last of the speaker's own words, to those who chose each mode: nothing is told twice.
    told: BTreeMap<CaptionMode, (u64, String, Stable)>,
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
            grown: BTreeMap::new(),
            told: BTreeMap::new(),
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
        self.grown.remove(&segment);
        self.offers.withdraw(segment);
        self.over.insert(segment);
        if self.over.len() > MOST_OVER {
            self.over.pop_first();
        }
    }

    /// Whether nothing of this segment comes any more but its final.
    pub(crate) fn is_over(&self, segment: u64) -> bool {
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
        let text = shown.text();
        let passes = self.passes(shown) || text.is_empty();
        let (passed, said) = (self.passed_before(shown.order), passes.then_some(Said { text, degraded: false }));
        self.pending.push_back(Pending { shown: shown.clone(), catch_up, passed, since: now, said });
        !passes
    }

    /// A commit of this segment is translated, or is not for now. Gives the revision of its final when the original is out already.
    pub(crate) fn translated(&mut self, segment: u64, commits: &Commits) -> Option<Arc<Rendered>> {
        let said = commits.said(segment, &self.language)?;
        if let Some(pending) = self.pending.iter_mut().find(|p| p.shown.segment == segment) {
            pending.said.get_or_insert(said);
            return None;
        }
        if said.degraded {
            return None;
        }
        let original = self.originals.remove(&segment)?;
        let text = said.text;
        self.quality.revised(&original.text, &text);
        let (revision, stable) = (original.revision + 1, Stable::whole(&text));
        let rendered = Arc::new(Rendered { text, revision, stable, degraded: false, ..(*original).clone() });
        self.log.iter_mut().filter(|r| r.cursor == rendered.cursor).for_each(|r| *r = rendered.clone());
        Some(rendered)
    }

    /// The finals whose turn it is.
    pub(crate) fn release(&mut self, now: MediaInstant, order_ms: u64, commits: &Commits) -> Vec<Arc<Rendered>> {
        let mut released = Vec::new();
        loop {
            let overtaken = self.overtaken_at(order_ms).is_some_and(|at| now >= at);
            let Some(front) = self.pending.front_mut() else { break };
            if overtaken || (front.said.is_none() && !commits.knows(front.shown.segment)) {
                let original = || Said { text: front.shown.text(), degraded: true };
                front.said = Some(commits.as_it_is(front.shown.segment, &self.language).unwrap_or_else(original));
            }
            let Some(Pending { shown, catch_up, passed, said: Some(said), .. }) =
                self.pending.pop_front_if(|p| p.said.is_some())
            else {
                break;
            };
            let Said { text, degraded } = said;
            self.cursor += passed + 1;
            let revision = self.revisions.remove(&shown.segment).unwrap_or(0) + 1;
            let stable = if degraded {
                Stable::so_far(&commits.known(shown.segment, &self.language).1, &self.language)
            } else {
                Stable::whole(&text)
            };
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
        let front = self.pending.front().filter(|front| front.said.is_none())?;
        self.pending.iter().any(|later| later.said.is_some()).then(|| front.since.plus_ms(order_ms))
    }

    /// A partial in the speaker's language, for those who chose this mode.
    pub(crate) fn partial(&mut self, shown: &Shown, mode: CaptionMode) -> Option<Arc<Rendered>> {
        let text = match mode {
            CaptionMode::Usual => shown.text_without_last(),
            CaptionMode::Fast => shown.text(),
            CaptionMode::Stable => shown.stable_text(),
        };
        let told = (shown.segment, text.clone(), shown.stable());
        if text.is_empty() || self.told.get(&mode) == Some(&told) {
            return None;
        }
        let stable = told.2;
        self.told.insert(mode, told);
        self.show(shown, mode, text, stable)
    }

    /// What is translated of a segment, for those who chose this mode; the first so much of it stands.
    pub(crate) fn show(
        &mut self,
        shown: &Shown,
        mode: CaptionMode,
        text: String,
        stable: Stable,
    ) -> Option<Arc<Rendered>> {
        if self.is_over(shown.segment) {
            return None;
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

    /// The segment as far as its commits are translated, and the text, when that is further than what was shown; at most once in so long.
    pub(crate) fn grow(
        &mut self,
        segment: u64,
        commits: &Commits,
        (now, gap_ms): (MediaInstant, u64),
    ) -> Option<(Shown, String)> {
        let (count, text) = commits.known(segment, &self.language);
        if self.is_over(segment) || count == 0 {
            return None;
        }
        let grown = self.grown.entry(segment).or_default();
        grown.waits = count > grown.count && grown.at.is_some_and(|at| now.since(at) < gap_ms);
        if grown.waits || count == grown.count {
            return None;
        }
        (grown.count, grown.at) = (count, Some(now));
        Some((commits.shown(segment, count)?, text))
    }

    /// The segments of which more can be shown when it is due.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        self.grown.iter().filter(|(_, grown)| grown.waits).map(|(segment, _)| *segment).collect()
    }

    /// Whether this segment needs no translation here.
    pub(crate) fn passes(&self, shown: &Shown) -> bool {
        shown.source == self.language
    }

    /// Offers a text that may still change for translation; it waits for its turn, and the newest wins.
    pub(crate) fn offer(&mut self, open: OpenText) {
        if !self.is_over(open.shown.segment) {
            self.offers.offer(open);
        }
    }

    /// When a partial's turn comes, or a final's.
    pub(crate) fn deadline(&self, gap_ms: impl Fn(CaptionMode) -> u64, timing: &Timing) -> Option<MediaInstant> {
        let waits = self.grown.values().filter(|grown| grown.waits).map(|grown| grown.at);
        let next = earliest(waits).map(|at| at.plus_ms(timing.partial_gap_ms));
        earliest([self.offers.deadline(gap_ms), self.overtaken_at(timing.translate_order_ms), next])
    }

    /// The finals of these segments that were released already.
    pub(crate) fn released_of(&self, segments: &[Shown]) -> Vec<Arc<Rendered>> {
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
    use crate::text::commit::Cuts;
    use crate::text::tests::items;

    fn shown(segment: u64, text: &str, is_final: bool) -> Shown {
        let source = Language::try_new("en").unwrap();
        let items = items(text, segment * 10_000, 0);
        let order = if is_final { segment } else { 0 };
        Arc::new(Snapshot { segment, source, stable: 0, is_final, order, start_ms: 0, end_ms: 0, items })
    }

    /// A track, and the commits that it speaks of.
    struct Page {
        track: Track,
        commits: Commits,
        language: Language,
    }

    fn page(language: &str) -> Page {
        let language = Language::try_new(language).unwrap();
        Page { track: Track::new(language.clone(), 2), commits: Commits::default(), language }
    }

    impl Page {
        fn make(&mut self, shown: &Shown) {
            self.commits.make(shown, Cuts::Clauses);
            self.commits.ask(shown.segment, &self.language, |_| true);
        }

        fn expect(&mut self, segment: u64, text: &str) -> Shown {
            let shown = shown(segment, text, true);
            self.make(&shown);
            self.track.expect(&shown, false, NOW);
            shown
        }

        /// Its only commit is translated so, or is not.
        fn translated(&mut self, shown: &Shown, text: Option<&str>) -> Option<Arc<Rendered>> {
            let commit = self.commits.nth(shown.segment, 0);
            self.commits.put(&commit, &self.language, text.map(str::to_owned));
            self.track.translated(shown.segment, &self.commits)
        }

        /// Segment 1, so much of it stable, and its commits.
        fn partial(&mut self, text: &str, stable: usize) -> Shown {
            let shown = Arc::new(Snapshot { stable, ..(*shown(1, text, false)).clone() });
            self.make(&shown);
            shown
        }

        /// A commit of segment 1 is translated; what is shown then.
        fn put(&mut self, index: usize, text: &str, now: MediaInstant) -> Option<(String, String)> {
            let commit = self.commits.nth(1, index);
            self.commits.put(&commit, &self.language, Some(text.to_owned()));
            let grown = self.track.grow(1, &self.commits, (now, GAP_MS));
            grown.map(|(shown, text)| (shown.text(), text))
        }

        fn release(&mut self, now: MediaInstant) -> Vec<Arc<Rendered>> {
            self.track.release(now, ORDER_MS, &self.commits)
        }
    }

    const NOW: MediaInstant = MediaInstant(1_000);
    const GAP_MS: u64 = 200;
    const ORDER_MS: u64 = 1_000;
    const USUAL: CaptionMode = CaptionMode::Usual;

    #[test]
    fn a_final_waits_for_the_one_before_it() {
        let mut page = page("es");
        let (one, two) = (page.expect(1, "one"), page.expect(2, "two"));
        page.translated(&two, Some("dos"));
        assert!(page.release(NOW).is_empty());
        page.translated(&one, Some("uno"));
        let released = page.release(NOW);
        let texts: Vec<_> = released.iter().map(|r| (r.text.as_str(), r.cursor)).collect();
        assert_eq!(texts, [("uno", 1), ("dos", 2)]);
    }

    #[test]
    fn what_nobody_listened_to_is_counted_and_the_last_of_it_can_still_be_had() {
        let Page { mut track, commits, .. } = page("en");
        track.expect(&shown(1, "one", true), false, NOW);
        track.release(NOW, ORDER_MS, &commits);
        for segment in 2..=6 {
            track.pass_over(&shown(segment, "unheard", true));
        }
        // The last two are given to who comes.
        track.expect(&shown(5, "five", true), true, NOW);
        track.expect(&shown(6, "six", true), true, NOW);
        assert_eq!(track.partial(&shown(7, "seven of", false), USUAL).unwrap().cursor, 7);
        track.expect(&shown(7, "seven", true), false, NOW);
        let cursors: Vec<u64> = track.release(NOW, ORDER_MS, &commits).iter().map(|r| r.cursor).collect();
        assert_eq!(cursors, [5, 6, 7], "2, 3 and 4 are missing");
    }

    #[test]
    fn a_final_that_is_not_translated_gives_way_to_the_next_and_is_revised_later() {
        let mut page = page("es");
        let (one, two) = (page.expect(1, "one"), page.expect(2, "two"));
        page.translated(&two, Some("dos"));
        assert_eq!(page.track.deadline(|_| 0, &Timing::default()), Some(NOW.plus_ms(ORDER_MS)));
        assert!(page.release(NOW.plus_ms(ORDER_MS - 1)).is_empty());
        let released = page.release(NOW.plus_ms(ORDER_MS));
        let told: Vec<_> = released.iter().map(|r| (r.text.as_str(), r.degraded, r.stable.words)).collect();
        assert_eq!(told, [("one", true, 0), ("dos", false, 1)], "in their order");
        assert_eq!(page.translated(&one, None), None, "there is still none");
        let revised = page.translated(&one, Some("uno")).unwrap();
        assert_eq!((revised.text.as_str(), revised.cursor, revised.revision, revised.degraded), ("uno", 1, 2, false));
        assert_eq!(page.translated(&one, Some("uno")), None, "once");
        let known: Vec<_> = page.track.released_of(&[one]).iter().map(|r| r.text.clone()).collect();
        assert_eq!(known, ["uno"], "who comes now gets the translation");
    }

    #[test]
    fn a_final_of_which_one_commit_is_not_translated_keeps_the_others_and_says_so() {
        let mut page = page("es");
        let shown = page.expect(1, "we come. we pray. we sing.");
        for (index, text) in [(0, Some("Venimos.")), (1, None), (2, Some("Cantamos."))] {
            let commit = page.commits.nth(1, index);
            page.commits.put(&commit, &page.language, text.map(str::to_owned));
            page.track.translated(1, &page.commits);
        }
        let released = page.release(NOW);
        assert_eq!((released[0].text.as_str(), released[0].degraded), ("Venimos. we pray. Cantamos.", true));
        assert_eq!(released[0].stable.words, 1, "what stands before it");
        let commit = page.commits.nth(1, 1);
        page.commits.put(&commit, &page.language, Some("Oramos.".into()));
        let revised = page.track.translated(shown.segment, &page.commits).unwrap();
        assert_eq!((revised.text.as_str(), revised.degraded), ("Venimos. Oramos. Cantamos.", false));
    }

    #[test]
    fn a_final_whose_commits_are_forgotten_goes_out_as_its_original() {
        let mut page = page("es");
        page.expect(1, "one");
        for segment in 2..40 {
            page.make(&shown(segment, "more", true));
        }
        let released = page.release(NOW);
        assert_eq!((released[0].text.as_str(), released[0].degraded), ("one", true), "it never waits for ever");
    }

    #[test]
    fn who_chose_stable_is_shown_settled_words_alone_and_no_caption_that_says_nothing_new() {
        let mut track = page("en").track;
        let partial = |text: &str, stable: usize| {
            let items = items(text, 0, stable);
            let source = Language::try_new("en").unwrap();
            Arc::new(Snapshot { segment: 1, source, stable, is_final: false, order: 0, start_ms: 0, end_ms: 0, items })
        };
        let mut shown = |text: &str, stable: usize| {
            let rendered = track.partial(&partial(text, stable), CaptionMode::Stable);
            rendered.map(|r| (r.text.clone(), r.stable.words))
        };
        assert_eq!(shown("let us", 1), None);
        assert_eq!(shown("let us pray", 2), Some(("let".into(), 1)));
        assert_eq!(shown("let us play", 2), None);
        assert_eq!(shown("let us pray, all", 4), Some(("let us pray,".into(), 3)));
    }

    #[test]
    fn without_a_choice_the_last_word_is_held_back_while_it_may_change_and_nothing_is_told_twice() {
        let mut track = page("en").track;
        let mut told = |text: &str, stable: usize| {
            let shown = Arc::new(Snapshot { stable, ..(*shown(1, text, false)).clone() });
            track.partial(&shown, USUAL).map(|r| (r.text.clone(), r.stable.words))
        };
        assert_eq!(told("let", 0), None);
        assert_eq!(told("let us", 0), Some(("let".into(), 0)));
        assert_eq!(told("let as", 0), None);
        assert_eq!(told("let us pray", 2), Some(("let us".into(), 1)));
        assert_eq!(told("let us pray,", 2), None, "its mark may change as well");
        assert_eq!(told("let us pray,", 4), Some(("let us pray,".into(), 2)), "it is stable");
    }

    #[test]
    fn the_speakers_language_passes_through() {
        let mut page = page("en");
        page.track.expect(&shown(1, "one", true), false, NOW);
        assert_eq!(page.release(NOW)[0].text, "one");
    }

    #[test]
    fn a_failed_translation_gives_the_original_marked_as_such() {
        let mut page = page("es");
        let one = page.expect(1, "one");
        page.translated(&one, None);
        let released = page.release(NOW);
        assert_eq!((released[0].text.as_str(), released[0].degraded), ("one", true));
    }

    #[test]
    fn a_segment_that_was_shown_first_and_ends_second_keeps_its_partials_and_its_final() {
        let mut page = page("en");
        page.track.partial(&shown(1, "second half", false), USUAL).unwrap();
        let late = Arc::new(Snapshot { order: 1, ..(*shown(2, "first", true)).clone() });
        page.track.expect(&late, false, NOW);
        assert_eq!(page.release(NOW)[0].text, "first");
        assert_eq!(page.track.partial(&shown(1, "second half of", false), USUAL).unwrap().revision, 2);
        page.track.expect(&Arc::new(Snapshot { order: 2, ..(*shown(1, "second half.", true)).clone() }), false, NOW);
        let released = page.release(NOW);
        assert_eq!((released[0].cursor, released[0].revision), (2, 3));
        assert!(page.track.partial(&shown(1, "second half", false), USUAL).is_none());
    }

    #[test]
    fn commits_are_shown_in_their_order_each_once_and_none_after_the_final() {
        let mut page = page("es");
        let shown = page.partial("we come. we pray. and", 7);
        assert_eq!(page.put(1, "Oramos.", NOW), None, "the first is not there");
        let both = ("we come. we pray.".to_owned(), "Venimos. Oramos.".to_owned());
        assert_eq!(page.put(0, "Venimos.", NOW), Some(both));
        assert_eq!(page.put(0, "Otra cosa.", NOW), None, "what stands is not replaced");
        page.expect(1, "we come. we pray. and sing");
        assert!(page.track.show(&shown, USUAL, "Venimos.".into(), Stable::default()).is_none());
        assert_eq!(page.track.grow(1, &page.commits, (NOW.plus_ms(GAP_MS), GAP_MS)), None);
    }

    #[test]
    fn commits_of_a_segment_are_shown_at_most_five_times_a_second_and_what_waits_has_its_time() {
        let mut page = page("es");
        page.partial("we come. we pray. and", 7);
        assert!(page.put(0, "Venimos.", NOW).is_some() && page.track.waiting().is_empty());
        assert_eq!(page.put(1, "Oramos.", NOW.plus_ms(50)), None);
        let due = page.track.deadline(|_| 0, &Timing::default()).unwrap();
        assert_eq!((due, page.track.waiting()), (NOW.plus_ms(GAP_MS), vec![1]));
        assert!(page.track.grow(1, &page.commits, (due, GAP_MS)).is_some() && page.track.waiting().is_empty());
    }
}
