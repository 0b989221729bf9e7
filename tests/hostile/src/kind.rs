//! A kind recogniser: from the true words of a talk to what Transcribe says of it on a good day.

use crate::spelled::{Place, Spelling};
use crate::wire::{Alternative, Item, TranscriptResult, seconds, transcript};
use serde_json::Map;

/// A word that is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// As it is written.
    pub text: String,
    /// The mark behind it.
    pub mark: Option<String>,
    /// Begin, ms.
    pub start_ms: u64,
    /// End, ms.
    pub end_ms: u64,
    /// Whether a sentence ends here, and the speaker pauses.
    pub ends: bool,
}

/// Between two partials, ms of audio.
const PARTIAL_MS: u64 = 300;
/// A word is heard when so much of it was, ms.
const LEAST_WORD_MS: u64 = 150;
/// A pause of so long ends a segment, ms.
const PAUSE_MS: u64 = 600;
/// The last words of a partial may change.
const UNSTABLE: usize = 2;

/// How many words a sentence has, and the silence after it, ms.
pub type Sentence = (usize, u64);

/// How long a word takes, and the silence after it, ms: some are short, and follow each other closely.
const LENGTHS_MS: [(u64, u64); 4] = [(300, 100), (180, 20), (420, 100), (160, 40)];

/// Sentences of spelled words; every fourth has a comma.
#[must_use]
pub fn talk(spelling: &Spelling, sentences: &[Sentence]) -> (Vec<Spoken>, Vec<Place>) {
    let (mut words, mut places, mut at) = (Vec::new(), Vec::new(), 500);
    for (sentence, (count, pause_ms)) in sentences.iter().enumerate() {
        for word in 0..*count {
            let ends = word + 1 == *count;
            let [comma, stop] = spelling.marks.map(str::to_owned);
            let mark = if ends { Some(stop) } else { (word % 4 == 3).then_some(comma) };
            let (long_ms, silent_ms) = LENGTHS_MS[(sentence * 3 + word * 5) % LENGTHS_MS.len()];
            words.push(Spoken {
                text: spelling.spell((sentence, word)),
                mark,
                start_ms: at,
                end_ms: at + long_ms,
                ends,
            });
            places.push((sentence, word));
            at += long_ms + silent_ms;
        }
        at += pause_ms;
    }
    (words, places)
}

/// Its results, each with the moment at which it comes.
#[must_use]
pub fn results(words: &[Spoken]) -> Vec<(u64, TranscriptResult)> {
    let mut all = Vec::new();
    for (number, sentence) in words.split_inclusive(|word| word.ends).enumerate() {
        let (Some(first), Some(last)) = (sentence.first(), sentence.last()) else { continue };
        let mut at = first.start_ms + PARTIAL_MS;
        while at < last.end_ms {
            let heard: Vec<&Spoken> = sentence.iter().filter(|word| word.start_ms + LEAST_WORD_MS <= at).collect();
            all.push((at, result(number, &heard, at, true)));
            at += PARTIAL_MS;
        }
        let whole: Vec<&Spoken> = sentence.iter().collect();
        all.push((last.end_ms + PAUSE_MS, result(number, &whole, last.end_ms, false)));
    }
    all
}

fn result(number: usize, words: &[&Spoken], at: u64, is_partial: bool) -> TranscriptResult {
    let mut items = Vec::new();
    for (nth, word) in words.iter().enumerate() {
        let stable = !is_partial || nth + UNSTABLE < words.len();
        items.push(Item::word(&word.text, word.start_ms, word.end_ms.min(at), stable));
        // The mark is known when the next word is, and in the final.
        if let Some(mark) = word.mark.as_ref().filter(|_| !is_partial || nth + 1 < words.len()) {
            items.push(Item::mark(mark, word.end_ms, stable));
        }
    }
    TranscriptResult {
        result_id: format!("r{number}"),
        start_time: items.first().and_then(|item| item.start_time).unwrap_or_default(),
        end_time: seconds(at),
        is_partial,
        alternatives: vec![Alternative { transcript: transcript(&items), items: Some(items) }],
        more: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spelled::ENGLISH;

    #[test]
    fn a_sentence_grows_in_partials_and_ends_in_one_final() {
        let (words, _) = talk(&ENGLISH, &[(4, 1_000), (1, 1_000)]);
        let all = results(&words);
        let said: Vec<(&str, bool)> = all.iter().map(|(_, result)| (result.transcript(), result.is_partial)).collect();
        assert_eq!(said[0], ("w0x0", true));
        assert_eq!(said[said.len() - 2..], [("w0x0 w0x1 w0x2 w0x3.", false), ("w1x0.", false)]);
        let stable = |result: &TranscriptResult| result.items().iter().filter(|item| item.stable == Some(true)).count();
        assert_eq!(all.iter().map(|(_, result)| stable(result)).collect::<Vec<_>>(), [0, 0, 1, 1, 5, 2]);
    }
}
