//! One language that somebody listens to: its finals in order, its cursors.
//!
//! *Guarantees*: cursors are 1, 2, 3 … without a gap for as long as somebody listens; what was said while nobody did is counted, so
//! that who comes back sees by the gap what they missed. Finals are released in the order in which they were spoken, each once;
//! nothing of a segment is released after its final.

use crate::outbox::earliest;
use crate::text::quality::Quality;
use crate::text::{Shown, Stable};
use crate::time::MediaInstant;
use schemas::ids::Language;
use std::collections::{BTreeMap, VecDeque};
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
}

#[derive(Debug)]
struct Pending {
    shown: Shown,
    catch_up: bool,
    /// So many finals before it nobody listened to.
    passed: u64,
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
    /// The newest segments that nobody listened to, and how many there were before those.
    unheard: VecDeque<u64>,
    passed: u64,
    log: VecDeque<Arc<Rendered>>,
    keep: usize,
    revisions: BTreeMap<u64, u32>,
    last_final: u64,
    partial: Partial,
    /// What listeners of this language get.
    pub(crate) quality: Quality,
}

/// The partial that is to be translated next.
#[derive(Debug, Default)]
struct Partial {
    asked_at: Option<MediaInstant>,
    asked: Option<(u64, Vec<String>)>,
    waiting: Option<(Shown, Vec<String>)>,
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
            partial: Partial::default(),
        }
    }

    /// A final that nobody listens to. It may still be wanted: the last ones are given to who comes.
    pub(crate) fn pass_over(&mut self, shown: &Shown) {
        self.unheard.push_back(shown.segment);
        while self.unheard.len() > self.keep {
            self.unheard.pop_front();
            self.passed += 1;
        }
    }

    /// How many before this segment nobody listened to.
    fn passed_before(&mut self, segment: u64) -> u64 {
        let before = self.unheard.iter().filter(|unheard| **unheard < segment).count();
        self.unheard.retain(|unheard| *unheard > segment);
        std::mem::take(&mut self.passed) + before as u64
    }

    /// Takes in a final; true when it must be translated.
    pub(crate) fn expect(&mut self, shown: &Shown, catch_up: bool) -> bool {
        if shown.segment <= self.last_final {
            return false;
        }
        self.last_final = shown.segment;
        if self.partial.waiting.as_ref().is_some_and(|(s, _)| s.segment <= shown.segment) {
            self.partial.waiting = None;
        }
        let text = shown.text();
        let passes = self.passes(shown) || text.is_empty();
        let (passed, text) = (self.passed_before(shown.segment), passes.then_some((text, false)));
        self.pending.push_back(Pending { shown: shown.clone(), catch_up, passed, text });
        !passes
    }

    /// A translation of a final has come, or `None` has.
    pub(crate) fn translated(&mut self, shown: &Shown, text: Option<String>) {
        if let Some(pending) = self.pending.iter_mut().find(|p| p.shown.segment == shown.segment && p.text.is_none()) {
            pending.text = Some(text.map_or_else(|| (shown.text(), true), |t| (t, false)));
        }
    }

    /// The finals whose turn it is.
    pub(crate) fn release(&mut self) -> Vec<Arc<Rendered>> {
        let mut released = Vec::new();
        while self.pending.front().is_some_and(|p| p.text.is_some()) {
            let Some(Pending { shown, catch_up, passed, text: Some((text, degraded)) }) = self.pending.pop_front()
            else {
                break;
            };
            self.cursor += passed + 1;
            let revision = self.revisions.remove(&shown.segment).unwrap_or(0) + 1;
            self.revisions.retain(|segment, _| *segment > shown.segment);
            let stable = Stable::whole(&text);
            let (language, cursor) = (self.language.clone(), self.cursor);
            self.quality.shown(shown.segment, &text, true);
            let rendered = Arc::new(Rendered { shown, language, text, cursor, revision, stable, degraded, catch_up });
            self.log.push_back(rendered.clone());
            while self.log.len() > self.keep {
                self.log.pop_front();
            }
            released.push(rendered);
        }
        released
    }

    /// A partial that can be shown: in the speaker's language, or translated.
    pub(crate) fn partial(&mut self, shown: &Shown, translated: Option<String>) -> Option<Arc<Rendered>> {
        if shown.segment <= self.last_final {
            return None;
        }
        let revision = self.revisions.entry(shown.segment).or_insert(0);
        *revision += 1;
        let stable = if translated.is_some() { Stable::default() } else { shown.stable() };
        let text = translated.unwrap_or_else(|| shown.text());
        self.quality.shown(shown.segment, &text, false);
        Some(Arc::new(Rendered {
            shown: shown.clone(),
            language: self.language.clone(),
            text,
            cursor: self.cursor + self.pending.iter().map(|p| p.passed + 1).sum::<u64>() + 1,
            revision: *revision,
            stable,
            degraded: false,
            catch_up: false,
        }))
    }

    /// Whether this segment needs no translation here.
    pub(crate) fn passes(&self, shown: &Shown) -> bool {
        shown.source == self.language
    }

    /// Offers a partial for translation; it waits for its turn, and the newest wins.
    pub(crate) fn offer_partial(&mut self, shown: &Shown, parts: Vec<String>) {
        let known = self.partial.asked.as_ref().is_some_and(|(segment, p)| *segment == shown.segment && *p == parts);
        if shown.segment > self.last_final && !known {
            self.partial.waiting = Some((shown.clone(), parts));
        }
    }

    /// The partial whose turn it is.
    pub(crate) fn due_partial(&mut self, now: MediaInstant, gap_ms: u64) -> Option<(Shown, Vec<String>)> {
        if self.partial.asked_at.is_some_and(|at| now.since(at) < gap_ms) {
            return None;
        }
        let (shown, parts) = self.partial.waiting.take()?;
        self.partial.asked_at = Some(now);
        self.partial.asked = Some((shown.segment, parts.clone()));
        Some((shown, parts))
    }

    /// When a partial's turn comes.
    pub(crate) fn deadline(&self, gap_ms: u64) -> Option<MediaInstant> {
        let waiting = self.partial.waiting.as_ref().and(self.partial.asked_at);
        earliest([waiting.map(|at| at.plus_ms(gap_ms))])
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
    use crate::text::tests::words;

    fn shown(segment: u64, text: &str, is_final: bool) -> Shown {
        let source = Language::try_new("en").unwrap();
        let words = words(text, segment * 10_000, 0);
        Arc::new(Snapshot { segment, source, stable: 0, is_final, start_ms: 0, end_ms: 0, words })
    }

    fn track(language: &str) -> Track {
        Track::new(Language::try_new(language).unwrap(), 2)
    }

    #[test]
    fn a_final_waits_for_the_one_before_it() {
        let mut track = track("es");
        assert!(track.expect(&shown(1, "one", true), false) && track.expect(&shown(2, "two", true), false));
        track.translated(&shown(2, "two", true), Some("dos".into()));
        assert!(track.release().is_empty());
        track.translated(&shown(1, "one", true), Some("uno".into()));
        let released = track.release();
        let texts: Vec<_> = released.iter().map(|r| (r.text.as_str(), r.cursor)).collect();
        assert_eq!(texts, [("uno", 1), ("dos", 2)]);
    }

    #[test]
    fn what_nobody_listened_to_is_counted_and_the_last_of_it_can_still_be_had() {
        let mut track = track("en");
        track.expect(&shown(1, "one", true), false);
        track.release();
        for segment in 2..=6 {
            track.pass_over(&shown(segment, "unheard", true));
        }
        // The last two are given to who comes.
        track.expect(&shown(5, "five", true), true);
        track.expect(&shown(6, "six", true), true);
        assert_eq!(track.partial(&shown(7, "se", false), None).unwrap().cursor, 7);
        track.expect(&shown(7, "seven", true), false);
        let cursors: Vec<u64> = track.release().iter().map(|r| r.cursor).collect();
        assert_eq!(cursors, [5, 6, 7], "2, 3 and 4 are missing");
    }

    #[test]
    fn the_speakers_language_passes_through() {
        let mut track = track("en");
        assert!(!track.expect(&shown(1, "one", true), false));
        assert_eq!(track.release()[0].text, "one");
    }

    #[test]
    fn a_failed_translation_gives_the_original_marked_as_such() {
        let mut track = track("es");
        track.expect(&shown(1, "one", true), false);
        track.translated(&shown(1, "one", true), None);
        let released = track.release();
        assert_eq!((released[0].text.as_str(), released[0].degraded), ("one", true));
    }

    #[test]
    fn nothing_of_a_segment_follows_its_final() {
        let mut track = track("es");
        assert_eq!(track.partial(&shown(1, "on", false), Some("u".into())).unwrap().cursor, 1);
        track.expect(&shown(1, "one", true), false);
        assert!(track.partial(&shown(1, "on", false), Some("u".into())).is_none());
        assert_eq!(track.partial(&shown(2, "tw", false), Some("d".into())).unwrap().cursor, 2);
    }
}
