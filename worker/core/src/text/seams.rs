//! Where results are divided: a stream that was lost may have left several segments behind, and the next one tells them again as one result,
//! or as others. Each segment takes what is its own of it.

use super::align::Told;
use super::open::Open;
use super::results::Key;
use crate::hearing::{Item, TimedResult};
use crate::input::StreamId;
use schemas::ids::Language;

/// A word's time may be off by so much, ms.
const SEAM_MS: u64 = 150;
/// One without a time may stand before a pause of so long, ms.
const NEAR_MS: u64 = 2_000;

/// Where a segment began that a stream left behind.
#[derive(Debug)]
struct Seam {
    /// The stream that tells it again.
    stream: StreamId,
    ms: u64,
    /// Its first word.
    word: Told,
}

impl Seam {
    /// Whether this word belongs behind it: by itself, or by its time, which may be off in both tellings.
    fn is_before(&self, word: &Item) -> bool {
        let is_it = || self.word.says_the_same(&Told::of(std::slice::from_ref(word)));
        let near = word.start_ms.abs_diff(self.ms) <= NEAR_MS;
        word.middle_ms() + SEAM_MS >= self.ms || (near && is_it())
    }
}

/// The begins of segments that were left behind, save the first, for the streams that tell them again.
#[derive(Debug, Default)]
pub(super) struct Seams(Vec<Seam>);

impl Seams {
    /// The first result of this stream: what others left behind in this language.
    pub(super) fn find(&mut self, stream: StreamId, source: &Language, open: &[Open]) {
        if self.0.iter().any(|seam| seam.stream == stream) {
            return;
        }
        self.0.retain(|seam| stream.0.abs_diff(seam.stream.0) <= 1);
        let left = open.iter().filter(|s| s.key.stream != stream && s.source == *source && !s.items.is_empty()).skip(1);
        self.0.extend(left.map(|s| Seam { stream, ms: s.items[0].start_ms, word: Told::of(&s.items[..1]) }));
    }

    /// The parts of a result between seams, of those that say something or are known; most results have no seam.
    pub(super) fn divide(&self, heard: TimedResult, is_known: impl Fn(&Key) -> bool) -> Vec<TimedResult> {
        let seams: Vec<&Seam> = self.0.iter().filter(|seam| seam.stream == heard.stream).collect();
        if seams.is_empty() {
            return vec![heard];
        }
        let part =
            |nth| TimedResult { result_id: format!("{}#{nth}", heard.result_id), items: Vec::new(), ..heard.clone() };
        let mut parts: Vec<TimedResult> = (0..=seams.len()).map(part).collect();
        let mut nth = 0;
        for word in heard.items {
            if !word.mark {
                nth = seams.iter().filter(|seam| seam.is_before(&word)).count().max(nth);
            }
            parts[nth].items.push(word);
        }
        parts.retain(|part| !part.items.is_empty() || is_known(&Key::of(part)));
        parts
    }
}
