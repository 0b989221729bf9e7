//! Items for a text that came without them.

use std::collections::BTreeSet;
use unicode_segmentation::UnicodeSegmentation;
use worker_core::input::TranscriptItem;

/// The words of a text, evenly over the time of its result, seconds; marks stand where their words end. Where words have no spaces between
/// them, each character that a person sees is one: a segment can be cut there, and what was told of it can be found again.
pub(super) fn spread(text: &str, (start, end): (f64, f64), stable: bool) -> Vec<TranscriptItem> {
    // A mark that stands on a letter may be a word of its own to Unicode (Thai sara am), and is none to a person.
    let seen: BTreeSet<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
    let bounds: Vec<usize> =
        text.split_word_bound_indices().map(|(at, _)| at).chain([text.len()]).filter(|at| seen.contains(at)).collect();
    let pieces = bounds.windows(2).map(|pair| (pair[0], &text[pair[0]..pair[1]]));
    let pieces = pieces.filter(|(_, piece)| !piece.trim().is_empty());
    // What is no word and follows one without a space belongs to it.
    let is_mark = |at: usize, piece: &str| {
        !piece.chars().any(char::is_alphanumeric) && at > 0 && !text[..at].ends_with(char::is_whitespace)
    };
    let pieces: Vec<(&str, bool)> = pieces.map(|(at, piece)| (piece, is_mark(at, piece))).collect();
    let words = pieces.iter().filter(|(_, mark)| !mark).count();
    let each = (end - start).max(0.0) / f64::from(u32::try_from(words).unwrap_or(u32::MAX));
    let mut place = start;
    let item = |(content, punctuation): (&str, bool)| {
        let begin = place;
        place += if punctuation { 0.0 } else { each };
        TranscriptItem { content: content.to_owned(), punctuation, start: begin, end: place, stable }
    };
    pieces.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, bool)> {
        spread(text, (1.0, 2.0), true).into_iter().map(|item| (item.content, item.punctuation)).collect()
    }

    #[test]
    fn a_text_without_items_is_cut_at_words_and_marks_in_every_script() {
        let words = |text: &str| told(text).into_iter().map(|(content, _)| content).collect::<Vec<_>>().join("|");
        assert_eq!(words("Don't pay 3.5 %, pay $5."), "Don't|pay|3.5|%|,|pay|$|5|.");
        assert_eq!(words("我们用Amazon Web Services。"), "我|们|用|Amazon|Web|Services|。");
        assert_eq!(words("น้ำดื่ม"), "น้ำ|ดื่|ม");
    }

    #[test]
    fn what_is_no_word_and_follows_one_is_a_mark_and_takes_no_time() {
        let marks = |text: &str| {
            told(text).into_iter().filter(|(_, mark)| *mark).map(|(content, _)| content).collect::<Vec<_>>().concat()
        };
        assert_eq!(marks("我们来。你呢？"), "。？");
        assert_eq!(marks("$5, please."), ",.", "a sign before a word is none");
        let items = spread("我们。", (1.0, 2.0), true);
        let times: Vec<(f64, f64)> = items.iter().map(|item| (item.start, item.end)).collect();
        assert_eq!(times, [(1.0, 1.5), (1.5, 2.0), (2.0, 2.0)]);
        assert!(spread("", (1.0, 2.0), true).is_empty());
    }
}
