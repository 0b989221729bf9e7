//! How text is written in its language: where spaces stand, which marks end what, and what counts as a word.
//!
//! The one place that knows marks and scripts. *Caveat*: no dictionary is at hand, so that a word of a script without spaces is guessed by its usual
//! length (a dictionary of five such languages is some megabytes in every worker, for the place at which a partial translation is held back); a
//! character that a person sees (a grapheme cluster) is never cut.

use crate::hearing::{Gap, Item};
use schemas::ids::Language;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// Marks that end a sentence: Latin, Chinese and Japanese with their full and half widths, Hindi, Arabic, Urdu, Armenian, Amharic.
pub(crate) const SENTENCE_ENDS: [char; 15] =
    ['.', '?', '!', '…', '。', '．', '？', '！', '｡', '।', '॥', '؟', '۔', '։', '።'];
/// Marks that end a clause.
pub(crate) const CLAUSE_ENDS: [char; 12] = [',', ';', ':', '—', '–', '、', '，', '；', '：', '､', '،', '؛'];
/// What may follow such a mark and still belongs to it.
const CLOSING: [char; 14] = ['"', '\'', '”', '’', '»', ')', ']', '）', '」', '』', '】', '》', '〉', '］'];

/// Whether this is the mark at the end of a sentence. A word is not, whatever it ends with ("Mr.").
pub(crate) fn ends_sentence(word: &Item) -> bool {
    word.mark && text_ends_sentence(&word.text)
}

/// Whether this is the mark at the end of a clause, or of a sentence.
pub(crate) fn ends_clause(word: &Item) -> bool {
    word.mark && (text_ends_sentence(&word.text) || word.text.trim_end_matches(CLOSING).ends_with(CLAUSE_ENDS))
}

/// Whether a sentence ends with this text.
pub(crate) fn text_ends_sentence(text: &str) -> bool {
    text.trim_end_matches(CLOSING).ends_with(SENTENCE_ENDS)
}

/// Whether the verb stands at the end of a sentence: before it is said, half a sentence says nothing that could be translated.
pub(crate) fn has_its_verb_last(language: &Language) -> bool {
    matches!(
        language.as_str(),
        "ja" | "ko" | "hi" | "bn" | "mr" | "gu" | "pa" | "ur" | "fa" | "ta" | "te" | "kn" | "ml" | "si" | "ne" | "tr"
    )
}

/// Behind the last of these marks within so many bytes. A Latin mark ends something only before a space: "3.5" is one number.
pub(crate) fn last_end(text: &str, most_bytes: usize, marks: &[char]) -> Option<usize> {
    let ends = text.match_indices(marks).map(|(at, mark)| {
        let end = at + mark.len();
        end + text[end..].len() - text[end..].trim_start_matches(CLOSING).len()
    });
    let parts = |end: &usize| {
        let wide = text[..*end].chars().next_back().is_some_and(joins_its_neighbours);
        let goes_on = |next: char| marks.contains(&next) || next.is_numeric();
        text[*end..].chars().next().is_none_or(|next| next.is_whitespace() || (wide && !goes_on(next)))
    };
    ends.take_while(|end| *end <= most_bytes).filter(parts).last()
}

/// The last place within so many bytes where a word ends, or else a character that a person sees.
pub(crate) fn last_word_end(text: &str, most_bytes: usize) -> Option<usize> {
    let last = |places: &mut dyn Iterator<Item = usize>| {
        places.take_while(|at| *at <= most_bytes).filter(|at| *at > 0 && is_between_characters(text, *at)).last()
    };
    let belongs = |at: &usize| text[*at..].starts_with(SENTENCE_ENDS) || text[*at..].starts_with(CLAUSE_ENDS);
    last(&mut text.match_indices(char::is_whitespace).map(|(at, _)| at))
        .or_else(|| last(&mut text.split_word_bound_indices().map(|(at, _)| at).filter(|at| !belongs(at))))
        .or_else(|| last(&mut text.grapheme_indices(true).map(|(at, _)| at)))
}

/// Whether no character that a person sees lies across this place.
fn is_between_characters(text: &str, at: usize) -> bool {
    text.is_char_boundary(at) && GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}

/// Behind the marks that stand on the letter before this place: an accent, a vowel or a tone.
pub(crate) fn marks_end(text: &str, at: usize) -> usize {
    let is_mark = |letter: &char| format!("a{letter}").graphemes(true).nth(1).is_none();
    at + text[at..].chars().take_while(is_mark).map(char::len_utf8).sum::<usize>()
}

/// The words one after another. Where the service's own text says whether a space stands between two words, it does; else the letters that
/// meet there decide, not the language: a Japanese sentence holds "machine learning", a Chinese one "Amazon Web Services".
pub(crate) fn join(words: &[Item]) -> String {
    let mut text = String::new();
    for word in words {
        let apart = match word.gap {
            Gap::Space => !text.is_empty(),
            Gap::Nothing => false,
            Gap::Unknown => !word.mark && letters_part(&text, &word.text),
        };
        if apart {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

/// Puts a sentence or a clause behind another one. Chinese and Japanese have no space there; Thai, which has none between words, has one.
pub(crate) fn append(text: &mut String, part: &str, language: &Language) {
    let apart = if matches!(language.as_str(), "ja" | "zh") { letters_part(text, part) } else { !text.is_empty() };
    if apart {
        text.push(' ');
    }
    text.push_str(part);
}

fn letters_part(before: &str, after: &str) -> bool {
    let meet = [before.chars().next_back(), after.chars().next()];
    meet.iter().all(|letter| letter.is_some_and(|letter| !joins_its_neighbours(letter)))
}

/// Letters of scripts that put no space between words, and their marks: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
fn joins_its_neighbours(letter: char) -> bool {
    matches!(letter,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{2E80}'..='\u{312F}' | '\u{31A0}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF01}'..='\u{FF9F}' | '\u{20000}'..='\u{3FFFF}')
}

/// A word, in parts that count: a word of Chinese or Japanese has two characters that a person sees, one of Thai, Lao, Burmese or Khmer three (means
/// of ICU's dictionary over text: 1.8, 2.1 and 3.0).
const WORD: usize = 6;

/// The text without its last words. Where words have no spaces between them, they are guessed by their usual length.
pub(crate) fn without_last<'a>(text: &'a str, words: usize, language: &Language) -> &'a str {
    let (mut kept, mut parts) = (text.trim_end(), WORD * words);
    while parts > 0 && !kept.is_empty() {
        let begin = if language.is_spaced() {
            kept.char_indices().rfind(|(_, letter)| letter.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
        } else {
            let bounds = kept.split_word_bound_indices().rev().map(|(at, _)| at);
            bounds.into_iter().find(|at| is_between_characters(kept, *at)).unwrap_or(0)
        };
        parts = parts.saturating_sub(parts_of(&kept[begin..]));
        kept = kept[..begin].trim_end();
    }
    kept
}

fn parts_of(token: &str) -> usize {
    match token.chars().find(|letter| letter.is_alphanumeric()) {
        None => 0,
        Some(letter) if joins_its_neighbours(letter) && token.graphemes(true).nth(1).is_none() => match letter {
            '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' => WORD / 3,
            _ => WORD / 2,
        },
        Some(_) => WORD,
    }
}

/// What is counted as taken back: words, and where there are no spaces between words, characters that a person sees.
pub(crate) fn units(text: &str, language: &Language) -> Vec<String> {
    let mut units = Vec::new();
    for word in text.split_whitespace() {
        if language.is_spaced() && !word.chars().any(joins_its_neighbours) {
            units.push(word.to_owned());
        } else {
            units.extend(word.graphemes(true).map(str::to_owned));
        }
    }
    units
}

/// How much of a caption will not change, in the two ways in which listeners are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stable {
    /// Words between spaces. One counts once the space behind it is there.
    pub(crate) words: u32,
    /// UTF-16 code units, which are what JavaScript counts; no character that a person sees is cut.
    pub(crate) chars: u32,
}

impl Stable {
    /// All of it.
    pub(crate) fn whole(text: &str) -> Self {
        Self { words: count(text.split_whitespace()), chars: count(text.encode_utf16()) }
    }

    /// All of it, and more of the same language may follow.
    pub(crate) fn so_far(text: &str, language: &Language) -> Self {
        if language.is_spaced() { Self::whole(text) } else { Self::within(text, text.len()) }
    }

    /// The first so many bytes.
    pub(crate) fn within(text: &str, bytes: usize) -> Self {
        let end = (0..=bytes.min(text.len())).rev().find(|at| is_between_characters(text, *at)).unwrap_or(0);
        let part = Self::whole(&text[..end]);
        let open = end > 0 && !text[end..].starts_with(char::is_whitespace);
        Self { words: part.words.saturating_sub(u32::from(open)), ..part }
    }
}

fn count(all: impl Iterator) -> u32 {
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}

/// The begin of a text, at most so many characters of Unicode; no character that a person sees is cut, unless one alone is longer.
pub(crate) fn begin_of(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let whole = (1..=end).rev().find(|at| is_between_characters(text, *at)).unwrap_or(end);
    &text[..whole]
}

#[cfg(test)]
#[path = "written_tests.rs"]
mod tests;
