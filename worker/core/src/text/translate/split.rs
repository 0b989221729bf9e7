//! Texts that are too long for one call.

/// Cuts at the end of a sentence where there is one, else between words, else between characters.
pub(crate) fn split(text: &str, most_bytes: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while rest.len() > most_bytes {
        let limit = (0..=most_bytes).rev().find(|n| rest.is_char_boundary(*n)).unwrap_or(0);
        let head = &rest[..limit];
        let sentence = head.rfind(['.', '?', '!', '。', '？', '！']).map(|at| at + char_len(head, at));
        let cut = sentence.or(head.rfind(char::is_whitespace)).filter(|at| *at > 0).unwrap_or(limit);
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

fn char_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
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

    proptest::proptest! {
        #[test]
        fn no_part_is_too_long_and_no_word_is_lost(text in "[a-zé]{0,9}([ .][a-zé]{1,9}){0,30}") {
            let parts = split(&text, 24);
            proptest::prop_assert!(parts.iter().all(|p| p.len() <= 24));
            let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert_eq!(letters(&parts.concat()), letters(&text));
        }
    }
}
