//! Texts that are too long for one call.

use crate::text::written::{CLAUSE_ENDS, SENTENCE_ENDS, last_end, last_word_end};

/// Cuts at the end of a sentence where there is one, else of a clause, else between words, else between characters.
pub(crate) fn split(text: &str, most_bytes: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while rest.len() > most_bytes {
        let limit = (0..=most_bytes).rev().find(|n| rest.is_char_boundary(*n)).unwrap_or(0);
        let cut = last_end(rest, most_bytes, &SENTENCE_ENDS)
            .or_else(|| last_end(rest, most_bytes, &CLAUSE_ENDS))
            .or_else(|| last_word_end(rest, most_bytes))
            .unwrap_or(limit);
        if cut == 0 {
            break;
        }
        parts.push(rest[..cut].trim_end().to_owned());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_one_part_and_an_empty_one_none() {
        assert_eq!(split("Hello there.", 100), ["Hello there."]);
        assert!(split("  ", 100).is_empty());
    }

    #[test]
    fn long_texts_are_cut_at_sentences_then_words_then_characters() {
        assert_eq!(split("One two. Three four", 12), ["One two.", "Three four"]);
        assert_eq!(split("one two three", 8), ["one two", "three"]);
        assert_eq!(split("ééé", 4), ["éé", "é"]);
    }

    #[test]
    fn long_texts_are_cut_where_a_sentence_ends_in_their_own_script() {
        assert_eq!(split("今日は晴れ。明日は雨です", 24), ["今日は晴れ。", "明日は雨です"]);
        assert_eq!(split("本当ですか？！はい、行きます", 32), ["本当ですか？！", "はい、行きます"]);
        assert_eq!(split("彼は「行く。」と言った", 24), ["彼は「行く。」", "と言った"]);
        assert_eq!(split("वह आया। वह गया", 22), ["वह आया।", "वह गया"]);
        assert_eq!(split("هل جئت؟ نعم جئت", 20), ["هل جئت؟", "نعم جئت"]);
        assert_eq!(split("我们来，我们走", 18), ["我们来，", "我们走"], "else of a clause");
        assert_eq!(split("It is 3.5 or four", 10), ["It is 3.5", "or four"], "a number is no sentence");
    }

    #[test]
    fn a_text_without_marks_and_spaces_is_cut_between_words_and_never_within_a_character() {
        assert_eq!(split("我们用Amazon云", 12), ["我们用", "Amazon云"]);
        assert_eq!(split("น้ำน้ำ", 10), ["น้ำ", "น้ำ"], "three code points each");
        assert_eq!(split("👨‍👩‍👧👨‍👩‍👧", 30), ["👨‍👩‍👧", "👨‍👩‍👧"]);
    }

    proptest::proptest! {
        #[test]
        fn no_part_of_any_script_is_too_long_and_no_character_is_lost(text in "[ab今ーあアกำิ้मे्। 。、.٣]{0,60}") {
            let parts = split(&text, 24);
            proptest::prop_assert!(parts.iter().all(|p| p.len() <= 24));
            let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert_eq!(letters(&parts.concat()), letters(&text));
        }

        #[test]
        fn no_part_is_too_long_and_no_word_is_lost(text in "[a-zé]{0,9}([ .][a-zé]{1,9}){0,30}") {
            let parts = split(&text, 24);
            proptest::prop_assert!(parts.iter().all(|p| p.len() <= 24));
            let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert_eq!(letters(&parts.concat()), letters(&text));
        }
    }
}
